/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Definitions, their links and index: whole or not at all, on full disks and killed anywhere. */
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
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "child.h"
#include "place.h"

#define ETC    "etc/vm/qemu/"
#define LINK_1 ETC "by-uuid/11111111-1111-1111-1111-111111111111"

static struct vm_deadline soon(void)
{
	return vm_deadline_in(5000);
}

static char *full(const char *path)
{
	return vm_xasprintf("%s/%s", place_root, path);
}

static int write_as(const char *name, char digit, bool replace, struct vm_err *err)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	VM_AUTO_FREE char *text = vm_xasprintf("<domain><name>%s</name>%c</domain>", name, digit);

	must(vm_guest_open(&place, name, VM_GUEST_LOCKED | VM_GUEST_NEW, soon(), &g, must_err));
	place_uuid(digit, g.uuid);
	g.has_uuid = true;
	return vm_definition_write(&g, text, strlen(text), replace, err);
}

static void refused(const char *name, char digit, bool replace, enum vm_kind kind, const char *part)
{
	struct vm_err err = VM_ERR_INIT;

	assert_int_equal(write_as(name, digit, replace, &err), -1);
	if (!strstr(err.msg, part))
		fail_msg("'%s' lacks '%s'", err.msg, part);
	assert_int_equal(err.kind, kind);
}

static void remove_guest(const char *name)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;

	must(vm_guest_open(&place, name, VM_GUEST_LOCKED, soon(), &g, must_err));
	must(vm_definition_remove(&g, must_err));
	g.defined = false;
}

static void write_and_read(void **state)
{
	VM_AUTO_FREE char *text = NULL;
	VM_AUTO_FREE char *file = full(ETC "web1.xml");
	VM_AUTO_FREE char *owner = NULL;
	uint8_t uuid[16];
	struct stat st;
	size_t len;

	(void)state;
	must(write_as("web1", '1', false, must_err));
	must(vm_definition_read(&place, "web1", &text, &len, must_err));
	assert_string_equal(text, "<domain><name>web1</name>1</domain>");
	assert_int_equal(len, strlen(text));
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	place_uuid('1', uuid);
	must(vm_uuid_owner(&place, uuid, &owner, must_err));
	assert_string_equal(owner, "web1");
	assert_int_equal(place_count("run/vm/qemu"), 0);
	/* again: the same guest */
	must(write_as("web1", '1', true, must_err));
	assert_int_equal(place_count(ETC "by-uuid"), 1);
	assert_int_equal(vm_definition_read(&place, "db", &text, &len, &place_err), -1);
	assert_string_equal(place_err.msg, "has no definition");
	assert_int_equal(place_err.kind, VM_NOT_FOUND);
	assert_int_equal(vm_definition_read(&place, "../x", &text, &len, &place_err), -1);
	assert_int_equal(place_err.kind, VM_BAD_INPUT);
}

static void duplicates(void **state)
{
	pid_t pid;

	(void)state;
	place_define("web1", '1');
	refused("web1", '1', false, VM_IN_USE, "is defined already");
	refused("db", '1', false, VM_IN_USE, "is that of guest 'web1'");
	assert_false(place_exists(ETC "db.xml"));
	refused("web1", '2', true, VM_IN_USE, "is defined already, with UUID 11111111-");
	assert_int_equal(place_count(ETC "by-uuid"), 1);
	/* the UUID of a guest that only runs */
	place_define("run", '3');
	pid = place_run("run", FAKE_PLAIN);
	{
		VM_AUTO_FREE char *file = full(ETC "run.xml");
		VM_AUTO_FREE char *link = full(ETC "by-uuid/33333333-3333-3333-3333-333333333333");

		unlink(file);
		unlink(link);
	}
	refused("db", '3', false, VM_IN_USE, "is that of guest 'run'");
	place_kill(pid);
}

