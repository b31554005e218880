/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Marking guests to be started with the host, and starting those that are marked, in order
 * (vm-autostart). */
#include <vm/cli.h>
#include <vm/state.h>

struct vm_autostart_mark {
	const char *const *after; /* references to guests; only if after_given */
	size_t n_after;
	uint64_t delay_ms; /* only if delay_given */
	bool after_given, delay_given;
	bool dry_run;
};
/* 0 = done, 1 = was so already.  A guest that would wait for itself is VM_BAD_INPUT and names the
 * circle. */
int vm_autostart_mark(const struct vm_state *s, const char *ref, const struct vm_autostart_mark *m,
		      struct vm_deadline deadline, struct vm_err *err);
int vm_autostart_unmark(const struct vm_state *s, const char *ref, bool dry_run,
			struct vm_deadline deadline, struct vm_err *err);
/*
 * Starts all that are marked, each by a vm-start of its own: after those it comes after have been
 * started and its delay has passed, `parallel` at a time.  Failures are reported one a line;
 * returns the status of the first in the order of names, or 0; -1 with *err if nothing could be
 * begun.
 */
int vm_autostart_run(const struct vm_program *p, const struct vm_common *c,
		     const struct vm_state *s, uint64_t parallel, struct vm_err *err);
