/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vm/lock.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/log.h>
#include <vm/process.h>
#include <vm/strbuf.h>

/* The holder's line has a fixed length: one pwrite() replaces it, also on a full disk. */
#define HOLDER_LEN 64

static int ofd_lock(int fd, int cmd, short type)
{
	struct flock fl = { .l_type = type, .l_whence = SEEK_SET };

	return fcntl(fd, cmd, &fl);
}

static void write_holder(int fd)
{
	char line[HOLDER_LEN + 1];
	int n = snprintf(line, sizeof(line), "%.40s %d", vm_program(), (int)getpid());

	memset(line + n, ' ', sizeof(line) - 1 - (size_t)n);
	line[HOLDER_LEN - 1] = '\n';
	/* Only for messages: a disk without room must not keep anybody from stopping a guest. */
	if (pwrite(fd, line, HOLDER_LEN, 0) != HOLDER_LEN)
		return;
}

void vm_lock_mine(int fd)
{
	write_holder(fd);
}

/* "vm-start (pid 4711)".  What stands in the file may be an old holder's if the new one has just come. */
static void describe_holder(int fd, char *buf, size_t size)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf safe = VM_STRBUF_INIT;
	char line[HOLDER_LEN + 1], *space, *end;
	long pid;
	ssize_t n = pread(fd, line, HOLDER_LEN, 0);

	snprintf(buf, size, "another process");
	if (n <= 0)
		return;
	line[n] = '\0';
	space = strchr(line, ' ');
	if (!space)
		return;
	*space = '\0';
	pid = strtol(space + 1, &end, 10);
	if (end == space + 1 || pid <= 0 || pid > 1 << 22 ||
	    (kill((pid_t)pid, 0) < 0 && errno == ESRCH))
		return;
	vm_strbuf_escape(&safe, line);
	snprintf(buf, size, "%s (pid %ld)", safe.text, pid);
}

/* 1: the file we locked is no longer the one of that name. */
static int was_replaced(int fd, int dirfd, const char *name)
{
	struct stat ours, named;

	if (fstat(fd, &ours) < 0)
		return -1;
	if (fstatat(dirfd, name, &named, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 1 : -1;
	return ours.st_ino != named.st_ino || ours.st_dev != named.st_dev;
}

static int open_lock(int dirfd, const char *name)
{
	int fd;

	fd = openat(dirfd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		fd = openat(dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
	return fd;
}

static void on_alarm(int sig)
{
	(void)sig;
}

/*
 * Waits in the kernel, woken by a timer of this thread.  The timer repeats, so that an expiry between two
 * system calls is not lost.
 */
static int lock_wait(int fd, struct vm_deadline deadline)
{
	struct sigaction sa = { .sa_handler = on_alarm }, old_sa;
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM };
	struct itimerspec when = { .it_interval = { 0, 10000000 } };
	sigset_t alarm_set, old_set;
	timer_t timer;
	int r = -1, saved;

	if (vm_deadline_passed(deadline)) {
		errno = ETIMEDOUT;
		return -1;
	}
	ev._sigev_un._tid = gettid();
	if (timer_create(CLOCK_MONOTONIC, &ev, &timer) < 0)
		return -1;
	/* Left in place: another thread may be waiting too, and a late alarm must not kill. */
	sigemptyset(&sa.sa_mask);
	if (sigaction(SIGALRM, NULL, &old_sa) == 0 &&
	    (old_sa.sa_handler == SIG_DFL || old_sa.sa_handler == SIG_IGN))
		sigaction(SIGALRM, &sa, NULL);
	sigemptyset(&alarm_set);
	sigaddset(&alarm_set, SIGALRM);
	pthread_sigmask(SIG_UNBLOCK, &alarm_set, &old_set);
	when.it_value.tv_sec = (time_t)(deadline.at_ms / 1000);
	when.it_value.tv_nsec = (long)(deadline.at_ms % 1000) * 1000000;
	if (deadline.at_ms && timer_settime(timer, TIMER_ABSTIME, &when, NULL) < 0)
		goto out;
	for (;;) {
		r = ofd_lock(fd, F_OFD_SETLKW, F_WRLCK);
		if (r == 0 || errno != EINTR || vm_wait_interrupted())
			break;
		if (vm_deadline_passed(deadline)) {
			errno = ETIMEDOUT;
			break;
		}
	}
out:
	saved = errno;
	timer_delete(timer);
	pthread_sigmask(SIG_SETMASK, &old_set, NULL);
	errno = saved;
	return r;
}

/* 0 = held; 1 = somebody else has it (only without wait, or past the deadline); -1 with *err. */
static int take(int dirfd, const char *name, bool wait, struct vm_deadline deadline, int *ret_fd,
		char *holder, size_t holder_size, struct vm_err *err)
{
	bool said = false;
	int r;

	for (;;) {
		VM_AUTO_FD int fd = open_lock(dirfd, name);

		if (fd < 0)
			return vm_err_sys(err, "open lock %s", name);
		r = ofd_lock(fd, F_OFD_SETLK, F_WRLCK);
		if (r < 0 && (errno == EAGAIN || errno == EACCES)) {
			describe_holder(fd, holder, holder_size);
			if (!wait)
				return 1;
			if (!said)
				vm_log_step("wait for %s to finish", holder);
			said = true;
			r = lock_wait(fd, deadline);
			if (r < 0 && errno == ETIMEDOUT) {
				describe_holder(fd, holder, holder_size);
				return 1;
			}
		}
		if (r < 0)
			return vm_err_sys_kind(err, VM_SYSTEM, "lock %s", name);
		r = was_replaced(fd, dirfd, name);
		if (r < 0)
			return vm_err_sys(err, "lock %s", name);
		if (r == 0) {
			write_holder(fd);
			*ret_fd = vm_take_fd(&fd);
			return 0;
		}
	}
}

int vm_lock_take(int dirfd, const char *name, struct vm_deadline deadline, int *ret_fd,
		 struct vm_err *err)
{
	char holder[96];
	int r = take(dirfd, name, true, deadline, ret_fd, holder, sizeof(holder), err);

	if (r <= 0)
		return r;
	vm_err_set(err, VM_TIMED_OUT, "in use by %s: timed out", holder);
	err->sys = ETIMEDOUT;
	return vm_err_hint(err, "wait for it, or give --timeout=SECONDS");
}

int vm_lock_try(int dirfd, const char *name, int *ret_fd, struct vm_err *err)
{
	char holder[96];
	int r = take(dirfd, name, false, VM_DEADLINE_NEVER, ret_fd, holder, sizeof(holder), err);

	if (r == 1)
		vm_err_set(err, VM_IN_USE, "in use by %s", holder);
	return r;
}

void vm_lock_release(int *fd)
{
	vm_cleanup_fd(fd);
}

int vm_lock_held(int fd, struct vm_err *err)
{
	struct flock fl = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_OFD_GETLK, &fl) < 0)
		return vm_err_sys(err, "query lock");
	return fl.l_type != F_UNLCK;
}
