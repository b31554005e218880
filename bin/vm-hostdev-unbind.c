/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-hostdev-unbind: gives PCI devices back to the host's drivers.  Loads libc alone. */
#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/log.h>
#include <vm/state.h>

#include "guest/hostdev_bind.h"
#include "guest/hostdev_cli.h"

struct options {
	struct vm_common c;
	bool siblings;
	struct vm_state state;
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

static int unbind_one(const struct options *o, const struct vm_hostdev_view *v,
		      const struct vm_hostdev_item *i, struct vm_err *err)
{
	if (!o->c.dry_run)
		return vm_hostdev_unbind(&o->state, &v->sys, i->name, o->c.deadline, err);
	if (i->guest != NULL)
		return vm_err_set(err, VM_IN_USE, "%s is used by guest '%s'", i->name, i->guest);
	vm_log_step("give %s back to the host's driver", i->name);
	return 0;
}

static int each(void *opaque, const char *text, struct vm_err *err)
{
	struct options *o = opaque;
	VM_AUTO(vm_hostdev_view_free) struct vm_hostdev_view view = VM_HOSTDEV_VIEW_INIT;
	const struct vm_hostdev_item *item;
	int r, done;

	if (vm_hostdev_cli_find(&o->state, text, &view, &item, err) < 0 ||
	    (done = unbind_one(o, &view, item, err)) < 0)
		return -1;
	for (size_t i = 0; o->siblings && i < view.n; i++) {
		const struct vm_hostdev_item *other = &view.v[i];

		if (other == item || other->group != item->group || !other->pci->vfio)
			continue;
		r = unbind_one(o, &view, other, err);
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
	r = vm_cli_each(&program, &o->c, "given back", each, o);
	vm_state_close(&o->state);
	return r;
}

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
