/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What vm-start and vm-create share above the verb. */
#include <vm/cli.h>
#include <vm/guest.h>

#include "driver.h"

struct vm_start_cli {
	struct vm_start_options start;
	bool console, if_needed, print, stop_timeout_given;
	struct vm_words pass_fds;
	uint64_t parallel;
};
/* The whole of a program that starts the guests its operands name. */
int vm_start_cli(const struct vm_program *p, struct vm_common *c, struct vm_start_cli *o,
		 struct vm_err *err);
/* Of one that starts the guest the document FILE (operand) describes. */
int vm_create_cli(const struct vm_program *p, struct vm_common *c, struct vm_start_cli *o,
		  struct vm_err *err);
