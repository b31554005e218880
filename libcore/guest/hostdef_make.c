/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Making and unmaking host devices.  The record of one that is being made is written before the first change; whoever finds it
 * with the lock knows that its writer is dead.
 */
#include "hostdef_make.h"

#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/lock.h>
#include <vm/log.h>

#include "host/make.h"
#include "host/mdev.h"
#include "host/vport.h"
#include "hostdev_view.h"
#include "model/device.h"

#define UNDO_MS 10000u /* for putting things back after a failure */

static const char *address_of(const char *key)
{
	return strchr(key, ':') + 1;
}

/* ---- mediated devices ---- */

static int same_mdev(const struct vm_hostdef *d, const struct vm_mdev *m, struct vm_err *err)
{
	if (strcmp(m->parent, d->parent) == 0 && strcmp(m->type, d->cap->type) == 0)
		return 1;
	return vm_err_set(err, VM_IN_USE, "mdev:%s is there already, of type '%s' on %s", m->uuid, m->type, m->parent);
}

static int make_mdev(const struct vm_hostdefs *h, const struct vm_hostdef *d, const char *key, struct vm_err *err)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	struct vm_err none = VM_ERR_INIT;
	const char *uuid = address_of(key);
	struct vm_mdev m;

	if (vm_mdev_read(&h->sys, uuid, &m, &none) == 0)
		return same_mdev(d, &m, err);
	if (none.kind != VM_NOT_FOUND) {
		*err = none;
		return -1;
	}
	vm_log_step("write %s to create of %s on %s", uuid, d->cap->type, d->parent);
	for (uint32_t i = 0; i < d->cap->attrs.n; i++) {
		const struct vm_hostdef_attr *a = d->cap->attrs.v[i];

		vm_log_step("write '%s' to %s", a->value, a->name);
	}
	if (h->dry_run)
		return 0;
	if (vm_hostdef_begin(h, key, &r, err) < 0)
		return -1;
	if (vm_mdev_create(&h->sys, d->parent, d->cap->type, uuid, h->deadline, err) < 0)
		return -1;
	for (uint32_t i = 0; i < d->cap->attrs.n; i++) {
		const struct vm_hostdef_attr *a = d->cap->attrs.v[i];

		if (vm_mdev_set(&h->sys, uuid, a->name, a->value, h->deadline, err) < 0)
			return -1;
	}
	/* with that record the next one would unmake it */
	return vm_hostdev_record_remove(&h->state, key, err);
}

static int refuse_user(const struct vm_hostdefs *h, const char *name, const char *key, struct vm_err *err)
{
	VM_AUTO_FREE char *user = NULL;

	if (vm_hostdev_claimed_by(&h->state, key, &user, err) < 0)
		return -1;
	return user != NULL ? vm_hostdev_refuse_user(name, user, err) : 0;
}

static int unmake_mdev(const struct vm_hostdefs *h, const char *key, struct vm_err *err)
{
	struct vm_err none = VM_ERR_INIT;
	struct vm_mdev m;

	if (vm_mdev_read(&h->sys, address_of(key), &m, &none) < 0)
		return none.kind == VM_NOT_FOUND ? 1 : vm_err_set(err, none.kind, "%s", none.msg);
	if (refuse_user(h, key, key, err) < 0)
		return -1;
	vm_log_step("write 1 to remove of %s", key);
	return h->dry_run ? 0 : vm_mdev_remove(&h->sys, m.uuid, h->deadline, err);
}

/* ---- virtual functions ---- */

