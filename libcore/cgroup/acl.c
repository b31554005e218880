/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which side carries device rules out, and what else forbids. */
#include "acl_impl.h"

#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/cgroup.h>

#define OTHERS_MAX 16u

/* As vm.conf's acl_backend has them. */
enum backend { BACKEND_AUTO, BACKEND_V1, BACKEND_V2, BACKEND_BOTH, BACKEND_NONE };

static const struct side {
	enum vm_acl_side side;
	const struct vm_acl_ops *ops;
	const char *word;
} sides_table[] = {
	{ VM_ACL_V1, &vm_acl_v1, "v1" },
	{ VM_ACL_V2, &vm_acl_v2, "v2" },
};

const char *vm_acl_side_word(unsigned sides)
{
	switch (sides) {
	case VM_ACL_V1:
		return "v1";
	case VM_ACL_V2:
		return "v2";
	case VM_ACL_V1 | VM_ACL_V2:
		return "both";
	default:
		return "none";
	}
}

unsigned vm_acl_sides_from_word(const char *word)
{
	for (unsigned s = 1; word != NULL && s <= (VM_ACL_V1 | VM_ACL_V2); s++)
		if (strcmp(vm_acl_side_word(s), word) == 0)
			return s;
	return 0;
}

/* The hierarchy of a side, or -1. */
static int side_index(const struct vm_cgroup *c, enum vm_acl_side side)
{
	for (size_t i = 0; i < c->host.n; i++) {
		const struct vm_cgroup_hier *hier = &c->host.v[i];

		if (c->at[i].there && c->at[i].fd[VM_CGROUP_QEMU] >= 0 &&
		    (side == VM_ACL_V2 ? hier->v2
				       : !hier->v2 && (hier->controllers & 1u << VM_CGROUP_DEVICES) != 0))
			return (int)i;
	}
	return -1;
}

static int side_dir(const struct vm_cgroup *c, enum vm_acl_side side)
{
	int i = side_index(c, side);

	return i < 0 ? -1 : c->at[i].fd[VM_CGROUP_QEMU];
}

static int check_side(const struct vm_cgroup *c, const struct side *s, struct vm_err *err)
{
	int dir = side_dir(c, s->side);

	if (dir < 0)
		return vm_err_set(err, VM_UNSUPPORTED,
				  s->side == VM_ACL_V1 ? "the guest has no group of cgroup v1's devices controller"
						       : "the guest has no group of cgroup v2");
	return s->ops->usable(dir, err);
}

static int choose_auto(const struct vm_cgroup *c, unsigned *ret_sides, char **ret_note)
{
	struct vm_err err[VM_COUNT(sides_table)] = { VM_ERR_INIT, VM_ERR_INIT };

	for (size_t i = 0; i < VM_COUNT(sides_table); i++)
		if (check_side(c, &sides_table[i], &err[i]) == 0) {
			*ret_sides = sides_table[i].side;
			return 0;
		}
	*ret_sides = 0;
	*ret_note = vm_xasprintf("no device rules: v1: %s; v2: %s", err[0].msg, err[1].msg);
	return 0;
}

int vm_acl_choose(const struct vm_cgroup *c, int backend, unsigned *ret_sides, char **ret_note,
		  struct vm_err *err)
{
	unsigned sides = backend == BACKEND_V1	 ? VM_ACL_V1
			 : backend == BACKEND_V2 ? VM_ACL_V2
						 : VM_ACL_V1 | VM_ACL_V2;

	*ret_note = NULL;
	if (backend == BACKEND_AUTO)
		return choose_auto(c, ret_sides, ret_note);
	if (backend == BACKEND_NONE)
		sides = 0;
	for (size_t i = 0; i < VM_COUNT(sides_table); i++)
		if ((sides & sides_table[i].side) != 0 && check_side(c, &sides_table[i], err) < 0) {
			/* What is not to be had is refused as by policy: it was asked for by name. */
			if (err->kind == VM_UNSUPPORTED || err->kind == VM_NOT_FOUND)
				err->kind = VM_DENIED;
			vm_err_wrap(err, "device rules by cgroup %s", sides_table[i].word);
			return vm_err_hint(err, "see acl_backend in vm.conf(5)");
		}
	*ret_sides = sides;
	return 0;
}

