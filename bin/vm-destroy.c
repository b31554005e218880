/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>

#include "guest/verb_cli.h"

struct options {
	struct vm_verb v;
	bool graceful, remove_logs, if_needed;
};

static const struct vm_opt options[] = {
	{ .name = "graceful", .kind = VM_OPT_FLAG, .off = offsetof(struct options, graceful),
	  .help = "ask QEMU to end (SIGTERM); if it does not, fail" },
	{ .name = "remove-logs", .kind = VM_OPT_FLAG, .off = offsetof(struct options, remove_logs),
	  .help = "remove the guest's log files too" },
	{ .name = "if-needed", .kind = VM_OPT_FLAG, .off = offsetof(struct options, if_needed),
	  .help = "a guest that is off already is success" },
	{ 0 },
};
static const struct vm_program program;

static int destroy_one(void *opaque, const char *operand, struct vm_err *err)
{
	struct options *o = opaque;

	return vm_guest_destroy(&o->v.host, operand, o->graceful, o->remove_logs, o->if_needed,
				o->v.common.dry_run, o->v.common.deadline, err);
}

static int run(void *options_, struct vm_err *err)
{
	return vm_verb_run(&program, options_, "destroyed", destroy_one, err);
}

static const struct vm_program program = {
	.name = "vm-destroy",
	.usage = "[OPTION...] GUEST...",
	.summary = "End guests at once, as if their power was cut.",
	.options = options,
	.operands = vm_verb_operands,
	.size = sizeof(struct options),
	.changes = true,
	.run = run,
	.schema = "vm-destroy/1",
};

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
