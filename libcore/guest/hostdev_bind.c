/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostdev_bind.h"

#include <errno.h>
#include <fcntl.h>
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
#include "state/hostdev.h"

#define LOOK_MS 1000 /* is a device that was stuck still stuck? */
#define NODE_MS 5000
#define BY_HAND "hand" /* in the record: it was bound by hand, and stays so when a guest lets go of it */

static char *key_of(const char *name)
{
	return vm_xasprintf("pci:%s", name);
}

static void record_was(struct vm_record *r, const struct vm_vfio_was *was)
{
	vm_record_set(r, VM_HOSTDEV_DRIVER, was->driver[0] != 0 ? was->driver : NULL);
	vm_record_set(r, VM_HOSTDEV_OVERRIDE, was->override[0] != 0 ? was->override : NULL);
}

static void was_of(const struct vm_record *r, struct vm_vfio_was *ret)
{
	const char *driver = vm_record_get(r, VM_HOSTDEV_DRIVER);
	const char *override = vm_record_get(r, VM_HOSTDEV_OVERRIDE);

	snprintf(ret->driver, sizeof(ret->driver), "%s", driver != NULL ? driver : "");
	snprintf(ret->override, sizeof(ret->override), "%s", override != NULL ? override : "");
}

static int store(const struct vm_state *s, const char *key, struct vm_record *r,
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

/* Best effort: the failure that brought us here is what counts. */
static void mark_stuck(const struct vm_state *s, const char *key, struct vm_record *r, const char *why)
{
	struct vm_err ignored = VM_ERR_INIT;

	vm_record_set(r, VM_HOSTDEV_WHY, why);
	vm_record_set(r, VM_HOSTDEV_USER, NULL);
	vm_record_set(r, VM_HOSTDEV_ALIAS, NULL);
	if (store(s, key, r, VM_HOSTDEV_STUCK, &ignored) < 0)
		vm_log_warning("%s: %s", key, ignored.msg);
}

/* 0 = *r is filled; 1 = there is none. */
static int load(const struct vm_state *s, const char *key, struct vm_record *r, struct vm_err *err)
{
	struct vm_err why = VM_ERR_INIT;

	if (vm_hostdev_record_read(s, key, r, &why) == 0)
		return 0;
	if (why.kind == VM_NOT_FOUND)
		return 1;
	*err = why;
	return -1;
}

static int lock_group(const struct vm_state *s, int group, struct vm_deadline deadline, int *ret,
		      struct vm_err *err)
{
	VM_AUTO_FD int dir = -1;
	char name[32];

	if (vm_hostdev_place(s, &dir, err) < 0)
		return -1;
	snprintf(name, sizeof(name), "group-%d.lock", group);
	if (vm_lock_take(dir, name, deadline, ret, err) < 0)
		return vm_err_wrap(err, "IOMMU group %d", group);
	return 0;
}

/*
 * With the group's lock: whoever was at it is dead, or hangs in the kernel.  Puts the device back as it was before and
 * removes the record.  0 = done.
 */
static int recover(const struct vm_hostdev_take *t, const char *key, struct vm_record *r, struct vm_err *err)
{
	struct vm_vfio_was was, now;
	struct vm_err why = VM_ERR_INIT;
	char driver[64];

	was_of(r, &was);
	if (vm_vfio_look(t->sys, t->name, vm_deadline_in(LOOK_MS), &now, &why) < 0 &&
	    why.kind == VM_TIMED_OUT) {
		const char *reason = vm_record_get(r, VM_HOSTDEV_WHY);

		vm_err_set(err, VM_IN_USE, "%s is stuck: %s", t->name,
			   reason != NULL ? reason : "the kernel does not come back");
		return vm_err_hint(err, "when its driver does not come back, the host must be booted again");
	}
	vm_log_step("put %s back as it was", t->name);
	if (vm_vfio_unbind(t->sys, t->name, &was, t->deadline, driver, err) < 0) {
		mark_stuck(t->state, key, r, err->msg);
		return -1;
	}
	vm_record_free(r);
	return vm_hostdev_record_remove(t->state, key, err);
}

static int belongs_to(const char *name, const char *user, struct vm_err *err)
{
	vm_err_set(err, VM_IN_USE, "%s is used by guest '%s'", name, vm_hostdev_guest(user));
	return vm_err_hint(err, "vm-detach-hostdev %s %s gives it back", vm_hostdev_guest(user), name);
}

static int refuse_user(const struct vm_hostdev_take *t, const char *key, struct vm_err *err)
{
	VM_AUTO_FREE char *claimed = vm_hostdev_claimed_by(t->state, key);

	if (claimed != NULL && (t->user == NULL || strcmp(claimed, t->user) != 0))
		return belongs_to(t->name, claimed, err);
	return 0;
}

/* On VFIO by our hand, or somebody's: it becomes the user's and is left there afterwards. */
static int adopt(const struct vm_hostdev_take *t, const char *key, struct vm_record *r, bool ours,
		 struct vm_err *err)
{
	if (t->user == NULL && ours)
		return 1;
	vm_record_set(r, VM_HOSTDEV_DEVICE, t->name);
	if (ours)
		vm_record_set(r, BY_HAND, "yes");
	else
		vm_record_set(r, VM_HOSTDEV_BOUND, "no");
	vm_record_set(r, VM_HOSTDEV_USER, t->user);
	vm_record_set(r, VM_HOSTDEV_ALIAS, t->alias);
	if (t->user == NULL || t->dry_run)
		return t->user == NULL;
	return store(t->state, key, r, VM_HOSTDEV_TAKEN, err);
}

static void name_steps(const struct vm_hostdev_take *t)
{
	const char *driver = t->driver != NULL ? t->driver : "vfio-pci";

	vm_log_step("write '%s' to driver_override of %s", driver, t->name);
	vm_log_step("write '%s' to unbind of its driver", t->name);
	vm_log_step("write '%s' to drivers_probe", t->name);
}

static int bind(const struct vm_hostdev_take *t, const char *key, int group, struct vm_err *err)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	struct vm_vfio_was was;
	struct vm_err why = VM_ERR_INIT;

	if (t->dry_run) {
		name_steps(t);
		return 0;
	}
	if (vm_vfio_load(t->sys, t->deadline, err) < 0 ||
	    vm_vfio_look(t->sys, t->name, t->deadline, &was, err) < 0)
		return -1;
	vm_record_set(&r, VM_HOSTDEV_DEVICE, t->name);
	record_was(&r, &was);
	vm_record_setf(&r, VM_HOSTDEV_GROUP, "%d", group);
	vm_record_set(&r, VM_HOSTDEV_BOUND, "yes");
	vm_record_set(&r, VM_HOSTDEV_USER, t->user);
	vm_record_set(&r, VM_HOSTDEV_ALIAS, t->alias);
	if (store(t->state, key, &r, VM_HOSTDEV_BINDING, err) < 0)
		return -1;
	vm_log_step("bind %s to %s (from %s)", t->name, t->driver != NULL ? t->driver : "vfio-pci",
		    was.driver[0] != 0 ? was.driver : "no driver");
	if (vm_vfio_bind(t->sys, t->name, t->driver != NULL ? t->driver : "vfio-pci", &was, t->deadline,
			 err) < 0) {
		if (err->kind == VM_TIMED_OUT)
			mark_stuck(t->state, key, &r, err->msg);
		else if (vm_hostdev_record_remove(t->state, key, &why) < 0)
			vm_log_warning("%s", why.msg);
		return -1;
	}
	if (vm_vfio_wait_node(t->sys, group, vm_deadline_min(t->deadline, vm_deadline_in(NODE_MS)), err) < 0) {
		struct vm_hostdev_take undo = *t;

		/* what has no time left is put back all the same */
		undo.deadline = vm_deadline_in(VM_HOSTDEV_UNBIND_MS);
		vm_wait_shield();
		if (recover(&undo, key, &r, &why) < 0)
			vm_log_warning("%s", why.msg);
		vm_wait_unshield();
		return -1;
	}
	return store(t->state, key, &r, t->user != NULL ? VM_HOSTDEV_TAKEN : VM_HOSTDEV_READY, err);
}

