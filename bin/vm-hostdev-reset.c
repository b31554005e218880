/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-hostdev-reset: lets the kernel reset PCI devices.  Loads libc alone. */
#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/log.h>
#include <vm/state.h>

#include "guest/hostdev_cli.h"
#include "host/vfio.h"

struct options {
	struct vm_common c;
	bool force;
	struct vm_state state;
};

/* clang-format off */
#define AT(member) .off = offsetof(struct options, member)
static const struct vm_opt options[] = {
	{ "force", .kind = VM_OPT_FLAG, AT(force),
	  .help = "also when the host uses it (mounted, routed, console)" },
	{ 0 },
};
static int run(void *opaque, struct vm_err *err);
static const struct vm_program program = {
	.name = "vm-hostdev-reset",
	.usage = "[OPTION...] DEVICE...",
	.summary = "Reset PCI devices that no guest has, by the means the kernel has for each.\n"
		   "DEVICE: 0000:01:00.0 | pci_0000_01_00_0",
	.options = options,
	.operands = vm_hostdev_operands,
	.size = sizeof(struct options),
	.changes = true,
	.run = run,
	.schema = "vm-hostdev-reset/1",
	.things = "devices",
};
/* clang-format on */

static int each(void *opaque, const char *text, struct vm_err *err)
{
	struct options *o = opaque;
	VM_AUTO(vm_hostdev_view_free) struct vm_hostdev_view view = VM_HOSTDEV_VIEW_INIT;
	const struct vm_hostdev_item *item;

	if (vm_hostdev_cli_find(&o->state, text, &view, &item, err) < 0)
		return -1;
	if (item->guest != NULL)
		return vm_err_set(err, VM_IN_USE, "%s is used by guest '%s'", item->name, item->guest);
	/* Its group and the IOMMU do not matter for this. */
	for (size_t n = 0; n < item->n_blocks && !o->force; n++)
		if (item->blocks[n].force) {
			vm_err_set(err, VM_IN_USE, "cannot reset %s: %s", item->name, item->blocks[n].text);
			return vm_err_hint(err, "end that use, or give --force");
		}
	if (!vm_pci_is_endpoint(item->pci))
		return vm_err_set(err, VM_BAD_INPUT, "cannot reset %s: it is a bridge, not an endpoint",
				  item->name);
	vm_log_step("write 1 to reset of %s", item->name);
	return o->c.dry_run ? 0 : vm_pci_do_reset(&view.sys, item->name, o->c.deadline, err);
}

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;
	int r;

	o->state = VM_STATE_INIT;
	if (vm_state_open(o->c.connect, VM_STATE_READ, &o->state, err) < 0)
		return -1;
	r = vm_cli_each(&program, &o->c, "reset", each, o);
	vm_state_close(&o->state);
	return r;
}

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
