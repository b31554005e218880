/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one table of drivers. */
#include "table.h"

#include "qemu/lifecycle.h"

static const struct vm_driver *const rows[] = { &vm_qemu_driver };
VM_TABLE_FIND(vm_driver, rows)