/* What a define that was killed leaves: a link without definition. */
static void dangling(void **state)
{
	VM_AUTO_FREE char *link = full(LINK_1);
	char target[64];
	ssize_t n;
	pid_t pid;

	(void)state;
	place_define("other", '9');
	assert_int_equal(symlink("../gone.xml", link), 0);
	must(write_as("db", '1', false, must_err));
	n = readlink(link, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	assert_string_equal(target, "../db.xml");
	assert_int_equal(place_count("run/vm/qemu"), 0);
	remove_guest("db");
	/* somebody is just defining that one: its link is not taken away */
	assert_int_equal(symlink("../busy.xml", link), 0);
	pid = child_fork();
	if (pid == 0) {
		struct vm_guest busy = VM_GUEST_INIT;

		if (vm_guest_open(&place, "busy", VM_GUEST_LOCKED | VM_GUEST_NEW, soon(), &busy,
				  &place_err) == 0)
			place_file("go", "");
		for (;;)
			pause();
	}
	while (!place_exists("go"))
		usleep(1000);
	refused("db", '1', false, VM_IN_USE, "is that of guest 'busy'");
	place_kill(pid);
	/* its own leftover */
	must(write_as("busy", '1', false, must_err));
	remove_guest("busy");
	/* what is no link of ours is not touched */
	place_file(LINK_1, "x");
	refused("db", '1', false, VM_BAD_INPUT, "not a link to a definition");
	assert_true(place_exists(LINK_1));
	unlink(link);
	assert_int_equal(symlink("/etc/passwd", link), 0);
	refused("db", '1', false, VM_BAD_INPUT, "not a link to a definition");
}

static void removing(void **state)
{
	(void)state;
	place_define("web1", '1');
	assert_int_equal(vm_autostart_get(&place, "web1"), 0);
	assert_int_equal(vm_autostart_set(&place, "web1", true, &place_err), 0);
	assert_int_equal(vm_autostart_set(&place, "web1", true, &place_err), 1);
	assert_int_equal(vm_autostart_get(&place, "web1"), 1);
	assert_true(place_exists(ETC "autostart/web1.xml"));
	remove_guest("web1");
	assert_false(place_exists(ETC "web1.xml"));
	assert_false(place_exists(ETC "autostart/web1.xml"));
	assert_int_equal(place_count(ETC "by-uuid"), 0);
	assert_int_equal(place_count("var/lib/vm/qemu"), 0);
	assert_int_equal(place_count("run/vm/qemu"), 0);
	assert_int_equal(vm_autostart_set(&place, "web1", false, &place_err), 1);
	/* the link is found also when nobody knows the UUID */
	place_define("web1", '1');
	place_file("var/lib/vm/qemu/web1/index", "broken");
	remove_guest("web1");
	assert_int_equal(place_count(ETC "by-uuid"), 0);
	/* what else is kept for a guest is not ours to remove */
	place_define("web1", '1');
	place_file("var/lib/vm/qemu/web1/nvram", "x");
	remove_guest("web1");
	assert_true(place_exists("var/lib/vm/qemu/web1/nvram"));
}

static void hostile_definitions(void **state)
{
	VM_AUTO_FREE char *link = full(ETC "link.xml");
	VM_AUTO_FREE char *fifo = full(ETC "fifo.xml");
	VM_AUTO_FREE char *dir = full(ETC "dir.xml");
	VM_AUTO_FREE char *big = full(ETC "big.xml");
	char *text = NULL;
	size_t len, i;
	static const char *const names[] = {"link", "fifo", "dir", "big"};

	(void)state;
	assert_int_equal(symlink("/etc/passwd", link), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
	place_file(ETC "big.xml", "");
	assert_int_equal(truncate(big, VM_DEFINITION_MAX + 1), 0);
	for (i = 0; i < VM_COUNT(names); i++)
		if (vm_definition_read(&place, names[i], &text, &len, &place_err) == 0)
			fail_msg("%s was read", names[i]);
}

static int index_of(const char *name, struct vm_record *r)
{
	struct vm_err err = VM_ERR_INIT;

	vm_record_free(r);
	return vm_index_read(&place, name, r, &err);
}

static void index_record(void **state)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	VM_AUTO_FREE char *file = full(ETC "web1.xml");
	VM_AUTO_FREE char *copy = full(ETC "copy");
	struct timespec times[2] = {0};
	struct stat st;

	(void)state;
	place_define("web1", '1');
	assert_int_equal(index_of("web1", &r), 0);
	assert_string_equal(vm_record_get(&r, "uuid"), "11111111-1111-1111-1111-111111111111");
	assert_int_equal(index_of("none", &r), 1);
	/* edited by hand: the same size and inode, another time */
	assert_int_equal(stat(file, &st), 0);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	times[1].tv_nsec ^= 1;
	assert_int_equal(utimensat(AT_FDCWD, file, times, 0), 0);
	assert_int_equal(index_of("web1", &r), 1);
	times[1].tv_nsec ^= 1;
	assert_int_equal(utimensat(AT_FDCWD, file, times, 0), 0);
	assert_int_equal(index_of("web1", &r), 0);
	/* replaced by another file of the same time and size */
	assert_int_equal(rename(file, copy), 0);
	place_file(ETC "web1.xml", "");
	assert_int_equal(truncate(file, st.st_size), 0);
	assert_int_equal(utimensat(AT_FDCWD, file, times, 0), 0);
	assert_int_equal(index_of("web1", &r), 1);
	assert_int_equal(rename(copy, file), 0);
	assert_int_equal(index_of("web1", &r), 0);
	/* damaged, of a newer format, or not ours */
	place_file("var/lib/vm/qemu/web1/index", "vm-index 1\nuuid=1");
	assert_int_equal(index_of("web1", &r), 1);
	place_file("var/lib/vm/qemu/web1/index", "vm-index 7\n");
	assert_int_equal(index_of("web1", &r), 1);
	place_file("var/lib/vm/qemu/web1/index", "");
	assert_int_equal(index_of("web1", &r), 1);
}

/* A small filesystem of its own under the places; skipped where it cannot be mounted. */
static bool mount_small(const char *path, const char *options)
{
	VM_AUTO_FREE char *at = full(path);

	if (mount("vmt", at, "tmpfs", 0, options) == 0)
		return true;
	if (errno != EPERM)
		fail_msg("mount: %s", strerror(errno));
	return false;
}

static void fill(const char *path)
{
	VM_AUTO_FREE char *file = full(path);
	VM_AUTO_FD int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	char block[4096] = {0};

	while (write(fd, block, sizeof(block)) > 0)
		;
	assert_int_equal(errno, ENOSPC);
}

/* Full: define leaves all as it was, undefine works. */
static void full_disk(void **state)
{
	VM_AUTO_FREE char *etc = full("etc/vm/qemu");
	VM_AUTO_FREE char *filler = full(ETC "filler");
	VM_AUTO_FREE char *text = NULL;
	size_t before;

	(void)state;
	vm_state_close(&place);
	if (!mount_small("etc/vm/qemu", "size=64k,mode=700"))
		skip();
	place_reopen(VM_STATE_CHANGE);
	place_define("web1", '1');
	place_define("db", '2');
	fill(ETC "filler");
	before = place_count("etc/vm/qemu");
	refused("new", '3', false, VM_SYSTEM, "No space left on device");
	assert_int_equal(place_count("etc/vm/qemu"), before);
	assert_int_equal(place_count(ETC "by-uuid"), 2);
	refused("web1", '1', true, VM_SYSTEM, "No space left on device");
	text = place_text(ETC "web1.xml");
	assert_non_null(strstr(text, "<name>web1</name>"));
	assert_int_equal(place_count(ETC "by-uuid"), 2);
	remove_guest("web1");
	assert_int_equal(place_count(ETC "by-uuid"), 1);
	unlink(filler);
	vm_state_close(&place);
	assert_int_equal(umount2(etc, MNT_DETACH), 0);
}

/* Not even an inode for a lock: what is there can still be undefined, and stopped. */
static void full_run(void **state)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	VM_AUTO_FREE char *run = full("run/vm");
	struct vm_status last = {.life = VM_SHUTOFF, .reason = "destroyed"};
	pid_t pid;
	char name[64];
	int i;

	(void)state;
	vm_state_close(&place);
	if (!mount_small("run/vm", "size=64k,nr_inodes=24,mode=750"))
		skip();
	place_reopen(VM_STATE_CHANGE);
	place_define("web1", '1');
	place_define("db", '2');
	pid = place_run("db", FAKE_PLAIN);
	for (i = 0; i < 64; i++) {
		VM_AUTO_FREE char *file = NULL;

		snprintf(name, sizeof(name), "run/vm/filler%d", i);
		file = full(name);
		close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	}
	fill("run/vm/filler0");
	remove_guest("web1");
	assert_false(place_exists(ETC "web1.xml"));
	must(vm_guest_open(&place, "db", VM_GUEST_LOCKED, soon(), &g, must_err));
	must(vm_guest_make_dead(&g, soon(), must_err));
	must(vm_guest_finish(&g, &last, soon(), must_err));
	assert_false(place_lives(pid));
	vm_guest_close(&g);
	assert_false(place_exists("run/vm/qemu/db"));
	vm_state_close(&place);
	assert_int_equal(umount2(run, MNT_DETACH), 0);
}

