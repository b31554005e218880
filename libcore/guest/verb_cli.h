/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What the programs share that do one thing to each of the guests named: vm-suspend, vm-destroy ... */
#include <vm/cli.h>
#include <vm/guest.h>

/* First member of such a program's options. */
struct vm_verb {
	struct vm_common common;
	struct vm_host host; /* open while `each` runs */
};
/* The one operand these programs take. */
extern const struct vm_operand_spec vm_verb_operands[];
/* Opens the connection and calls each for every operand (vm_cli_each()); word: "paused".  options begins with
 * struct vm_verb. */
int vm_verb_run(const struct vm_program *p, void *options, const char *word,
		int (*each)(void *options, const char *operand, struct vm_err *err),
		struct vm_err *err);
