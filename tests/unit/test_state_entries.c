/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All guests at once: what is read of them, and asking those that nobody watches. */
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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "child.h"
#include "place.h"
#include "state/ask.h"

static struct vm_entries list;

static int fresh(void **state)
{
	/* no helper beside this program, so that stale definitions stay unread */
	setenv("VM_LIBEXEC", "/nonexistent", 1);
	return place_make(state);
}

static int end(void **state)
{
	vm_entries_free(&list);
	return place_remove(state);
}

static void read_list(struct vm_entries_want want)
{
	vm_entries_free(&list);
	must(vm_entries_read(&place, &want, &list, must_err));
}

static struct vm_entry *find(const char *name)
{
	size_t i;

	for (i = 0; i < list.n; i++)
		if (strcmp(list.v[i].name, name) == 0)
			return &list.v[i];
	fail_msg("%s is not listed", name);
	return NULL;
}

static void what_is_there(void **state)
{
	const char *const two[] = {"run", "web2", "run"};
	pid_t a, b;

	(void)state;
	place_define("web2", '2');
	place_define("web1", '1');
	place_define("run", '3');
	vm_autostart_set(&place, "web2", true, &place_err);
	a = place_run("run", FAKE_PLAIN);
	b = place_run("transient", FAKE_PLAIN);
	place_file("etc/vm/qemu/.tmp-abc.xml", "half");
	place_file("etc/vm/qemu/notes.txt", "x");
	place_file("run/vm/qemu/web1/lock", ""); /* a command at work, or a crumb: no guest runs */

	read_list((struct vm_entries_want){0});
	assert_int_equal(list.n, 2);
	assert_true(list.v[0].id < list.v[1].id);
	assert_int_equal(find("run")->id, a);
	assert_true(find("run")->defined && find("run")->active);
	assert_int_equal(find("run")->status.life, VM_RUNNING);
	assert_false(find("transient")->defined);
	assert_int_equal(find("transient")->id, b);

	read_list((struct vm_entries_want){.inactive = true});
	assert_int_equal(list.n, 4);
	assert_string_equal(list.v[2].name, "web1");
	assert_string_equal(list.v[3].name, "web2");
	assert_true(list.v[3].autostart && !list.v[2].autostart);
	assert_int_equal(list.v[2].status.life, VM_SHUTOFF);

	read_list((struct vm_entries_want){.names = two, .n_names = 3, .inactive = true});
	assert_int_equal(list.n, 2);
	read_list((struct vm_entries_want){.names = two, .n_names = 0, .inactive = true});
	assert_int_equal(list.n, 0);
	place_kill(a);
	place_kill(b);
	assert_true(place_exists("etc/vm/qemu/.tmp-abc.xml"));
	assert_true(place_exists("run/vm/qemu/web1/lock"));
}

static void facts(void **state)
{
	struct vm_status last = {.life = VM_SHUTOFF, .reason = "shutdown", .since_ms = 9};
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	struct vm_entry *e;

	(void)state;
	place_define("web1", '1');
	place_file("var/lib/vm/qemu/web1/managed.save", "x");
	place_file("var/lib/vm/qemu/web1/snapshots/a.xml", "x");
	place_file("var/lib/vm/qemu/web1/snapshots/b.xml", "x");
	place_file("var/lib/vm/qemu/web1/snapshots/b.qcow2", "x");
	place_file("var/lib/vm/qemu/web1/checkpoints/c.xml", "x");
	must(vm_guest_open(&place, "web1", 0, vm_deadline_in(1000), &g, must_err));
	must(vm_status_write_last(g.lib, &last, must_err));
	read_list((struct vm_entries_want){.inactive = true, .facts = true});
	e = find("web1");
	assert_true(e->has_uuid && e->uuid[0] == 0x11);
	assert_true(e->managed_save);
	assert_int_equal(e->snapshots, 2);
	assert_int_equal(e->checkpoints, 1);
	assert_string_equal(e->status.reason, "shutdown");
	assert_int_equal(e->status.since_ms, 9);
	assert_null(e->problem);
}

static void run_file(const char *name, const char *file, const char *text)
{
	VM_AUTO_FREE char *path = vm_xasprintf("run/vm/qemu/%s/%s", name, file);

	place_file(path, text);
}

