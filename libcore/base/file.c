/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vm/file.h>

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/deadline.h>
#include <vm/strbuf.h>

#define TMP_PREFIX ".tmp-"
#define TREE_DEPTH_MAX 64

unsigned vm_fsync_count;

/* The walk that openat2() does, for kernels and sandboxes without it. */
static int open_by_parts(int dirfd, const char *path, int flags, mode_t mode)
{
	VM_AUTO_FREE char *copy = vm_xstrdup(path);
	VM_AUTO_FD int at = -1;
	char *part, *save = NULL, *next;
	int fd;

	for (part = strtok_r(copy, "/", &save); part; part = next) {
		next = strtok_r(NULL, "/", &save);
		if (strcmp(part, "..") == 0) {
			errno = EXDEV;
			return -1;
		}
		fd = openat(at >= 0 ? at : dirfd, part,
			    next ? O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
				 : flags | O_NOFOLLOW | O_CLOEXEC,
			    next ? 0 : mode);
		if (fd < 0 || !next)
			return fd;
		vm_cleanup_fd(&at);
		at = fd;
	}
	errno = ENOENT;
	return -1;
}

/* Below a directory of ours: no symbolic link on the way, no way out.  From AT_FDCWD: as the admin typed
 * it. */
static int open_in(int dirfd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (unsigned)flags | O_CLOEXEC,
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	if (dirfd == AT_FDCWD)
		return openat(dirfd, path, flags | O_CLOEXEC, mode);
	do
		fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
	while (fd < 0 && errno == EAGAIN); /* a rename raced with the walk */
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		return open_by_parts(dirfd, path, flags, mode);
	return (int)fd;
}

/* Counted, since durability is what defining costs. */
static int sync_fd(int fd)
{
	vm_fsync_count++;
	while (fsync(fd) < 0)
		if (errno != EINTR)
			/* some filesystems cannot sync a directory; there is nothing more to do then */
			return errno == EINVAL || errno == EROFS ? 0 : -1;
	return 0;
}

static int sync_dir(int dirfd)
{
	VM_AUTO_FD int fd = -1;

	/* dirfd may be O_PATH or AT_FDCWD */
	fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -1 : sync_fd(fd);
}

int vm_dir_open(int dirfd, const char *path, int *ret_fd, struct vm_err *err)
{
	int fd = open_in(dirfd, path, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0)
		return vm_err_sys(err, "open directory %s", path);
	*ret_fd = fd;
	return 0;
}

/* mkdir is subject to the umask; the mode asked for is what the caller means. */
static int make_one(int at, const char *name, mode_t mode)
{
	VM_AUTO_FD int fd = -1;
	struct stat st;

	if (mkdirat(at, name, mode) < 0)
		return errno == EEXIST ? 0 : -1;
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if ((st.st_mode & 0777) != (mode & 0777) && fchmod(fd, mode) < 0)
		return -1;
	return sync_dir(at);
}

int vm_dir_make(int dirfd, const char *path, mode_t mode, int *ret_fd, struct vm_err *err)
{
	VM_AUTO_FREE char *copy = NULL;
	VM_AUTO_FD int at = -1;
	int nofollow = dirfd == AT_FDCWD ? 0 : O_NOFOLLOW;
	char *part, *save = NULL;
	int fd;

	fd = open_in(dirfd, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd >= 0) {
		*ret_fd = fd;
		return 0;
	}
	if (errno != ENOENT)
		return vm_err_sys(err, "open directory %s", path);
	at = openat(dirfd, path[0] == '/' && dirfd == AT_FDCWD ? "/" : ".",
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		return vm_err_sys(err, "make directory %s", path);
	copy = vm_xstrdup(path);
	for (part = strtok_r(copy, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
		if (nofollow && strcmp(part, "..") == 0) {
			errno = EXDEV;
			return vm_err_sys(err, "make directory %s", path);
		}
		fd = openat(at, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC | nofollow);
		if (fd < 0 && errno == ENOENT && make_one(at, part, mode) == 0)
			fd = openat(at, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC | nofollow);
		if (fd < 0)
			return vm_err_sys(err, "make directory %s", path);
		vm_cleanup_fd(&at);
		at = fd;
	}
	*ret_fd = vm_take_fd(&at);
	return 0;
}

int vm_fd_read(int fd, const char *what, size_t cap, char **ret_text, size_t *ret_len,
	       struct vm_err *err)
{
	VM_AUTO_FREE char *text = NULL;
	size_t len = 0, size = 4096;
	struct stat st;
	ssize_t n;

	assert(cap < SIZE_MAX / 4);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		size = (uint64_t)st.st_size > cap ? cap + 2 : (size_t)st.st_size + 2;
	if (size > cap + 2)
		size = cap + 2;
	text = vm_xmalloc(size);
	for (;;) {
		n = read(fd, text + len, size - 1 - len);
		if (n < 0 && errno == EINTR && !vm_wait_interrupted())
			continue;
		if (n < 0)
			return vm_err_sys(err, "read %s", what);
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > cap)
			return vm_err_set(err, VM_BAD_INPUT, "read %s: larger than %zu bytes", what,
					  cap);
		if (len == size - 1) {
			size = size * 2 > cap + 2 ? cap + 2 : size * 2;
			text = vm_xreallocarray(text, size, 1);
		}
	}
	text[len] = '\0';
	*ret_text = vm_take_ptr(&text);
	if (ret_len)
		*ret_len = len;
	return 0;
}

int vm_file_read(int dirfd, const char *name, size_t cap, char **ret_text, size_t *ret_len,
		 struct stat *ret_stat, struct vm_err *err)
{
	VM_AUTO_FD int fd = -1;
	struct stat st;

	/* In our own places a FIFO must not stop us; what the admin names may be one. */
	fd = open_in(dirfd, name, O_RDONLY | O_NOCTTY | (dirfd == AT_FDCWD ? 0 : O_NONBLOCK), 0);
	if (fd < 0)
		return vm_err_sys(err, "read %s", name);
	if (fstat(fd, &st) < 0)
		return vm_err_sys(err, "read %s", name);
	if (dirfd != AT_FDCWD && !S_ISREG(st.st_mode))
		return vm_err_set(err, VM_BAD_INPUT, "read %s: not a regular file", name);
	if (vm_fd_read(fd, name, cap, ret_text, ret_len, err) < 0)
		return -1;
	if (ret_stat)
		*ret_stat = st;
	return 0;
}

static int lock_tmp(int fd)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &fl);
}