static void full_lib(void **state)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	VM_AUTO_FREE char *lib = full("var/lib/vm");
	struct vm_status last = {.life = VM_SHUTOFF, .reason = "shutdown"}, back;

	(void)state;
	vm_state_close(&place);
	if (!mount_small("var/lib/vm", "size=32k,mode=755"))
		skip();
	place_reopen(VM_STATE_CHANGE);
	place_define("web1", '1');
	must(vm_guest_open(&place, "web1", VM_GUEST_LOCKED, soon(), &g, must_err));
	must(vm_status_write_last(g.lib, &last, must_err));
	must(vm_status_read_last(g.lib, &back, must_err));
	fill("var/lib/vm/filler");
	/* better none than the end of the run before */
	must(vm_status_write_last(g.lib, &last, must_err));
	assert_int_equal(vm_status_read_last(g.lib, &back, &place_err), -1);
	must(vm_definition_remove(&g, must_err));
	vm_guest_close(&g);
	vm_state_close(&place);
	assert_int_equal(umount2(lib, MNT_DETACH), 0);
}

/* ---- killed at every system call ---- */

static void trace_child(int (*work)(void))
{
	struct vm_state s = VM_STATE_INIT;

	/* descriptors of our own */
	place = s;
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	if (vm_state_open("qemu:///system", VM_STATE_CHANGE, &place, &place_err) < 0)
		_exit(3);
	_exit(work() < 0 ? 2 : 0);
}

