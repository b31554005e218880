/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "view.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "host/idmap.h"
#include "host/mounts.h"
#include "host/self.h"

#define LINKS_MAX 40u

void vm_view_free(struct vm_view *v)
{
	for (size_t i = 0; i < v->nshadows; i++)
		free(v->shadows[i]);
	for (size_t i = 0; i < v->nlinks; i++) {
		free(v->links[i].path);
		free(v->links[i].target);
	}
	for (size_t i = 0; i < v->nbinds; i++) {
		free(v->binds[i].path);
		vm_cleanup_fd(&v->binds[i].tree);
	}
	for (size_t i = 0; i < v->nmaps; i++)
		vm_cleanup_fd(&v->maps_of[i].ns);
	free(v->shadows);
	free(v->links);
	free(v->binds);
	free(v->maps_of);
	*v = VM_VIEW_INIT;
}

static int open_tree(int fd, const char *path, unsigned flags)
{
	return (int)syscall(SYS_open_tree, fd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);
}

static int set_mount(int tree, uint64_t set, uint64_t clear, int ns)
{
	struct mount_attr attr = { .attr_set = set,
				   .attr_clr = clear,
				   .userns_fd = ns >= 0 ? (unsigned)ns : 0u };

	return (int)syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr));
}

bool vm_view_possible(void)
{
	VM_AUTO_FD int tree = open_tree(AT_FDCWD, "/", 0);

	return tree >= 0;
}

/* By mode bits alone: what an access control list grants besides is arranged once more, which does no harm. */
static bool may(const struct vm_view *v, const struct stat *st, unsigned want)
{
	unsigned has = st->st_mode & 7;

	if (st->st_uid == v->uid)
		has = st->st_mode >> 6 & 7;
	else if (st->st_gid == v->gid)
		has = st->st_mode >> 3 & 7;
	return (has & want) == want;
}

/* ---- the way to a file ---- */

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == 0);
}

static bool is_covered(const struct vm_view *v, const char *path)
{
	for (size_t i = 0; i < v->nshadows; i++)
		if (is_below(path, v->shadows[i]))
			return true;
	return false;
}

struct walk {
	struct vm_view *v;
	const char *whole; /* as given, for messages */
	char at[PATH_MAX]; /* directory, without links; "" = the root */
	char *rest;
	int fd; /* of the directory, then of the file */
	bool in_dev; /* the directory is of /dev itself, not of what is mounted below it */
	dev_t devfs;
	struct stat st;
	unsigned links;
};

static void walk_end(struct walk *w)
{
	free(w->rest);
	vm_cleanup_fd(&w->fd);
}

static int fail(const struct walk *w, int sys, struct vm_err *err)
{
	errno = sys;
	return vm_err_sys(err, "%s", w->whole);
}

/* Every directory that is gone through. */
static int pass_dir(struct walk *w, struct vm_err *err)
{
	struct vm_view *v = w->v;
	struct stat st;

	if (fstat(w->fd, &st) < 0)
		return fail(w, errno, err);
	w->in_dev = v->dev >= 0 && is_below(w->at, "/dev");
	if (w->in_dev && w->at[4] == 0)
		w->devfs = st.st_dev;
	w->in_dev = w->in_dev && st.st_dev == w->devfs;
	if (w->in_dev)
		return w->at[4] != 0 && mkdirat(v->dev, w->at + 5, 0755) < 0 && errno != EEXIST
			       ? fail(w, errno, err)
			       : 0;
	if (may(v, &st, VM_VIEW_EXEC) || is_covered(v, w->at))
		return 0;
	if (w->at[0] == 0)
		return vm_err_set(err, VM_DENIED, "%s: the root directory cannot be searched (x)", w->whole);
	v->shadows = vm_xreallocarray(v->shadows, v->nshadows + 1, sizeof(*v->shadows));
	v->shadows[v->nshadows++] = vm_xstrdup(w->at);
	return 0;
}

