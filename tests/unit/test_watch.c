/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>

#include "child.h"
#include "place.h"
#include "qemu/run/reap.h"
#include "qemu/watch/watch.h"

#define AT(s)	 "{\"timestamp\":{\"seconds\":" #s ",\"microseconds\":7},\"event\":"
#define SHUTDOWN(s, why) AT(s) "\"SHUTDOWN\",\"data\":{\"guest\":true,\"reason\":\"" why "\"}}"
#define PANIC(s, action) AT(s) "\"GUEST_PANICKED\",\"data\":{\"action\":\"" action "\"}}"
#define PLAIN(s, name)	 AT(s) "\"" name "\"}"
#define RESET(s)	 AT(s) "\"RESET\",\"data\":{\"guest\":false,\"reason\":\"host-qmp-system-reset\"}}"

static int scratch(void **state)
{
	static char path[40];
	int *fd = vm_xmalloc(sizeof(*fd));

	snprintf(path, sizeof(path), "/tmp/vm-watch.XXXXXX");
	if (mkdtemp(path) == NULL)
		return -1;
	*fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = fd;
	return *fd < 0 ? -1 : 0;
}

static int unscratch(void **state)
{
	VM_AUTO_FD int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int *fd = *state;
	char path[64], link[32];
	struct vm_err err;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", *fd);
	n = readlink(link, path, sizeof(path) - 1);
	close(*fd);
	free(fd);
	if (n <= 0)
		return -1;
	path[n] = 0;
	return vm_tree_remove(tmp, strrchr(path, '/') + 1, &err);
}

static enum vm_watch_deed feed(struct vm_watch_life *l, const struct vm_watch_options *o, int fd,
			       const char *line)
{
	return vm_watch_event(l, o, fd, line, strlen(line));
}

#define assert_life(l, life_, reason_)                                                             \
	do {                                                                                       \
		assert_int_equal((l).status.life, life_);                                          \
		assert_string_equal((l).status.reason, reason_);                                   \
	} while (0)

static void test_states(void **state)
{
	struct vm_watch_options o = { .reboot = VM_WATCH_RESTART };
	struct vm_watch_life l = { 0 };
	int fd = *(int *)*state;

	assert_int_equal(feed(&l, &o, fd, PLAIN(1, "RESUME")), VM_WATCH_NOTHING);
	assert_life(l, VM_RUNNING, "booted");
	assert_true(l.dirty);
	assert_int_equal(l.status.since_ms, 1000);
	assert_int_equal(l.status.event_us, 1000007);
	feed(&l, &o, fd, PLAIN(2, "STOP"));
	assert_life(l, VM_PAUSED, "user");
	feed(&l, &o, fd, PLAIN(3, "RESUME"));
	assert_life(l, VM_RUNNING, "unpaused");
	feed(&l, &o, fd, AT(4) "\"BLOCK_IO_ERROR\",\"data\":{\"action\":\"stop\"}}");
	feed(&l, &o, fd, PLAIN(4, "STOP"));
	assert_life(l, VM_PAUSED, "io-error");
	feed(&l, &o, fd, PLAIN(5, "RESUME"));
	feed(&l, &o, fd, AT(6) "\"BLOCK_IO_ERROR\",\"data\":{\"action\":\"report\"}}");
	feed(&l, &o, fd, PLAIN(6, "STOP"));
	assert_life(l, VM_PAUSED, "user");
	feed(&l, &o, fd, PLAIN(7, "RESUME"));
	feed(&l, &o, fd, AT(8) "\"WATCHDOG\",\"data\":{\"action\":\"pause\"}}");
	feed(&l, &o, fd, PLAIN(8, "STOP"));
	assert_life(l, VM_PAUSED, "watchdog");
	feed(&l, &o, fd, PLAIN(9, "RESUME"));
	feed(&l, &o, fd, PLAIN(10, "SUSPEND"));
	assert_life(l, VM_PMSUSPENDED, "guest");
	feed(&l, &o, fd, PLAIN(11, "WAKEUP"));
	assert_life(l, VM_RUNNING, "wakeup");
}

