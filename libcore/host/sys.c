/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

int vm_sys_open(const char *root, struct vm_sys *ret, struct vm_err *err)
{
	const char *path = root != NULL ? root : secure_getenv("VM_SYSROOT");
	int fd;

	if (path == NULL || *path == 0)
		path = "/";
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return vm_err_sys(err, "%s", path);
	*ret = (struct vm_sys){ .root = fd, .recorded = strcmp(path, "/") != 0 };
	return 0;
}

void vm_sys_close(struct vm_sys *s)
{
	vm_cleanup_fd(&s->root);
}

static char *path_of_fd(int fd)
{
	char link[64], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return NULL;
	path[n] = 0;
	errno = ENOENT;
	return path[0] == '/' ? vm_xstrdup(path) : NULL;
}

int vm_unread_fail(const struct vm_unread *u, struct vm_err *err)
{
	if (u->error == 0)
		return 0;
	if (u->error == EBADMSG) {
		vm_err_set(err, VM_SYSTEM, "what %s says is not understood", u->path);
		err->sys = EBADMSG;
		return -1;
	}
	errno = u->error;
	return vm_err_sys(err, "read %s", u->path);
}

int vm_unread_end(const struct vm_unread *u, const struct vm_err *why, struct vm_err *err)
{
	if (vm_unread_fail(u, err) < 0)
		return -1;
	if (why->kind == VM_OK)
		return 0;
	*err = *why;
	return -1;
}

/*
 * EINVAL is a link that is none, or an attribute that has no value now, as ENODATA and EOPNOTSUPP; ENODEV and ENXIO come from
 * a device that is just going.
 */
static bool is_absent(int e)
{
	return e == ENOENT || e == ENOTDIR || e == EINVAL || e == ENODATA || e == EOPNOTSUPP || e == ENODEV || e == ENXIO;
}

void vm_unread_note(struct vm_unread *u, int dir, const char *name)
{
	int e = errno;

	if (u != NULL && u->error == 0 && !is_absent(e)) {
		VM_AUTO_FREE char *where = path_of_fd(dir);

		u->error = e;
		snprintf(u->path, sizeof(u->path), "%s%s%s", where != NULL ? where : "",
			 where != NULL && where[1] == 0 ? "" : "/", name);
	}
	errno = e;
}

void vm_unread_malformed(struct vm_unread *u, int dir, const char *name)
{
	errno = EBADMSG;
	vm_unread_note(u, dir, name);
}

void vm_unread_add(struct vm_unread *u, const struct vm_unread *part)
{
	if (u != NULL && u->error == 0)
		*u = *part;
}

void vm_unread_lenient(struct vm_unread *u, const struct vm_unread *part)
{
	if (part->error != EBADMSG)
		vm_unread_add(u, part);
}

/* A recorded tree is somebody's: its links do not lead out of it. */
static int open_below(int root, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned)flags | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int tries = 0;
	long fd;

	do
		fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
	while (fd < 0 && errno == EAGAIN && tries++ < 1000);
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		fd = openat(root, path, flags | O_CLOEXEC);
	return (int)fd;
}

int vm_sys_dir(const struct vm_sys *s, const char *path)
{
	return open_below(s->root, path, O_RDONLY | O_DIRECTORY);
}

