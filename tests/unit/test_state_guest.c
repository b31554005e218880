/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Places, names, references, locks, liveness: with real files and processes in a VM_ROOT of the
 * test's own. */
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

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/lock.h>

#include "child.h"
#include "place.h"

static struct vm_deadline soon(void)
{
	return vm_deadline_in(5000);
}

static void names(void **state)
{
	static const char *const good[] = {"a", "web1", "db 1", "100", "a.b", "ä", "=x", "日本"};
	static const char *const bad[] = {"",	  "-a",	   ".a",       "..",	  "a/b",
					  "a\nb", "a\x7f", "\xc3",     "a\xff",	  "\xed\xa0\x80",
					  "a\tb", "/",	   "\xc2\x85", "\xc0\xaf"};
	char longest[VM_NAME_MAX + 2];
	size_t i;

	(void)state;
	for (i = 0; i < VM_COUNT(good); i++)
		must(vm_name_check(good[i], must_err));
	for (i = 0; i < VM_COUNT(bad); i++) {
		if (vm_name_check(bad[i], &place_err) == 0)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(place_err.kind, VM_BAD_INPUT);
	}
	memset(longest, 'n', sizeof(longest));
	longest[VM_NAME_MAX + 1] = '\0';
	assert_false(vm_name_valid(longest));
	longest[VM_NAME_MAX] = '\0';
	assert_true(vm_name_valid(longest));
	vm_name_check("a\nb", &place_err);
	assert_string_equal(place_err.msg, "guest name 'a\\x0ab' contains a control byte");
}

static void uuids(void **state)
{
	uint8_t a[16], b[16];
	char text[37];

	(void)state;
	assert_int_equal(vm_uuid_parse("6f1c0f0e-8f0a-4a39-9d0e-0d2f5b1c7a11", a), 0);
	assert_int_equal(vm_uuid_parse("6F1C0F0E8F0A4A399D0E0D2F5B1C7A11", b), 0);
	assert_memory_equal(a, b, 16);
	vm_uuid_format(a, text);
	assert_string_equal(text, "6f1c0f0e-8f0a-4a39-9d0e-0d2f5b1c7a11");
	assert_int_equal(vm_uuid_parse("6f1c0f0e-8f0a-4a39-9d0e-0d2f5b1c7a1", a), -1);
	assert_int_equal(vm_uuid_parse("6f1c0f0e-8f0a-4a39-9d0e-0d2f5b1c7a111", a), -1);
	assert_int_equal(vm_uuid_parse("6f1c0f0e8-f0a-4a39-9d0e-0d2f5b1c7a11", a), -1);
	assert_int_equal(vm_uuid_parse("gf1c0f0e-8f0a-4a39-9d0e-0d2f5b1c7a11", a), -1);
	assert_int_equal(vm_uuid_parse("", a), -1);
	vm_uuid_make(a);
	vm_uuid_make(b);
	assert_memory_not_equal(a, b, 16);
	assert_int_equal(a[6] >> 4, 4);
	assert_int_equal(a[8] >> 6, 2);
}

static void words(void **state)
{
	(void)state;
	assert_int_equal(vm_life_from_word("pmsuspended"), VM_PMSUSPENDED);
	assert_int_equal(vm_life_from_word("broken"), VM_BROKEN);
	assert_int_equal(vm_life_from_word("Running"), -1);
	assert_string_equal(vm_life_word(VM_SHUTTING_DOWN), "shutting-down");
}

static mode_t mode_of(const char *path)
{
	VM_AUTO_FREE char *full = vm_xasprintf("%s/%s", place_root, path);
	struct stat st;

	assert_int_equal(lstat(full, &st), 0);
	return st.st_mode & 07777;
}

static void places(void **state)
{
	(void)state;
	assert_int_equal(mode_of("run/vm"), 0750);
	assert_int_equal(mode_of("run/vm/qemu"), 0750);
	assert_int_equal(mode_of("run/vm/claims"), 0750);
	assert_int_equal(mode_of("etc/vm/qemu"), 0750);
	assert_true(strncmp(place.etc_path, place_root, strlen(place_root)) == 0);
}

static void open_fails(const char *connect, enum vm_kind kind, const char *part)
{
	struct vm_state s = VM_STATE_INIT;
	struct vm_err err = VM_ERR_INIT;

	assert_int_equal(vm_state_open(connect, VM_STATE_CHANGE, &s, &err), -1);
	if (!strstr(err.msg, part))
		fail_msg("%s: lacks %s", err.msg, part);
	assert_int_equal(err.kind, kind);
}

