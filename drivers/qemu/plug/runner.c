/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This driver's row in the table of what drivers do by documents. */
#include "qemu/lifecycle.h"
#include "qemu/plug/plug.h"
#include "qemu/qemu.h"

const struct vm_runner vm_qemu_runner = {
	.name = "qemu",
	.start = vm_qemu_start,
	.attach = vm_qemu_attach,
	.wait_taken = vm_qemu_wait_taken,
	.detach = vm_qemu_detach,
	.settle = vm_qemu_settle,
};
