/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Several guests at a time, each in a process of its own, reported in the order they were named. */
#include <vm/cli.h>

/* As vm_cli_each(), at most `n` at a time (0 = all). With one operand, or n = 1, no process is made. */
int vm_parallel_each(const struct vm_program *p, const struct vm_common *c, const char *word,
		     int (*each)(void *options, const char *operand, struct vm_err *err),
		     void *options, uint64_t n);
