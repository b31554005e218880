/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Which events are meant: by name, by pattern, or by the kind that virsh's `event` calls them. */
#include <stdbool.h>

#include <vm/cli.h>
#include <vm/err.h>

struct vm_event_kind {
	const char *name;
	const char *events; /* names separated by blanks */
};
extern const struct vm_event_kind vm_event_kinds[]; /* NULL name at the end */

/* VM_USAGE: a word that can match nothing. */
int vm_event_words_check(const struct vm_words *words, struct vm_err *err);
/* words: names, patterns of fnmatch(3), or kinds; none = all events. Case does not count. */
bool vm_event_matches(const struct vm_words *words, const char *event);

/* A point in time as typed: "90", "90s", "5m", "2h", "1d" ago; "@SECONDS" since 1970; "YYYY-MM-DD",
 * "YYYY-MM-DD HH:MM[:SS]" in local time.  *ret_us: CLOCK_REALTIME microseconds.  VM_USAGE. */
int vm_when_parse(const char *text, uint64_t *ret_us, struct vm_err *err);
