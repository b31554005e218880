/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vm/follow.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/json.h>
#include <vm/log.h>

#include "state/follow_ends.h"
#include "state/follow_sock.h"

#define GUEST_MASK (IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_ONLYDIR)
/* IN_DELETE: a directory that we hold open tells nothing of its own removal. */
#define PLACE_MASK (IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MODIFY | IN_ONLYDIR)

struct vm_follow_guest {
	char *name;
	int dir, watch;
	pid_t pid; /* of QEMU; 0 = not known */
	int pidfd; /* of QEMU; -1 = not known, or its end was told already */
	bool dirty, pending, bad;
	struct vm_events_reader reader;
	struct vm_follow_sock sock;
	bool ran, ended; /* it was seen to run; its end was told */
	bool drained;	 /* the file had no more when we looked last */
	struct vm_event_line end;
	char end_text[256];
	const struct vm_event_line *line; /* read and not handed out yet */
};

static int watch_dir(const struct vm_follow *f, int dirfd, uint32_t mask, int *ret_watch,
		     struct vm_err *err)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", dirfd);
	*ret_watch = inotify_add_watch(f->inotify, path, mask);
	if (*ret_watch >= 0)
		return 0;
	vm_err_sys(err, "watch a directory");
	if (err->sys == ENOSPC)
		vm_err_hint(err, "raise fs.inotify.max_user_watches");
	return -1;
}

/* ---- guests ---- */

static void guest_free(struct vm_follow *f, struct vm_follow_guest *g)
{
	if (g->watch >= 0)
		inotify_rm_watch(f->inotify, g->watch);
	vm_events_close(&g->reader);
	vm_follow_sock_close(&g->sock);
	vm_cleanup_fd(&g->pidfd);
	vm_cleanup_fd(&g->dir);
	free(g->name);
}

static void guest_drop(struct vm_follow *f, struct vm_follow_guest *g)
{
	guest_free(f, g);
	f->n_guests--;
	memmove(g, g + 1, (f->n_guests - (size_t)(g - f->guests)) * sizeof(*g));
}

/* Looks at the record: does it run, and as which process?  Without a watcher nobody writes that
 * QEMU ended. */
static void watch_process(struct vm_follow_guest *g)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	struct vm_err ignored = VM_ERR_INIT;
	struct vm_procid qemu;
	const char *phase;

	if ((g->ran && g->pidfd >= 0) || vm_record_read(&r, g->dir, VM_RUN_RECORD, VM_RECORD_GUEST,
							VM_RECORD_GUEST_VERSION, &ignored) < 0)
		return;
	phase = vm_record_get(&r, VM_KEY_PHASE);
	if (!g->ran && phase != NULL && strcmp(phase, "running") == 0) {
		g->ran = true;
		g->ended = false;
	}
	if (!vm_record_get_procid(&r, VM_KEY_PID, &qemu))
		return;
	/* its file may still have to tell of the run before */
	if (g->pid == 0)
		g->pid = qemu.pid;
	if (g->pidfd < 0 && vm_procid_open(&qemu, &g->pidfd, &ignored) != 0)
		g->pidfd = -1;
}

static struct vm_follow_guest *find_guest(const struct vm_follow *f, const char *name)
{
	for (size_t i = 0; i < f->n_guests; i++)
		if (strcmp(f->guests[i].name, name) == 0)
			return &f->guests[i];
	return NULL;
}

static bool is_wanted(const struct vm_follow *f, const char *name)
{
	if (f->names == NULL)
		return true;
	for (size_t i = 0; i < f->n_names; i++)
		if (strcmp(f->names[i], name) == 0)
			return true;
	return false;
}

