/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting all marked guests: a small schedule over processes. */
#include "guest/autostart.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/log.h>
#include <vm/out.h>
#include <vm/process.h>
#include <vm/strbuf.h>

#include "host/self.h"

#define GUESTS_MAX 100000u

struct job {
	char *name;
	size_t *after; /* indexes of jobs */
	size_t n_after;
	uint64_t delay_ms;
	enum { WAITING, DELAYED, RUNNING, DONE, FAILED } state;
	uint64_t at_ms; /* DELAYED: when it may begin */
	pid_t pid;
	int pidfd;
	int status; /* FAILED: exit status to report */
};
struct schedule {
	const struct vm_program *p;
	const struct vm_common *c;
	const struct vm_state *s;
	char *vm_start, *uri, *timeout;
	struct job *v;
	size_t n, running;
	uint64_t parallel;
};

static void schedule_free(struct schedule *s)
{
	size_t i;

	for (i = 0; i < s->n; i++) {
		free(s->v[i].name);
		free(s->v[i].after);
		vm_cleanup_fd(&s->v[i].pidfd);
	}
	free(s->v);
	free(s->vm_start);
	free(s->uri);
	free(s->timeout);
}

/* ---- what is to be done ---- */

static int add_job(const char *name, void *arg)
{
	struct schedule *s = arg;

	if (s->n >= GUESTS_MAX)
		return 1;
	s->v = vm_xreallocarray(s->v, s->n + 1, sizeof(*s->v));
	s->v[s->n++] = (struct job){.name = vm_xstrdup(name), .pidfd = -1};
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct job *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static struct job *find(const struct schedule *s, const char *name)
{
	const struct job key = {.name = (char *)(uintptr_t)name};

	return s->n ? bsearch(&key, s->v, s->n, sizeof(*s->v), by_name) : NULL;
}

static void fail(struct schedule *s, struct job *j, struct vm_err *err)
{
	j->state = FAILED;
	j->status = (int)err->kind;
	vm_err_object(err, j->name);
	vm_cli_report(s->p, s->c, err);
}

static void read_order(struct schedule *s, struct job *j)
{
	VM_AUTO(vm_record_free) struct vm_record order = VM_RECORD_INIT;
	struct vm_err err = VM_ERR_INIT;
	const char *name;
	struct job *other;
	size_t i;

	if (vm_autostart_order_read(s->s, j->name, &order, &err) < 0) {
		fail(s, j, &err);
		return;
	}
	j->delay_ms = vm_record_u64(&order, "delay_ms", 0);
	for (i = 0; (name = vm_record_nth(&order, "after", i)); i++) {
		other = find(s, name);
		if (!other) {
			vm_log_warning("%s: comes after '%s', which is not started with the host",
				       j->name, name);
			continue;
		}
		j->after = vm_xreallocarray(j->after, j->n_after + 1, sizeof(*j->after));
		j->after[j->n_after++] = (size_t)(other - s->v);
	}
}

/* Those that can never begin, because they come after each other. */
static void refuse_circles(struct schedule *s)
{
	VM_AUTO_FREE bool *can = vm_xcalloc(s->n ? s->n : 1, sizeof(*can));
	bool more = true;
	size_t i, k;

	while (more) {
		more = false;
		for (i = 0; i < s->n; i++) {
			for (k = 0; k < s->v[i].n_after && can[s->v[i].after[k]]; k++)
				;
			if (!can[i] && k == s->v[i].n_after)
				can[i] = more = true;
		}
	}
	for (i = 0; i < s->n; i++) {
		struct vm_err err = VM_ERR_INIT;

		if (can[i] || s->v[i].state == FAILED)
			continue;
		for (k = 0; k < s->v[i].n_after && can[s->v[i].after[k]]; k++)
			;
		vm_err_set(&err, VM_BAD_INPUT, "it comes after '%s', and in a circle after itself",
			   s->v[s->v[i].after[k]].name);
		vm_err_hint(&err, "vm-autostart --after=GUEST,... %s", s->v[i].name);
		fail(s, &s->v[i], &err);
	}
}

static int plan(struct schedule *s, struct vm_err *err)
{
	size_t i;

	if (vm_autostart_each(s->s, add_job, s, err) < 0)
		return -1;
	if (s->n)
		qsort(s->v, s->n, sizeof(*s->v), by_name);
	for (i = 0; i < s->n; i++)
		read_order(s, &s->v[i]);
	refuse_circles(s);
	return 0;
}

/* ---- doing it ---- */

/* WAITING to DELAYED or FAILED, as far as it goes now. */
static void look(struct schedule *s, struct job *j)
{
	size_t k;

	for (k = 0; k < j->n_after; k++) {
		const struct job *other = &s->v[j->after[k]];
		struct vm_err err = VM_ERR_INIT;

		if (other->state == FAILED) {
			vm_err_set(&err, VM_IN_USE,
				   "not started: it comes after '%s', which did not start",
				   other->name);
			fail(s, j, &err);
			return;
		}
		if (other->state != DONE)
			return;
	}
	j->state = DELAYED;
	j->at_ms = vm_now_ms() + (s->c->dry_run ? 0 : j->delay_ms);
}

static void begin(struct schedule *s, struct job *j)
{
	const char *argv[12] = {s->vm_start, "--connect",   s->uri,   "--timeout",
				s->timeout,  "--if-needed", "--quiet"};
	struct vm_spawn spawn = {.argv = argv, .in = -1, .out = -1, .err = STDERR_FILENO};
	struct vm_err err = VM_ERR_INIT;
	size_t n = 7;

	if (j->delay_ms)
		vm_log_step("start %s, %g s after those before it", j->name,
			    (double)j->delay_ms / 1000);
	else
		vm_log_step("start %s", j->name);
	if (s->c->dry_run) {
		j->state = DONE;
		return;
	}
	if (s->c->json)
		argv[n++] = "--json"; /* its failures look like ours */
	argv[n++] = "--";
	argv[n++] = j->name;
	if (vm_spawn(&spawn, &j->pid, &j->pidfd, &err) < 0) {
		fail(s, j, &err);
		return;
	}
	j->state = RUNNING;
	s->running++;
}

static void reap(struct schedule *s, struct job *j)
{
	struct vm_err err = VM_ERR_INIT;
	int status = 0;

	if (vm_child_wait(j->pid, j->pidfd, VM_DEADLINE_NEVER, &status, &err) < 0)
		status = -1;
	vm_cleanup_fd(&j->pidfd);
	s->running--;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		j->state = DONE;
	} else if (WIFEXITED(status)) {
		j->state = FAILED; /* it has said why itself */
		j->status = WEXITSTATUS(status);
	} else {
		vm_err_set(&err, VM_SYSTEM, "its vm-start was killed by signal %d",
			   WTERMSIG(status));
		fail(s, j, &err);
	}
}

