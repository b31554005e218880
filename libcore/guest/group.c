/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "group.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/log.h>

#define HELD_MAX 32u
_Static_assert(HELD_MAX > VM_CGROUP_HIERS_MAX, "one a hierarchy");

int vm_guest_group_open(const struct vm_guest *g, struct vm_cgroup *ret, struct vm_err *err)
{
	static const char verb[] = VM_CGROUP_VERB " ";
	const char *held[HELD_MAX], *value;
	size_t n = 0;

	for (size_t i = 0; (value = vm_record_nth(&g->record, VM_KEY_HELD, i)) != NULL; i++) {
		if (strncmp(value, verb, sizeof(verb) - 1) != 0)
			continue;
		if (n == HELD_MAX)
			return vm_err_set(err, VM_BAD_INPUT, "the record holds more than %u groups",
					  HELD_MAX);
		held[n++] = value + sizeof(verb) - 1;
	}
	return vm_cgroup_open(held, n, ret, err);
}

char *vm_guest_group_tag(const struct vm_state *s)
{
	uint32_t h = 0x811c9dc5u; /* FNV-1a */

	if (vm_state_usual(s))
		return NULL;
	for (const char *c = s->run_path; *c != 0; c++)
		h = (h ^ (unsigned char)*c) * 0x01000193u;
	return vm_xasprintf("r%08" PRIx32, h);
}

int vm_guest_group_kill_all(const struct vm_guest *g, struct vm_deadline deadline,
			    struct vm_err *err)
{
	VM_AUTO(vm_cgroup_close) struct vm_cgroup c = VM_CGROUP_INIT;

	if (vm_guest_group_open(g, &c, err) < 0)
		return -1;
	return vm_cgroup_kill(&c, deadline, err);
}

int vm_guest_group_has_any(const struct vm_guest *g, struct vm_err *err)
{
	VM_AUTO(vm_cgroup_close) struct vm_cgroup c = VM_CGROUP_INIT;

	if (vm_guest_group_open(g, &c, err) < 0)
		return -1;
	return vm_cgroup_populated(&c, err);
}

/* ---- device rules, changed ---- */
int vm_guest_acl_apply(const struct vm_guest *g, const struct vm_acl *to, struct vm_undo *undo,
		       struct vm_err *err)
{
	VM_AUTO(vm_cgroup_close) struct vm_cgroup group = VM_CGROUP_INIT;
	VM_AUTO(vm_acl_free) struct vm_acl from = VM_ACL_INIT;
	unsigned sides = vm_acl_sides_from_word(vm_record_get(&g->record, VM_KEY_ACL));

	if (sides == 0)
		return 0;
	if (vm_acl_from_record(&g->record, VM_KEY_ACL_RULE, &from, err) < 0 ||
	    vm_guest_group_open(g, &group, err) < 0)
		return -1;
	if (undo != NULL && vm_undo_push(undo, VM_ACL_VERB, "record") < 0)
		return vm_err_sys(err, "write the journal");
	return vm_acl_apply(&group, sides, &from, to, err);
}