static int check_pf(const struct vm_pci *pf, unsigned count, struct vm_err *err)
{
	if (pf->vfs_max == 0) {
		vm_err_set(err, VM_UNSUPPORTED, "%s can have no virtual functions", pf->name);
		return pf->pf[0] != 0 ? vm_err_hint(err, "it is one itself, of %s", pf->pf) : -1;
	}
	if (count > pf->vfs_max)
		return vm_err_set(err, VM_BAD_INPUT, "%s can have %u virtual functions, not %u", pf->name, pf->vfs_max,
				  count);
	if (pf->vfs > 0 && pf->vfs != count) {
		vm_err_set(err, VM_IN_USE, "%s has %u virtual functions already", pf->name, pf->vfs);
		return vm_err_hint(err, "vm-hostdev-destroy vfs:%s removes them", pf->name);
	}
	return 0;
}

static int make_vfs(const struct vm_hostdefs *h, const struct vm_hostdef *d, const char *key, struct vm_err *err)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	const char *name = address_of(key);
	unsigned count = (unsigned)d->cap->count;
	struct vm_err why = VM_ERR_INIT;
	struct vm_pci pf;
	bool change;
	int probe;

	if (vm_pci_read(&h->sys, name, &pf, err) < 0 || check_pf(&pf, count, err) < 0 ||
	    vm_sriov_autoprobe(&h->sys, name, &probe, err) < 0)
		return -1;
	change = probe >= 0 && d->cap->autoprobe != VM_SWITCH_ABSENT && probe != (d->cap->autoprobe == VM_SWITCH_ON);
	if (pf.vfs == count)
		return 1;
	if (d->cap->autoprobe == VM_SWITCH_OFF && probe < 0)
		return vm_err_set(err, VM_UNSUPPORTED, "this kernel has no sriov_drivers_autoprobe for %s", name);
	if (change)
		vm_log_step("write %d to sriov_drivers_autoprobe of %s", !probe, name);
	vm_log_step("write %u to sriov_numvfs of %s", count, name);
	if (h->dry_run)
		return 0;
	vm_record_setf(&r, VM_HOSTDEV_COUNT, "%u", count);
	if (change)
		vm_record_set(&r, VM_HOSTDEV_PROBE, probe != 0 ? "yes" : "no");
	if (vm_hostdef_begin(h, key, &r, err) < 0)
		return -1;
	if ((change && vm_sriov_set_autoprobe(&h->sys, name, !probe, h->deadline, err) < 0) ||
	    vm_sriov_set(&h->sys, name, count, h->deadline, err) < 0)
		return -1;
	/* without that its record says so all the same: all of them are there */
	if (vm_hostdev_store(&h->state, key, &r, VM_HOSTDEV_MADE, &why) < 0)
		vm_log_warning("%s", why.msg);
	return 0;
}

/* All virtual functions of one card with the locks of their groups, so that none is taken or given back meanwhile. */
struct locked {
	struct vm_vfs vfs;
	int *groups, *locks;
	size_t n;
};

static void locked_free(struct locked *l)
{
	for (size_t i = 0; i < l->n; i++)
		vm_lock_release(&l->locks[i]);
	free(l->groups);
	free(l->locks);
	vm_vfs_free(&l->vfs);
}

static int compare(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return x < y ? -1 : x > y;
}

/* Always in ascending order, as everybody does who wants several. */
static int lock_all(const struct vm_hostdefs *h, const struct vm_pci *pf, struct locked *l, struct vm_err *err)
{
	size_t n = 0;

	if (vm_vfs_read(&h->sys, pf, &l->vfs, err) < 0)
		return -1;
	l->groups = vm_xcalloc(l->vfs.n + 1, sizeof(*l->groups));
	l->locks = vm_xcalloc(l->vfs.n + 1, sizeof(*l->locks));
	for (size_t i = 0; i < l->vfs.n; i++) {
		struct vm_err why = VM_ERR_INIT;
		struct vm_pci vf;

		if (vm_pci_read(&h->sys, l->vfs.v[i], &vf, &why) == 0 && vf.group != VM_NO_GROUP)
			l->groups[n++] = vf.group;
		else if (why.kind != VM_OK && why.kind != VM_NOT_FOUND && why.kind != VM_BAD_INPUT) {
			*err = why;
			return -1;
		}
	}
	if (n > 1)
		qsort(l->groups, n, sizeof(*l->groups), compare);
	for (size_t i = 0; i < n && !h->dry_run; i++) {
		if (i > 0 && l->groups[i] == l->groups[i - 1])
			continue;
		if (vm_hostdev_lock(&h->state, l->groups[i], h->deadline, &l->locks[l->n], err) < 0)
			return -1;
		l->n++;
	}
	return 0;
}

