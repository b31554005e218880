/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "thread_group.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/deadline.h>
#include <vm/file.h>

#include "internal.h"

#define THREADED (1u << VM_CGROUP_CPU | 1u << VM_CGROUP_CPUACCT | 1u << VM_CGROUP_CPUSET)
#define BUSY_MS	 2000u /* an emptied group stays busy for a moment */

/* Which hierarchies count: those that serve one of these controllers for the guest. */
static bool counts(const struct vm_cgroup *c, size_t i)
{
	return c->at[i].there && c->at[i].fd[VM_CGROUP_QEMU] >= 0 &&
	       (vm_cgroup_index(c, VM_CGROUP_CPU) == (int)i ||
		vm_cgroup_index(c, VM_CGROUP_CPUSET) == (int)i ||
		(!c->host.v[i].v2 && vm_cgroup_index(c, VM_CGROUP_CPUACCT) == (int)i));
}

bool vm_thread_groups_possible(const struct vm_cgroup *c)
{
	return vm_cgroup_index(c, VM_CGROUP_CPU) >= 0 || vm_cgroup_index(c, VM_CGROUP_CPUSET) >= 0;
}

bool vm_thread_group_name_valid(const char *name)
{
	unsigned id;
	int end = -1;

	if (strcmp(name, "emulator") == 0)
		return true;
	if (strpbrk(name, " +-") == NULL && sscanf(name, "vcpu%9u%n", &id, &end) < 1)
		sscanf(name, "iothread%9u%n", &id, &end);
	return end > 0 && name[end] == '\0';
}

