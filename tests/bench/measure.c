/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * measure ROUNDS [-- NAME BEFORE AFTER COMMAND [ARG...]]...
 * Runs the commands in turn, round after round, so that whatever else the machine does meets all of them
 * alike, and prints "NAME median_ms p90_ms cpu_ms failures" for each. BEFORE and AFTER are shell
 * commands that are not measured; "" = none. COMMAND is executed directly.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_CASES 16
#define MAX_ROUNDS 2000

extern char **environ;

struct one {
	char *name, *before, *after;
	char **argv;
	double wall[MAX_ROUNDS], cpu[MAX_ROUNDS];
	unsigned failures;
};

static struct one cases[MAX_CASES];
static unsigned case_count;

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double timeval_ms(struct timeval t)
{
	return (double)t.tv_sec * 1e3 + (double)t.tv_usec / 1e3;
}

static void shell(const char *text)
{
	if (*text && system(text) != 0)
		fprintf(stderr, "measure: '%s' failed\n", text);
}

static void run(struct one *c, unsigned round, posix_spawn_file_actions_t *quiet)
{
	struct rusage usage;
	double start;
	int status = -1;
	pid_t pid;

	shell(c->before);
	start = now_ms();
	if (posix_spawnp(&pid, c->argv[0], quiet, NULL, c->argv, environ) != 0 ||
	    wait4(pid, &status, 0, &usage) != pid) {
		fprintf(stderr, "measure: %s: %s\n", c->argv[0], strerror(errno));
		exit(1);
	}
	c->wall[round] = now_ms() - start;
	c->cpu[round] = timeval_ms(usage.ru_utime) + timeval_ms(usage.ru_stime);
	c->failures += status != 0;
	shell(c->after);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int parse(int argc, char **argv)
{
	for (int i = 2; i < argc; i++) {
		struct one *c = &cases[case_count];

		if (strcmp(argv[i], "--") != 0 || argc - i < 5 || case_count == MAX_CASES)
			return -1;
		argv[i] = NULL;
		c->name = argv[i + 1];
		c->before = argv[i + 2];
		c->after = argv[i + 3];
		c->argv = &argv[i + 4];
		for (i += 4; i + 1 < argc && strcmp(argv[i + 1], "--") != 0; i++)
			;
		case_count++;
	}
	return case_count ? 0 : -1;
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
	posix_spawn_file_actions_t quiet;

	if (rounds < 1 || rounds > MAX_ROUNDS || parse(argc, argv) < 0) {
		fprintf(stderr, "Usage: measure ROUNDS [-- NAME BEFORE AFTER COMMAND [ARG...]]...\n");
		return 2;
	}
	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
	for (unsigned round = 0; round < rounds; round++) {
		for (unsigned c = 0; c < case_count; c++)
			run(&cases[c], round, &quiet);
	}
	for (unsigned i = 0; i < case_count; i++) {
		struct one *c = &cases[i];

		qsort(c->wall, rounds, sizeof(double), compare);
		qsort(c->cpu, rounds, sizeof(double), compare);
		printf("%s %.2f %.2f %.2f %u\n", c->name, c->wall[rounds / 2],
		       c->wall[rounds * 9 / 10], c->cpu[rounds / 2], c->failures);
	}
	return 0;
}
