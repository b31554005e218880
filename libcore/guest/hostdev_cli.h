/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What vm-hostdev-bind, -unbind and -reset share.  Needs libc alone. */
#include <vm/cli.h>
#include <vm/err.h>
#include <vm/state.h>

#include "hostdev_view.h"

extern const struct vm_operand_spec vm_hostdev_operands[];
/* What the options of such a program begin with. */
struct vm_hostdev_cli {
	struct vm_common common; /* first: vm_cli_each() sets its deadline */
	struct vm_state state;	 /* open while `one` runs */
	/* The work on a device, as each of vm_cli_each(): 0, 1, -1. */
	int (*one)(void *options, const struct vm_hostdev_view *v, const struct vm_hostdev_item *i,
		   struct vm_err *err);
	bool bus; /* is what else is on the bus of a device that has no reset of its own in the view? */
	/* Is it done to this member of the device's IOMMU group too?  NULL: to none. */
	bool (*sibling)(const struct vm_hostdev_item *i);
};
/*
 * The run() of such a program: `one` for every PCI device named, each in a view of its own, which is of it and its IOMMU group, so that no
 * other device stands in the way; word: "bound".  VM_UNSUPPORTED:
 * an operand is no PCI device.
 */
int vm_hostdev_cli_run(const struct vm_program *p, void *options, enum vm_state_access access,
		       const char *word, struct vm_err *err);
/*
 * What keeps a device from being taken away from the host: force passes over what is only the host's use of it, members
 * of the group are not asked.  Names the first.
 */
int vm_hostdev_cli_may(const struct vm_hostdev_item *i, bool force, const char *what, struct vm_err *err);
/* VM_IN_USE: a guest's process has it open that was not given it. */
int vm_hostdev_cli_closed(const struct vm_hostdev_item *i, const char *what, struct vm_err *err);