static void places_refused(void **state)
{
	VM_AUTO_FREE char *vm = vm_xasprintf("%s/run/vm", place_root);
	VM_AUTO_FREE char *away = vm_xasprintf("%s/run/away", place_root);

	(void)state;
	open_fails("nonsense:///system", VM_UNSUPPORTED, "no driver for nonsense://");
	setenv("VM_ROOT", "relative", 1);
	open_fails(NULL, VM_BAD_INPUT, "not an absolute path");
	setenv("VM_ROOT", "/nonexistent/place", 1);
	open_fails(NULL, VM_NOT_FOUND, "/nonexistent/place");
	if (geteuid() == 0) {
		assert_int_equal(chown(place_root, 1, (gid_t)-1), 0);
		setenv("VM_ROOT", place_root, 1);
		open_fails(NULL, VM_DENIED, "belongs to user 1");
		assert_int_equal(chown(place_root, 0, (gid_t)-1), 0);
		assert_int_equal(chown(vm, 1, (gid_t)-1), 0);
		open_fails(NULL, VM_DENIED, "it belongs to user 1");
		assert_int_equal(chown(vm, 0, (gid_t)-1), 0);
	}
	setenv("VM_ROOT", place_root, 1);
	assert_int_equal(rename(vm, away), 0);
	assert_int_equal(symlink("away", vm), 0);
	open_fails(NULL, VM_DENIED, "not a directory of ours");
	assert_int_equal(unlink(vm), 0);
	assert_int_equal(rename(away, vm), 0);
}

/* Looking makes nothing, not even where there is nothing. */
static void reading_makes_nothing(void **state)
{
	VM_AUTO(vm_state_close) struct vm_state s = VM_STATE_INIT;
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	VM_AUTO_FREE char *empty = vm_xasprintf("%s/empty", place_root);

	(void)state;
	assert_int_equal(mkdir(empty, 0700), 0);
	setenv("VM_ROOT", empty, 1);
	must(vm_state_open("qemu:///system", VM_STATE_READ, &s, must_err));
	assert_int_equal(s.etc, -1);
	assert_int_equal(s.run, -1);
	assert_int_equal(vm_guest_open(&s, "a", 0, soon(), &g, &place_err), -1);
	assert_int_equal(place_err.kind, VM_NOT_FOUND);
	assert_int_equal(place_count("empty"), 0);
	setenv("VM_ROOT", place_root, 1);
}

static void session_places(void **state)
{
	VM_AUTO(vm_state_close) struct vm_state s = VM_STATE_INIT;
	VM_AUTO(vm_state_close) struct vm_state t = VM_STATE_INIT;

	(void)state;
	setenv("HOME", "/home/u", 1);
	setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
	setenv("XDG_CONFIG_HOME", "relative", 1);
	unsetenv("XDG_DATA_HOME");
	setenv("XDG_STATE_HOME", "/elsewhere", 1);
	must(vm_state_open("qemu:///session", VM_STATE_CHANGE, &s, must_err));
	assert_true(place_exists("home/u/.config/vm/qemu"));
	assert_true(place_exists("run/user/7/vm/claims"));
	assert_true(place_exists("home/u/.local/share/vm/qemu"));
	assert_true(place_exists("elsewhere/vm/log/qemu"));
	assert_int_equal(mode_of("run/user/7/vm/qemu"), 0700);
	unsetenv("XDG_RUNTIME_DIR");
	must(vm_state_open("qemu:///session", VM_STATE_CHANGE, &t, must_err));
	assert_true(place_exists("home/u/.cache/vm/run/qemu"));
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("XDG_STATE_HOME");
}

static void resolves(const char *ref, const char *name)
{
	VM_AUTO_FREE char *got = NULL;

	must(vm_guest_resolve(&place, ref, false, &got, must_err));
	assert_string_equal(got, name);
}

static void no_such(const char *ref)
{
	VM_AUTO_FREE char *got = NULL;
	struct vm_err err = VM_ERR_INIT;

	assert_int_equal(vm_guest_resolve(&place, ref, false, &got, &err), -1);
	assert_int_equal(err.kind, VM_NOT_FOUND);
	assert_string_equal(err.msg, "no such guest");
	assert_string_equal(err.object, ref);
}