/* Moves what can be moved; returns how long to wait for a delay (-1 = none), *ret_left = jobs not
 * at an end. */
static int64_t advance(struct schedule *s, size_t *ret_left)
{
	int64_t wait = -1, left;
	bool more = true;
	size_t i;

	while (more) {
		more = false;
		*ret_left = 0;
		for (i = 0; i < s->n; i++) {
			struct job *j = &s->v[i];
			int before = (int)j->state;

			if (j->state == WAITING)
				look(s, j);
			if (j->state == DELAYED && j->at_ms <= vm_now_ms() &&
			    s->running < s->parallel)
				begin(s, j);
			more |= (int)j->state != before;
			*ret_left += j->state < DONE;
		}
	}
	for (i = 0; i < s->n && s->running < s->parallel; i++) {
		if (s->v[i].state != DELAYED)
			continue;
		left = (int64_t)(s->v[i].at_ms - vm_now_ms());
		if (wait < 0 || left < wait)
			wait = left < 0 ? 0 : left;
	}
	return wait;
}

static void wait_some(struct schedule *s, int64_t wait_ms)
{
	VM_AUTO_FREE struct pollfd *p = vm_xcalloc(s->running ? s->running : 1, sizeof(*p));
	VM_AUTO_FREE size_t *of = vm_xcalloc(s->running ? s->running : 1, sizeof(*of));
	size_t i, n = 0;

	for (i = 0; i < s->n; i++) {
		if (s->v[i].state != RUNNING)
			continue;
		of[n] = i;
		p[n++] = (struct pollfd){.fd = s->v[i].pidfd, .events = POLLIN};
	}
	if (poll(p, n, wait_ms > 60000 ? 60000 : (int)wait_ms) <= 0)
		return;
	for (i = 0; i < n; i++)
		if (p[i].revents)
			reap(s, &s->v[of[i]]);
}

/* Interrupted: every vm-start undoes what it has begun. */
static void stop_all(struct schedule *s)
{
	size_t i;

	vm_wait_shield();
	for (i = 0; i < s->n; i++)
		if (s->v[i].state == RUNNING)
			pidfd_send_signal(s->v[i].pidfd, SIGTERM, NULL, 0);
	for (i = 0; i < s->n; i++)
		if (s->v[i].state == RUNNING)
			reap(s, &s->v[i]);
	vm_wait_unshield();
}

static int tell(const struct schedule *s, struct vm_err *err)
{
	struct vm_out *out;
	bool changed = false;
	size_t i;

	if (!s->c->json)
		return 0;
	out = vm_out_open(stdout, VM_OUT_QUIET, s->p->schema, true, false);
	for (i = 0; i < s->n; i++)
		changed |= s->v[i].pid && s->v[i].state == DONE;
	vm_out_bool(out, "changed", changed);
	vm_out_array(out, "guests", NULL, 0);
	for (i = 0; i < s->n; i++) {
		vm_out_row(out);
		vm_out_str(out, "name", s->v[i].name);
		vm_out_bool(out, "changed", s->v[i].pid && s->v[i].state == DONE);
		vm_out_u64(out, "status", (uint64_t)s->v[i].status);
		vm_out_row_end(out);
	}
	vm_out_array_end(out);
	return vm_out_close(out, err);
}

int vm_autostart_run(const struct vm_program *p, const struct vm_common *c,
		     const struct vm_state *st, uint64_t parallel, struct vm_err *err)
{
	VM_AUTO(schedule_free) struct schedule s = {.p = p, .c = c, .s = st, .parallel = parallel};
	size_t i, left = 0;
	int status = 0;
	int64_t wait;

	s.uri = vm_xasprintf("%s:///%s", st->driver, st->uri.session ? "session" : "system");
	s.timeout = vm_xasprintf("%.3f", (double)c->timeout_ms / 1000);
	if (vm_self_sibling("vm-start", &s.vm_start, err) < 0 || plan(&s, err) < 0)
		return -1;
	for (;;) {
		wait = advance(&s, &left);
		if (!left)
			break;
		wait_some(&s, wait);
		if (vm_wait_interrupted()) {
			stop_all(&s);
			errno = EINTR;
			return vm_err_sys(err, "start the marked guests");
		}
	}
	for (i = 0; i < s.n && !status; i++)
		if (s.v[i].state == FAILED)
			status = s.v[i].status;
	return tell(&s, err) < 0 ? -1 : status;
}
