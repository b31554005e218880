/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The child's half of a view: it only mounts what the starter has made. */
#include "view.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/cleanup.h>

#include "host/task.h"

/* linux/mount.h and sys/mount.h of older C libraries cannot be included together. */
extern int mount(const char *source, const char *target, const char *type, unsigned long flags,
		 const void *data);
extern int umount2(const char *target, int flags);
#define DETACH	 2 /* MNT_DETACH */
#define NOFOLLOW 8 /* UMOUNT_NOFOLLOW */

static bool is_covered(const struct vm_view *v, const char *path)
{
	for (size_t i = 0; i < v->nshadows; i++) {
		size_t len = strlen(v->shadows[i]);

		if (strncmp(path, v->shadows[i], len) == 0 && path[len] == '/')
			return true;
	}
	return false;
}

static int make_parents(const char *path)
{
	char copy[PATH_MAX];

	if (strlen(path) >= sizeof(copy))
		return -1;
	strcpy(copy, path);
	for (char *p = strchr(copy + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
		*p = 0;
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return -1;
		*p = '/';
	}
	return 0;
}

/* Something for a mount to be on. */
static int make_place(const struct vm_view_bind *b)
{
	int fd;

	if (make_parents(b->path) < 0)
		return -1;
	if (b->dir)
		return mkdir(b->path, 0755) < 0 && errno != EEXIST ? -1 : 0;
	fd = open(b->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		return errno == EEXIST ? 0 : -1;
	return close(fd);
}

static int mount_one(const struct vm_view *v, const struct vm_view_bind *b)
{
	if (is_covered(v, b->path) && make_place(b) < 0)
		return -1;
	return (int)syscall(SYS_move_mount, b->tree, "", AT_FDCWD, b->path, MOVE_MOUNT_F_EMPTY_PATH);
}

/* In the view of a guest that runs it may be covered already. */
static bool is_open(const struct vm_view *v, const char *dir)
{
	struct stat st;

	return stat(dir, &st) == 0 && (st.st_mode & (st.st_uid == v->uid ? 0100 : 0001)) != 0;
}

static int cover(const struct vm_view *v, bool again)
{
	for (size_t i = 0; i < v->nshadows; i++)
		if ((!again || !is_open(v, v->shadows[i])) &&
		    mount("vm-utils", v->shadows[i], "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
			  "mode=0755,size=1m") < 0)
			return -1;
	for (size_t i = 0; i < v->nlinks; i++)
		if (make_parents(v->links[i].path) < 0 ||
		    (symlink(v->links[i].target, v->links[i].path) < 0 && errno != EEXIST))
			return -1;
	return 0;
}

static int mount_those(const struct vm_view *v, bool first, const char **ret_what)
{
	for (size_t i = 0; i < v->nbinds; i++) {
		if (v->binds[i].first != first || mount_one(v, &v->binds[i]) == 0)
			continue;
		*ret_what = v->binds[i].path;
		return -1;
	}
	return 0;
}

int vm_view_enter(const struct vm_view *v, const char **ret_what)
{
	mode_t mask = umask(0);

	*ret_what = "make a mount namespace";
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
	    mount_those(v, true, ret_what) < 0)
		return errno;
	*ret_what = "cover a directory";
	if (cover(v, false) < 0 || mount_those(v, false, ret_what) < 0)
		return errno;
	umask(mask);
	return 0;
}

/* ---- of a guest that runs ---- */

static int put_in(const struct vm_view *v)
{
	const char *ignored;

	umask(0);
	return cover(v, true) < 0 || mount_those(v, true, &ignored) < 0 || mount_those(v, false, &ignored) < 0
		       ? errno
		       : 0;
}

static int take_out(const char *path)
{
	if (umount2(path, DETACH | NOFOLLOW) == 0 || errno == EINVAL || errno == ENOENT)
		return 0;
	return errno;
}

/* A child enters and ends: whoever calls this stays where it is.  Returns an errno. */
static int inside(int ns, const struct vm_view *v, const char *path)
{
	pid_t pid = fork();
	int status, e;

	if (pid < 0)
		return errno;
	if (pid == 0) {
		e = setns(ns, CLONE_NEWNS) < 0 ? errno : v != NULL ? put_in(v) : take_out(path);
		_exit(e > 255 ? 255 : e);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

int vm_view_join(const struct vm_view *v, pid_t pid, struct vm_err *err)
{
	VM_AUTO_FD int ns = vm_task_mounts(pid);

	if (v->nbinds == 0 && v->nshadows == 0 && v->nlinks == 0)
		return 0;
	errno = ns < 0 ? errno : inside(ns, v, NULL);
	return errno != 0 ? vm_err_sys(err, "mount into the view of process %d", (int)pid) : 0;
}

int vm_view_leave(pid_t pid, const char *path, struct vm_err *err)
{
	VM_AUTO_FD int ns = vm_task_mounts(pid);

	if (ns < 0)
		return 0;
	errno = inside(ns, NULL, path);
	return errno != 0 ? vm_err_sys(err, "take %s out of the view of process %d", path, (int)pid) : 0;
}
