/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>

#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/guest.h>

#include "guest/start_cli.h"

struct options {
	struct vm_common common;
	struct vm_start_cli cli;
	bool validate;
};
#define OFF(member) offsetof(struct options, cli.member)

static const struct vm_opt options[] = {
	{ .name = "paused", .kind = VM_OPT_FLAG, .off = OFF(start.paused),
	  .help = "do not let the vCPUs run" },
	{ .name = "console", .kind = VM_OPT_FLAG, .off = OFF(console),
	  .help = "connect to the console" },
	{ .name = "validate", .kind = VM_OPT_FLAG, .off = offsetof(struct options, validate),
	  .help = "for virsh's sake: the document is always validated" },
	VM_START_ROWS(OFF)
	{ 0 },
};
static const struct vm_operand_spec operands[] = {
	{ .name = "FILE", .kind = VM_OPERAND_FILE, .complete = "file" },
	{ 0 },
};
static const struct options defaults = { .cli.parallel = 1 };
static const struct vm_program program;

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;

	return vm_create_cli(&program, &o->common, &o->cli, err);
}

static const struct vm_program program = {
	.name = "vm-create",
	.usage = "[OPTION...] FILE",
	.summary = "Start a guest from a document without defining it; nothing is left of it when it\n"
		   "ends. FILE - is standard input.",
	.options = options,
	.operands = operands,
	.size = sizeof(struct options),
	.defaults = &defaults,
	.changes = true,
	.run = run,
	.schema = "vm-create/1",
};

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
