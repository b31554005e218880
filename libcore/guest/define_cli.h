/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
#include <vm/cli.h>

struct vm_define_cli {
	bool diff, validate;
};
/* Defines each operand, a file; reports and goes on; the status of the first failure. */
int vm_define_cli(const struct vm_program *p, const struct vm_common *c,
		  const struct vm_define_cli *o, struct vm_err *err);
