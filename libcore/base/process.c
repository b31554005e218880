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
