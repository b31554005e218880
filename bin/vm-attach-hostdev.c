/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-attach-hostdev(1): give host devices to a guest. */
#include <stddef.h>

#include <vm/cli.h>

#include "guest/attach_cli.h"

struct options {
	struct vm_common common;
	struct vm_attach_cli cli;
};
#define OFF(member) offsetof(struct options, cli.member)

static const struct options defaults = { .cli = { .managed = -1 } };
static const struct vm_opt options[] = {
	{ .name = "live", .kind = VM_OPT_FLAG, .off = OFF(live), .help = "" },
	{ .name = "config", .kind = VM_OPT_FLAG, .off = OFF(config), .same_line = 1, .help = "" },
	{ .name = "current", .kind = VM_OPT_FLAG, .off = OFF(current), .same_line = 1, .help = "" },
	{ .name = "persistent", .kind = VM_OPT_FLAG, .off = OFF(persistent), .same_line = 1,
	  .help = " what to change (default --current)" },
	{ .name = "managed", .kind = VM_OPT_ENUM, .off = OFF(managed), .arg = "yes|no",
	  .words = vm_attach_managed_words,
	  .help = "bind to VFIO now and give back on detach (default yes;\nFILE says it itself)" },
	{ .name = "siblings", .kind = VM_OPT_FLAG, .off = OFF(siblings),
	  .help = "park the rest of the IOMMU group, unseen by the guest" },
	{ .name = "address", .kind = VM_OPT_STR, .off = OFF(address), .arg = "ADDR",
	  .help = "guest address, DDDD:BB:SS.F (one DEVICE)" },
	{ .name = "alias", .kind = VM_OPT_STR, .off = OFF(alias), .arg = "ua-NAME", .help = "" },
	{ .name = "boot-order", .kind = VM_OPT_U64, .off = OFF(boot_order), .same_line = 4, .arg = "N", .help = "" },
	{ .name = "rom", .kind = VM_OPT_STR, .off = OFF(rom), .same_line = 3, .arg = "FILE|off",
	  .help = "  (one DEVICE)", .complete = "file" },
	{ .name = "wait", .kind = VM_OPT_SECONDS, .off = OFF(wait_ms), .optional = true, .value = 20000,
	  .arg = "SECONDS", .help = "wait until the guest has taken it (default: do not)" },
	{ .name = "force", .kind = VM_OPT_FLAG, .off = OFF(force),
	  .help = "also when the host uses it (mounted, routed, console)" },
	{ .name = "if-needed", .kind = VM_OPT_FLAG, .off = OFF(if_needed),
	  .help = "a device this guest has already is success" },
	{ .name = "print-xml", .kind = VM_OPT_FLAG, .off = OFF(print_xml),
	  .help = "print the device's XML and attach nothing" },
	{ 0 },
};
static const struct vm_program program;

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;

	return vm_attach_cli(&program, &o->common, &o->cli, err);
}

static const struct vm_program program = {
	.name = "vm-attach-hostdev",
	.usage = "[OPTION...] GUEST DEVICE...",
	.summary = "Give host devices to a guest: all of them or, after any failure, none.\n"
		   "DEVICE: 0000:01:00.0 | pci_0000_01_00_0 | usb:1-4.2 (port, survives replug)\n"
		   "  | usb:046d:c52b[:SERIAL] (4 hex digits each) | usb:001:004 (bus:device,\n"
		   "  3 decimal digits each) | mdev:UUID | scsi:H:B:T:L | FILE.xml | -",
	.options = options,
	.operands = vm_attach_operands,
	.size = sizeof(struct options),
	.defaults = &defaults,
	.changes = true,
	.run = run,
	.schema = "vm-attach-hostdev/1",
};

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