static void test_hostile_lines(void **state)
{
	static const char *const lines[] = {
		"", "{", "[]", "{\"event\":7}", "{\"event\":\"STOP\"",
		"{\"event\":\"A_NAME_THAT_IS_LONGER_THAN_ANY_THAT_WE_COULD_KNOW\"}",
		"{\"timestamp\":{\"seconds\":-1,\"microseconds\":9999999999},\"event\":\"POWERDOWN\"}",
		"{\"timestamp\":7,\"event\":\"SHUTDOWN_\",\"data\":[]}",
	};
	struct vm_watch_options o = { 0 };
	struct vm_watch_life l = { .status = { .life = VM_RUNNING, .reason = "booted" } };

	for (size_t i = 0; i < VM_COUNT(lines); i++)
		assert_int_equal(feed(&l, &o, *(int *)*state, lines[i]), VM_WATCH_NOTHING);
	assert_life(l, VM_RUNNING, "booted");
	assert_false(l.dirty);
	/* a stop without a usable time is one all the same */
	feed(&l, &o, *(int *)*state, "{\"timestamp\":{\"seconds\":99999999999999999},\"event\":\"STOP\"}");
	assert_life(l, VM_PAUSED, "user");
	assert_int_equal(l.status.event_us, 0);
	assert_true(l.status.since_ms > 0);
}

static void test_policies(void **state)
{
	static const struct {
		const char *line;
		enum vm_watch_policy poweroff, reboot, crash;
		enum vm_watch_deed deed;
		const char *end;
	} cases[] = {
		{ SHUTDOWN(1, "guest-shutdown"), VM_WATCH_DESTROY, VM_WATCH_RESTART, VM_WATCH_RESTART,
		  VM_WATCH_DO_QUIT, "shutdown" },
		{ SHUTDOWN(1, "guest-shutdown"), VM_WATCH_RESTART, VM_WATCH_DESTROY, VM_WATCH_DESTROY,
		  VM_WATCH_DO_RESTART, "shutdown" },
		{ SHUTDOWN(1, "guest-shutdown"), VM_WATCH_PRESERVE, VM_WATCH_DESTROY, VM_WATCH_DESTROY,
		  VM_WATCH_NOTHING, "shutdown" },
		{ SHUTDOWN(1, "guest-reset"), VM_WATCH_RESTART, VM_WATCH_DESTROY, VM_WATCH_RESTART,
		  VM_WATCH_DO_QUIT, "reset" },
		{ SHUTDOWN(1, "guest-reset"), VM_WATCH_DESTROY, VM_WATCH_PRESERVE, VM_WATCH_DESTROY,
		  VM_WATCH_NOTHING, "reset" },
		{ SHUTDOWN(1, "guest-panic"), VM_WATCH_RESTART, VM_WATCH_RESTART, VM_WATCH_DESTROY,
		  VM_WATCH_DO_QUIT, "panicked" },
		{ SHUTDOWN(1, "host-qmp-quit"), VM_WATCH_RESTART, VM_WATCH_RESTART, VM_WATCH_RESTART,
		  VM_WATCH_DO_QUIT, "destroyed" },
		{ SHUTDOWN(1, "host-signal"), VM_WATCH_PRESERVE, VM_WATCH_RESTART, VM_WATCH_RESTART,
		  VM_WATCH_DO_QUIT, "host-signal" },
		{ SHUTDOWN(1, "of another kind"), VM_WATCH_RESTART, VM_WATCH_RESTART, VM_WATCH_RESTART,
		  VM_WATCH_DO_QUIT, "shutdown" },
		{ PANIC(1, "pause"), VM_WATCH_DESTROY, VM_WATCH_RESTART, VM_WATCH_RESTART,
		  VM_WATCH_DO_RESTART, "" },
		{ PANIC(1, "pause"), VM_WATCH_DESTROY, VM_WATCH_RESTART, VM_WATCH_PRESERVE,
		  VM_WATCH_NOTHING, "" },
		{ PANIC(1, "poweroff"), VM_WATCH_RESTART, VM_WATCH_RESTART, VM_WATCH_RESTART,
		  VM_WATCH_NOTHING, "" },
	};

	for (size_t i = 0; i < VM_COUNT(cases); i++) {
		struct vm_watch_options o = { .poweroff = cases[i].poweroff, .reboot = cases[i].reboot,
					      .crash = cases[i].crash };
		struct vm_watch_life l = { .status = { .life = VM_RUNNING } };

		assert_int_equal(feed(&l, &o, *(int *)*state, cases[i].line), cases[i].deed);
		assert_string_equal(l.end, cases[i].end);
		/* whatever the policy: a guest that is being stopped does not come back */
		l = (struct vm_watch_life){ .stopping = true };
		if (cases[i].deed == VM_WATCH_DO_RESTART)
			assert_int_equal(feed(&l, &o, *(int *)*state, cases[i].line), VM_WATCH_DO_QUIT);
	}
}

