/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-hostdev-destroy: unmakes host devices that were made. */
#include <vm/cleanup.h>
#include <vm/cli.h>

#include "guest/hostdef_cli.h"

struct options {
	struct vm_hostdef_cli cli; /* first */
	bool force;
};

/* clang-format off */
#define AT(member) .off = offsetof(struct options, member)
static const struct vm_opt options[] = {
	{ "force", .kind = VM_OPT_FLAG, AT(force), .help = "also what the host uses (routed, mounted)" },
	{ 0 },
};
static int run(void *opaque, struct vm_err *err);
static const struct vm_program program = {
	.name = "vm-hostdev-destroy",
	.usage = "[OPTION...] DEVICE...",
	.summary = "Unmake mediated devices, virtual functions, virtual GPUs and virtual ports that\n"
		   "no guest has.\n"
		   "DEVICE: mdev:UUID | vfs:0000:06:12.0 (a card's virtual functions) |\n"
		   "vgpu:0000:06:12.4 (a virtual GPU on a virtual function) | vport:WWPN |\n"
		   "scsi_host6 (a virtual port by its host)",
	.options = options,
	.operands = vm_hostdef_operands,
	.size = sizeof(struct options),
	.changes = true,
	.run = run,
	.schema = "vm-hostdev-destroy/1",
	.things = "devices",
};
/* clang-format on */

static int destroy_one(void *opaque, const char *operand, struct vm_err *err)
{
	const struct options *o = opaque;
	VM_AUTO_FREE char *key = vm_hostdef_name(operand, err);

	return key == NULL ? -1 : vm_hostdef_unmake(&o->cli.h, key, o->force, err);
}

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;

	o->cli.each = destroy_one;
	return vm_hostdef_cli_run(&program, o, "destroyed", err);
}

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
