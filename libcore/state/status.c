/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/events.h>
#include <vm/file.h>

#define SETTLE_MS 1000

static const char *const from_words[] = {"event", "asked", "record"};

static const char *from_word(const char *word)
{
	size_t i;

	for (i = 0; word && i < VM_COUNT(from_words); i++)
		if (strcmp(from_words[i], word) == 0)
			return from_words[i];
	return "record";
}

static int read_from(int dirfd, const char *name, struct vm_status *ret, struct vm_err *err)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	struct vm_status s = {0};
	const char *word;
	int life;

	if (vm_record_read(&r, dirfd, name, VM_RECORD_STATUS, VM_RECORD_STATUS_VERSION, err) < 0)
		return -1;
	word = vm_record_get(&r, "state");
	life = word ? vm_life_from_word(word) : -1;
	if (life < 0)
		return vm_err_set(err, VM_BAD_INPUT, "%s: no known state", name);
	s.life = (enum vm_life)life;
	word = vm_record_get(&r, "reason");
	if (word && strlen(word) < sizeof(s.reason))
		strcpy(s.reason, word);
	s.since_ms = vm_record_u64(&r, "since_ms", 0);
	s.event_us = vm_record_u64(&r, "event_us", 0);
	s.from = from_word(vm_record_get(&r, "from"));
	*ret = s;
	return 0;
}

static void to_record(const struct vm_status *s, struct vm_record *r)
{
	vm_record_set(r, "state", vm_life_word(s->life));
	vm_record_set(r, "reason", s->reason);
	vm_record_setf(r, "since_ms", "%" PRIu64, s->since_ms);
	vm_record_setf(r, "event_us", "%" PRIu64, s->event_us);
	vm_record_set(r, "from", from_word(s->from));
}

int vm_status_read(int run_fd, struct vm_status *ret, struct vm_err *err)
{
	return read_from(run_fd, VM_RUN_STATUS, ret, err);
}

int vm_status_write(int run_fd, const struct vm_status *status, struct vm_err *err)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;

	to_record(status, &r);
	return vm_record_write_volatile(&r, run_fd, VM_RUN_STATUS, VM_RECORD_STATUS,
					VM_RECORD_STATUS_VERSION, err);
}

int vm_status_read_last(int lib_fd, struct vm_status *ret, struct vm_err *err)
{
	return read_from(lib_fd, VM_LIB_LAST, ret, err);
}

int vm_status_write_last(int lib_fd, const struct vm_status *status, struct vm_err *err)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;

	to_record(status, &r);
	/* Not worth an fsync at every stop: after a power cut it is the cut that ended the run. */
	if (vm_record_write_volatile(&r, lib_fd, VM_LIB_LAST, VM_RECORD_STATUS,
				     VM_RECORD_STATUS_VERSION, err) == 0)
		return 0;
	if (err->sys != ENOSPC && err->sys != EDQUOT)
		return -1;
	return unlinkat(lib_fd, VM_LIB_LAST, 0) == 0 || errno == ENOENT ? 0 : -1;
}

int vm_guest_watched(int run_fd)
{
	return vm_run_lock_held(run_fd, VM_RUN_WATCH_LOCK) == 1;
}

static bool noted(int run_fd, uint64_t event_us)
{
	struct vm_status s;
	struct vm_err err;

	return vm_status_read(run_fd, &s, &err) == 0 && s.event_us >= event_us;
}

static bool end_noted(int run_fd, uint64_t unused)
{
	(void)unused;
	return vm_events_ended(run_fd);
}

/* Is woken whenever a file of the run directory is written; the watcher's death is looked for in
 * between. */
static bool wait_watcher(int run_fd, bool (*done)(int run_fd, uint64_t arg), uint64_t arg)
{
	struct vm_deadline deadline = vm_deadline_in(SETTLE_MS);
	VM_AUTO_FD int in = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	struct pollfd pfd = {.fd = in, .events = POLLIN};
	char path[40], buf[4096];
	int left;

	if (in < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", run_fd);
	if (inotify_add_watch(in, path, IN_MOVED_TO | IN_CLOSE_WRITE | IN_MODIFY) < 0)
		return false;
	while (!done(run_fd, arg)) {
		left = vm_deadline_poll(deadline);
		if (left == 0 || !vm_guest_watched(run_fd) || vm_wait_interrupted())
			return false;
		if (poll(&pfd, 1, left < 50 ? left : 50) > 0 && read(in, buf, sizeof(buf)) < 0 &&
		    errno != EAGAIN)
			return false;
	}
	return true;
}

int vm_status_settle(int run_fd, const struct vm_status *status, struct vm_err *err)
{
	if (noted(run_fd, status->event_us) && status->event_us)
		return 0;
	if (vm_guest_watched(run_fd) && wait_watcher(run_fd, noted, status->event_us))
		return 0;
	return vm_status_write(run_fd, status, err);
}

void vm_status_wait_end(int run_fd)
{
	if (!vm_events_ended(run_fd) && vm_guest_watched(run_fd))
		(void)wait_watcher(run_fd, end_noted, 0);
}

void vm_run_status(int run_fd, const struct vm_record *record, struct vm_status *ret)
{
	struct vm_procid id;
	struct vm_err err;
	char state;

	if (vm_status_read(run_fd, ret, &err) < 0) {
		*ret = (struct vm_status){.life = VM_RUNNING, .from = "record"};
		ret->since_ms = vm_record_u64(record, VM_KEY_STARTED_MS, 0);
		if (vm_record_get(record, VM_KEY_PHASE) &&
		    strcmp(vm_record_get(record, VM_KEY_PHASE), "starting") == 0) {
			ret->life = VM_PAUSED;
			strcpy(ret->reason, "starting");
		}
	}
	if (!vm_record_get_procid(record, VM_KEY_PID, &id))
		return;
	/* What its watcher noted last is no longer true of a process that is stopped. */
	state = vm_proc_state(&id);
	if (state == 'T' || state == 't') {
		ret->life = VM_UNRESPONSIVE;
		strcpy(ret->reason, "stopped");
		ret->from = "asked";
		ret->since_ms = 0;
	}
}
