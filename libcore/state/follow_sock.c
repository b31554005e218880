/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/follow_sock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/sock.h>
#include <vm/state.h>

#define HELLO "{\"execute\":\"qmp_capabilities\"}\n"

void vm_follow_sock_close(struct vm_follow_sock *s)
{
	vm_cleanup_fd(&s->fd);
	free(s->buf);
	*s = VM_FOLLOW_SOCK_INIT;
}

/* A start is not disturbed: until it is committed, the socket may be waiting for the watcher. */
static bool is_unwatched(int run_fd)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	struct vm_err ignored = VM_ERR_INIT;
	const char *phase;

	if (vm_guest_watched(run_fd) || vm_record_read(&r, run_fd, VM_RUN_RECORD, VM_RECORD_GUEST,
						       VM_RECORD_GUEST_VERSION, &ignored) < 0)
		return false;
	phase = vm_record_get(&r, VM_KEY_PHASE);
	return phase != NULL && strcmp(phase, "running") == 0;
}

void vm_follow_sock_open(int run_fd, struct vm_follow_sock *s)
{
	struct vm_err ignored = VM_ERR_INIT;

	if (s->fd >= 0 || !is_unwatched(run_fd) ||
	    vm_sock_connect(run_fd, VM_RUN_EVENTS, vm_deadline_in(0), &s->fd, &ignored) < 0)
		return;
	s->buf = vm_xmalloc(VM_EVENTS_BUFFER);
	if (send(s->fd, HELLO, sizeof(HELLO) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) !=
	    (ssize_t)(sizeof(HELLO) - 1))
		vm_follow_sock_close(s);
}

static ssize_t fill(struct vm_follow_sock *s)
{
	ssize_t n;

	memmove(s->buf, s->buf + s->used, s->len - s->used);
	s->len -= s->used;
	s->used = 0;
	if (s->len > VM_EVENTS_LINE_MAX) {
		s->skip = true;
		s->len = 0;
	}
	do
		n = recv(s->fd, s->buf + s->len, VM_EVENTS_BUFFER - 1 - s->len, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		s->len += (size_t)n;
	return n;
}

const struct vm_event_line *vm_follow_sock_next(struct vm_follow_sock *s)
{
	while (s->fd >= 0) {
		char *start = s->buf + s->used;
		char *end = memchr(start, '\n', s->len - s->used);
		bool skipped = s->skip;
		ssize_t n;

		if (end == NULL) {
			n = fill(s);
			if (n == 0 || (n < 0 && errno != EAGAIN))
				vm_follow_sock_close(s);
			if (n <= 0)
				return NULL;
			continue;
		}
		s->used += (size_t)(end - start) + 1;
		s->skip = false;
		if (end > start && end[-1] == '\r')
			end--;
		/* The greeting and the reply to ours are no events; ours are not QEMU's to send. */
		if (!skipped && vm_event_parse(start, (size_t)(end - start), &s->line) == 0 &&
		    !s->line.own) {
			s->line.number = ++s->number;
			return &s->line;
		}
	}
	return NULL;
}
