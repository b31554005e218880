/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-doctor: checks the host and its configuration. */
#include <vm/cli.h>

#include "guest/doctor.h"

struct options {
	struct vm_common c;
	struct vm_doctor_cli cli;
};

/* clang-format off */
static const struct vm_opt options[] = {
	{ "problems", .kind = VM_OPT_FLAG, .off = offsetof(struct options, cli.problems),
	  .help = "print only what is to be done something about" },
	{ "sysroot", .kind = VM_OPT_STR, .off = offsetof(struct options, cli.sysroot), .arg = "DIR",
	  .help = "look at the host recorded there, by files alone", .complete = "dir" },
	{ 0 },
};
static const struct vm_operand_spec operands[] = {
	{ "CHECK|GUEST", VM_OPERAND_GUEST, true, true, NULL }, { 0 },
};
static int run(void *opaque, struct vm_err *err);
static const struct vm_program program = {
	.name = "vm-doctor",
	.usage = "[OPTION...] [CHECK|GUEST...]\n[OPTION...] config",
	.summary = "Check what guests need of this host, or guests: would they start, do they run\n"
		   "as they should; or print the effective vm.conf.\n"
		   "CHECK: vm.conf kvm qemu iommu modules cgroup acl init ids group limits run\n"
		   "lsm images guests leftovers (default: all of them).",
	.options = options,
	.operands = operands,
	.size = sizeof(struct options),
	.run = run,
	.schema = "vm-doctor/1",
};
/* clang-format on */

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;

	return vm_doctor_cli(&program, &o->c, &o->cli, err);
}

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