static void test_preserve(void **state)
{
	struct vm_watch_options o = { .poweroff = VM_WATCH_PRESERVE, .reboot = VM_WATCH_PRESERVE,
				      .crash = VM_WATCH_PRESERVE };
	struct vm_watch_life l = { .status = { .life = VM_RUNNING, .reason = "booted" } };
	int fd = *(int *)*state;

	feed(&l, &o, fd, SHUTDOWN(1, "guest-reset"));
	assert_life(l, VM_SHUTTING_DOWN, "reset");
	feed(&l, &o, fd, PLAIN(1, "STOP"));
	assert_life(l, VM_PAUSED, "reset");
	/* QEMU may tell it a second time */
	feed(&l, &o, fd, SHUTDOWN(1, "guest-reset"));
	assert_life(l, VM_PAUSED, "reset");
	l = (struct vm_watch_life){ .status = { .life = VM_RUNNING } };
	feed(&l, &o, fd, PANIC(2, "pause"));
	feed(&l, &o, fd, PLAIN(2, "STOP"));
	assert_life(l, VM_CRASHED, "panicked");
	assert_int_equal(l.status.event_us, 2000007);
	assert_int_equal(feed(&l, &o, fd, RESET(3)), VM_WATCH_DO_REARM);
	assert_life(l, VM_PAUSED, "reset");
}

static void test_dump(void **state)
{
	struct vm_watch_options o = { .reboot = VM_WATCH_RESTART, .crash = VM_WATCH_RESTART, .dump = true };
	struct vm_watch_life l = { .status = { .life = VM_RUNNING } };
	int fd = *(int *)*state;

	/* somebody else's dump */
	assert_int_equal(feed(&l, &o, fd, PLAIN(1, "DUMP_COMPLETED")), VM_WATCH_NOTHING);
	assert_int_equal(feed(&l, &o, fd, PANIC(2, "pause")), VM_WATCH_DO_DUMP);
	assert_life(l, VM_CRASHED, "panicked");
	assert_int_equal(feed(&l, &o, fd, PLAIN(3, "DUMP_COMPLETED")), VM_WATCH_DO_RESTART);
	assert_int_equal(feed(&l, &o, fd, PLAIN(4, "DUMP_COMPLETED")), VM_WATCH_NOTHING);
	o.crash = VM_WATCH_DESTROY;
	feed(&l, &o, fd, PANIC(5, "pause"));
	assert_int_equal(feed(&l, &o, fd, PLAIN(6, "DUMP_COMPLETED")), VM_WATCH_DO_QUIT);
	l.stopping = true;
	assert_int_equal(feed(&l, &o, fd, PANIC(7, "pause")), VM_WATCH_DO_QUIT);
}

