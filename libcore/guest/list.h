/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* vm-list's choice of guests and their rows.  Needs libc alone. */
#include <stdbool.h>
#include <stdint.h>

#include <vm/cli.h>
#include <vm/state.h>

struct vm_out;
struct vm_out_column;

/* Bits of one kind add up, kinds narrow down; 0 = of no interest. */
enum { VM_LIST_YES = 1, VM_LIST_NO = 2 };
#define VM_LIST_STATE(life) (UINT64_C(1) << (life))
struct vm_list_filter {
	uint64_t state; /* VM_LIST_STATE() bits; "shutoff" includes what "saved" picks out */
	uint64_t persistent, autostart, saved, snapshot, checkpoint; /* VM_LIST_YES, VM_LIST_NO */
};
/* Adds the bits of state words; VM_USAGE names a wrong one. */
int vm_list_states(const struct vm_words *words, uint64_t *state, struct vm_err *err);
/* What of vm_entries_want.facts the filter needs. */
bool vm_list_needs_facts(const struct vm_list_filter *f);
bool vm_list_passes(const struct vm_list_filter *f, const struct vm_entry *e);
/* show_saved: a shut-off guest with a managed save has the state "saved". */
void vm_list_row(struct vm_out *out, const char *driver, const struct vm_entry *e, bool show_saved);
/*
 * Names of the guests that references stand for.  Those that stand for none are reported each on a
 * line of its own; returns the status of the first of them, or 0.  *ret is freed by
 * vm_list_names_free().
 */
struct vm_list_names {
	const char **v; /* owned, NULL if there are no references */
	size_t n;
};
int vm_list_resolve(const struct vm_program *p, const struct vm_common *c, const struct vm_state *s,
		    struct vm_list_names *ret);
void vm_list_names_free(struct vm_list_names *n);
