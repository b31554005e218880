/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostdev_cli.h"

#include <string.h>

#include <vm/cleanup.h>
#include <vm/state.h>

const struct vm_operand_spec vm_hostdev_operands[] = {
	{ .name = "DEVICE", .kind = VM_OPERAND_OTHER, .many = true, .complete = "hostdev" },
	{ 0 },
};

/* A view of the device and of what else is on its bus. */
static int read_bus(const struct vm_state *state, const char *name, struct vm_hostdev_view *v, struct vm_err *err)
{
	VM_AUTO(vm_sys_names_free) struct vm_sys_names all = { 0 };
	struct vm_unread unread = VM_UNREAD_NONE;
	VM_AUTO_FD int top = vm_sys_look(&v->sys, "sys/bus/pci/devices", &unread);
	size_t n = 0, len = (size_t)(strrchr(name, ':') - name) + 1;

	vm_sys_names(top, &all, &unread);
	if (vm_unread_fail(&unread, err) < 0)
		return -1;
	for (size_t i = 0; i < all.n; i++) {
		char *one = all.v[i];

		if (strncmp(one, name, len) != 0)
			continue;
		all.v[i] = all.v[n];
		all.v[n++] = one;
	}
	vm_hostdev_view_free(v);
	return vm_hostdev_view_read_some(state, 1u << VM_HOSTDEV_PCI, (const char *const *)all.v, n, v, err);
}

/* The PCI device that text names, in a view of it and of what matters for it. */
static int find(const struct vm_hostdev_cli *c, const char *text, struct vm_hostdev_view *ret_view,
		const struct vm_hostdev_item **ret, struct vm_err *err)
{
	char address[VM_PCI_NAME];
	const char *const one[] = { address };
	struct vm_hostdev_name name;

	if (vm_hostdev_name_parse(text, &name, err) < 0)
		return -1;
	if (name.bus != VM_HOSTDEV_PCI) {
		vm_err_set(err, VM_UNSUPPORTED, "only PCI devices are bound to VFIO");
		return vm_err_hint(err, "devices of other kinds are given to guests as they are");
	}
	vm_pci_name(&name.pci, address);
	if (vm_hostdev_view_read_some(&c->state, 1u << VM_HOSTDEV_PCI, one, 1, ret_view, err) < 0 ||
	    vm_hostdev_view_find(ret_view, text, ret, err) < 0)
		return -1;
	if (!c->bus || (*ret)->pci->can_reset)
		return 0;
	return read_bus(&c->state, address, ret_view, err) < 0 ? -1 : vm_hostdev_view_find(ret_view, text, ret, err);
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

int vm_hostdev_cli_closed(const struct vm_hostdev_item *i, const char *what, struct vm_err *err)
{
	for (size_t n = 0; i->open && n < i->n_blocks; n++) {
		if (strncmp(i->blocks[n].word, "held:", 5) != 0)
			continue;
		vm_err_set(err, VM_IN_USE, "cannot %s %s: %s", what, i->name, i->blocks[n].text);
		return vm_err_hint(err, "%s", i->blocks[n].hint);
	}
	return 0;
}

static int each(void *options, const char *text, struct vm_err *err)
{
	struct vm_hostdev_cli *c = options;
	VM_AUTO(vm_hostdev_view_free) struct vm_hostdev_view view = VM_HOSTDEV_VIEW_INIT;
	const struct vm_hostdev_item *item;
	int r, done;

	if (find(c, text, &view, &item, err) < 0 ||
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