/* One bad entry never hides the others, nor ends the list. */
static void bad_entries(void **state)
{
	VM_AUTO_FREE char *link = vm_xasprintf("%s/etc/vm/qemu/link.xml", place_root);
	VM_AUTO_FREE char *fifo = vm_xasprintf("%s/run/vm/qemu/fifo", place_root);
	VM_AUTO_FREE char *out = vm_xasprintf("%s/run/vm/qemu/out", place_root);
	pid_t pid;

	(void)state;
	place_define("web1", '1');
	place_define("good", '2');
	pid = place_run("good", FAKE_PLAIN);
	run_file("dead", "record", "vm-guest 1\npid=4\npid_start=1\n");
	run_file("garbage", "record", "\xff\xfe");
	run_file("newer", "record", "vm-guest 9\n");
	run_file("journal", "start.undo", "vm-undo 1\n");
	run_file("bad\nname", "record", "x");
	run_file("-bad", "record", "x");
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(symlink("/", out), 0);
	assert_int_equal(symlink("/etc/passwd", link), 0);
	run_file("good", "status", "garbage");
	read_list((struct vm_entries_want){.inactive = true, .facts = true});
	assert_int_equal(list.n, 7);
	assert_int_equal(find("dead")->status.life, VM_STALE);
	assert_non_null(find("dead")->problem);
	assert_int_equal(find("garbage")->status.life, VM_STALE);
	assert_int_equal(find("newer")->status.life, VM_STALE);
	assert_int_equal(find("journal")->status.life, VM_STALE);
	assert_int_equal(find("link")->status.life, VM_BROKEN);
	assert_string_equal(find("link")->problem, "its definition is not a regular file");
	assert_int_equal(find("good")->status.life, VM_RUNNING);
	assert_int_equal(find("web1")->status.life, VM_SHUTOFF);
	place_kill(pid);
}

/* A run that is being cleared away by somebody at this moment is not called stale. */
static void at_work(void **state)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;

	(void)state;
	place_define("web1", '1');
	run_file("web1", "record", "vm-guest 1\npid=4\npid_start=1\n");
	must(vm_guest_open(&place, "web1", VM_GUEST_LOCKED | VM_GUEST_AS_IS, vm_deadline_in(1000),
			   &g, must_err));
	read_list((struct vm_entries_want){.inactive = true});
	assert_int_equal(find("web1")->status.life, VM_SHUTOFF);
	vm_guest_close(&g);
	read_list((struct vm_entries_want){.inactive = true});
	assert_int_equal(find("web1")->status.life, VM_STALE);
}

/* While its end is being seen to it is not off before it can be said why. */
static void ending(void **state)
{
	struct vm_status s = {.life = VM_RUNNING, .reason = "booted", .since_ms = 5, .from = "event"};
	struct vm_status last = {.life = VM_SHUTOFF, .reason = "crashed", .since_ms = 3};
	struct vm_entries_want want = {.inactive = true, .facts = true};
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;

	(void)state;
	place_define("web1", '1');
	run_file("web1", "record", "vm-guest 1\npid=4\npid_start=1\n");
	must(vm_guest_open(&place, "web1", VM_GUEST_LOCKED | VM_GUEST_AS_IS, vm_deadline_in(1000),
			   &g, must_err));
	must(vm_guest_make_dirs(&g, must_err));
	must(vm_status_write_last(g.lib, &last, must_err));
	must(vm_status_write(g.run, &s, must_err));
	read_list(want);
	assert_int_equal(find("web1")->status.life, VM_SHUTTING_DOWN);
	assert_string_equal(find("web1")->status.reason, "");
	s = (struct vm_status){.life = VM_SHUTTING_DOWN, .reason = "shutdown", .since_ms = 6, .from = "event"};
	must(vm_status_write(g.run, &s, must_err));
	read_list(want);
	assert_int_equal(find("web1")->status.life, VM_SHUTTING_DOWN);
	assert_string_equal(find("web1")->status.reason, "shutdown");
	s.life = VM_SHUTOFF;
	must(vm_status_write(g.run, &s, must_err));
	read_list(want);
	assert_int_equal(find("web1")->status.life, VM_SHUTOFF);
	assert_string_equal(find("web1")->status.reason, "shutdown");
	assert_int_equal(find("web1")->status.since_ms, 6);
}

/* ---- asking ---- */

enum peer { ANSWERS, SILENT, GARBAGE, ENDLESS, CHATTY, DEEP, HANGS_UP, ERRORS };

