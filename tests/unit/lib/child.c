/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "child.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static bool in_child;

pid_t child_fork(void)
{
	pid_t parent = getpid(), pid;

	fflush(NULL);
	pid = fork();
	if (pid != 0)
		return pid;
	in_child = true;
	alarm(120);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(98);
	return 0;
}

void child_await_sleep(pid_t pid)
{
	char path[32], text[512], *state;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	for (;;) {
		f = fopen(path, "re");
		if (!f)
			return;
		n = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
		text[n] = '\0';
		state = strrchr(text, ')');
		if (!state || state[1] != ' ' || state[2] == 'S')
			return;
		usleep(1000);
	}
}

void child_end_here(const char *why)
{
	if (!in_child)
		return;
	fprintf(stderr, "# an assertion failed in a child; last error: %s\n", why);
	fflush(NULL);
	_exit(99);
}
