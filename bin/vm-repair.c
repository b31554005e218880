/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-repair: finishes or undoes what interrupted commands left. */
#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/guest.h>

#include "guest/repair.h"

struct options {
	struct vm_common c;
	bool all;
};

/* clang-format off */
static const struct vm_opt options[] = {
	{ "all", .kind = VM_OPT_FLAG, .off = offsetof(struct options, all),
	  .help = "every guest, and what they share" },
	{ 0 },
};
static int run(void *opaque, struct vm_err *err);
static const struct vm_program program = {
	.name = "vm-repair",
	.usage = "[OPTION...] GUEST... | --all",
	.summary = "Finish or undo whatever interrupted commands left, and say what it was.",
	.options = options,
	.operands = vm_operands_guests,
	.size = sizeof(struct options),
	.changes = true,
	.run = run,
	.schema = "vm-repair/1",
};
/* clang-format on */

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;
	VM_AUTO(vm_host_close) struct vm_host host = VM_HOST_INIT;

	if (o->all == (o->c.operands.n > 0))
		return vm_err_set(err, VM_USAGE,
				  o->all ? "--all takes no GUEST" : "GUEST or --all is missing");
	if (vm_host_open(o->c.connect, &host, err) < 0)
		return -1;
	return vm_repair_cli(&program, &o->c, o->all, &host, err);
}

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
