/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bounded.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/cleanup.h>

/* What the child says: one before each step, one at its end. */
struct word {
	uint32_t step;
	int32_t sys; /* -1: begins; 0: done; else errno */
	char text[VM_SYS_TEXT];
};

struct job {
	int root, out;
	const struct vm_sys_write *w; /* NULL: read */
	size_t n;
	const char *path;
};

static int open_at(int root, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC | O_NOCTTY),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd, tries = 0;

	/* something was renamed or mounted while the path was walked */
	do
		fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	while (fd < 0 && errno == EAGAIN && tries++ < 1000);
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		fd = openat(root, path, flags | O_CLOEXEC | O_NOCTTY);
	return fd;
}

static int write_one(int root, const struct vm_sys_write *w)
{
	int fd = open_at(root, w->path, O_WRONLY);
	size_t len = strlen(w->text);
	ssize_t n;

	if (fd < 0)
		return errno;
	n = write(fd, w->text, len);
	if (n < 0)
		return errno;
	close(fd);
	return n == (ssize_t)len ? 0 : EIO;
}

static int read_one(int root, const char *path, char *buf, size_t size)
{
	int fd = open_at(root, path, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? 0 : errno;
	do
		n = read(fd, buf, size - 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno;
	buf[n] = 0;
	buf[strcspn(buf, "\n")] = 0;
	return 0;
}

/* Raw system calls only: what another thread held at the fork is held for ever here. */
static _Noreturn void child(const struct job *j)
{
	struct word word = { 0 };
	size_t steps = j->w != NULL ? j->n : 1;

	/* No lock of ours may outlive us because the kernel does not come back. */
	if (dup2(j->root, 0) < 0 || dup2(j->out, 1) < 0 || close_range(2, ~0u, 0) < 0)
		_exit(1);
	for (word.step = 0; word.step < steps; word.step++) {
		word.sys = -1;
		if (write(1, &word, sizeof(word)) != (ssize_t)sizeof(word))
			_exit(1);
		word.sys = EINVAL;
		if (j->w != NULL)
			word.sys = write_one(0, &j->w[word.step]);
		else if (j->path != NULL)
			word.sys = read_one(0, j->path, word.text, sizeof(word.text));
		if (word.sys != 0)
			break;
	}
	_exit(write(1, &word, sizeof(word)) != (ssize_t)sizeof(word));
}

/* 0 = *word is the next; -1: the deadline has passed (errno ETIMEDOUT), or the child is gone without a word. */
static int next_word(int in, struct vm_deadline deadline, struct word *word)
{
	struct pollfd p = { .fd = in, .events = POLLIN };
	ssize_t n;
	int r;

	for (;;) {
		r = poll(&p, 1, vm_deadline_poll(deadline));
		if (r < 0 && errno == EINTR && !vm_wait_interrupted())
			continue;
		if (r <= 0) {
			if (r == 0)
				errno = ETIMEDOUT;
			return -1;
		}
		n = read(in, word, sizeof(*word));
		if (n < 0 && errno == EINTR && !vm_wait_interrupted())
			continue;
		if (n == (ssize_t)sizeof(*word))
			return 0;
		errno = EIO;
		return -1;
	}
}

static int listen_to(int in, const struct job *j, struct vm_deadline deadline, size_t *ret_at, char *buf,
		     size_t size, struct vm_err *err)
{
	size_t steps = j->w != NULL ? j->n : 1;
	struct word word = { 0 };

	*ret_at = 0;
	for (;;) {
		const char *path;

		if (next_word(in, deadline, &word) < 0) {
			path = j->w != NULL ? j->w[*ret_at].path : j->path;
			return vm_err_sys(err, "/%s", path);
		}
		*ret_at = word.step;
		if (word.sys == 0)
			break;
		path = j->w != NULL && word.step < steps ? j->w[word.step].path : j->path;
		if (word.sys > 0) {
			errno = word.sys;
			return vm_err_sys(err, "/%s", path != NULL ? path : "?");
		}
	}
	if (buf != NULL)
		snprintf(buf, size, "%s", word.text);
	return 0;
}

static int run(const struct vm_sys *s, struct job *j, struct vm_deadline deadline, size_t *ret_at,
	       char *buf, size_t size, struct vm_err *err)
{
	VM_AUTO_FD int in = -1;
	int fds[2], r;
	pid_t pid, parent = getpid();

	*ret_at = 0;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return vm_err_sys(err, "pipe");
	in = fds[0];
	j->root = s->root;
	j->out = fds[1];
	pid = fork();
	if (pid == 0) {
		/* whoever comes after us when we are killed must not find it written later on */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
			_exit(1);
		/* a session of its own: a signal at the terminal is for us */
		setsid();
		signal(SIGTERM, SIG_DFL);
		signal(SIGINT, SIG_DFL);
		child(j);
	}
	close(fds[1]);
	if (pid < 0)
		return vm_err_sys(err, "fork");
	r = listen_to(in, j, deadline, ret_at, buf, size, err);
	if (r < 0) {
		/* harmless to one that the kernel holds; it goes when that comes back */
		kill(pid, SIGKILL);
		waitpid(pid, NULL, WNOHANG);
	} else {
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	return r;
}

int vm_sys_write(const struct vm_sys *s, const struct vm_sys_write *w, size_t n,
		 struct vm_deadline deadline, size_t *ret_at, struct vm_err *err)
{
	struct job j = { .w = w, .n = n };

	if (n == 0) {
		*ret_at = 0;
		return 0;
	}
	return run(s, &j, deadline, ret_at, NULL, 0, err);
}

int vm_sys_read(const struct vm_sys *s, const char *path, char *buf, size_t size,
		struct vm_deadline deadline, struct vm_err *err)
{
	struct job j = { .path = path };
	size_t at;

	return run(s, &j, deadline, &at, buf, size, err);
}
