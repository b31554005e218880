/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostdev_cli.h"

#include <string.h>

#include <vm/cleanup.h>
#include <vm/state.h>

const struct vm_operand_spec vm_hostdev_operands[] = {
	{ .name = "DEVICE", .kind = VM_OPERAND_OTHER, .many = true, .complete = "hostdev" },
	{ 0 },
};

/* The PCI device that text names, in a view of all PCI devices. */
static int find(const struct vm_state *state, const char *text, struct vm_hostdev_view *ret_view,
		const struct vm_hostdev_item **ret, struct vm_err *err)
{
	struct vm_hostdev_name name;

	if (vm_hostdev_name_parse(text, &name, err) < 0)
		return -1;
	if (name.bus != VM_HOSTDEV_PCI) {
		vm_err_set(err, VM_UNSUPPORTED, "only PCI devices are bound to VFIO");
		return vm_err_hint(err, "devices of other kinds are given to guests as they are");
	}
	if (vm_hostdev_view_read(state, 1u << VM_HOSTDEV_PCI | 1u << VM_HOSTDEV_MDEV, ret_view, err) < 0)
		return -1;
	return vm_hostdev_view_find(ret_view, text, ret, err);
}

enum vm_kind vm_hostdev_block_kind(const struct vm_hostdev_block *b)
{
	if (strcmp(b->word, "no-sg") == 0)
		return VM_NOT_FOUND;
	if (strncmp(b->word, "no-", 3) == 0)
		return VM_UNSUPPORTED;
	return strcmp(b->word, "bridge") == 0 || strcmp(b->word, "hub") == 0 ? VM_BAD_INPUT : VM_IN_USE;
}

int vm_hostdev_cli_may(const struct vm_hostdev_item *i, bool force, const char *what, struct vm_err *err)
{
	for (size_t n = 0; n < i->n_blocks; n++) {
		const struct vm_hostdev_block *b = &i->blocks[n];

		/* one that is stuck is put back first, if it can be */
		if ((b->force && force) || strcmp(b->word, VM_HOSTDEV_BLOCK_STUCK) == 0 ||
		    strcmp(b->word, VM_HOSTDEV_BLOCK_OUT) == 0 ||
		    strncmp(b->word, "sibling:", 8) == 0 ||
		    strncmp(b->word, "guest:", 6) == 0)
			continue;
		vm_err_set(err, vm_hostdev_block_kind(b), "cannot %s %s: %s", what, i->name, b->text);
		if (b->hint != NULL)
			vm_err_hint(err, "%s", b->force ? "end that use, or give --force" : b->hint);
		return -1;
	}
	return 0;
}

static int each(void *options, const char *text, struct vm_err *err)
{
	struct vm_hostdev_cli *c = options;
	VM_AUTO(vm_hostdev_view_free) struct vm_hostdev_view view = VM_HOSTDEV_VIEW_INIT;
	const struct vm_hostdev_item *item;
	int r, done;

	if (find(&c->state, text, &view, &item, err) < 0 ||
	    (done = c->one(options, &view, item, err)) < 0)
		return -1;
	for (size_t i = 0; c->sibling != NULL && i < view.n; i++) {
		const struct vm_hostdev_item *other = &view.v[i];

		if (other == item || other->group != item->group || !c->sibling(other))
			continue;
		r = c->one(options, &view, other, err);
		if (r < 0)
			return -1;
		done &= r;
	}
	return done;
}

int vm_hostdev_cli_run(const struct vm_program *p, void *options, enum vm_state_access access,
		       const char *word, struct vm_err *err)
{
	struct vm_hostdev_cli *c = options;
	int r;

	c->state = VM_STATE_INIT;
	if (vm_state_open(c->common.connect, access, &c->state, err) < 0)
		return -1;
	r = vm_cli_each(p, &c->common, word, each, options);
	vm_state_close(&c->state);
	return r;
}
