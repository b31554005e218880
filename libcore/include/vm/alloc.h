/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Allocation that cannot fail: without memory the program says so in one line and exits 14. */
#include <stddef.h>

void *vm_xmalloc(size_t size) __attribute__((malloc, returns_nonnull, warn_unused_result));
void *vm_xcalloc(size_t n, size_t size)
	__attribute__((malloc, returns_nonnull, warn_unused_result));
/* n * size is checked for overflow. */
void *vm_xreallocarray(void *p, size_t n, size_t size)
	__attribute__((returns_nonnull, warn_unused_result));
/* NULL gives NULL. */
char *vm_xstrdup(const char *s) __attribute__((warn_unused_result));
char *vm_xstrndup(const char *s, size_t n)
	__attribute__((nonnull, returns_nonnull, warn_unused_result));
char *vm_xasprintf(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), returns_nonnull, warn_unused_result));
void *vm_xmemdup(const void *p, size_t n) __attribute__((returns_nonnull, warn_unused_result));
