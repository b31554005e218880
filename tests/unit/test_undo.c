/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/deadline.h>
#include <vm/file.h>
#include <vm/log.h>
#include <vm/strbuf.h>
#include <vm/undo.h>

#include "child.h"
#include "scratch.h"

static struct vm_strbuf did;
static const char *fails;

static int setup(void **state)
{
	vm_strbuf_clear(&did);
	fails = NULL;
	return scratch_make(state);
}

static int note(void *ctx, const char *arg, struct vm_err *err)
{
	assert_ptr_equal(ctx, &did);
	assert_false(vm_wait_interrupted());
	if (fails && strstr(arg, fails))
		return vm_err_set(err, VM_SYSTEM, "no");
	vm_strbuf_printf(&did, "[%s]", arg);
	return 0;
}

static const struct vm_undo_verb verbs[] = { { "tap", note }, { "t", note }, { 0 } };

static bool exists(void)
{
	return faccessat(scratch_dir, "undo", F_OK, 0) == 0;
}

static void fill(struct vm_undo *u)
{
	struct vm_err err;

	assert_int_equal(vm_undo_open(u, scratch_dir, "undo", verbs, &did, &err), 0);
	assert_int_equal(vm_undo_push(u, "tap", "vnet%d", 0), 0);
	assert_int_equal(vm_undo_push(u, "t", "a b\n\\"), 0);
	assert_int_equal(vm_undo_push(u, "tap", "%s", ""), 0);
}

static void runs_in_reverse(void **state)
{
	struct vm_undo u = VM_UNDO_INIT;
	struct vm_err err;

	(void)state;
	fill(&u);
	assert_true(exists());
	vm_interrupted = SIGINT; /* what undoes an interrupted command is not interrupted */
	assert_int_equal(vm_undo_run(&u, &err), 0);
	vm_interrupted = 0;
	assert_string_equal(did.text, "[][a b\n\\][vnet0]");
	assert_false(exists());
	assert_int_equal(vm_undo_run(&u, &err), 0);
	vm_undo_close(&u);
	assert_string_equal(did.text, "[][a b\n\\][vnet0]");
}

static void disarmed(void **state)
{
	struct vm_err err;

	(void)state;
	{
		VM_AUTO(vm_undo_close) struct vm_undo u = VM_UNDO_INIT;

		fill(&u);
		assert_int_equal(vm_undo_disarm(&u, &err), 0);
		assert_false(exists());
		assert_int_equal(vm_undo_disarm(&u, &err), 0);
	}
	assert_int_equal(did.len, 0);
	{
		VM_AUTO(vm_undo_close) struct vm_undo u = VM_UNDO_INIT;

		fill(&u);
		errno = EDOM;
	}
	assert_int_equal(errno, EDOM);
	assert_string_equal(did.text, "[][a b\n\\][vnet0]");
	assert_false(exists());
}

static void on_warning(enum vm_log_level level, const char *text, void *arg)
{
	if (level == VM_LOG_WARNING)
		vm_strbuf_printf(arg, "%s;", text);
}

static void failures_stay(void **state)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf log = VM_STRBUF_INIT;
	VM_AUTO_FREE char *text = NULL;
	struct vm_undo u = VM_UNDO_INIT;
	struct vm_err err = VM_ERR_INIT;

	(void)state;
	vm_log_set_sink(on_warning, &log);
	fails = "vnet";
	fill(&u);
	assert_int_equal(vm_undo_push(&u, "tap", "vnet1"), 0);
	assert_int_equal(vm_undo_run(&u, &err), -1);
	assert_string_equal(err.msg, "undo tap vnet1: no");
	assert_string_equal(log.text, "undo tap vnet0: no;");
	assert_string_equal(did.text, "[][a b\n\\]");
	assert_int_equal(vm_file_read(scratch_dir, "undo", 1000, &text, NULL, NULL, &err), 0);
	assert_string_equal(text, "vm-undo 1\ntap vnet0\ntap vnet1\n");
	assert_int_equal(vm_undo_open(&u, scratch_dir, "undo", verbs, &did, &err), -1);
	assert_int_equal(err.kind, VM_IN_USE);
	assert_int_equal(vm_undo_replay(scratch_dir, "undo", verbs, &did, &err), -1);
	fails = NULL;
	vm_strbuf_clear(&did);
	assert_int_equal(vm_undo_replay(scratch_dir, "undo", verbs, &did, &err), 1);
	assert_string_equal(did.text, "[vnet1][vnet0]");
	assert_false(exists());
	assert_int_equal(vm_undo_replay(scratch_dir, "undo", verbs, &did, &err), 0);
	vm_log_set_sink(NULL, NULL);
}

