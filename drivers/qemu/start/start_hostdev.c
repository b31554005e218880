/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Host devices at the start: looked for, claimed, bound to VFIO, given back with whatever else is undone. */
#include "start_step.h"

#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/state.h>

#include "guest/hostdev_bind.h"
#include "guest/hostdev_view.h"
#include "host/scsi.h"
#include "model/domain.h"
#include "qemu/run/reap.h"
#include "state/hostdev.h"

static int read_view(const struct vm_start *s, struct vm_hostdev_view *ret, struct vm_err *err)
{
	VM_AUTO(vm_hostdev_list_free) struct vm_hostdev_list list = VM_HOSTDEV_LIST_INIT;
	VM_AUTO_FREE const struct vm_hostdev **all = NULL;

	vm_hostdev_list_read(s->d, &list);
	all = vm_xcalloc(list.n + 1, sizeof(*all));
	for (size_t i = 0; i < list.n; i++)
		all[i] = list.v[i].h;
	return vm_hostdevs_look(s->g->state, all, list.n, ret, err);
}

int vm_start_hostdevs_check(struct vm_start *s, struct vm_err *err)
{
	VM_AUTO(vm_hostdev_view_free) struct vm_hostdev_view view = VM_HOSTDEV_VIEW_INIT;

	if (!vm_domain_has_hostdevs(s->d))
		return 0;
	return read_view(s, &view, err) < 0
		       ? -1
		       : vm_hostdevs_may(s->d, NULL, &view, s->g->name, false, err);
}

/* The group first: it is what two guests may not share. */
static int claim(struct vm_start *s, const struct vm_hostdev *h, const struct vm_hostdev_view *view,
		 const int *groups, size_t n_groups, int *ret_group, struct vm_err *err)
{
	VM_AUTO_FREE char *key = vm_hostdev_key(h, view);
	VM_AUTO_FREE char *what = vm_hostdev_source_text(h);
	VM_AUTO_FREE char *text = vm_hostdev_held(h, key);
	const struct vm_hostdev_item *item;
	bool had = false;

	*ret_group = VM_NO_GROUP;
	vm_record_add(&s->g->record, VM_KEY_HOSTDEV, text);
	if (key == NULL)
		return 0;
	if (h->type == VM_HOSTDEV_TYPE_PCI) {
		VM_AUTO_FREE char *group = NULL;

		if (vm_hostdev_view_find(view, what, &item, err) < 0)
			return -1;
		for (size_t i = 0; i < n_groups; i++)
			had |= groups[i] == item->group;
		group = vm_xasprintf(VM_HOSTDEV_GROUP_KEY "%d", item->group);
		if (!had && vm_claim_take(s->g, group, VM_CLAIM_EXCLUSIVE, what, err) < 0)
			return -1;
		*ret_group = item->group;
	}
	return vm_claim_take(s->g, key, h->shareable ? VM_CLAIM_SHARED : VM_CLAIM_EXCLUSIVE, what, err);
}

static int claim_all(struct vm_start *s, const struct vm_hostdev_view *view, struct vm_err *err)
{
	VM_AUTO_FREE int *groups = vm_xcalloc((size_t)s->d->disks.n + s->d->interfaces.n + s->d->hostdevs.n + 1, sizeof(*groups));
	struct vm_hostdev_iter i = { 0 };
	const struct vm_hostdev *h;

	for (size_t n = 0; (h = vm_hostdev_next(s->d, &i)) != NULL; n++)
		if (claim(s, h, view, groups, n, &groups[n], err) < 0)
			return -1;
	return 0;
}

static int bind_pci(struct vm_start *s, const struct vm_hostdev *h, const struct vm_interface *interface,
		    const struct vm_sys *sys, struct vm_err *err)
{
	VM_AUTO_FREE char *name = vm_hostdev_source_text(h);
	VM_AUTO_FREE char *user = vm_xasprintf("%s/%s", s->g->state->driver, s->g->name);
	struct vm_vf_want want;
	uint64_t spent_ms = 0;
	int r;
	const struct vm_hostdev_take take = {
		.state = s->g->state,
		.sys = sys,
		.name = name,
		.user = user,
		.alias = h->dev.alias,
		.driver = h->driver_model,
		.managed = h->managed == VM_SWITCH_ON,
		.vf = interface != NULL ? &want : NULL,
		.deadline = s->deadline,
		.spent_ms = &spent_ms,
	};

	if (interface != NULL)
		want = vm_interface_vf(interface);
	if (vm_start_hold(s, VM_HOSTDEV_VERB, name, err) < 0)
		return -1;
	r = vm_hostdev_take(&take, err);
	if (s->deadline.at_ms != 0)
		s->deadline.at_ms += spent_ms;
	return r < 0 ? -1 : 0;
}

/* It stays with its driver; only its hooks are asked. */
static int hook(struct vm_start *s, const struct vm_hostdev *h, const struct vm_hostdev_view *view, struct vm_err *err)
{
	VM_AUTO_FREE char *key = vm_hostdev_key(h, view);
	VM_AUTO_FREE char *user = vm_xasprintf("%s/%s", s->g->state->driver, s->g->name);
	uint64_t spent_ms = 0;
	const struct vm_hostdev_take take = { .state = s->g->state, .sys = &view->sys, .name = key, .user = user,
					      .deadline = s->deadline, .spent_ms = &spent_ms };
	int r = key == NULL ? 0 : vm_hostdev_hooked(&take, err);

	if (r <= 0)
		return r;
	if (vm_start_hold(s, VM_HOSTDEV_VERB, key, err) < 0)
		return -1;
	r = vm_hostdev_hook_take(&take, err);
	if (s->deadline.at_ms != 0)
		s->deadline.at_ms += spent_ms;
	return r;
}

static int open_vhost(struct vm_start *s, struct vm_err *err)
{
	for (size_t i = 0; i < s->argv.nfds; i++) {
		int fd;

		if (s->argv.fds[i].role != VM_FD_VHOST_SCSI)
			continue;
		if (vm_vhost_scsi_open(&fd, err) < 0)
			return -1;
		vm_start_inherit(s, fd, s->argv.fds[i].number);
	}
	return 0;
}

int vm_start_hostdevs(struct vm_start *s, struct vm_err *err)
{
	VM_AUTO(vm_hostdev_view_free) struct vm_hostdev_view view = VM_HOSTDEV_VIEW_INIT;
	struct vm_hostdev_iter i = { 0 };
	const struct vm_hostdev *h;

	if (!vm_domain_has_hostdevs(s->d))
		return 0;
	if (read_view(s, &view, err) < 0 || claim_all(s, &view, err) < 0)
		return -1;
	/* with the claims: what was true before them may have changed */
	vm_hostdev_view_free(&view);
	if (read_view(s, &view, err) < 0 || vm_hostdevs_may(s->d, NULL, &view, s->g->name, false, err) < 0)
		return -1;
	while ((h = vm_hostdev_next(s->d, &i)) != NULL)
		if ((h->type == VM_HOSTDEV_TYPE_PCI ? bind_pci(s, h, i.interface, &view.sys, err) : hook(s, h, &view, err)) < 0)
			return -1;
	return open_vhost(s, err);
}
