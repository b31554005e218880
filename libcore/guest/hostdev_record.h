/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Records of host devices as those who take and give back use them.  Needs libc alone. */
#include <vm/deadline.h>
#include <vm/record.h>

#include "state/hostdev.h"

struct vm_hostdev_take;
struct vm_pci;
struct vm_sys;
struct vm_vfio_was;

/* In the record: it was bound by hand, and stays so when a guest lets go of it. */
#define VM_HOSTDEV_HAND "hand"

/* "pci:0000:01:00.0"; owned. */
char *vm_hostdev_pci_key(const char *name);
void vm_hostdev_was(const struct vm_record *r, struct vm_vfio_was *ret);
int vm_hostdev_store(const struct vm_state *s, const char *key, struct vm_record *r,
		     enum vm_hostdev_phase phase, struct vm_err *err);
/* Best effort: the failure that brought us here is what counts. */
void vm_hostdev_mark_stuck(const struct vm_state *s, const char *key, struct vm_record *r, const char *why);
/* With the lock, by its user: to where the record says. */
int vm_hostdev_give_up(const struct vm_hostdev_take *t, const char *key, struct vm_record *r, struct vm_err *err);
/* MAC and VLAN of a network card's virtual function, for those that are interfaces of guests. */
int vm_hostdev_vf_save(const struct vm_hostdev_take *t, struct vm_record *r, struct vm_err *err);
int vm_hostdev_vf_set(const struct vm_hostdev_take *t, struct vm_err *err);
/* From the record, before its driver has it again, and after; what fails is a warning. */
void vm_hostdev_vf_restore(const struct vm_sys *sys, const char *name, const struct vm_record *r);
void vm_hostdev_vf_restore_own(const struct vm_sys *sys, const char *name, const struct vm_record *r);
void vm_hostdev_vf_forget(struct vm_record *r);
/* The administrator's programs for a device of any kind; a guest's devices alone have any. */
void vm_hostdev_hook_save(const struct vm_hostdev_take *t, struct vm_record *r);
int vm_hostdev_hook_prepare(struct vm_hostdev_take *t, struct vm_err *err);
int vm_hostdev_hook_released(const struct vm_hostdev_take *t, const struct vm_record *r, struct vm_err *err);
/* *err says why; what a guest's device was changed in is as before. */
void vm_hostdev_out_of_use(const struct vm_hostdev_take *t, const char *key, struct vm_record *r, struct vm_err *err);
/* D3cold, for those that could not come back from it: noted, forbidden while a guest has it, as before; what fails is a warning. */
void vm_hostdev_power_save(const struct vm_hostdev_take *t, const struct vm_pci *p, struct vm_record *r);
void vm_hostdev_power_keep(const struct vm_hostdev_take *t, const struct vm_record *r);
void vm_hostdev_power_restore(const struct vm_hostdev_take *t, const struct vm_record *r);
/* Whether it may sleep when it is idle, which VFIO changes: noted before it has it, and as before when a driver of the host has it
 * again; what fails then is a warning. */
int vm_hostdev_control_save(const struct vm_hostdev_take *t, struct vm_record *r, struct vm_err *err);
void vm_hostdev_control_restore(const struct vm_hostdev_take *t, const struct vm_record *r);
/*
 * It is back where it belongs: the rest of what a guest's device is given back with; then its record goes, or is that of a device
 * that is ready.  1 = it is out of use, for a hook failed or it does not answer as a device does: *err says so.
 */
int vm_hostdev_finish(const struct vm_hostdev_take *t, const char *key, struct vm_record *r,
		      enum vm_hostdev_phase then, struct vm_err *err);
/* 0 = *r is filled; 1 = there is none. */
int vm_hostdev_load(const struct vm_state *s, const char *key, struct vm_record *r, struct vm_err *err);
/* Of a thing that is no group: "mdev:UUID". */
int vm_hostdev_lock_name(const struct vm_state *s, const char *name, struct vm_deadline deadline, int *ret,
			 struct vm_err *err);
int vm_hostdev_lock(const struct vm_state *s, int group, struct vm_deadline deadline, int *ret,
		    struct vm_err *err);
/* With the lock: to the driver and override that the record names; then the record goes. */
int vm_hostdev_to_host(const struct vm_hostdev_take *t, const char *key, struct vm_record *r,
		       struct vm_err *err);
