/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This driver's row in the table of what drivers make of documents. */
#include "qemu/caps/hostcpu.h"
#include "qemu/qemu.h"

const struct vm_planner vm_qemu_planner = {
	.name = "qemu",
	.completer = &vm_qemu_completer,
	.export_native = vm_qemu_export,
	.update_cpu = vm_qemu_update_cpu,
};
