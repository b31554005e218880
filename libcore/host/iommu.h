/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* IOMMU groups and VFIO: what the host can do, and whether a group can go to one guest.  Needs libc alone.
 * Source: Linux Documentation/driver-api/vfio.rst; drivers/vfio/vfio_main.c for the drivers a viable group may have. */
#include <stdbool.h>
#include <stddef.h>

#include "pci.h"

/* Absolute directory of the nodes of groups, and of the container. */
#define VM_VFIO_NODES "/dev/vfio"
/* ... of the devices' own nodes, and the node that goes with these.  Source: Linux Documentation/driver-api/vfio.rst, "VFIO Device
 * cdev"; userspace-api/iommufd.rst. */
#define VM_VFIO_DEVICES VM_VFIO_NODES "/devices"
#define VM_IOMMUFD_NODE "/dev/iommu"

struct vm_vfio_host {
	bool iommu;	/* there are IOMMU groups */
	bool container; /* /dev/vfio/vfio */
	bool iommufd;	/* /dev/iommu */
	bool cdev;	/* ... and VFIO, which is loaded, has nodes of devices: QEMU may do without groups */
	bool loaded;	/* VFIO is, with vfio-pci or without: what cdev says stays so */
	bool driver;	/* vfio-pci is loaded */
	bool module;	/* ... or can be */
	bool blocked;	/* ... but modprobe's configuration forbids it */
};
void vm_vfio_host_read(const struct vm_sys *s, struct vm_vfio_host *ret, struct vm_unread *u);
/* Will `cdev` be true once VFIO is loaded, as far as that can be seen in its module, or in the kernel's configuration?  1, 0; -1: only
 * loading it tells. */
int vm_vfio_host_foresee(const struct vm_sys *s, const struct vm_vfio_host *h);
/* Can PCI devices be assigned here at all?  VM_UNSUPPORTED says what is missing, with the hint what to do. */
int vm_vfio_host_check(const struct vm_sys *s, const struct vm_vfio_host *h, struct vm_err *err);

/* What a member of a group means for the others. */
enum vm_group_role {
	VM_GROUP_FREE,	  /* no driver, VFIO's, or pci-stub: it does not matter */
	VM_GROUP_BRIDGE,  /* a bridge without driver or with pcieport: need not be bound */
	VM_GROUP_BLOCKS,  /* an endpoint of the host's: the group is not viable */
};
enum vm_group_role vm_group_role(const struct vm_pci *member);
/* These PCI devices, as far as they are there, and the others of their groups: each once, by group.  -1: a group, or who is
 * in it, cannot be looked at, and nobody knows whether it is viable. */
int vm_group_pcis(const struct vm_sys *s, const char *const *names, size_t n, struct vm_pcis *ret, struct vm_err *err);
