/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one table of drivers. */
#include "table.h"

#include "qemu/lifecycle.h"

static const struct vm_driver *const drivers[] = { &vm_qemu_driver };

int vm_driver_find(const char *name, const struct vm_driver **ret, struct vm_err *err)
{
	for (size_t i = 0; i < VM_COUNT(drivers); i++)
		if (strcmp(drivers[i]->name, name) == 0) {
			*ret = drivers[i];
			return 0;
		}
	return vm_table_miss(name, err);
}
