/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QEMU from its fork to the reply of cont. */
#include "start_step.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/log.h>
#include <vm/sock.h>
#include <vm/state.h>
#include <vm/strbuf.h>

#include "qemu/caps/caps.h"
#include "qemu/lifecycle.h"
#include "model/domain.h"
#include "model/memlock.h"
#include "qemu/qmp/qmp.h"

#define LAST_WORDS_MS 1000u
#define LAST_WORDS    4096u /* bytes of QEMU's messages that are looked at */

static enum vm_watch_policy policy_of(int lifecycle, enum vm_watch_policy fallback)
{
	switch ((enum vm_lifecycle)lifecycle) {
	case VM_LIFECYCLE_DESTROY:
	case VM_LIFECYCLE_COREDUMP_DESTROY:
		return VM_WATCH_DESTROY;
	case VM_LIFECYCLE_RESTART:
	case VM_LIFECYCLE_RENAME_RESTART:
	case VM_LIFECYCLE_COREDUMP_RESTART:
		return VM_WATCH_RESTART;
	case VM_LIFECYCLE_PRESERVE:
		return VM_WATCH_PRESERVE;
	case VM_LIFECYCLE_ABSENT:
		break;
	}
	return fallback;
}

void vm_start_policies(const struct vm_domain *d, struct vm_watch_options *ret)
{
	ret->poweroff = policy_of(d->on_poweroff, VM_WATCH_DESTROY);
	ret->reboot = policy_of(d->on_reboot, VM_WATCH_RESTART);
	ret->crash = policy_of(d->on_crash, VM_WATCH_DESTROY);
	ret->dump = d->on_crash == VM_LIFECYCLE_COREDUMP_DESTROY ||
		    d->on_crash == VM_LIFECYCLE_COREDUMP_RESTART;
}

/* QEMU's messages begin with what was run, as an admin wants to see it. */
static void log_command(struct vm_start *s)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf text = VM_STRBUF_INIT;
	struct vm_watch_log log = VM_WATCH_LOG_INIT;
	struct vm_err ignored = VM_ERR_INIT;

	if (vm_watch_log_open(&log, s->g->state->log, s->g->name, s->g->state->conf.log_bytes,
			      (unsigned)s->g->state->conf.log_files, &ignored) < 0)
		return;
	vm_watch_log_note(&log, "starting %s with QEMU %s", s->g->name,
			  vm_qemu_caps_version(s->caps));
	for (size_t i = 0; s->argv.v[i] != NULL; i++) {
		if (i > 0)
			vm_strbuf_puts(&text, s->argv.v[i][0] == '-' ? " \\\n" : " ");
		vm_strbuf_shell(&text, s->argv.v[i]);
	}
	vm_strbuf_putc(&text, '\n');
	vm_watch_log_write(&log, text.text, text.len);
	vm_watch_log_close(&log);
}