static int not_managed(const struct vm_hostdev_take *t, const struct vm_pci *p, struct vm_err *err)
{
	vm_err_set(err, VM_IN_USE, "%s is not on VFIO but has the driver %s, and managed='no'", t->name,
		   p->driver[0] != 0 ? p->driver : "none");
	return vm_err_hint(err, "vm-hostdev-bind %s first, or say managed='yes'", t->name);
}

int vm_hostdev_take(const struct vm_hostdev_take *t, struct vm_err *err)
{
	VM_AUTO_FREE char *key = key_of(t->name);
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	VM_AUTO(vm_lock_release) int lock = -1;
	enum vm_hostdev_phase phase = VM_HOSTDEV_NONE;
	struct vm_pci p;
	int none;

	if (vm_pci_read(t->sys, t->name, &p, err) < 0)
		return -1;
	if (p.group == VM_NO_GROUP || p.noiommu)
		return vm_err_set(err, VM_UNSUPPORTED, "%s is in no IOMMU group", t->name);
	if ((!t->dry_run && lock_group(t->state, p.group, t->deadline, &lock, err) < 0) ||
	    refuse_user(t, key, err) < 0 ||
	    (none = load(t->state, key, &r, err)) < 0)
		return -1;
	if (!none)
		phase = vm_hostdev_phase(&r);
	if (phase == VM_HOSTDEV_BINDING || phase == VM_HOSTDEV_RELEASING || phase == VM_HOSTDEV_STUCK) {
		if (!t->dry_run && recover(t, key, &r, err) < 0)
			return -1;
		phase = VM_HOSTDEV_NONE;
	} else if (phase != VM_HOSTDEV_NONE) {
		const char *user = vm_record_get(&r, VM_HOSTDEV_USER);

		if (user != NULL && t->user != NULL && strcmp(user, t->user) == 0)
			return 1;
		if (user != NULL)
			return belongs_to(t->name, user, err);
	}
	/* what was read before the lock may be old */
	if (vm_pci_read(t->sys, t->name, &p, err) < 0)
		return -1;
	if (phase == VM_HOSTDEV_READY && p.vfio)
		return adopt(t, key, &r, true, err);
	if (p.vfio)
		return adopt(t, key, &r, false, err);
	return t->managed ? bind(t, key, p.group, err) : not_managed(t, &p, err);
}

