/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
#include <vm/deadline.h>
#include <vm/stats.h>

struct vm_stats_asked;

/* observer->stats_ask, observer->stats_take */
int vm_qemu_stats_ask(struct vm_guest *g, unsigned what, const char *balloon,
		      struct vm_stats_asked **ret, struct vm_err *err);
int vm_qemu_stats_take(struct vm_stats_asked **a, struct vm_deadline deadline, struct vm_stats *ret,
		       struct vm_err *err);
