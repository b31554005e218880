/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>

#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/guest.h>

struct options {
	struct vm_common common;
	bool graceful, remove_logs, if_needed;
	struct vm_host host;
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
static const struct vm_operand_spec operands[] = {
	{ .name = "GUEST", .kind = VM_OPERAND_GUEST, .many = true, .complete = "guest:running" },
	{ 0 },
};
static const struct vm_program program;

static int destroy_one(void *opaque, const char *operand, struct vm_err *err)
{
	struct options *o = opaque;

	return vm_guest_destroy(&o->host, operand, o->graceful, o->remove_logs, o->if_needed,
				o->common.dry_run, o->common.deadline, err);
}

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;
	int r;

	o->host = VM_HOST_INIT;
	if (vm_host_open(o->common.connect, &o->host, err) < 0)
		return -1;
	r = vm_cli_each(&program, &o->common, "destroyed", destroy_one, o);
	vm_host_close(&o->host);
	return r;
}

static const struct vm_program program = {
	.name = "vm-destroy",
	.usage = "[OPTION...] GUEST...",
	.summary = "End guests at once, as if their power was cut.",
	.options = options,
	.operands = operands,
	.size = sizeof(struct options),
	.changes = true,
	.run = run,
	.schema = "vm-destroy/1",
};

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