/* Also what the record of one says, and what the host does with it. */
static int check_vf(const struct vm_hostdefs *h, const struct vm_hostdev_view *view, const char *name, bool force,
		    struct vm_err *err)
{
	VM_AUTO_FREE char *key = vm_hostdev_pci_key(name);
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	const struct vm_hostdev_item *item = NULL;
	const char *user;
	int none;

	if (refuse_user(h, name, key, err) < 0 || (none = vm_hostdev_load(&h->state, key, &r, err)) < 0)
		return -1;
	user = none ? NULL : vm_record_get(&r, VM_HOSTDEV_USER);
	if (user != NULL)
		return vm_hostdev_refuse_user(name, user, err);
	for (size_t i = 0; i < view->n && item == NULL; i++)
		if (view->v[i].bus == VM_HOSTDEV_PCI && strcmp(view->v[i].name, name) == 0)
			item = &view->v[i];
	for (size_t i = 0; item != NULL && i < item->n_blocks && !force; i++)
		if (item->blocks[i].force) {
			vm_err_set(err, VM_IN_USE, "%s: %s", name, item->blocks[i].text);
			return vm_err_hint(err, "end that use, or give --force");
		}
	return 0;
}

static void forget_vfs(const struct vm_hostdefs *h, const struct locked *l)
{
	for (size_t i = 0; i < l->vfs.n; i++) {
		VM_AUTO_FREE char *key = vm_hostdev_pci_key(l->vfs.v[i]);
		struct vm_err why = VM_ERR_INIT;

		if (l->vfs.v[i][0] != 0 && vm_hostdev_record_remove(&h->state, key, &why) < 0)
			vm_log_warning("%s", why.msg);
	}
}

/* As it was before they were made: what is recorded of the kernel's switch, then the record itself. */
static int end_vfs(const struct vm_hostdefs *h, const char *key, struct vm_err *err)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	int none = vm_hostdev_load(&h->state, key, &r, err);

	if (none != 0)
		return none < 0 ? -1 : 0;
	if (vm_record_get(&r, VM_HOSTDEV_PROBE) != NULL &&
	    vm_sriov_set_autoprobe(&h->sys, address_of(key), vm_record_bool(&r, VM_HOSTDEV_PROBE, true), h->deadline,
				   err) < 0)
		return -1;
	return vm_hostdev_record_remove(&h->state, key, err);
}

static int unmake_vfs(const struct vm_hostdefs *h, const char *key, bool force, struct vm_err *err)
{
	VM_AUTO(vm_hostdev_view_free) struct vm_hostdev_view view = VM_HOSTDEV_VIEW_INIT;
	VM_AUTO(locked_free) struct locked l = { 0 };
	VM_AUTO_FREE const char **vfs = NULL;
	const char *name = address_of(key);
	struct vm_pci pf;

	if (vm_pci_read(&h->sys, name, &pf, err) < 0)
		return -1;
	if (pf.vfs_max == 0)
		return check_pf(&pf, 0, err);
	if (pf.vfs == 0)
		return h->dry_run ? 1 : end_vfs(h, key, err) < 0 ? -1 : 1;
	if (lock_all(h, &pf, &l, err) < 0)
		return -1;
	vfs = vm_xcalloc(l.vfs.n + 1, sizeof(*vfs));
	for (size_t i = 0; i < l.vfs.n; i++)
		vfs[i] = l.vfs.v[i];
	if (vm_hostdev_view_read_some(&h->state, 1u << VM_HOSTDEV_PCI, vfs, l.vfs.n, &view, err) < 0)
		return -1;
	for (size_t i = 0; i < l.vfs.n; i++)
		if (check_vf(h, &view, l.vfs.v[i], force, err) < 0)
			return -1;
	vm_log_step("write 0 to sriov_numvfs of %s", name);
	if (h->dry_run)
		return 0;
	if (vm_sriov_set(&h->sys, name, 0, h->deadline, err) < 0)
		return -1;
	forget_vfs(h, &l);
	return end_vfs(h, key, err);
}

