/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Devices that the kernel makes on demand: mediated devices, virtual functions, the virtual GPU of a virtual function.
 * Each change is one write that a driver may take its time over: a child does it (bounded.h).  Needs libc alone.
 * Source: Linux Documentation/driver-api/vfio-mediated-device.rst, ABI/testing/sysfs-bus-pci (sriov_*).
 */
#include <vm/deadline.h>

#include "pci.h"

/* VM_NOT_FOUND: the parent makes none, or not of that type; VM_IN_USE: no instance is left. */
int vm_mdev_create(const struct vm_sys *s, const char *parent, const char *type, const char *uuid,
		   struct vm_deadline deadline, struct vm_err *err);
/* An attribute of it: a file below its directory. */
int vm_mdev_set(const struct vm_sys *s, const char *uuid, const char *attr, const char *value,
		struct vm_deadline deadline, struct vm_err *err);
/* Gone already is success; VM_TIMED_OUT: somebody has it open. */
int vm_mdev_remove(const struct vm_sys *s, const char *uuid, struct vm_deadline deadline, struct vm_err *err);

/* Makes a physical function have so many; 0 removes all.  From one number to another goes by 0.  VM_UNSUPPORTED: its driver
 * cannot. */
int vm_sriov_set(const struct vm_sys *s, const char *pf, unsigned count, struct vm_deadline deadline,
		 struct vm_err *err);
/* May drivers of the host take its functions?  *ret: 1 yes, 0 no, -1 this kernel does not tell. */
int vm_sriov_autoprobe(const struct vm_sys *s, const char *pf, int *ret, struct vm_err *err);
int vm_sriov_set_autoprobe(const struct vm_sys *s, const char *pf, bool on, struct vm_deadline deadline,
			   struct vm_err *err);
/* Names of its functions in their order; "" = the link is not there. */
struct vm_vfs {
	char (*v)[VM_PCI_NAME]; /* owned */
	size_t n;
};
int vm_vfs_read(const struct vm_sys *s, const struct vm_pci *pf, struct vm_vfs *ret, struct vm_err *err);
void vm_vfs_free(struct vm_vfs *v);

/* The type of a vendor's virtual GPU on this function (struct vm_pci vgpu); 0 takes it away.  VM_UNSUPPORTED: it can have none. */
int vm_vgpu_set(const struct vm_sys *s, const char *vf, unsigned long type, struct vm_deadline deadline,
		struct vm_err *err);
