/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-hostdev-info: one device of the host, and why a guest can or cannot have it.  Loads libc alone. */
#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/out.h>
#include <vm/state.h>

#include "guest/hostdev_view.h"

struct options {
	struct vm_common c;
	const char *get, *sysroot;
};

/* clang-format off */
#define AT(member) .off = offsetof(struct options, member)
static const struct vm_opt options[] = {
	{ "get", .kind = VM_OPT_STR, AT(get), .arg = "KEY,...",
	  .help = "print these values only, bare, one a line" },
	{ "sysroot", .kind = VM_OPT_STR, AT(sysroot), .arg = "DIR", .complete = "dir",
	  .help = "show the machine whose /sys and /proc are below DIR" },
	{ 0 },
};
static const struct vm_operand_spec operands[] = {
	{ .name = "DEVICE", .kind = VM_OPERAND_OTHER, .complete = "hostdev" },
	{ 0 },
};
static int run(void *opaque, struct vm_err *err);
static const struct vm_program program = {
	.name = "vm-hostdev-info",
	.usage = "[OPTION...] DEVICE",
	.summary = "Show a device of the host, and why a guest can or cannot have it.\n"
		   "DEVICE: 0000:01:00.0 | usb:1-4.2 | usb:046d:c52b[:SERIAL] | usb:001:004\n"
		   "  | scsi:H:B:T:L | mdev:UUID | name in /sys/class/mdev_bus",
	.options = options,
	.operands = operands,
	.size = sizeof(struct options),
	.run = run,
};
/* clang-format on */

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;
	VM_AUTO(vm_state_close) struct vm_state state = VM_STATE_INIT;
	VM_AUTO(vm_hostdev_view_free) struct vm_hostdev_view view = VM_HOSTDEV_VIEW_INIT;
	const struct vm_hostdev_item *item;
	struct vm_out *out;

	vm_err_object(err, o->c.operands.v[0]);
	if (vm_state_open(o->c.connect, VM_STATE_READ, &state, err) < 0 ||
	    vm_hostdev_view_show(o->sysroot != NULL ? NULL : &state, o->sysroot, &view, err) < 0 ||
	    vm_hostdev_view_find(&view, o->c.operands.v[0], &item, err) < 0)
		return -1;
	out = vm_out_open(stdout, VM_OUT_KEYS, "vm-hostdev-info/1", o->c.json, false);
	if (o->get != NULL)
		vm_out_only(out, o->get);
	vm_hostdev_show(out, o->c.json, &view, item, o->c.deadline);
	return vm_out_close(out, err);
}

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
