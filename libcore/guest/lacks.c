/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver.h"

int vm_driver_lacks(const char *driver, const char *what, struct vm_err *err)
{
	return vm_err_set(err, VM_UNSUPPORTED, "the %s driver has no %s", driver, what);
}
