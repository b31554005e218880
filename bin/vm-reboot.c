/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>

#include "guest/modes.h"
#include "guest/verb_cli.h"

struct options {
	struct vm_verb v;
	struct vm_words mode;
	struct vm_shutdown_modes modes;
};

static const struct vm_opt options[] = {
	{ .name = "mode", .kind = VM_OPT_LIST, .off = offsetof(struct options, mode),
	  .arg = "MODE,...", .help = "acpi, agent, initctl, signal, paravirt; tried in turn" },
	{ 0 },
};
static const struct vm_program program;

static int reboot_one(void *opaque, const char *operand, struct vm_err *err)
{
	struct options *o = opaque;

	return vm_guest_reboot(&o->v.host, operand, &o->modes, o->v.common.dry_run, o->v.common.deadline,
			       err);
}

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;

	if (vm_shutdown_modes_parse(&o->mode, &o->modes, err) < 0)
		return -1;
	return vm_verb_run(&program, o, "asked to reboot", reboot_one, err);
}

static const struct vm_program program = {
	.name = "vm-reboot",
	.usage = "[OPTION...] GUEST...",
	.summary = "Ask guests to shut down and start again, in the same process.",
	.options = options,
	.operands = vm_verb_operands,
	.size = sizeof(struct options),
	.changes = true,
	.run = run,
	.schema = "vm-reboot/1",
};

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
