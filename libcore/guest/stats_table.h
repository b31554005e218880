/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The one table of what vm-stats knows; rows, JSON, Prometheus' text and virsh's are walks over it. */
#include <stddef.h>
#include <stdint.h>

#include "guest/stats.h"

enum vm_datum_kind { VM_DATUM_END, VM_DATUM_NUMBER, VM_DATUM_TEXT, VM_DATUM_SECONDS /* nanoseconds, in Prometheus seconds */ };
struct vm_datum {
	const char *key;
	size_t off;
	enum vm_datum_kind kind;
	const char *virsh;  /* virsh's word, behind the section's or the object's; NULL = it has none */
	const char *metric; /* in Prometheus; NULL for texts: they are labels there */
	bool gauge;
	const char *help;
};
struct vm_stats_table {
	enum vm_stats_section bit;
	const char *name, *json, *help; /* json: its object, or array */
	const struct vm_datum *data;	/* NULL: written by hand */
	size_t list, count,
	    size; /* offsets of pointer and number, size of an element; 0 = no list */
};
extern const struct vm_stats_table vm_stats_tables[];
extern const size_t vm_stats_tables_n;

static inline uint64_t vm_datum_number(const void *obj, const struct vm_datum *d)
{
	return *(const uint64_t *)(const void *)((const char *)obj + d->off);
}
static inline const char *vm_datum_text(const void *obj, const struct vm_datum *d)
{
	return *(const char *const *)(const void *)((const char *)obj + d->off);
}
