/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/file.h>

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif

static int write_map(int proc, const char *name, uint32_t from, uint32_t to, struct vm_err *err)
{
	char text[64];

	snprintf(text, sizeof(text), "%u %u 1", from, to);
	return vm_kfile_write(proc, name, text, err);
}

static int open_of(pid_t pid, uint32_t uid, uint32_t to_uid, uint32_t gid, uint32_t to_gid,
		   int *ret_ns, struct vm_err *err)
{
	VM_AUTO_FD int proc = -1;
	char path[32];
	int ns;

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		return vm_err_sys(err, "map ids");
	/* Without it an ordinary user may map no group.  Source: user_namespaces(7). */
	if (geteuid() != 0 && vm_kfile_write(proc, "setgroups", "deny", err) < 0)
		return vm_err_wrap(err, "map ids");
	if (write_map(proc, "uid_map", uid, to_uid, err) < 0 ||
	    write_map(proc, "gid_map", gid, to_gid, err) < 0)
		return vm_err_wrap(err, "map ids");
	ns = openat(proc, "ns/user", O_RDONLY | O_CLOEXEC);
	if (ns < 0)
		return vm_err_sys(err, "map ids");
	*ret_ns = ns;
	return 0;
}

int vm_idmap_open(uint32_t uid, uint32_t to_uid, uint32_t gid, uint32_t to_gid, int *ret_ns,
		  struct vm_err *err)
{
	int ends[2], r;
	long pid;
	char c;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return vm_err_sys(err, "pipe");
	/* A namespace exists with a process in it, until its descriptor keeps it. */
	pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0) {
		close(ends[1]);
		while (read(ends[0], &c, 1) < 0 && errno == EINTR)
			;
		_exit(0);
	}
	close(ends[0]);
	r = pid < 0 ? vm_err_sys(err, "make a user namespace")
		    : open_of((pid_t)pid, uid, to_uid, gid, to_gid, ret_ns, err);
	close(ends[1]);
	while (pid > 0 && waitpid((pid_t)pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}

int vm_idmap_try(int dir, struct vm_err *err)
{
	VM_AUTO_FD int tree = (int)syscall(SYS_open_tree, dir, "",
					   OPEN_TREE_CLONE | AT_EMPTY_PATH | (unsigned)O_CLOEXEC);
	VM_AUTO_FD int ns = -1;
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP };

	if (tree < 0)
		return vm_err_sys(err, "copy a mount");
	if (vm_idmap_open(0, 1, 0, 1, &ns, err) < 0)
		return -1;
	attr.userns_fd = (unsigned)ns;
	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) == 0)
		return 0;
	return vm_err_sys_kind(err, errno == EINVAL || errno == ENOSYS ? VM_UNSUPPORTED : VM_DENIED,
			       "map a mount");
}
