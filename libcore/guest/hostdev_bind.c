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
#include "hostdev_record.h"
#include "state/hostdev.h"

#define LOOK_MS 1000 /* is a device that was stuck still stuck? */
#define NODE_MS 5000

/*
 * With the group's lock: whoever was at it is dead, or hangs in the kernel.  Puts the device back as it was before and
 * removes the record.  0 = done.
 */
static int recover(const struct vm_hostdev_take *t, const char *key, struct vm_record *r, struct vm_err *err)
{
	struct vm_vfio_was was, now;
	struct vm_err why = VM_ERR_INIT;
	char driver[64];

	vm_hostdev_was(r, &was);
	if (vm_vfio_look(t->sys, t->name, vm_deadline_in(LOOK_MS), &now, &why) < 0 &&
	    why.kind == VM_TIMED_OUT) {
		const char *reason = vm_record_get(r, VM_HOSTDEV_WHY);

		vm_err_set(err, VM_IN_USE, "%s is stuck: %s", t->name,
			   reason != NULL ? reason : "the kernel does not come back");
		return vm_err_hint(err, "when its driver does not come back, the host must be booted again");
	}
	vm_log_step("put %s back as it was", t->name);
	vm_hostdev_vf_restore(t->sys, t->name, r);
	if (vm_vfio_unbind(t->sys, t->name, &was, t->deadline, driver, err) < 0) {
		vm_hostdev_mark_stuck(t->state, key, r, err->msg);
		return -1;
	}
	if (vm_hostdev_finish(t, key, r, VM_HOSTDEV_NONE, err) != 0)
		return -1;
	vm_record_free(r);
	return 0;
}

static int refuse_user(const struct vm_hostdev_take *t, const char *key, struct vm_err *err)
{
	VM_AUTO_FREE char *claimed = NULL;

	if (vm_hostdev_claimed_by(t->state, key, &claimed, err) < 0)
		return -1;
	if (claimed != NULL && (t->user == NULL || strcmp(claimed, t->user) != 0))
		return vm_hostdev_refuse_user(t->name, claimed, err);
	return 0;
}

static void record_was(struct vm_record *r, const struct vm_vfio_was *was)
{
	vm_record_set(r, VM_HOSTDEV_DRIVER, was->driver[0] != 0 ? was->driver : NULL);
	vm_record_set(r, VM_HOSTDEV_OVERRIDE, was->override[0] != 0 ? was->override : NULL);
}

/* On VFIO by our hand, or somebody's: it becomes the user's and is left there afterwards. */
static int adopt(struct vm_hostdev_take *t, const char *key, struct vm_record *r, const struct vm_pci *p, bool ours,
		 struct vm_err *err)
{
	struct vm_err why = VM_ERR_INIT;

	if (t->user == NULL && ours)
		return 1;
	vm_record_set(r, VM_HOSTDEV_DEVICE, t->name);
	if (ours)
		vm_record_set(r, VM_HOSTDEV_HAND, "yes");
	else
		vm_record_set(r, VM_HOSTDEV_BOUND, "no");
	vm_record_setf(r, VM_HOSTDEV_GROUP, "%d", p->group);
	vm_record_set(r, VM_HOSTDEV_USER, t->user);
	vm_record_set(r, VM_HOSTDEV_ALIAS, t->alias);
	vm_hostdev_power_save(t, p, r);
	vm_hostdev_hook_save(t, r);
	if (t->user == NULL && !t->dry_run)
		return 1;
	if (!t->dry_run && (vm_hostdev_vf_save(t, r, err) < 0 ||
			    vm_hostdev_store(t->state, key, r, VM_HOSTDEV_TAKEN, err) < 0))
		return -1;
	if (vm_hostdev_hook_prepare(t, err) == 0) {
		vm_hostdev_power_keep(t, r);
		if (vm_hostdev_vf_set(t, err) == 0)
			return 0;
	}
	if (t->dry_run)
		return -1;
	if (vm_hostdev_give_up(t, key, r, &why) < 0)
		vm_log_warning("%s", why.msg);
	return -1;
}

static void name_load(const struct vm_hostdev_take *t, const char *driver)
{
	if (!t->later && !vm_vfio_is_loaded(t->sys, driver))
		vm_log_step("load the driver %s", driver);
}

static void name_steps(const struct vm_hostdev_take *t, const struct vm_pci *p)
{
	vm_log_step("write '%s' to driver_override of %s", t->driver, t->name);
	if (p->driver[0] != 0)
		vm_log_step("write '%s' to unbind of its driver %s", t->name, p->driver);
	vm_log_step("write '%s' to drivers_probe", t->name);
}