/* Begins to follow a guest that has a run directory. */
static int guest_add(struct vm_follow *f, const char *name, struct vm_err *err)
{
	struct vm_follow_guest g = {.dir = -1,
				    .watch = -1,
				    .pidfd = -1,
				    .dirty = true,
				    .reader = VM_EVENTS_READER_INIT,
				    .sock = VM_FOLLOW_SOCK_INIT};

	if (find_guest(f, name) != NULL)
		return 0;
	g.dir = openat(f->run, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (g.dir < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
			   ? 0
			   : vm_err_sys(err, "open the run directory");
	/* Watched before it is read: what is written in between is found by one of the two. */
	if (watch_dir(f, g.dir, GUEST_MASK, &g.watch, err) < 0 ||
	    vm_events_open(g.dir, f->history, &g.reader, err) < 0) {
		guest_free(f, &g);
		return -1;
	}
	g.name = vm_xstrdup(name);
	watch_process(&g);
	vm_follow_sock_open(g.dir, &g.sock);
	f->guests = vm_xreallocarray(f->guests, f->n_guests + 1, sizeof(*f->guests));
	f->guests[f->n_guests++] = g;
	return 0;
}

static int add_found(int dirfd, const char *name, void *arg)
{
	struct vm_follow *f = arg;
	struct vm_err err = VM_ERR_INIT;

	(void)dirfd;
	if (vm_name_valid(name) && guest_add(f, name, &err) < 0)
		vm_log_warning("%s: %s", name, err.msg);
	return 0;
}

/* ---- places ---- */

/* Opens /run/vm/<driver>, or watches the nearest directory above it that there is. */
static int find_place(struct vm_follow *f, struct vm_err *err)
{
	VM_AUTO_FREE char *path = vm_xstrdup(f->state->run_path);
	VM_AUTO_FD int fd = -1;
	char *slash;

	/* A directory may appear between the look and the watch: looked at again after each. */
	for (int round = 0; round < 2; round++) {
		strcpy(path, f->state->run_path);
		vm_cleanup_fd(&fd);
		while ((fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
			slash = strrchr(path, '/');
			if (errno != ENOENT || slash == NULL || slash == path)
				return vm_err_sys(err, "open %s", path);
			*slash = '\0';
		}
		if (watch_dir(f, fd, PLACE_MASK, &f->place, err) < 0)
			return -1;
		if (strcmp(path, f->state->run_path) == 0) {
			f->run = vm_take_fd(&fd);
			vm_follow_ends_open(f->ends, f->run, f->open);
			return 0;
		}
	}
	return 0;
}

static int scan(struct vm_follow *f, struct vm_err *err)
{
	f->again = false;
	if (f->run < 0 && find_place(f, err) < 0)
		return -1;
	if (f->run < 0)
		return 0;
	if (f->names == NULL)
		return vm_dir_each(f->run, add_found, f, err);
	for (size_t i = 0; i < f->n_names; i++)
		if (guest_add(f, f->names[i], err) < 0)
			return vm_err_wrap(err, "%s", f->names[i]);
	return 0;
}

int vm_follow_open(const struct vm_state *s, const char *const *names, size_t n, bool history,
		   struct vm_follow *ret, struct vm_err *err)
{
	VM_AUTO(vm_follow_close) struct vm_follow f = VM_FOLLOW_INIT;

	f.state = s;
	f.names = names;
	f.n_names = n;
	f.history = history;
	f.inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (f.inotify < 0)
		return vm_err_sys(err, "inotify_init1");
	f.ends = vm_xcalloc(1, sizeof(*f.ends));
	*f.ends = VM_FOLLOW_ENDS_INIT;
	f.ends->since_us = vm_realtime_ms() * 1000;
	if (scan(&f, err) < 0)
		return -1;
	/* Whoever appears from now on has nothing but news. */
	f.history = f.open = true;
	*ret = f;
	f = VM_FOLLOW_INIT;
	return 0;
}

void vm_follow_close(struct vm_follow *f)
{
	for (size_t i = 0; i < f->n_guests; i++)
		guest_free(f, &f->guests[i]);
	free(f->guests);
	if (f->ends != NULL)
		vm_follow_ends_close(f->ends);
	free(f->ends);
	vm_cleanup_fd(&f->run);
	vm_cleanup_fd(&f->inotify);
	*f = VM_FOLLOW_INIT;
}

/* ---- waiting ---- */

static void on_notice(struct vm_follow *f, const struct inotify_event *ev)
{
	if ((ev->mask & IN_Q_OVERFLOW) != 0 || (ev->wd == f->place && (ev->mask & IN_MODIFY) == 0))
		f->again = true;
	for (size_t i = 0; i < f->n_guests; i++)
		if (ev->wd == f->guests[i].watch || (ev->mask & IN_Q_OVERFLOW) != 0 ||
		    (ev->wd == f->place && ev->len > 0 && strcmp(ev->name, f->guests[i].name) == 0))
			f->guests[i].dirty = true;
}

static int read_notices(struct vm_follow *f, struct vm_err *err)
{
	_Alignas(struct inotify_event) char buf[8 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
	ssize_t n;

	while ((n = read(f->inotify, buf, sizeof(buf))) > 0) {
		for (const char *p = buf; p < buf + n;) {
			const struct inotify_event *ev = (const void *)p;

			on_notice(f, ev);
			p += sizeof(*ev) + ev->len;
		}
	}
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return vm_err_sys(err, "read from inotify");
	return 0;
}

int vm_follow_wait(struct vm_follow *f, struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO_FREE struct pollfd *p = vm_xcalloc(2 * f->n_guests + 1, sizeof(*p));
	size_t n = f->n_guests;
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		p[2 * i] = (struct pollfd){.fd = f->guests[i].pidfd, .events = POLLIN};
		p[2 * i + 1] = (struct pollfd){.fd = f->guests[i].sock.fd, .events = POLLIN};
	}
	p[2 * n] = (struct pollfd){.fd = f->inotify, .events = POLLIN};
	if (!vm_wait_interrupted())
		rc = poll(p, 2 * n + 1, vm_deadline_poll(deadline));
	if (vm_wait_interrupted()) {
		errno = EINTR;
		return vm_err_sys(err, "wait for guests");
	}
	if (rc < 0 && errno != EINTR)
		return vm_err_sys(err, "poll");
	if (rc == 0)
		return 1;
	for (size_t i = 0; rc > 0 && i < n; i++) {
		if (p[2 * i].revents != 0)
			vm_cleanup_fd(&f->guests[i].pidfd);
		if ((p[2 * i].revents | p[2 * i + 1].revents) != 0)
			f->guests[i].dirty = true;
	}
	if (read_notices(f, err) < 0)
		return -1;
	return f->again ? scan(f, err) : 0;
}

/* ---- events ---- */

static bool is_over(const struct vm_follow_guest *g)
{
	return vm_events_gone(&g->reader) ||
	       (faccessat(g->dir, VM_RUN_RECORD, F_OK, 0) < 0 && errno == ENOENT);
}

/* The end of a run of which nobody could write: there was no room, or the file was removed before we opened it. */
static const struct vm_event_line *make_end(const struct vm_follow *f, struct vm_follow_guest *g)
{
	VM_AUTO_FD int lib =
	    openat(f->state->lib, g->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct vm_err ignored = VM_ERR_INIT;
	struct vm_status last = {.reason = ""};
	uint64_t now = vm_realtime_ms();
	int n;

	if (lib >= 0 && vm_status_read_last(lib, &last, &ignored) < 0)
		last.reason[0] = '\0';
	n = snprintf(g->end_text, sizeof(g->end_text),
		     "{\"vm\":\"ended\",\"timestamp\":{\"seconds\":%llu,\"microseconds\":%u},"
		     "\"data\":{\"reason\":%s%s%s,\"status\":null}}",
		     (unsigned long long)(now / 1000), (unsigned)(now % 1000) * 1000,
		     last.reason[0] != '\0' ? "\"" : "",
		     last.reason[0] != '\0' ? last.reason : "null",
		     last.reason[0] != '\0' ? "\"" : "");
	if (n < 0 || vm_event_parse(g->end_text, (size_t)n, &g->end) != 0)
		return NULL;
	g->end.number = g->reader.number + 1;
	return &g->end;
}

static bool is_own(const struct vm_event_line *line, const char *name)
{
	return line->own && strcmp(line->name, name) == 0;
}

/* What the line says of the run. */
static void note(const struct vm_follow *f, struct vm_follow_guest *g)
{
	uint64_t pid;

	if (is_own(g->line, "ended")) {
		g->ended = true;
		vm_follow_ends_told(f->ends, g->name, g->pid, true);
	}
	if (is_own(g->line, "started")) {
		g->ended = false;
		if (vm_json_u64(vm_json_find(g->line->text, g->line->len, "data.pid"), &pid) &&
		    pid <= INT_MAX)
			g->pid = (pid_t)pid;
		vm_follow_ends_told(f->ends, g->name, g->pid, false);
	}
}

/* Reads the next event of a guest into g->line; false: it has gone. */
static bool refill(const struct vm_follow *f, struct vm_follow_guest *g)
{
	struct vm_err err = VM_ERR_INIT;
	bool over = is_over(g);
	int rc;

	/* QEMU's own last words come before the end that the file tells */
	if (g->drained && (g->line = vm_follow_sock_next(&g->sock)) != NULL) {
		g->pending = true;
		return true;
	}
	do
		rc = g->bad ? 1 : vm_events_next(&g->reader, &g->line, &err);
	while (rc == 0 && g->ended && is_own(g->line, "ended"));
	g->drained = rc != 0;
	if (rc < 0) {
		vm_log_warning("%s: %s", g->name, err.msg);
		g->bad = true;
	}
	if (rc != 0) {
		vm_follow_sock_open(g->dir, &g->sock);
		g->line = vm_follow_sock_next(&g->sock);
		if (g->line == NULL && over && g->ran && !g->ended)
			g->line = make_end(f, g);
		rc = g->line != NULL ? 0 : 1;
	}
	if (rc == 0)
		note(f, g);
	if (over && rc != 0)
		g->ran = false;
	watch_process(g);
	g->pending = g->dirty = rc == 0;
	return g->pending || !vm_events_gone(&g->reader);
}

static struct vm_follow_guest *oldest(struct vm_follow *f)
{
	struct vm_follow_guest *best = NULL;

	for (size_t i = 0; i < f->n_guests; i++) {
		struct vm_follow_guest *g = &f->guests[i];

		if (g->dirty && !g->pending && !refill(f, g)) {
			/* Another directory may have its name by now. */
			f->again = true;
			guest_drop(f, g);
			i--;
			continue;
		}
		if (g->pending && (best == NULL || g->line->time_us < best->line->time_us))
			best = g;
	}
	return best;
}

/* A run that somebody has given back is told of by the guest's own files first, as long as these are there. */
static bool look_again(struct vm_follow *f)
{
	struct vm_follow_guest *g = find_guest(f, f->ends->guest);
	struct vm_err ignored = VM_ERR_INIT;

	if (g != NULL && !f->ends->looked) {
		g->dirty = f->ends->looked = true;
		return true;
	}
	if (g == NULL && !f->ends->added) {
		f->ends->added = true;
		(void)guest_add(f, f->ends->guest, &ignored);
		return true;
	}
	return false;
}

/* The next of what only the file of all ends tells; false: nothing. */
static bool next_end(struct vm_follow *f, struct vm_follow_event *ret)
{
	while (f->ends->guest[0] != '\0' || vm_follow_ends_read(f->ends)) {
		const struct vm_event_line *line;

		if (!is_wanted(f, f->ends->guest)) {
			f->ends->guest[0] = '\0';
			continue;
		}
		if (look_again(f))
			return true;
		line = vm_follow_ends_next(f->ends);
		if (line == NULL)
			continue;
		*ret = (struct vm_follow_event){f->ends->guest, line};
		return true;
	}
	return false;
}

int vm_follow_next(struct vm_follow *f, struct vm_deadline deadline, struct vm_follow_event *ret,
		   struct vm_err *err)
{
	for (;;) {
		struct vm_follow_guest *g = oldest(f);
		int rc;

		if (g != NULL) {
			g->pending = false;
			*ret = (struct vm_follow_event){g->name, g->line};
			return 0;
		}
		ret->line = NULL;
		if (next_end(f, ret)) {
			if (ret->line != NULL)
				return 0;
			continue;
		}
		rc = vm_follow_wait(f, deadline, err);
		if (rc != 0)
			return rc;
	}
}
