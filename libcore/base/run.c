/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands that are run to their end. */
#include <vm/process.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

/* How long one that was killed is waited for: what the kernel holds ends when that comes back. */
#define KILLED_MS 1000

struct sink {
	int fd;
	char *text;
	size_t len, cap;
};

static void sink_close(struct sink *s)
{
	vm_cleanup_fd(&s->fd);
	free(s->text);
	s->text = NULL;
}

/* Reads what is there; beyond the cap it is thrown away, so that the writer does not block. */
static void drain(struct sink *s)
{
	char waste[4096];
	ssize_t n;

	for (;;) {
		size_t room = s->cap - s->len;

		n = room ? read(s->fd, s->text + s->len, room) : read(s->fd, waste, sizeof(waste));
		if (n > 0 && room)
			s->len += (size_t)n;
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0 || (n < 0 && errno != EAGAIN))
			vm_cleanup_fd(&s->fd);
		/* one round at a time beyond the cap: an endless writer must not keep us here */
		if (n <= 0 || !room)
			return;
	}
}

static int make_input(const char *input, int *ret_fd, struct vm_err *err)
{
	VM_AUTO_FD int fd = memfd_create("input", MFD_CLOEXEC);
	size_t len = strlen(input), done = 0;
	ssize_t n;

	if (fd < 0)
		return vm_err_sys_kind(err, VM_SYSTEM, "prepare input");
	while (done < len) {
		n = write(fd, input + done, len - done);
		if (n < 0 && errno != EINTR)
			return vm_err_sys_kind(err, VM_SYSTEM, "prepare input");
		if (n > 0)
			done += (size_t)n;
	}
	if (lseek(fd, 0, SEEK_SET) < 0)
		return vm_err_sys_kind(err, VM_SYSTEM, "prepare input");
	*ret_fd = vm_take_fd(&fd);
	return 0;
}

/* Collects output until the child has ended (whoever else holds the pipes does not keep us). */
static int collect(int pidfd, struct sink sinks[2], struct vm_deadline deadline, struct vm_err *err)
{
	struct pollfd p[3];
	int r, i;

	for (;;) {
		p[0] = (struct pollfd){.fd = pidfd, .events = POLLIN};
		for (i = 0; i < 2; i++)
			p[i + 1] = (struct pollfd){.fd = sinks[i].fd, .events = POLLIN};
		r = poll(p, 3, vm_deadline_poll(deadline));
		if (r < 0 && (errno != EINTR || vm_wait_interrupted()))
			return vm_err_sys_kind(err, VM_SYSTEM, "wait");
		/* also for one that never stops writing */
		if ((r <= 0 || p[0].revents == 0) && vm_deadline_passed(deadline)) {
			vm_err_set(err, VM_TIMED_OUT, "timed out");
			err->sys = ETIMEDOUT;
			return -1;
		}
		if (r <= 0)
			continue;
		for (i = 0; i < 2; i++)
			if (sinks[i].fd >= 0 && p[i + 1].revents)
				drain(&sinks[i]);
		if (p[0].revents) {
			for (i = 0; i < 2; i++)
				if (sinks[i].fd >= 0)
					drain(&sinks[i]);
			return 0;
		}
	}
}

static int open_sink(struct sink *s, size_t cap, int *ret_write)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	s->fd = fds[0];
	*ret_write = fds[1];
	s->text = vm_xmalloc(cap + 1);
	s->cap = cap;
	return fcntl(s->fd, F_SETFL, O_NONBLOCK);
}

static char *sink_take(struct sink *s)
{
	s->text[s->len] = '\0';
	return vm_xreallocarray(vm_take_ptr(&s->text), s->len + 1, 1);
}

/* ---- one that must not outlive us ---- */

/* What the guard says at the end. */
struct answer {
	int sys, status; /* sys: errno of a start that failed */
};

struct guarded {
	const struct vm_spawn *spec;
	pid_t guard;
	int link; /* a socket: closed when we are gone; its answer comes through it */
};

/* Whoever comes after us when we are killed finds no such process at work. */
static int before_guarded(void *arg)
{
	const struct guarded *g = arg;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return errno;
	if (getppid() != g->guard)
		return ESRCH;
	umask(022);
	return chdir("/") < 0 ? errno : 0;
}

/*
 * Leader of the session in which the command runs: as long as it is there the number of their
 * process group is theirs.  It has our locks too, until all of them are dead.
 */
static _Noreturn void guard(struct guarded *g)
{
	struct vm_spawn spec = *g->spec;
	struct answer a = { 0 };
	struct vm_err err = VM_ERR_INIT;
	VM_AUTO_FD int pidfd = -1;
	pid_t pid;

	setsid();
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	g->guard = getpid();
	spec.before_exec = before_guarded;
	spec.arg = g;
	if (vm_spawn(&spec, &pid, &pidfd, &err) < 0) {
		a.sys = err.sys;
	} else {
		struct pollfd p[2] = { { .fd = pidfd, .events = POLLIN },
				      { .fd = g->link, .events = POLLIN } };

		while (poll(p, 2, -1) < 0 && errno == EINTR)
			;
		if (p[0].revents == 0)
			kill(0, SIGKILL);
		while (waitpid(pid, &a.status, 0) < 0 && errno == EINTR)
			;
	}
	_exit(write(g->link, &a, sizeof(a)) != (ssize_t)sizeof(a));
}

