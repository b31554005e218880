/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vm-probe [--late-link|--in-place|--no-undo] NAME UUID: a small model of defining a guest, for the harness itself. It is
 * right as it stands; each option is a mistake that the harness has to find.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <stdlib.h>

static int dir;
static char file[300], temporary[] = ".new", link_name[80];
static int late_link, in_place, no_undo;

static int fail(const char *what)
{
	fprintf(stderr, "vm-probe: %s: %s\n", what, strerror(errno));
	return -1;
}

static int make_directories(const char *root)
{
	static const char *const parts[] = { "etc", "etc/vm", "etc/vm/qemu", "etc/vm/qemu/by-uuid" };
	int top = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (top < 0)
		return fail(root);
	for (size_t i = 0; i < 4; i++) {
		if (mkdirat(top, parts[i], 0755) < 0 && errno != EEXIST)
			return fail(parts[i]);
	}
	dir = openat(top, parts[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? fail(parts[2]) : 0;
}

static int write_file(const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	size_t half = strlen(text) / 2;
	int bad;

	if (fd < 0)
		return fail(name);
	bad = write(fd, text, half) != (ssize_t)half ||
	      write(fd, text + half, strlen(text) - half) != (ssize_t)(strlen(text) - half) ||
	      fsync(fd) < 0;
	if (bad)
		fail(name);
	close(fd);
	return bad ? -1 : 0;
}

static int make_link(void)
{
	char target[310];

	snprintf(target, sizeof(target), "../%s", file);
	if (symlinkat(target, dir, link_name) < 0 && errno != EEXIST)
		return fail(link_name);
	return 0;
}

static int define(const char *text)
{
	if (!late_link && make_link() < 0)
		return -1;
	if (write_file(in_place ? file : temporary, text) < 0)
		return -1;
	if (!in_place && renameat(dir, temporary, dir, file) < 0)
		return fail(file);
	return late_link ? make_link() : 0;
}

/* What an earlier, interrupted run left. */
static void repair(void)
{
	unlinkat(dir, temporary, 0);
	if (faccessat(dir, file, F_OK, 0) < 0)
		unlinkat(dir, link_name, 0);
}

int main(int argc, char **argv)
{
	const char *root = getenv("VM_ROOT");
	char text[1024];
	int at = 1;

	for (; at < argc && argv[at][0] == '-'; at++) {
		late_link |= strcmp(argv[at], "--late-link") == 0;
		in_place |= strcmp(argv[at], "--in-place") == 0;
		no_undo |= strcmp(argv[at], "--no-undo") == 0;
	}
	if (argc - at != 2 || !root)
		return 2;
	snprintf(file, sizeof(file), "%s.xml", argv[at]);
	snprintf(link_name, sizeof(link_name), "by-uuid/%s", argv[at + 1]);
	snprintf(text, sizeof(text), "<domain><name>%s</name><uuid>%s</uuid></domain>\n", argv[at],
		 argv[at + 1]);
	if (make_directories(root) < 0)
		return 14;
	repair();
	if (define(text) < 0) {
		if (!no_undo)
			repair();
		return 14;
	}
	return 0;
}
