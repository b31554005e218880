/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The watcher's loop; see watch.h. */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/events.h>
#include <vm/json.h>
#include <vm/lock.h>
#include <vm/process.h>

#include "host/notify.h"
#include "host/self.h"
#include "qemu/run/reap.h"

#define RESTARTS_MAX   5u     /* in this time; the next one destroys */
#define RESTARTS_S     60u
#define REARM_MS       5000u /* firmware's own resets after one of ours come before */
#define DUMP_MS	       600000u /* for a dump of the guest's memory */
#define HELPER_MS      100
#define SETTLE_AFTER_MS 1500u /* a command that waits for the device does it sooner */
#define SETTLE_AGAIN_MS 5000u /* what could not be given back is tried again, after twice as long each time, */
#define SETTLE_LAST_MS	600000u /* up to this */
#define OOM_SCORE_ADJ  (-900)
#define REAP_MS	       90000u /* hooks may take a minute */

struct watch {
	const struct vm_watch_options *o;
	struct vm_state state;
	struct vm_watch_log log;
	struct vm_watch_life life;
	struct vm_events_writer events;
	int run, qmp, messages, lock, control, pidfd, signals;
	struct output {
		int pipe;
		struct vm_watch_log log;
	} outputs[VM_WATCH_FILES];
	char *line; /* VM_EVENTS_LINE_MAX bytes */
	size_t len;
	uint64_t cut; /* bytes of a line that is too long, so far */
	bool up, committed, killed, ended;
	int wait_status;
	struct vm_procid qemu;
	struct vm_watch_helpers helpers;
	uint64_t restarted_ms[RESTARTS_MAX];
	unsigned restarts;
	struct vm_deadline restart_at, rearm_at, dump_until, stop_at, settle_at; /* at_ms 0 = not set */
	int settling; /* pidfd of the helper */
	pid_t settler;
	uint64_t settle_again_ms; /* 0 = it went well */
};

