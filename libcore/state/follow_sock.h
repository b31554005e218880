/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Events straight from QEMU, of guests that no watcher looks after. */
#include <vm/err.h>
#include <vm/events.h>

struct vm_follow_sock {
	int fd;	   /* -1 = not connected */
	char *buf; /* bytes [used, len) are unread */
	size_t used, len;
	bool skip; /* within a line that is too long */
	uint64_t number;
	struct vm_event_line line;
};
#define VM_FOLLOW_SOCK_INIT ((struct vm_follow_sock){.fd = -1})
/* Connects to the events socket if the guest runs and has no watcher; does nothing if not, or if it
 * is connected.  While we are, no other client gets events. */
void vm_follow_sock_open(int run_fd, struct vm_follow_sock *s);
void vm_follow_sock_close(struct vm_follow_sock *s);
/* The next event of those that have come, or NULL. */
const struct vm_event_line *vm_follow_sock_next(struct vm_follow_sock *s);