/* ---- a vendor's virtual GPU ---- */

static int make_vgpu(const struct vm_hostdefs *h, const struct vm_hostdef *d, const char *key, struct vm_err *err)
{
	const char *name = address_of(key);
	unsigned long type = strtoul(d->cap->type, NULL, 10);
	struct vm_pci vf;

	if (vm_pci_read(&h->sys, name, &vf, err) < 0)
		return -1;
	if (vf.vgpu > 0 && (unsigned long)vf.vgpu == type)
		return 1;
	if (vf.vgpu > 0)
		return vm_err_set(err, VM_IN_USE, "%s has a virtual GPU of type %ld already", name, vf.vgpu);
	vm_log_step("write %lu to " VM_PCI_VGPU " of %s", type, name);
	return h->dry_run ? 0 : vm_vgpu_set(&h->sys, name, type, h->deadline, err);
}

static int unmake_vgpu(const struct vm_hostdefs *h, const char *key, struct vm_err *err)
{
	const char *name = address_of(key);
	VM_AUTO_FREE char *pci = vm_hostdev_pci_key(name);
	VM_AUTO(vm_lock_release) int lock = -1;
	struct vm_pci vf;

	if (vm_pci_read(&h->sys, name, &vf, err) < 0 ||
	    (vf.group != VM_NO_GROUP && !h->dry_run &&
	     vm_hostdev_lock(&h->state, vf.group, h->deadline, &lock, err) < 0) ||
	    refuse_user(h, name, pci, err) < 0)
		return -1;
	if (vf.vgpu == 0)
		return 1;
	vm_log_step("write 0 to " VM_PCI_VGPU " of %s", name);
	return h->dry_run && vf.vgpu > 0 ? 0 : vm_vgpu_set(&h->sys, name, 0, h->deadline, err);
}

/* ---- all kinds ---- */

/* With the lock.  failed: it is told to have failed, and so nothing of it may be there. */
static int recover(const struct vm_hostdefs *h, const char *key, bool failed, struct vm_err *err)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	int none = vm_hostdev_load(&h->state, key, &r, err);
	struct vm_pci pf;

	if (none < 0)
		return -1;
	if (none > 0 || vm_hostdev_phase(&r) != VM_HOSTDEV_MAKING)
		return 0;
	if (strncmp(key, "mdev:", 5) == 0) {
		VM_AUTO_FREE char *user = NULL;

		if (vm_hostdev_claimed_by(&h->state, key, &user, err) < 0)
			return -1;
		/* whoever has it now has it as it is */
		if (user == NULL && vm_mdev_remove(&h->sys, address_of(key), h->deadline, err) < 0)
			return -1;
		return vm_hostdev_record_remove(&h->state, key, err) < 0 ? -1 : 1;
	}
	if (strncmp(key, "vport:", 6) == 0)
		return vm_hostdef_drop_vport(h, key, err) < 0 ? -1 : 1;
	if (vm_pci_read(&h->sys, address_of(key), &pf, err) < 0) {
		if (err->kind != VM_NOT_FOUND)
			return -1;
		*err = VM_ERR_INIT;
		return vm_hostdev_record_remove(&h->state, key, err) < 0 ? -1 : 1;
	}
	if (!failed && pf.vfs > 0 && pf.vfs == vm_record_u64(&r, VM_HOSTDEV_COUNT, 0)) /* that was the last step */
		return vm_hostdev_store(&h->state, key, &r, VM_HOSTDEV_MADE, err) < 0 ? -1 : 1;
	if (vm_sriov_set(&h->sys, pf.name, 0, h->deadline, err) < 0 || end_vfs(h, key, err) < 0)
		return -1;
	return 1;
}