static void serve(int fd, enum peer how, const char *word)
{
	char buf[4096], reply[512];
	int n;

	dprintf(fd, "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n");
	if (recv(fd, buf, sizeof(buf), 0) <= 0)
		return;
	switch (how) {
	case SILENT:
		pause();
		break;
	case GARBAGE:
		dprintf(fd, "{\"return\": {\"status\": \"paused\"}, \"id\": \"vm\"\n}}}\n\"\\u\n");
		pause();
		break;
	case ENDLESS:
		memset(buf, '[', sizeof(buf));
		while (send(fd, buf, sizeof(buf), MSG_NOSIGNAL) > 0)
			;
		break;
	case DEEP:
		dprintf(fd, "{\"id\":\"vm\",\"return\":{\"status\":\"paused\",\"x\":");
		for (n = 0; n < 5000; n++)
			dprintf(fd, "[");
		for (n = 0; n < 5000; n++)
			dprintf(fd, "]");
		dprintf(fd, "}}\n");
		pause();
		break;
	case HANGS_UP:
		return;
	case ERRORS:
		dprintf(fd, "{\"id\":\"vm\",\"error\":{\"class\":\"GenericError\"}}\n");
		pause();
		break;
	case CHATTY:
		for (n = 0; n < 50; n++)
			dprintf(
			    fd,
			    "{\"event\":\"X\",\"data\":{\"return\":{\"status\":\"paused\"}}}\r\n");
		/* fallthrough */
	case ANSWERS:
		dprintf(fd, "{\"return\": {}}\r\n");
		n = snprintf(reply, sizeof(reply),
			     "{\"return\": {\"status\": \"%s\", \"running\": true}, \"id\": "
			     "\"vm\"}\r\n",
			     word);
		/* in two pieces */
		if (write(fd, reply, 20) == 20) {
			usleep(2000);
			if (write(fd, reply + 20, (size_t)n - 20) < 0)
				return;
		}
		break;
	}
}

static pid_t listen_on(const char *name, const char *file, enum peer how, const char *word)
{
	VM_AUTO_FREE char *dir = vm_xasprintf("%s/run/vm/qemu/%s", place_root, name);
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	VM_AUTO_FD int at = open(dir, O_PATH | O_CLOEXEC);
	VM_AUTO_FD int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	snprintf(sun.sun_path, sizeof(sun.sun_path), "/proc/self/fd/%d/%s", at, file);
	assert_int_equal(bind(sock, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(sock, 4), 0);
	pid = child_fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(30);
		signal(SIGPIPE, SIG_IGN);
		for (;;) {
			int c = accept(sock, NULL, NULL);

			serve(c, how, word);
			close(c);
		}
	}
	return pid;
}

struct peer_case {
	const char *name;
	enum peer how;
	const char *word;
	enum vm_life life;
	const char *from;
};

static void asking(void **state)
{
	static const struct peer_case cases[] = {
	    {"answers", ANSWERS, "paused", VM_PAUSED, "asked"},
	    {"same", ANSWERS, "running", VM_RUNNING, "asked"},
	    {"suspended", ANSWERS, "suspended", VM_PMSUSPENDED, "asked"},
	    {"panicked", ANSWERS, "guest-panicked", VM_CRASHED, "asked"},
	    {"unknown", ANSWERS, "of-a-later-qemu", VM_PAUSED, "asked"},
	    {"chatty", CHATTY, "running", VM_RUNNING, "asked"},
	    {"silent", SILENT, "", VM_UNRESPONSIVE, "asked"},
	    {"garbage", GARBAGE, "", VM_UNRESPONSIVE, "asked"},
	    {"endless", ENDLESS, "", VM_UNRESPONSIVE, "asked"},
	    {"deep", DEEP, "", VM_UNRESPONSIVE, "asked"},
	    {"hangs-up", HANGS_UP, "", VM_UNRESPONSIVE, "asked"},
	    {"errors", ERRORS, "", VM_UNRESPONSIVE, "asked"},
	    /* nobody listens there: what is written down counts */
	    {"deaf", SILENT, NULL, VM_RUNNING, "record"},
	};
	pid_t guests[VM_COUNT(cases)], peers[VM_COUNT(cases)] = {0};
	uint64_t before, took;
	size_t i;

	(void)state;
	for (i = 0; i < VM_COUNT(cases); i++) {
		guests[i] = place_run(cases[i].name, FAKE_PLAIN);
		if (cases[i].word)
			peers[i] =
			    listen_on(cases[i].name, VM_RUN_SPARE, cases[i].how, cases[i].word);
	}
	before = vm_now_ms();
	read_list((struct vm_entries_want){.ask_ms = 3000});
	took = vm_now_ms() - before;
	assert_in_range(took, 2900, 15000); /* all together, not each of the seven */
	for (i = 0; i < VM_COUNT(cases); i++) {
		struct vm_entry *e = find(cases[i].name);

		if (e->status.life != cases[i].life || strcmp(e->status.from, cases[i].from) != 0)
			fail_msg("%s: %s from %s", e->name, vm_life_word(e->status.life),
				 e->status.from);
		if (e->status.life == VM_UNRESPONSIVE)
			assert_string_equal(e->problem, "its monitor does not answer");
		place_kill(guests[i]);
		if (peers[i])
			place_kill(peers[i]);
	}
}

