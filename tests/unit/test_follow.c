/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Following guests whose files are gone before anybody looked, and telling each end once. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/events.h>
#include <vm/follow.h>
#include <vm/json.h>
#include <vm/state.h>

#include "place.h"

static struct vm_follow follow(const char *const *names, size_t n)
{
	struct vm_follow f = VM_FOLLOW_INIT;

	must(vm_follow_open(&place, names, n, false, &f, &place_err));
	return f;
}

/* "GUEST EVENT" of the next one, or "". */
static const char *next(struct vm_follow *f)
{
	static char text[300];
	struct vm_follow_event ev;
	int rc = vm_follow_next(f, vm_deadline_in(1), &ev, &place_err);

	if (rc < 0)
		fail_msg("%s", place_err.msg);
	if (rc > 0)
		return "";
	snprintf(text, sizeof(text), "%s %s", ev.guest, ev.line->name);
	return text;
}

static void finish(const char *name, pid_t pid, const char *reason)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	struct vm_status last = { .life = VM_SHUTOFF, .since_ms = 1, .from = "record" };

	place_kill(pid);
	snprintf(last.reason, sizeof(last.reason), "%s", reason);
	must(vm_guest_open(&place, name, VM_GUEST_LOCKED | VM_GUEST_AS_IS | VM_GUEST_NEW,
			   vm_deadline_in(5000), &g, &place_err));
	must(vm_guest_finish(&g, &last, vm_deadline_in(5000), &place_err));
}

static void begin_events(const char *name, pid_t pid)
{
	VM_AUTO(vm_events_writer_close) struct vm_events_writer w = VM_EVENTS_WRITER_INIT;
	VM_AUTO_FD int run = openat(place.run, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	must(vm_events_create(run, 1u << 20, &w, &place_err));
	must(vm_events_append_started(&w, pid, &place_err));
}

static void test_whole_life_unseen(void **state)
{
	struct vm_follow f;
	pid_t pid;

	(void)state;
	place_define("before", '1');
	pid = place_run("before", FAKE_PLAIN);
	finish("before", pid, "destroyed");
	f = follow(NULL, 0);
	for (int i = 0; i < 2; i++) {
		pid = place_run("short", FAKE_PLAIN);
		begin_events("short", pid);
		finish("short", pid, "crashed");
		assert_false(place_exists("run/vm/qemu/short"));
	}
	for (int i = 0; i < 2; i++) {
		assert_string_equal(next(&f), "short started");
		assert_string_equal(next(&f), "short ended");
	}
	assert_string_equal(next(&f), "");
	vm_follow_close(&f);
}

static void test_told_once(void **state)
{
	static const char *const names[] = { "mine" };
	struct vm_follow f, one;
	pid_t pid, other;

	(void)state;
	f = follow(NULL, 0);
	one = follow(names, 1);
	pid = place_run("mine", FAKE_PLAIN);
	begin_events("mine", pid);
	assert_string_equal(next(&f), "mine started");
	other = place_run("other", FAKE_PLAIN);
	begin_events("other", other);
	finish("mine", pid, "shutdown");
	finish("other", other, "shutdown");
	/* in the order of time: its own file tells the end of the one, that of all ends the other's life */
	assert_string_equal(next(&f), "mine ended");
	assert_string_equal(next(&f), "other started");
	assert_string_equal(next(&f), "other ended");
	assert_string_equal(next(&f), "");
	assert_string_equal(next(&one), "mine started");
	assert_string_equal(next(&one), "mine ended");
	assert_string_equal(next(&one), "");
	vm_follow_close(&f);
	vm_follow_close(&one);
}

/* One that was running when it was begun to follow did not begin again. */
static void test_ends_only(void **state)
{
	struct vm_follow f;
	pid_t pid = place_run("old", FAKE_PLAIN);

	(void)state;
	begin_events("old", pid);
	f = follow(NULL, 0);
	finish("old", pid, "destroyed");
	assert_string_equal(next(&f), "old ended");
	assert_string_equal(next(&f), "");
	vm_follow_close(&f);
}

/* Bounded, and rubbish in it harms nobody. */
static void test_file(void **state)
{
	struct vm_end end = { .guest = "a\"b\\", .reason = "shutdown", .pid = 7, .began_ms = 9 };
	struct vm_follow f = follow(NULL, 0);
	struct stat st, old;
	VM_AUTO_FD int fd = -1;

	(void)state;
	must(vm_ends_append(place.run, &end, &place_err));
	assert_string_equal(next(&f), "a\"b\\ ended");
	fd = openat(place.run, VM_ENDS_FILE, O_WRONLY | O_APPEND | O_CLOEXEC);
	dprintf(fd, "rubbish\n{\"vm\":\"ended\",\"guest\":\"../x\",\"pid\":1,\"began_ms\":1}\n"
		    "{\"vm\":\"ended\",\"guest\":\"x\",\"pid\":-1,\"began_ms\":1}\n"
		    "{\"vm\":\"ended\",\"guest\":\"x\",\"pid\":1}\n");
	end.pid = 8;
	must(vm_ends_append(place.run, &end, &place_err));
	assert_string_equal(next(&f), "a\"b\\ ended");
	assert_string_equal(next(&f), "");
	for (int i = 0; i < 2000; i++) {
		end.pid = 1000 + i;
		must(vm_ends_append(place.run, &end, &place_err));
		assert_string_equal(next(&f), "a\"b\\ ended");
	}
	must(fstatat(place.run, VM_ENDS_FILE, &st, 0));
	must(fstatat(place.run, VM_ENDS_OLD, &old, 0));
	assert_in_range(st.st_size + old.st_size, VM_ENDS_BYTES, 2 * VM_ENDS_BYTES + 1000);
	vm_follow_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whole_life_unseen, place_make, place_remove),
		cmocka_unit_test_setup_teardown(test_told_once, place_make, place_remove),
		cmocka_unit_test_setup_teardown(test_ends_only, place_make, place_remove),
		cmocka_unit_test_setup_teardown(test_file, place_make, place_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
