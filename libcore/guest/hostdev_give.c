/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every program that may end a guest carries: no more than giving back needs. */
#include "hostdev_bind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/lock.h>
#include <vm/log.h>
#include <vm/process.h>
#include <vm/state.h>

#include "host/vfio.h"
#include "hostdev_record.h"

char *vm_hostdev_pci_key(const char *name)
{
	return vm_xasprintf("pci:%s", name);
}

void vm_hostdev_was(const struct vm_record *r, struct vm_vfio_was *ret)
{
	const char *driver = vm_record_get(r, VM_HOSTDEV_DRIVER);
	const char *override = vm_record_get(r, VM_HOSTDEV_OVERRIDE);

	snprintf(ret->driver, sizeof(ret->driver), "%s", driver != NULL ? driver : "");
	snprintf(ret->override, sizeof(ret->override), "%s", override != NULL ? override : "");
}

int vm_hostdev_store(const struct vm_state *s, const char *key, struct vm_record *r,
		 enum vm_hostdev_phase phase, struct vm_err *err)
{
	struct vm_procid self;

	vm_record_set(r, VM_HOSTDEV_PHASE, vm_hostdev_phase_words[phase]);
	if (vm_procid_self(&self, err) < 0)
		return -1;
	vm_record_set_procid(r, VM_HOSTDEV_TOOL,
			     phase == VM_HOSTDEV_BINDING || phase == VM_HOSTDEV_RELEASING ? &self : NULL);
	return vm_hostdev_record_write(s, key, r, err);
}

void vm_hostdev_mark_stuck(const struct vm_state *s, const char *key, struct vm_record *r, const char *why)
{
	struct vm_err ignored = VM_ERR_INIT;

	vm_record_set(r, VM_HOSTDEV_WHY, why);
	vm_record_set(r, VM_HOSTDEV_USER, NULL);
	vm_record_set(r, VM_HOSTDEV_ALIAS, NULL);
	if (vm_hostdev_store(s, key, r, VM_HOSTDEV_STUCK, &ignored) < 0)
		vm_log_warning("%s: %s", key, ignored.msg);
}

int vm_hostdev_load(const struct vm_state *s, const char *key, struct vm_record *r, struct vm_err *err)
{
	struct vm_err why = VM_ERR_INIT;

	if (vm_hostdev_record_read(s, key, r, &why) == 0)
		return 0;
	if (why.kind == VM_NOT_FOUND)
		return 1;
	*err = why;
	return -1;
}

int vm_hostdev_lock_name(const struct vm_state *s, const char *name, struct vm_deadline deadline, int *ret,
			 struct vm_err *err)
{
	VM_AUTO_FREE char *file = vm_xasprintf("%s.lock", name);
	VM_AUTO_FD int dir = -1;

	return vm_hostdev_place(s, &dir, err) < 0 ? -1 : vm_lock_take(dir, file, deadline, ret, err);
}

int vm_hostdev_lock(const struct vm_state *s, int group, struct vm_deadline deadline, int *ret,
		      struct vm_err *err)
{
	char name[32];

	snprintf(name, sizeof(name), "group-%d", group);
	if (vm_hostdev_lock_name(s, name, deadline, ret, err) < 0)
		return vm_err_wrap(err, "IOMMU group %d", group);
	return 0;
}

/* What a guest's device was changed in is as before; only its hooks and its state keep it from the next one. */
void vm_hostdev_out_of_use(const struct vm_hostdev_take *t, const char *key, struct vm_record *r, struct vm_err *err)
{
	VM_AUTO_FREE char *cure = vm_hostdev_is_other(t->name) ? vm_xstrdup("vm-repair --all runs the hook again")
				  : err->kind == VM_DENIED || err->kind == VM_TIMED_OUT || err->hint[0] == 0
					  ? vm_xasprintf("vm-hostdev-unbind %s runs the hook again", t->name)
					  : vm_xasprintf("%s; then vm-hostdev-unbind %s", err->hint, t->name);

	vm_err_wrap(err, "%s is out of use", t->name);
	vm_err_hint(err, "%s", cure);
	vm_hostdev_vf_forget(r);
	vm_record_set(r, VM_HOSTDEV_D3COLD, NULL);
	vm_record_set(r, VM_HOSTDEV_HAND, NULL);
	vm_record_set(r, VM_HOSTDEV_CURE, cure);
	vm_hostdev_mark_stuck(t->state, key, r, err->msg);
}

