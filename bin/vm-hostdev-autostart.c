/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-hostdev-autostart: which host devices are made when the host starts; and making them. */
#include <vm/cleanup.h>
#include <vm/cli.h>

#include "guest/hostdef_cli.h"

struct options {
	struct vm_hostdef_cli cli; /* first */
	bool disable, run;
};

/* clang-format off */
#define AT(member) .off = offsetof(struct options, member)
static const struct vm_opt options[] = {
	{ "disable", .kind = VM_OPT_FLAG, AT(disable), .help = "take the mark away" },
	{ "run", .kind = VM_OPT_FLAG, AT(run), .help = "make every marked device now, cards\nwith virtual functions first" },
	{ 0 },
};
static const struct vm_operand_spec operands[] = {
	{ .name = "DEVICE", .kind = VM_OPERAND_OTHER, .optional = true, .many = true, .complete = "hostdev" },
	{ 0 },
};
static int run(void *opaque, struct vm_err *err);
static const struct vm_program program = {
	.name = "vm-hostdev-autostart",
	.usage = "[OPTION...] DEVICE...\n[OPTION...] --run",
	.summary = "Mark defined host devices to be made when the host starts, or make all that are\n"
		   "marked.\n"
		   "DEVICE: mdev:UUID | vfs:0000:06:12.0 (a card's virtual functions) |\n"
		   "vgpu:0000:06:12.4 (a virtual GPU on a virtual function)",
	.options = options,
	.operands = operands,
	.size = sizeof(struct options),
	.changes = true,
	.run = run,
	.schema = "vm-hostdev-autostart/1",
	.things = "devices",
};
/* clang-format on */

static int mark_one(void *opaque, const char *operand, struct vm_err *err)
{
	const struct options *o = opaque;
	VM_AUTO_FREE char *key = vm_hostdef_name(operand, err);

	return key == NULL ? -1 : vm_hostdef_autostart(&o->cli.h, key, !o->disable, err);
}

static int start_one(void *opaque, const char *key, struct vm_err *err)
{
	const struct options *o = opaque;

	return vm_hostdef_start(&o->cli.h, key, err);
}

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;

	if (o->run == (o->cli.common.operands.n > 0) || (o->run && o->disable))
		return vm_err_set(err, VM_USAGE, o->run ? "--run takes no DEVICE and no --disable" : "DEVICE is missing");
	o->cli.each = o->run ? start_one : mark_one;
	return vm_hostdef_cli_run(&program, o, o->run ? "started" : o->disable ? "unmarked" : "marked", err);
}

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
