/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one table of what drivers do by documents. */
#include "table.h"

#include "qemu/qemu.h"

static const struct vm_runner *const rows[] = { &vm_qemu_runner };
VM_TABLE_FIND(vm_runner, rows)
