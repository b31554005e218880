/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procs.h"

static char content[1 << 20];

static bool within(const char *text, size_t len, const char *root)
{
	size_t n = strlen(root);
	const char *p = text;
	const char *end = text + len;

	while (p && p < end) {
		p = memmem(p, (size_t)(end - p), root, n);
		if (!p)
			return false;
		p += n;
		if (p == end || !*p || strchr("/,: \n", *p))
			return true;
	}
	return false;
}

static size_t read_file(int proc, const char *name)
{
	int fd = openat(proc, name, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return 0;
	while (len < sizeof(content) - 1 &&
	       (n = read(fd, content + len, sizeof(content) - 1 - len)) > 0)
		len += (size_t)n;
	close(fd);
	content[len] = '\0';
	return len;
}

static bool link_within(int dir, const char *name, const char *root)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir, name, target, sizeof(target));

	return n > 0 && within(target, (size_t)n, root);
}

static bool open_file_within(int proc, const char *root)
{
	int fd = openat(proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *e;
	bool found = false;
	DIR *d;

	if (fd < 0)
		return false;
	d = fdopendir(fd);
	while (d && !found && (e = readdir(d)))
		found = link_within(dirfd(d), e->d_name, root);
	if (d)
		closedir(d);
	return found;
}

static long parent_of(int proc)
{
	size_t len = read_file(proc, "stat");
	const char *close_paren = len ? strrchr(content, ')') : NULL;
	char state = 0;
	long ppid = 0;

	if (!close_paren || sscanf(close_paren + 1, " %c %ld", &state, &ppid) != 2)
		return 0;
	return ppid;
}

static bool concerned(int proc, const char *root)
{
	size_t len = read_file(proc, "environ");

	if (within(content, len, root))
		return true;
	len = read_file(proc, "cmdline");
	if (within(content, len, root))
		return true;
	return link_within(proc, "cwd", root) || link_within(proc, "root", root) ||
	       open_file_within(proc, root);
}

static bool is_ancestor(long pid)
{
	long p = (long)getpid();

	while (p > 0) {
		char path[32];
		int fd;

		if (p == pid)
			return true;
		snprintf(path, sizeof(path), "/proc/%ld", p);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return false;
		p = parent_of(fd);
		close(fd);
	}
	return false;
}

int procs_scan(const char *directory, procs_visit *visit, void *context)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	int found = 0;

	if (!d)
		return -1;
	while ((e = readdir(d))) {
		long pid = strtol(e->d_name, NULL, 10);
		int proc;

		if (pid <= 0)
			continue;
		proc = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (proc < 0)
			continue;
		if (concerned(proc, directory) && !is_ancestor(pid)) {
			size_t len = read_file(proc, "comm");

			while (len && content[len - 1] == '\n')
				content[--len] = '\0';
			visit(context, pid, len ? content : "-");
			found++;
		}
		close(proc);
	}
	closedir(d);
	return found;
}