static void random_name(char name[static 16])
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	uint64_t r;
	size_t i;

	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) != (ssize_t)sizeof(r)) {
		/* early boot: O_EXCL decides, this must only differ between tries */
		struct timespec ts;

		clock_gettime(CLOCK_MONOTONIC, &ts);
		r = ((uint64_t)ts.tv_nsec << 20) ^ (uint64_t)getpid() ^ (uint64_t)(uintptr_t)name;
	}
	memcpy(name, TMP_PREFIX, sizeof(TMP_PREFIX) - 1);
	for (i = sizeof(TMP_PREFIX) - 1; i < sizeof(TMP_PREFIX) - 1 + 6; i++) {
		name[i] = set[r % (sizeof(set) - 1)];
		r /= sizeof(set) - 1;
	}
	name[i] = '\0';
}

/*
 * A temporary is locked for as long as its writer lives: that is how vm_file_sweep() knows the others.
 * Between creation and lock a sweep may take it away; then it has no name any more and we try again.
 */
static int open_tmp(int dirfd, char name[static 16])
{
	struct stat st;
	int fd, tries;

	for (tries = 0; tries < 100; tries++) {
		random_name(name);
		fd = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0 && errno == EEXIST)
			continue;
		if (fd < 0)
			return -1;
		if (lock_tmp(fd) < 0 && (errno == EAGAIN || errno == EACCES)) {
			close(fd); /* the sweep has it */
			continue;
		}
		if (fstat(fd, &st) < 0 || st.st_nlink > 0)
			return fd;
		close(fd);
	}
	errno = EEXIST;
	return -1;
}

