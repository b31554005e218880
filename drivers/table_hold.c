/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one table of how drivers hold running guests. */
#include "table.h"

#include "qemu/lifecycle.h"

static const struct vm_holder *const rows[] = { &vm_qemu_holder };
VM_TABLE_FIND(vm_holder, rows)
