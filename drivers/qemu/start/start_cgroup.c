/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's control group, and in it which devices QEMU may open. */
#include "start_step.h"

#include <stdlib.h>

#include <vm/acl.h>
#include <vm/cleanup.h>
#include <vm/log.h>
#include <vm/nodes.h>
#include <vm/state.h>

#include "guest/group.h"
#include "model/domain.h"

static void tell(const struct vm_start *s, const char *note)
{
	/* An ordinary user has no such rights, and need not be told at each start. */
	if (s->g->state->uri.session)
		vm_log_step("%s", note);
	else
		vm_log_warning("%s: %s", s->g->name, note);
}

/* Where systemd owns the tree it makes the guest's group. */
static int make_scope(struct vm_start *s, const char *tag, struct vm_err *err)
{
	struct vm_scope_want want = {
		.name = s->g->name,
		/* a user's manager has that user's guests alone */
		.tag = s->g->state->uri.session && secure_getenv("VM_ROOT") == NULL ? NULL : tag,
		.partition = s->d->resource != NULL ? s->d->resource->partition : NULL,
		.session = s->g->state->uri.session,
		.service = s->o->foreground,
	};
	VM_AUTO_FREE char *note = NULL;

	if (vm_scope_make(&want, s->deadline, &s->scope, &note, err) < 0)
		return -1;
	if (note != NULL)
		tell(s, note);
	if (s->scope.unit != NULL)
		vm_record_set(&s->g->record, VM_KEY_UNIT, s->scope.unit);
	return 0;
}

static int make_group(struct vm_start *s, struct vm_err *err)
{
	VM_AUTO_FREE char *tag = vm_guest_group_tag(s->g->state);
	struct vm_cgroup_want want = {
		.name = s->g->name,
		.driver = s->g->state->driver,
		.tag = tag,
		.partition = s->d->resource != NULL ? s->d->resource->partition : NULL,
	};
	struct vm_record *r = &s->g->record;
	char held[4200] = VM_CGROUP_VERB " ";

	if (make_scope(s, tag, err) < 0)
		return -1;
	want.base = s->scope.cgroup;
	if (vm_cgroup_make(&want, &s->undo, &s->group, err) < 0)
		return -1;
	for (size_t i = 0; i < s->group.host.n; i++)
		if (vm_cgroup_held(&s->group, i, held + sizeof(VM_CGROUP_VERB),
				   sizeof(held) - sizeof(VM_CGROUP_VERB)))
			vm_record_add(r, VM_KEY_HELD, held);
	vm_record_set(r, VM_KEY_CGROUP, s->group.path);
	if (s->group.note != NULL)
		tell(s, s->group.note);
	return 0;
}

static int limit_devices(struct vm_start *s, struct vm_err *err)
{
	VM_AUTO(vm_nodes_free) struct vm_nodes nodes = VM_NODES_INIT;
	VM_AUTO(vm_acl_free) struct vm_acl acl = VM_ACL_INIT;
	VM_AUTO_FREE char *note = NULL;
	VM_AUTO_FREE char *blocked = NULL;
	unsigned sides = 0;

	if (vm_acl_choose(&s->group, s->g->state->conf.acl_backend, &sides, &note, err) < 0)
		return -1;
	vm_record_set(&s->g->record, VM_KEY_ACL, vm_acl_side_word(sides));
	if (note != NULL)
		tell(s, note);
	if (vm_domain_nodes(s->d, &s->g->state->conf, &nodes, err) < 0)
		return -1;
	if (vm_acl_from_nodes(&nodes, -1, &acl, err) < 0)
		return -1;
	/* Also where nobody carries them out: they say which nodes are whose. */
	vm_acl_to_record(&acl, VM_KEY_ACL_RULE, &s->g->record);
	if (s->group.path == NULL)
		return 0;
	if (vm_acl_apply(&s->group, sides, NULL, &acl, err) < 0 ||
	    vm_acl_blocked(&s->group, sides, &acl, &blocked, err) < 0)
		return -1;
	if (blocked != NULL)
		tell(s, blocked);
	return 0;
}

int vm_start_cgroup(struct vm_start *s, struct vm_err *err)
{
	if (make_group(s, err) < 0 || limit_devices(s, err) < 0)
		return -1;
	if (s->nhelpers > 0 && vm_cgroup_entry_open(&s->group, VM_CGROUP_HELPERS, &s->helper_group, err) < 0)
		return -1;
	return vm_cgroup_entry_open(&s->group, VM_CGROUP_QEMU, &s->qemu_group, err) < 0
		       ? -1
		       : vm_cgroup_entry_open(&s->group, VM_CGROUP_WATCH, &s->watch_group, err);
}
