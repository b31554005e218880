/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The programs behind a guest's devices, as its watcher sees them. */
#include <stdio.h>

#include <vm/cleanup.h>
#include <vm/process.h>
#include <vm/state.h>

#include "watch.h"

void vm_watch_helpers_find(struct vm_watch_helpers *ret, int run_fd)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	struct vm_err ignored = VM_ERR_INIT;
	struct vm_procid id;

	if (ret->n > 0 || vm_record_read(&r, run_fd, VM_RUN_RECORD, VM_RECORD_GUEST, VM_RECORD_GUEST_VERSION,
					 &ignored) < 0)
		return;
	for (unsigned i = 0; i < VM_HELPERS_MAX; i++) {
		struct vm_watch_helper *h = &ret->v[ret->n];

		if (!vm_record_get_helper(&r, i, h->name, &id))
			return;
		/* One that is gone already was seen by the start, which failed. */
		if (vm_procid_open(&id, &h->pidfd, &ignored) == 0)
			ret->n++;
	}
}
