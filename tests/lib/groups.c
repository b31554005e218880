/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "groups.h"

#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct scan {
	char end[32], scope[32]; /* ".rXXXXXXXX.vm-qemu", ".rXXXXXXXX.scope" */
	void (*fn)(void *context, const char *path, const char *guest);
	void *context;
	int found;
};

static void look(struct scan *s, const char *dir, unsigned depth)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		size_t n = strlen(e->d_name), m = strlen(s->end), k = strlen(s->scope);
		char path[PATH_MAX], guest[256];

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (n > m && strcmp(e->d_name + n - m, s->end) == 0) {
			snprintf(guest, sizeof(guest), "%.*s", (int)(n - m), e->d_name);
			s->found++;
			s->fn(s->context, path, guest);
		} else if (n > k + 3 && strncmp(e->d_name, "vm-", 3) == 0 &&
			   strcmp(e->d_name + n - k, s->scope) == 0) {
			/* its name is systemd's way of writing it, which does not matter here */
			snprintf(guest, sizeof(guest), "%.*s", (int)(n - k - 3), e->d_name + 3);
			s->found++;
			s->fn(s->context, path, guest);
		} else if (depth > 0) {
			look(s, path, depth - 1);
		}
	}
	if (d)
		closedir(d);
}

void groups_tag(const char *root, char ret[10])
{
	uint32_t hash = 0x811c9dc5u;
	char run[PATH_MAX];

	snprintf(run, sizeof(run), "%s/run/vm/qemu", root);
	for (const char *c = run; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 0x01000193u;
	snprintf(ret, 10, "r%08x", hash);
}

int groups_scan(const char *root, void (*fn)(void *context, const char *path, const char *guest),
		void *context)
{
	struct scan s = { .fn = fn, .context = context };
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	char line[PATH_MAX * 2], point[PATH_MAX], tag[10];

	if (!mounts)
		return -1;
	groups_tag(root, tag);
	snprintf(s.end, sizeof(s.end), ".%s.vm-qemu", tag);
	snprintf(s.scope, sizeof(s.scope), ".%s.scope", tag);
	while (fgets(line, sizeof(line), mounts))
		if (strstr(line, " - cgroup") && sscanf(line, "%*s %*s %*s %*s %4095s", point) == 1)
			look(&s, point, 4);
	fclose(mounts);
	return s.found;
}

void groups_remove(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char below[PATH_MAX];

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, e->d_name);
		groups_remove(below);
	}
	if (d)
		closedir(d);
	rmdir(path);
}
