/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This driver's row in the table of what drivers pass through. */
#include "qemu/qmp/command.h"
#include "qemu/lifecycle.h"

const struct vm_passthrough vm_qemu_passthrough = {
	.name = "qemu",
	.monitor = vm_qemu_monitor,
	.agent_call = vm_qemu_agent_command,
};
