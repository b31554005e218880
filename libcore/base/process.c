/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vm/process.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

/* Small files of /proc; -1 with errno. */
static ssize_t slurp(const char *path, char *buf, size_t size)
{
	VM_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	do
		n = read(fd, buf, size - 1);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		buf[n] = '\0';
	return n;
}

static int read_boot(char boot[37], struct vm_err *err)
{
	char buf[64];
	ssize_t n = slurp("/proc/sys/kernel/random/boot_id", buf, sizeof(buf));

	if (n < 0)
		return vm_err_sys_kind(err, VM_SYSTEM, "read the boot id");
	if (n < 36)
		return vm_err_set(err, VM_SYSTEM, "read the boot id: too short");
	memcpy(boot, buf, 36);
	boot[36] = '\0';
	return 0;
}

/* Source: proc(5), /proc/PID/stat: field 2 is in parentheses and may hold any byte, 22 is the start. */
static int read_start(pid_t pid, uint64_t *ret)
{
	char path[64], buf[1024], *p, *end;
	unsigned long long start;
	int field;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (slurp(path, buf, sizeof(buf)) < 0)
		return -1;
	p = strrchr(buf, ')');
	for (field = 2; p && field < 22; field++) {
		p = strchr(p, ' ');
		if (p)
			p++;
	}
	errno = 0;
	if (!p || *p < '0' || *p > '9') {
		errno = EIO;
		return -1;
	}
	start = strtoull(p, &end, 10);
	if (errno || *end != ' ') {
		errno = EIO;
		return -1;
	}
	*ret = start;
	return 0;
}

int vm_procid_of(pid_t pid, struct vm_procid *ret, struct vm_err *err)
{
	struct vm_procid id = { .pid = pid };

	if (read_start(pid, &id.start) < 0) {
		if (errno == ENOENT)
			errno = ESRCH;
		return vm_err_sys_kind(err, errno == ESRCH ? VM_NOT_FOUND : VM_SYSTEM,
				       "process %d", (int)pid);
	}
	if (read_boot(id.boot, err) < 0)
		return -1;
	*ret = id;
	return 0;
}

int vm_procid_self(struct vm_procid *ret, struct vm_err *err)
{
	return vm_procid_of(getpid(), ret, err);
}

/* Ready means: the whole process is gone or a zombie.  A dead main thread alone does not count. */
static int pidfd_gone(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLIN);
}

int vm_procid_open(const struct vm_procid *id, int *ret_pidfd, struct vm_err *err)
{
	VM_AUTO_FD int pidfd = -1;
	char boot[37];
	uint64_t start;

	if (read_boot(boot, err) < 0)
		return -1;
	if (id->pid <= 0 || strcmp(boot, id->boot) != 0)
		return 1;
	pidfd = pidfd_open(id->pid, 0);
	if (pidfd < 0) {
		/* EINVAL: the number now belongs to a thread */
		if (errno == ESRCH || errno == EINVAL)
			return 1;
		return vm_err_sys_kind(err, VM_SYSTEM, "process %d", (int)id->pid);
	}
	/* read after the open, so that the descriptor and the start are the same process's */
	if (read_start(id->pid, &start) < 0) {
		if (errno == ENOENT || errno == ESRCH)
			return 1;
		return vm_err_sys_kind(err, VM_SYSTEM, "process %d", (int)id->pid);
	}
	if (start != id->start || pidfd_gone(pidfd))
		return 1;
	*ret_pidfd = vm_take_fd(&pidfd);
	return 0;
}

int vm_pidfd_wait(int pidfd, struct vm_deadline deadline, struct vm_err *err)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int r;

	for (;;) {
		r = poll(&p, 1, vm_deadline_poll(deadline));
		if (r > 0)
			return 0;
		if (r == 0 && vm_deadline_passed(deadline)) {
			errno = ETIMEDOUT;
			return vm_err_sys(err, "wait for a process to end");
		}
		if (r < 0 && (errno != EINTR || vm_wait_interrupted()))
			return vm_err_sys_kind(err, VM_SYSTEM, "wait for a process to end");
	}
}

int vm_procid_kill(const struct vm_procid *id, int sig, struct vm_deadline deadline,
		   struct vm_err *err)
{
	VM_AUTO_FD int pidfd = -1;
	int r = vm_procid_open(id, &pidfd, err);

	if (r != 0)
		return r < 0 ? -1 : 0;
	if (pidfd_send_signal(pidfd, sig, NULL, 0) < 0)
		return errno == ESRCH ? 0 : vm_err_sys(err, "signal process %d", (int)id->pid);
	if (vm_pidfd_wait(pidfd, deadline, err) < 0)
		return vm_err_wrap(err, "process %d", (int)id->pid);
	return 0;
}

