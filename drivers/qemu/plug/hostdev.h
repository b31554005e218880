/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* A guest's host devices on this host. */
#include <stdbool.h>
#include <stddef.h>

#include <vm/err.h>

#include "host/vf.h"

struct vm_domain;
struct vm_hostdev;
struct vm_hostdev_view;
struct vm_xml;

/* Nodes of SCSI devices, by the place of their <hostdev> in the document; NULL: it has none, or is not there. */
struct vm_hostdev_nodes {
	char **v; /* owned */
	size_t n;
};
int vm_hostdev_nodes_read(const struct vm_domain *d, struct vm_hostdev_nodes *ret, struct vm_err *err);
void vm_hostdev_nodes_free(struct vm_hostdev_nodes *nodes);

/*
 * Finds the USB devices that are named by vendor and product: writes where they are plugged in into *d (as
 * libvirt's live documents have it).  One that is not there is VM_NOT_FOUND, unless its startupPolicy is
 * 'optional', or 'requisite' and this is no cold start: then it is marked as missing.
 * from: the first that is looked at; those before it the guest has already, wherever they are now.
 */
int vm_hostdevs_resolve(struct vm_domain *d, uint32_t from, bool cold, struct vm_err *err);
struct vm_state;
/* No more of the host than these devices and their groups, to decide by. */
int vm_hostdevs_look(const struct vm_state *state, const struct vm_hostdev *const *v, size_t n, struct vm_hostdev_view *ret,
		     struct vm_err *err);
/*
 * Everything that can be known of host devices before something is changed: are they there, can they be given to
 * a guest, do the groups belong to nobody else.  view: these devices at least.  guest: whose they may be already.
 * d: all devices the guest has or will have; only: one of them, or NULL for all.
 */
int vm_hostdevs_may(const struct vm_domain *d, const struct vm_hostdev *only,
		      const struct vm_hostdev_view *view, const char *guest, bool force, struct vm_err *err);
struct vm_qemu_caps;
struct vm_vfio_host;
/* Has it the object, and can its vfio-pci be told of it? */
bool vm_qemu_has_iommufd(const struct vm_qemu_caps *caps);
/* Where the document leaves it open: all of the guest's PCI devices by iommufd, if QEMU and this host have it. */
void vm_qemu_choose_iommufd(struct vm_domain *d, const struct vm_qemu_caps *caps, const struct vm_vfio_host *host);
struct vm_interface;
/* What the virtual function of an interface of type='hostdev' has to be set to. */
struct vm_vf_want vm_interface_vf(const struct vm_interface *f);
/* Key of claims and records ("pci:0000:01:00.0", "usb:1-4.2"); NULL: none is taken (iSCSI, a USB device that is
 * missing); owned. */
char *vm_hostdev_key(const struct vm_hostdev *h, const struct vm_hostdev_view *view);
/* A value of VM_KEY_HOSTDEV in the guest's record: alias, and key (NULL: none); owned. */
char *vm_hostdev_held(const struct vm_hostdev *h, const char *key);
