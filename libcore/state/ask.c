/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/json.h>

#define REPLY_MAX (64u << 10) /* bytes from one guest */

/* Commands are read in order, and what is sent before the greeting waits for it.
 * Source: docs/interop/qmp-spec.txt, QEMU 7.2. */
#define QUESTION                                                                                   \
	"{\"execute\":\"qmp_capabilities\"}\n"                                                     \
	"{\"execute\":\"query-status\",\"id\":\"vm\"}\n"

/* Source: RunState of qapi/run-state.json, QEMU 7.2. */
static const struct {
	const char *word;
	enum vm_life life;
	const char *reason;
} words[] = {
    {"running", VM_RUNNING, ""},
    {"colo", VM_RUNNING, ""},
    {"paused", VM_PAUSED, "user"},
    {"prelaunch", VM_PAUSED, "starting"},
    {"preconfig", VM_PAUSED, "starting"},
    {"inmigrate", VM_PAUSED, "migration"},
    {"postmigrate", VM_PAUSED, "migration"},
    {"finish-migrate", VM_PAUSED, "migration"},
    {"save-vm", VM_PAUSED, "saving"},
    {"restore-vm", VM_PAUSED, "restoring"},
    {"io-error", VM_PAUSED, "io-error"},
    {"watchdog", VM_PAUSED, "watchdog"},
    {"debug", VM_PAUSED, "debug"},
    {"internal-error", VM_PAUSED, "internal-error"},
    {"suspended", VM_PMSUSPENDED, "guest"},
    {"shutdown", VM_SHUTTING_DOWN, "shutdown"},
    {"guest-panicked", VM_CRASHED, "panicked"},
};

void vm_ask_translate(const char *word, const struct vm_status *known, struct vm_status *ret)
{
	struct vm_status s = {.life = VM_PAUSED, .from = "asked"};
	const char *reason = "";
	size_t i;

	for (i = 0; i < VM_COUNT(words); i++) {
		if (strcmp(words[i].word, word) != 0)
			continue;
		s.life = words[i].life;
		reason = words[i].reason;
	}
	/* Nothing has changed: then it is also known since when, and why in more words than QEMU
	 * has. */
	if (known && known->life == s.life) {
		s = *known;
		s.from = "asked";
	} else {
		snprintf(s.reason, sizeof(s.reason), "%s", reason);
	}
	*ret = s;
}

/* One connection; a guest has up to two. */
struct line {
	struct vm_ask *ask;
	int fd;
	char *buf;
	size_t len;
};

static void line_close(struct line *l)
{
	vm_cleanup_fd(&l->fd);
	free(l->buf);
	l->buf = NULL;
	l->len = 0;
}

/* -1: nobody listens there. */
static int connect_to(const struct vm_state *s, const char *name, const char *socket_name)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	VM_AUTO_FD int dir = -1;
	VM_AUTO_FD int fd = -1;

	dir = openat(s->run, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	snprintf(sun.sun_path, sizeof(sun.sun_path), "/proc/self/fd/%d/%s", dir, socket_name);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return -1;
	if (send(fd, QUESTION, sizeof(QUESTION) - 1, MSG_NOSIGNAL) != sizeof(QUESTION) - 1)
		return -1;
	return vm_take_fd(&fd);
}

static bool line_open(const struct vm_state *s, struct vm_ask *ask, const char *socket_name,
		      struct line *l)
{
	*l = (struct line){.ask = ask, .fd = connect_to(s, ask->name, socket_name)};
	if (l->fd < 0)
		return false;
	ask->silent = true;
	return true;
}

static bool take_reply(struct line *l, const char *text, size_t len)
{
	char word[32];

	if (!vm_json_is(vm_json_find(text, len, "id"), "vm") ||
	    !vm_json_string(vm_json_find(text, len, "return.status"), word, sizeof(word)))
		return false;
	vm_ask_translate(word, l->ask->known, &l->ask->status);
	l->ask->answered = true;
	l->ask->silent = false;
	return true;
}

/* Reads what is there; closes the line when it is of no more use. */
static void line_read(struct line *l)
{
	char *nl;
	ssize_t n;

	if (!l->buf)
		l->buf = vm_xmalloc(REPLY_MAX);
	n = recv(l->fd, l->buf + l->len, REPLY_MAX - l->len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		line_close(l);
		return;
	}
	l->len += (size_t)n;
	while ((nl = memchr(l->buf, '\n', l->len))) {
		size_t used = (size_t)(nl - l->buf) + 1;

		if (take_reply(l, l->buf, used - 1)) {
			line_close(l);
			return;
		}
		memmove(l->buf, l->buf + used, l->len - used);
		l->len -= used;
	}
	if (l->len == REPLY_MAX)
		line_close(l);
}

/* True when nobody is left to wait for. */
static bool poll_round(struct line *lines, struct pollfd *p, size_t n, struct vm_deadline until)
{
	size_t i, open = 0;

	for (i = 0; i < n; i++) {
		if (lines[i].fd >= 0 && lines[i].ask->answered)
			line_close(&lines[i]); /* on its other line */
		p[i] = (struct pollfd){.fd = lines[i].fd, .events = POLLIN};
		open += lines[i].fd >= 0;
	}
	if (!open)
		return true;
	if (poll(p, n, vm_deadline_poll(until)) <= 0)
		return false;
	for (i = 0; i < n; i++)
		if (lines[i].fd >= 0 && p[i].revents)
			line_read(&lines[i]);
	return false;
}

static void wait_until(struct line *lines, struct pollfd *p, size_t n, struct vm_deadline until)
{
	while (!poll_round(lines, p, n, until))
		if (vm_deadline_passed(until) || vm_wait_interrupted())
			return;
}

/* Every line is a descriptor. */
static void raise_limit(size_t n)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur >= n + 64)
		return;
	r.rlim_cur = r.rlim_max < n + 64 ? r.rlim_max : n + 64;
	(void)setrlimit(RLIMIT_NOFILE, &r);
}

void vm_ask_all(const struct vm_state *s, struct vm_ask *asks, size_t n, uint64_t ms)
{
	struct vm_deadline end = vm_deadline_in(ms ? ms : 1);
	struct vm_deadline half = vm_deadline_in(ms / 2 ? ms / 2 : 1);
	struct line *lines;
	struct pollfd *p;
	size_t i, open = 0;

	if (!n)
		return;
	lines = vm_xcalloc(n, 2 * sizeof(*lines));
	p = vm_xcalloc(n, 2 * sizeof(*p));
	raise_limit(2 * n);
	for (i = 0; i < n; i++)
		if (line_open(s, &asks[i], VM_RUN_SPARE, &lines[open]))
			open++;
	wait_until(lines, p, open, half);
	/*
	 * QEMU serves one client of a socket at a time: silence may be somebody else's
	 * conversation.  Before a guest is called unresponsive another of its sockets is tried.
	 */
	for (i = 0; i < n; i++)
		if (!asks[i].answered && asks[i].silent &&
		    line_open(s, &asks[i], asks[i].watched ? VM_RUN_QMP : VM_RUN_EVENTS,
			      &lines[open]))
			open++;
	wait_until(lines, p, open, end);
	for (i = 0; i < open; i++)
		line_close(&lines[i]);
	free(lines);
	free(p);
}
