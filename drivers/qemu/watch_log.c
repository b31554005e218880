/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bounded log: a guest must not fill /var. */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int open_file(struct vm_watch_log *l)
{
	struct stat st;

	l->fd = openat(l->dirfd, l->name,
		       O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
	if (l->fd < 0)
		return -1;
	if (fstat(l->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		vm_watch_log_close(l);
		errno = EINVAL;
		return -1;
	}
	l->size = (uint64_t)st.st_size;
	return 0;
}

int vm_watch_log_open(struct vm_watch_log *l, int dirfd, const char *name, uint64_t max,
		      unsigned files, struct vm_err *err)
{
	*l = VM_WATCH_LOG_INIT;
	l->dirfd = dirfd;
	l->max = max;
	l->files = files < 1 ? 1 : files;
	if (snprintf(l->name, sizeof(l->name), "%s.log", name) >= (int)sizeof(l->name))
		return vm_err_set(err, VM_BAD_INPUT, "the name is too long for a log file");
	if (open_file(l) < 0)
		return vm_err_sys(err, "open the log %s", l->name);
	return 0;
}

static void rotate(struct vm_watch_log *l)
{
	char from[sizeof(l->name) + 16], to[sizeof(l->name) + 16];

	vm_watch_log_close(l);
	for (unsigned i = l->files - 1; i > 0; i--) {
		snprintf(to, sizeof(to), "%s.%u", l->name, i);
		if (i == 1)
			snprintf(from, sizeof(from), "%s", l->name);
		else
			snprintf(from, sizeof(from), "%s.%u", l->name, i - 1);
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
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}
