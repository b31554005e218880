/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one table of what drivers make of documents. */
#include "table.h"

#include "qemu/qemu.h"

static const struct vm_planner *const rows[] = { &vm_qemu_planner };
VM_TABLE_FIND(vm_planner, rows)
