/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Taking PCI devices from their drivers and giving them back.  Each change is verified by what the kernel shows
 * afterwards, since a probe that failed is no failed write; each is bounded in time.  Needs libc alone.
 * Source: Linux Documentation/driver-api/vfio.rst, ABI/testing/sysfs-bus-pci (driver_override, drivers_probe).
 */
#include <stdbool.h>

#include <vm/deadline.h>

#include "pci.h"

/* How a device was before we touched it. */
struct vm_vfio_was {
	char driver[64];   /* "" = none */
	char override[64]; /* driver_override; "" = none */
};
/* Bounded: asking for driver_override waits for whoever holds the device. */
int vm_vfio_look(const struct vm_sys *s, const char *name, struct vm_deadline deadline,
		 struct vm_vfio_was *ret, struct vm_err *err);
/* Loads vfio-pci, and `driver` of the same kind (NULL: none), unless they are there; VM_UNSUPPORTED: one cannot be had. */
int vm_vfio_load(const struct vm_sys *s, const char *driver, struct vm_deadline deadline, struct vm_err *err);
/* Is this driver there, without asking for it? */
bool vm_vfio_is_loaded(const struct vm_sys *s, const char *driver);
/* Module of a driver of VFIO that is made for this device ("mlx5_vfio_pci"); false: vfio-pci it is. */
bool vm_vfio_variant(const struct vm_sys *s, const char *name, char ret[64], struct vm_unread *u);
/* Loads that module unless it is there; ret is what its driver is called. */
int vm_vfio_variant_load(const struct vm_sys *s, const char *module, struct vm_deadline deadline, char ret[64],
			 struct vm_err *err);
/* What that would be called, as far as is known: false: the module is not loaded. */
bool vm_vfio_variant_name(const struct vm_sys *s, const char *module, char ret[64]);
/*
 * Binds the device to a driver of VFIO ("vfio-pci") that is loaded.  VM_TIMED_OUT: its driver does not let go
 * (nothing more can be done to it until that comes back).  Any other failure leaves it as it was.
 */
int vm_vfio_bind(const struct vm_sys *s, const char *name, const char *driver, const struct vm_vfio_was *was,
		 struct vm_deadline deadline, struct vm_err *err);
/*
 * Gives it back: driver_override as it was, off VFIO, and to the driver that the kernel prefers then.  *ret_driver
 * (64 bytes) is the one it has now, "" = none.  A device that is gone is success.  VM_TIMED_OUT: VFIO does not let
 * go, since somebody has it open.
 */
int vm_vfio_unbind(const struct vm_sys *s, const char *name, const struct vm_vfio_was *was,
		   struct vm_deadline deadline, char *ret_driver, struct vm_err *err);
/* Waits until the node of the IOMMU group of a device that is on VFIO is there, or its own: a kernel may have either alone. */
int vm_vfio_wait_node(const struct vm_sys *s, const char *name, int group, struct vm_deadline deadline, struct vm_err *err);
/* May the kernel cut the device's power (D3cold)?  A driver may be asked to wake it for that. */
int vm_pci_set_d3cold(const struct vm_sys *s, const char *name, bool allowed, struct vm_deadline deadline,
		      struct vm_err *err);
/* power/control: "on" or "auto", may the device sleep when it is idle; "" = it has none. */
int vm_pci_control(const struct vm_sys *s, const char *name, char ret[8], struct vm_err *err);
int vm_pci_set_control(const struct vm_sys *s, const char *name, const char *word, struct vm_deadline deadline,
		       struct vm_err *err);
/* Lets the kernel reset the device by the means it has. */
int vm_pci_do_reset(const struct vm_sys *s, const char *name, struct vm_deadline deadline,
		    struct vm_err *err);
