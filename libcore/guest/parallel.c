/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "parallel.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#define AT_ONCE_MAX 256u

struct result {
	pid_t pid;
	int ret;
	bool done;
	struct vm_err err;
};
struct replay {
	struct vm_common common; /* first: vm_cli_each() sets its deadline */
	struct result *results;
	size_t at;
};

static void run_child(struct result *r, const char *operand,
		      int (*each)(void *options, const char *operand, struct vm_err *err),
		      void *options)
{
	r->err = VM_ERR_INIT;
	r->ret = each(options, operand, &r->err);
	r->done = true;
	fflush(stdout);
	_exit(0);
}

/* Waits for one of them. */
static void wait_one(struct result *results, size_t n)
{
	bool told = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, 0)) < 0 && errno == EINTR) {
		/* Each undoes what it has begun. */
		for (size_t i = 0; vm_wait_interrupted() && !told && i < n; i++)
			if (results[i].pid > 0)
				kill(results[i].pid, SIGTERM);
		told = vm_wait_interrupted();
	}
	for (size_t i = 0; pid > 0 && i < n; i++)
		if (results[i].pid == pid)
			results[i].pid = -1;
}

static int replay_one(void *opaque, const char *operand, struct vm_err *err)
{
	struct replay *r = opaque;
	const struct result *one = &r->results[r->at++];

	(void)operand;
	if (!one->done) {
		errno = EINTR;
		return vm_err_sys(err, "its process was ended");
	}
	*err = one->err;
	return one->ret;
}

int vm_parallel_each(const struct vm_program *p, const struct vm_common *c, const char *word,
		     int (*each)(void *options, const char *operand, struct vm_err *err),
		     void *options, uint64_t n)
{
	size_t count = c->operands.n, size = count * sizeof(struct result), running = 0;
	struct replay replay = { .common = *c };
	int status;

	if (count < 2 || n == 1)
		return vm_cli_each(p, c, word, each, options);
	if (n == 0 || n > AT_ONCE_MAX)
		n = AT_ONCE_MAX;
	replay.results = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (replay.results == MAP_FAILED)
		return vm_cli_each(p, c, word, each, options);
	fflush(stdout);
	for (size_t i = 0; i < count && !vm_wait_interrupted(); i++) {
		struct result *r = &replay.results[i];

		for (; running >= n; running--)
			wait_one(replay.results, i);
		((struct vm_common *)options)->deadline = vm_deadline_in(c->timeout_ms);
		r->pid = fork();
		if (r->pid == 0)
			run_child(r, c->operands.v[i], each, options);
		running += r->pid > 0;
	}
	for (; running > 0; running--)
		wait_one(replay.results, count);
	status = vm_cli_each(p, &replay.common, word, replay_one, &replay);
	munmap(replay.results, size);
	return status;
}