int vm_start_launch(struct vm_start *s, struct vm_err *err)
{
	static const char greet[] = "{\"execute\":\"qmp_capabilities\"}\n";
	struct vm_record *r = &s->g->record;
	struct vm_launch l = {
		.guest = s->g,
		.argv = s->argv.v,
		.env = s->argv.env,
		.alive = s->alive,
		.messages = s->messages_write,
		.rights = &s->rights,
		.view = s->rights.change_user ? &s->view : NULL,
		.qemu_group = &s->qemu_group,
		.helper_group = &s->helper_group,
		.helpers = s->helpers,
		.nhelpers = s->nhelpers,
		.watch_group = &s->watch_group,
		.die_with_parent = s->o->autodestroy,
		.cpus = s->d->cpuset.bits,
		.ncpus = s->d->cpuset.nbits,
		.memlock = vm_domain_memlock(s->d),
		.locks_memory = vm_domain_locks_memory(s->d),
	};
	int qmp;

	s->watch.connect = s->g->state->uri.session ? "qemu:///session" : "qemu:///system";
	s->watch.name = s->g->name;
	s->watch.foreground = s->o->foreground;
	s->watch.stop_timeout_ms = s->o->stop_timeout_ms;
	vm_start_policies(s->d, &s->watch);
	vm_record_set(r, VM_KEY_POWEROFF, vm_watch_policies[s->watch.poweroff]);
	vm_record_set(r, VM_KEY_REBOOT, vm_watch_policies[s->watch.reboot]);
	vm_record_set(r, VM_KEY_CRASH, vm_watch_policies[s->watch.crash]);
	/* Both connections wait in the queues of sockets that QEMU does not know yet. */
	if (vm_sock_connect(s->g->run, VM_RUN_QMP, s->deadline, &qmp, err) < 0)
		return -1;
	s->qmp = vm_qmp_new(qmp);
	if (!s->o->no_watch) {
		if (vm_sock_connect(s->g->run, VM_RUN_EVENTS, s->deadline, &s->events, err) < 0)
			return -1;
		if (send(s->events, greet, sizeof(greet) - 1, MSG_NOSIGNAL) < 0)
			return vm_err_sys(err, "write to the events socket");
		if (!s->o->foreground)
			l.watch = &s->watch;
	}
	l.fds = s->fds;
	l.nfds = s->nfds;
	s->watch_fds[VM_WATCH_FD_RUN - VM_WATCH_FD_RUN] = s->g->run;
	s->watch_fds[VM_WATCH_FD_EVENTS - VM_WATCH_FD_RUN] = s->events;
	s->watch_fds[VM_WATCH_FD_STDERR - VM_WATCH_FD_RUN] = s->messages;
	s->watch_fds[VM_WATCH_FD_LOCK - VM_WATCH_FD_RUN] = s->watch_lock;
	l.watch_fds = s->watch_fds;
	s->launching = true;
	if (vm_qemu_launch(&l, &s->launched, err) < 0)
		return -1;
	/* Nobody but QEMU keeps these: `alive` says that it lives, the sockets' end that it died. */
	vm_start_close_fds(s);
	if (l.watch != NULL)
		vm_cleanup_fd(&s->watch_lock);
	log_command(s);
	return 0;
}

/* The waitpid() status of a QEMU that is gone; -1 = not known. */
static int exit_status(struct vm_start *s)
{
	char text[64] = "";
	int status = -1;

	if (s->launched.control < 0) {
		if (waitpid(s->launched.qemu.pid, &status, WNOHANG) <= 0)
			return -1;
		return status;
	}
	for (int i = 0; i < 2; i++) { /* "up" may come before */
		struct pollfd p = { .fd = s->launched.control, .events = POLLIN };
		ssize_t n;

		if (poll(&p, 1, LAST_WORDS_MS) <= 0)
			return -1;
		n = recv(s->launched.control, text, sizeof(text) - 1, MSG_DONTWAIT);
		if (n <= 0)
			return -1;
		text[n] = 0;
		if (sscanf(text, VM_WATCH_MSG_EXIT "%d", &status) == 1)
			return status;
	}
	return -1;
}

/* Reads what QEMU wrote, keeps it in the log; the last lines joined by "; " remain in *text. */
static void last_words(struct vm_start *s, struct vm_strbuf *text)
{
	struct vm_deadline end = vm_deadline_in(LAST_WORDS_MS);
	struct pollfd p = { .fd = s->messages, .events = POLLIN };
	struct vm_watch_log log = VM_WATCH_LOG_INIT;
	struct vm_err ignored = VM_ERR_INIT;
	char buf[LAST_WORDS + 1];
	ssize_t n;

	vm_watch_log_open(&log, s->g->state->log, s->g->name, s->g->state->conf.log_bytes,
			  (unsigned)s->g->state->conf.log_files, &ignored);
	while (poll(&p, 1, vm_deadline_poll(end)) > 0 &&
	       (n = read(s->messages, buf, LAST_WORDS)) > 0) {
		vm_watch_log_write(&log, buf, (size_t)n);
		if (text->len > LAST_WORDS)
			vm_strbuf_clear(text);
		vm_strbuf_add(text, buf, (size_t)n);
	}
	vm_watch_log_close(&log);
	while (text->len > 0 && text->text[text->len - 1] == '\n')
		text->text[--text->len] = 0;
}

/* At most three lines, without QEMU's own name before each. */
static void add_lines(struct vm_strbuf *out, const char *text)
{
	const char *at = text + strlen(text);
	unsigned lines = 1;

	while (at > text && (at[-1] != '\n' || lines++ < 3))
		at--;
	while (*at != 0) {
		size_t len = strcspn(at, "\n");
		const char *colon = memchr(at, ':', len);

		if (colon != NULL && strncmp(at, "qemu-system-", 12) == 0 && colon[1] == ' ' &&
		    memchr(at, ' ', (size_t)(colon - at)) == NULL) {
			len -= (size_t)(colon + 2 - at);
			at = colon + 2;
		}
		if (out->len > 0)
			vm_strbuf_puts(out, "; ");
		vm_strbuf_add(out, at, len);
		at += len;
		at += *at == '\n';
	}
}

