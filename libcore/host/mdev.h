/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Mediated devices of the host.  Needs libc alone.
 * Source: Linux Documentation/driver-api/vfio-mediated-device.rst. */
#include <stdbool.h>
#include <stddef.h>

#include "sys.h"

/* Absolute path of the directory whose entries are the UUIDs. */
#define VM_MDEV_PLACE "/sys/bus/mdev/devices"

#define VM_MDEV_API_PCI "vfio-pci" /* device_api of those that are PCI devices to a guest */
struct vm_mdev {
	char uuid[37];
	char parent[64];     /* device it is a part of: "0000:00:02.0" */
	char type[64];	     /* "i915-GVTg_V5_4" */
	char type_name[64];  /* what it calls itself; "" = nothing */
	char api[32];	     /* "vfio-pci", "vfio-ccw", "vfio-ap" */
	char driver[64];     /* "" = none */
	int group;	     /* IOMMU group, -1 = none */
};
/* Of "mdev_UUID" and "mdev_UUID_PARENT", with "_" for "-", as virsh's nodedev-list names them. */
bool vm_mdev_virsh_uuid(const char *text, char uuid[37]);
/* VM_NOT_FOUND: there is none of that uuid (lower case, as the kernel writes it). */
int vm_mdev_read(const struct vm_sys *s, const char *uuid, struct vm_mdev *ret, struct vm_err *err);
struct vm_mdevs {
	struct vm_mdev *v; /* owned */
	size_t n;
};
void vm_mdevs_read(const struct vm_sys *s, struct vm_mdevs *ret, struct vm_unread *u);
/* Those alone that these devices carry, as sysfs places them; others are not looked at. */
void vm_mdevs_read_on(const struct vm_sys *s, const char *const *parents, size_t n, struct vm_mdevs *ret, struct vm_unread *u);
void vm_mdevs_free(struct vm_mdevs *m);

/*
 * A device that makes mediated ones: a PCI card, a channel's subchannel ("css"), the adjunct processors ("matrix"), or one of software
 * ("mtty").  Its directory is VM_MDEV_PARENTS/NAME, below the root.
 */
#define VM_MDEV_PARENTS "sys/class/mdev_bus"
struct vm_mdev_parent {
	char name[64];	 /* "0000:00:02.0", "0.0.0313", "matrix", "mtty" */
	char bus[32];	 /* what kind of device that is: "pci", "css"; "" = nothing is known */
	char driver[64]; /* "" = none */
	int numa;	 /* -1 = none or unknown */
};
struct vm_mdev_parents {
	struct vm_mdev_parent *v; /* owned */
	size_t n;
};
void vm_mdev_parents_read(const struct vm_sys *s, struct vm_mdev_parents *ret, struct vm_unread *u);
void vm_mdev_parents_free(struct vm_mdev_parents *p);

/* What a parent can make. */
struct vm_mdev_type {
	char id[64], name[64], api[32];
	int available; /* instances that can still be made, -1 = not told */
	char description[VM_SYS_TEXT];
};
/* Types of the parent of that name; *ret is owned; how many. */
size_t vm_mdev_types(const struct vm_sys *s, const char *parent, struct vm_mdev_type **ret, struct vm_unread *u);