static void test_wanted(void **state)
{
	struct vm_watch_options o = { .reboot = VM_WATCH_RESTART };
	struct vm_watch_life l = { .status = { .life = VM_RUNNING } };
	int fd = *(int *)*state;

	assert_false(vm_wanted(fd, VM_WANTED_REBOOT));
	vm_wanted_set(fd, VM_WANTED_DESTROY);
	vm_wanted_set(fd, VM_WANTED_REBOOT);
	assert_true(vm_wanted(fd, VM_WANTED_REBOOT));
	assert_false(vm_wanted(fd, VM_WANTED_DESTROY));
	assert_int_equal(feed(&l, &o, fd, SHUTDOWN(1, "guest-shutdown")), VM_WATCH_DO_RESTART);
	/* only a power-off is the first half of a reboot */
	assert_int_equal(feed(&l, &o, fd, SHUTDOWN(1, "host-signal")), VM_WATCH_DO_QUIT);
	l.restarting = true;
	assert_int_equal(feed(&l, &o, fd, RESET(2)), VM_WATCH_DO_GO_ON);
	feed(&l, &o, fd, PLAIN(2, "RESUME"));
	assert_false(l.restarting);
	vm_wanted_set(fd, NULL);
	vm_wanted_set(fd, NULL);
	assert_false(vm_wanted(fd, VM_WANTED_REBOOT));
}

static void test_end_reasons(void **state)
{
	struct vm_watch_life l = { .end = "shutdown" };
	struct vm_status running = { .life = VM_RUNNING, .reason = "booted" };
	struct vm_err err = VM_ERR_INIT;
	int fd = *(int *)*state;
	char word[32];

	assert_int_equal(vm_status_write(fd, &running, &err), 0);
	vm_watch_end_reason(&l, fd, 0, word);
	assert_string_equal(word, "shutdown");
	vm_watch_end_reason(&l, fd, SIGSEGV, word);
	assert_string_equal(word, "crashed-signal-11");
	vm_watch_end_reason(&l, fd, SIGKILL, word);
	assert_string_equal(word, "crashed-signal-9");
	vm_watch_end_reason(&l, fd, 1 << 8, word);
	assert_string_equal(word, "failed-status-1");
	snprintf(l.end, sizeof(l.end), "panicked");
	vm_watch_end_reason(&l, fd, 1 << 8, word); /* exit-failure is what we asked for */
	assert_string_equal(word, "panicked");
	snprintf(l.end, sizeof(l.end), VM_WATCH_RESTART_LIMIT);
	vm_watch_end_reason(&l, fd, SIGKILL, word);
	assert_string_equal(word, VM_WATCH_RESTART_LIMIT);
	vm_wanted_set(fd, VM_WANTED_DESTROY);
	vm_watch_end_reason(&l, fd, SIGKILL, word);
	assert_string_equal(word, "destroyed");
	vm_wanted_set(fd, NULL);
	assert_int_equal(unlinkat(fd, VM_RUN_STATUS, 0), 0);
	l.end[0] = 0;
	vm_watch_end_reason(&l, fd, SIGKILL, word); /* its killer has cleared up already */
	assert_string_equal(word, "destroyed");
}

static void test_arguments(void **state)
{
	const struct vm_watch_options o = {
		.connect = "qemu:///system", .name = "a b", .pid = 4711, .foreground = true,
		.stop_timeout_ms = 1234, .committed = true, .poweroff = VM_WATCH_PRESERVE,
		.reboot = VM_WATCH_DESTROY, .crash = VM_WATCH_RESTART, .dump = true,
		.files = { "/a b", "/c" }, .nfiles = 2,
	};
	struct vm_watch_options got;
	char **argv = vm_watch_format(&o);
	struct vm_err err = VM_ERR_INIT;
	char *bad[][4] = {
		{ (char *)"vm-watch", (char *)"--pid=1", (char *)"--connect=x", (char *)"g" },
		{ (char *)"vm-watch", (char *)"--pid=12", (char *)"--connect=x", (char *)"--what" },
		{ (char *)"vm-watch", (char *)"--pid=12", (char *)"--on-crash=x", (char *)"g" },
		{ (char *)"vm-watch", (char *)"--pid=12x", (char *)"--connect=x", (char *)"g" },
	};
	int n = 0;

	(void)state;
	while (argv[n] != NULL)
		n++;
	assert_int_equal(vm_watch_parse(n, argv, &got, &err), 0);
	assert_string_equal(got.name, o.name);
	assert_string_equal(got.connect, o.connect);
	assert_int_equal(got.pid, o.pid);
	assert_int_equal(got.stop_timeout_ms, o.stop_timeout_ms);
	assert_true(got.committed && got.foreground && got.dump);
	assert_int_equal(got.poweroff, o.poweroff);
	assert_int_equal(got.reboot, o.reboot);
	assert_int_equal(got.crash, o.crash);
	assert_int_equal(got.nfiles, 2);
	assert_string_equal(got.files[0], "/a b");
	while (n > 0)
		free(argv[--n]);
	free(argv);
	for (size_t i = 0; i < VM_COUNT(bad); i++)
		assert_int_equal(vm_watch_parse(4, bad[i], &got, &err), -1);
	assert_int_equal(vm_watch_parse(1, bad[0], &got, &err), -1);
}

