/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* group-scan [--remove] ROOT: prints the control groups of the guests below ROOT ($VM_ROOT), or removes them. */
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

	if ((argc != 2 && !removes) || argv[argc - 1][0] != '/') {
		fprintf(stderr, "Usage: group-scan [--remove] ROOT\n");
		return 2;
	}
	if (groups_scan(argv[argc - 1], removes ? take_away : print, NULL) < 0) {
		fprintf(stderr, "group-scan: %s\n", strerror(errno));
		return 2;
	}
	return 0;
}
