/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What vm-info shows: one row per section of a table.  Sections say by themselves what they need, so that
 * the summary is told from records alone, without XML and without asking QEMU.
 */
#include <stdbool.h>

#include <vm/deadline.h>
#include <vm/err.h>
#include <vm/look.h>
#include <vm/model.h>
#include <vm/state.h>

struct vm_out;
struct vm_driver;

struct vm_info {
	const struct vm_state *state;
	struct vm_guest guest;
	bool live; /* the running guest is shown, else its definition */
	struct vm_status status;
	struct vm_record facts; /* VM_FACT_...: of the run, or the definition's index */
	struct vm_xml *doc;	/* live.xml or the definition; loaded when a section needs it */
	struct vm_domain *domain;
	struct vm_look look;
	bool reason_with_state; /* plain --get=state prints "running booted" */
	struct vm_deadline deadline;
	void (*release)(struct vm_info *i); /* of doc, domain and look, by what made them */
};
#define VM_INFO_INIT ((struct vm_info){ .guest = VM_GUEST_INIT })

/* want_live, want_config: --live (VM_NOT_RUNNING if it is not), --config (VM_NOT_FOUND without definition). */
int vm_info_open(const struct vm_state *s, const char *ref, bool want_live, bool want_config,
		 struct vm_deadline deadline, struct vm_info *ret, struct vm_err *err);
void vm_info_close(struct vm_info *i);
/* ---- sections: one row each ---- */
struct vm_out_column;
struct vm_info_section {
	const char *name;
	unsigned look; /* enum vm_look_what, asked if live */
	unsigned look_if; /* likewise, but what cannot be asked is left out, with a warning */
	bool xml;      /* needs the document */
	const struct vm_out_column *columns; /* NULL: data of the top level */
	size_t n_columns;
	int (*show)(struct vm_info *i, struct vm_out *out, struct vm_err *err);
};
/*
 * vm_info_light has those that records and the kernel tell, for a program that loads libc alone;
 * vm_info_all has every one, in the order in which they are shown.
 */
struct vm_info_table {
	const struct vm_info_section *const *v;
	size_t n;
	/* Gets document and answers for the sections that are wanted; NULL: the table needs none. */
	int (*prepare)(struct vm_info *i, const struct vm_info_table *t, uint64_t bits,
		       struct vm_err *err);
};
extern const struct vm_info_table vm_info_light, vm_info_all;

/* Bits of a table's sections from names; "all" = every one but the last (agent); none = the summary.
 * VM_USAGE lists those there are. */
int vm_info_choose(const struct vm_info_table *t, const char *const *names, size_t n, uint64_t *ret,
		   struct vm_err *err);
#define VM_INFO_SUMMARY UINT64_C(1) /* first in each table */
/* Can the light table show it? False also for a definition whose index is missing or stale. */
bool vm_info_is_light(struct vm_info *i, const char *const *names, size_t n);
/* Prints them in the order of the table. */
int vm_info_show(struct vm_info *i, const struct vm_info_table *t, uint64_t bits, struct vm_out *out,
		 struct vm_err *err);

