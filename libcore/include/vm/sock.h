/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Unix stream sockets by directory descriptor and name: sun_path is too short for guests' names, so they
 * are bound and reached through /proc/self/fd/DIR/NAME.  Needs libc alone. */
#include <stddef.h>

#include <vm/deadline.h>
#include <vm/err.h>

/* Connects; the descriptor is O_CLOEXEC and blocking.  VM_NOT_FOUND: no such socket; VM_HYPERVISOR: there
 * is one, but nobody listens; VM_TIMED_OUT: its queue of waiting clients stayed full. */
int vm_sock_connect(int dirfd, const char *name, struct vm_deadline deadline, int *ret_fd,
		    struct vm_err *err) __attribute__((warn_unused_result));
/* Writes len bytes at once with a descriptor beside them (a copy: fd stays the caller's); flags as for
 * sendmsg(2).  -1 with errno, also if not all of it was taken. */
int vm_sock_send_fd(int sock, const void *bytes, size_t len, int fd, int flags)
	__attribute__((warn_unused_result));
/* Binds (0600; a socket of that name that is there already is replaced) and listens. */
int vm_sock_listen(int dirfd, const char *name, int backlog, int *ret_fd, struct vm_err *err)
	__attribute__((warn_unused_result));
