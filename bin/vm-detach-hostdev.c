/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-detach-hostdev(1): take host devices back from a guest. */
#include <stddef.h>

#include <vm/cli.h>

#include "guest/attach_cli.h"

struct options {
	struct vm_common common;
	struct vm_attach_cli cli;
};
#define OFF(member) offsetof(struct options, cli.member)
#define WAIT_MS	    20000u /* a slot of PCI Express takes at least five seconds */

static const struct options defaults = { .cli = { .wait_ms = WAIT_MS, .managed = -1 } };
static const struct vm_opt options[] = {
	{ .name = "live", .kind = VM_OPT_FLAG, .off = OFF(live), .help = "" },
	{ .name = "config", .kind = VM_OPT_FLAG, .off = OFF(config), .same_line = 1, .help = "" },
	{ .name = "current", .kind = VM_OPT_FLAG, .off = OFF(current), .same_line = 1, .help = "" },
	{ .name = "persistent", .kind = VM_OPT_FLAG, .off = OFF(persistent), .same_line = 1,
	  .help = " what to change (default --current)" },
	{ .name = "siblings", .kind = VM_OPT_FLAG, .off = OFF(siblings),
	  .help = "also what is parked of the same IOMMU group" },
	{ .name = "wait", .kind = VM_OPT_SECONDS, .off = OFF(wait_ms), .optional = true, .value = WAIT_MS,
	  .arg = "SECONDS",
	  .help = "how long to wait until the guest has released it\n"
		  "(default 20); not released then: status 11" },
	{ .name = "if-needed", .kind = VM_OPT_FLAG, .off = OFF(if_needed),
	  .help = "a device this guest does not have is success" },
	{ 0 },
};
static const struct vm_program program;

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;

	return vm_detach_cli(&program, &o->common, &o->cli, err);
}

static const struct vm_program program = {
	.name = "vm-detach-hostdev",
	.usage = "[OPTION...] GUEST DEVICE...",
	.summary = "Take host devices back from a guest. Each goes back to the host's driver when\n"
		   "the guest has released it, which may be after this command has ended.\n"
		   "DEVICE: as for vm-attach-hostdev, or an alias (vm-info GUEST hostdevs)",
	.options = options,
	.operands = vm_attach_operands,
	.size = sizeof(struct options),
	.defaults = &defaults,
	.changes = true,
	.run = run,
	.schema = "vm-detach-hostdev/1",
};

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
