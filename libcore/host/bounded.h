/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Files of the kernel whose reading or writing may take for ever: a driver that does not let go of its device holds
 * whoever asked.  A child asks; it has none of our locks.  One that hangs is left behind: it cannot be killed before the
 * kernel comes back.  Needs libc alone.
 */
#include <stddef.h>

#include <vm/deadline.h>

#include "sys.h"

struct vm_sys_write {
	const char *path; /* below the root */
	const char *text;
};
/*
 * Writes one after the other, each in one write().  *ret_at is the index of the one that failed or hangs (n: none).
 * VM_TIMED_OUT: it hangs; errors of the kernel are VM_SYSTEM or as vm_err_sys() has them, err->sys its errno.
 */
int vm_sys_write(const struct vm_sys *s, const struct vm_sys_write *w, size_t n,
		 struct vm_deadline deadline, size_t *ret_at, struct vm_err *err);
/* Reads a file's first line into buf ("" when it is absent). */
int vm_sys_read(const struct vm_sys *s, const char *path, char *buf, size_t size,
		struct vm_deadline deadline, struct vm_err *err);
