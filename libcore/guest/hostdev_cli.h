/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What vm-hostdev-bind, -unbind and -reset share.  Needs libc alone. */
#include <vm/cli.h>
#include <vm/err.h>

#include "hostdev_view.h"

struct vm_state;

extern const struct vm_operand_spec vm_hostdev_operands[];
/* The PCI device that text names, in a view of all PCI devices; VM_UNSUPPORTED: it is no PCI device. */
int vm_hostdev_cli_find(const struct vm_state *state, const char *text, struct vm_hostdev_view *ret_view,
			const struct vm_hostdev_item **ret, struct vm_err *err);
/*
 * What keeps a device from being taken away from the host: force passes over what is only the host's use of it, members
 * of the group are not asked.  Names the first.
 */
int vm_hostdev_cli_may(const struct vm_hostdev_item *i, bool force, const char *what, struct vm_err *err);
