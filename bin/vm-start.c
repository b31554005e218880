/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>

#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/guest.h>

#include "driver.h"
#include "guest/start_cli.h"

struct options {
	struct vm_common common;
	struct vm_start_cli cli;
};
#define OFF(member) offsetof(struct options, cli.member)

static const struct vm_opt options[] = {
	{ .name = "paused", .kind = VM_OPT_FLAG, .off = OFF(start.paused),
	  .help = "do not let the vCPUs run" },
	{ .name = "console", .kind = VM_OPT_FLAG, .off = OFF(console),
	  .help = "connect to the console (one GUEST)" },
	{ .name = "force-boot", .kind = VM_OPT_FLAG, .off = OFF(start.force_boot),
	  .help = "discard the managed save and boot" },
	{ .name = "bypass-cache", .kind = VM_OPT_FLAG, .off = OFF(start.bypass_cache),
	  .help = "read the saved state without the page cache" },
	VM_START_ROWS(OFF)
	{ .name = "if-needed", .kind = VM_OPT_FLAG, .off = OFF(if_needed),
	  .help = "a guest that runs already is success" },
	{ .name = "parallel", .kind = VM_OPT_U64, .off = OFF(parallel), .arg = "N",
	  .help = "start N guests at a time (default 1)" },
	{ .name = "print", .kind = VM_OPT_FLAG, .off = OFF(print),
	  .help = "print the command line and start nothing" },
	{ 0 },
};
static const struct vm_operand_spec operands[] = {
	{ .name = "GUEST", .kind = VM_OPERAND_GUEST, .many = true, .complete = "guest:shutoff" },
	{ 0 },
};
static const struct options defaults = { .cli.parallel = 1 };
static const struct vm_program program;

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;

	return vm_start_cli(&program, &o->common, &o->cli, err);
}

static const struct vm_program program = {
	.name = "vm-start",
	.usage = "[OPTION...] GUEST...",
	.summary = "Start defined guests. Restores the managed save if there is one.",
	.options = options,
	.operands = operands,
	.size = sizeof(struct options),
	.defaults = &defaults,
	.changes = true,
	.run = run,
	.schema = "vm-start/1",
};

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
