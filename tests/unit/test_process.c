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
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/process.h>
#include <vm/strbuf.h>

#include "child.h"

static void identity(void **state)
{
	struct vm_procid id, other;
	struct vm_err err;
	int fd = -1;
	pid_t pid;
	char comm[16];

	(void)state;
	/* a name that would mislead a careless reader of stat */
	prctl(PR_SET_NAME, "x) R 1 (y z", 0, 0, 0);
	assert_int_equal(vm_procid_self(&id, &err), 0);
	assert_int_equal(id.pid, getpid());
	assert_true(id.start > 0);
	assert_int_equal(strlen(id.boot), 36);
	assert_int_equal(vm_procid_open(&id, &fd, &err), 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	vm_proc_comm(getpid(), comm, sizeof(comm));
	assert_string_equal(comm, "x) R 1 (y z");
	prctl(PR_SET_NAME, "test", 0, 0, 0);
	fd = -1;
	other = id;
	other.start++; /* the number was given to another process */
	assert_int_equal(vm_procid_open(&other, &fd, &err), 1);
	other = id;
	other.boot[0] ^= 1;
	assert_int_equal(vm_procid_open(&other, &fd, &err), 1);
	other = id;
	other.pid = 0;
	assert_int_equal(vm_procid_open(&other, &fd, &err), 1);
	pid = child_fork();
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(vm_procid_of(pid, &other, &err), -1);
	assert_int_equal(err.kind, VM_NOT_FOUND);
	vm_proc_comm(pid, comm, sizeof(comm));
	assert_string_equal(comm, "?");
	assert_int_equal(fd, -1);
}

static void *linger(void *arg)
{
	(void)arg;
	pause();
	return NULL;
}

/* A zombie is gone; a process whose main thread alone has ended is not. */
static void zombies(void **state)
{
	struct vm_procid id;
	struct vm_err err;
	siginfo_t info;
	int fd = -1, fds[2];
	pid_t pid;
	char c;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid = child_fork();
	if (pid == 0)
		_exit(read(fds[0], &c, 1) < 0);
	assert_int_equal(vm_procid_of(pid, &id, &err), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(vm_procid_open(&id, &fd, &err), 1);
	assert_int_equal(vm_procid_kill(&id, SIGKILL, vm_deadline_in(100), &err), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);

	pid = child_fork();
	if (pid == 0) {
		pthread_t t;

		pthread_create(&t, NULL, linger, NULL);
		if (write(fds[1], "x", 1) != 1)
			_exit(1);
		pthread_exit(NULL);
	}
	assert_int_equal(read(fds[0], &c, 1), 1);
	usleep(50000);
	assert_int_equal(vm_procid_of(pid, &id, &err), 0);
	assert_int_equal(vm_procid_open(&id, &fd, &err), 0);
	close(fd);
	assert_int_equal(vm_procid_kill(&id, SIGKILL, vm_deadline_in(2000), &err), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(fds[0]);
	close(fds[1]);
}

static void kill_has_a_deadline(void **state)
{
	static const char *const argv[] = { "sh", "-c", "trap '' TERM; echo; while :; do sleep 1; done", NULL };
	struct vm_spawn spec = { .argv = argv, .in = -1, .err = -1 };
	struct vm_procid id;
	struct vm_err err;
	int fds[2], status = 0, pidfd = -1;
	pid_t pid;
	char c;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	spec.out = fds[1];
	assert_int_equal(vm_spawn(&spec, &pid, &pidfd, &err), 0);
	assert_int_equal(read(fds[0], &c, 1), 1);
	assert_int_equal(vm_procid_of(pid, &id, &err), 0);
	assert_int_equal(vm_procid_kill(&id, SIGTERM, vm_deadline_in(50), &err), -1);
	assert_int_equal(err.kind, VM_TIMED_OUT);
	assert_int_equal(vm_child_wait(pid, pidfd, vm_deadline_in(20), &status, &err), -1);
	assert_int_equal(err.kind, VM_TIMED_OUT);
	assert_int_equal(vm_procid_kill(&id, SIGKILL, vm_deadline_in(2000), &err), 0);
	assert_int_equal(vm_child_wait(pid, -1, vm_deadline_in(2000), &status, &err), 0);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	close(fds[0]);
	close(fds[1]);
	close(pidfd);
}

/* The child sees its descriptors where they were asked for, crossed over, and no other. */
static void descriptors(void **state)
{
	static const char *const argv[] = { "sh", "-c",
					    "cat /dev/fd/25 /dev/fd/23 /dev/fd/9; cd /proc/self/fd && echo *",
					    NULL };
	char dir[] = "/tmp/vmt-proc-XXXXXX";
	struct vm_spawn_fd map[3];
	struct vm_spawn spec = { .argv = argv, .in = -1, .err = 2, .fds = map, .nfds = 3 };
	struct vm_err err;
	int files[3], fds[2], status, extra, i;
	char text[128] = "", name[8];
	ssize_t n, got = 0;
	pid_t pid;

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (i = 0; i < 3; i++) {
		VM_AUTO_FREE char *path = vm_xasprintf("%s/%d", dir, i);

		files[i] = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		snprintf(name, sizeof(name), "f%d ", i);
		assert_int_equal(write(files[i], name, 3), 3);
		lseek(files[i], 0, SEEK_SET);
		unlink(path);
	}
	rmdir(dir);
	extra = dup(0); /* not CLOEXEC: must be closed all the same */
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	/* sources become each other's targets */
	assert_int_equal(dup3(files[0], 23, O_CLOEXEC), 23);
	assert_int_equal(dup3(files[1], 25, O_CLOEXEC), 25);
	map[0] = (struct vm_spawn_fd){ 23, 25 };
	map[1] = (struct vm_spawn_fd){ 25, 23 };
	map[2] = (struct vm_spawn_fd){ files[2], 9 };
	spec.out = fds[1];
	assert_int_equal(vm_spawn(&spec, &pid, NULL, &err), 0);
	close(fds[1]);
	while ((n = read(fds[0], text + got, sizeof(text) - 1 - (size_t)got)) > 0)
		got += n;
	assert_int_equal(vm_child_wait(pid, -1, vm_deadline_in(5000), &status, &err), 0);
	/* 3 is the shell reading the directory */
	assert_string_equal(text, "f0 f1 f2 0 1 2 23 25 3 9\n");
	close(fds[0]);
	close(extra);
	close(23);
	close(25);
	for (i = 0; i < 3; i++)
		close(files[i]);
}

static int fail_before(void *arg)
{
	return *(int *)arg;
}

static void failures(void **state)
{
	static const char *const none[] = { "/no/such/program", NULL };
	static const char *const path_none[] = { "no-such-program-anywhere", NULL };
	static const char *const denied[] = { "/etc/passwd", NULL };
	static const char *const good[] = { "true", NULL };
	struct vm_spawn spec = { .argv = none, .in = -1, .out = -1, .err = -1 };
	struct vm_err err;
	int number = EXDEV;
	pid_t pid = -7;

	(void)state;
	assert_int_equal(vm_spawn(&spec, &pid, NULL, &err), -1);
	assert_int_equal(err.kind, VM_NOT_FOUND);
	assert_string_equal(err.msg, "start /no/such/program: No such file or directory");
	spec.argv = path_none;
	assert_int_equal(vm_spawn(&spec, &pid, NULL, &err), -1);
	assert_string_equal(err.msg, "start no-such-program-anywhere: No such file or directory");
	spec.argv = denied;
	assert_int_equal(vm_spawn(&spec, &pid, NULL, &err), -1);
	assert_int_equal(err.kind, VM_DENIED);
	spec.argv = good;
	spec.before_exec = fail_before;
	spec.arg = &number;
	assert_int_equal(vm_spawn(&spec, &pid, NULL, &err), -1);
	assert_int_equal(err.sys, EXDEV);
	assert_int_equal(pid, -7);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left to reap */
	assert_int_equal(errno, ECHILD);
}

static volatile sig_atomic_t handled;
static void on_usr1(int sig)
{
	(void)sig;
	handled++;
}

/* Signals of the child are as at boot, whatever ours were; our memory is not touched by its handlers. */
static void signals(void **state)
{
	static const char *const argv[] = { "sh", "-c", "grep -E '^Sig(Blk|Ign)' /proc/self/status", NULL };
	struct sigaction sa = { .sa_handler = on_usr1 };
	VM_AUTO_FREE char *out = NULL;
	struct vm_err err;
	sigset_t set, old;
	int status;

	(void)state;
	sigaction(SIGUSR1, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &old);
	assert_int_equal(vm_run(argv, NULL, 4096, vm_deadline_in(5000), &out, NULL, &status, &err), 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGUSR1, SIG_DFL);
	assert_string_equal(out, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
	assert_int_equal(handled, 0);
}

static void session(void **state)
{
	static const char *const argv[] = { "sh", "-c", "ps -o sid= -p $$ >&3; echo $$ >&3; echo $X >&3", NULL };
	static const char *const env[] = { "X=y", "PATH=/bin:/usr/bin", NULL };
	struct vm_spawn_fd map[1];
	struct vm_spawn spec = { .argv = argv, .envp = env, .in = -1, .out = -1, .err = -1,
				 .fds = map, .nfds = 1, .new_session = true };
	struct vm_err err;
	char text[64] = "";
	int fds[2], a, b;
	char x;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	map[0] = (struct vm_spawn_fd){ fds[1], 3 };
	assert_int_equal(vm_spawn(&spec, &pid, NULL, &err), 0);
	close(fds[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
	assert_int_equal(sscanf(text, "%d %d %c", &a, &b, &x), 3);
	assert_int_equal(a, b);
	assert_int_equal(x, 'y');
	close(fds[0]);
}

static int run(const char *script, const char *input, size_t cap, uint64_t ms, char **out, char **errs,
	       int *status, struct vm_err *err)
{
	const char *argv[] = { "sh", "-c", script, NULL };

	*err = VM_ERR_INIT;
	return vm_run(argv, input, cap, vm_deadline_in(ms), out, errs, status, err);
}

static void runs(void **state)
{
	VM_AUTO_FREE char *out = NULL;
	VM_AUTO_FREE char *errs = NULL;
	VM_AUTO_FREE char *big = vm_xmalloc(1 << 20);
	struct vm_err err;
	uint64_t start;
	int status;

	(void)state;
	assert_int_equal(run("cat; echo bad >&2; exit 3", "in\n", 100, 5000, &out, &errs, &status, &err), 0);
	assert_string_equal(out, "in\n");
	assert_string_equal(errs, "bad\n");
	assert_int_equal(WEXITSTATUS(status), 3);
	free(vm_take_ptr(&out));
	free(vm_take_ptr(&errs));

	/* more input than a pipe holds, to one that does not read it */
	memset(big, 'x', (1 << 20) - 1);
	big[(1 << 20) - 1] = '\0';
	assert_int_equal(run("true", big, 100, 5000, NULL, NULL, &status, &err), 0);
	assert_int_equal(run("wc -c", big, 100, 5000, &out, NULL, &status, &err), 0);
	assert_string_equal(out, "1048575\n");
	free(vm_take_ptr(&out));

	/* more output than we take */
	assert_int_equal(run("head -c 1000000 /dev/zero | tr '\\0' y; echo e >&2", NULL, 10, 5000, &out,
			     &errs, &status, &err), 0);
	assert_string_equal(out, "yyyyyyyyyy");
	assert_string_equal(errs, "e\n");
	free(vm_take_ptr(&out));
	free(vm_take_ptr(&errs));

	/* endless output, no end, a grandchild that keeps the pipes */
	start = vm_now_ms();
	assert_int_equal(run("yes", NULL, 10, 150, &out, &errs, &status, &err), -1);
	assert_int_equal(err.kind, VM_TIMED_OUT);
	assert_string_equal(err.msg, "sh: timed out");
	assert_in_range(vm_now_ms() - start, 149, 15000);
	assert_null(out);
	assert_int_equal(run("exec sleep 30", NULL, 10, 100, NULL, NULL, NULL, &err), -1);
	start = vm_now_ms();
	assert_int_equal(run("sleep 10 & echo hi", NULL, 10, 9000, &out, NULL, &status, &err), 0);
	assert_string_equal(out, "hi\n");
	assert_true(vm_now_ms() - start < 8900);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void std_descriptors(void **state)
{
	int status;
	pid_t pid = child_fork();

	(void)state;
	if (pid == 0) {
		char c;

		close(0);
		close(1);
		close(2);
		vm_proc_std_fds();
		if (open("/dev/null", O_RDONLY) < 3)
			_exit(1);
		_exit(write(1, "x", 1) == -1 && errno == EBADF && read(0, &c, 1) == -1 && errno == EBADF
			      ? 0
			      : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identity),    cmocka_unit_test(zombies),
		cmocka_unit_test(descriptors), cmocka_unit_test(kill_has_a_deadline),
		cmocka_unit_test(failures),    cmocka_unit_test(signals),
		cmocka_unit_test(session),     cmocka_unit_test(runs),
		cmocka_unit_test(std_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
