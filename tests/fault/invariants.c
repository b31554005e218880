/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * invariants: looks at a host tree ($VM_ROOT) after a command and says what must not be so.
 *
 * It knows the layout of vm-state(5) by itself and shares no code with the programs it judges.
 * Prints "state NAME running|shutoff" for every guest and "bad: ..." for every violation; status 1
 * if there is a violation.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../lib/groups.h"
#include "../lib/procs.h"

#define MAX_GUESTS 512

static struct guest {
	char name[256];
	bool defined, running;
	long processes;
} guests[MAX_GUESTS];
static size_t guest_count;
static const char *root;
static unsigned violations;

static void bad(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void bad(const char *format, ...)
{
	va_list ap;

	printf("bad: ");
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf("\n");
	violations++;
}

static struct guest *guest(const char *name)
{
	for (size_t i = 0; i < guest_count; i++) {
		if (strcmp(guests[i].name, name) == 0)
			return &guests[i];
	}
	if (guest_count == MAX_GUESTS) {
		fprintf(stderr, "invariants: too many guests\n");
		exit(2);
	}
	snprintf(guests[guest_count].name, sizeof(guests[0].name), "%s", name);
	return &guests[guest_count++];
}

static bool any_running(void)
{
	for (size_t i = 0; i < guest_count; i++) {
		if (guests[i].running)
			return true;
	}
	return false;
}

typedef void entry_fn(int dir, const char *path, const char *name);

/* Visits the entries of root/format; an absent directory has none. */
static void walk(entry_fn *fn, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void walk(entry_fn *fn, const char *format, ...)
{
	char below[PATH_MAX], path[PATH_MAX * 2];
	struct dirent *e;
	va_list ap;
	DIR *d;

	va_start(ap, format);
	vsnprintf(below, sizeof(below), format, ap);
	va_end(ap);
	snprintf(path, sizeof(path), "%s/%s", root, below);
	d = opendir(path);
	if (!d) {
		if (errno != ENOENT)
			bad("%s: %s", path, strerror(errno));
		return;
	}
	while ((e = readdir(d))) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			fn(dirfd(d), below, e->d_name);
	}
	closedir(d);
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n > m && strcmp(s + n - m, end) == 0;
}

static char *read_whole(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	size_t len = 0, size = 1 << 20;
	char *text = malloc(size);
	ssize_t n = 0;

	if (fd < 0 || !text) {
		free(text);
		return NULL;
	}
	while (len < size - 1 && (n = read(fd, text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	close(fd);
	text[len] = '\0';
	return text;
}

static void copy_between(const char *text, const char *open_tag, const char *close_tag, char *ret,
			 size_t size)
{
	const char *from = text ? strstr(text, open_tag) : NULL;
	const char *to = from ? strstr(from, close_tag) : NULL;

	ret[0] = '\0';
	if (!to)
		return;
	from += strlen(open_tag);
	snprintf(ret, size, "%.*s", (int)(to - from), from);
}

static void check_by_uuid_of(int dir, const char *path, const char *name, const char *uuid)
{
	char link_name[PATH_MAX], target[PATH_MAX];
	ssize_t n;

	snprintf(link_name, sizeof(link_name), "by-uuid/%s", uuid);
	n = readlinkat(dir, link_name, target, sizeof(target) - 1);
	if (n < 0) {
		bad("%s/%s: no link by-uuid/%s", path, name, uuid);
		return;
	}
	target[n] = '\0';
	if (!ends_with(target, name) && strcmp(target, name) != 0)
		bad("%s/by-uuid/%s points to %s, not to %s", path, uuid, target, name);
}

static void definition(int dir, const char *path, const char *name)
{
	char *text = NULL;
	char inner[256], uuid[64], stem[256];
	size_t len;

	if (strcmp(name, "by-uuid") == 0 || strcmp(name, "autostart") == 0 ||
	    strcmp(name, "networks") == 0)
		return;
	if (name[0] == '.' || !ends_with(name, ".xml")) {
		bad("%s/%s is left over", path, name);
		return;
	}
	snprintf(stem, sizeof(stem), "%.*s", (int)(strlen(name) - 4), name);
	guest(stem)->defined = true;
	text = read_whole(dir, name);
	len = text ? strlen(text) : 0;
	while (len && strchr(" \t\r\n", text[len - 1]))
		len--;
	if (len < 9 || strncmp(text + len - 9, "</domain>", 9) != 0)
		bad("%s/%s is not a whole document", path, name);
	copy_between(text, "<name>", "</name>", inner, sizeof(inner));
	copy_between(text, "<uuid>", "</uuid>", uuid, sizeof(uuid));
	if (strcmp(inner, stem) != 0)
		bad("%s/%s is the document of '%s'", path, name, inner);
	if (!*uuid)
		bad("%s/%s has no uuid", path, name);
	else
		check_by_uuid_of(dir, path, name, uuid);
	free(text);
}

/* by-uuid/ and autostart/: symlinks to what is there. */
static void link_entry(int dir, const char *path, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (!S_ISLNK(st.st_mode))
		bad("%s/%s is not a link", path, name);
	else if (fstatat(dir, name, &st, 0) < 0)
		bad("%s/%s points to nothing", path, name);
}

static bool lock_held(int dir, const char *path)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool held = false;

	if (fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0)
		held = lock.l_type != F_UNLCK;
	if (fd >= 0)
		close(fd);
	return held;
}


static void rest_of_stopped(int dir, const char *path, const char *name)
{
	(void)dir;
	if (strcmp(name, "lock") != 0)
		bad("%s/%s is left of a guest that is shut off", path, name);
}

static void count_process(void *context, long pid, const char *name)
{
	struct guest *g = context;

	g->processes++;
	if (!g->running)
		bad("process %ld (%s) is left of %s", pid, name, g->name);
}

static void runtime(int dir, const char *path, const char *name)
{
	char below[PATH_MAX];
	struct guest *g;
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode)) {
		if (strcmp(name, "lock") != 0 && !ends_with(name, ".lock") &&
		    strcmp(name, ".ends.jsonl") != 0 && strcmp(name, ".ends.jsonl.1") != 0)
			bad("%s/%s is left over", path, name);
		return;
	}
	if (name[0] == '.') {
		bad("%s/%s is left over", path, name);
		return;
	}
	g = guest(name);
	snprintf(below, sizeof(below), "%s/alive", name);
	g->running = lock_held(dir, below);
	if (!g->running) {
		walk(rest_of_stopped, "%s/%s", path, name);
	} else {
		snprintf(below, sizeof(below), "%s/record", name);
		if (faccessat(dir, below, F_OK, 0) < 0)
			bad("%s runs and has no record", name);
	}
	snprintf(below, sizeof(below), "%s/%s/%s", root, path, name);
	if (procs_scan(below, count_process, g) == 0 && g->running)
		bad("%s has its lock held and no process", name);
}

static void claim(int dir, const char *path, const char *name)
{
	(void)dir;
	if (strcmp(name, "lock") == 0 || strcmp(name, ".lock") == 0)
		return;
	if (name[0] == '.' || ends_with(name, ".tmp"))
		bad("%s/%s is left over", path, name);
	else if (!any_running())
		bad("%s/%s: a claim and no running guest", path, name);
}

static void library(int dir, const char *path, const char *name)
{
	struct guest *g;
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode)) {
		if (!ends_with(name, "lock"))
			bad("%s/%s is left over", path, name);
		return;
	}
	g = guest(name);
	if (!g->defined && !g->running)
		bad("%s/%s: state of a guest that is neither defined nor running", path, name);
}