int vm_guest_acl_restore(const struct vm_guest *g, struct vm_err *err)
{
	VM_AUTO(vm_cgroup_close) struct vm_cgroup group = VM_CGROUP_INIT;
	VM_AUTO(vm_acl_free) struct vm_acl to = VM_ACL_INIT;
	unsigned sides = vm_acl_sides_from_word(vm_record_get(&g->record, VM_KEY_ACL));

	if (sides == 0)
		return 0;
	if (vm_acl_from_record(&g->record, VM_KEY_ACL_RULE, &to, err) < 0 ||
	    vm_guest_group_open(g, &group, err) < 0)
		return -1;
	for (unsigned side = VM_ACL_V1; side <= VM_ACL_V2; side <<= 1) {
		VM_AUTO(vm_acl_free) struct vm_acl now = VM_ACL_INIT;
		struct vm_err why = VM_ERR_INIT;
		bool any;

		if ((sides & side) == 0)
			continue;
		any = vm_acl_read(&group, side, &now, &why) == 0;
		if (!any && why.kind != VM_NOT_FOUND) {
			*err = why;
			return -1;
		}
		if (vm_acl_apply(&group, side, any ? &now : NULL, &to, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- device rules, wanted and in force ---- */
void vm_acl_check_free(struct vm_acl_check *c)
{
	vm_acl_free(&c->wanted);
	vm_acl_free(&c->actual);
	free(c->rows);
	free(c->path);
	free(c->note);
	*c = VM_ACL_CHECK_INIT;
}

static void add_note(struct vm_acl_check *c, const char *text)
{
	char *old = c->note;

	c->note = old == NULL ? vm_xstrdup(text) : vm_xasprintf("%s; %s", old, text);
	free(old);
}

static int read_side(const struct vm_cgroup *group, unsigned side, struct vm_acl_check *c,
		     struct vm_err *err)
{
	VM_AUTO(vm_acl_free) struct vm_acl one = VM_ACL_INIT;

	if (vm_acl_read(group, side, &one, err) < 0) {
		if (err->kind != VM_NOT_FOUND)
			return -1;
		add_note(c, err->msg);
		*err = VM_ERR_INIT;
		one.all = true;
	}
	vm_acl_keep_common(&c->actual, &one);
	return 0;
}

/* Both sides must allow: what both have.  A side whose rules are gone has let everything free. */
static int read_actual(const struct vm_cgroup *group, unsigned sides, struct vm_acl_check *c,
		       struct vm_err *err)
{
	c->actual.all = true;
	for (unsigned side = VM_ACL_V1; side <= VM_ACL_V2; side <<= 1)
		if ((sides & side) != 0 && read_side(group, side, c, err) < 0)
			return -1;
	return 0;
}

static void add_rows(struct vm_acl_check *c, const struct vm_acl *set, const struct vm_acl *other,
		     const char *same, const char *differs)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct vm_acl_rule *r = &set->v[i];
		unsigned has = vm_acl_perms_of(other, r);
		unsigned in = r->perms & has, out = r->perms & ~has;

		if (same != NULL && in != 0) {
			c->rows = vm_xreallocarray(c->rows, c->n + 1, sizeof(*c->rows));
			c->rows[c->n] = (struct vm_acl_row){ *r, same };
			c->rows[c->n++].rule.perms = in;
		}
		if (out != 0) {
			c->rows = vm_xreallocarray(c->rows, c->n + 1, sizeof(*c->rows));
			c->rows[c->n] = (struct vm_acl_row){ *r, differs };
			c->rows[c->n++].rule.perms = out;
		}
	}
}

static int by_node(const void *a, const void *b)
{
	const struct vm_acl_row *x = a, *y = b;

	if (x->rule.type != y->rule.type)
		return x->rule.type < y->rule.type ? -1 : 1;
	if (x->rule.major != y->rule.major)
		return x->rule.major < y->rule.major ? -1 : 1;
	if (x->rule.minor != y->rule.minor)
		return x->rule.minor < y->rule.minor ? -1 : 1;
	return strcmp(y->check, x->check); /* ok, missing, extra */
}

/*
 * QEMU may have been moved away by an administrator or by the service manager: its rules are no longer these.
 * below: "" or "/qemu".  *ret (owned) says where it is; NULL = where it belongs.
 */
static int moved_to(const struct vm_cgroup *group, size_t i, pid_t pid, const char *below, char **ret,
		    struct vm_err *err)
{
	VM_AUTO_FREE char *at = NULL;
	VM_AUTO_FREE char *home = vm_xasprintf("%s%s", group->path != NULL ? group->path : "", below);
	size_t len = strlen(home);

	*ret = NULL;
	if (!group->at[i].there)
		return 0;
	if (vm_cgroup_of_pid(&group->host.v[i], pid, &at, err) < 0)
		return -1;
	if (at == NULL || strncmp(at, home, len) != 0 || (at[len] != '/' && at[len] != 0))
		*ret = vm_xasprintf("QEMU was moved to %s of %s", at != NULL ? at : "a group out of sight",
				    group->host.v[i].mount);
	return 0;
}

int vm_guest_group_moved(const struct vm_guest *g, const struct vm_cgroup *group, char **ret_note,
			 struct vm_err *err)
{
	VM_AUTO_FREE char *all = NULL;
	struct vm_procid id;

	*ret_note = NULL;
	if (!vm_record_get_procid(&g->record, VM_KEY_PID, &id))
		return 0;
	for (size_t i = 0; i < group->host.n; i++) {
		VM_AUTO_FREE char *text = NULL;
		char *longer;

		if (moved_to(group, i, id.pid, "", &text, err) < 0)
			return -1;
		if (text == NULL)
			continue;
		longer = all == NULL ? vm_take_ptr(&text) : vm_xasprintf("%s; %s", all, text);
		free(all);
		all = longer;
	}
	*ret_note = vm_take_ptr(&all);
	return 0;
}

static bool carries(const struct vm_cgroup_hier *h, enum vm_acl_side side)
{
	return side == VM_ACL_V2 ? h->v2 : !h->v2 && (h->controllers & 1u << VM_CGROUP_DEVICES) != 0;
}

/* Of one side. */
static int obeys(const struct vm_cgroup *group, enum vm_acl_side side, pid_t pid, struct vm_err *err)
{
	for (size_t i = 0; i < group->host.n; i++) {
		VM_AUTO_FREE char *where = NULL;

		if (!group->at[i].there || group->at[i].fd[VM_CGROUP_QEMU] < 0 || !carries(&group->host.v[i], side))
			continue;
		if (moved_to(group, i, pid, "/qemu", &where, err) < 0)
			return -1;
		if (where == NULL)
			return 0;
		vm_err_set(err, VM_IN_USE, "%s, where the guest's device rules do not count", where);
		return vm_err_hint(err, "echo %d >%s%s/qemu/cgroup.procs moves it back", (int)pid,
				   group->host.v[i].mount, group->path);
	}
	vm_err_set(err, VM_IN_USE, "the guest's group of cgroup %s is gone, and its device rules with it",
		   vm_acl_side_word(side));
	return vm_err_hint(err, "they are made anew at its next start");
}

int vm_guest_acl_obeyed(const struct vm_guest *g, struct vm_err *err)
{
	VM_AUTO(vm_cgroup_close) struct vm_cgroup group = VM_CGROUP_INIT;
	unsigned sides = vm_acl_sides_from_word(vm_record_get(&g->record, VM_KEY_ACL));
	struct vm_procid id;

	if (sides == 0 || !vm_record_get_procid(&g->record, VM_KEY_PID, &id))
		return 0;
	if (vm_guest_group_open(g, &group, err) < 0)
		return -1;
	for (unsigned side = VM_ACL_V1; side <= VM_ACL_V2; side <<= 1)
		if ((sides & side) != 0 && obeys(&group, side, id.pid, err) < 0)
			return -1;
	return 0;
}

int vm_guest_acl_check(const struct vm_guest *g, struct vm_acl_check *ret, struct vm_err *err)
{
	VM_AUTO(vm_acl_check_free) struct vm_acl_check c = VM_ACL_CHECK_INIT;
	VM_AUTO(vm_cgroup_close) struct vm_cgroup group = VM_CGROUP_INIT;
	VM_AUTO_FREE char *blocked = NULL;
	VM_AUTO_FREE char *moved = NULL;
	unsigned sides = vm_acl_sides_from_word(vm_record_get(&g->record, VM_KEY_ACL));

	c.backend = vm_acl_side_word(sides);
	if (vm_acl_from_record(&g->record, VM_KEY_ACL_RULE, &c.wanted, err) < 0 ||
	    vm_guest_group_open(g, &group, err) < 0)
		return -1;
	if (group.note != NULL)
		add_note(&c, group.note);
	if (group.path != NULL)
		c.path = vm_xstrdup(group.path);
	if (vm_guest_group_moved(g, &group, &moved, err) < 0)
		return -1;
	if (moved != NULL)
		add_note(&c, moved);
	if (sides != 0) {
		if (read_actual(&group, sides, &c, err) < 0 ||
		    vm_acl_blocked(&group, sides, &c.wanted, &blocked, err) < 0)
			return -1;
		add_rows(&c, &c.wanted, &c.actual, "ok", "missing");
		add_rows(&c, &c.actual, &c.wanted, NULL, "extra");
		if (c.n > 0)
			qsort(c.rows, c.n, sizeof(*c.rows), by_node);
	}
	if (blocked != NULL)
		add_note(&c, blocked);
	*ret = c;
	c = VM_ACL_CHECK_INIT;
	return 0;
}