char *vm_start_last_words(struct vm_start *s)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf text = VM_STRBUF_INIT;
	VM_AUTO(vm_strbuf_free) struct vm_strbuf lines = VM_STRBUF_INIT;

	last_words(s, &text);
	add_lines(&lines, text.text != NULL ? text.text : "");
	return vm_xstrdup(lines.text != NULL ? lines.text : "");
}

/* The failure behind *err, told as what happened to QEMU if it is gone. */
static int explain(struct vm_start *s, struct vm_err *err)
{
	VM_AUTO_FREE char *words = NULL;
	struct pollfd p = { .fd = s->launched.pidfd, .events = POLLIN };
	char how[64] = "";
	int status;

	if (err->kind == VM_TIMED_OUT) {
		vm_err_hint(err, "give it more time with --timeout; its messages are in %s/%s.log",
			    s->g->state->log_path, s->g->name);
		return vm_err_wrap(err, "QEMU does not get ready");
	}
	if (vm_wait_interrupted() || vm_qmp_refused(s->qmp) != NULL ||
	    poll(&p, 1, vm_qmp_broken(s->qmp) ? LAST_WORDS_MS : 0) <= 0)
		return -1;
	status = exit_status(s);
	if (status >= 0 && WIFSIGNALED(status))
		snprintf(how, sizeof(how), " (signal %d)", WTERMSIG(status));
	else if (status >= 0)
		snprintf(how, sizeof(how), " (status %d)", WEXITSTATUS(status));
	words = vm_start_last_words(s);
	vm_err_set(err, VM_HYPERVISOR, "QEMU ended while starting%s%s%s", how, *words != 0 ? ": " : "", words);
	return vm_err_hint(err, "its messages are in %s/%s.log", s->g->state->log_path, s->g->name);
}

/* Source: set-action of qapi/run-state.json, QEMU 7.2 ("exit-failure" since 7.1). */
static int send_actions(struct vm_start *s, uint64_t *ret_id, struct vm_err *err)
{
	const struct vm_watch_options *w = &s->watch;
	bool exits = w->poweroff == VM_WATCH_DESTROY && w->reboot != VM_WATCH_PRESERVE;

	return vm_qmp_send(s->qmp, ret_id, err, "set-action", "{s:s, s:s, s:s}", "shutdown",
			   exits ? "poweroff" : "pause", "reboot",
			   w->reboot == VM_WATCH_RESTART ? "reset" : "shutdown", "panic",
			   w->crash == VM_WATCH_DESTROY && !w->dump ? "exit-failure" : "pause");
}

/* What the command line cannot say, and QEMU may refuse: each is sent with what it is for. */
struct setting {
	uint64_t id;
	const char *what;
};
struct settings {
	struct setting *v;
	size_t n;
};

/* Where the next one's id goes. */
static uint64_t *setting(struct settings *list, const char *what)
{
	if ((list->n & (list->n + 1)) == 0)
		list->v = vm_xreallocarray(list->v, 2 * (list->n + 1), sizeof(*list->v));
	list->v[list->n] = (struct setting){ .what = what };
	return &list->v[list->n++].id;
}

static void free_settings(struct settings *list)
{
	free(list->v);
	*list = (struct settings){ 0 };
}

/*
 * A password is set before the guest runs; until then QEMU lets nobody in.  An empty one, and one that has
 * expired, lets nobody in either.
 */
static int send_password(struct vm_start *s, const struct vm_vnc *v, struct settings *list,
			 struct vm_err *err)
{
	char until[32] = "never";
	uint64_t time_s;

	if (v->passwd == NULL)
		return 0;
	if (vm_vnc_valid_to(v, &time_s))
		snprintf(until, sizeof(until), "%llu", (unsigned long long)time_s);
	if (v->passwd[0] == '\0' ||
	    (vm_vnc_valid_to(v, &time_s) && time_s <= vm_realtime_ms() / 1000))
		strcpy(until, "now");
	if (vm_qmp_send(s->qmp, setting(list, "the VNC password"), err, "set_password",
			"{s:s, s:s, s:s}", "protocol", "vnc", "password", v->passwd, "connected",
			"keep") < 0)
		return -1;
	return vm_qmp_send(s->qmp, setting(list, "the end of the VNC password"), err,
			   "expire_password", "{s:s, s:s}", "protocol", "vnc", "time", until);
}

