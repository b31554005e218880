/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mounts.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <vm/cleanup.h>
#include <vm/file.h>

/* Source: mangle() of fs/proc_namespace.c: blanks, TABs, newlines, '\' and '#' are \ooo. */
static int decode(char *s)
{
	char *to = s;

	for (; *s != 0; s++) {
		if (*s != '\\') {
			*to++ = *s;
			continue;
		}
		if (s[1] < '0' || s[1] > '3')
			return -1;
		for (int i = 2; i <= 3; i++)
			if (s[i] < '0' || s[i] > '7')
				return -1;
		*to = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
		if (*to++ == 0)
			return -1;
		s += 3;
	}
	*to = 0;
	return 0;
}

/* Digits alone, up to the byte `end`, behind which *at is then. */
static int number(char **at, char end, unsigned *ret)
{
	const char *p = *at;
	unsigned long long n = 0;

	if (*p < '0' || *p > '9')
		return -1;
	for (; *p >= '0' && *p <= '9'; p++)
		if ((n = n * 10 + (unsigned)(*p - '0')) > UINT_MAX)
			return -1;
	if (*p != end)
		return -1;
	*at += p - *at + 1;
	*ret = (unsigned)n;
	return 0;
}

/* The next field, decoded; NULL: malformed, empty or there is none. */
static char *field(char **line)
{
	char *f = strsep(line, " ");

	return f != NULL && *f != 0 && decode(f) == 0 ? f : NULL;
}

/* type, source and options of the file system.  Only the source may be empty: mount("", ...) makes such ones. */
static int parse_file_system(char *line, struct vm_mount *m)
{
	char *source;

	m->type = field(&line);
	source = m->type != NULL ? strsep(&line, " ") : NULL;
	if (source == NULL || decode(source) < 0 || line == NULL || *line == 0)
		return -1;
	m->source = source;
	m->super = line;
	return 0;
}

static int parse_mount(char *line, char *end, struct vm_mount *m)
{
	if (number(&line, ' ', &m->id) < 0 || number(&line, ' ', &m->parent) < 0 ||
	    number(&line, ':', &m->major) < 0 || number(&line, ' ', &m->minor) < 0)
		return -1;
	m->root = field(&line);
	m->point = m->root != NULL ? field(&line) : NULL;
	m->options = m->point != NULL ? field(&line) : NULL;
	if (m->options == NULL || m->point[0] != '/')
		return -1;
	m->tags = line != NULL ? line : end;
	return 0;
}

int vm_mount_parse(char *line, struct vm_mount *ret)
{
	/* Before it are no blanks but those between fields, so the first one it is. */
	char *dash = strstr(line, " - ");
	struct vm_mount m = { 0 };
	int r = -1;

	if (dash != NULL) {
		*dash = 0;
		r = parse_file_system(dash + 3, &m);
	}
	*ret = (struct vm_mount){ .type = m.type };
	if (r < 0 || parse_mount(line, dash, &m) < 0)
		return -1;
	*ret = m;
	return 0;
}

bool vm_mount_option(const char *options, const char *word)
{
	size_t len = strlen(word);

	while (*options != 0) {
		size_t n = strcspn(options, ",");

		if (n == len && memcmp(options, word, len) == 0)
			return true;
		options += n;
		options += *options == ',';
	}
	return false;
}

void vm_mounts_begin(char *text, struct vm_mounts *ret)
{
	*ret = (struct vm_mounts){ .text = text, .rest = text };
}

int vm_mounts_read(int fd, struct vm_mounts *ret, struct vm_err *err)
{
	char *text;

	if (vm_fd_read(fd, "mountinfo", VM_MOUNTS_MAX, &text, NULL, err) < 0)
		return -1;
	vm_mounts_begin(text, ret);
	return 0;
}

int vm_mounts_self(struct vm_mounts *ret, struct vm_err *err)
{
	static const char file[] = "/proc/self/mountinfo";
	VM_AUTO_FD int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return vm_err_sys(err, "open %s", file);
	return vm_mounts_read(fd, ret, err);
}

void vm_mounts_end(struct vm_mounts *m)
{
	free(m->text);
	*m = VM_MOUNTS_INIT;
}

int vm_mounts_next(struct vm_mounts *m, struct vm_mount *ret)
{
	char *line;

	do {
		line = m->rest != NULL ? strsep(&m->rest, "\n") : NULL;
		if (line == NULL)
			return 0;
		m->line++;
	} while (*line == 0);
	return vm_mount_parse(line, ret) < 0 ? -1 : 1;
}
