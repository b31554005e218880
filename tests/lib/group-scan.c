/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* group-scan [--remove | --tag] ROOT: prints the control groups of the guests below ROOT ($VM_ROOT), removes them, or prints
 * what their names have in them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "groups.h"

static void print(void *context, const char *path, const char *guest)
{
	(void)context;
	(void)guest;
	puts(path);
}

static void take_away(void *context, const char *path, const char *guest)
{
	(void)context;
	(void)guest;
	groups_remove(path);
}

int main(int argc, char **argv)
{
	int removes = argc == 3 && strcmp(argv[1], "--remove") == 0;
	int tags = argc == 3 && strcmp(argv[1], "--tag") == 0;
	char tag[10];

	if ((argc != 2 && !removes && !tags) || argv[argc - 1][0] != '/') {
		fprintf(stderr, "Usage: group-scan [--remove | --tag] ROOT\n");
		return 2;
	}
	if (tags) {
		groups_tag(argv[2], tag);
		puts(tag);
		return 0;
	}
	if (groups_scan(argv[argc - 1], removes ? take_away : print, NULL) < 0) {
		fprintf(stderr, "group-scan: %s\n", strerror(errno));
		return 2;
	}
	return 0;
}
