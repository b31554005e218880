/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bounded log: a guest must not fill /var. */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

static int open_file(struct vm_watch_log *l)
{
	struct stat st;

	l->fd = openat(l->dirfd, l->name,
		       O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
	if (l->fd < 0)
		return -1;
	if (fstat(l->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		vm_cleanup_fd(&l->fd);
		errno = EINVAL;
		return -1;
	}
	l->size = (uint64_t)st.st_size;
	return 0;
}

static int open_log(struct vm_watch_log *l, int dirfd, char *name, uint64_t max, unsigned files,
		    struct vm_err *err)
{
	*l = VM_WATCH_LOG_INIT;
	l->dirfd = dirfd;
	l->max = max;
	l->files = files < 1 ? 1 : files;
	l->name = name;
	if (open_file(l) == 0)
		return 0;
	vm_err_sys(err, "open %s", name);
	vm_watch_log_close(l);
	return -1;
}

int vm_watch_log_open(struct vm_watch_log *l, int dirfd, const char *name, uint64_t max,
		      unsigned files, struct vm_err *err)
{
	return open_log(l, dirfd, vm_xasprintf("%s.log", name), max, files, err);
}

int vm_watch_log_open_path(struct vm_watch_log *l, const char *path, uint64_t max, unsigned files,
			   struct vm_err *err)
{
	return open_log(l, AT_FDCWD, vm_xstrdup(path), max, files, err);
}

static void rotate(struct vm_watch_log *l)
{
	vm_cleanup_fd(&l->fd);
	for (unsigned i = l->files - 1; i > 0; i--) {
		VM_AUTO_FREE char *to = vm_xasprintf("%s.%u", l->name, i);
		VM_AUTO_FREE char *from = i == 1 ? vm_xstrdup(l->name)
						 : vm_xasprintf("%s.%u", l->name, i - 1);

		renameat(l->dirfd, from, l->dirfd, to);
	}
	/* With one file to keep, or when the renames failed, the bound still holds. */
	if (open_file(l) == 0 && l->size >= l->max && ftruncate(l->fd, 0) == 0)
		l->size = 0;
}

void vm_watch_log_write(struct vm_watch_log *l, const char *text, size_t len)
{
	while (len > 0) {
		size_t part = len;
		ssize_t n;

		if (l->fd >= 0 && l->size >= l->max)
			rotate(l);
		if (l->fd < 0)
			return;
		if (part > l->max - l->size)
			part = l->max - l->size;
		n = write(l->fd, text, part);
		if (n <= 0)
			return;
		l->size += (uint64_t)n;
		text += n;
		len -= (size_t)n;
	}
}

void vm_watch_log_note(struct vm_watch_log *l, const char *fmt, ...)
{
	char line[512], stamp[32];
	time_t now = time(NULL);
	struct tm tm;
	va_list ap;
	int n, m;

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
	n = snprintf(line, sizeof(line), "%s vm-utils: ", stamp);
	va_start(ap, fmt);
	m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	if (m < 0)
		return;
	n = (int)strlen(line);
	line[n++] = '\n';
	vm_watch_log_write(l, line, (size_t)n);
}

void vm_watch_log_close(struct vm_watch_log *l)
{
	vm_cleanup_fd(&l->fd);
	free(l->name);
	l->name = NULL;
}