static void references(void **state)
{
	VM_AUTO_FREE char *uuid_name = NULL;
	VM_AUTO_FREE char *got = NULL;
	char id[16];
	pid_t pid;

	(void)state;
	place_define("web1", '1');
	place_define("db 1", '2');
	resolves("web1", "web1");
	resolves("11111111-1111-1111-1111-111111111111", "web1");
	resolves("22222222222222222222222222222222", "db 1");
	no_such("web");
	no_such("../web1");
	no_such("33333333333333333333333333333333");
	no_such("4711");
	no_such("");

	pid = place_run("web1", FAKE_PLAIN);
	snprintf(id, sizeof(id), "%d", (int)pid);
	resolves(id, "web1");
	/* a guest named like a number wins, but nothing is destroyed on a guess */
	place_define(id, '3');
	resolves(id, id);
	assert_int_equal(vm_guest_resolve(&place, id, true, &got, &place_err), -1);
	assert_int_equal(place_err.kind, VM_BAD_INPUT);
	assert_non_null(strstr(place_err.msg, "the id of 'web1'"));
	/* and a name that is another's UUID */
	uuid_name = vm_xstrdup("22222222-2222-2222-2222-222222222222");
	place_define(uuid_name, '4');
	resolves(uuid_name, uuid_name);
	assert_int_equal(vm_guest_resolve(&place, uuid_name, true, &got, &place_err), -1);
	assert_non_null(strstr(place_err.msg, "the UUID of 'db 1'"));
	must(vm_guest_resolve(&place, "web1", true, &got, must_err));
	place_kill(pid);
	no_such("4711");
}

/* A definition put there by hand has no link; its index, or its run, knows the UUID. */
static void references_without_link(void **state)
{
	VM_AUTO_FREE char *link =
	    vm_xasprintf("%s/etc/vm/qemu/by-uuid/11111111-1111-1111-1111-111111111111", place_root);
	pid_t pid;

	(void)state;
	place_define("web1", '1');
	assert_int_equal(unlink(link), 0);
	resolves("11111111-1111-1111-1111-111111111111", "web1");
	pid = place_run("web1", FAKE_PLAIN);
	place_file("var/lib/vm/qemu/web1/index", "damaged");
	resolves("11111111-1111-1111-1111-111111111111", "web1");
	place_kill(pid);
	/* a link must not lead out of the place */
	assert_int_equal(symlink("../../../../../etc/passwd.xml", link), 0);
	resolves("11111111-1111-1111-1111-111111111111", "web1");
}

static void opening(void **state)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	pid_t pid;

	(void)state;
	place_define("web1", '1');
	must(vm_guest_open(&place, "web1", VM_GUEST_DEFINED, soon(), &g, must_err));
	assert_true(g.defined && !g.active && g.has_uuid && g.lock < 0);
	assert_int_equal(g.life, VM_SHUTOFF);
	vm_guest_close(&g);
	assert_int_equal(vm_guest_open(&place, "web1", VM_GUEST_ACTIVE, soon(), &g, &place_err),
			 -1);
	assert_int_equal(place_err.kind, VM_NOT_RUNNING);
	assert_string_equal(place_err.object, "web1");

	must(vm_guest_open(&place, "web1", VM_GUEST_LOCKED, soon(), &g, must_err));
	assert_true(place_exists("run/vm/qemu/web1/lock"));
	vm_guest_close(&g);
	assert_false(place_exists("run/vm/qemu/web1"));

	pid = place_run("web1", FAKE_PLAIN);
	must(
	    vm_guest_open(&place, "web1", VM_GUEST_ACTIVE | VM_GUEST_LOCKED, soon(), &g, must_err));
	assert_int_equal(g.life, VM_RUNNING);
	assert_int_equal(vm_record_u64(&g.record, "pid", 0), pid);
	vm_guest_close(&g);
	assert_true(place_exists("run/vm/qemu/web1/record"));
	kill(pid, SIGSTOP);
	waitpid(pid, NULL, WUNTRACED);
	must(vm_guest_open(&place, "web1", VM_GUEST_ACTIVE, soon(), &g, must_err));
	assert_int_equal(g.life, VM_UNRESPONSIVE);
	vm_guest_close(&g);
	place_kill(pid);

	pid = place_run("transient", FAKE_PLAIN);
	must(vm_guest_open(&place, "transient", 0, soon(), &g, must_err));
	assert_true(!g.defined && g.active);
	vm_guest_close(&g);
	assert_int_equal(
	    vm_guest_open(&place, "transient", VM_GUEST_DEFINED, soon(), &g, &place_err), -1);
	assert_int_equal(place_err.kind, VM_NOT_FOUND);
	place_kill(pid);
}

