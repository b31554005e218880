/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* vm-repair: what interrupted commands left, and what can be made anew from the definitions. */
#include <vm/cli.h>
#include <vm/guest.h>

/* Tells what was done as rows of a table (or JSON); failures one a line.  all: everything, else the
 * operands. Returns the status of the first failure, or 0; -1 with *err. */
int vm_repair_cli(const struct vm_program *p, const struct vm_common *c, bool all,
		  struct vm_host *host, struct vm_err *err);
/* A guest that runs: what QEMU has let go of, by its own list, is given back, also where nobody asked it to. */
struct vm_repair;
void vm_repair_running(const struct vm_repair *r, const char *name);
