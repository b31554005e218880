/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vm/alloc.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/err.h>

static _Noreturn void out_of_memory(void)
{
	static const char tail[] = ": out of memory\n";

	/* write(): stdio may want memory itself.  Nobody is left to report a failed write to. */
	if (write(STDERR_FILENO, program_invocation_short_name,
		  strlen(program_invocation_short_name)) < 0 ||
	    write(STDERR_FILENO, tail, sizeof(tail) - 1) < 0)
		_exit(VM_SYSTEM);
	_exit(VM_SYSTEM);
}

void *vm_xmalloc(size_t size)
{
	void *p = malloc(size ? size : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *vm_xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *vm_xreallocarray(void *p, size_t n, size_t size)
{
	void *q = reallocarray(p, n ? n : 1, size ? size : 1);

	if (!q)
		out_of_memory();
	return q;
}

char *vm_xstrdup(const char *s)
{
	return s ? vm_xmemdup(s, strlen(s) + 1) : NULL;
}

char *vm_xstrndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = vm_xmalloc(len + 1);

	memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

char *vm_xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *p = NULL;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&p, fmt, ap);
	va_end(ap);
	if (n < 0 || !p)
		out_of_memory();
	return p;
}

void *vm_xmemdup(const void *p, size_t n)
{
	void *q = vm_xmalloc(n);

	if (n)
		memcpy(q, p, n);
	return q;
}