/* Holds the lock until the caller of this sleeps, after *go was closed. */
static pid_t lock_in_child(const char *name, int *go)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	int ready[2], release[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(release), 0);
	pid = child_fork();
	if (pid == 0) {
		close(release[1]);
		if (vm_guest_open(&place, name, VM_GUEST_LOCKED, soon(), &g, &place_err) < 0)
			_exit(1);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		if (read(release[0], &c, 1) != 0)
			_exit(1);
		child_await_sleep(getppid());
		vm_guest_close(&g);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	close(release[0]);
	*go = release[1];
	return pid;
}

static void locking(void **state)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	char holder[32];
	int status, go;
	pid_t pid;

	(void)state;
	place_define("web1", '1');
	pid = lock_in_child("web1", &go);
	assert_int_equal(
	    vm_guest_open(&place, "web1", VM_GUEST_LOCKED, vm_deadline_in(50), &g, &place_err), -1);
	assert_int_equal(place_err.kind, VM_TIMED_OUT);
	snprintf(holder, sizeof(holder), "(pid %d)", (int)pid);
	assert_non_null(strstr(place_err.msg, holder));
	/* the holder removes the directory at its end: we must not be left with a lock nobody else
	 * sees */
	close(go);
	must(vm_guest_open(&place, "web1", VM_GUEST_LOCKED, soon(), &g, must_err));
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_true(place_exists("run/vm/qemu/web1/lock"));
	pid = child_fork();
	if (pid == 0)
		_exit(vm_guest_open(&place, "web1", VM_GUEST_LOCKED, vm_deadline_in(30), &g,
				    &place_err) == 0);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

/* The place itself was removed under our hands: an error, not a search without end. */
static void place_gone(void **state)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	VM_AUTO_FREE char *run = vm_xasprintf("%s/run/vm/qemu", place_root);

	(void)state;
	assert_int_equal(rmdir(run), 0);
	assert_int_equal(vm_guest_open(&place, "web1", VM_GUEST_LOCKED | VM_GUEST_NEW, soon(), &g,
				       &place_err),
			 -1);
	assert_int_equal(place_err.sys, ENOENT);
}

/* Many processes on one guest: never two at a time, and nothing is left. */
static void locking_crowd(void **state)
{
	enum { PROCESSES = 16, ROUNDS = 30 };
	VM_AUTO_FREE char *file = vm_xasprintf("%s/inside", place_root);
	pid_t pids[PROCESSES];
	int i, r, status;

	(void)state;
	place_define("web1", '1');
	fflush(NULL);
	for (i = 0; i < PROCESSES; i++) {
		pids[i] = child_fork();
		if (pids[i])
			continue;
		for (r = 0; r < ROUNDS; r++) {
			struct vm_guest g = VM_GUEST_INIT;
			int fd;

			if (vm_guest_open(&place, "web1", VM_GUEST_LOCKED, vm_deadline_in(20000),
					  &g, &place_err) < 0)
				_exit(1);
			fd = open(file, O_CREAT | O_EXCL | O_WRONLY, 0600);
			if (fd < 0)
				_exit(2);
			close(fd);
			unlink(file);
			vm_guest_close(&g);
		}
		_exit(0);
	}
	for (i = 0; i < PROCESSES; i++) {
		waitpid(pids[i], &status, 0);
		assert_int_equal(status, 0);
	}
	assert_false(place_exists("run/vm/qemu/web1"));
}

static enum vm_alive alive_of(const char *name)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	enum vm_alive alive = VM_ALIVE_NO;

	must(vm_guest_open(&place, name, 0, soon(), &g, must_err));
	must(vm_guest_alive(&g, &alive, must_err));
	return alive;
}