/* Somebody else talks to the spare socket: another of its sockets answers. */
static void asking_around(void **state)
{
	pid_t guest, spare, events;

	(void)state;
	guest = place_run("web1", FAKE_PLAIN);
	spare = listen_on("web1", VM_RUN_SPARE, SILENT, "");
	events = listen_on("web1", VM_RUN_EVENTS, ANSWERS, "paused");
	read_list((struct vm_entries_want){.ask_ms = 3000});
	assert_int_equal(find("web1")->status.life, VM_PAUSED);
	place_kill(guest);
	place_kill(spare);
	place_kill(events);
}

/* Whose watcher lives is not asked, unless all are. */
static void watched(void **state)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	struct vm_status s = {
	    .life = VM_RUNNING, .reason = "booted", .since_ms = 5, .from = "event"};
	uint64_t before;
	pid_t guest, spare;

	(void)state;
	guest = place_run("web1", FAKE_WATCHED);
	spare = listen_on("web1", VM_RUN_SPARE, ANSWERS, "paused");
	must(vm_guest_open(&place, "web1", 0, vm_deadline_in(1000), &g, must_err));
	must(vm_status_write(g.run, &s, must_err));
	read_list((struct vm_entries_want){.ask_ms = 100});
	assert_int_equal(find("web1")->status.life, VM_RUNNING);
	assert_string_equal(find("web1")->status.from, "event");
	assert_int_equal(find("web1")->status.since_ms, 5);
	read_list((struct vm_entries_want){.ask_ms = 3000, .ask_all = true});
	assert_int_equal(find("web1")->status.life, VM_PAUSED);
	/* stopped: seen without waiting for an answer */
	kill(guest, SIGSTOP);
	waitpid(guest, NULL, WUNTRACED);
	before = vm_now_ms();
	read_list((struct vm_entries_want){.ask_ms = 20000, .ask_all = true});
	assert_true(vm_now_ms() - before < 15000);
	assert_int_equal(find("web1")->status.life, VM_UNRESPONSIVE);
	assert_string_equal(find("web1")->problem, "its process is stopped (SIGSTOP)");
	place_kill(guest);
	place_kill(spare);
}

/* 200 that run, 50 of them stopped: the stopped ones cost the others nothing. */
static void many(void **state)
{
	enum { GUESTS = 200, STOPPED = 50 };
	pid_t pids[GUESTS];
	uint64_t before;
	size_t i, unresponsive = 0;
	char name[16];

	(void)state;
	for (i = 0; i < GUESTS; i++) {
		snprintf(name, sizeof(name), "g%03zu", i);
		pids[i] = place_run(name, FAKE_PLAIN);
		if (i < STOPPED)
			kill(pids[i], SIGSTOP);
	}
	for (i = 0; i < STOPPED; i++)
		assert_int_equal(waitpid(pids[i], NULL, WUNTRACED), pids[i]);
	before = vm_now_ms();
	read_list((struct vm_entries_want){.ask_ms = 1000, .inactive = true});
	assert_true(vm_now_ms() - before < STOPPED * 1000 / 2);
	assert_int_equal(list.n, GUESTS);
	for (i = 0; i < GUESTS; i++)
		unresponsive += list.v[i].status.life == VM_UNRESPONSIVE;
	assert_int_equal(unresponsive, STOPPED);
	for (i = 0; i < GUESTS; i++)
		place_kill(pids[i]);
}

/* A list taken while guests come and go holds no guest that is neither. */
static void moving(void **state)
{
	int rounds, status;
	pid_t mover;

	(void)state;
	place_define("web1", '1');
	mover = child_fork();
	if (mover == 0) {
		for (rounds = 0; rounds < 40; rounds++) {
			VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
			pid_t pid = place_run("web1", FAKE_PLAIN);

			must(vm_guest_open(&place, "web1", VM_GUEST_LOCKED, vm_deadline_in(5000),
					   &g, must_err));
			must(vm_guest_make_dead(&g, vm_deadline_in(5000), must_err));
			must(vm_guest_finish(&g, NULL, vm_deadline_in(5000), must_err));
			place_kill(pid);
		}
		_exit(0);
	}
	while (waitpid(mover, &status, WNOHANG) == 0) {
		read_list((struct vm_entries_want){.inactive = true});
		assert_int_equal(list.n, 1);
		if (list.v[0].status.life != VM_SHUTOFF && list.v[0].status.life != VM_RUNNING)
			fail_msg("seen as %s: %s", vm_life_word(list.v[0].status.life),
				 list.v[0].problem);
		if (list.v[0].active)
			assert_true(list.v[0].id > 0);
	}
	assert_int_equal(status, 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fresh, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(what_is_there), TEST(facts),	TEST(bad_entries), TEST(at_work), TEST(ending), TEST(asking),
	    TEST(asking_around), TEST(watched), TEST(many),	   TEST(moving),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
