/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Source: Linux Documentation/admin-guide/cgroup-v1/. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/process.h>

#define KILL_BATCH 64u
#define RETRY_US   1000u

/* A new cpuset has no CPUs and no memory: nothing can be moved into it. */
static int copy_file(int from, int to, const char *name, struct vm_err *err)
{
	VM_AUTO_FREE char *text = NULL;
	VM_AUTO_FREE char *has = NULL;

	if (vm_file_read(to, name, 1u << 16, &has, NULL, NULL, err) < 0)
		return -1;
	if (strspn(has, " \n") != strlen(has))
		return 0; /* cgroup.clone_children did it */
	if (vm_file_read(from, name, 1u << 16, &text, NULL, NULL, err) < 0)
		return -1;
	text[strcspn(text, "\n")] = 0;
	return vm_kfile_write(to, name, text, err);
}

static int settle_cpuset(int parent, int group, struct vm_err *err)
{
	/* "noprefix" mounts have the old names. */
	bool old = faccessat(group, "cpuset.cpus", F_OK, 0) < 0;

	if (copy_file(parent, group, old ? "cpus" : "cpuset.cpus", err) < 0 ||
	    copy_file(parent, group, old ? "mems" : "cpuset.mems", err) < 0)
		return -1;
	/* Memory follows a guest that is pinned to other nodes. */
	return vm_kfile_write(group, old ? "memory_migrate" : "cpuset.memory_migrate", "1", err);
}

static int settle_memory(int group, struct vm_err *err)
{
	VM_AUTO_FREE char *text = NULL;

	if (vm_file_read(group, "memory.use_hierarchy", 64, &text, NULL, NULL, err) < 0) {
		if (err->kind != VM_NOT_FOUND)
			return -1;
		*err = VM_ERR_INIT;
		return 0;
	}
	return text[0] == '0' ? vm_kfile_write(group, "memory.use_hierarchy", "1", err) : 0;
}

static int settle(const struct vm_cgroup_hier *hier, int parent, int group, struct vm_err *err)
{
	if ((hier->controllers & 1u << VM_CGROUP_CPUSET) != 0 &&
	    settle_cpuset(parent, group, err) < 0)
		return -1;
	if ((hier->controllers & 1u << VM_CGROUP_MEMORY) != 0 && settle_memory(group, err) < 0)
		return -1;
	return 0;
}

static int enable(const struct vm_cgroup_hier *hier, int dir, char **note, struct vm_err *err)
{
	(void)hier;
	(void)dir;
	(void)note;
	(void)err;
	return 0;
}

static int stop_at_first(pid_t pid, void *arg)
{
	(void)pid;
	(void)arg;
	return 1;
}

static int populated_child(int parent, int dir, const char *name, void *arg, struct vm_err *err)
{
	int r = vm_cgroup_each_pid(dir, stop_at_first, NULL, err);

	(void)parent;
	(void)name;
	if (r < 0 && (err->sys == ENOENT || err->sys == ENODEV))
		return 0;
	return r != 0 ? r : vm_cgroup_each_child(dir, populated_child, arg, err);
}

static int populated(int dir, struct vm_err *err)
{
	return populated_child(-1, dir, NULL, NULL, err);
}

struct victims {
	int pidfd[KILL_BATCH];
	size_t n;
	bool strangers; /* processes that this pid namespace does not see */
};

static int add_victim(pid_t pid, void *arg)
{
	struct victims *v = arg;
	int fd;

	if (pid <= 1) {
		v->strangers = true;
		return 0;
	}
	/* Taken while it is listed: a process that is gone by now has no pidfd, and its number nothing to fear but
	 * a successor within these two calls, which the frozen group does not allow to happen to its own. */
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd >= 0)
		v->pidfd[v->n++] = fd;
	return v->n == KILL_BATCH;
}

static int add_victims(int parent, int dir, const char *name, void *arg, struct vm_err *err)
{
	int r = vm_cgroup_each_pid(dir, add_victim, arg, err);

	(void)parent;
	(void)name;
	if (r < 0 && (err->sys == ENOENT || err->sys == ENODEV))
		return 0;
	return r != 0 ? r : vm_cgroup_each_child(dir, add_victims, arg, err);
}

static int freeze(int dir, bool on)
{
	struct vm_err ignored = VM_ERR_INIT;

	return vm_kfile_write(dir, "freezer.state", on ? "FROZEN" : "THAWED", &ignored);
}

static int wait_victims(struct victims *v, struct vm_deadline deadline, struct vm_err *err)
{
	int r = 0;

	for (size_t i = 0; i < v->n; i++) {
		if (r == 0)
			r = vm_pidfd_wait(v->pidfd[i], deadline, err);
		close(v->pidfd[i]);
	}
	return r;
}

/*
 * Frozen, a group cannot fork away from the list of its processes; where there is no freezer, the list is
 * killed until it stays empty.
 */
int vm_cgroup_kill_pids(int dir, bool deep, struct vm_deadline deadline, struct vm_err *err)
{
	for (;;) {
		struct victims v = { .n = 0 };
		int r;

		if (deep)
			freeze(dir, true);
		r = deep ? add_victims(-1, dir, NULL, &v, err)
			 : vm_cgroup_each_pid(dir, add_victim, &v, err);
		for (size_t i = 0; i < v.n; i++)
			syscall(SYS_pidfd_send_signal, v.pidfd[i], SIGKILL, NULL, 0);
		if (deep)
			freeze(dir, false);
		if (wait_victims(&v, deadline, err) < 0 || r < 0)
			return -1;
		if (v.n == 0 && v.strangers)
			return vm_err_set(err, VM_SYSTEM, "processes of another pid namespace are in it");
		if (v.n == 0)
			return 0;
		if (vm_deadline_passed(deadline))
			return vm_err_set(err, VM_TIMED_OUT, "its processes do not end");
	}
}

static int kill_all(int dir, struct vm_deadline deadline, struct vm_err *err)
{
	return vm_cgroup_kill_pids(dir, true, deadline, err);
}

/* No event tells that a v1 group is empty, but each process has one that tells its end. */
static int wait_empty(int dir, struct vm_deadline deadline, struct vm_err *err)
{
	for (;;) {
		struct victims v = { .n = 0 };
		int r = add_victims(-1, dir, NULL, &v, err);

		if (wait_victims(&v, deadline, err) < 0 || r < 0)
			return -1;
		if (v.n == 0 && !v.strangers)
			return 0;
		if (vm_deadline_passed(deadline))
			return vm_err_set(err, VM_TIMED_OUT, "its processes do not end");
		usleep(RETRY_US);
	}
}

const struct vm_cgroup_ops vm_cgroup_v1 = {
	.settle = settle,
	.enable = enable,
	.populated = populated,
	.kill = kill_all,
	.wait_empty = wait_empty,
};