static void temporary(int dir, const char *path, const char *name)
{
	(void)dir;
	if (name[0] == '.' || ends_with(name, ".tmp") || ends_with(name, ".new"))
		bad("%s/%s is left over", path, name);
}

static unsigned uid_count;

static void uid_entry(int dir, const char *path, const char *name)
{
	temporary(dir, path, name);
	if (!ends_with(name, "lock"))
		uid_count++;
}

static void owner_entry(int dir, const char *path, const char *name)
{
	if (strcmp(name, ".lock") == 0)
		return;
	temporary(dir, path, name);
	if (!ends_with(name, "lock") && !any_running())
		bad("%s/%s: a changed owner and no running guest", path, name);
}

static void stray_process(void *context, long pid, const char *name)
{
	(void)context;
	if (!any_running())
		bad("process %ld (%s) is left", pid, name);
}

static void check_mounts(void)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[PATH_MAX * 2], point[PATH_MAX];
	size_t n = strlen(root);

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*s %*s %*s %*s %4095s", point) == 1 &&
		    strncmp(point, root, n) == 0 && point[n] == '/')
			bad("%s is still mounted", point);
	}
	if (f)
		fclose(f);
}

static void group(void *context, const char *path, const char *name)
{
	(void)context;
	for (size_t i = 0; i < guest_count; i++)
		if (guests[i].running && strcmp(guests[i].name, name) == 0)
			return;
	bad("%s: the group of a guest that is shut off", path);
}

