/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all groups have in common: the processes in one, and the groups below it. */
#include "internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/file.h>

int vm_cgroup_open_dir(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

bool vm_cgroup_absent(int e)
{
	return e == ENOENT || e == ENODEV || e == ENOTDIR || e == ELOOP;
}

/* Opens a path below the mount point, link by link: there are none in a cgroup filesystem. */
int vm_cgroup_open_path(const struct vm_cgroup_hier *hier, const char *path)
{
	const char *below = path + strspn(path, "/");

	return openat(hier->fd, *below != 0 ? below : ".",
		      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int vm_cgroup_each_pid(int dir, int (*fn)(pid_t pid, void *arg), void *arg, struct vm_err *err)
{
	VM_AUTO_FREE char *text = NULL;
	char *at;
	int r = 0;

	if (vm_file_read(dir, "cgroup.procs", VM_CGROUP_PIDS_MAX, &text, NULL, NULL, err) < 0)
		return -1;
	for (at = text; *at != 0 && r == 0;) {
		char *end;
		unsigned long pid = strtoul(at, &end, 10);

		if (end == at || (*end != '\n' && *end != 0) || pid > INT32_MAX)
			return vm_err_set(err, VM_BAD_INPUT, "cgroup.procs: no process id");
		/* 0 is a process that this pid namespace does not see. */
		r = fn((pid_t)pid, arg);
		at = end + (*end == '\n');
	}
	return r;
}

static void dir_closep(DIR **d)
{
	if (*d != NULL)
		closedir(*d);
}

int vm_cgroup_each_child(int dir,
			 int (*fn)(int parent, int child, const char *name, void *arg,
				   struct vm_err *err),
			 void *arg, struct vm_err *err)
{
	VM_AUTO(dir_closep) DIR *d = NULL;
	struct dirent *e;
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;

	if (fd < 0)
		return vm_err_sys(err, "list the groups");
	d = fdopendir(fd);
	if (d == NULL) {
		close(fd);
		return vm_err_sys(err, "list the groups");
	}
	while (r == 0 && (errno = 0, e = readdir(d)) != NULL) {
		VM_AUTO_FD int child = -1;

		if (e->d_type != DT_DIR || strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0)
			continue;
		child = openat(dir, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child < 0 && errno == ENOENT)
			continue;
		if (child < 0)
			return vm_err_sys(err, "open group %s", e->d_name);
		r = fn(dir, child, e->d_name, arg, err);
	}
	if (r == 0 && errno != 0 && errno != ENODEV)
		return vm_err_sys(err, "list the groups");
	return r;
}
