/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one table of what drivers tell of a running guest. */
#include "table.h"

#include "qemu/lifecycle.h"

static const struct vm_observer *const observers[] = { &vm_qemu_observer };

int vm_observer_find(const char *name, const struct vm_observer **ret, struct vm_err *err)
{
	for (size_t i = 0; i < VM_COUNT(observers); i++)
		if (strcmp(observers[i]->name, name) == 0) {
			*ret = observers[i];
			return 0;
		}
	return vm_table_miss(name, err);
}
