/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* vm-shutdown above the verb: several guests at once, waiting for their ends, and what follows a vain wait. */
#include <vm/cli.h>

enum vm_shutdown_then { VM_THEN_FAIL, VM_THEN_DESTROY, VM_THEN_SAVE };
extern const char *const vm_shutdown_then_words[];

struct vm_shutdown_cli {
	bool all, wait, then_given, if_needed;
	struct vm_words mode;
	uint64_t wait_ms, parallel; /* parallel 0 = all at once */
	int then;
};
int vm_shutdown_cli(const struct vm_program *p, struct vm_common *c, struct vm_shutdown_cli *o,
		    struct vm_err *err);