static int restart(struct walk *w, const char *dir, struct vm_err *err)
{
	int fd = open(*dir != 0 ? dir : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return fail(w, errno, err);
	vm_cleanup_fd(&w->fd);
	w->fd = fd;
	if (dir != w->at)
		strcpy(w->at, dir);
	return pass_dir(w, err);
}

static int pass_link(struct walk *w, int fd, const char *path, struct vm_err *err)
{
	struct vm_view *v = w->v;
	char target[PATH_MAX], *rest;
	ssize_t n = readlinkat(fd, "", target, sizeof(target) - 1);

	if (n <= 0 || ++w->links > LINKS_MAX)
		return fail(w, n < 0 ? errno : ELOOP, err);
	target[n] = 0;
	if (w->in_dev) {
		if (symlinkat(target, v->dev, path + 5) < 0 && errno != EEXIST)
			return fail(w, errno, err);
	} else if (is_covered(v, path)) {
		v->links = vm_xreallocarray(v->links, v->nlinks + 1, sizeof(*v->links));
		v->links[v->nlinks++] = (struct vm_view_link){ vm_xstrdup(path), vm_xstrdup(target) };
	}
	rest = vm_xasprintf("%s/%s", target, w->rest);
	free(w->rest);
	w->rest = rest;
	return *target == '/' ? restart(w, "", err) : 0;
}

/* One component.  1 = arrived. */
static int step(struct walk *w, struct vm_err *err)
{
	char name[NAME_MAX + 1], path[PATH_MAX + NAME_MAX + 2], *p = w->rest + strspn(w->rest, "/");
	size_t len = strcspn(p, "/");
	VM_AUTO_FD int fd = -1;
	bool last;

	if (len > NAME_MAX)
		return fail(w, ENAMETOOLONG, err);
	if (len == 0) /* "/a/": the directory itself */
		return fstat(w->fd, &w->st) < 0 ? fail(w, errno, err) : 1;
	memcpy(name, p, len);
	name[len] = 0;
	p += len;
	last = p[strspn(p, "/")] == 0;
	memmove(w->rest, p, strlen(p) + 1);
	if (strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") == 0) {
		char *slash = strrchr(w->at, '/');

		if (slash != NULL)
			*slash = 0;
		return restart(w, w->at, err);
	}
	snprintf(path, sizeof(path), "%s/%s", w->at, name);
	if (strlen(path) >= sizeof(w->at))
		return fail(w, ENAMETOOLONG, err);
	fd = openat(w->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &w->st) < 0)
		return fail(w, errno, err);
	if (S_ISLNK(w->st.st_mode))
		return pass_link(w, fd, path, err);
	if (!last && !S_ISDIR(w->st.st_mode))
		return fail(w, ENOTDIR, err);
	strcpy(w->at, path);
	vm_cleanup_fd(&w->fd);
	w->fd = vm_take_fd(&fd);
	if (last)
		return 1;
	return pass_dir(w, err);
}

/* ---- the file ---- */

static struct vm_view_bind *add_bind(struct vm_view *v, const char *path, int tree, unsigned want,
				     bool dir)
{
	v->binds = vm_xreallocarray(v->binds, v->nbinds + 1, sizeof(*v->binds));
	v->binds[v->nbinds] = (struct vm_view_bind){
		.path = vm_xstrdup(path), .tree = tree, .want = want, .dir = dir
	};
	return &v->binds[v->nbinds++];
}

