/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one table of drivers. */
#include "driver.h"

#include <string.h>

#include <vm/strbuf.h>

#include "qemu/lifecycle.h"

static const struct vm_driver *const drivers[] = { &vm_qemu_driver, NULL };

int vm_driver_find(const char *name, const struct vm_driver **ret, struct vm_err *err)
{
	struct vm_strbuf names = VM_STRBUF_INIT;

	for (unsigned i = 0; drivers[i] != NULL; i++) {
		if (strcmp(drivers[i]->name, name) == 0) {
			*ret = drivers[i];
			return 0;
		}
		vm_strbuf_printf(&names, "%s%s", i > 0 ? ", " : "", drivers[i]->name);
	}
	vm_err_set(err, VM_UNSUPPORTED, "there is no driver '%s'; there are: %s", name, names.text);
	vm_strbuf_free(&names);
	return -1;
}

int vm_driver_lacks(const struct vm_driver *d, const char *what, struct vm_err *err)
{
	return vm_err_set(err, VM_UNSUPPORTED, "the %s driver has no %s", d->name, what);
}