int vm_hostdev_finish(const struct vm_hostdev_take *t, const char *key, struct vm_record *r,
		      enum vm_hostdev_phase then, struct vm_err *err)
{
	vm_hostdev_vf_restore_own(t->sys, t->name, r);
	vm_hostdev_power_restore(t, r);
	if (then == VM_HOSTDEV_NONE && vm_record_bool(r, VM_HOSTDEV_BOUND, false))
		vm_hostdev_control_restore(t, r);
	if (vm_hostdev_hook_released(t, r, err) < 0 || vm_pci_sane(t->sys, t->name, err) < 0) {
		vm_hostdev_out_of_use(t, key, r, err);
		return 1;
	}
	if (then == VM_HOSTDEV_NONE)
		return vm_hostdev_record_remove(t->state, key, err);
	vm_hostdev_vf_forget(r);
	vm_record_set(r, VM_HOSTDEV_D3COLD, NULL);
	vm_record_set(r, VM_HOSTDEV_HOOK, NULL);
	vm_record_set(r, VM_HOSTDEV_HAND, NULL);
	vm_record_set(r, VM_HOSTDEV_USER, NULL);
	vm_record_set(r, VM_HOSTDEV_ALIAS, NULL);
	return vm_hostdev_store(t->state, key, r, then, err);
}

/* A guest ends all the same. */
static int told(const struct vm_hostdev_take *t, struct vm_err *err)
{
	if (t->user == NULL)
		return -1;
	vm_log_warning("%s; %s", err->msg, err->hint);
	*err = VM_ERR_INIT;
	return 0;
}

static int finish(const struct vm_hostdev_take *t, const char *key, struct vm_record *r, enum vm_hostdev_phase then,
		  struct vm_err *err)
{
	int done = vm_hostdev_finish(t, key, r, then, err);

	return done > 0 ? told(t, err) : done;
}

int vm_hostdev_to_host(const struct vm_hostdev_take *t, const char *key, struct vm_record *r, struct vm_err *err)
{
	struct vm_vfio_was was;
	char driver[64];

	vm_hostdev_was(r, &was);
	if (vm_hostdev_store(t->state, key, r, VM_HOSTDEV_RELEASING, err) < 0) {
		/* on a full disk it is given back all the same */
		vm_log_warning("%s", err->msg);
		*err = VM_ERR_INIT;
	}
	vm_hostdev_vf_restore(t->sys, t->name, r);
	vm_log_step("give %s back to %s", t->name, was.driver[0] != 0 ? was.driver : "no driver");
	if (vm_vfio_unbind(t->sys, t->name, &was, t->deadline, driver, err) < 0) {
		vm_hostdev_mark_stuck(t->state, key, r, err->msg);
		return told(t, err);
	}
	if (was.driver[0] != 0 && strcmp(was.driver, driver) != 0)
		vm_log_warning("%s had the driver %s and now has %s", t->name, was.driver,
			       driver[0] != 0 ? driver : "none");
	return finish(t, key, r, VM_HOSTDEV_NONE, err);
}

