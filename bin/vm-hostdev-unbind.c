/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-hostdev-unbind: gives PCI devices back to the host's drivers.  Loads libc alone. */
#include <vm/cli.h>
#include <vm/log.h>

#include "guest/hostdev_bind.h"
#include "guest/hostdev_cli.h"
#include "state/hostdev.h"

struct options {
	struct vm_hostdev_cli cli; /* first */
	bool siblings;
};

/* clang-format off */
#define AT(member) .off = offsetof(struct options, member)
static const struct vm_opt options[] = {
	{ "siblings", .kind = VM_OPT_FLAG, AT(siblings),
	  .help = "the rest of the IOMMU group too, if it is on VFIO" },
	{ 0 },
};
static int run(void *opaque, struct vm_err *err);
static const struct vm_program program = {
	.name = "vm-hostdev-unbind",
	.usage = "[OPTION...] DEVICE...",
	.summary = "Give PCI devices that are on VFIO back to the host's drivers.\n"
		   "DEVICE: 0000:01:00.0 | pci_0000_01_00_0",
	.options = options,
	.operands = vm_hostdev_operands,
	.size = sizeof(struct options),
	.changes = true,
	.run = run,
	.schema = "vm-hostdev-unbind/1",
	.things = "devices",
};
/* clang-format on */

static int unbind_one(void *opaque, const struct vm_hostdev_view *v,
		      const struct vm_hostdev_item *i, struct vm_err *err)
{
	const struct options *o = opaque;

	if (vm_hostdev_cli_closed(i, "give back", err) < 0)
		return -1;
	if (!o->cli.common.dry_run)
		return vm_hostdev_unbind(&o->cli.state, &v->sys, i->name, o->cli.common.deadline, err);
	if (i->guest != NULL)
		return vm_hostdev_refuse_user(i->name, i->guest, err);
	if (!i->pci->vfio)
		return 1;
	vm_hostdev_name_give_back(&o->cli.state, &v->sys, i->name, NULL);
	return 0;
}

static bool sibling(const struct vm_hostdev_item *i)
{
	return i->pci->vfio;
}

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;

	o->cli.one = unbind_one;
	o->cli.sibling = o->siblings ? sibling : NULL;
	return vm_hostdev_cli_run(&program, o, VM_STATE_CHANGE, "given back", err);
}

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
