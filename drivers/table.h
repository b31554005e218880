/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What the tables of drivers share. */
#include <string.h>

#include <vm/cleanup.h>
#include <vm/err.h>

#include "driver.h"

/* Names of all drivers that are linked in, for messages. */
#define VM_TABLE_NAMES "qemu"

/* VM_UNSUPPORTED, naming those there are; -1. */
static inline int vm_table_miss(const char *name, struct vm_err *err)
{
	return vm_err_set(err, VM_UNSUPPORTED, "there is no driver '%s'; there are: " VM_TABLE_NAMES,
			  name);
}

/* vm_<kind>_find() of driver.h: looks the name up in `rows`, an array of pointers. */
#define VM_TABLE_FIND(kind, rows)                                                                  \
	int kind##_find(const char *name, const struct kind **ret, struct vm_err *err)             \
	{                                                                                          \
		for (size_t i = 0; i < VM_COUNT(rows); i++)                                        \
			if (strcmp((rows)[i]->name, name) == 0) {                                  \
				*ret = (rows)[i];                                                  \
				return 0;                                                          \
			}                                                                          \
		return vm_table_miss(name, err);                                                   \
	}
