/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostdef_make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/cleanup.h>
#include <vm/log.h>

#include "host/vport.h"
#include "hostdev_view.h"

static const char *name_of(const char *key)
{
	return strchr(key, ':') + 1;
}

/* What cannot be looked at is neither there nor away. */
static int refuse_unread(const struct vm_err *why, struct vm_err *err)
{
	*err = *why;
	return -1;
}

/* Who is to make it: 0 = *ret; 1 = whoever has it does. */
static int adapter(const struct vm_hostdefs *h, const struct vm_hostdef *d, const struct vm_vport *has, char ret[24], struct vm_err *err)
{
	const struct vm_vport_want want = { d->parent_wwnn, d->parent_wwpn, d->fabric, has != NULL ? has->parent : NULL };

	if (d->parent != NULL) {
		snprintf(ret, 24, "%s", d->parent);
		return 0;
	}
	if (has != NULL && want.wwpn == NULL && want.fabric == NULL)
		return 1;
	return vm_vport_adapter(&h->sys, &want, ret, err);
}

int vm_hostdef_make_vport(const struct vm_hostdefs *h, const struct vm_hostdef *d, const char *key, struct vm_err *err)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	struct vm_err none = VM_ERR_INIT;
	struct vm_vport v;
	bool there = vm_vport_find(&h->sys, d->cap->wwpn, &v, &none) == 0;
	char parent[24];
	int any = adapter(h, d, there ? &v : NULL, parent, err);

	if (any < 0)
		return -1;
	if (there) {
		if ((any > 0 || strcmp(v.parent, parent) == 0) && strcmp(v.wwnn, d->cap->wwnn) == 0)
			return 1;
		return vm_err_set(err, VM_IN_USE, "%s is there already, with node %s on %s", key, v.wwnn, v.parent);
	}
	if (none.kind != VM_NOT_FOUND)
		return refuse_unread(&none, err);
	vm_log_step("write %s:%s to vport_create of %s", d->cap->wwpn, d->cap->wwnn, parent);
	if (h->dry_run)
		return 0;
	if (vm_hostdef_begin(h, key, &r, err) < 0)
		return -1;
	/* with that record the next one would unmake it */
	return vm_vport_create(&h->sys, parent, d->cap->wwpn, d->cap->wwnn, h->deadline, err) < 0
		       ? -1
		       : vm_hostdev_record_remove(&h->state, key, err);
}

/* Its disks: guests', or mounted. */
static int refuse_used(const struct vm_hostdefs *h, const struct vm_vport *v, bool force, struct vm_err *err)
{
	VM_AUTO(vm_hostdev_view_free) struct vm_hostdev_view view = VM_HOSTDEV_VIEW_INIT;
	unsigned host = (unsigned)strtoul(v->host + strlen("host"), NULL, 10);

	if (vm_hostdev_view_read(&h->state, 1u << VM_HOSTDEV_SCSI, &view, err) < 0)
		return -1;
	for (size_t i = 0; i < view.n; i++) {
		const struct vm_hostdev_item *item = &view.v[i];

		if (item->scsi->address.host != host)
			continue;
		if (item->guest != NULL) {
			vm_err_set(err, VM_IN_USE, "%s of %s is used by guest '%s'", item->name, v->host, item->guest);
			return vm_err_hint(err, "vm-detach-hostdev %s %s gives it back", item->guest, item->name);
		}
		for (size_t n = 0; n < item->n_blocks && !force; n++)
			if (item->blocks[n].force) {
				vm_err_set(err, VM_IN_USE, "%s of %s: %s", item->name, v->host, item->blocks[n].text);
				return vm_err_hint(err, "end that use, or give --force");
			}
	}
	return 0;
}

int vm_hostdef_unmake_vport(const struct vm_hostdefs *h, const char *key, bool force, struct vm_err *err)
{
	struct vm_err none = VM_ERR_INIT;
	struct vm_vport v;

	if (vm_vport_find(&h->sys, name_of(key), &v, &none) < 0)
		return none.kind == VM_NOT_FOUND ? 1 : refuse_unread(&none, err);
	if (refuse_used(h, &v, force, err) < 0)
		return -1;
	vm_log_step("write %s:%s to vport_delete of %s", v.wwpn, v.wwnn, v.parent);
	return h->dry_run ? 0 : vm_vport_delete(&h->sys, &v, h->deadline, err);
}

int vm_hostdef_drop_vport(const struct vm_hostdefs *h, const char *key, struct vm_err *err)
{
	struct vm_err none = VM_ERR_INIT;
	struct vm_vport v;

	if (vm_vport_find(&h->sys, name_of(key), &v, &none) == 0) {
		if (vm_vport_delete(&h->sys, &v, h->deadline, err) < 0)
			return -1;
	} else if (none.kind != VM_NOT_FOUND) {
		return refuse_unread(&none, err);
	}
	return vm_hostdev_record_remove(&h->state, key, err);
}
