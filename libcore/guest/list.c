/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/list.h"

#include <stdlib.h>

#include <vm/alloc.h>
#include <vm/out.h>

int vm_list_states(const struct vm_words *words, uint64_t *state, struct vm_err *err)
{
	size_t i;
	int life;

	for (i = 0; i < words->n; i++) {
		life = vm_life_from_word(words->v[i]);
		if (life < 0) {
			vm_err_set(err, VM_USAGE, "--state: '%s' is no state", words->v[i]);
			return vm_err_hint(err, "one of running, paused, pmsuspended, shutting-down, "
						"crashed, saved, shutoff, unresponsive, stale, "
						"broken");
		}
		*state |= VM_LIST_STATE(life);
	}
	return 0;
}

bool vm_list_needs_facts(const struct vm_list_filter *f)
{
	return f->saved || f->snapshot || f->checkpoint || (f->state & VM_LIST_STATE(VM_SAVED));
}

static bool passes(uint64_t wanted, bool is)
{
	return !wanted || (wanted & (is ? VM_LIST_YES : VM_LIST_NO));
}

static bool is_saved(const struct vm_entry *e)
{
	return e->status.life == VM_SHUTOFF && e->managed_save;
}

bool vm_list_passes(const struct vm_list_filter *f, const struct vm_entry *e)
{
	uint64_t is = VM_LIST_STATE(e->status.life);

	if (is_saved(e))
		is |= VM_LIST_STATE(VM_SAVED);
	return (!f->state || (f->state & is)) && passes(f->persistent, e->defined) &&
	       passes(f->autostart, e->autostart) && passes(f->saved, e->managed_save) &&
	       passes(f->snapshot, e->snapshots > 0) && passes(f->checkpoint, e->checkpoints > 0);
}

/* 0 stands for unknown. */
static void number(struct vm_out *out, const char *key, uint64_t value)
{
	if (value)
		vm_out_u64(out, key, value);
	else
		vm_out_null(out, key);
}

void vm_list_row(struct vm_out *out, const char *driver, const struct vm_entry *e, bool show_saved)
{
	enum vm_life life = show_saved && is_saved(e) ? VM_SAVED : e->status.life;
	char uuid[37];

	vm_uuid_format(e->uuid, uuid);
	vm_out_row(out);
	vm_out_str(out, "name", e->name);
	vm_out_str(out, "uuid", e->has_uuid ? uuid : NULL);
	number(out, "id", (uint64_t)e->id);
	vm_out_str(out, "driver", driver);
	vm_out_str(out, "state", vm_life_word(life));
	vm_out_str(out, "reason", *e->status.reason ? e->status.reason : NULL);
	vm_out_str(out, "state_from", e->status.from);
	number(out, "since_ms", e->status.since_ms);
	vm_out_bool(out, "persistent", e->defined);
	vm_out_bool(out, "autostart", e->autostart);
	vm_out_bool(out, "managed_save", e->managed_save);
	vm_out_u64(out, "snapshots", e->snapshots);
	vm_out_u64(out, "checkpoints", e->checkpoints);
	vm_out_str(out, "title", e->title);
	vm_out_str(out, "problem", e->problem);
	vm_out_row_end(out);
}

int vm_list_resolve(const struct vm_program *p, const struct vm_common *c, const struct vm_state *s,
		    struct vm_list_names *ret)
{
	size_t i, n = c->operands.n;
	int status = 0;

	if (!n)
		return 0;
	ret->v = vm_xcalloc(n, sizeof(*ret->v));
	for (i = 0; i < n; i++) {
		struct vm_err err = VM_ERR_INIT;
		char *name;

		if (vm_guest_resolve(s, c->operands.v[i], false, &name, &err) == 0) {
			ret->v[ret->n++] = name;
			continue;
		}
		vm_cli_report(p, c, &err);
		if (!status)
			status = (int)err.kind;
	}
	return status;
}

void vm_list_names_free(struct vm_list_names *n)
{
	size_t i;

	for (i = 0; i < n->n; i++)
		free((char *)(uintptr_t)n->v[i]);
	free(n->v);
	*n = (struct vm_list_names){0};
}
