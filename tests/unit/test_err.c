/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/deadline.h>
#include <vm/err.h>
#include <vm/strbuf.h>

#include "child.h"

static void built_inside_out(void **state)
{
	struct vm_err err = VM_ERR_INIT;

	(void)state;
	errno = EACCES;
	assert_int_equal(vm_err_sys(&err, "open %s", "/x"), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(err.kind, VM_DENIED);
	assert_int_equal(err.sys, EACCES);
	assert_string_equal(err.msg, "open /x: Permission denied");
	vm_err_hint(&err, "first");
	vm_err_hint(&err, "try %s", "chmod");
	vm_err_wrap(&err, "disk %d", 3);
	vm_err_object(&err, "web1");
	vm_err_object(&err, "web2");
	assert_string_equal(err.msg, "disk 3: open /x: Permission denied");
	assert_string_equal(err.hint, "try chmod");
	assert_string_equal(err.object, "web1");
	/* its own text as an argument */
	vm_err_set(&err, VM_BAD_INPUT, "%s!", err.msg);
	assert_string_equal(err.msg, "disk 3: open /x: Permission denied!");
	assert_string_equal(err.hint, "");
	assert_int_equal(err.sys, 0);
}

static void kinds(void **state)
{
	static const struct {
		int sys;
		enum vm_kind kind;
	} rows[] = {
		{ ENOENT, VM_NOT_FOUND },   { ENOTDIR, VM_NOT_FOUND }, { EPERM, VM_DENIED },
		{ EROFS, VM_DENIED },	    { ETIMEDOUT, VM_TIMED_OUT }, { EEXIST, VM_IN_USE },
		{ EBUSY, VM_IN_USE },	    { ENOSYS, VM_UNSUPPORTED }, { EOPNOTSUPP, VM_UNSUPPORTED },
		{ ENOSPC, VM_SYSTEM },	    { EINTR, VM_SYSTEM },
	};
	struct vm_err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		errno = rows[i].sys;
		vm_err_sys(&err, "x");
		assert_int_equal(err.kind, rows[i].kind);
	}
	errno = ETIMEDOUT;
	vm_err_sys(&err, "wait");
	assert_string_equal(err.msg, "wait: timed out");
	errno = ENOENT;
	vm_err_sys_kind(&err, VM_SYSTEM, "x");
	assert_int_equal(err.kind, VM_SYSTEM);
	assert_string_equal(vm_kind_name(VM_IN_USE), "in-use");
	assert_string_equal(vm_kind_name((enum vm_kind)99), "system");
}

static void cut_between_characters(void **state)
{
	struct vm_err err = VM_ERR_INIT;
	char text[4000];
	size_t i, shift;

	(void)state;
	for (shift = 0; shift < 4; shift++) {
		memset(text, 'x', sizeof(text));
		for (i = shift; i + 4 < sizeof(text); i += 4)
			memcpy(text + i, "\xf0\x9f\x98\x80", 4);
		text[sizeof(text) - 8] = '\0';
		vm_err_set(&err, VM_SYSTEM, "%s", text);
		assert_true(strlen(err.msg) >= sizeof(err.msg) - 5);
		assert_true(vm_utf8_valid(err.msg, strlen(err.msg)));
		vm_err_wrap(&err, "%s", text);
		assert_true(vm_utf8_valid(err.msg, strlen(err.msg)));
		vm_err_hint(&err, "%s", text);
		assert_true(vm_utf8_valid(err.hint, strlen(err.hint)));
	}
	/* text that is no UTF-8 anyway is cut only where it must be */
	memset(text, 0x80, sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	vm_err_set(&err, VM_SYSTEM, "%s", text);
	assert_true(strlen(err.msg) >= sizeof(err.msg) - 5);
}

static void out_of_memory(void **state)
{
	char text[128] = "";
	int fds[2], status;
	size_t n;
	pid_t pid;

	(void)state;
#ifdef __SANITIZE_ADDRESS__
	skip();
#endif
	assert_int_equal(pipe(fds), 0);
	pid = child_fork();
	if (pid == 0) {
		struct rlimit limit = { 64u << 20, 64u << 20 };
		void *p;

		dup2(fds[1], STDERR_FILENO);
		setrlimit(RLIMIT_AS, &limit);
		p = vm_xmalloc(1u << 30);
		_exit(p ? 0 : 1);
	}
	close(fds[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), VM_SYSTEM);
	n = (size_t)read(fds[0], text, sizeof(text) - 1);
	assert_true(n > 16 && n < sizeof(text));
	assert_string_equal(text + n - 16, ": out of memory\n");
	close(fds[0]);
	pid = child_fork();
	if (pid == 0) {
		volatile size_t half = SIZE_MAX / 2;
		void *p;

		close(STDERR_FILENO);
		p = vm_xreallocarray(NULL, half, 4);

		_exit(p == (void *)fds ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), VM_SYSTEM);
}

static void on_signal(int sig)
{
	vm_interrupted = sig;
}

static void deadlines(void **state)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct vm_deadline soon = vm_deadline_in(10000), late = vm_deadline_in(UINT64_MAX);

	(void)state;
	assert_int_equal(vm_deadline_poll(VM_DEADLINE_NEVER), -1);
	assert_false(vm_deadline_passed(VM_DEADLINE_NEVER));
	assert_in_range(vm_deadline_poll(soon), 9000, 10000);
	assert_int_equal(vm_deadline_poll(late), INT32_MAX);
	assert_true(vm_deadline_passed(vm_deadline_in(0)));
	assert_int_equal(vm_deadline_poll(vm_deadline_in(0)), 0);
	assert_int_equal(vm_deadline_min(soon, late).at_ms, soon.at_ms);
	assert_int_equal(vm_deadline_min(late, soon).at_ms, soon.at_ms);
	assert_int_equal(vm_deadline_min(VM_DEADLINE_NEVER, soon).at_ms, soon.at_ms);
	assert_int_equal(vm_deadline_min(soon, VM_DEADLINE_NEVER).at_ms, soon.at_ms);
	assert_true(vm_realtime_ms() > 1600000000000ull);
	sigaction(SIGINT, &sa, NULL);
	raise(SIGINT);
	assert_true(vm_wait_interrupted());
	vm_wait_shield();
	vm_wait_shield();
	vm_interrupted = 1;
	raise(SIGINT); /* held back */
	assert_int_equal(vm_interrupted, 1);
	assert_false(vm_wait_interrupted());
	vm_wait_unshield();
	assert_false(vm_wait_interrupted());
	vm_wait_unshield();
	assert_int_equal(vm_interrupted, SIGINT);
	assert_true(vm_wait_interrupted());
	vm_interrupted = 0;
	signal(SIGINT, SIG_DFL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(built_inside_out),	   cmocka_unit_test(kinds),
		cmocka_unit_test(cut_between_characters), cmocka_unit_test(out_of_memory),
		cmocka_unit_test(deadlines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
