/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/autostart.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/log.h>
#include <vm/strbuf.h>

#define CHAIN_MAX 1000 /* guests one after the other */

/* Does `from` come after `to`, by what is written down?  Adds the way to *path. */
static bool leads_to(const struct vm_state *s, const char *from, const char *to, unsigned depth,
		     struct vm_strbuf *path)
{
	VM_AUTO(vm_record_free) struct vm_record order = VM_RECORD_INIT;
	struct vm_err ignored = VM_ERR_INIT;
	const char *next;
	size_t i, len = path->len;

	vm_strbuf_printf(path, " after '%s'", from);
	if (strcmp(from, to) == 0)
		return true;
	if (depth < CHAIN_MAX && vm_autostart_order_read(s, from, &order, &ignored) == 0)
		for (i = 0; (next = vm_record_nth(&order, "after", i)); i++)
			if (leads_to(s, next, to, depth + 1, path))
				return true;
	path->len = len;
	return false;
}

static int set_after(const struct vm_guest *g, const struct vm_autostart_mark *m,
		     struct vm_record *order, struct vm_err *err)
{
	size_t i;

	vm_record_set(order, "after", NULL);
	for (i = 0; i < m->n_after; i++) {
		VM_AUTO(vm_strbuf_free) struct vm_strbuf path = VM_STRBUF_INIT;
		VM_AUTO_FREE char *name = NULL;

		if (!*m->after[i])
			continue;
		if (vm_guest_resolve(g->state, m->after[i], false, &name, err) < 0) {
			*err->object = '\0'; /* the guest asked about is the other one */
			return vm_err_wrap(err, "--after: %s", m->after[i]);
		}
		vm_strbuf_printf(&path, "'%s'", g->name);
		if (leads_to(g->state, name, g->name, 0, &path))
			return vm_err_set(err, VM_BAD_INPUT, "it would wait for itself: %s",
					  path.text);
		vm_record_add(order, "after", name);
	}
	return 0;
}

static bool same(const struct vm_record *a, const struct vm_record *b)
{
	size_t i;

	for (i = 0; a->n == b->n && i < a->n; i++)
		if (strcmp(a->items[i].key, b->items[i].key) != 0 ||
		    strcmp(a->items[i].value, b->items[i].value) != 0)
			return false;
	return a->n == b->n;
}

int vm_autostart_mark(const struct vm_state *s, const char *ref, const struct vm_autostart_mark *m,
		      struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	VM_AUTO(vm_record_free) struct vm_record before = VM_RECORD_INIT;
	VM_AUTO(vm_record_free) struct vm_record order = VM_RECORD_INIT;

	if (vm_guest_open(s, ref, VM_GUEST_LOCKED | VM_GUEST_DEFINED | VM_GUEST_AS_IS, deadline, &g,
			  err) < 0 ||
	    vm_autostart_order_read(s, g.name, &before, err) < 0 ||
	    vm_autostart_order_read(s, g.name, &order, err) < 0)
		return -1;
	if (m->after_given && set_after(&g, m, &order, err) < 0)
		return -1;
	if (m->delay_given) {
		vm_record_set(&order, "delay_ms", NULL);
		if (m->delay_ms)
			vm_record_setf(&order, "delay_ms", "%" PRIu64, m->delay_ms);
	}
	if (vm_autostart_get(s, g.name) && same(&before, &order))
		return 1;
	vm_log_step("mark %s to be started with the host", g.name);
	if (m->dry_run)
		return 0;
	/* The order first: a mark without it would start the guest too early. */
	if (!same(&before, &order) && vm_autostart_order_write(s, g.name, &order, err) < 0)
		return -1;
	return vm_autostart_set(s, g.name, true, err) < 0 ? -1 : 0;
}

int vm_autostart_unmark(const struct vm_state *s, const char *ref, bool dry_run,
			struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;

	if (vm_guest_open(s, ref, VM_GUEST_LOCKED | VM_GUEST_DEFINED | VM_GUEST_AS_IS, deadline, &g,
			  err) < 0)
		return -1;
	if (!vm_autostart_get(s, g.name))
		return 1;
	vm_log_step("no longer start %s with the host", g.name);
	return dry_run ? 0 : vm_autostart_set(s, g.name, false, err);
}
