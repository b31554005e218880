/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Taking PCI devices for guests and giving them back, so that whoever is killed at it leaves enough on disk for the
 * next to put the device back: a record (state/hostdev.h) with its driver and driver_override comes before the first
 * change and goes after the last.  A lock a group is held meanwhile, and nothing else.  Needs libc alone.
 */
#include <stdbool.h>

#include <vm/deadline.h>
#include <vm/err.h>

struct vm_state;
struct vm_sys;
struct vm_vf_want;

#define VM_HOSTDEV_UNBIND_MS 30000u /* how long a driver may take to let go */

struct vm_hostdev_take {
	const struct vm_state *state;
	const struct vm_sys *sys;
	const char *name;  /* "0000:01:00.0" */
	const char *user;  /* "qemu/web1"; NULL: by hand, for any guest later */
	const char *alias; /* name in QEMU, or NULL */
	const char *driver; /* NULL: one that is made for this device, else "vfio-pci" */
	bool dry_run; /* name the steps (vm_log_step()) and take none */
	bool later; /* dry run: of several, not the first, so that VFIO is loaded by then */
	const struct vm_vf_want *vf; /* a network card's virtual function: what it is to be set to; NULL: left as it is */
	bool managed; /* take it from the host's driver; else it must be on VFIO already */
	struct vm_deadline deadline;
	uint64_t *spent_ms; /* the time its hooks took is added, and is not the deadline's; or NULL */
};
/*
 * 0 = it is on VFIO and the user's; 1 = it was so already.  VM_IN_USE: somebody else has it, it is stuck, or (not managed) the
 * host's driver has it; VM_TIMED_OUT: its driver does not let go; VM_DENIED: a hook refuses.  Any failure leaves it as it was,
 * or stuck.
 */
int vm_hostdev_take(const struct vm_hostdev_take *t, struct vm_err *err);
/*
 * Gives back what `user` took: to the host's driver if we took it from there, else it stays on VFIO.  A device that the
 * kernel does not let go of, that a hook fails for or that answers wrongly is left stuck, with a warning.  1 = the user has
 * not taken it.
 */
int vm_hostdev_give_back(const struct vm_state *state, const struct vm_sys *sys, const char *name,
			 const char *user, struct vm_deadline deadline, struct vm_err *err);
/* Names the steps of that (vm_log_step()) and takes none; user NULL: of giving it back by hand. */
void vm_hostdev_name_give_back(const struct vm_state *state, const struct vm_sys *sys, const char *name, const char *user);
/* By hand: a device on VFIO that nobody has goes to the host, also when we did not bind it.  1 = the host has it; VM_IN_USE: a
 * guest has it; VM_TIMED_OUT: VFIO does not let go, it is left stuck. */
int vm_hostdev_unbind(const struct vm_state *state, const struct vm_sys *sys, const char *name,
		      struct vm_deadline deadline, struct vm_err *err);

/*
 * Devices that stay with their drivers, named by their keys: "usb:1-4.2", "scsi:0:0:1:0", "mdev:UUID", "vhost:WWPN".  Nothing of
 * them is changed but by their hooks.  Of *t count state, sys, name, user, dry_run, deadline and spent_ms.
 */
bool vm_hostdev_is_other(const char *name);
/* 1 = it has hooks, so that whoever takes it notes it first, to be given back; 0 = it has none. */
int vm_hostdev_hooked(const struct vm_hostdev_take *t, struct vm_err *err);
/* VM_DENIED: a hook refuses; VM_IN_USE: it is out of use since one failed. */
int vm_hostdev_hook_take(const struct vm_hostdev_take *t, struct vm_err *err);
/* One whose hook fails is left out of use, with a warning. */
int vm_hostdev_hook_give(const struct vm_hostdev_take *t, struct vm_err *err);
/* Of one that is out of use: tries again.  1 = it is not. */
int vm_hostdev_hook_again(const struct vm_hostdev_take *t, struct vm_err *err);
