/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/cleanup.h>

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif

static int write_map(pid_t pid, const char *name)
{
	VM_AUTO_FD int fd = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, "0 1 1", 5) == 5 ? 0 : -1;
}

/* A user namespace lives as long as its descriptor: the child only has to be there while it is opened. */
static int open_namespace(void)
{
	VM_AUTO_FD int ready_r = -1;
	VM_AUTO_FD int ready_w = -1;
	char path[64], byte;
	int fds[2], fd = -1, e;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	ready_r = fds[0];
	ready_w = fds[1];
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWUSER) < 0 || write(ready_w, "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	vm_cleanup_fd(&ready_w);
	if (pid < 0)
		return -1;
	errno = EPERM;
	if (read(ready_r, &byte, 1) == 1 && write_map(pid, "uid_map") == 0 &&
	    write_map(pid, "gid_map") == 0) {
		snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	e = errno;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	errno = e;
	return fd;
}

int vm_idmap_try(int dir, struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO_FD int tree = (int)syscall(SYS_open_tree, dir, "",
					   OPEN_TREE_CLONE | AT_EMPTY_PATH | (unsigned)O_CLOEXEC);
	VM_AUTO_FD int ns = -1;
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP };

	(void)deadline;
	if (tree < 0)
		return vm_err_sys(err, "copy a mount");
	ns = open_namespace();
	if (ns < 0)
		return vm_err_sys(err, "make a user namespace");
	attr.userns_fd = (unsigned)ns;
	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) == 0)
		return 0;
	return vm_err_sys_kind(err, errno == EINVAL || errno == ENOSYS ? VM_UNSUPPORTED : VM_DENIED,
			       "map a mount");
}
