/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-hostdev-reset: lets the kernel reset PCI devices.  Loads libc alone. */
#include <string.h>

#include <vm/cli.h>
#include <vm/log.h>

#include "guest/hostdev_cli.h"
#include "host/vfio.h"
#include "state/hostdev.h"

struct options {
	struct vm_hostdev_cli cli; /* first */
	bool force;
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

/* Resetting a bus resets all that is on it, also what the host or a guest is at work with. */
static const struct vm_hostdev_item *shares_bus(const struct vm_hostdev_view *v, const struct vm_hostdev_item *i)
{
	const struct vm_pci_address *a = &i->pci->address;

	if (i->pci->can_reset || vm_pci_on_root_bus(&v->sys, i->name))
		return NULL;
	for (size_t n = 0; n < v->n; n++) {
		const struct vm_hostdev_item *o = &v->v[n];

		if (o->bus == VM_HOSTDEV_PCI && o != i && o->pci->address.domain == a->domain &&
		    o->pci->address.bus == a->bus && (o->guest != NULL || (o->pci->driver[0] != 0 && !o->pci->vfio)))
			return o;
	}
	return NULL;
}

static int reset_one(void *opaque, const struct vm_hostdev_view *v,
		     const struct vm_hostdev_item *i, struct vm_err *err)
{
	const struct options *o = opaque;
	const struct vm_hostdev_item *other;

	if (i->guest != NULL)
		return vm_hostdev_refuse_user(i->name, i->guest, err);
	/* Its group and the IOMMU do not matter for this. */
	for (size_t n = 0; n < i->n_blocks; n++) {
		const struct vm_hostdev_block *b = &i->blocks[n];
		bool guest = strncmp(b->word, VM_HOSTDEV_BLOCK_GUEST, strlen(VM_HOSTDEV_BLOCK_GUEST)) == 0;

		if (!guest && (!b->force || o->force))
			continue;
		vm_err_set(err, VM_IN_USE, "cannot reset %s: %s", i->name, b->text);
		return vm_err_hint(err, "%s", guest ? b->hint : "end that use, or give --force");
	}
	if (!vm_pci_is_endpoint(i->pci))
		return vm_err_set(err, VM_BAD_INPUT, "cannot reset %s: it is a bridge, not an endpoint", i->name);
	other = shares_bus(v, i);
	if (other != NULL) {
		vm_err_set(err, VM_IN_USE, "cannot reset %s: that takes a reset of its whole bus, where %s (%s) is in use",
			   i->name, other->name, other->guest != NULL ? other->guest : other->pci->driver);
		return vm_err_hint(err, "a guest that is given all devices of the bus resets it");
	}
	vm_log_step("write 1 to reset of %s", i->name);
	return o->cli.common.dry_run ? 0 : vm_pci_do_reset(&v->sys, i->name, o->cli.common.deadline, err);
}

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;

	o->cli.one = reset_one;
	o->cli.bus = true;
	return vm_hostdev_cli_run(&program, o, VM_STATE_READ, "reset", err);
}

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