int vm_hostdev_give_up(const struct vm_hostdev_take *t, const char *key, struct vm_record *r, struct vm_err *err)
{
	enum vm_hostdev_phase phase = vm_hostdev_phase(r);

	if (phase != VM_HOSTDEV_BINDING && phase != VM_HOSTDEV_RELEASING &&
	    vm_record_bool(r, VM_HOSTDEV_HAND, false)) {
		vm_hostdev_vf_restore(t->sys, t->name, r);
		return finish(t, key, r, VM_HOSTDEV_READY, err);
	}
	if (!vm_record_bool(r, VM_HOSTDEV_BOUND, false)) {
		vm_hostdev_vf_restore(t->sys, t->name, r);
		return finish(t, key, r, VM_HOSTDEV_NONE, err);
	}
	return vm_hostdev_to_host(t, key, r, err);
}

/* With the lock. */
static int give_back(const struct vm_hostdev_take *t, const char *key, struct vm_record *r, struct vm_err *err)
{
	const char *user = vm_record_get(r, VM_HOSTDEV_USER);

	return user == NULL || strcmp(user, t->user) != 0 ? 1 : vm_hostdev_give_up(t, key, r, err);
}

int vm_hostdev_give_back(const struct vm_state *state, const struct vm_sys *sys, const char *name,
			 const char *user, struct vm_deadline deadline, struct vm_err *err)
{
	const struct vm_hostdev_take t = { .state = state, .sys = sys, .name = name, .user = user,
					   .deadline = deadline };
	VM_AUTO_FREE char *key = vm_hostdev_pci_key(name);
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	VM_AUTO(vm_lock_release) int lock = -1;
	VM_AUTO_FD int dir = -1;
	struct vm_err gone = VM_ERR_INIT;
	int none = vm_hostdev_load(state, key, &r, err);

	if (none != 0)
		return none;
	if (vm_hostdev_lock(state, (int)vm_record_i64(&r, VM_HOSTDEV_GROUP, -1), deadline, &lock, err) < 0)
		return -1;
	vm_record_free(&r);
	none = vm_hostdev_load(state, key, &r, err);
	if (none != 0)
		return none;
	/* a virtual function that is gone: nothing is left to be given back, but its hooks hear of it */
	if (vm_pci_open(sys, name, &dir, &gone) < 0 && gone.kind == VM_NOT_FOUND) {
		if (vm_hostdev_hook_released(&t, &r, &gone) < 0)
			vm_log_warning("%s", gone.msg);
		return vm_hostdev_record_remove(state, key, err);
	}
	return give_back(&t, key, &r, err);
}

void vm_hostdev_name_give_back(const struct vm_state *state, const struct vm_sys *sys, const char *name, const char *user)
{
	struct vm_hostdev_take t = { .state = state, .sys = sys, .name = name, .user = user, .dry_run = true };
	VM_AUTO_FREE char *key = vm_hostdev_pci_key(name);
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	struct vm_err ignored = VM_ERR_INIT;
	struct vm_vfio_was was;
	struct vm_pci p;
	int none = vm_hostdev_load(state, key, &r, &ignored);

	if (none < 0 || (none > 0 && user != NULL) || vm_pci_read(sys, name, &p, &ignored) < 0)
		return;
	vm_hostdev_was(&r, &was);
	if (vm_record_get(&r, VM_HOSTDEV_VF_MAC) != NULL)
		vm_log_step("give the MAC and VLAN of %s back", name);
	if (user == NULL || (vm_record_bool(&r, VM_HOSTDEV_BOUND, false) && !vm_record_bool(&r, VM_HOSTDEV_HAND, false))) {
		vm_log_step("write '%s' to driver_override of %s", was.override, name);
		if (p.driver[0] != 0)
			vm_log_step("write '%s' to unbind of its driver %s", name, p.driver);
		vm_log_step("write '%s' to drivers_probe", name);
	} else {
		vm_log_step("leave %s on %s, which it had before", name, p.driver);
	}
	vm_hostdev_power_restore(&t, &r);
	if (vm_hostdev_hook_released(&t, &r, &ignored) < 0)
		vm_log_step("%s", ignored.msg);
}