/* given: its driver was asked for by name. */
static int dry_bind(struct vm_hostdev_take *t, const struct vm_pci *p, bool given, struct vm_err *err)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;

	name_load(t, VM_VFIO_PCI);
	if (given)
		name_load(t, t->driver);
	vm_hostdev_power_save(t, p, &r);
	if (vm_hostdev_hook_prepare(t, err) < 0)
		return -1;
	vm_hostdev_power_keep(t, &r);
	name_steps(t, p);
	return vm_hostdev_vf_set(t, err);
}

/* After a failure, whose error is what counts; bound: it is on VFIO, else it has what it had. */
static int put_back(const struct vm_hostdev_take *t, const char *key, struct vm_record *r, bool bound)
{
	struct vm_hostdev_take undo = *t;
	struct vm_err why = VM_ERR_INIT;

	/* what has no time left is put back all the same */
	undo.deadline = vm_deadline_in(VM_HOSTDEV_UNBIND_MS);
	vm_wait_shield();
	if ((bound ? recover(&undo, key, r, &why) : vm_hostdev_finish(&undo, key, r, VM_HOSTDEV_NONE, &why)) != 0)
		vm_log_warning("%s", why.msg);
	vm_wait_unshield();
	return -1;
}

static void record_taken(const struct vm_hostdev_take *t, const struct vm_pci *p, const struct vm_vfio_was *was,
			 struct vm_record *r)
{
	vm_record_set(r, VM_HOSTDEV_DEVICE, t->name);
	record_was(r, was);
	vm_record_setf(r, VM_HOSTDEV_GROUP, "%d", p->group);
	vm_record_set(r, VM_HOSTDEV_BOUND, "yes");
	vm_record_set(r, VM_HOSTDEV_USER, t->user);
	vm_record_set(r, VM_HOSTDEV_ALIAS, t->alias);
	vm_hostdev_power_save(t, p, r);
	vm_hostdev_hook_save(t, r);
}

static int bind(struct vm_hostdev_take *t, const char *key, const struct vm_pci *p, struct vm_err *err)
{
	const char *driver = t->driver;
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	struct vm_vfio_was was;

	if (vm_vfio_load(t->sys, t->driver, t->deadline, err) < 0)
		return t->user != NULL ? vm_err_wrap(err, "%s", t->name) : -1;
	if (vm_vfio_look(t->sys, t->name, t->deadline, &was, err) < 0 || vm_hostdev_vf_save(t, &r, err) < 0 ||
	    vm_hostdev_control_save(t, &r, err) < 0)
		return -1;
	record_taken(t, p, &was, &r);
	if (vm_hostdev_store(t->state, key, &r, VM_HOSTDEV_BINDING, err) < 0)
		return -1;
	if (vm_hostdev_hook_prepare(t, err) < 0)
		return put_back(t, key, &r, false);
	vm_hostdev_power_keep(t, &r);
	vm_log_step("bind %s to %s (from %s)", t->name, driver, was.driver[0] != 0 ? was.driver : "no driver");
	if (vm_vfio_bind(t->sys, t->name, driver, &was, t->deadline, err) < 0) {
		if (err->kind != VM_TIMED_OUT)
			return put_back(t, key, &r, false);
		vm_hostdev_mark_stuck(t->state, key, &r, err->msg);
		return -1;
	}
	if (vm_vfio_wait_node(t->sys, t->name, p->group, vm_deadline_min(t->deadline, vm_deadline_in(NODE_MS)), err) < 0 ||
	    vm_hostdev_vf_set(t, err) < 0)
		return put_back(t, key, &r, true);
	return vm_hostdev_store(t->state, key, &r, t->user != NULL ? VM_HOSTDEV_TAKEN : VM_HOSTDEV_READY, err);
}

/* A driver that is made for this device can more than vfio-pci; one that cannot be had is missed, and no more. */
static const char *choose_driver(const struct vm_hostdev_take *t, char ret[64])
{
	struct vm_unread unread = VM_UNREAD_NONE;
	struct vm_err why = VM_ERR_INIT;
	char module[64];

	if (!vm_vfio_variant(t->sys, t->name, module, &unread)) {
		if (vm_unread_fail(&unread, &why) < 0)
			vm_log_warning("%s: %s: it is bound to " VM_VFIO_PCI, t->name, why.msg);
		return VM_VFIO_PCI;
	}
	if (t->dry_run) {
		if (!vm_vfio_variant_name(t->sys, module, ret))
			vm_log_step("load the module %s", module);
		return ret;
	}
	if (vm_vfio_variant_load(t->sys, module, t->deadline, ret, &why) == 0)
		return ret;
	vm_log_warning("%s: %s: it is bound to " VM_VFIO_PCI, t->name, why.msg);
	return VM_VFIO_PCI;
}

