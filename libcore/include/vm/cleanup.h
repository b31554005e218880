/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Release at the end of the scope.  All keep errno; all accept the INIT value. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

void vm_cleanup_free(void *p); /* a pointer to the pointer */
void vm_cleanup_fd(int *fd);

/* VM_AUTO(fn) T x: calls fn(&x) when x goes out of scope. */
#define VM_AUTO(fn) __attribute__((cleanup(fn)))
/* VM_AUTO_FREE char *p = NULL: free()s. */
#define VM_AUTO_FREE __attribute__((cleanup(vm_cleanup_free)))
/* VM_AUTO_FD int fd = -1: close()s. */
#define VM_AUTO_FD __attribute__((cleanup(vm_cleanup_fd)))

/* Hands over ownership: returns the descriptor and leaves -1 behind. */
static inline int vm_take_fd(int *fd)
{
	int ret = *fd;

	*fd = -1;
	return ret;
}

/* Hands over ownership: returns the pointer and leaves NULL behind. */
#define vm_take_ptr(p)                                                                             \
	__extension__({                                                                            \
		__typeof__(*(p)) *vm_pp = (p);                                                     \
		__typeof__(*(p)) vm_val = *vm_pp;                                                  \
		*vm_pp = NULL;                                                                     \
		vm_val;                                                                            \
	})

#define VM_COUNT(array) (sizeof(array) / sizeof((array)[0]))
