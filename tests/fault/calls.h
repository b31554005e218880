/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What the harness knows about a system call. */
struct call {
	long nr;
	const char *name;
	bool changes;  /* may change something outside the process, given the right arguments */
	int errnos[4]; /* ways in which it can fail on a healthy machine's bad day; 0 ends */
};

/* NULL = a call that is neither interesting nor known to fail. */
const struct call *call_find(uint64_t nr);
/* Does this call, with these arguments, change something outside the process? */
/* openat2: args[2] is open_how.flags. Closing drops a lock, as death does. */
bool call_changes(const struct call *call, const uint64_t args[6]);
/* Can this call, with these arguments, fail in one of its ways? */
bool call_can_fail(const struct call *call, const uint64_t args[6]);
/* "ENOSPC" -> ENOSPC; -1 = unknown. */
int call_errno(const char *name);
const char *call_errno_name(int number);