static int send_balloon(struct vm_start *s, const struct vm_memballoon *m, struct settings *list,
			struct vm_err *err)
{
	const struct vm_domain *d = s->d;

	if (m->model == VM_MEMBALLOON_NONE || m->dev.alias == NULL)
		return 0;
	if (m->stats_period_s != 0) {
		VM_AUTO_FREE char *path = vm_xasprintf("/machine/peripheral/%s", m->dev.alias);

		if (vm_qmp_send(s->qmp, setting(list, "the balloon's <stats period>"), err,
				"qom-set", "{s:s, s:s, s:I}", "path", path, "property",
				"guest-stats-polling-interval", "value",
				(json_int_t)m->stats_period_s) < 0)
			return -1;
	}
	if (d->current_memory == 0 || d->current_memory >= d->memory)
		return 0;
	return vm_qmp_send(s->qmp, setting(list, "<currentMemory>"), err, "balloon", "{s:I}",
			   "value", (json_int_t)d->current_memory);
}

static int send_settings(struct vm_start *s, struct settings *list, struct vm_err *err)
{
	const struct vm_domain *d = s->d;

	for (uint32_t i = 0; i < d->interfaces.n; i++) {
		const struct vm_interface *n = d->interfaces.v[i];

		if (n->link == VM_LINK_DOWN && n->dev.alias != NULL &&
		    vm_qmp_send(s->qmp, setting(list, "the link of an interface"), err, "set_link",
				"{s:s, s:b}", "name", n->dev.alias, "up", 0) < 0)
			return -1;
	}
	for (uint32_t i = 0; i < d->graphics.n; i++) {
		const struct vm_graphics *g = d->graphics.v[i];

		if (g->vnc != NULL && send_password(s, g->vnc, list, err) < 0)
			return -1;
	}
	for (uint32_t i = 0; i < d->memballoons.n; i++)
		if (send_balloon(s, d->memballoons.v[i], list, err) < 0)
			return -1;
	return 0;
}

static int receive_settings(struct vm_start *s, const struct settings *list, struct vm_err *err)
{
	for (size_t i = 0; i < list->n; i++)
		if (vm_qmp_recv(s->qmp, list->v[i].id, s->deadline, NULL, err) < 0)
			return vm_err_wrap(err, "set %s", list->v[i].what);
	return 0;
}

struct replies {
	uint64_t capabilities, actions, chardevs, cont; /* 0 = not sent */
	struct settings settings;
};

static bool has_pty(const struct vm_domain *d)
{
	const struct mt_list *lists[] = { &d->serials, &d->parallels, &d->consoles, &d->channels };

	for (size_t l = 0; l < VM_COUNT(lists); l++)
		for (uint32_t i = 0; i < lists[l]->n; i++)
			if (((const struct vm_char *)lists[l]->v[i])->type == VM_CHARDEV_PTY)
				return true;
	return false;
}

/* All in one go: QEMU reads it when it is ready, and nobody waits for anybody in between, unless single threads
 * are to be tuned before the vCPUs run. */
static int send_all(struct vm_start *s, struct replies *r, struct vm_err *err)
{
	if (vm_qmp_send(s->qmp, &r->capabilities, err, "qmp_capabilities", NULL) < 0 ||
	    send_actions(s, &r->actions, err) < 0 || send_settings(s, &r->settings, err) < 0)
		return -1;
	if (has_pty(s->d) && vm_qmp_send(s->qmp, &r->chardevs, err, "query-chardev", NULL) < 0)
		return -1;
	/* While QEMU gets ready, unless it is to say something that belongs in it. */
	if (r->chardevs == 0 && vm_start_live_xml(s, NULL, err) < 0)
		return -1;
	if (vm_start_threads(s, err) < 0)
		return -1;
	if (!s->o->paused && vm_qmp_send(s->qmp, &r->cont, err, "cont", NULL) < 0)
		return -1;
	return 0;
}

