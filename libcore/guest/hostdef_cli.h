/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What vm-hostdev-create, -destroy, -define, -undefine, -start and -autostart share. */
#include <vm/cli.h>

#include "hostdef.h"

/* First member of such a program's options. */
struct vm_hostdef_cli {
	struct vm_common common; /* first: vm_cli_each() sets its deadline */
	struct vm_hostdefs h;	 /* open while `each` runs, with the deadline of each */
	int (*each)(void *options, const char *operand, struct vm_err *err);
	struct vm_words keys, marked; /* owned: words that stand among the operands; all operands */
};
extern const struct vm_operand_spec vm_hostdef_operands[], vm_hostdef_file_operands[];
/* Calls each for every operand, without any for all devices that are marked; word: "created". */
int vm_hostdef_cli_run(const struct vm_program *p, void *options, const char *word, struct vm_err *err);
/* The key of a device is told instead of the operand from now on; takes ownership. */
void vm_hostdef_cli_name(struct vm_hostdef_cli *c, const char *operand, char *key);
