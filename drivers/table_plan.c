/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one table of what drivers make of documents. */
#include "table.h"

#include "qemu/qemu.h"

static const struct vm_planner *const planners[] = { &vm_qemu_planner };

int vm_planner_find(const char *name, const struct vm_planner **ret, struct vm_err *err)
{
	for (size_t i = 0; i < VM_COUNT(planners); i++)
		if (strcmp(planners[i]->name, name) == 0) {
			*ret = planners[i];
			return 0;
		}
	return vm_table_miss(name, err);
}