static void liveness(void **state)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	VM_AUTO_FD int stranger = -1;
	struct flock fl = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	pid_t pid;
	int fd;

	(void)state;
	place_define("web1", '1');
	assert_int_equal(alive_of("web1"), VM_ALIVE_NO);
	pid = place_run("web1", FAKE_PLAIN);
	assert_int_equal(alive_of("web1"), VM_ALIVE_HELD);
	must(vm_guest_open(&place, "web1", VM_GUEST_LOCKED, soon(), &g, must_err));
	assert_int_equal(vm_guest_alive_make(&g, &fd, &place_err), -1);
	assert_int_equal(place_err.kind, VM_IN_USE);
	assert_int_equal(vm_guest_finish(&g, NULL, soon(), &place_err), -1);
	vm_guest_close(&g);
	place_kill(pid);
	assert_int_equal(alive_of("web1"), VM_ALIVE_STALE);
	/* a stranger's read lock does not speak for QEMU */
	must(vm_guest_open(&place, "web1", VM_GUEST_AS_IS, soon(), &g, must_err));
	stranger = openat(g.run, VM_RUN_ALIVE, O_RDONLY);
	assert_int_equal(fcntl(stranger, F_OFD_SETLK, &fl), 0);
	assert_int_equal(alive_of("web1"), VM_ALIVE_STALE);
	assert_int_equal(g.life, VM_STALE);
	vm_guest_close(&g);
	assert_int_equal(vm_guest_open(&place, "web1", VM_GUEST_ACTIVE, soon(), &g, &place_err),
			 -1);
	assert_int_equal(place_err.kind, VM_IN_USE);
	assert_string_equal(place_err.hint, "vm-repair web1");
	/* the next changing command clears it away */
	must(vm_guest_open(&place, "web1", VM_GUEST_LOCKED, soon(), &g, must_err));
	assert_false(g.active);
	vm_guest_close(&g);
	assert_false(place_exists("run/vm/qemu/web1"));
	assert_int_equal(alive_of("web1"), VM_ALIVE_NO);
}

/* QEMU drops its own lock and lives on: it is killed before anything else may happen under that
 * name. */
static void never_twice(void **state)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	pid_t pid;

	(void)state;
	place_define("web1", '1');
	pid = place_run("web1", FAKE_DROPS);
	assert_true(place_lives(pid));
	assert_int_equal(alive_of("web1"), VM_ALIVE_STALE);
	must(vm_guest_open(&place, "web1", VM_GUEST_LOCKED, soon(), &g, must_err));
	assert_false(place_lives(pid));
	assert_false(g.active);
	vm_guest_close(&g);

	/* an unlinked `alive` does not help it either */
	pid = place_run("web1", FAKE_PLAIN);
	{
		VM_AUTO_FREE char *alive = vm_xasprintf("%s/run/vm/qemu/web1/alive", place_root);

		assert_int_equal(unlink(alive), 0);
	}
	assert_int_equal(alive_of("web1"), VM_ALIVE_STALE);
	must(vm_guest_open(&place, "web1", VM_GUEST_LOCKED, soon(), &g, must_err));
	assert_false(place_lives(pid));
	vm_guest_close(&g);
}

/* Its start was killed before anybody wrote down the pid, or before the commit. */
static void abandoned(void **state)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	pid_t pid;

	(void)state;
	place_define("web1", '1');
	pid = place_run("web1", FAKE_STARTING);
	must(vm_guest_open(&place, "web1", 0, soon(), &g, must_err));
	assert_int_equal(g.life, VM_STALE);
	vm_guest_close(&g);
	must(vm_guest_open(&place, "web1", VM_GUEST_LOCKED, soon(), &g, must_err));
	assert_false(place_lives(pid));
	assert_false(g.active);
	vm_guest_close(&g);

	pid = place_run("web1", FAKE_NO_RECORD);
	must(vm_guest_open(&place, "web1", VM_GUEST_LOCKED | VM_GUEST_AS_IS, soon(), &g, must_err));
	must(vm_guest_make_dead(&g, soon(), must_err));
	assert_false(place_lives(pid));
	must(vm_guest_finish(&g, NULL, soon(), must_err));
	vm_guest_close(&g);
	assert_false(place_exists("run/vm/qemu/web1"));
}

/* The recorded number belongs to somebody else by now: of another boot, or started at another time.
 */
