/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * A guest's character device on this terminal (vm-console).
 *
 * One at a time: the lock console-ALIAS of the run directory is held meanwhile and names who has it.  Standard
 * input and output may be pipes; a terminal is put into raw mode and restored however it ends.
 */
#include <stdbool.h>

#include <vm/cli.h>

struct vm_console_options {
	const char *device; /* alias; NULL = the first console, else the first serial port */
	const char *escape; /* "^]", "^A" ..., "none"; NULL = "^]" */
	bool force, safe, resume;
};
int vm_console_cli(const struct vm_common *c, const struct vm_console_options *o,
		   struct vm_err *err);
/* The byte that "^X" or a single character stands for; -1 = "none". VM_USAGE. */
int vm_console_escape(const char *text, int *ret, struct vm_err *err);
