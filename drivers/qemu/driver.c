/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This driver's row in the table of drivers. */
#include "qemu/qmp/agent.h"
#include "lifecycle.h"
#include "qemu/run/reap.h"

const struct vm_driver vm_qemu_driver = {
	.name = "qemu",
	.shutdown = vm_qemu_shutdown,
	.destroy = vm_qemu_destroy,
	.reboot = vm_qemu_reboot,
	.reap = vm_qemu_reap,
	.undo_verbs = vm_qemu_undo_verbs,
};

const struct vm_holder vm_qemu_holder = {
	.name = "qemu",
	.suspend = vm_qemu_suspend,
	.resume = vm_qemu_resume,
	.reset = vm_qemu_reset,
};
