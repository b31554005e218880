/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>

#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/state.h>

#include "guest/console.h"

struct options {
	struct vm_common common;
	struct vm_console_options console;
};
#define OFF(member) offsetof(struct options, console.member)

static const struct vm_opt options[] = {
	{ .name = "devname", .kind = VM_OPT_STR, .off = OFF(device), .arg = "NAME",
	  .help = "alias of the device, as serial0 (default: the first\nconsole)" },
	{ .name = "force", .kind = VM_OPT_FLAG, .off = OFF(force),
	  .help = "disconnect whoever is connected" },
	{ .name = "safe", .kind = VM_OPT_FLAG, .off = OFF(safe),
	  .help = "only if the console is sure to be exclusive (always so)" },
	{ .name = "escape", .letter = 'e', .kind = VM_OPT_STR, .off = OFF(escape), .arg = "CHAR",
	  .help = "what ends it, ^A to ^_ (default ^])" },
	{ .name = "resume", .kind = VM_OPT_FLAG, .off = OFF(resume),
	  .help = "let a paused guest go on when connected" },
	{ 0 },
};
static const struct vm_operand_spec operands[] = {
	{ .name = "GUEST", .kind = VM_OPERAND_GUEST, .complete = "guest:running" },
	{ 0 },
};

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;

	return vm_console_cli(&o->common, &o->console, err);
}

static const struct vm_program program = {
	.name = "vm-console",
	.usage = "[OPTION...] GUEST",
	.summary = "Connect this terminal to a guest's console. ^] ends it.",
	.options = options,
	.operands = operands,
	.size = sizeof(struct options),
	.run = run,
	.schema = "vm-console/1",
	.tty = true,
};

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
