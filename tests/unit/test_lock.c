/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/lock.h>
#include <vm/log.h>

#include "child.h"
#include "scratch.h"


/* Another process that takes the lock, then does `then`, and ends. */
static pid_t holder(void (*then)(void))
{
	int fds[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = child_fork();
	if (pid == 0) {
		struct vm_err err;
		int fd;

		vm_program_name = "vm-start";
		if (vm_lock_take(scratch_dir, "lock", vm_deadline_in(1000), &fd, &err) < 0 ||
		    write(fds[1], "x", 1) != 1)
			_exit(1);
		then();
		_exit(0);
	}
	assert_int_equal(read(fds[0], &c, 1), 1);
	close(fds[0]);
	close(fds[1]);
	return pid;
}

static void stay(void)
{
	for (;;)
		pause();
}

static void let_it_wait(void)
{
	child_await_sleep(getppid());
}

static void let_it_wait_and_remove(void)
{
	child_await_sleep(getppid());
	if (unlinkat(scratch_dir, "lock", 0) < 0)
		_exit(1);
}

static void reap(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void named_on_timeout(void **state)
{
	VM_AUTO_FREE char *want = NULL;
	VM_AUTO_FREE char *want_try = NULL;
	struct vm_err err;
	pid_t pid = holder(stay);
	uint64_t start = vm_now_ms(), took;
	int fd = -1;

	(void)state;
	assert_int_equal(vm_lock_take(scratch_dir, "lock", vm_deadline_in(80), &fd, &err), -1);
	took = vm_now_ms() - start;
	assert_in_range(took, 79, 5000);
	assert_int_equal(err.kind, VM_TIMED_OUT);
	want = vm_xasprintf("in use by vm-start (pid %d): timed out", (int)pid);
	assert_string_equal(err.msg, want);
	assert_int_equal(vm_lock_try(scratch_dir, "lock", &fd, &err), 1);
	want_try = vm_xasprintf("in use by vm-start (pid %d)", (int)pid);
	assert_string_equal(err.msg, want_try);
	assert_int_equal(fd, -1);
	reap(pid);
	/* death unlocks */
	assert_int_equal(vm_lock_try(scratch_dir, "lock", &fd, &err), 0);
	vm_lock_release(&fd);
	assert_int_equal(fd, -1);
	vm_lock_release(&fd);
}

static void waits_no_longer_than_needed(void **state)
{
	struct vm_err err;
	pid_t pid = holder(let_it_wait);
	uint64_t start = vm_now_ms();
	int fd = -1;

	(void)state;
	assert_int_equal(vm_lock_take(scratch_dir, "lock", vm_deadline_in(10000), &fd, &err), 0);
	assert_true(vm_now_ms() - start < 5000);
	vm_lock_release(&fd);
	reap(pid);
	pid = holder(let_it_wait);
	assert_int_equal(vm_lock_take(scratch_dir, "lock", VM_DEADLINE_NEVER, &fd, &err), 0);
	vm_lock_release(&fd);
	reap(pid);
}

static void nonsense_in_the_file(void **state)
{
	static const char *const texts[] = { "", "x", "vm-start", "a -5", "a 99999999999999", "a 0",
					     "vm-\x1b[31m 1" };
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct vm_err err;
	int fd = -1, held;
	size_t i;

	(void)state;
	for (i = 0; i < VM_COUNT(texts); i++) {
		held = openat(scratch_dir, "lock", O_RDWR | O_CREAT | O_TRUNC, 0600);
		assert_int_equal(write(held, texts[i], strlen(texts[i])), strlen(texts[i]));
		assert_int_equal(fcntl(held, F_OFD_SETLK, &fl), 0);
		assert_int_equal(vm_lock_try(scratch_dir, "lock", &fd, &err), 1);
		assert_string_equal(err.msg, i == 6 ? "in use by vm-\\x1b[31m (pid 1)"
						    : "in use by another process");
		close(held);
	}
}

/* Removed while we waited: the lock is that of the new file. */
static void removed_meanwhile(void **state)
{
	struct vm_err err;
	pid_t pid;
	int fd = -1, second = -1;

	(void)state;
	pid = holder(let_it_wait_and_remove);
	assert_int_equal(vm_lock_take(scratch_dir, "lock", vm_deadline_in(5000), &fd, &err), 0);
	assert_int_equal(vm_lock_try(scratch_dir, "lock", &second, &err), 1);
	vm_lock_release(&fd);
	reap(pid);
}

static void on_int(int sig)
{
	vm_interrupted = sig;
}

static void interrupted(void **state)
{
	struct sigaction sa = { .sa_handler = on_int };
	struct vm_err err;
	pid_t pid = holder(stay), killer, parent = getpid();
	uint64_t start = vm_now_ms();
	int fd = -1;

	(void)state;
	sigaction(SIGINT, &sa, NULL);
	killer = child_fork();
	if (killer == 0) {
		/* again and again, as alarms follow the signal in a program: one may come just before the wait */
		while (kill(parent, SIGINT) == 0)
			usleep(10000);
		_exit(0);
	}
	assert_int_equal(vm_lock_take(scratch_dir, "lock", vm_deadline_in(30000), &fd, &err), -1);
	assert_int_equal(err.kind, VM_SYSTEM);
	assert_int_equal(err.sys, EINTR);
	assert_true(vm_now_ms() - start < 25000);
	reap(killer);
	vm_interrupted = 0;
	signal(SIGINT, SIG_DFL);
	reap(pid);
}

/* The timer is this thread's: two threads wait with deadlines of their own, with the signal blocked. */
static void *wait_in_thread(void *arg)
{
	uint64_t *ms = arg, start = vm_now_ms();
	struct vm_err err;
	sigset_t all;
	int fd = -1;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	if (vm_lock_take(scratch_dir, "lock", vm_deadline_in(*ms), &fd, &err) == 0 || err.kind != VM_TIMED_OUT)
		*ms = UINT64_MAX;
	else
		*ms = vm_now_ms() - start;
	return NULL;
}

static void threads(void **state)
{
	pid_t pid = holder(stay);
	uint64_t ms[2] = { 60, 1500 };
	pthread_t t[2];
	int i;

	(void)state;
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&t[i], NULL, wait_in_thread, &ms[i]), 0);
	for (i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	assert_in_range(ms[0], 59, 1400);
	assert_in_range(ms[1], 1499, 15000);
	reap(pid);
}

/* A stranger's read lock is no sign of life. */
static void held(void **state)
{
	struct flock fl = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	struct vm_err err;
	pid_t pid;
	int fd;

	(void)state;
	fd = openat(scratch_dir, "lock", O_RDWR | O_CREAT, 0600);
	assert_int_equal(vm_lock_held(fd, &err), 0);
	pid = holder(stay);
	assert_int_equal(vm_lock_held(fd, &err), 1);
	reap(pid);
	assert_int_equal(vm_lock_held(fd, &err), 0);
	pid = child_fork();
	if (pid == 0) {
		int other = openat(scratch_dir, "lock", O_RDONLY);

		fcntl(other, F_OFD_SETLK, &fl);
		kill(getpid(), SIGSTOP);
		_exit(0);
	}
	waitpid(pid, NULL, WUNTRACED);
	assert_int_equal(vm_lock_held(fd, &err), 0);
	reap(pid);
	close(fd);
	assert_int_equal(vm_lock_held(fd, &err), -1);
}

/* Stopping a guest must be possible on a full disk: a lock whose holder cannot be written still holds. */
static void no_room(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = child_fork();
	if (pid == 0) {
		struct rlimit limit = { 0, 0 };
		struct vm_err err;
		int fd = -1, second = -1;

		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		if (vm_lock_take(scratch_dir, "lock", vm_deadline_in(100), &fd, &err) < 0)
			_exit(1);
		_exit(vm_lock_try(scratch_dir, "lock", &second, &err) == 1 &&
				      strcmp(err.msg, "in use by another process") == 0
			      ? 0
			      : 2);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

static void refused(void **state)
{
	struct vm_err err;
	int fd = -1;

	(void)state;
	assert_int_equal(symlinkat("elsewhere", scratch_dir, "lock"), 0);
	assert_int_equal(vm_lock_take(scratch_dir, "lock", vm_deadline_in(100), &fd, &err), -1);
	assert_int_equal(err.sys, ELOOP);
	assert_int_equal(faccessat(scratch_dir, "elsewhere", F_OK, 0), -1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_make, scratch_remove)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(named_on_timeout), TEST(waits_no_longer_than_needed), TEST(nonsense_in_the_file),
		TEST(removed_meanwhile), TEST(interrupted), TEST(threads), TEST(held), TEST(no_room),
		TEST(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