static size_t size_of(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, 0) < 0 ? 0 : (size_t)st.st_size;
}

static void test_log(void **state)
{
	struct vm_watch_log l;
	struct vm_err err = VM_ERR_INIT;
	int fd = *(int *)*state;
	char chunk[300];

	memset(chunk, 'x', sizeof(chunk));
	assert_int_equal(vm_watch_log_open(&l, fd, "g", 1000, 3, &err), 0);
	for (int i = 0; i < 50; i++)
		vm_watch_log_write(&l, chunk, sizeof(chunk));
	assert_int_equal(size_of(fd, "g.log.1"), 1000);
	assert_int_equal(size_of(fd, "g.log.2"), 1000);
	assert_int_equal(size_of(fd, "g.log.3"), 0);
	assert_true(size_of(fd, "g.log") <= 1000 && size_of(fd, "g.log") > 0);
	vm_watch_log_note(&l, "%s %d", "told", 7);
	vm_watch_log_close(&l);
	vm_watch_log_write(&l, chunk, sizeof(chunk)); /* closed: nothing happens */
	/* one file only */
	assert_int_equal(vm_watch_log_open(&l, fd, "h", 1000, 0, &err), 0);
	for (int i = 0; i < 50; i++)
		vm_watch_log_write(&l, chunk, sizeof(chunk));
	assert_true(size_of(fd, "h.log") <= 1000);
	assert_int_equal(size_of(fd, "h.log.1"), 0);
	vm_watch_log_close(&l);
	/* nothing that somebody put there is followed */
	assert_int_equal(symlinkat("g.log", fd, "i.log"), 0);
	assert_int_equal(vm_watch_log_open(&l, fd, "i", 1000, 3, &err), -1);
	assert_int_equal(mkfifoat(fd, "j.log", 0600), 0);
	assert_int_equal(vm_watch_log_open(&l, fd, "j", 1000, 3, &err), -1);
}

/* ---- the loop, with this test as QEMU's monitor and a sleeping child as QEMU ---- */

struct peer {
	int qmp, control, messages, alive;
	pid_t watcher;
	FILE *lines;
};

static _Noreturn void be_watcher(const char *name, int fds[5], struct vm_watch_options o)
{
	struct vm_err err = VM_ERR_INIT;
	int parked[5];

	o.name = name;
	o.connect = "qemu:///system";
	o.pid = child_fork();
	if (o.pid == 0) {
		pause();
		_exit(0);
	}
	dprintf(fds[4], "%d", (int)o.pid);
	for (int i = 0; i < 5; i++)
		parked[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 200);
	for (int i = 0; i < 5; i++)
		dup2(parked[i], VM_WATCH_FD_RUN + i);
	vm_guest_reap = vm_qemu_reap;
	_exit(vm_watch_run(&o, &err) & 0xff);
}

