/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proc-scan DIRECTORY: prints "PID NAME" for every process that has to do with DIRECTORY. Status 1: there is none. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "procs.h"

static void print(void *context, long pid, const char *name)
{
	(void)context;
	printf("%ld %s\n", pid, name);
}

int main(int argc, char **argv)
{
	int found;

	if (argc != 2 || argv[1][0] != '/') {
		fprintf(stderr, "Usage: proc-scan DIRECTORY\n");
		return 2;
	}
	found = procs_scan(argv[1], print, NULL);
	if (found < 0) {
		fprintf(stderr, "proc-scan: /proc: %s\n", strerror(errno));
		return 2;
	}
	return found ? 0 : 1;
}