static int add_node(const struct walk *w, const char *below, unsigned want, struct vm_err *err)
{
	struct vm_view *v = w->v;
	mode_t mode = (w->st.st_mode & S_IFMT) | (want & (VM_VIEW_READ | VM_VIEW_WRITE)) << 6;
	struct stat st;
	int tree;

	if (mknodat(v->dev, below, mode, w->st.st_rdev) < 0 && errno != EEXIST)
		return vm_err_sys(err, "make the guest's own node of %s", w->whole);
	if (fstatat(v->dev, below, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(w, errno, err);
	mode |= st.st_mode & 0600;
	if (st.st_rdev != w->st.st_rdev || (st.st_mode & S_IFMT) != (mode & S_IFMT))
		return vm_err_set(err, VM_SYSTEM, "%s: the guest's own node is of another device", w->whole);
	if (fchownat(v->dev, below, v->uid, v->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(v->dev, below, mode & 0600, 0) < 0)
		return vm_err_sys(err, "make the guest's own node of %s", w->whole);
	if (v->whole_dev)
		return 0;
	tree = open_tree(v->dev, below, 0);
	if (tree < 0 || set_mount(tree, 0, MOUNT_ATTR_NODEV, -1) < 0)
		return vm_err_sys(err, "mount the guest's own node of %s", w->whole);
	add_bind(v, w->at, tree, want, false);
	return 0;
}

/* Source: Linux Documentation/filesystems/devpts.rst, admin-guide/devices.txt. */
static bool is_ptmx(const struct walk *w)
{
	return S_ISCHR(w->st.st_mode) && w->st.st_rdev == makedev(5, 2) && is_below(w->at, "/dev");
}

/*
 * Where /dev/ptmx leads to the one of /dev/pts, that may be open to nobody (ptmxmode=000, the kernel's default).  A node of
 * the guest's own makes terminals in the pts beside it, too.
 */
static int add_ptmx(const struct walk *w, unsigned want, struct vm_err *err)
{
	struct stat st;

	if (fstatat(w->v->dev, "ptmx", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode) &&
	    unlinkat(w->v->dev, "ptmx", 0) < 0)
		return fail(w, errno, err);
	return add_node(w, "ptmx", want, err);
}

static int namespace_of(struct vm_view *v, const struct stat *st, int *ret, struct vm_err *err)
{
	int ns;

	for (size_t i = 0; i < v->nmaps; i++)
		if (v->maps_of[i].uid == st->st_uid && v->maps_of[i].gid == st->st_gid) {
			*ret = v->maps_of[i].ns;
			return 0;
		}
	if (vm_idmap_open(st->st_uid, v->uid, st->st_gid, v->gid, &ns, err) < 0)
		return -1;
	v->maps_of = vm_xreallocarray(v->maps_of, v->nmaps + 1, sizeof(*v->maps_of));
	v->maps_of[v->nmaps++] = (struct vm_view_map){ st->st_uid, st->st_gid, ns };
	*ret = ns;
	return 0;
}

/* Makes the mount's file the user's.  1 = the filesystem cannot do that. */
static int map_owner(const struct walk *w, int tree, unsigned want, struct vm_err *err)
{
	uint64_t set = MOUNT_ATTR_IDMAP | ((want & VM_VIEW_WRITE) != 0 ? 0u : MOUNT_ATTR_RDONLY);
	int ns;

	if (!w->v->maps)
		return vm_err_set(err, VM_DENIED, "%s: user %u may not open it, and relabel='no' keeps it so",
				  w->whole, w->v->uid);
	if ((w->st.st_mode >> 6 & want) != want) {
		vm_err_set(err, VM_DENIED, "%s: its mode %04o lets not even its owner %s it", w->whole,
			   w->st.st_mode & 07777u,
			   (want & VM_VIEW_WRITE) != 0 ? "write" : "open");
		return vm_err_hint(err, "chmod u+rw %s", w->whole);
	}
	if (namespace_of(w->v, &w->st, &ns, err) < 0)
		return -1;
	return set_mount(tree, set, 0, ns) < 0;
}

/*
 * May the user open it as it is?  Not if that holds only as long as another guest runs: then it is to be noted as this one's
 * too.  Given back in between, it is looked at anew.
 */
static int look(struct walk *w, unsigned want, bool *ret_mine, bool *ret_given, struct vm_err *err)
{
	const struct vm_view *v = w->v;

	*ret_given = false;
	*ret_mine = may(v, &w->st, want);
	if (!*ret_mine || w->st.st_uid != v->uid || v->given == NULL)
		return 0;
	*ret_given = v->given(v->arg, &w->st);
	if (!*ret_given && fstat(w->fd, &w->st) < 0)
		return fail(w, errno, err);
	*ret_mine = !*ret_given && may(v, &w->st, want);
	return 0;
}

static int add_file(struct walk *w, unsigned want, struct vm_err *err)
{
	struct vm_view *v = w->v;
	bool covered = is_covered(v, w->at), dir = S_ISDIR(w->st.st_mode), mine, given;
	VM_AUTO_FD int tree = -1;
	int r = 0;

	if (look(w, want, &mine, &given, err) < 0)
		return -1;
	if (mine && !covered)
		return 0;
	for (size_t i = 0; i < v->nbinds; i++)
		if (strcmp(v->binds[i].path, w->at) == 0 && (v->binds[i].want & want) == want)
			return 0;
	tree = open_tree(w->fd, "", AT_EMPTY_PATH);
	if (tree < 0 && (errno != EPERM || covered))
		return vm_err_sys(err, "mount %s", w->whole);
	if (!mine)
		r = tree < 0 || given ? 1 : map_owner(w, tree, want, err);
	if (r < 0)
		return -1;
	if (r > 0) {
		if (v->own == NULL)
			return vm_err_set(err, VM_UNSUPPORTED, "%s: its filesystem cannot map its owner",
					  w->whole);
		if (v->own(v->arg, w->at, w->fd, err) < 0)
			return -1;
		if (!covered)
			return 0;
	}
	add_bind(v, w->at, vm_take_fd(&tree), want, dir);
	return 0;
}

int vm_view_add(struct vm_view *v, const char *path, unsigned perms, struct vm_err *err)
{
	VM_AUTO(walk_end) struct walk w = { .v = v, .whole = path, .fd = -1 };
	int r;

	w.rest = vm_xstrdup(path);
	if (*path != '/')
		return fail(&w, EINVAL, err);
	r = restart(&w, "", err);
	while (r == 0)
		r = step(&w, err);
	if (r < 0)
		return -1;
	if (w.in_dev && (S_ISBLK(w.st.st_mode) || S_ISCHR(w.st.st_mode)))
		return add_node(&w, w.at + 5, perms, err);
	if (v->dev >= 0 && is_ptmx(&w) && !may(v, &w.st, perms))
		/* Alone in the host's /dev one has no pts beside it. */
		return v->whole_dev ? add_ptmx(&w, perms, err) : 0;
	return add_file(&w, perms, err);
}

/* ---- /dev ---- */

static int keep_mount(struct vm_view *v, const char *path, struct vm_err *err)
{
	struct stat st;
	int tree;

	/* Below another one it comes along; a file has no place there unless the guest asks for it. */
	if (strchr(path + 5, '/') != NULL || stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return 0;
	if (mkdirat(v->dev, path + 5, 0755) < 0 && errno != EEXIST)
		return vm_err_sys(err, "make the guest's %s", path);
	tree = open_tree(AT_FDCWD, path, AT_RECURSIVE);
	if (tree < 0)
		return vm_err_sys(err, "mount %s", path);
	add_bind(v, path, tree, 0, true)->first = true;
	return 0;
}

int vm_view_add_dev(struct vm_view *v, struct vm_err *err)
{
	VM_AUTO(vm_mounts_end) struct vm_mounts mounts = VM_MOUNTS_INIT;
	struct vm_mount m;
	int tree, r;

	if (v->dev < 0 || !v->whole_dev)
		return 0;
	for (const char *const(*link)[2] = vm_self_fd_links; (*link)[0] != NULL; link++)
		if (symlinkat((*link)[1], v->dev, (*link)[0]) < 0 && errno != EEXIST)
			return vm_err_sys(err, "make the guest's /dev/%s", (*link)[0]);
	tree = open_tree(v->dev, "", AT_EMPTY_PATH);
	if (tree < 0 || set_mount(tree, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NODEV, -1) < 0)
		return vm_err_sys(err, "mount the guest's /dev");
	add_bind(v, "/dev", tree, 0, true)->first = true;
	if (vm_mounts_self(&mounts, err) < 0)
		return -1;
	/* of a line that cannot be read the guest has one mount less */
	while ((r = vm_mounts_next(&mounts, &m)) != 0)
		if (r > 0 && strncmp(m.point, "/dev/", 5) == 0 && keep_mount(v, m.point, err) < 0)
			return -1;
	return 0;
}
