/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-hostdev-bind: takes PCI devices from the host's drivers, for guests.  Loads libc alone. */
#include <string.h>

#include <vm/cli.h>

#include "guest/hostdev_bind.h"
#include "guest/hostdev_cli.h"

struct options {
	struct vm_hostdev_cli cli; /* first */
	bool siblings, force, later;
	const char *driver;
};

/* clang-format off */
#define AT(member) .off = offsetof(struct options, member)
static const struct vm_opt options[] = {
	{ "siblings", .kind = VM_OPT_FLAG, AT(siblings), .help = "the rest of the IOMMU group too" },
	{ "driver", .kind = VM_OPT_STR, AT(driver), .arg = "NAME",
	  .help = "this driver of VFIO instead of the one that fits best" },
	{ "force", .kind = VM_OPT_FLAG, AT(force),
	  .help = "also when the host uses it (mounted, routed, console)" },
	{ 0 },
};
static int run(void *opaque, struct vm_err *err);
static const struct vm_program program = {
	.name = "vm-hostdev-bind",
	.usage = "[OPTION...] DEVICE...",
	.summary = "Take PCI devices from the host's drivers and bind them to VFIO.\n"
		   "DEVICE: 0000:01:00.0 | pci_0000_01_00_0",
	.options = options,
	.operands = vm_hostdev_operands,
	.size = sizeof(struct options),
	.changes = true,
	.run = run,
	.schema = "vm-hostdev-bind/1",
	.things = "devices",
};
/* clang-format on */

static int bind_one(void *opaque, const struct vm_hostdev_view *v,
		    const struct vm_hostdev_item *i, struct vm_err *err)
{
	struct options *o = opaque;
	const struct vm_hostdev_take take = {
		.state = &o->cli.state,
		.sys = &v->sys,
		.name = i->name,
		/* virsh's name of the way, not of a driver */
		.driver = o->driver != NULL && strcmp(o->driver, "vfio") == 0 ? NULL : o->driver,
		.managed = true,
		.dry_run = o->cli.common.dry_run,
		.later = o->later,
		.deadline = o->cli.common.deadline,
	};

	if (vm_hostdev_cli_may(i, o->force, "bind", err) < 0)
		return -1;
	o->later = true;
	return vm_hostdev_take(&take, err);
}

static bool sibling(const struct vm_hostdev_item *i)
{
	return vm_pci_is_endpoint(i->pci);
}

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;

	o->cli.one = bind_one;
	o->cli.sibling = o->siblings ? sibling : NULL;
	return vm_hostdev_cli_run(&program, o, VM_STATE_CHANGE, "bound", err);
}

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
