/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-hostdev-define: keeps documents of host devices, to be made later. */
#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/xml.h>

#include "guest/hostdef_cli.h"

struct options {
	struct vm_hostdef_cli cli; /* first */
	bool validate;
};

/* clang-format off */
#define AT(member) .off = offsetof(struct options, member)
static const struct vm_opt options[] = {
	{ "validate", .kind = VM_OPT_FLAG, AT(validate), .help = "accepted as virsh's; documents are always validated" },
	{ 0 },
};
static int run(void *opaque, struct vm_err *err);
static const struct vm_program program = {
	.name = "vm-hostdev-define",
	.usage = "[OPTION...] FILE...",
	.summary = "Define host devices from documents (libvirt's node devices of type mdev, virtual\n"
		   "functions, virtual GPUs); FILE - is standard input. vm-hostdev-start makes them.",
	.options = options,
	.operands = vm_hostdef_file_operands,
	.size = sizeof(struct options),
	.changes = true,
	.run = run,
	.schema = "vm-hostdev-define/1",
	.things = "devices",
};
/* clang-format on */

static int define_one(void *opaque, const char *file, struct vm_err *err)
{
	struct options *o = opaque;
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	char *key = NULL;
	int r;

	if (vm_xml_load(file, &doc, err) < 0)
		return -1;
	r = vm_hostdef_define(&o->cli.h, doc, &key, err);
	if (key != NULL)
		vm_hostdef_cli_name(&o->cli, file, key);
	return r;
}

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;

	o->cli.each = define_one;
	return vm_hostdef_cli_run(&program, o, "defined", err);
}

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
