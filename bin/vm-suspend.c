/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/verb_cli.h"

static const struct vm_opt options[] = { { 0 } };
static const struct vm_program program;

static int suspend_one(void *opaque, const char *operand, struct vm_err *err)
{
	struct vm_verb *v = opaque;

	return vm_guest_suspend(&v->host, operand, v->common.dry_run, v->common.deadline, err);
}

static int run(void *options_, struct vm_err *err)
{
	return vm_verb_run(&program, options_, "paused", suspend_one, err);
}

static const struct vm_program program = {
	.name = "vm-suspend",
	.usage = "[OPTION...] GUEST...",
	.summary = "Stop the vCPUs of guests; vm-resume lets them go on.",
	.options = options,
	.operands = vm_verb_operands,
	.size = sizeof(struct vm_verb),
	.changes = true,
	.run = run,
	.schema = "vm-suspend/1",
};

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
