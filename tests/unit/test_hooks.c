/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One hook program: which is run, with what, and what one that behaves badly does to its caller. */
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <guest/hooks.h>
#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/log.h>

#include "lib/child.h"
#include "lib/scratch.h"

static struct vm_err err;
static char path[512], told[4096];

static void sink(enum vm_log_level level, const char *text, void *arg)
{
	size_t len = strlen(told);

	(void)arg;
	snprintf(told + len, sizeof(told) - len, "%s%s\n", level == VM_LOG_WARNING ? "warning: " : "", text);
}

static const char *below(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", scratch_root, name);
	return path;
}

static void hook(const char *name, const char *body)
{
	VM_AUTO_FREE char *text = vm_xasprintf("#!/bin/sh\n%s\n", body);

	scratch_put(name, text);
	assert_int_equal(chmod(below(name), 0755), 0);
}

static int run_for(const char *name, const char *op, uint64_t ms)
{
	const struct vm_hook_call c = { .object = "0000:01:00.0", .op = op, .sub = "begin", .extra = "web1",
					.input = "device=0000:01:00.0\n", .driver = "qemu" };

	err = VM_ERR_INIT;
	told[0] = 0;
	vm_log_set_sink(sink, NULL);
	return vm_hook_run(below(name), &c, vm_deadline_in(ms), &err);
}

static int run(const char *name)
{
	return run_for(name, "prepare", 20000);
}

static char *text_of(const char *name)
{
	char *text = NULL;
	struct vm_err ignored = VM_ERR_INIT;

	assert_int_equal(vm_file_read(scratch_dir, name, 65536, &text, NULL, NULL, &ignored), 0);
	return text;
}

static void surroundings(void **state)
{
	VM_AUTO_FREE char *text = NULL;
	VM_AUTO_FREE char *wanted = NULL;
	mode_t mask = umask(0);

	(void)state;
	setenv("SECRET", "s", 1);
	setenv("VM_ROOT", "/root/of/it", 1);
	unsetenv("VM_SYSROOT");
	text = vm_xasprintf("exec >%s/said; echo \"$@\"; cat; pwd; umask; "
			    "env | grep -v '^\\(PWD\\|SHLVL\\|_\\|OLDPWD\\)=' | sort; ls /proc/self/fd | wc -l",
			    scratch_root);
	hook("h", text);
	free(vm_take_ptr(&text));
	assert_int_equal(run("h"), 0);
	umask(mask);
	unsetenv("VM_ROOT");
	text = text_of("said");
	assert_string_equal(text, "0000:01:00.0 prepare begin web1\ndevice=0000:01:00.0\n/\n0022\nLC_ALL=C\n"
				  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
				  "VM_CONNECT=qemu:///system\nVM_ROOT=/root/of/it\n4\n");
	wanted = vm_xasprintf("hook %s/h 0000:01:00.0 prepare begin web1\n", scratch_root);
	assert_string_equal(told, wanted);
}

static void says_why(void **state)
{
	(void)state;
	hook("h", "echo first >&2; echo second >&2; echo >&2; exit 3");
	assert_int_equal(run("h"), -1);
	assert_int_equal(err.kind, VM_DENIED);
	assert_non_null(strstr(err.msg, "/h refuses 'prepare' (status 3): second"));
	assert_non_null(strstr(told, "/h: first\n"));
	hook("h", "kill -15 $$");
	assert_int_equal(run("h"), -1);
	assert_non_null(strstr(err.msg, "/h refuses 'prepare' (signal 15)"));
	/* its own group, and with it who waits for it */
	hook("h", "kill -9 0");
	assert_int_equal(run("h"), -1);
	assert_non_null(strstr(err.msg, "/h refuses 'prepare' (signal 9)"));
	hook("h", "exec <&- >&- 2>&-; exit 0");
	assert_int_equal(run("h"), 0);
	hook("h", "exec <&- >&- 2>&-; sleep 0.3; exit 4");
	assert_int_equal(run("h"), -1);
	assert_non_null(strstr(err.msg, "(status 4)"));
}

/* Everything that a hook starts writes its pid there. */
static void await_dead(const char *name)
{
	VM_AUTO_FREE char *text = text_of(name);
	char *p = text;

	while (*p != 0) {
		pid_t pid = (pid_t)strtol(p, &p, 10);
		VM_AUTO_FREE char *file = vm_xasprintf("/proc/%d/stat", (int)pid);
		int n;

		p += strspn(p, "\n");
		for (n = 0; n < 2000; n++) {
			char line[256] = "";
			FILE *f = fopen(file, "re");

			/* without anybody to reap it, it stays as a zombie */
			if (f == NULL || fgets(line, sizeof(line), f) == NULL || strstr(line, ") Z ") != NULL) {
				if (f != NULL)
					fclose(f);
				break;
			}
			fclose(f);
			usleep(10000);
		}
		assert_true(n < 2000);
	}
}

