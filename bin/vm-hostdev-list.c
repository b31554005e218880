/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-hostdev-list: the host's devices, and which of them a guest can have.  Loads libc alone. */
#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/out.h>

#include "guest/hostdef.h"
#include "guest/hostdev_view.h"

struct options {
	struct vm_common c;
	bool table, tree, inactive, all;
	struct vm_words kinds, states;
	const char *guest, *driver, *sysroot;
	bool group_given;
	uint64_t group;
};

/* clang-format off */
#define AT(member) .off = offsetof(struct options, member)
static const struct vm_opt options[] = {
	{ "kind", .kind = VM_OPT_LIST, AT(kinds), .arg = "KIND,...",
	  .help = "devices of these kinds: pci, usb, scsi, mdev,\nmdev-parent (what makes mediated devices)" },
	{ "state", .kind = VM_OPT_LIST, AT(states), .arg = "STATE,...",
	  .help = "in these states: host, ready, assigned, unplugging,\nstuck, blocked" },
	{ "group", .kind = VM_OPT_U64, AT(group), .given = offsetof(struct options, group_given),
	  .arg = "N", .help = "in this IOMMU group" },
	{ "guest", .kind = VM_OPT_STR, AT(guest), .arg = "GUEST", .complete = "guest",
	  .help = "given to this guest" },
	{ "driver", .kind = VM_OPT_STR, AT(driver), .arg = "NAME", .help = "with this driver" },
	{ "inactive", .kind = VM_OPT_FLAG, AT(inactive), .help = "those that are defined and not there, alone" },
	{ "all", .kind = VM_OPT_FLAG, AT(all), .help = "and those that are defined and not there" },
	{ "tree", .kind = VM_OPT_FLAG, AT(tree),
	  .help = "by IOMMU group, with what keeps them from a guest, for\npeople" },
	{ "table", .kind = VM_OPT_FLAG, AT(table), .help = "header and padding also in a pipe" },
	{ "sysroot", .kind = VM_OPT_STR, AT(sysroot), .arg = "DIR", .complete = "dir",
	  .help = "show the machine whose /sys and /proc are below DIR" },
	{ 0 },
};
static const struct vm_operand_spec operands[] = { { 0 } };
static int run(void *opaque, struct vm_err *err);
static const struct vm_program program = {
	.name = "vm-hostdev-list",
	.usage = "[OPTION...]",
	.summary = "List the host's devices: PCI, USB, SCSI and mediated ones, and what makes these.",
	.options = options,
	.operands = operands,
	.size = sizeof(struct options),
	.run = run,
};
static const struct vm_out_column columns[] = {
	{ "device", "DEVICE" }, { "group", "GROUP" }, { "numa_node", "NUMA" }, { "driver", "DRIVER" },
	{ "state", "STATE" }, { "reset", "RESET" }, { "guest", "GUEST" }, { "description", "DESCRIPTION" },
};
/* clang-format on */

struct sheet {
	struct vm_out *out;
	const struct vm_hostdev_view *view;
	const struct vm_hostdefs *defs;
};

static int print_defined(const char *key, void *arg)
{
	const struct sheet *s = arg;

	if (!vm_hostdev_made(s->view, key))
		vm_hostdev_defined_row(s->out, key, vm_hostdef_is_marked(s->defs, key));
	return 0;
}

static int print(const struct options *o, const struct vm_hostdev_view *v,
		 const struct vm_hostdev_filter *f, const struct vm_hostdefs *defs, struct vm_err *err)
{
	struct vm_out *out = vm_out_open(stdout, o->c.quiet || o->tree ? VM_OUT_QUIET : VM_OUT_TABLE,
					 "vm-hostdev-list/1", o->c.json, o->table);
	struct sheet sheet = { out, v, defs };

	if (o->tree && !o->c.json && !o->c.quiet)
		vm_hostdev_tree(out, v, f);
	vm_out_array(out, "devices", columns, VM_COUNT(columns));
	for (size_t i = 0; i < v->n && !o->inactive; i++)
		if (vm_hostdev_passes(f, &v->v[i]))
			vm_hostdev_row(out, o->c.json, &v->v[i]);
	if ((o->inactive || o->all) && vm_hostdef_defined(defs, print_defined, &sheet, err) < 0) {
		vm_out_drop(out);
		return -1;
	}
	vm_out_array_end(out);
	return vm_out_close(out, err);
}

static bool any(const struct vm_hostdev_view *v, const struct vm_hostdev_filter *f)
{
	for (size_t i = 0; i < v->n; i++)
		if (vm_hostdev_passes(f, &v->v[i]))
			return true;
	return false;
}

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;
	VM_AUTO(vm_hostdefs_close) struct vm_hostdefs defs = VM_HOSTDEFS_INIT;
	VM_AUTO(vm_hostdev_view_free) struct vm_hostdev_view view = VM_HOSTDEV_VIEW_INIT;
	VM_AUTO_FREE char *guest = NULL;
	struct vm_hostdev_filter f = { .driver = o->driver, .has_group = o->group_given, .group = o->group };

	if (o->tree && (o->inactive || o->all))
		return vm_err_set(err, VM_USAGE, "--tree is of devices that are there");
	if (vm_hostdev_filter_words(&o->kinds, vm_hostdev_bus_words, "kind", &f.buses, err) < 0 ||
	    vm_hostdev_filter_words(&o->states, vm_hostdev_state_words, "state", &f.states, err) < 0 ||
	    vm_hostdefs_open(o->c.connect, VM_STATE_READ, &defs, err) < 0)
		return -1;
	/* a guest that is gone may have left a device behind */
	if (o->guest != NULL && vm_guest_resolve(&defs.state, o->guest, true, &guest, err) < 0 && err->kind != VM_NOT_FOUND)
		return vm_err_object(err, o->guest);
	f.guest = guest != NULL ? guest : o->guest;
	if (vm_hostdev_view_show(o->sysroot != NULL ? NULL : &defs.state, o->sysroot, &view, err) < 0)
		return -1;
	if (o->guest != NULL && guest == NULL && !any(&view, &f))
		return vm_err_object(err, o->guest);
	return print(o, &view, &f, &defs, err);
}

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