static int write_all(int fd, const char *p, size_t len)
{
	ssize_t n;

	while (len) {
		n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0) {
			errno = EIO;
			return -1;
		}
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_file(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
		      bool durable, struct vm_err *err)
{
	VM_AUTO_FD int dir = -1;
	VM_AUTO_FD int fd = -1;
	const char *base = strrchr(name, '/');
	char tmp[16];
	int saved;

	if (base) {
		VM_AUTO_FREE char *parent = vm_xstrndup(name, (size_t)(base - name) + 1);

		dir = open_in(dirfd, parent, O_PATH | O_DIRECTORY, 0);
		if (dir < 0)
			return vm_err_sys(err, "write %s", name);
		base++;
		dirfd = dir;
	} else {
		base = name;
	}
	fd = open_tmp(dirfd, tmp);
	if (fd < 0)
		return vm_err_sys(err, "write %s", name);
	if (write_all(fd, data, len) < 0 || fchmod(fd, mode) < 0 || (durable && sync_fd(fd) < 0) ||
	    renameat(dirfd, tmp, dirfd, base) < 0) {
		saved = errno;
		unlinkat(dirfd, tmp, 0);
		errno = saved;
		return vm_err_sys(err, "write %s", name);
	}
	if (durable && sync_dir(dirfd) < 0)
		return vm_err_sys(err, "write %s: sync its directory", name);
	return 0;
}

int vm_file_write(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
		  struct vm_err *err)
{
	return write_file(dirfd, name, data, len, mode, true, err);
}

int vm_file_write_volatile(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
			   struct vm_err *err)
{
	return write_file(dirfd, name, data, len, mode, false, err);
}

int vm_file_remove(int dirfd, const char *name, struct vm_err *err)
{
	VM_AUTO_FD int dir = -1;
	const char *base = strrchr(name, '/');

	if (base) {
		VM_AUTO_FREE char *parent = vm_xstrndup(name, (size_t)(base - name) + 1);

		dir = open_in(dirfd, parent, O_PATH | O_DIRECTORY, 0);
		if (dir < 0)
			return errno == ENOENT ? 0 : vm_err_sys(err, "remove %s", name);
		base++;
		dirfd = dir;
	} else {
		base = name;
	}
	if (unlinkat(dirfd, base, 0) < 0)
		return errno == ENOENT ? 0 : vm_err_sys(err, "remove %s", name);
	if (sync_dir(dirfd) < 0)
		return vm_err_sys(err, "remove %s: sync its directory", name);
	return 0;
}

struct tree {
	dev_t dev;
	unsigned depth;
};

static int remove_entry(int dirfd, const char *name, void *arg, struct vm_err *err);

struct tree_walk {
	struct tree *tree;
	struct vm_err *err;
};

static int remove_each(int dirfd, const char *name, void *arg)
{
	struct tree_walk *w = arg;

	return remove_entry(dirfd, name, w->tree, w->err);
}

static int remove_entry(int dirfd, const char *name, void *arg, struct vm_err *err)
{
	struct tree *tree = arg;
	struct tree_walk walk = { tree, err };
	VM_AUTO_FD int fd = -1;
	struct stat st;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return vm_err_sys(err, "remove %s", name);
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : vm_err_sys(err, "remove %s", name);
	if (fstat(fd, &st) < 0)
		return vm_err_sys(err, "remove %s", name);
	if (st.st_dev != tree->dev)
		return vm_err_set(err, VM_IN_USE, "remove %s: another filesystem is mounted there",
				  name);
	if (++tree->depth > TREE_DEPTH_MAX)
		return vm_err_set(err, VM_BAD_INPUT, "remove %s: nested deeper than %d", name,
				  TREE_DEPTH_MAX);
	if (vm_dir_each(fd, remove_each, &walk, err) != 0)
		return vm_err_wrap(err, "%s", name);
	tree->depth--;
	if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return vm_err_sys(err, "remove %s", name);
	return 0;
}

int vm_tree_remove(int dirfd, const char *name, struct vm_err *err)
{
	struct tree tree = { 0 };
	struct stat st;

	if (strchr(name, '/') || !*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return vm_err_set(err, VM_BAD_INPUT, "remove %s: not a name", name);
	if (fstatat(dirfd, ".", &st, 0) < 0)
		return vm_err_sys(err, "remove %s", name);
	tree.dev = st.st_dev;
	return remove_entry(dirfd, name, &tree, err);
}

static int sweep_one(int dirfd, const char *name, void *arg)
{
	unsigned *count = arg;
	VM_AUTO_FD int fd = -1;
	struct stat ours, named;

	if (strncmp(name, TMP_PREFIX, sizeof(TMP_PREFIX) - 1) != 0)
		return 0;
	fd = openat(dirfd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || lock_tmp(fd) < 0)
		return 0;
	/* Its writer may have renamed it into place meanwhile. */
	if (fstat(fd, &ours) == 0 && S_ISREG(ours.st_mode) &&
	    fstatat(dirfd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && ours.st_ino == named.st_ino &&
	    ours.st_dev == named.st_dev && unlinkat(dirfd, name, 0) == 0)
		(*count)++;
	return 0;
}

unsigned vm_file_sweep(int dirfd)
{
	unsigned count = 0;
	struct vm_err err;

	/* Litter is no reason to fail: the next sweep tries again. */
	(void)vm_dir_each(dirfd, sweep_one, &count, &err);
	return count;
}

static void close_dir(DIR **dir)
{
	int saved = errno;

	if (*dir)
		closedir(*dir);
	errno = saved;
}

int vm_dir_each(int dirfd, int (*fn)(int dirfd, const char *name, void *arg), void *arg,
		struct vm_err *err)
{
	VM_AUTO(close_dir) DIR *dir = NULL;
	struct dirent *e;
	int fd, r;

	/* a descriptor of our own: the position in a directory belongs to the open file */
	fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return vm_err_sys(err, "read directory");
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return vm_err_sys(err, "read directory");
	}
	for (;;) {
		errno = 0;
		e = readdir(dir);
		if (!e)
			break;
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		r = fn(dirfd, e->d_name, arg);
		if (r)
			return r;
	}
	if (errno)
		return vm_err_sys(err, "read directory");
	return 0;
}

int vm_kfile_write(int dirfd, const char *name, const char *text, struct vm_err *err)
{
	VM_AUTO_FD int fd = -1;
	size_t len = strlen(text);
	ssize_t n;

	fd = openat(dirfd, name, O_WRONLY | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return vm_err_sys(err, "open %s", name);
	do
		n = write(fd, text, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return vm_err_sys(err, "write \"%s\" to %s", text, name);
	if ((size_t)n != len)
		return vm_err_set(err, VM_SYSTEM, "write \"%s\" to %s: only %zd bytes taken", text,
				  name, n);
	return 0;
}

char *vm_path_blocked(const char *path)
{
	VM_AUTO_FREE char *copy = vm_xstrdup(path);
	char *slash;

	for (slash = strchr(copy + (copy[0] == '/'), '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (faccessat(AT_FDCWD, copy, X_OK, AT_EACCESS) < 0 && errno == EACCES)
			return vm_take_ptr(&copy);
		*slash = '/';
	}
	return NULL;
}