/* Every beginning of a journal is what a kill may leave: whole lines count, the torn one does not. */
static void torn_journals(void **state)
{
	static const char whole[] = "vm-undo 1\ntap a\nt b\n";
	struct vm_err err;
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(whole); n++) {
		const char *want = n >= 20 ? "[b][a]" : n >= 16 ? "[a]" : "";

		vm_strbuf_clear(&did);
		vm_strbuf_puts(&did, "");
		assert_int_equal(vm_file_write_volatile(scratch_dir, "undo", whole, n, 0600, &err), 0);
		assert_int_equal(vm_undo_replay(scratch_dir, "undo", verbs, &did, &err), 1);
		assert_string_equal(did.text, want);
		assert_false(exists());
	}
}

static void foreign_journals(void **state)
{
	static const struct {
		const char *text, *msg;
		enum vm_kind kind;
	} rows[] = {
		{ "vm-undo 2\ntap a\n", "undo: not a journal of this format", VM_UNSUPPORTED },
		{ "vm-undo 1\ntap a\nfrob b\n", "undo: unknown step \"frob\"", VM_UNSUPPORTED },
		{ "vm-undo 1\ntap a\nta b\n", "undo: unknown step \"ta\"", VM_UNSUPPORTED },
		{ "vm-undo 1\ntap\n", "undo: line \"tap\" is damaged", VM_BAD_INPUT },
		{ "vm-undo 1\ntap \\z\n", "undo: line \"tap \\z\" is damaged", VM_BAD_INPUT },
	};
	struct vm_err err;
	size_t i;

	(void)state;
	for (i = 0; i < VM_COUNT(rows); i++) {
		assert_int_equal(vm_file_write(scratch_dir, "undo", rows[i].text, strlen(rows[i].text), 0600, &err),
				 0);
		assert_int_equal(vm_undo_replay(scratch_dir, "undo", verbs, &did, &err), -1);
		assert_string_equal(err.msg, rows[i].msg);
		assert_int_equal(err.kind, rows[i].kind);
		assert_true(exists()); /* and nothing of it was done */
		assert_int_equal(did.len, 0);
	}
}

/* A step that could not be recorded is not taken, and leaves no half line. */
static void no_room(void **state)
{
	int status;
	pid_t pid = child_fork();

	(void)state;
	if (pid == 0) {
		struct rlimit limit = { 22, 22 };
		struct vm_undo u = VM_UNDO_INIT;
		struct vm_err err;
		VM_AUTO_FREE char *text = NULL;

		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		if (vm_undo_open(&u, scratch_dir, "undo", verbs, &did, &err) < 0)
			_exit(1);
		if (vm_undo_push(&u, "tap", "a") < 0)
			_exit(2);
		if (vm_undo_push(&u, "tap", "too long a step") == 0)
			_exit(3);
		if (vm_file_read(scratch_dir, "undo", 100, &text, NULL, NULL, &err) < 0 ||
		    strcmp(text, "vm-undo 1\ntap a\n") != 0)
			_exit(4);
		if (vm_undo_push(&u, "t", "b") < 0)
			_exit(5);
		if (vm_undo_run(&u, &err) < 0 || strcmp(did.text, "[b][a]") != 0)
			_exit(6);
		limit.rlim_cur = 3;
		setrlimit(RLIMIT_FSIZE, &limit);
		_exit(vm_undo_open(&u, scratch_dir, "undo", verbs, &did, &err) == 0 || exists() ? 7 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, scratch_remove)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(runs_in_reverse), TEST(disarmed),		TEST(failures_stay),
		TEST(torn_journals),   TEST(foreign_journals),	TEST(no_room),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	vm_strbuf_free(&did);
	return r;
}