static void send_qmp(struct watch *w, const char *command)
{
	char text[160];
	int n = snprintf(text, sizeof(text), "{\"execute\":%s}\n", command);

	/* Nothing is lost if QEMU does not read: it is hung, and the deadline that follows kills it. */
	if (w->qmp >= 0 && n > 0)
		send(w->qmp, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void kill_qemu(struct watch *w)
{
	w->killed = true;
	syscall(SYS_pidfd_send_signal, w->pidfd, SIGKILL, NULL, 0);
}

static void write_status(struct watch *w)
{
	struct vm_err err = VM_ERR_INIT;

	if (!w->life.dirty || !w->committed)
		return;
	w->life.dirty = false;
	if (vm_status_write(w->run, &w->life.status, &err) < 0)
		vm_watch_log_note(&w->log, "cannot write the status: %s", err.msg);
}

/* Back-off: at once, then 1, 2, 4, 8 s after the last one; the sixth in a minute ends the guest. */
static void plan_restart(struct watch *w)
{
	uint64_t now = vm_now_ms(), second = w->o->second_ms != 0 ? w->o->second_ms : 1000;
	unsigned recent = 0;

	if (w->restart_at.at_ms != 0 || w->life.restarting)
		return;
	for (unsigned i = 0; i < RESTARTS_MAX; i++)
		if (w->restarted_ms[i] != 0 && now - w->restarted_ms[i] < RESTARTS_S * second)
			recent++;
	if (recent >= RESTARTS_MAX) {
		vm_watch_log_note(&w->log, "restarted %u times in %u s: destroying the guest",
				  recent, RESTARTS_S);
		snprintf(w->life.end, sizeof(w->life.end), VM_WATCH_RESTART_LIMIT);
		send_qmp(w, "\"quit\"");
		w->stop_at = vm_deadline_in(5000);
		return;
	}
	w->restart_at = vm_deadline_in(recent > 0 ? second << (recent - 1) : 1);
}

static void send_action(struct watch *w, const char *action, const char *value)
{
	char text[80];

	snprintf(text, sizeof(text), "\"set-action\",\"arguments\":{\"%s\":\"%s\"}", action, value);
	send_qmp(w, text);
}

/* The vCPUs go on when the reset has happened, which an event tells: see go_on(). */
static void restart(struct watch *w)
{
	w->restart_at.at_ms = 0;
	/* of a restart before: it would come between this one's commands and its reset */
	w->rearm_at.at_ms = 0;
	w->restarted_ms[w->restarts++ % RESTARTS_MAX] = vm_now_ms();
	vm_watch_log_note(&w->log, "restarting the guest (%s)", w->life.status.reason);
	w->life.restarting = true;
	/* A guest whose reboots end it is not to end by this reset. */
	if (w->o->reboot != VM_WATCH_RESTART)
		send_action(w, "reboot", "reset");
	send_qmp(w, "\"system_reset\"");
}

/* Firmware that finds itself started once more resets the machine for good measure (SeaBIOS does, twice): such
 * a reset is not the guest's reboot, which may have to end it. */
static void rearm_later(struct watch *w)
{
	if (w->o->reboot == VM_WATCH_RESTART)
		return;
	/* Once more: the time of a reset before may have run out since this one was asked for. */
	send_action(w, "reboot", "reset");
	w->rearm_at = vm_deadline_in(REARM_MS);
}

static void go_on(struct watch *w)
{
	rearm_later(w);
	if (unlinkat(w->run, VM_WANTED_FILE, 0) == 0 && w->o->poweroff == VM_WATCH_DESTROY &&
	    w->o->reboot != VM_WATCH_PRESERVE)
		send_action(w, "shutdown", "poweroff");
	send_qmp(w, "\"cont\"");
}

static void act(struct watch *w, enum vm_watch_deed deed);
static void end_dump(struct watch *w);

/* A dump that cannot be made does not keep the policy from being carried out. */
static void dump(struct watch *w)
{
	struct vm_err err = VM_ERR_INIT;

	vm_watch_log_note(&w->log, "the guest panicked: dumping its memory");
	if (w->qmp >= 0 && vm_watch_dump(&w->state, w->o->name, w->qmp, &err) == 0) {
		w->dump_until = vm_deadline_in(DUMP_MS);
		return;
	}
	vm_watch_log_note(&w->log, "cannot dump it: %s", err.msg);
	end_dump(w);
}

static void end_dump(struct watch *w)
{
	static const char completed[] = "{\"event\":\"DUMP_COMPLETED\"}";

	w->dump_until.at_ms = 0;
	if (w->life.dumping)
		act(w, vm_watch_event(&w->life, w->o, w->run, completed, sizeof(completed) - 1));
}

static void act(struct watch *w, enum vm_watch_deed deed)
{
	switch (deed) {
	case VM_WATCH_NOTHING:
		break;
	case VM_WATCH_DO_RESTART:
		plan_restart(w);
		break;
	case VM_WATCH_DO_QUIT:
		/* Where QEMU's own action is to exit this only comes too late. */
		send_qmp(w, "\"quit\"");
		break;
	case VM_WATCH_DO_GO_ON:
		go_on(w);
		break;
	case VM_WATCH_DO_REARM:
		rearm_later(w);
		break;
	case VM_WATCH_DO_DUMP:
		dump(w);
		break;
	case VM_WATCH_DO_SETTLE:
		w->settle_at = vm_deadline_in(SETTLE_AFTER_MS);
		break;
	}
}

/* The helper takes the guest's lock by itself.  One at a time: while it runs, the next is put off. */
static void settle(struct watch *w)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	VM_AUTO_FREE char *path = NULL;
	const char *argv[] = { NULL, w->o->connect, w->o->name, NULL };
	struct vm_err err = VM_ERR_INIT;

	w->settle_at.at_ms = 0;
	if (w->settling >= 0) {
		w->settle_at = vm_deadline_in(SETTLE_AFTER_MS);
		return;
	}
	if (vm_record_read(&r, w->run, VM_RUN_RECORD, VM_RECORD_GUEST, VM_RECORD_GUEST_VERSION, &err) < 0 ||
	    (vm_record_get(&r, VM_KEY_HOSTDEV) == NULL && vm_record_get(&r, VM_KEY_FOREIGN) == NULL))
		return;
	if (vm_self_helper("vm-hostdev-settle", &path, &err) < 0)
		return vm_watch_log_note(&w->log, "%s", err.msg);
	argv[0] = path;
	if (vm_spawn(&(struct vm_spawn){ .argv = argv, .in = -1, .out = -1, .err = -1, .new_session = true }, &w->settler,
		     &w->settling, &err) < 0)
		vm_watch_log_note(&w->log, "%s", err.msg);
}

/* A block node in use, a driver of the host that does not answer: nothing tells when that is over. */
static void settled(struct watch *w)
{
	int status = 0;
	uint64_t ms;

	vm_cleanup_fd(&w->settling);
	if (waitpid(w->settler, &status, WNOHANG) != w->settler || (WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
		w->settle_again_ms = 0;
		return;
	}
	ms = w->settle_again_ms != 0 ? w->settle_again_ms * 2 : SETTLE_AGAIN_MS;
	w->settle_again_ms = ms < SETTLE_LAST_MS ? ms : SETTLE_LAST_MS;
	if (w->settle_at.at_ms == 0)
		w->settle_at = vm_deadline_in(w->settle_again_ms);
}

static void take_line(struct watch *w, const char *line, size_t len)
{
	struct vm_err err = VM_ERR_INIT;

	if (vm_json_find(line, len, "event").at == NULL) {
		if (vm_json_find(line, len, "error").at != NULL) {
			vm_watch_log_note(&w->log, "QEMU refused: %.*s", (int)(len < 300 ? len : 300),
					  line);
			end_dump(w);
		}
		return;
	}
	if (vm_events_append(&w->events, line, len, &err) < 0)
		vm_watch_log_note(&w->log, "cannot keep an event: %s", err.msg);
	act(w, vm_watch_event(&w->life, w->o, w->run, line, len));
}

static void take_oversized(struct watch *w)
{
	struct vm_err err = VM_ERR_INIT;
	char data[64];

	snprintf(data, sizeof(data), "{\"event\":null,\"bytes\":%llu}", (unsigned long long)w->cut);
	vm_events_append_own(&w->events, "oversized", data, &err);
	w->cut = 0;
}

/* Reads what QEMU sent; false = the connection is over. */
static bool read_qmp(struct watch *w)
{
	ssize_t n = recv(w->qmp, w->line + w->len, VM_EVENTS_LINE_MAX - w->len, MSG_DONTWAIT);
	char *at = w->line, *nl;
	size_t left;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false;
	left = w->len + (size_t)n;
	while ((nl = memchr(at, '\n', left)) != NULL) {
		size_t len = (size_t)(nl - at);

		if (w->cut > 0) {
			w->cut += len;
			take_oversized(w);
		} else {
			take_line(w, at, len > 0 && at[len - 1] == '\r' ? len - 1 : len);
		}
		left -= len + 1;
		at = nl + 1;
	}
	if (left == VM_EVENTS_LINE_MAX || w->cut > 0) {
		w->cut += left;
		left = 0;
	}
	memmove(w->line, at, left);
	w->len = left;
	write_status(w);
	return true;
}

/* false = nobody has it open for writing any more. */
static bool copy_text(int from, struct vm_watch_log *to)
{
	char buf[4096];
	ssize_t n = read(from, buf, sizeof(buf));

	if (n > 0)
		vm_watch_log_write(to, buf, (size_t)n);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* What is in a pipe whose writer has ended. */
static void copy_rest(int from, struct vm_watch_log *to)
{
	while (from >= 0 && poll(&(struct pollfd){ .fd = from, .events = POLLIN }, 1, 0) > 0 &&
	       copy_text(from, to))
		;
}

/* The record is the commit; the starter's message only tells so at once. */
static bool record_committed(const struct watch *w)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	struct vm_err err = VM_ERR_INIT;
	struct vm_procid id;
	const char *phase;

	if (vm_record_read(&r, w->run, VM_RUN_RECORD, VM_RECORD_GUEST, VM_RECORD_GUEST_VERSION,
			   &err) < 0)
		return false;
	phase = vm_record_get(&r, VM_KEY_PHASE);
	return phase != NULL && strcmp(phase, "running") == 0 &&
	       vm_record_get_procid(&r, VM_KEY_PID, &id) && id.pid == w->qemu.pid &&
	       id.start == w->qemu.start;
}

static void read_control(struct watch *w)
{
	char buf[64] = "";
	ssize_t n = recv(w->control, buf, sizeof(buf) - 1, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if ((n > 0 && strcmp(buf, VM_WATCH_MSG_COMMIT) == 0) || record_committed(w)) {
		struct vm_status status;
		struct vm_err err = VM_ERR_INIT;

		w->committed = true;
		/* The starter wrote what it began with; what came since is newer. */
		if (!w->life.dirty && vm_status_read(w->run, &status, &err) == 0)
			w->life.status = status;
		write_status(w);
		vm_watch_helpers_find(&w->helpers, w->run);
	} else if (!w->committed) {
		/* The starter was killed: its start is undone now, not by the next command. */
		kill_qemu(w);
	}
	vm_cleanup_fd(&w->control);
}

static void begin_stop(struct watch *w)
{
	if (w->life.stopping) {
		kill_qemu(w);
		return;
	}
	w->life.stopping = true;
	w->stop_at = vm_deadline_in(w->o->stop_timeout_ms);
	vm_notify("STOPPING=1");
	vm_watch_log_note(&w->log, "asked to stop: pressing the power button");
	if (w->restart_at.at_ms != 0) {
		w->restart_at.at_ms = 0;
		send_qmp(w, "\"quit\"");
	}
	send_qmp(w, "\"cont\"");
	send_qmp(w, "\"system_powerdown\"");
}

static void read_signal(struct watch *w)
{
	struct signalfd_siginfo si;

	if (read(w->signals, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return;
	/* In the background nothing stops a watcher but the end of its guest, or SIGKILL. */
	if (w->o->foreground)
		begin_stop(w);
}

static void read_end(struct watch *w)
{
	char text[32];

	if (waitpid(w->o->pid, &w->wait_status, WNOHANG) == 0)
		return;
	w->ended = true;
	while (w->qmp >= 0 && read_qmp(w))
		if (poll(&(struct pollfd){ .fd = w->qmp, .events = POLLIN }, 1, 0) <= 0)
			break;
	if (w->control >= 0) {
		int n = snprintf(text, sizeof(text), VM_WATCH_MSG_EXIT "%d", w->wait_status);

		send(w->control, text, (size_t)n, MSG_NOSIGNAL);
		/* The starter either commits what has ended already, or undoes it. */
		while (w->control >= 0) {
			poll(&(struct pollfd){ .fd = w->control, .events = POLLIN }, 1, -1);
			read_control(w);
		}
	}
	/* A starter that still waits reads QEMU's last words itself. */
	if (w->committed)
		copy_rest(w->messages, &w->log);
	for (unsigned i = 0; i < w->o->nfiles; i++)
		copy_rest(w->outputs[i].pipe, &w->outputs[i].log);
}

/* What it did for the guest is over: the guest goes on without. */
static void helper_ended(struct watch *w, struct vm_watch_helper *h)
{
	char data[VM_HELPER_NAME_MAX + 32];
	struct vm_err err = VM_ERR_INIT;

	vm_cleanup_fd(&h->pidfd);
	/* QEMU's end is a moment before that of what it takes along. */
	if (poll(&(struct pollfd){ .fd = w->pidfd, .events = POLLIN }, 1, HELPER_MS) > 0)
		return;
	snprintf(data, sizeof(data), "{\"device\":\"%s\"}", h->name);
	vm_watch_log_note(&w->log, "the program behind %s has ended; the guest goes on without it", h->name);
	if (vm_events_append_own(&w->events, "helper-ended", data, &err) < 0)
		vm_watch_log_note(&w->log, "cannot keep an event: %s", err.msg);
}

static struct vm_deadline next_deadline(const struct watch *w)
{
	struct vm_deadline d;

	/* "Not set" is "never", which min() knows. */
	d = vm_deadline_min(w->restart_at, w->rearm_at);
	d = vm_deadline_min(d, w->dump_until);
	d = vm_deadline_min(d, w->settle_at);
	return vm_deadline_min(d, w->stop_at);
}

static void loop(struct watch *w)
{
	enum { QMP, MESSAGES, CONTROL, END, SIGNALS, SETTLING, OUTPUTS, N = OUTPUTS + VM_WATCH_FILES + VM_HELPERS_MAX };
	const nfds_t files = OUTPUTS + w->o->nfiles;

	while (!w->ended) {
		struct pollfd p[N] = {
			[QMP] = { .fd = w->qmp, .events = POLLIN },
			[MESSAGES] = { .fd = w->committed ? w->messages : -1, .events = POLLIN },
			[CONTROL] = { .fd = w->control, .events = POLLIN },
			[END] = { .fd = w->pidfd, .events = POLLIN },
			[SIGNALS] = { .fd = w->signals, .events = POLLIN },
			[SETTLING] = { .fd = w->settling, .events = POLLIN },
		};

		for (unsigned i = 0; i < w->o->nfiles; i++)
			p[OUTPUTS + i] = (struct pollfd){ .fd = w->outputs[i].pipe, .events = POLLIN };
		for (unsigned i = 0; i < w->helpers.n; i++)
			p[files + i] = (struct pollfd){ .fd = w->helpers.v[i].pidfd, .events = POLLIN };
		if (poll(p, files + w->helpers.n, vm_deadline_poll(next_deadline(w))) < 0) {
			if (errno != EINTR)
				return;
			continue;
		}
		for (unsigned i = 0; i < w->o->nfiles; i++)
			if (p[OUTPUTS + i].revents != 0 &&
			    !copy_text(w->outputs[i].pipe, &w->outputs[i].log))
				vm_cleanup_fd(&w->outputs[i].pipe);
		if (p[QMP].revents != 0 && !read_qmp(w))
			vm_cleanup_fd(&w->qmp);
		if (p[MESSAGES].revents != 0 && !copy_text(w->messages, &w->log))
			vm_cleanup_fd(&w->messages);
		if (p[CONTROL].revents != 0)
			read_control(w);
		if (p[SIGNALS].revents != 0)
			read_signal(w);
		if (p[SETTLING].revents != 0)
			settled(w);
		if (p[END].revents != 0)
			read_end(w);
		/* Those that end with QEMU are no news. */
		for (unsigned i = 0; !w->ended && i < w->helpers.n; i++)
			if (w->helpers.v[i].pidfd >= 0 && p[files + i].fd == w->helpers.v[i].pidfd &&
			    p[files + i].revents != 0)
				helper_ended(w, &w->helpers.v[i]);
		if (w->restart_at.at_ms != 0 && vm_deadline_passed(w->restart_at))
			restart(w);
		if (w->settle_at.at_ms != 0 && vm_deadline_passed(w->settle_at))
			settle(w);
		if (w->dump_until.at_ms != 0 && vm_deadline_passed(w->dump_until))
			end_dump(w);
		if (w->rearm_at.at_ms != 0 && vm_deadline_passed(w->rearm_at)) {
			w->rearm_at.at_ms = 0;
			send_action(w, "reboot", "shutdown");
		}
		if (w->stop_at.at_ms != 0 && vm_deadline_passed(w->stop_at)) {
			vm_watch_log_note(&w->log, "not off in time: killing QEMU");
			w->stop_at.at_ms = 0;
			kill_qemu(w);
		}
	}
}

static int setup(struct watch *w, struct vm_err *err)
{
	sigset_t set;

	prctl(PR_SET_NAME, "vm-watch");
	vm_self_oom_score_adj(OOM_SCORE_ADJ);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (vm_procid_of(w->o->pid, &w->qemu, err) < 0)
		return -1;
	w->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	w->pidfd = (int)syscall(SYS_pidfd_open, w->o->pid, 0);
	if (w->signals < 0 || w->pidfd < 0)
		return vm_err_sys(err, "watch process %d", (int)w->o->pid);
	vm_lock_mine(w->lock);
	fcntl(w->messages, F_SETFL, O_RDONLY | O_NONBLOCK);
	for (int fd = VM_WATCH_FD_RUN; fd < VM_WATCH_FD_END + (int)w->o->nfiles; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	w->line = malloc(VM_EVENTS_LINE_MAX);
	if (w->line == NULL)
		return vm_err_sys(err, "watch");
	/* Neither is worth failing for: a full disk must not keep a guest from starting. */
	struct vm_err ignored = VM_ERR_INIT;
	if (vm_state_open(w->o->connect, VM_STATE_CHANGE, &w->state, err) < 0)
		return -1;
	vm_watch_log_open(&w->log, w->state.log, w->o->name, w->state.conf.log_bytes,
			  (unsigned)w->state.conf.log_files, &ignored);
	for (unsigned i = 0; i < w->o->nfiles; i++) {
		fcntl(w->outputs[i].pipe, F_SETFL, O_RDONLY | O_NONBLOCK);
		vm_watch_log_open_path(&w->outputs[i].log, w->o->files[i], w->state.conf.log_bytes,
				       (unsigned)w->state.conf.log_files, &ignored);
	}
	vm_events_create(w->run, w->state.conf.events_bytes, &w->events, &ignored);
	vm_status_read(w->run, &w->life.status, &ignored);
	vm_events_append_started(&w->events, w->o->pid, &ignored);
	if (w->committed)
		vm_watch_helpers_find(&w->helpers, w->run);
	return 0;
}

/* Waits for a command that works on the guest; if that has given everything back, there is nothing to do. */
static int give_back(struct watch *w, const struct vm_status *last, struct vm_err *err)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	struct vm_procid id;

	/* A transient guest whose watcher still lives is neither defined nor active. */
	if (vm_guest_open(&w->state, w->o->name, VM_GUEST_NEW, VM_DEADLINE_NEVER, &g, err) < 0 ||
	    vm_guest_lock(&g, VM_DEADLINE_NEVER, err) < 0)
		return err->kind == VM_NOT_FOUND ? 0 : -1;
	/* A start that was killed before QEMU's record: a journal may be left that nobody else sees. */
	if (!vm_record_get_procid(&g.record, VM_KEY_PID, &id))
		return vm_guest_reconcile(&g, vm_deadline_in(REAP_MS), err) < 0 ? -1 : 0;
	if (id.pid != w->qemu.pid || id.start != w->qemu.start) {
		/* All given back by a command; what we wrote since must not keep the directory. */
		if (!g.active)
			unlinkat(w->run, VM_RUN_STATUS, 0);
		return 0;
	}
	return vm_guest_finish(&g, last, vm_deadline_in(REAP_MS), err);
}

/* QEMU is gone: says why, and gives back what the guest held unless a command is at it already. */
static void finish(struct watch *w)
{
	struct vm_status last = { .life = VM_SHUTOFF, .since_ms = vm_realtime_ms(), .from = "event" };
	struct vm_err err = VM_ERR_INIT;
	char data[96];

	vm_watch_end_reason(&w->life, w->run, w->wait_status, last.reason);
	snprintf(data, sizeof(data), "{\"reason\":\"%s\",\"status\":%d}", last.reason, w->wait_status);
	/* The line is what a command that ended QEMU waits for before it goes on. */
	vm_status_write(w->run, &last, &err);
	vm_events_append_own(&w->events, "ended", data, &err);
	vm_events_writer_close(&w->events);
	vm_watch_log_note(&w->log, "QEMU ended: %s", last.reason);
	if (give_back(w, &last, &err) < 0)
		vm_watch_log_note(&w->log, "cannot give back what the guest held: %s (vm-repair)",
				  err.msg);
}

static int exit_status(const struct watch *w)
{
	char reason[32];

	vm_watch_end_reason(&w->life, w->run, w->wait_status, reason);
	if (w->life.stopping && w->killed)
		return VM_TIMED_OUT;
	return strncmp(reason, "crashed", 7) == 0 || strncmp(reason, "failed", 6) == 0 ||
			       strcmp(reason, VM_WATCH_RESTART_LIMIT) == 0 ||
			       strcmp(reason, "panicked") == 0
		       ? VM_HYPERVISOR
		       : 0;
}

static void close_watch(struct watch *w)
{
	free(w->line);
	for (unsigned i = 0; i < w->o->nfiles; i++)
		vm_watch_log_close(&w->outputs[i].log);
	vm_watch_log_close(&w->log);
	vm_events_writer_close(&w->events);
	vm_state_close(&w->state);
}

int vm_watch_run(const struct vm_watch_options *o, struct vm_err *err)
{
	struct watch w = {
		.o = o,
		.state = VM_STATE_INIT,
		.log = VM_WATCH_LOG_INIT,
		.events = VM_EVENTS_WRITER_INIT,
		.run = VM_WATCH_FD_RUN,
		.qmp = VM_WATCH_FD_EVENTS,
		.messages = VM_WATCH_FD_STDERR,
		.lock = VM_WATCH_FD_LOCK,
		.settling = -1,
		.control = o->committed ? -1 : VM_WATCH_FD_CONTROL,
		.committed = o->committed,
	};
	int status;

	for (unsigned i = 0; i < o->nfiles; i++) {
		w.outputs[i].pipe = VM_WATCH_FD_END + (int)i;
		w.outputs[i].log = VM_WATCH_LOG_INIT;
	}
	if (setup(&w, err) < 0) {
		close_watch(&w);
		return -1;
	}
	if (w.control >= 0)
		send(w.control, VM_WATCH_MSG_UP, strlen(VM_WATCH_MSG_UP), MSG_NOSIGNAL);
	if (o->foreground) {
		char text[64];

		snprintf(text, sizeof(text), "READY=1\nMAINPID=%d", (int)getpid());
		vm_notify(text);
	}
	loop(&w);
	status = exit_status(&w);
	if (w.committed || w.killed)
		finish(&w);
	close_watch(&w);
	return status;
}
