/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one table of what drivers pass through. */
#include "table.h"

#include "qemu/lifecycle.h"

static const struct vm_passthrough *const all[] = { &vm_qemu_passthrough };

int vm_passthrough_find(const char *name, const struct vm_passthrough **ret, struct vm_err *err)
{
	for (size_t i = 0; i < VM_COUNT(all); i++)
		if (strcmp(all[i]->name, name) == 0) {
			*ret = all[i];
			return 0;
		}
	return vm_table_miss(name, err);
}
