/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one table of what drivers pass through. */
#include "table.h"

#include "qemu/lifecycle.h"

static const struct vm_passthrough *const rows[] = { &vm_qemu_passthrough };
VM_TABLE_FIND(vm_passthrough, rows)
