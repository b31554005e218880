/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Source: Linux Documentation/admin-guide/cgroup-v2.rst. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/strbuf.h>

/* What guests' limits need. */
static const char *const wanted[] = { "cpu", "cpuset", "io", "memory" };

static int settle(const struct vm_cgroup_hier *hier, int parent, int group, struct vm_err *err)
{
	(void)hier;
	(void)parent;
	(void)group;
	(void)err;
	return 0;
}

static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	while (*text != 0) {
		size_t n = strcspn(text, " \n");

		if (n == len && memcmp(text, word, len) == 0)
			return true;
		text += n;
		text += *text != 0;
	}
	return false;
}

static int enable(const struct vm_cgroup_hier *hier, int dir, char **note, struct vm_err *err)
{
	VM_AUTO_FREE char *have = NULL;
	VM_AUTO_FREE char *on = NULL;
	VM_AUTO(vm_strbuf_free) struct vm_strbuf refused = VM_STRBUF_INIT;
	struct vm_err one = VM_ERR_INIT;

	if (vm_file_read(dir, "cgroup.controllers", 4096, &have, NULL, NULL, err) < 0 ||
	    vm_file_read(dir, "cgroup.subtree_control", 4096, &on, NULL, NULL, err) < 0)
		return -1;
	for (size_t i = 0; i < VM_COUNT(wanted); i++) {
		char text[16] = "+";

		if (!has_word(have, wanted[i]) || has_word(on, wanted[i]))
			continue;
		strcat(text, wanted[i]);
		/* One by one: a group of threads, or a realtime process, keeps single ones from being had. */
		if (vm_kfile_write(dir, "cgroup.subtree_control", text, &one) < 0)
			vm_strbuf_printf(&refused, "%s%s", refused.len > 0 ? ", " : "", wanted[i]);
	}
	if (refused.len > 0 && *note == NULL)
		*note = vm_xasprintf("no %s limits below %s: %s", refused.text, hier->mount, one.msg);
	return 0;
}

/* 1, 0; -1 with errno (ENODEV: the group was removed). */
static int read_populated(int fd)
{
	char text[256];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	char *line;

	if (n < 0)
		return -1;
	text[n] = 0;
	line = strstr(text, "populated ");
	if (line == NULL) {
		errno = EIO;
		return -1;
	}
	return line[10] != '0';
}

static int open_events(int dir)
{
	return openat(dir, "cgroup.events", O_RDONLY | O_CLOEXEC);
}

static int populated(int dir, struct vm_err *err)
{
	VM_AUTO_FD int fd = open_events(dir);
	int r = fd < 0 ? -1 : read_populated(fd);

	if (r < 0 && (errno == ENOENT || errno == ENODEV))
		return 0;
	return r < 0 ? vm_err_sys(err, "read cgroup.events") : r;
}

static int wait_empty(int dir, struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO_FD int fd = open_events(dir);

	if (fd < 0)
		return errno == ENOENT || errno == ENODEV ? 0 : vm_err_sys(err, "read cgroup.events");
	for (;;) {
		/* Whatever changes after this read makes the poll return. */
		int r = read_populated(fd), n;
		struct pollfd p = { .fd = fd, .events = POLLPRI };

		if (r < 0)
			return errno == ENODEV ? 0 : vm_err_sys(err, "read cgroup.events");
		if (r == 0)
			return 0;
		n = poll(&p, 1, vm_deadline_poll(deadline));
		if (n == 0)
			return vm_err_set(err, VM_TIMED_OUT, "its processes do not end");
		if (n < 0 && (errno != EINTR || vm_wait_interrupted()))
			return vm_err_sys(err, "wait for its processes");
	}
}

static int kill_pid(pid_t pid, void *arg)
{
	(void)arg;
	if (pid > 1)
		kill(pid, SIGKILL);
	return 0;
}

static int kill_tree(int parent, int dir, const char *name, void *arg, struct vm_err *err)
{
	(void)parent;
	(void)name;
	if (vm_cgroup_each_child(dir, kill_tree, arg, err) < 0)
		return -1;
	/* A group of threads has no list of processes of its own. */
	if (vm_cgroup_each_pid(dir, kill_pid, NULL, err) < 0 && err->sys != EOPNOTSUPP)
		return -1;
	return 0;
}

static int kill_all(int dir, struct vm_deadline deadline, struct vm_err *err)
{
	if (vm_kfile_write(dir, "cgroup.kill", "1", err) < 0) {
		if (err->sys == ENODEV)
			return 0;
		/* Source: Linux 5.14 brought cgroup.kill; a group of threads has none. */
		if (err->sys != ENOENT && err->sys != EOPNOTSUPP)
			return -1;
		*err = VM_ERR_INIT;
		if (kill_tree(-1, dir, NULL, NULL, err) < 0)
			return -1;
	}
	return wait_empty(dir, deadline, err);
}

const struct vm_cgroup_ops vm_cgroup_v2 = {
	.settle = settle,
	.enable = enable,
	.populated = populated,
	.kill = kill_all,
	.wait_empty = wait_empty,
};
