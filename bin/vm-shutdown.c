/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>

#include <vm/cleanup.h>
#include <vm/cli.h>

#include "guest/shutdown_cli.h"

struct options {
	struct vm_common common;
	struct vm_shutdown_cli cli;
};
#define OFF(member) offsetof(struct options, cli.member)

static const struct vm_opt options[] = {
	{ .name = "all", .kind = VM_OPT_FLAG, .off = OFF(all),
	  .help = "every running guest of this connection" },
	{ .name = "mode", .kind = VM_OPT_LIST, .off = OFF(mode), .arg = "MODE,...",
	  .help = "acpi, agent, initctl, signal, paravirt; tried in turn" },
	{ .name = "wait", .kind = VM_OPT_SECONDS, .off = OFF(wait_ms), .given = OFF(wait),
	  .optional = true, .value = 300000, .arg = "SECONDS",
	  .help = "wait until off (default 300); not off then: status 11" },
	{ .name = "then", .kind = VM_OPT_ENUM, .off = OFF(then), .given = OFF(then_given),
	  .words = vm_shutdown_then_words, .arg = "ACTION",
	  .help = "after an expired wait: fail (default), destroy, save" },
	{ .name = "parallel", .kind = VM_OPT_U64, .off = OFF(parallel), .arg = "N",
	  .help = "shut down N guests at a time (default: all)" },
	{ .name = "if-needed", .kind = VM_OPT_FLAG, .off = OFF(if_needed),
	  .help = "a guest that is off already is success" },
	{ 0 },
};
static const struct vm_operand_spec operands[] = {
	{ .name = "GUEST", .kind = VM_OPERAND_GUEST, .optional = true, .many = true,
	  .complete = "guest:running" },
	{ 0 },
};
static const struct vm_program program;

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;

	return vm_shutdown_cli(&program, &o->common, &o->cli, err);
}

static const struct vm_program program = {
	.name = "vm-shutdown",
	.usage = "[OPTION...] GUEST... | --all",
	.summary = "Ask guests to shut down. Without --wait: done when the request is delivered.",
	.options = options,
	.operands = operands,
	.size = sizeof(struct options),
	.changes = true,
	.run = run,
	.schema = "vm-shutdown/1",
};

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