/* What cannot be seen from here may well be there, with the rules in it. */
static void no_group(const struct vm_cgroup *c, const struct side *s, struct vm_err *err)
{
	if (c->unseen == NULL)
		vm_err_set(err, VM_IN_USE, "the guest's group of cgroup %s is gone", s->word);
	else
		vm_err_set(err, VM_DENIED, "the guest's control group in the hierarchy %s cannot be seen from here",
			   c->unseen);
}

int vm_acl_apply(const struct vm_cgroup *c, unsigned sides, const struct vm_acl *from,
		 const struct vm_acl *to, struct vm_err *err)
{
	struct vm_err ignored = VM_ERR_INIT;

	for (size_t i = 0; i < VM_COUNT(sides_table); i++) {
		const struct side *s = &sides_table[i];
		int dir = side_dir(c, s->side);

		if ((sides & s->side) == 0)
			continue;
		if (dir < 0) {
			no_group(c, s, err);
		} else if (s->ops->apply(dir, from, to, err) == 0) {
			continue;
		}
		vm_err_wrap(err, "device rules by cgroup %s", s->word);
		/* The first time nothing runs in the group yet. */
		while (from != NULL && i-- > 0)
			if ((sides & sides_table[i].side) != 0)
				sides_table[i].ops->apply(side_dir(c, sides_table[i].side), to, from,
							  &ignored);
		return -1;
	}
	return 0;
}

int vm_acl_read(const struct vm_cgroup *c, enum vm_acl_side side, struct vm_acl *ret,
		struct vm_err *err)
{
	const struct side *s = &sides_table[side == VM_ACL_V1 ? 0 : 1];
	int dir = side_dir(c, side);

	if (dir < 0)
		return vm_err_set(err, VM_NOT_FOUND, "the guest has no group of cgroup %s", s->word);
	return s->ops->read(dir, ret, err);
}

static void note_add(char **note, char *text)
{
	char *old = *note;

	*note = old == NULL ? text : vm_xasprintf("%s; %s", old, text);
	if (old != NULL)
		free(text);
	free(old);
}

/* v1 lists of this group hold what its parents hold back, too. */
static int blocked_v1(const struct vm_cgroup *c, const struct vm_acl *want, char **note,
		      struct vm_err *err)
{
	VM_AUTO(vm_acl_free) struct vm_acl now = VM_ACL_INIT;
	int i = side_index(c, VM_ACL_V1);

	if (i < 0)
		return 0;
	if (vm_acl_v1.read(c->at[i].fd[VM_CGROUP_QEMU], &now, err) < 0) {
		if (err->kind != VM_NOT_FOUND)
			return -1;
		*err = VM_ERR_INIT;
		return 0;
	}
	for (size_t k = 0; k < want->n; k++) {
		const struct vm_acl_rule *r = &want->v[k];
		char text[VM_ACL_TEXT];

		if (!vm_acl_allows(&now, r->type, r->major, r->minor, r->perms)) {
			note_add(note, vm_xasprintf("cgroup v1 (%s%s) forbids %s%s%s",
						    c->host.v[i].mount, c->path,
						    vm_acl_format(r, text), r->path != NULL ? " " : "",
						    r->path != NULL ? r->path : ""));
			return 0;
		}
	}
	return 0;
}

/* What a program of somebody else allows cannot be read; that it is asked, too, can. */
static int blocked_v2(const struct vm_cgroup *c, char **note, struct vm_err *err)
{
	struct vm_acl_other others[OTHERS_MAX];
	int i = side_index(c, VM_ACL_V2), n;

	if (i < 0)
		return 0;
	n = vm_acl_others(c->at[i].fd[VM_CGROUP_QEMU], true, others, VM_COUNT(others), err);
	if (n < 0) {
		if (err->kind != VM_DENIED && err->kind != VM_UNSUPPORTED)
			return -1;
		*err = VM_ERR_INIT;
		return 0;
	}
	for (int k = 0; k < n; k++)
		note_add(note, vm_xasprintf("cgroup v2: the program %s (id %u) of somebody else must allow a device, too",
					    others[k].name[0] != 0 ? others[k].name : "without name",
					    others[k].id));
	return 0;
}

int vm_acl_blocked(const struct vm_cgroup *c, unsigned sides, const struct vm_acl *want,
		   char **ret_note, struct vm_err *err)
{
	char *note = NULL;

	if (((sides & VM_ACL_V1) == 0 && blocked_v1(c, want, &note, err) < 0) ||
	    blocked_v2(c, &note, err) < 0) {
		free(note);
		return -1;
	}
	*ret_note = note;
	return 0;
}