/* Network links whose alias names a guest that does not run. */
static void check_links(void)
{
	DIR *d = opendir("/sys/class/net");
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char path[PATH_MAX], wanted[300], *alias;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/ifalias", e->d_name);
		alias = read_whole(dirfd(d), path);
		for (size_t i = 0; alias && i < guest_count; i++) {
			size_t len = (size_t)snprintf(wanted, sizeof(wanted), "/%.255s\n", guests[i].name);

			if (!guests[i].running && strncmp(alias, "vm-utils qemu", 13) == 0 && strlen(alias) > len &&
			    strcmp(alias + strlen(alias) - len, wanted) == 0)
				bad("network link %s is left of %s", e->d_name, guests[i].name);
		}
		free(alias);
	}
	if (d)
		closedir(d);
}

static void check_guests(void)
{
	size_t defined = 0;

	for (size_t i = 0; i < guest_count; i++)
		defined += guests[i].defined || guests[i].running;
	if (uid_count > defined)
		bad("var/lib/vm/uids: %u uids for %zu guests", uid_count, defined);
	for (size_t i = 0; i < guest_count; i++)
		printf("state %s %s%s\n", guests[i].name, guests[i].running ? "running" : "shutoff",
		       guests[i].defined ? "" : " undefined");
}

static void check_all(void)
{
	static const char *const etc[] = { "etc/vm", "usr/local/etc/vm", "usr/etc/vm" };

	for (size_t i = 0; i < sizeof(etc) / sizeof(etc[0]); i++) {
		walk(definition, "%s/qemu", etc[i]);
		walk(link_entry, "%s/qemu/by-uuid", etc[i]);
		walk(link_entry, "%s/qemu/autostart", etc[i]);
	}
	walk(runtime, "run/vm/qemu");
	walk(claim, "run/vm/claims");
	walk(library, "var/lib/vm/qemu");
	walk(uid_entry, "var/lib/vm/uids");
	walk(owner_entry, "var/lib/vm/owners");
	walk(temporary, "var/log/vm/qemu");
	if (procs_scan(root, stray_process, NULL) < 0)
		bad("/proc: %s", strerror(errno));
	check_mounts();
	if (groups_scan(root, group, NULL) < 0)
		bad("/proc/self/mountinfo: %s", strerror(errno));
	check_links();
	check_guests();
}

int main(int argc, char **argv)
{
	static const struct option longs[] = { { "guest", required_argument, NULL, 'g' },
					       { NULL, 0, NULL, 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 'g')
			guest(optarg);
		else
			optind = argc + 1;
	}
	if (optind != argc - 1 || argv[optind][0] != '/') {
		fprintf(stderr, "Usage: invariants [--guest=NAME]... ROOT\n"
				"--guest: a guest that may have left groups or network links behind.\n");
		return 2;
	}
	root = argv[optind];
	check_all();
	return violations ? 1 : 0;
}