/* ---- giving back ---- */

/* A device that does not answer any more after a guest had it. */
static void look_sane(const struct vm_sys *sys, const char *name)
{
	struct vm_err ignored = VM_ERR_INIT;
	struct vm_pci p;

	if (vm_pci_read(sys, name, &p, &ignored) == 0 && !p.has_config && geteuid() == 0)
		vm_log_warning("%s does not answer any more: it must be reset, or the host booted again", name);
}

static int to_host(const struct vm_hostdev_take *t, const char *key, struct vm_record *r, struct vm_err *err)
{
	struct vm_vfio_was was;
	char driver[64];

	was_of(r, &was);
	if (store(t->state, key, r, VM_HOSTDEV_RELEASING, err) < 0) {
		/* on a full disk it is given back all the same */
		vm_log_warning("%s", err->msg);
		*err = VM_ERR_INIT;
	}
	vm_log_step("give %s back to %s", t->name, was.driver[0] != 0 ? was.driver : "no driver");
	if (vm_vfio_unbind(t->sys, t->name, &was, t->deadline, driver, err) < 0) {
		mark_stuck(t->state, key, r, err->msg);
		if (t->user == NULL)
			return -1;
		vm_log_warning("%s", err->msg);
		*err = VM_ERR_INIT;
		return 0;
	}
	if (was.driver[0] != 0 && strcmp(was.driver, driver) != 0)
		vm_log_warning("%s had the driver %s and now has %s", t->name, was.driver,
			       driver[0] != 0 ? driver : "none");
	look_sane(t->sys, t->name);
	return vm_hostdev_record_remove(t->state, key, err);
}

/* What the user has of it, from its record. */
static int give_back(const struct vm_hostdev_take *t, const char *key, struct vm_record *r, bool none,
		     struct vm_err *err)
{
	const char *user = none ? NULL : vm_record_get(r, VM_HOSTDEV_USER);
	enum vm_hostdev_phase phase = none ? VM_HOSTDEV_NONE : vm_hostdev_phase(r);
	struct vm_pci p;

	if (t->user != NULL) {
		if (user == NULL || strcmp(user, t->user) != 0)
			return 1;
		if (phase != VM_HOSTDEV_BINDING && phase != VM_HOSTDEV_RELEASING &&
		    vm_record_bool(r, BY_HAND, false)) {
			vm_record_set(r, BY_HAND, NULL);
			vm_record_set(r, VM_HOSTDEV_USER, NULL);
			vm_record_set(r, VM_HOSTDEV_ALIAS, NULL);
			return store(t->state, key, r, VM_HOSTDEV_READY, err);
		}
		if (!vm_record_bool(r, VM_HOSTDEV_BOUND, false))
			return vm_hostdev_record_remove(t->state, key, err);
		return to_host(t, key, r, err);
	}
	if (user != NULL)
		return belongs_to(t->name, user, err);
	if (none && (vm_pci_read(t->sys, t->name, &p, err) < 0 || !p.vfio))
		return err->kind != VM_OK ? -1 : 1;
	if (phase == VM_HOSTDEV_STUCK)
		return recover(t, key, r, err);
	return to_host(t, key, r, err);
}

int vm_hostdev_give_back(const struct vm_state *state, const struct vm_sys *sys, const char *name,
			 const char *user, struct vm_deadline deadline, struct vm_err *err)
{
	const struct vm_hostdev_take t = { .state = state, .sys = sys, .name = name, .user = user,
					   .deadline = deadline };
	VM_AUTO_FREE char *key = key_of(name);
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	VM_AUTO(vm_lock_release) int lock = -1;
	struct vm_pci p = { .group = VM_NO_GROUP };
	struct vm_err gone = VM_ERR_INIT;
	int none;

	none = load(state, key, &r, err);
	if (none < 0 || (none == 1 && user != NULL))
		return none;
	if (vm_pci_read(sys, name, &p, &gone) < 0) {
		if (user == NULL && none) {
			*err = gone;
			return -1;
		}
		/* its virtual function is gone, say: nothing is left to be given back */
		return vm_hostdev_record_remove(state, key, err);
	}
	if (lock_group(state, p.group, deadline, &lock, err) < 0)
		return -1;
	if (user == NULL && refuse_user(&t, key, err) < 0)
		return -1;
	vm_record_free(&r);
	none = load(state, key, &r, err);
	return none < 0 ? -1 : give_back(&t, key, &r, none == 1, err);
}