/* The guard, in the command's place. */
static int spawn_guarded(const struct vm_spawn *spec, int *ret_link, pid_t *ret_pid, int *ret_pidfd,
			 struct vm_err *err)
{
	struct guarded g = { .spec = spec };
	int link[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, link) < 0)
		return vm_err_sys_kind(err, VM_SYSTEM, "start %s", spec->argv[0]);
	*ret_pid = fork();
	if (*ret_pid == 0) {
		close(link[0]);
		g.link = link[1];
		guard(&g);
	}
	*ret_pidfd = *ret_pid < 0 ? -1 : pidfd_open(*ret_pid, 0);
	if (*ret_pidfd < 0)
		vm_err_sys_kind(err, VM_SYSTEM, "start %s", spec->argv[0]);
	close(link[1]);
	*ret_link = link[0];
	if (*ret_pidfd >= 0)
		return 0;
	/* it sees our end go */
	vm_cleanup_fd(ret_link);
	if (*ret_pid > 0)
		while (waitpid(*ret_pid, NULL, 0) < 0 && errno == EINTR)
			;
	return -1;
}

/* A guard that says nothing was killed, by the command or with it. */
static int hear(int link, const char *program, int *status, struct vm_err *err)
{
	struct answer a;

	if (recv(link, &a, sizeof(a), MSG_DONTWAIT) != (ssize_t)sizeof(a))
		return 0;
	*status = a.status;
	errno = a.sys;
	return a.sys != 0 ? vm_err_sys(err, "start %s", program) : 0;
}

/* ---- */

/* With what it has started itself; it is not reaped yet, so its group's number is its own. */
static void end(pid_t pid, int pidfd)
{
	struct vm_err ignored = VM_ERR_INIT;

	kill(-pid, SIGKILL);
	pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	vm_wait_shield();
	if (vm_pidfd_wait(pidfd, vm_deadline_in(KILLED_MS), &ignored) == 0)
		waitpid(pid, NULL, WNOHANG);
	vm_wait_unshield();
}

int vm_run_job(const struct vm_job *c, struct vm_deadline deadline, char **ret_out, char **ret_err,
	       int *ret_status, struct vm_err *err)
{
	VM_AUTO(sink_close) struct sink out = {.fd = -1};
	VM_AUTO(sink_close) struct sink errs = {.fd = -1};
	VM_AUTO_FD int in_fd = -1;
	VM_AUTO_FD int out_fd = -1;
	VM_AUTO_FD int err_fd = -1;
	VM_AUTO_FD int pidfd = -1;
	VM_AUTO_FD int link = -1;
	struct vm_spawn spec = {
	    .argv = c->argv, .envp = c->envp, .in = -1, .new_session = !c->guarded};
	struct sink sinks[2];
	pid_t pid;
	int r, status = 0;

	if (c->input && make_input(c->input, &in_fd, err) < 0)
		return -1;
	if (open_sink(&out, c->cap, &out_fd) < 0 || open_sink(&errs, c->cap, &err_fd) < 0)
		return vm_err_sys_kind(err, VM_SYSTEM, "start %s", c->argv[0]);
	spec.in = in_fd;
	spec.out = out_fd;
	spec.err = err_fd;
	if ((c->guarded ? spawn_guarded(&spec, &link, &pid, &pidfd, err)
			: vm_spawn(&spec, &pid, &pidfd, err)) < 0)
		return -1;
	vm_cleanup_fd(&out_fd);
	vm_cleanup_fd(&err_fd);
	sinks[0] = out;
	sinks[1] = errs;
	r = collect(pidfd, sinks, deadline, err);
	out = sinks[0];
	errs = sinks[1];
	if (r < 0) {
		end(pid, pidfd);
		if (ret_err)
			*ret_err = sink_take(&errs);
		return vm_err_wrap(err, "%s", c->argv[0]);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (c->guarded && hear(link, c->argv[0], &status, err) < 0)
		return -1;
	if (ret_out)
		*ret_out = sink_take(&out);
	if (ret_err)
		*ret_err = sink_take(&errs);
	if (ret_status)
		*ret_status = status;
	return 0;
}

int vm_run(const char *const *argv, const char *input, size_t cap, struct vm_deadline deadline,
	   char **ret_out, char **ret_err, int *ret_status, struct vm_err *err)
{
	const struct vm_job c = {.argv = argv, .input = input, .cap = cap};

	return vm_run_job(&c, deadline, ret_out, ret_err, ret_status, err);
}
