/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What vm-list shows of a definition, from its index, or from vm-index where that is not current.
 */
#include <vm/state.h>

/* A sorted list of names. */
struct names {
	char **v;
	size_t n, cap;
};
void vm_names_add(struct names *l, const char *name);
void vm_names_sort(struct names *l);
bool vm_names_has(const struct names *l, const char *name); /* sorted */
void vm_names_free(struct names *l);

/* Marks the entries whose definitions cannot be read as broken; fills in the rest if want->facts.
 */
int vm_facts_read(const struct vm_state *s, const struct vm_entries_want *want, struct vm_entry *v,
		  size_t n, struct vm_err *err);

/*
 * Runs vm-index on these definitions and calls fn for each block of facts it printed, with the
 * name; a block has "problem" or facts.  *ret_ran: false if there is no such program.
 */
int vm_facts_run(const struct vm_state *s, const struct names *names, struct vm_deadline deadline,
		 void (*fn)(const char *name, const struct vm_record *facts, void *arg), void *arg,
		 bool *ret_ran, struct vm_err *err);
#define VM_RECORD_FACTS		"vm-facts"
#define VM_RECORD_FACTS_VERSION 1
