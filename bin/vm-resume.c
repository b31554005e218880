/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>

#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/guest.h>

struct options {
	struct vm_common common;
	struct vm_host host;
};

static const struct vm_opt options[] = { { 0 } };
static const struct vm_operand_spec operands[] = {
	{ .name = "GUEST", .kind = VM_OPERAND_GUEST, .many = true, .complete = "guest:paused" },
	{ 0 },
};
static const struct vm_program program;

static int resume_one(void *opaque, const char *operand, struct vm_err *err)
{
	struct options *o = opaque;

	return vm_guest_resume(&o->host, operand, o->common.dry_run, o->common.deadline, err);
}

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;
	int r;

	o->host = VM_HOST_INIT;
	if (vm_host_open(o->common.connect, &o->host, err) < 0)
		return -1;
	r = vm_cli_each(&program, &o->common, "running", resume_one, o);
	vm_host_close(&o->host);
	return r;
}

static const struct vm_program program = {
	.name = "vm-resume",
	.usage = "[OPTION...] GUEST...",
	.summary = "Let the vCPUs of paused guests go on.",
	.options = options,
	.operands = operands,
	.size = sizeof(struct options),
	.changes = true,
	.run = run,
	.schema = "vm-resume/1",
};

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
