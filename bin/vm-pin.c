/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-pin(1): show or set on which of the host's CPUs a guest's threads run. */
#include <stddef.h>

#include <vm/cli.h>

#include "guest/tune_cli.h"

static const struct vm_opt options[] = {
	VM_TUNE_ROWS
	{ .name = "vcpu", .kind = VM_OPT_STR, .off = VM_TUNE_OFF(vcpu), .arg = "N", .help = "" },
	{ .name = "iothread", .kind = VM_OPT_STR, .off = VM_TUNE_OFF(iothread), .arg = "ID", .same_line = 1,
	  .help = "" },
	{ .name = "emulator", .kind = VM_OPT_FLAG, .off = VM_TUNE_OFF(emulator), .same_line = 1,
	  .help = "\nthe thread, as virsh's commands name it" },
	{ .name = "cpulist", .kind = VM_OPT_STR, .off = VM_TUNE_OFF(cpulist), .arg = "CPUS",
	  .help = "the CPUs of that thread" },
	{ 0 },
};
static const struct vm_operand_spec operands[] = {
	{ .name = "GUEST", .kind = VM_OPERAND_GUEST },
	{ .name = "THREAD[=CPUS]", .kind = VM_OPERAND_OTHER, .optional = true, .many = true },
	{ 0 },
};
static const struct vm_program program;

static int run(void *opaque, struct vm_err *err)
{
	struct vm_tune_options *o = opaque;

	return vm_pin_cli(&program, &o->common, &o->cli, err);
}

static const struct vm_program program = {
	.name = "vm-pin",
	.usage = "[OPTION...] GUEST [THREAD[=CPUS]...]",
	.summary = "Show or set on which of the host's CPUs a guest's threads run (vcpupin,\n"
		   "emulatorpin, iothreadpin). THREAD: vcpuN, emulator, iothreadID, or vcpus and\n"
		   "iothreads for all of them. CPUS: 0-3,^2 or all. Several settings take effect\n"
		   "together or not at all.",
	.options = options,
	.operands = operands,
	.size = sizeof(struct vm_tune_options),
	.changes = true,
	.run = run,
	.schema = "vm-pin/1",
};

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
