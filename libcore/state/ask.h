/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Asking many guests for their state at the same time, over their spare monitor sockets.  Needs
 * libc alone. */
#include <vm/state.h>

struct vm_ask {
	const char *name;	       /* of the guest */
	const struct vm_status *known; /* what the status file says */
	bool watched;		       /* its events socket is taken by the watcher */
	bool answered;		       /* set: status is what it said */
	bool silent;		       /* set: it was asked and did not answer in time */
	struct vm_status status;
};
/* All in parallel, until all have answered or ms are over.  Failures are in the entries. */
void vm_ask_all(const struct vm_state *s, struct vm_ask *asks, size_t n, uint64_t ms);
/* From QEMU's word ("io-error") to ours; an unknown one is "paused". */
void vm_ask_translate(const char *word, const struct vm_status *known, struct vm_status *ret);