static int open_group(const struct vm_cgroup *c, size_t i, const char *name)
{
	return openat(c->at[i].fd[VM_CGROUP_QEMU], name,
		      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

bool vm_thread_group_exists(const struct vm_cgroup *c, const char *name)
{
	struct stat st;
	bool any = false;

	for (size_t i = 0; i < c->host.n; i++) {
		if (!counts(c, i))
			continue;
		if (fstatat(c->at[i].fd[VM_CGROUP_QEMU], name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return false;
		any = true;
	}
	return any;
}

/* ---- making ---- */

static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = text; (p = strstr(p, word)); p += len)
		if ((p == text || strchr(" \n", p[-1])) && strchr(" \n", p[len]))
			return true;
	return false;
}

/* A group that holds processes can have cpu and cpuset for its groups of threads, and nothing else. */
static int set_up_v2(int qemu, int group, struct vm_err *err)
{
	static const char *const wanted[] = { "cpu", "cpuset" };
	VM_AUTO_FREE char *have = NULL, *on = NULL, *type = NULL;

	if (vm_file_read(group, "cgroup.type", 64, &type, NULL, NULL, err) < 0)
		return -1;
	if (strcmp(type, "threaded\n") != 0 &&
	    vm_kfile_write(group, "cgroup.type", "threaded", err) < 0)
		return -1;
	if (vm_file_read(qemu, "cgroup.controllers", 4096, &have, NULL, NULL, err) < 0 ||
	    vm_file_read(qemu, "cgroup.subtree_control", 4096, &on, NULL, NULL, err) < 0)
		return -1;
	for (size_t i = 0; i < VM_COUNT(wanted); i++) {
		char text[16];

		snprintf(text, sizeof(text), "+%s", wanted[i]);
		if (has_word(have, wanted[i]) && !has_word(on, wanted[i]) &&
		    vm_kfile_write(qemu, "cgroup.subtree_control", text, err) < 0)
			return -1;
	}
	return 0;
}

int vm_thread_group_make(const struct vm_cgroup *c, const char *name, struct vm_err *err)
{
	for (size_t i = 0; i < c->host.n; i++) {
		const struct vm_cgroup_hier *hier = &c->host.v[i];
		VM_AUTO_FD int group = -1;
		int qemu;

		if (!counts(c, i))
			continue;
		qemu = c->at[i].fd[VM_CGROUP_QEMU];
		if (mkdirat(qemu, name, 0755) < 0 && errno != EEXIST)
			return vm_err_sys(err, "make the group %s%s/qemu/%s", hier->mount, c->path,
					  name);
		group = open_group(c, i, name);
		if (group < 0)
			return vm_err_sys(err, "open the group %s%s/qemu/%s", hier->mount, c->path,
					  name);
		if ((hier->v2 ? set_up_v2(qemu, group, err)
			      : vm_cgroup_v1.settle(hier, qemu, group, err)) < 0)
			return vm_err_wrap(err, "set up the group %s%s/qemu/%s", hier->mount,
					   c->path, name);
	}
	return 0;
}

/* ---- moving ---- */

static int move_to(int group, bool v2, pid_t tid)
{
	VM_AUTO_FD int fd =
		openat(group, v2 ? "cgroup.threads" : "tasks", O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", (int)tid);

	if (fd < 0)
		return -1;
	return write(fd, text, (size_t)n) < 0 && errno != ESRCH ? -1 : 0;
}

int vm_thread_group_enter(const struct vm_cgroup *c, const char *name, pid_t tid, struct vm_err *err)
{
	for (size_t i = 0; i < c->host.n; i++) {
		VM_AUTO_FD int group = -1;

		if (!counts(c, i))
			continue;
		if (name)
			group = open_group(c, i, name);
		if ((name && group < 0) ||
		    move_to(name ? group : c->at[i].fd[VM_CGROUP_QEMU], c->host.v[i].v2, tid) < 0)
			return vm_err_sys_kind(err, VM_HYPERVISOR, "move thread %d into %s%s/qemu%s%s",
					       (int)tid, c->host.v[i].mount, c->path,
					       name ? "/" : "", name ? name : "");
	}
	return 0;
}

int vm_thread_groups_stir_open(const struct vm_cgroup *c)
{
	for (size_t i = 0; i < c->host.n; i++) {
		const struct vm_cgroup_hier *hier = &c->host.v[i];
		struct vm_err ignored = VM_ERR_INIT;
		VM_AUTO_FREE char *path = NULL;
		VM_AUTO_FD int group = -1;

		if (!counts(c, i) || vm_cgroup_of_pid(hier, getpid(), &path, &ignored) < 0 || path == NULL)
			continue;
		group = vm_cgroup_open_path(hier, path);
		return group < 0 ? -1
				 : openat(group, hier->v2 ? "cgroup.procs" : "tasks", O_WRONLY | O_CLOEXEC);
	}
	return -1;
}

void vm_thread_groups_stir(int fd)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", (int)getpid());

	(void)!pwrite(fd, text, (size_t)n, 0);
}

/* ---- removing ---- */

/* 1 = some were moved, 0 = it was empty. */
static int move_back(int from, int to, bool v2, struct vm_err *err)
{
	VM_AUTO_FREE char *text = NULL;
	int moved = 0;

	if (vm_file_read(from, v2 ? "cgroup.threads" : "tasks", VM_CGROUP_PIDS_MAX, &text, NULL, NULL,
			 err) < 0)
		return -1;
	for (char *p = text, *end; *p; p = end + (*end == '\n')) {
		unsigned long tid = strtoul(p, &end, 10);

		if (end == p || tid > INT32_MAX)
			return vm_err_set(err, VM_SYSTEM, "tasks: '%.20s'", p);
		if (move_to(to, v2, (pid_t)tid) < 0)
			return vm_err_sys_kind(err, VM_HYPERVISOR, "move thread %lu", tid);
		moved = 1;
	}
	return moved;
}

static int remove_one(const struct vm_cgroup *c, size_t i, const char *name, struct vm_err *err)
{
	int qemu = c->at[i].fd[VM_CGROUP_QEMU];
	struct vm_deadline end = vm_deadline_in(BUSY_MS);
	VM_AUTO_FD int group = open_group(c, i, name);

	if (group < 0)
		return errno == ENOENT ? 0 : vm_err_sys(err, "open it");
	/* A thread in it may make another one while it is emptied. */
	for (;;) {
		int r = move_back(group, qemu, c->host.v[i].v2, err);

		if (r < 0)
			return -1;
		if (unlinkat(qemu, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		if (errno != EBUSY || vm_deadline_passed(end))
			return vm_err_sys(err, "remove it");
		if (r == 0)
			usleep(1000);
	}
}

int vm_thread_group_remove(const struct vm_cgroup *c, const char *name, struct vm_err *err)
{
	if (!vm_thread_group_name_valid(name))
		return vm_err_set(err, VM_BAD_INPUT, "no group of threads");
	for (size_t i = 0; i < c->host.n; i++)
		if (counts(c, i) && remove_one(c, i, name, err) < 0)
			return vm_err_wrap(err, "%s%s/qemu/%s", c->host.v[i].mount, c->path, name);
	return 0;
}
