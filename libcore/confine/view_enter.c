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
#include <unistd.h>

/* linux/mount.h and sys/mount.h of older C libraries cannot be included together. */
extern int mount(const char *source, const char *target, const char *type, unsigned long flags,
		 const void *data);

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

static int cover(const struct vm_view *v)
{
	for (size_t i = 0; i < v->nshadows; i++)
		if (mount("vm-utils", v->shadows[i], "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
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
	if (cover(v) < 0 || mount_those(v, false, ret_what) < 0)
		return errno;
	umask(mask);
	return 0;
}