static void pid_reused(void **state)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	struct vm_procid id;
	pid_t pid, other;

	(void)state;
	place_define("web1", '1');
	pid = place_run("web1", FAKE_PLAIN);
	place_kill(pid);
	other = child_fork();
	if (other == 0)
		for (;;)
			pause();
	must(vm_guest_open(&place, "web1", VM_GUEST_LOCKED | VM_GUEST_AS_IS, soon(), &g, must_err));
	must(vm_procid_of(other, &id, must_err));
	id.start--;
	vm_record_set_procid(&g.record, VM_KEY_PID, &id);
	must(vm_guest_record_write(&g, must_err));
	must(vm_guest_reconcile(&g, soon(), must_err));
	assert_true(place_lives(other));
	vm_guest_close(&g);

	pid = place_run("web1", FAKE_PLAIN);
	place_kill(pid);
	must(vm_guest_open(&place, "web1", VM_GUEST_LOCKED | VM_GUEST_AS_IS, soon(), &g, must_err));
	id.start++;
	memset(id.boot, '0', 36);
	vm_record_set_procid(&g.record, VM_KEY_PID, &id);
	must(vm_guest_record_write(&g, must_err));
	must(vm_guest_reconcile(&g, soon(), must_err));
	assert_true(place_lives(other));
	place_kill(other);
}

static void procids(void **state)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	struct vm_procid id, back;

	(void)state;
	must(vm_procid_self(&id, must_err));
	vm_record_set_procid(&r, VM_KEY_PID, &id);
	assert_true(vm_record_get_procid(&r, VM_KEY_PID, &back));
	assert_int_equal(back.pid, id.pid);
	assert_int_equal(back.start, id.start);
	assert_string_equal(back.boot, id.boot);
	/* what would be a signal to a group, to init or to everybody */
	vm_record_set(&r, "pid", "0");
	assert_false(vm_record_get_procid(&r, VM_KEY_PID, &back));
	vm_record_set(&r, "pid", "1");
	assert_false(vm_record_get_procid(&r, VM_KEY_PID, &back));
	vm_record_set(&r, "pid", "-1");
	assert_false(vm_record_get_procid(&r, VM_KEY_PID, &back));
	vm_record_set(&r, "pid", "4294967297");
	assert_false(vm_record_get_procid(&r, VM_KEY_PID, &back));
	vm_record_set_procid(&r, VM_KEY_PID, NULL);
	assert_int_equal(r.n, 0);
}

/* Damaged, oversized, hostile: looking goes on, changing clears away or says why not. */
static void hostile_records(void **state)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	VM_AUTO_FREE char *record = vm_xasprintf("%s/run/vm/qemu/web1/record", place_root);
	VM_AUTO_FREE char *big = NULL;
	pid_t pid;

	(void)state;
	place_define("web1", '1');
	place_file("run/vm/qemu/web1/record", "garbage\n");
	must(vm_guest_open(&place, "web1", 0, soon(), &g, must_err));
	assert_int_equal(g.life, VM_STALE);
	vm_guest_close(&g);
	must(vm_guest_open(&place, "web1", VM_GUEST_LOCKED, soon(), &g, must_err));
	vm_guest_close(&g);
	assert_false(place_exists("run/vm/qemu/web1"));

	big = vm_xmalloc((5u << 20) + 1);
	memset(big, 'a', 5u << 20);
	big[5u << 20] = '\0';
	place_file("run/vm/qemu/web1/record", big);
	must(vm_guest_open(&place, "web1", VM_GUEST_LOCKED, soon(), &g, must_err));
	vm_guest_close(&g);

	/* a FIFO must not hang us, a link must not lead us away */
	place_file("run/vm/qemu/web1/x", "");
	assert_int_equal(mkfifo(record, 0600), 0);
	must(vm_guest_open(&place, "web1", VM_GUEST_LOCKED, soon(), &g, must_err));
	vm_guest_close(&g);
	place_file("run/vm/qemu/web1/x", "");
	assert_int_equal(symlink("/etc/passwd", record), 0);
	must(vm_guest_open(&place, "web1", VM_GUEST_LOCKED, soon(), &g, must_err));
	vm_guest_close(&g);
	assert_false(place_exists("run/vm/qemu/web1"));

	/* a newer program's run is not ours to judge: neither the record nor the process is touched
	 */
	pid = place_run("web1", FAKE_PLAIN);
	place_file("run/vm/qemu/web1/record", "vm-guest 99\nname=web1\n");
	assert_int_equal(vm_guest_open(&place, "web1", VM_GUEST_LOCKED, soon(), &g, &place_err),
			 -1);
	assert_int_equal(place_err.kind, VM_UNSUPPORTED);
	assert_true(place_lives(pid));
	assert_true(place_exists("run/vm/qemu/web1/record"));
	place_kill(pid);
}

