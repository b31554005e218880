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

/* Option rows that both have; OFF(member): the offset of struct vm_start_cli's member in the program's
 * options. */
/* clang-format off */
#define VM_START_ROWS(OFF) \
	{ .name = "reset-nvram", .kind = VM_OPT_FLAG, .off = OFF(start.reset_nvram), \
	  .help = "make the NVRAM anew from its template" }, \
	{ .name = "pass-fds", .kind = VM_OPT_LIST, .off = OFF(pass_fds), .arg = "N,N,...", \
	  .help = "pass these open descriptors to the guest's init (LXC)" }, \
	{ .name = "autodestroy", .kind = VM_OPT_FLAG, .off = OFF(start.autodestroy), \
	  .help = "destroy the guest when this command ends (--foreground)" }, \
	{ .name = "foreground", .kind = VM_OPT_FLAG, .off = OFF(start.foreground), \
	  .help = "stay as the guest's service; SIGTERM shuts it down" }, \
	{ .name = "stop-timeout", .kind = VM_OPT_SECONDS, .off = OFF(start.stop_timeout_ms), \
	  .given = OFF(stop_timeout_given), .arg = "S", \
	  .help = "--foreground: seconds from SIGTERM's shutdown request\n" \
		  "to a destroy (default 120)" }, \
	{ .name = "no-watch", .kind = VM_OPT_FLAG, .off = OFF(start.no_watch), \
	  .help = "leave no watcher behind" },
/* clang-format on */