static void begin(struct peer *p, struct vm_guest *g, struct vm_watch_options o)
{
	int qmp[2], control[2], messages[2];
	int fds[5];
	char text[32] = "";
	struct vm_procid id;

	must(vm_guest_open(&place, "w", VM_GUEST_LOCKED | VM_GUEST_NEW, vm_deadline_in(5000), g,
			   &place_err));
	must(vm_guest_make_dirs(g, &place_err));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, qmp), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control), 0);
	assert_int_equal(pipe2(messages, O_CLOEXEC), 0);
	fds[0] = g->run;
	fds[1] = qmp[1];
	fds[2] = messages[0];
	fds[3] = openat(g->run, VM_RUN_WATCH_LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	fds[4] = control[1];
	p->watcher = child_fork();
	if (p->watcher == 0)
		be_watcher(g->name, fds, o);
	close(fds[3]);
	close(qmp[1]);
	close(control[1]);
	close(messages[0]);
	p->qmp = qmp[0];
	p->control = control[0];
	p->messages = messages[1];
	assert_true(recv(p->control, text, sizeof(text) - 1, 0) > 0);
	must(vm_procid_of(atoi(text), &id, &place_err));
	memset(text, 0, sizeof(text));
	assert_true(recv(p->control, text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(text, VM_WATCH_MSG_UP);
	vm_record_set(&g->record, VM_KEY_NAME, g->name);
	vm_record_set(&g->record, VM_KEY_DRIVER, "qemu");
	vm_record_set(&g->record, VM_KEY_PHASE, "running");
	vm_record_set_procid(&g->record, VM_KEY_PID, &id);
	must(vm_guest_record_write(g, &place_err));
	assert_true(send(p->control, VM_WATCH_MSG_COMMIT, strlen(VM_WATCH_MSG_COMMIT), 0) > 0);
	vm_guest_unlock(g);
	p->lines = fdopen(dup(p->qmp), "r");
}

static void emit(struct peer *p, const char *line)
{
	assert_true(send(p->qmp, line, strlen(line), MSG_NOSIGNAL) > 0);
	assert_int_equal(send(p->qmp, "\r\n", 2, MSG_NOSIGNAL), 2);
}

static void expect(struct peer *p, const char *part)
{
	char line[256] = "";

	alarm(20);
	assert_non_null(fgets(line, sizeof(line), p->lines));
	alarm(0);
	if (strstr(line, part) == NULL)
		fail_msg("got %s instead of %s", line, part);
}

static int finish(struct peer *p)
{
	int status;

	fclose(p->lines);
	close(p->qmp);
	close(p->control);
	close(p->messages);
	alarm(20);
	assert_int_equal(waitpid(p->watcher, &status, 0), p->watcher);
	alarm(0);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void kill_qemu(const struct vm_guest *g)
{
	struct vm_procid id;

	assert_true(vm_record_get_procid(&g->record, VM_KEY_PID, &id));
	kill(id.pid, SIGKILL);
}

static void test_backoff(void **state)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	struct peer p;

	(void)state;
	begin(&p, &g, (struct vm_watch_options){ .poweroff = VM_WATCH_RESTART,
						 .reboot = VM_WATCH_RESTART, .second_ms = 20 });
	for (int i = 0; i < 5; i++) {
		emit(&p, PLAIN(1, "RESUME"));
		emit(&p, SHUTDOWN(2, "guest-shutdown"));
		emit(&p, PLAIN(2, "STOP"));
		expect(&p, "\"system_reset\"");
		/* not before the reset has happened */
		assert_int_equal(poll(&(struct pollfd){ .fd = p.qmp, .events = POLLIN }, 1, 30), 0);
		emit(&p, RESET(3));
		expect(&p, "\"cont\"");
	}
	emit(&p, PLAIN(4, "RESUME"));
	emit(&p, SHUTDOWN(5, "guest-shutdown"));
	emit(&p, PLAIN(5, "STOP"));
	expect(&p, "\"quit\"");
	emit(&p, SHUTDOWN(5, "host-qmp-quit"));
	kill_qemu(&g);
	assert_int_equal(finish(&p), VM_HYPERVISOR);
	assert_false(place_exists("run/vm/qemu/w/record"));
}

static void test_commits_and_follows(void **state)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	struct vm_status status;
	struct peer p;
	char big[70000];

	(void)state;
	begin(&p, &g, (struct vm_watch_options){ .reboot = VM_WATCH_RESTART });
	assert_int_equal(send(p.qmp, "{\"QMP\": {}}\r\n{\"return\": {}}\r\n", 31, 0), 31);
	memset(big, 'x', sizeof(big));
	assert_int_equal(send(p.qmp, big, sizeof(big), 0), sizeof(big));
	assert_int_equal(send(p.qmp, "\r\n{\"eve", 7, 0), 7);
	usleep(20000);
	assert_int_equal(send(p.qmp, "nt\":\"STOP\"}\r\n", 13, 0), 13);
	assert_int_equal(write(p.messages, "qemu: a warning\n", 16), 16);
	for (int i = 0; i < 2000; i++) {
		if (vm_status_read(g.run, &status, &place_err) == 0 && status.life == VM_PAUSED)
			break;
		usleep(10000);
	}
	assert_int_equal(status.life, VM_PAUSED);
	char *events = place_text("run/vm/qemu/w/events.jsonl");
	assert_non_null(strstr(events, "\"vm\":\"oversized\""));
	assert_non_null(strstr(events, "{\"event\":\"STOP\"}"));
	assert_null(strstr(events, "return"));
	free(events);
	kill_qemu(&g);
	assert_int_equal(finish(&p), VM_HYPERVISOR);
	char *log = place_text("var/log/vm/qemu/w.log");
	assert_non_null(strstr(log, "qemu: a warning\n"));
	assert_non_null(strstr(log, "crashed-signal-9"));
	free(log);
}

static void test_stop_as_service(void **state)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	struct peer p;

	(void)state;
	begin(&p, &g, (struct vm_watch_options){ .foreground = true, .poweroff = VM_WATCH_RESTART,
						 .stop_timeout_ms = 60000 });
	kill(p.watcher, SIGTERM);
	expect(&p, "\"cont\"");
	expect(&p, "\"system_powerdown\"");
	/* a guest that is being stopped is not restarted */
	emit(&p, SHUTDOWN(1, "guest-shutdown"));
	expect(&p, "\"quit\"");
	kill_qemu(&g);
	assert_int_equal(finish(&p), VM_HYPERVISOR);
	vm_guest_close(&g);
	begin(&p, &g, (struct vm_watch_options){ .foreground = true, .stop_timeout_ms = 50 });
	kill(p.watcher, SIGTERM);
	assert_int_equal(finish(&p), VM_TIMED_OUT);
	vm_guest_close(&g);
	begin(&p, &g, (struct vm_watch_options){ .foreground = true, .stop_timeout_ms = 60000 });
	kill(p.watcher, SIGTERM);
	expect(&p, "\"cont\"");
	expect(&p, "\"system_powerdown\"");
	kill(p.watcher, SIGTERM); /* the second one means it */
	assert_int_equal(finish(&p), VM_TIMED_OUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_states, scratch, unscratch),
		cmocka_unit_test_setup_teardown(test_hostile_lines, scratch, unscratch),
		cmocka_unit_test_setup_teardown(test_policies, scratch, unscratch),
		cmocka_unit_test_setup_teardown(test_preserve, scratch, unscratch),
		cmocka_unit_test_setup_teardown(test_dump, scratch, unscratch),
		cmocka_unit_test_setup_teardown(test_wanted, scratch, unscratch),
		cmocka_unit_test_setup_teardown(test_end_reasons, scratch, unscratch),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test_setup_teardown(test_log, scratch, unscratch),
		cmocka_unit_test_setup_teardown(test_backoff, place_make, place_remove),
		cmocka_unit_test_setup_teardown(test_commits_and_follows, place_make, place_remove),
		cmocka_unit_test_setup_teardown(test_stop_as_service, place_make, place_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