/* The run directory itself is a link, or a file. */
static void hostile_directory(void **state)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	VM_AUTO_FREE char *dir = vm_xasprintf("%s/run/vm/qemu/web1", place_root);

	(void)state;
	place_define("web1", '1');
	place_file("elsewhere/record", "vm-guest 1\n");
	assert_int_equal(symlink("../../../elsewhere", dir), 0);
	assert_int_equal(vm_guest_open(&place, "web1", VM_GUEST_LOCKED, soon(), &g, &place_err),
			 -1);
	assert_true(place_exists("elsewhere/record"));
	assert_int_equal(place_count("elsewhere"), 1);
}

static void status_file(void **state)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	struct vm_status s = {
	    .life = VM_PAUSED, .reason = "user", .since_ms = 5, .event_us = 7, .from = "event"};
	struct vm_status back;

	(void)state;
	must(vm_guest_open(&place, "web1", VM_GUEST_LOCKED | VM_GUEST_NEW, soon(), &g, must_err));
	must(vm_guest_make_dirs(&g, must_err));
	must(vm_status_write(g.run, &s, must_err));
	must(vm_status_read(g.run, &back, must_err));
	assert_int_equal(back.life, VM_PAUSED);
	assert_string_equal(back.reason, "user");
	assert_int_equal(back.since_ms, 5);
	assert_int_equal(back.event_us, 7);
	assert_string_equal(back.from, "event");
	place_file("run/vm/qemu/web1/status", "vm-status 1\nstate=dancing\n");
	assert_int_equal(vm_status_read(g.run, &back, &place_err), -1);
	assert_int_equal(place_err.kind, VM_BAD_INPUT);
}

/* The watcher writes the status; who changed something waits for it, or writes it if there is none.
 */
static void settling(void **state)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	struct vm_status s = {
	    .life = VM_PAUSED, .reason = "user", .event_us = 100, .from = "asked"};
	struct vm_status back;
	uint64_t before;
	pid_t pid, writer;

	(void)state;
	pid = place_run("web1", FAKE_PLAIN);
	must(vm_guest_open(&place, "web1", VM_GUEST_LOCKED, soon(), &g, must_err));
	assert_int_equal(vm_guest_watched(g.run), 0);
	must(vm_status_settle(g.run, &s, must_err));
	must(vm_status_read(g.run, &back, must_err));
	assert_int_equal(back.event_us, 100);
	vm_guest_close(&g);
	place_kill(pid);

	pid = place_run("web1", FAKE_WATCHED);
	must(vm_guest_open(&place, "web1", VM_GUEST_LOCKED, soon(), &g, must_err));
	assert_int_equal(vm_guest_watched(g.run), 1);
	writer = child_fork();
	if (writer == 0) {
		struct vm_status w = {.life = VM_PAUSED, .reason = "event", .event_us = 50};

		child_await_sleep(getppid());
		vm_status_write(g.run, &w, &place_err);
		usleep(20000);
		w.event_us = 101;
		vm_status_write(g.run, &w, &place_err);
		_exit(0);
	}
	must(vm_status_settle(g.run, &s, must_err));
	must(vm_status_read(g.run, &back, must_err));
	assert_string_equal(back.reason, "event");
	assert_int_equal(back.event_us, 101);
	waitpid(writer, NULL, 0);
	/* a watcher that never notes it */
	s.event_us = 200;
	before = vm_now_ms();
	must(vm_status_settle(g.run, &s, must_err));
	assert_in_range(vm_now_ms() - before, 900, 15000);
	must(vm_status_read(g.run, &back, must_err));
	assert_int_equal(back.event_us, 200);
	vm_guest_close(&g);
	place_kill(pid);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, place_make, place_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(names),
	    TEST(uuids),
	    TEST(words),
	    TEST(places),
	    TEST(places_refused),
	    TEST(reading_makes_nothing),
	    TEST(session_places),
	    TEST(references),
	    TEST(references_without_link),
	    TEST(opening),
	    TEST(locking),
	    TEST(place_gone),
	    TEST(locking_crowd),
	    TEST(liveness),
	    TEST(never_twice),
	    TEST(abandoned),
	    TEST(pid_reused),
	    TEST(procids),
	    TEST(hostile_records),
	    TEST(hostile_directory),
	    TEST(status_file),
	    TEST(settling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
