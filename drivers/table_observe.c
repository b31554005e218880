/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one table of what drivers tell of a running guest. */
#include "table.h"

#include "qemu/lifecycle.h"

static const struct vm_observer *const rows[] = { &vm_qemu_observer };
VM_TABLE_FIND(vm_observer, rows)
