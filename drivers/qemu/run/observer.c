/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This driver's row in the table of what drivers tell of a guest. */
#include "qemu/qmp/agent.h"
#include "qemu/lifecycle.h"
#include "look.h"
#include "stats.h"

const struct vm_observer vm_qemu_observer = {
	.name = "qemu",
	.look = vm_qemu_look,
	.agent = vm_qemu_agent_tell,
	.stats_ask = vm_qemu_stats_ask,
	.stats_take = vm_qemu_stats_take,
};
