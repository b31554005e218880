/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From QEMU's events to the state of the guest and to what its policies ask for. */
#include "watch.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/json.h>

const char *const vm_watch_policies[] = { "destroy", "restart", "preserve", NULL };

/* Reasons of SHUTDOWN, with the policy that rules.  Source: ShutdownCause of qapi/run-state.json, QEMU 7.2. */
enum rule { RULE_END, RULE_POWEROFF, RULE_REBOOT, RULE_CRASH };
static const struct cause {
	const char *qemu, *word;
	enum rule rule;
} causes[] = {
	{ "guest-shutdown", "shutdown", RULE_POWEROFF },
	{ "guest-reset", "reset", RULE_REBOOT },
	{ "guest-panic", "panicked", RULE_CRASH },
	{ "subsystem-reset", "reset", RULE_REBOOT },
	{ "host-qmp-quit", "destroyed", RULE_END },
	{ "host-qmp-system-reset", "reset", RULE_REBOOT },
	{ "host-signal", "host-signal", RULE_END },
	{ "host-ui", "host-ui", RULE_END },
	{ "host-error", "failed", RULE_END },
	{ "none", "shutdown", RULE_END },
};

/* Events after which the guest is in another state.  reason NULL: life->why, else this word.
 * Source: qapi/run-state.json, qapi/block-core.json, QEMU 7.2. */
static const struct change {
	const char *event;
	enum vm_life life;
	const char *reason;
} changes[] = {
	{ "STOP", VM_PAUSED, NULL },
	{ "RESUME", VM_RUNNING, "unpaused" },
	{ "SUSPEND", VM_PMSUSPENDED, "guest" },
	{ "SUSPEND_DISK", VM_PMSUSPENDED, "disk" },
	{ "WAKEUP", VM_RUNNING, "wakeup" },
};

static void set_word(char *to, const char *word)
{
	snprintf(to, 32, "%s", word);
}

static void set_status(struct vm_watch_life *l, enum vm_life life, const char *reason,
		       uint64_t time_us)
{
	if (l->status.life == life &&
	    (strcmp(l->status.reason, reason) == 0 || life == VM_RUNNING)) {
		/* Commands wait for the time of their event to appear. */
		l->status.event_us = time_us;
		l->dirty = true;
		return;
	}
	l->status.life = life;
	set_word(l->status.reason, reason);
	l->status.since_ms = time_us != 0 ? time_us / 1000 : vm_realtime_ms();
	l->status.event_us = time_us;
	l->status.from = "event";
	l->dirty = true;
}

static enum vm_watch_deed deed_of(enum vm_watch_policy policy)
{
	switch (policy) {
	case VM_WATCH_RESTART:
		return VM_WATCH_DO_RESTART;
	case VM_WATCH_DESTROY:
		return VM_WATCH_DO_QUIT;
	case VM_WATCH_PRESERVE:
		break;
	}
	return VM_WATCH_NOTHING;
}

void vm_wanted_set(int run_fd, const char *what)
{
	if (what != NULL && symlinkat(what, run_fd, VM_WANTED_FILE) == 0)
		return;
	unlinkat(run_fd, VM_WANTED_FILE, 0);
	if (what != NULL && symlinkat(what, run_fd, VM_WANTED_FILE) < 0)
		return; /* only the reason of the end is told wrong */
}

bool vm_wanted(int run_fd, const char *what)
{
	char word[16] = "";
	ssize_t n = readlinkat(run_fd, VM_WANTED_FILE, word, sizeof(word) - 1);

	return n > 0 && strcmp(word, what) == 0;
}

static enum vm_watch_deed on_shutdown(struct vm_watch_life *l, const struct vm_watch_options *o,
				      int run_fd, const char *line, size_t len, uint64_t time_us)
{
	const struct cause *c = &causes[VM_COUNT(causes) - 1];
	char word[32] = "";

	vm_json_string(vm_json_find(line, len, "data.reason"), word, sizeof(word));
	for (size_t i = 0; i < VM_COUNT(causes); i++)
		if (strcmp(causes[i].qemu, word) == 0)
			c = &causes[i];
	if (strcmp(l->end, VM_WATCH_RESTART_LIMIT) != 0)
		set_word(l->end, c->word);
	/* A guest that reboots may say so twice, the second time when it has been stopped. */
	if (l->status.life != VM_PAUSED && l->status.life != VM_CRASHED) {
		set_word(l->why, c->word);
		set_status(l, VM_SHUTTING_DOWN, c->word, time_us);
	}
	if (l->stopping)
		return VM_WATCH_DO_QUIT;
	if (c->rule == RULE_POWEROFF && vm_wanted(run_fd, VM_WANTED_REBOOT))
		return VM_WATCH_DO_RESTART;
	switch (c->rule) {
	case RULE_POWEROFF:
		return deed_of(o->poweroff);
	case RULE_REBOOT:
		return deed_of(o->reboot);
	case RULE_CRASH:
		return deed_of(o->crash);
	case RULE_END:
		break;
	}
	return VM_WATCH_DO_QUIT;
}