int vm_sys_dir_at(int at, const char *path)
{
	return openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int vm_sys_look(const struct vm_sys *s, const char *path, struct vm_unread *u)
{
	int dir = vm_sys_dir(s, path);

	if (dir < 0)
		vm_unread_note(u, s->root, path);
	return dir;
}

int vm_sys_look_at(int at, const char *path, struct vm_unread *u)
{
	int dir = vm_sys_dir_at(at, path);

	if (dir < 0)
		vm_unread_note(u, at, path);
	return dir;
}

static int failed(struct vm_unread *u, int dir, const char *name)
{
	vm_unread_note(u, dir, name);
	return -1;
}

int vm_sys_bytes(int dir, const char *name, void *buf, size_t size, struct vm_unread *u)
{
	VM_AUTO_FD int fd = openat(dir, name, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0)
		return failed(u, dir, name);
	while (n != 0 && len < size) {
		n = read(fd, (char *)buf + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return failed(u, dir, name);
		len += (size_t)n;
	}
	return (int)len;
}

bool vm_sys_text(int dir, const char *name, char *buf, size_t size, struct vm_unread *u)
{
	int n = vm_sys_bytes(dir, name, buf, size, u);
	char *end;

	if (n < 0)
		return false;
	end = memchr(buf, '\n', (size_t)n);
	if (end == NULL && (size_t)n == size) {
		vm_unread_malformed(u, dir, name);
		return false;
	}
	if (end == NULL)
		end = buf + n;
	while (end > buf && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = 0;
	for (const char *p = buf; p < end; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f) {
			vm_unread_malformed(u, dir, name);
			return false;
		}
	return true;
}

bool vm_sys_i64(int dir, const char *name, int64_t *ret, struct vm_unread *u)
{
	char text[32], *end = text;
	long long v = 0;

	if (!vm_sys_text(dir, name, text, sizeof(text), u))
		return false;
	errno = 0;
	if (text[0] == '-' || isdigit((unsigned char)text[0]))
		v = strtoll(text, &end, 0);
	if (end == text || *end != 0 || errno != 0) {
		vm_unread_malformed(u, dir, name);
		return false;
	}
	*ret = v;
	return true;
}

bool vm_sys_hex(int dir, const char *name, uint64_t *ret, struct vm_unread *u)
{
	char text[32], *end = text;
	unsigned long long v = 0;

	if (!vm_sys_text(dir, name, text, sizeof(text), u))
		return false;
	errno = 0;
	if (isxdigit((unsigned char)text[0]))
		v = strtoull(text, &end, 16);
	if (end == text || *end != 0 || errno != 0) {
		vm_unread_malformed(u, dir, name);
		return false;
	}
	*ret = v;
	return true;
}

bool vm_sys_link(int dir, const char *name, char *buf, size_t size, struct vm_unread *u)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);
	const char *last;

	if (n <= 0) {
		vm_unread_note(u, dir, name);
		return false;
	}
	target[n] = 0;
	last = strrchr(target, '/');
	last = last != NULL ? last + 1 : target;
	if (*last == 0 || strlen(last) >= size) {
		errno = ENAMETOOLONG;
		vm_unread_note(u, dir, name);
		return false;
	}
	memcpy(buf, last, strlen(last) + 1);
	return true;
}

bool vm_sys_exists(int dir, const char *name, struct vm_unread *u)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 || failed(u, dir, name) == 0;
}

char *vm_sys_path(const struct vm_sys *s, int dir, struct vm_unread *u)
{
	VM_AUTO_FREE char *root = path_of_fd(s->root);
	VM_AUTO_FREE char *path = path_of_fd(dir);
	size_t len;

	if (root == NULL || path == NULL) {
		vm_unread_note(u, dir, ".");
		return NULL;
	}
	len = strcmp(root, "/") == 0 ? 0 : strlen(root);
	if (strncmp(path, root, len) != 0 || path[len] != '/')
		return NULL;
	return vm_xstrdup(path + len);
}

void vm_sys_names_free(struct vm_sys_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->v[i]);
	free(names->v);
	*names = (struct vm_sys_names){ 0 };
}

static int compare(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

int vm_sys_names(int dir, struct vm_sys_names *ret, struct vm_unread *u)
{
	/* its own file position */
	int fd = dir < 0 ? -1 : openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	int e_read = 0;

	*ret = (struct vm_sys_names){ 0 };
	if (d == NULL) {
		vm_cleanup_fd(&fd);
		return dir < 0 ? 0 : failed(u, dir, ".");
	}
	while (ret->n < VM_SYS_NAMES_MAX && (errno = 0, e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		if (ret->n % 64 == 0)
			ret->v = vm_xreallocarray(ret->v, ret->n + 64, sizeof(*ret->v));
		ret->v[ret->n++] = vm_xstrdup(e->d_name);
	}
	if (ret->n < VM_SYS_NAMES_MAX)
		e_read = errno;
	closedir(d);
	if (e_read != 0) {
		vm_sys_names_free(ret);
		errno = e_read;
		return failed(u, dir, ".");
	}
	if (ret->n > 1)
		qsort(ret->v, ret->n, sizeof(*ret->v), compare);
	return 0;
}

void *vm_sys_rows(const struct vm_sys *s, const char *path, size_t size,
		  bool (*read)(const struct vm_sys *s, int top, const char *name, void *row, struct vm_unread *u),
		  size_t *ret_n, struct vm_unread *u)
{
	VM_AUTO(vm_sys_names_free) struct vm_sys_names names = { 0 };
	VM_AUTO_FD int top = vm_sys_look(s, path, u);
	char *rows;

	*ret_n = 0;
	if (top < 0)
		return NULL;
	vm_sys_names(top, &names, u);
	rows = vm_xcalloc(names.n + 1, size);
	for (size_t i = 0; i < names.n; i++)
		if (read(s, top, names.v[i], rows + *ret_n * size, u))
			++*ret_n;
	return rows;
}