static void hangs(void **state)
{
	VM_AUTO_FREE char *body = vm_xasprintf("trap '' TERM HUP INT; sleep 100 & echo $! >%s/pids; echo $$ >>%s/pids; "
					       "echo 'cannot reset' >&2; sleep 100",
					       scratch_root, scratch_root);
	uint64_t start = vm_now_ms();

	(void)state;
	hook("h", body);
	assert_int_equal(run_for("h", "released", 700), -1);
	assert_int_equal(err.kind, VM_TIMED_OUT);
	assert_non_null(strstr(err.msg, "/h released: timed out: cannot reset"));
	assert_in_range(vm_now_ms() - start, 699, 30000);
	await_dead("pids");
	hook("h", "yes; yes >&2");
	assert_int_equal(run_for("h", "prepare", 500), -1);
	assert_int_equal(err.kind, VM_TIMED_OUT);
	hook("h", "yes >&2");
	assert_int_equal(run_for("h", "prepare", 500), -1);
	assert_int_equal(err.kind, VM_TIMED_OUT);
	/* more than is kept, and an end */
	hook("h", "head -c 300000 /dev/zero | tr '\\0' '\\n' >&2; exit 5");
	assert_int_equal(run("h"), -1);
	assert_non_null(strstr(err.msg, "(status 5)"));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* Its end is the program's, whoever still has its descriptors. */
static void leaves_a_daemon(void **state)
{
	VM_AUTO_FREE char *body =
		vm_xasprintf("setsid sleep 100 & echo $! >%s/pids; sleep 100 & echo $! >>%s/pids; exit 0", scratch_root, scratch_root);
	VM_AUTO_FREE char *text = NULL;
	uint64_t start = vm_now_ms();

	(void)state;
	hook("h", body);
	assert_int_equal(run_for("h", "prepare", 60000), 0);
	assert_in_range(vm_now_ms() - start, 0, 50000);
	text = text_of("pids");
	for (char *p = text; *p != 0; p += strspn(p, "\n"))
		assert_int_equal(kill((pid_t)strtol(p, &p, 10), SIGKILL), 0);
}

/* Killed while it waits: whoever clears up after it finds nothing of the hook at work. */
static void dies_with_us(void **state)
{
	VM_AUTO_FREE char *body = vm_xasprintf("sleep 100 & echo $! >%s/p; echo $$ >>%s/p; mv %s/p %s/pids; wait",
					       scratch_root, scratch_root, scratch_root, scratch_root);
	pid_t pid;

	(void)state;
	hook("h", body);
	pid = child_fork();
	if (pid == 0)
		_exit(run("h") + 10);
	while (faccessat(scratch_dir, "pids", F_OK, 0) < 0)
		usleep(10000);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	await_dead("pids");
}

static void no_program(void **state)
{
	(void)state;
	assert_int_equal(run("absent"), 0);
	assert_string_equal(told, "");
	scratch_put("h", "exit 1");
	assert_int_equal(run("h"), 0);
	assert_non_null(strstr(told, "warning: hook "));
	assert_non_null(strstr(told, "/h is not executable: it is not run"));
	assert_int_equal(run_for("h", "released", 1000), 0);
	assert_string_equal(told, "");
	scratch_put("d/x", "");
	assert_int_equal(run("d"), 0);
	assert_non_null(strstr(told, "/d is a directory: it is not run"));
	assert_int_equal(mkfifo(below("f"), 0755), 0);
	assert_int_equal(run("f"), 0);
	assert_non_null(strstr(told, "/f is no program: it is not run"));
	/* a file where the directory is to be: what is there cannot be looked for */
	assert_int_equal(run("h/10de:2484"), -1);
	assert_int_equal(err.kind, VM_SYSTEM);
	scratch_put("i", "#!/no/such/interpreter\n");
	assert_int_equal(chmod(below("i"), 0755), 0);
	assert_int_equal(run("i"), -1);
	assert_int_equal(err.kind, VM_DENIED);
	assert_non_null(strstr(err.msg, "/i: it, or what its first line says runs it, was not there"));
	/* a script without a first line is one of sh */
	scratch_put("n", "exit 6");
	assert_int_equal(chmod(below("n"), 0755), 0);
	assert_int_equal(run("n"), -1);
	assert_non_null(strstr(err.msg, "(status 6)"));
}

static void links(void **state)
{
	(void)state;
	hook("real/h", "exit 7");
	assert_int_equal(symlinkat("real/../real/./h", scratch_dir, "l"), 0);
	assert_int_equal(run("l"), -1);
	assert_non_null(strstr(err.msg, "/l refuses 'prepare' (status 7)"));
	assert_int_equal(symlinkat(scratch_root, scratch_dir, "real/up"), 0);
	assert_int_equal(symlinkat("real/up/l", scratch_dir, "far"), 0);
	assert_int_equal(run("far"), -1);
	assert_non_null(strstr(err.msg, "(status 7)"));
	assert_int_equal(symlinkat("nowhere", scratch_dir, "broken"), 0);
	assert_int_equal(run("broken"), -1);
	assert_int_equal(err.kind, VM_DENIED);
	assert_non_null(strstr(err.msg, "/broken: it is a link to nothing"));
	assert_int_equal(symlinkat("round", scratch_dir, "round"), 0);
	assert_int_equal(run("round"), -1);
	assert_int_equal(err.kind, VM_SYSTEM);
	assert_non_null(strstr(err.msg, "a circle"));
}

static void refused(const char *name, const char *why)
{
	assert_int_equal(run(name), -1);
	assert_int_equal(err.kind, VM_DENIED);
	assert_non_null(strstr(err.msg, "can be changed by others: "));
	if (strstr(err.msg, why) == NULL)
		fail_msg("'%s' is not in '%s'", why, err.msg);
	assert_non_null(strstr(err.hint, "chmod go-w "));
}

/* Whoever may change it, or put another in its place, would have our rights. */
static void changed_by_others(void **state)
{
	(void)state;
	hook("real/h", "exit 0");
	assert_int_equal(run("real/h"), 0);
	assert_int_equal(chmod(below("real/h"), 0757), 0);
	refused("real/h", "mode 0757");
	assert_int_equal(chmod(below("real/h"), 0755), 0);
	assert_int_equal(chmod(below("real"), 0777), 0);
	refused("real/h", "mode 0777");
	/* nobody but an owner may rename there */
	assert_int_equal(chmod(below("real"), 01777), 0);
	assert_int_equal(run("real/h"), 0);
	assert_int_equal(chmod(below("real"), 0755), 0);
	if (geteuid() != 0)
		return;
	assert_int_equal(chown(below("real/h"), 1234, 0), 0);
	refused("real/h", " is of user 1234, group 0, mode 0755");
	assert_int_equal(chown(below("real/h"), 0, 1234), 0);
	assert_int_equal(run("real/h"), 0);
	assert_int_equal(chmod(below("real/h"), 0775), 0);
	refused("real/h", "/real/h is of user 0, group 1234, mode 0775");
	assert_int_equal(chown(below("real/h"), 0, 0), 0);
	assert_int_equal(run("real/h"), 0);
	assert_int_equal(chmod(below("real/h"), 0755), 0);
	assert_int_equal(chown(below("real"), 1234, 0), 0);
	refused("real/h", " is of user 1234, group 0, mode 0755");
	/* by a link that is ours, and by one that is another's directory's */
	assert_int_equal(symlinkat("real/h", scratch_dir, "l"), 0);
	refused("l", " is of user 1234, group 0, mode 0755");
	assert_int_equal(chown(below("real"), 0, 0), 0);
	scratch_put("theirs/x", "");
	assert_int_equal(chown(below("theirs"), 1234, 0), 0);
	assert_int_equal(symlinkat("../real/h", scratch_dir, "theirs/l"), 0);
	assert_int_equal(symlinkat("theirs/l", scratch_dir, "by"), 0);
	refused("by", " is of user 1234, group 0, mode 0755");
}

/* Installed anew, or taken away, while it is looked at: it is run, there is none, or it counts as
 * one that refuses. */
static void comes_and_goes(void **state)
{
	pid_t pid;

	(void)state;
	hook("h", "exit 0");
	pid = child_fork();
	if (pid == 0)
		for (;;) {
			(void)!renameat(scratch_dir, "h", scratch_dir, "other");
			(void)!renameat(scratch_dir, "other", scratch_dir, "h");
		}
	for (int i = 0; i < 100; i++) {
		if (run("h") != 0 && err.kind != VM_DENIED) {
			kill(pid, SIGKILL);
			fail_msg("%s", err.msg);
		}
		assert_string_equal(strstr(told, "warning") != NULL ? told : "", "");
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	waitpid(pid, NULL, 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, scratch_make, scratch_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(surroundings), TEST(says_why), TEST(hangs), TEST(leaves_a_daemon), TEST(dies_with_us),
		TEST(no_program), TEST(links), TEST(changed_by_others), TEST(comes_and_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