int vm_hostdef_recover(const struct vm_hostdefs *h, const char *key, struct vm_err *err)
{
	return recover(h, key, false, err);
}

/* After a failure, whose error is what counts.  Nothing was begun without a record. */
static void put_back(const struct vm_hostdefs *h, const char *key)
{
	struct vm_hostdefs undo = *h;
	struct vm_err why = VM_ERR_INIT;

	undo.deadline = vm_deadline_in(UNDO_MS);
	vm_wait_shield();
	if (recover(&undo, key, true, &why) < 0)
		vm_log_warning("%s", why.msg);
	vm_wait_unshield();
}

static int make(const struct vm_hostdefs *h, const struct vm_hostdef *d, const char *key, struct vm_err *err)
{
	switch ((enum vm_hostdef_kind)d->kind) {
	case VM_HOSTDEF_MDEV:
		return make_mdev(h, d, key, err);
	case VM_HOSTDEF_VFS:
		return make_vfs(h, d, key, err);
	case VM_HOSTDEF_VGPU:
		return make_vgpu(h, d, key, err);
	case VM_HOSTDEF_VPORT:
		return vm_hostdef_make_vport(h, d, key, err);
	case VM_HOSTDEF_ABSENT:
	case VM_HOSTDEF_KINDS:
		break;
	}
	return vm_err_set(err, VM_UNSUPPORTED, "%s: cannot be made", key);
}

int vm_hostdef_make(const struct vm_hostdefs *h, struct vm_hostdef *d, struct vm_err *err)
{
	VM_AUTO(vm_lock_release) int lock = -1;
	VM_AUTO_FREE char *key = NULL;
	int r;

	vm_hostdef_identify(d, NULL);
	key = vm_hostdef_key(d);
	if (!h->dry_run && (vm_hostdev_lock_name(&h->state, key, h->deadline, &lock, err) < 0 ||
			    recover(h, key, false, err) < 0))
		return -1;
	r = make(h, d, key, err);
	if (r < 0 && !h->dry_run)
		put_back(h, key);
	return r;
}

/* By its host's name: whoever makes it has the lock of its port's. */
static char *unmake_key(const struct vm_hostdefs *h, const char *key)
{
	struct vm_err none = VM_ERR_INIT;
	struct vm_vport v;

	if (strncmp(key, "vport:", 6) == 0 && vm_vport_find(&h->sys, address_of(key), &v, &none) == 0)
		return vm_xasprintf("vport:%s", v.wwpn);
	return vm_xstrdup(key);
}

int vm_hostdef_unmake(const struct vm_hostdefs *h, const char *given, bool force, struct vm_err *err)
{
	VM_AUTO_FREE char *key = unmake_key(h, given);
	VM_AUTO(vm_lock_release) int lock = -1;
	int did = 0, r;

	if (!h->dry_run && (vm_hostdev_lock_name(&h->state, key, h->deadline, &lock, err) < 0 ||
			    (did = recover(h, key, false, err)) < 0))
		return -1;
	if (strncmp(key, "mdev:", 5) == 0)
		r = unmake_mdev(h, key, err);
	else if (strncmp(key, "vfs:", 4) == 0)
		r = unmake_vfs(h, key, force, err);
	else if (strncmp(key, "vport:", 6) == 0)
		r = vm_hostdef_unmake_vport(h, key, force, err);
	else
		r = unmake_vgpu(h, key, err);
	return r == 1 && did > 0 ? 0 : r;
}