static enum vm_watch_deed on_panic(struct vm_watch_life *l, const struct vm_watch_options *o,
				   const char *line, size_t len, uint64_t time_us)
{
	/* "run": QEMU goes on; "poweroff": a SHUTDOWN follows. */
	if (!vm_json_is(vm_json_find(line, len, "data.action"), "\"pause\""))
		return VM_WATCH_NOTHING;
	set_word(l->why, "panicked");
	set_status(l, VM_CRASHED, "panicked", time_us);
	if (l->stopping)
		return VM_WATCH_DO_QUIT;
	if (!o->dump)
		return deed_of(o->crash);
	l->dumping = true;
	return VM_WATCH_DO_DUMP;
}

/* Of a dump that somebody else asked for nothing follows. */
static enum vm_watch_deed on_dumped(struct vm_watch_life *l, const struct vm_watch_options *o)
{
	if (!l->dumping)
		return VM_WATCH_NOTHING;
	l->dumping = false;
	return l->stopping ? VM_WATCH_DO_QUIT : deed_of(o->crash);
}

/* Of a guest that runs it changes nothing. */
static enum vm_watch_deed on_reset(struct vm_watch_life *l, const char *line, size_t len,
				   uint64_t time_us)
{
	bool host = vm_json_is(vm_json_find(line, len, "data.reason"), "\"host-qmp-system-reset\"");

	if (l->status.life == VM_CRASHED || strcmp(l->status.reason, "shutdown") == 0)
		set_status(l, VM_PAUSED, "reset", time_us);
	l->end[0] = 0;
	l->why[0] = 0;
	if (!host)
		return VM_WATCH_NOTHING;
	return l->restarting ? VM_WATCH_DO_GO_ON : VM_WATCH_DO_REARM;
}

enum vm_watch_deed vm_watch_event(struct vm_watch_life *l, const struct vm_watch_options *o,
				  int run_fd, const char *line, size_t len)
{
	char event[40];
	uint64_t s = 0, us = 0, at;

	if (!vm_json_string(vm_json_find(line, len, "event"), event, sizeof(event)))
		return VM_WATCH_NOTHING;
	vm_json_u64(vm_json_find(line, len, "timestamp.seconds"), &s);
	vm_json_u64(vm_json_find(line, len, "timestamp.microseconds"), &us);
	at = s < UINT64_MAX / 2000000 && us < 1000000 ? s * 1000000 + us : 0;

	if (strcmp(event, "RESET") == 0)
		return on_reset(l, line, len, at);
	if (strcmp(event, "SHUTDOWN") == 0)
		return on_shutdown(l, o, run_fd, line, len, at);
	if (strcmp(event, "GUEST_PANICKED") == 0)
		return on_panic(l, o, line, len, at);
	if (strcmp(event, "DUMP_COMPLETED") == 0)
		return on_dumped(l, o);
	if (strcmp(event, "DEVICE_DELETED") == 0)
		return vm_json_find(line, len, "data.device").at != NULL ? VM_WATCH_DO_SETTLE : VM_WATCH_NOTHING;
	if (strcmp(event, "BLOCK_IO_ERROR") == 0) {
		if (vm_json_is(vm_json_find(line, len, "data.action"), "\"stop\""))
			set_word(l->why, "io-error");
		return VM_WATCH_NOTHING;
	}
	if (strcmp(event, "WATCHDOG") == 0) {
		if (vm_json_is(vm_json_find(line, len, "data.action"), "\"pause\""))
			set_word(l->why, "watchdog");
		return VM_WATCH_NOTHING;
	}
	for (size_t i = 0; i < VM_COUNT(changes); i++) {
		const struct change *c = &changes[i];

		if (strcmp(c->event, event) != 0)
			continue;
		if (c->life == VM_PAUSED && l->status.life == VM_CRASHED) {
			l->status.event_us = at; /* stopped because it crashed */
			l->dirty = true;
		} else if (c->life == VM_PAUSED) {
			set_status(l, c->life, l->why[0] != 0 ? l->why : "user", at);
		} else {
			/* VM_SHUTOFF: the first one since the start. */
			set_status(l, c->life,
				   l->status.life == VM_SHUTOFF ? "booted"
				   : l->restarting		? "restarted"
								: c->reason,
				   at);
			l->restarting = false;
			l->end[0] = 0;
		}
		l->why[0] = 0;
	}
	return VM_WATCH_NOTHING;
}

void vm_watch_end_reason(const struct vm_watch_life *l, int run_fd, int wait_status, char *buf)
{
	struct vm_err ignored = VM_ERR_INIT;
	struct vm_status status;
	/* Whoever kills it on purpose may have cleared everything away already. */
	bool cleared = vm_status_read(run_fd, &status, &ignored) < 0 && ignored.kind == VM_NOT_FOUND &&
		       WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGKILL;

	if (cleared || vm_wanted(run_fd, VM_WANTED_DESTROY))
		set_word(buf, "destroyed");
	else if (strcmp(l->end, VM_WATCH_RESTART_LIMIT) == 0)
		set_word(buf, l->end);
	else if (WIFSIGNALED(wait_status))
		snprintf(buf, 32, "crashed-signal-%d", WTERMSIG(wait_status));
	else if (WEXITSTATUS(wait_status) != 0 && strcmp(l->end, "panicked") != 0)
		snprintf(buf, 32, "failed-status-%d", WEXITSTATUS(wait_status));
	else
		set_word(buf, l->end[0] != 0 ? l->end : "shutdown");
}
