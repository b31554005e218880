/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-cgroup(1): show or set what a guest may take of its host. */
#include <stddef.h>

#include <vm/cli.h>

#include "guest/tune_cli.h"

static const struct vm_opt options[] = {
	VM_TUNE_ROWS
	{ .name = "raw", .kind = VM_OPT_FLAG, .off = VM_TUNE_OFF(raw),
	  .help = "what the kernel's files say, with their paths" },
	{ .name = "convert-shares", .kind = VM_OPT_FLAG, .off = VM_TUNE_OFF(convert),
	  .help = "map cpu_shares 2..262144 to cgroup v2's 1..10000" },
	{ 0 },
};
static const struct vm_operand_spec operands[] = {
	{ .name = "GUEST", .kind = VM_OPERAND_GUEST },
	{ .name = "KEY[=VALUE]", .kind = VM_OPERAND_OTHER, .optional = true, .many = true },
	{ 0 },
};
static const struct vm_program program;

static int run(void *opaque, struct vm_err *err)
{
	struct vm_tune_options *o = opaque;

	return vm_cgroup_cli(&program, &o->common, &o->cli, err);
}

static const struct vm_program program = {
	.name = "vm-cgroup",
	.usage = "[OPTION...] GUEST [KEY[=VALUE]...]\n[OPTION...] GUEST devices",
	.summary =
	    "Show or set a guest's limits (schedinfo, memtune, blkiotune, numatune), or list\n"
	    "its device rules. Keys are virsh's: cpu_shares vcpu_period vcpu_quota\n"
	    "emulator_period emulator_quota iothread_period iothread_quota global_period\n"
	    "global_quota hard_limit soft_limit swap_hard_limit weight numa_mode numa_nodeset\n"
	    "device_weight:PATH device_{read,write}_{iops,bytes}_sec:PATH; '-' is as good as\n"
	    "'_'. VALUE \"max\" (or -1) removes a limit. Several settings take effect together\n"
	    "or not at all.",
	.options = options,
	.operands = operands,
	.size = sizeof(struct vm_tune_options),
	.changes = true,
	.run = run,
	.schema = "vm-cgroup/1",
};

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