/* Runs work in a child that is killed at its n-th system call; false: it ended before. */
static bool killed_at(int (*work)(void), int n)
{
	int status;
	pid_t pid;

	pid = child_fork();
	assert_true(pid >= 0);
	if (pid == 0)
		trace_child(work);
	waitpid(pid, &status, 0);
	assert_true(WIFSTOPPED(status));
	/* two stops a call: at its beginning and its end */
	for (n *= 2; n > 0; n--) {
		if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) < 0)
			fail_msg("ptrace: %s", strerror(errno));
		waitpid(pid, &status, 0);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			return false;
		}
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return true;
}

static int define_web1(void)
{
	return write_as("web1", '1', false, &place_err);
}

static int undefine_web1(void)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;

	if (vm_guest_open(&place, "web1", VM_GUEST_LOCKED, soon(), &g, &place_err) < 0 ||
	    vm_definition_remove(&g, &place_err) < 0)
		return -1;
	g.defined = false;
	return 0;
}

/* Either there, whole, or not there; the next command leaves nothing of an interrupted one. */
static void converges(const char *what, int n)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	VM_AUTO_FREE char *text = place_text(ETC "web1.xml");

	if (text && strcmp(text, "<domain><name>web1</name>1</domain>") != 0)
		fail_msg("%s killed at %d: a definition that is not whole", what, n);
	if (text && !place_exists(LINK_1))
		fail_msg("%s killed at %d: a definition without link", what, n);
	must(vm_guest_open(&place, "web1", VM_GUEST_LOCKED | VM_GUEST_NEW, soon(), &g, must_err));
	assert_int_equal(g.defined, text != NULL);
	vm_guest_close(&g);
	if (place_count("run/vm/qemu") || place_count(ETC "by-uuid") != (text ? 1u : 0u) ||
	    place_count("etc/vm/qemu") != 1u + (text != NULL))
		fail_msg("%s killed at %d: something is left", what, n);
	/* and it can be done again */
	if (text)
		must(undefine_web1());
	must(write_as("web1", '1', false, must_err));
	remove_guest("web1");
}

static void killed_defines(void **state)
{
	int n;

	(void)state;
	must(define_web1());
	must(undefine_web1());
	for (n = 1; killed_at(define_web1, n); n++)
		converges("define", n);
	assert_in_range(n, 30, 500);
	remove_guest("web1");
}

static void killed_undefines(void **state)
{
	int n;

	(void)state;
	must(write_as("web1", '1', false, must_err));
	for (n = 1; killed_at(undefine_web1, n); n++) {
		/* a link may outlive its definition, never the other way round */
		converges("undefine", n);
		must(write_as("web1", '1', false, must_err));
	}
	assert_in_range(n, 30, 500);
}

/* Two at once: one name, one UUID. */
static void races(void **state)
{
	enum { PROCESSES = 8, ROUNDS = 8 };
	int i, r, status, won;
	pid_t pids[PROCESSES];
	char name[16];

	(void)state;
	for (r = 0; r < ROUNDS; r++) {
		fflush(NULL);
		for (i = 0; i < PROCESSES; i++) {
			pids[i] = child_fork();
			if (pids[i])
				continue;
			snprintf(name, sizeof(name), "web%d", i);
			_exit(write_as(name, '1', false, &place_err) == 0 ? 0
									  : (int)place_err.kind);
		}
		for (i = 0, won = 0; i < PROCESSES; i++) {
			waitpid(pids[i], &status, 0);
			assert_true(WIFEXITED(status));
			if (WEXITSTATUS(status) == 0) {
				won++;
				snprintf(name, sizeof(name), "web%d", i);
			} else {
				assert_int_equal(WEXITSTATUS(status), VM_IN_USE);
			}
		}
		assert_int_equal(won, 1);
		assert_int_equal(place_count(ETC "by-uuid"), 1);
		remove_guest(name);
	}
	assert_int_equal(place_count("run/vm/qemu"), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, place_make, place_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(write_and_read),
	    TEST(duplicates),
	    TEST(dangling),
	    TEST(removing),
	    TEST(hostile_definitions),
	    TEST(index_record),
	    TEST(full_disk),
	    TEST(full_run),
	    TEST(full_lib),
	    TEST(killed_defines),
	    TEST(killed_undefines),
	    TEST(races),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