void vm_proc_comm(pid_t pid, char *buf, size_t len)
{
	char path[64], text[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	n = slurp(path, text, sizeof(text));
	if (n > 0 && text[n - 1] == '\n')
		text[n - 1] = '\0';
	snprintf(buf, len, "%s", n > 0 ? text : "?");
}

uint32_t vm_proc_loginuid(void)
{
	char buf[32], *end;
	unsigned long uid;

	if (slurp("/proc/self/loginuid", buf, sizeof(buf)) <= 0)
		return UINT32_MAX;
	uid = strtoul(buf, &end, 10);
	return end == buf || uid > UINT32_MAX ? UINT32_MAX : (uint32_t)uid;
}

void vm_proc_std_fds(void)
{
	int fd;

	for (fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
			continue;
		/* The wrong direction on purpose: using it fails with EBADF as before. */
		if (open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			abort();
	}
}

/* ---- spawning ---- */

#define CHILD_STACK (128u << 10)

struct child {
	const struct vm_spawn *spec;
	struct vm_spawn_fd *fds; /* stdin, stdout, stderr and the caller's, sorted by target */
	size_t nfds;
	sigset_t mask;
	int error; /* shared memory: the parent sleeps until exec or exit */
};

/* Moves every descriptor out of the way first: one's target may be another's source. */
static int place_fds(struct child *c)
{
	int above = c->fds[c->nfds - 1].to + 1;
	size_t i;
	int next = 0;

	for (i = 0; i < c->nfds; i++) {
		c->fds[i].from = fcntl(c->fds[i].from, F_DUPFD_CLOEXEC, above);
		if (c->fds[i].from < 0)
			return -1;
	}
	for (i = 0; i < c->nfds; i++)
		if (dup2(c->fds[i].from, c->fds[i].to) < 0)
			return -1;
	for (i = 0; i < c->nfds; i++) {
		if (c->fds[i].to > next &&
		    close_range((unsigned)next, (unsigned)c->fds[i].to - 1, 0) < 0)
			return -1;
		next = c->fds[i].to + 1;
	}
	return close_range((unsigned)next, UINT_MAX, 0);
}

static int child_main(void *arg)
{
	struct child *c = arg;
	const struct vm_spawn *s = c->spec;
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	int sig, r;

	/* Ours, not the parent's: the table of handlers was copied.  A handler must not run here, where it
	 * would write into the parent's memory. */
	for (sig = 1; sig < NSIG; sig++)
		sigaction(sig, &dfl, NULL);
	if (s->new_session && setsid() < 0)
		goto fail;
	if (place_fds(c) < 0)
		goto fail;
	if (s->before_exec) {
		r = s->before_exec(s->arg);
		if (r) {
			c->error = r;
			return 127;
		}
	}
	sigemptyset(&c->mask);
	sigprocmask(SIG_SETMASK, &c->mask, NULL);
	if (s->envp)
		execvpe(s->argv[0], (char *const *)(uintptr_t)s->argv,
			(char *const *)(uintptr_t)s->envp);
	else
		execvp(s->argv[0], (char *const *)(uintptr_t)s->argv);
fail:
	c->error = errno ? errno : EIO;
	return 127; /* clone()'s wrapper exits with it */
}

static int by_target(const void *a, const void *b)
{
	const struct vm_spawn_fd *x = a, *y = b;

	return (x->to > y->to) - (x->to < y->to);
}

/* The child borrows our memory until it execs, as vfork() does: no page tables are copied, and a failure
 * needs no pipe. */
static int clone_child(struct child *c, pid_t *ret_pid, int *ret_pidfd)
{
	sigset_t all, old;
	char *stack;
	pid_t pid;
	int saved, pidfd = -1;

	stack = vm_xmalloc(CHILD_STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	pid = clone(child_main, stack + (CHILD_STACK & ~(size_t)15),
		    CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, c, &pidfd);
	saved = errno;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	free(stack);
	errno = saved;
	if (pid < 0)
		return -1;
	*ret_pid = pid;
	*ret_pidfd = pidfd;
	return 0;
}

static void reap(pid_t pid)
{
	int saved = errno;

	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	errno = saved;
}

int vm_spawn(const struct vm_spawn *spec, pid_t *ret_pid, int *ret_pidfd, struct vm_err *err)
{
	VM_AUTO_FREE struct vm_spawn_fd *fds = vm_xcalloc(spec->nfds + 3, sizeof(*fds));
	VM_AUTO_FD int null = -1;
	VM_AUTO_FD int pidfd = -1;
	struct child c = { .spec = spec, .fds = fds, .nfds = spec->nfds + 3 };
	int std[3] = { spec->in, spec->out, spec->err };
	pid_t pid;
	size_t i;

	for (i = 0; i < 3; i++) {
		if (std[i] < 0 && null < 0) {
			null = open("/dev/null", O_RDWR | O_CLOEXEC);
			if (null < 0)
				return vm_err_sys_kind(err, VM_SYSTEM, "start %s", spec->argv[0]);
		}
		fds[i] = (struct vm_spawn_fd){ std[i] < 0 ? null : std[i], (int)i };
	}
	for (i = 0; i < spec->nfds; i++) {
		assert(spec->fds[i].to >= 0 && spec->fds[i].to < 65536);
		fds[i + 3] = spec->fds[i];
	}
	qsort(fds, c.nfds, sizeof(*fds), by_target);
	for (i = 1; i < c.nfds; i++)
		assert(fds[i].to != fds[i - 1].to);
	if (clone_child(&c, &pid, &pidfd) < 0)
		return vm_err_sys_kind(err, VM_SYSTEM, "start %s", spec->argv[0]);
	if (c.error) {
		reap(pid);
		errno = c.error;
		return vm_err_sys(err, "start %s", spec->argv[0]);
	}
	if (ret_pid)
		*ret_pid = pid;
	if (ret_pidfd)
		*ret_pidfd = vm_take_fd(&pidfd);
	return 0;
}

int vm_child_wait(pid_t pid, int pidfd, struct vm_deadline deadline, int *ret_status,
		  struct vm_err *err)
{
	VM_AUTO_FD int own = -1;
	int status;
	pid_t r;

	if (pidfd < 0) {
		own = pidfd_open(pid, 0);
		if (own < 0)
			return vm_err_sys_kind(err, VM_SYSTEM, "wait for process %d", (int)pid);
		pidfd = own;
	}
	if (vm_pidfd_wait(pidfd, deadline, err) < 0)
		return -1;
	do
		r = waitpid(pid, &status, 0);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return vm_err_sys_kind(err, VM_SYSTEM, "wait for process %d", (int)pid);
	if (ret_status)
		*ret_status = status;
	return 0;
}

/* ---- running to the end ---- */

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
		p[0] = (struct pollfd){ .fd = pidfd, .events = POLLIN };
		for (i = 0; i < 2; i++)
			p[i + 1] = (struct pollfd){ .fd = sinks[i].fd, .events = POLLIN };
		r = poll(p, 3, vm_deadline_poll(deadline));
		if (r < 0 && (errno != EINTR || vm_wait_interrupted()))
			return vm_err_sys_kind(err, VM_SYSTEM, "wait");
		if (r <= 0) {
			if (!vm_deadline_passed(deadline))
				continue;
			vm_err_set(err, VM_TIMED_OUT, "timed out");
			err->sys = ETIMEDOUT;
			return -1;
		}
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

int vm_run(const char *const *argv, const char *input, size_t cap, struct vm_deadline deadline,
	   char **ret_out, char **ret_err, int *ret_status, struct vm_err *err)
{
	VM_AUTO(sink_close) struct sink out = { .fd = -1 };
	VM_AUTO(sink_close) struct sink errs = { .fd = -1 };
	VM_AUTO_FD int in_fd = -1;
	VM_AUTO_FD int out_fd = -1;
	VM_AUTO_FD int err_fd = -1;
	VM_AUTO_FD int pidfd = -1;
	struct vm_spawn spec = { .argv = argv, .in = -1, .new_session = true };
	struct sink sinks[2];
	pid_t pid;
	int r, status = 0;

	if (input && make_input(input, &in_fd, err) < 0)
		return -1;
	if (open_sink(&out, cap, &out_fd) < 0 || open_sink(&errs, cap, &err_fd) < 0)
		return vm_err_sys_kind(err, VM_SYSTEM, "start %s", argv[0]);
	spec.in = in_fd;
	spec.out = out_fd;
	spec.err = err_fd;
	if (vm_spawn(&spec, &pid, &pidfd, err) < 0)
		return -1;
	vm_cleanup_fd(&out_fd);
	vm_cleanup_fd(&err_fd);
	sinks[0] = out;
	sinks[1] = errs;
	r = collect(pidfd, sinks, deadline, err);
	out = sinks[0];
	errs = sinks[1];
	if (r < 0) {
		/* with what it has started itself; it is not reaped yet, so its group's number is its own */
		kill(-pid, SIGKILL);
		pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return vm_err_wrap(err, "%s", argv[0]);
	if (ret_out)
		*ret_out = sink_take(&out);
	if (ret_err)
		*ret_err = sink_take(&errs);
	if (ret_status)
		*ret_status = status;
	return 0;
}