static int receive_all(struct vm_start *s, const struct replies *r, struct vm_err *err)
{
	struct vm_status status = { .life = s->o->paused ? VM_PAUSED : VM_RUNNING,
				    .since_ms = vm_realtime_ms(), .from = "record" };
	json_t *chardevs = NULL;
	int ret = -1;

	if (vm_qmp_recv(s->qmp, r->capabilities, s->deadline, NULL, err) < 0 ||
	    vm_qmp_recv(s->qmp, r->actions, s->deadline, NULL, err) < 0 ||
	    receive_settings(s, &r->settings, err) < 0)
		return -1;
	snprintf(status.reason, sizeof(status.reason), "%s", s->o->paused ? "user" : "booted");
	if (r->chardevs != 0 &&
	    vm_qmp_recv(s->qmp, r->chardevs, s->deadline, &chardevs, err) < 0)
		goto out;
	/* Written while QEMU lets the vCPUs run: what follows cont must not have to wait for it. */
	if ((r->chardevs != 0 && vm_start_live_xml(s, chardevs, err) < 0) ||
	    vm_status_write(s->g->run, &status, err) < 0)
		goto out;
	if (r->cont != 0 && vm_qmp_recv(s->qmp, r->cont, s->deadline, NULL, err) < 0)
		goto out;
	ret = 0;
out:
	json_decref(chardevs);
	return ret;
}

/* It runs since long before QEMU was ready, unless it could not. */
static int wait_watcher(struct vm_start *s, struct vm_err *err)
{
	struct pollfd p = { .fd = s->launched.control, .events = POLLIN };
	char text[16] = "";
	int n;

	do
		n = poll(&p, 1, vm_deadline_poll(s->deadline));
	while (n < 0 && errno == EINTR && !vm_wait_interrupted());
	if (n > 0 && recv(p.fd, text, sizeof(text) - 1, MSG_DONTWAIT) > 0)
		return 0;
	if (n == 0)
		return vm_err_set(err, VM_TIMED_OUT, "the watcher does not get ready");
	return vm_err_set(err, VM_SYSTEM, "the watcher ended at once");
}

int vm_start_ready(struct vm_start *s, struct vm_err *err)
{
	struct replies r = { 0 };
	bool failed = send_all(s, &r, err) < 0 || receive_all(s, &r, err) < 0;

	free_settings(&r.settings);
	if (failed)
		return explain(s, err);
	return s->launched.control >= 0 ? wait_watcher(s, err) : 0;
}

int vm_start_hand_over(struct vm_start *s, struct vm_err *err)
{
	(void)err;
	/* A watcher that was killed by now leaves a guest without one, as at any other time. */
	if (send(s->launched.control, VM_WATCH_MSG_COMMIT, strlen(VM_WATCH_MSG_COMMIT),
		 MSG_NOSIGNAL) < 0)
		vm_log_warning("%s: its watcher is gone", s->g->name);
	return 0;
}

void vm_start_kill(struct vm_start *s)
{
	struct vm_err err = VM_ERR_INIT;

	if (!s->launching)
		return;
	if (s->launched.pidfd >= 0) {
		syscall(SYS_pidfd_send_signal, s->launched.pidfd, SIGKILL, NULL, 0);
		if (vm_pidfd_wait(s->launched.pidfd, vm_deadline_in(VM_UNDO_MS), &err) < 0)
			vm_log_warning("%s: QEMU, process %d, does not die: %s", s->g->name,
				       (int)s->launched.qemu.pid, err.msg);
		if (s->launched.watcher.pid == 0)
			waitpid(s->launched.qemu.pid, NULL, WNOHANG);
	} else if (s->launched.watcher.pid > 0) {
		/* It could not tell us what it has forked; it leads a session that only QEMU has joined. */
		kill(-s->launched.watcher.pid, SIGKILL);
		kill(s->launched.watcher.pid, SIGKILL);
		while (waitpid(s->launched.watcher.pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	/* Whatever its child wrote into the record, or holds `alive`, is gone then. */
	if (vm_guest_refresh(s->g, &err) < 0 ||
	    vm_guest_make_dead(s->g, vm_deadline_in(VM_UNDO_MS), &err) < 0)
		vm_log_warning("%s: %s", s->g->name, err.msg);
	/* Without a commit the watcher only waits for its child. */
	vm_cleanup_fd(&s->launched.control);
}
