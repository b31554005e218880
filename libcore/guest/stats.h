/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* vm-stats: counters of many guests, read together; printed as rows, JSON or Prometheus' text from
 * one table. */
#include <stdbool.h>

#include <vm/deadline.h>
#include <vm/stats.h>

struct vm_observer;
struct vm_out;
struct vm_strbuf;

struct vm_stats_set {
	struct vm_stats *v;
	size_t n;
};
/*
 * Reads the guests named (they exist), or all active ones (names NULL).  All are asked at the same
 * time, so that those which do not answer cost the deadline once.  A guest that failed has its
 * reason in err, and what is known without it.
 */
int vm_stats_read(const struct vm_state *s, const struct vm_observer *observer,
		  const char *const *names, size_t n, unsigned sections,
		  struct vm_deadline deadline, struct vm_stats_set *ret, struct vm_err *err);
void vm_stats_set_free(struct vm_stats_set *s);

/* Name and sentence of the index-th section; false: there are no more. */
bool vm_stats_section_at(size_t index, const char **ret_name, const char **ret_help);
/* Rows {guest, key, value} in plain, an array "guests" in JSON. */
void vm_stats_print(struct vm_out *out, bool json, const struct vm_stats_set *set);
/* Text exposition format, version 0.0.4. */
void vm_stats_prometheus(struct vm_strbuf *b, const struct vm_stats_set *set);
/* As virsh's domstats prints it: its words, units and numbers. */
void vm_stats_virsh(struct vm_strbuf *b, const struct vm_stats_set *set);
