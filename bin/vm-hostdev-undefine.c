/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-hostdev-undefine: forgets definitions of host devices. */
#include <vm/cleanup.h>
#include <vm/cli.h>

#include "guest/hostdef_cli.h"

struct options {
	struct vm_hostdef_cli cli; /* first */
};

/* clang-format off */
static const struct vm_opt options[] = {
	{ 0 },
};
static int run(void *opaque, struct vm_err *err);
static const struct vm_program program = {
	.name = "vm-hostdev-undefine",
	.usage = "[OPTION...] DEVICE...",
	.summary = "Remove definitions of host devices. What was made of them stays.\n"
		   "DEVICE: mdev:UUID | vfs:0000:06:12.0 (a card's virtual functions) |\n"
		   "vgpu:0000:06:12.4 (a virtual GPU on a virtual function)",
	.options = options,
	.operands = vm_hostdef_operands,
	.size = sizeof(struct options),
	.changes = true,
	.run = run,
	.schema = "vm-hostdev-undefine/1",
	.things = "devices",
};
/* clang-format on */

static int undefine_one(void *opaque, const char *operand, struct vm_err *err)
{
	const struct options *o = opaque;
	VM_AUTO_FREE char *key = vm_hostdef_name(operand, err);

	return key == NULL ? -1 : vm_hostdef_undefine(&o->cli.h, key, err);
}

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;

	o->cli.each = undefine_one;
	return vm_hostdef_cli_run(&program, o, "undefined", err);
}

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