static int not_managed(const struct vm_hostdev_take *t, const struct vm_pci *p, struct vm_err *err)
{
	vm_err_set(err, VM_IN_USE, "%s is not on VFIO but has the driver %s, and managed='no'", t->name,
		   p->driver[0] != 0 ? p->driver : "none");
	return vm_err_hint(err, "vm-hostdev-bind %s first, or say managed='yes'", t->name);
}

int vm_hostdev_take(const struct vm_hostdev_take *given, struct vm_err *err)
{
	struct vm_hostdev_take own = *given, *t = &own;
	char driver[64];
	VM_AUTO_FREE char *key = vm_hostdev_pci_key(t->name);
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	VM_AUTO(vm_lock_release) int lock = -1;
	enum vm_hostdev_phase phase = VM_HOSTDEV_NONE;
	struct vm_pci p;
	int none;

	if (vm_pci_read(t->sys, t->name, &p, err) < 0)
		return -1;
	if (p.group == VM_NO_GROUP || p.noiommu)
		return vm_err_set(err, VM_UNSUPPORTED, "%s is in no IOMMU group", t->name);
	if ((!t->dry_run && vm_hostdev_lock(t->state, p.group, t->deadline, &lock, err) < 0) ||
	    refuse_user(t, key, err) < 0 ||
	    (none = vm_hostdev_load(t->state, key, &r, err)) < 0)
		return -1;
	if (!none)
		phase = vm_hostdev_phase(&r);
	if (phase == VM_HOSTDEV_STUCK && t->user != NULL && vm_record_get(&r, VM_HOSTDEV_CURE) != NULL) {
		vm_err_set(err, VM_IN_USE, "%s", vm_record_get(&r, VM_HOSTDEV_WHY));
		return vm_err_hint(err, "%s", vm_record_get(&r, VM_HOSTDEV_CURE));
	}
	if (phase == VM_HOSTDEV_BINDING || phase == VM_HOSTDEV_RELEASING || phase == VM_HOSTDEV_STUCK) {
		if (!t->dry_run && recover(t, key, &r, err) < 0)
			return -1;
		phase = VM_HOSTDEV_NONE;
	} else if (phase != VM_HOSTDEV_NONE) {
		const char *user = vm_record_get(&r, VM_HOSTDEV_USER);

		if (user != NULL && t->user != NULL && strcmp(user, t->user) == 0)
			return 1;
		if (user != NULL)
			return vm_hostdev_refuse_user(t->name, user, err);
	}
	/* what was read before the lock may be old */
	if (vm_pci_read(t->sys, t->name, &p, err) < 0)
		return -1;
	if (phase == VM_HOSTDEV_READY && p.vfio)
		return adopt(t, key, &r, &p, true, err);
	if (p.vfio)
		return adopt(t, key, &r, &p, false, err);
	if (!t->managed)
		return not_managed(t, &p, err);
	if (t->driver == NULL)
		t->driver = choose_driver(t, driver);
	return t->dry_run ? dry_bind(t, &p, given->driver != NULL && strcmp(given->driver, VM_VFIO_PCI) != 0, err)
			  : bind(t, key, &p, err);
}

/* ---- giving back by hand ---- */

int vm_hostdev_unbind(const struct vm_state *state, const struct vm_sys *sys, const char *name,
		      struct vm_deadline deadline, struct vm_err *err)
{
	const struct vm_hostdev_take t = { .state = state, .sys = sys, .name = name, .deadline = deadline };
	VM_AUTO_FREE char *key = vm_hostdev_pci_key(name);
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	VM_AUTO(vm_lock_release) int lock = -1;
	const char *user;
	struct vm_pci p;
	int none;

	if (vm_pci_read(sys, name, &p, err) < 0 ||
	    vm_hostdev_lock(state, p.group, deadline, &lock, err) < 0 || refuse_user(&t, key, err) < 0 ||
	    (none = vm_hostdev_load(state, key, &r, err)) < 0)
		return -1;
	user = vm_record_get(&r, VM_HOSTDEV_USER);
	if (user != NULL)
		return vm_hostdev_refuse_user(name, user, err);
	if (none && (vm_pci_read(sys, name, &p, err) < 0 || !p.vfio))
		return err->kind != VM_OK ? -1 : 1;
	if (vm_hostdev_phase(&r) == VM_HOSTDEV_STUCK)
		return recover(&t, key, &r, err);
	return vm_hostdev_to_host(&t, key, &r, err);
}
