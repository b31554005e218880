/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-hostdev-bind: takes PCI devices from the host's drivers, for guests.  Loads libc alone. */
#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/state.h>

#include "guest/hostdev_bind.h"
#include "guest/hostdev_cli.h"

struct options {
	struct vm_common c;
	bool siblings, force;
	const char *driver;
	struct vm_state state;
};

/* clang-format off */
#define AT(member) .off = offsetof(struct options, member)
static const struct vm_opt options[] = {
	{ "siblings", .kind = VM_OPT_FLAG, AT(siblings), .help = "the rest of the IOMMU group too" },
	{ "driver", .kind = VM_OPT_STR, AT(driver), .arg = "NAME",
	  .help = "a driver of VFIO for this device (default vfio-pci)" },
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

static int bind_one(const struct options *o, const struct vm_hostdev_view *v,
		    const struct vm_hostdev_item *i, struct vm_err *err)
{
	const struct vm_hostdev_take take = {
		.state = &o->state,
		.sys = &v->sys,
		.name = i->name,
		.driver = o->driver,
		.managed = true,
		.dry_run = o->c.dry_run,
		.deadline = o->c.deadline,
	};

	if (vm_hostdev_cli_may(i, o->force, "bind", err) < 0)
		return -1;
	return vm_hostdev_take(&take, err);
}

static int each(void *opaque, const char *text, struct vm_err *err)
{
	struct options *o = opaque;
	VM_AUTO(vm_hostdev_view_free) struct vm_hostdev_view view = VM_HOSTDEV_VIEW_INIT;
	const struct vm_hostdev_item *item;
	int r, done;

	if (vm_hostdev_cli_find(&o->state, text, &view, &item, err) < 0 ||
	    (done = bind_one(o, &view, item, err)) < 0)
		return -1;
	for (size_t i = 0; o->siblings && i < view.n; i++) {
		const struct vm_hostdev_item *other = &view.v[i];

		if (other == item || other->group != item->group || !vm_pci_is_endpoint(other->pci))
			continue;
		r = bind_one(o, &view, other, err);
		if (r < 0)
			return -1;
		done &= r;
	}
	return done;
}

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;
	int r;

	o->state = VM_STATE_INIT;
	if (vm_state_open(o->c.connect, VM_STATE_CHANGE, &o->state, err) < 0)
		return -1;
	r = vm_cli_each(&program, &o->c, "bound", each, o);
	vm_state_close(&o->state);
	return r;
}

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
