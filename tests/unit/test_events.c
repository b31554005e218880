/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/events.h>
#include <vm/file.h>
#include <vm/json.h>

#include "child.h"

#define EVENT(name)                                                                                \
	"{\"timestamp\": {\"seconds\": 9, \"microseconds\": 8}, \"event\": \"" name "\"}"
#define BIG (1u << 20)

struct place {
	char path[32];
	int fd;
};

static int setup(void **state)
{
	struct place *p = vm_xcalloc(1, sizeof(*p));

	strcpy(p->path, "/tmp/vm-test-ev-XXXXXX");
	assert_non_null(mkdtemp(p->path));
	p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = p;
	return p->fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	unlinkat(p->fd, VM_EVENTS_FILE, 0);
	unlinkat(p->fd, VM_EVENTS_OLD, 0);
	rmdir(p->path);
	close(p->fd);
	free(p);
	return 0;
}

static struct vm_events_writer begin(int dir, uint64_t max)
{
	struct vm_events_writer w = VM_EVENTS_WRITER_INIT;
	struct vm_err err = VM_ERR_INIT;

	if (vm_events_create(dir, max, &w, &err) < 0)
		fail_msg("%s", err.msg);
	return w;
}

static void append(struct vm_events_writer *w, const char *line)
{
	struct vm_err err = VM_ERR_INIT;

	if (vm_events_append(w, line, strlen(line), &err) < 0)
		fail_msg("%s", err.msg);
}

static struct vm_events_reader follow(int dir, bool history)
{
	struct vm_events_reader r = VM_EVENTS_READER_INIT;
	struct vm_err err = VM_ERR_INIT;

	if (vm_events_open(dir, history, &r, &err) < 0)
		fail_msg("%s", err.msg);
	return r;
}

static const struct vm_event_line *next(struct vm_events_reader *r)
{
	const struct vm_event_line *line = NULL;
	struct vm_err err = VM_ERR_INIT;
	int rc = vm_events_next(r, &line, &err);

	if (rc < 0)
		fail_msg("%s", err.msg);
	return rc == 0 ? line : NULL;
}

static void expect(struct vm_events_reader *r, const char *name, uint64_t number, uint64_t lost)
{
	const struct vm_event_line *line = next(r);

	assert_non_null(line);
	assert_string_equal(line->name, name);
	assert_int_equal(line->number, number);
	assert_int_equal(line->lost, lost);
}

static void test_write_and_follow(void **state)
{
	int dir = ((struct place *)*state)->fd;
	struct vm_events_reader early = follow(dir, false), late;
	const struct vm_event_line *line;
	struct vm_events_writer w;
	struct vm_err err = VM_ERR_INIT;

	assert_null(next(&early));
	w = begin(dir, BIG);
	assert_null(next(&early));
	append(&w, EVENT("STOP") "\r\n");
	line = next(&early);
	assert_non_null(line);
	assert_string_equal(line->text, EVENT("STOP"));
	assert_string_equal(line->name, "STOP");
	assert_int_equal(line->time_us, 9000008);
	assert_false(line->own);
	assert_null(line->data);
	assert_int_equal(vm_events_append_own(&w, "ended", "{\"status\":null}", &err), 0);
	line = next(&early);
	assert_true(line->own);
	assert_string_equal(line->name, "ended");
	assert_int_equal(strncmp(line->data, "{\"status\":null}", line->data_len), 0);
	assert_true(line->time_us > 1000000000000000);
	assert_true(vm_json_valid(line->text, line->len));
	assert_null(next(&early));
	/* One that comes later sees the past only if it asks for it. */
	late = follow(dir, false);
	assert_null(next(&late));
	append(&w, EVENT("RESUME"));
	expect(&late, "RESUME", 3, 0);
	vm_events_close(&late);
	late = follow(dir, true);
	expect(&late, "STOP", 1, 0);
	expect(&late, "ended", 2, 0);
	expect(&late, "RESUME", 3, 0);
	assert_null(next(&late));
	vm_events_close(&late);
	vm_events_close(&early);
	vm_events_writer_close(&w);
}

static void test_rotation(void **state)
{
	int dir = ((struct place *)*state)->fd;
	struct vm_events_writer w = begin(dir, 2000);
	struct vm_events_reader live = follow(dir, false), lazy = follow(dir, false), past;
	const struct vm_event_line *line;
	struct stat st;
	char text[128];
	uint64_t first;

	append(&w, EVENT("E1"));
	expect(&lazy, "E1", 1, 0);
	expect(&live, "E1", 1, 0);
	for (uint64_t i = 2; i <= 100; i++) {
		snprintf(text, sizeof(text), EVENT("E%d"), (int)i);
		append(&w, text);
		snprintf(text, sizeof(text), "E%d", (int)i);
		/* One that keeps up misses nothing. */
		expect(&live, text, i, 0);
		assert_null(next(&live));
	}
	assert_int_equal(fstatat(dir, VM_EVENTS_FILE, &st, 0), 0);
	assert_in_range(st.st_size, 1, 1000);
	assert_int_equal(fstatat(dir, VM_EVENTS_OLD, &st, 0), 0);
	assert_in_range(st.st_size, 500, 1000);
	/* One that does not reads the file it has to its end, then learns how much it missed. */
	for (first = 2; (line = next(&lazy)) != NULL && line->lost == 0; first++)
		assert_int_equal(line->number, first);
	assert_non_null(line);
	assert_int_equal(line->number, first + line->lost);
	while (next(&lazy) != NULL)
		;
	assert_int_equal(lazy.number, 100);
	past = follow(dir, true);
	line = next(&past);
	assert_non_null(line);
	assert_int_equal(line->lost, line->number - 1);
	while ((line = next(&past)) != NULL)
		assert_int_equal(line->lost, 0);
	assert_int_equal(past.number, 100);
	vm_events_close(&past);
	vm_events_close(&lazy);
	vm_events_close(&live);
	vm_events_writer_close(&w);
}

/* The writer goes on with the numbers where one that was killed left off, also amidst a rotation.
 */
static void test_continue(void **state)
{
	int dir = ((struct place *)*state)->fd;
	struct vm_events_writer w = begin(dir, BIG);
	struct vm_events_reader r;
	int fd;

	append(&w, EVENT("A"));
	append(&w, EVENT("B"));
	vm_events_writer_close(&w);
	fd = openat(dir, VM_EVENTS_FILE, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, "{\"torn", 6), 6);
	close(fd);
	r = follow(dir, true);
	expect(&r, "A", 1, 0);
	expect(&r, "B", 2, 0);
	assert_null(next(&r));
	w = begin(dir, BIG);
	append(&w, EVENT("C"));
	expect(&r, "C", 4, 1);
	vm_events_close(&r);
	vm_events_writer_close(&w);
	assert_int_equal(renameat(dir, VM_EVENTS_FILE, dir, VM_EVENTS_OLD), 0);
	w = begin(dir, BIG);
	append(&w, EVENT("D"));
	r = follow(dir, true);
	expect(&r, "A", 1, 0);
	expect(&r, "B", 2, 0);
	expect(&r, "C", 4, 1);
	expect(&r, "D", 5, 0);
	vm_events_close(&r);
	vm_events_writer_close(&w);
}

static void test_long_lines(void **state)
{
	int dir = ((struct place *)*state)->fd;
	VM_AUTO_FREE char *text = vm_xmalloc(VM_EVENTS_LINE_MAX + 100);
	struct vm_events_writer w = begin(dir, BIG);
	struct vm_events_reader r = follow(dir, false);
	const struct vm_event_line *line;
	char name[64];
	int n, fd;

	n = sprintf(text, "{\"event\":\"LONG\",\"data\":{\"x\":\"");
	memset(text + n, 'x', VM_EVENTS_LINE_MAX);
	strcpy(text + n + VM_EVENTS_LINE_MAX, "\"}}");
	append(&w, text);
	line = next(&r);
	assert_non_null(line);
	assert_string_equal(line->name, "oversized");
	assert_true(
	    vm_json_string(vm_json_find(line->text, line->len, "data.event"), name, sizeof(name)));
	assert_string_equal(name, "LONG");
	/* A line that the writer would never write. */
	fd = openat(dir, VM_EVENTS_FILE, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(write(fd, "\n", 1), 1);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(write(fd, "\n", 1), 1);
	close(fd);
	append(&w, EVENT("AFTER"));
	expect(&r, "AFTER", 4, 2);
	vm_events_close(&r);
	vm_events_writer_close(&w);
}

static void refuse(int dir, const char *text, enum vm_kind kind, const char *msg)
{
	struct vm_events_reader r = VM_EVENTS_READER_INIT;
	const struct vm_event_line *line;
	struct vm_err err = VM_ERR_INIT;

	assert_int_equal(vm_file_write(dir, VM_EVENTS_FILE, text, strlen(text), 0600, &err), 0);
	assert_int_equal(vm_events_open(dir, true, &r, &err), 0);
	assert_int_equal(vm_events_next(&r, &line, &err), -1);
	assert_int_equal(err.kind, kind);
	assert_non_null(strstr(err.msg, msg));
	vm_events_close(&r);
	assert_int_equal(vm_events_open(dir, false, &r, &err), -1);
}

static void test_refusals(void **state)
{
	int dir = ((struct place *)*state)->fd;

	refuse(dir, "{\"vm\":\"open\",\"data\":{\"format\":2,\"first\":0}}\n", VM_UNSUPPORTED,
	       "has format 2, this program knows 1");
	refuse(dir, "rubbish\n", VM_BAD_INPUT, "first line is no event");
	refuse(dir, EVENT("STOP") "\n", VM_BAD_INPUT, "first line is not \"open\"");
	refuse(dir, "{\"vm\":\"open\",\"data\":{\"format\":1,\"first\":-1}}\n", VM_BAD_INPUT,
	       "first line is not");
}

static void test_rubbish_between(void **state)
{
	static const char text[] =
	    "{\"vm\":\"open\",\"data\":{\"format\":1,\"first\":7}}\n"
	    "rubbish\n\n{\"event\":7}\n" EVENT("A") "\n{\"vm\":\"new-kind\"}\n";
	int dir = ((struct place *)*state)->fd;
	struct vm_events_reader r;
	struct vm_err err = VM_ERR_INIT;

	assert_int_equal(vm_file_write(dir, VM_EVENTS_FILE, text, sizeof(text) - 1, 0600, &err), 0);
	r = follow(dir, true);
	expect(&r, "A", 11, 10);
	expect(&r, "new-kind", 12, 0);
	assert_int_equal(r.line.time_us, 0);
	vm_events_close(&r);
}

/* The guest ended and was started anew in the same directory. */
static void test_new_run(void **state)
{
	int dir = ((struct place *)*state)->fd;
	struct vm_events_writer w = begin(dir, BIG);
	struct vm_events_reader r = follow(dir, false);

	append(&w, EVENT("A"));
	append(&w, EVENT("B"));
	expect(&r, "A", 1, 0);
	expect(&r, "B", 2, 0);
	vm_events_writer_close(&w);
	unlinkat(dir, VM_EVENTS_FILE, 0);
	assert_null(next(&r));
	w = begin(dir, BIG);
	append(&w, EVENT("C"));
	expect(&r, "C", 1, 0);
	vm_events_writer_close(&w);
	vm_events_close(&r);
}

static void test_gone(void **state)
{
	struct place *p = *state;
	struct vm_events_writer w = begin(p->fd, BIG);
	struct vm_events_reader r = follow(p->fd, false);

	append(&w, EVENT("LAST"));
	vm_events_writer_close(&w);
	unlinkat(p->fd, VM_EVENTS_FILE, 0);
	rmdir(p->path);
	assert_true(vm_events_gone(&r));
	vm_events_close(&r);
	mkdir(p->path, 0700);
}

/* The last line, by whoever gives back: once, also after half a line, and read by who has the file open. */
static void test_end(void **state)
{
	int dir = ((struct place *)*state)->fd;
	struct vm_events_reader r = follow(dir, true), other;
	const struct vm_event_line *line;
	struct vm_err err = VM_ERR_INIT;
	struct vm_events_writer w;

	assert_int_equal(vm_events_end(dir, "destroyed", &err), 0);
	assert_int_equal(faccessat(dir, VM_EVENTS_FILE, F_OK, 0), -1);
	w = begin(dir, BIG);
	assert_int_equal(vm_events_append_started(&w, 7, &err), 0);
	line = next(&r);
	assert_string_equal(line->name, "started");
	assert_int_equal(write(w.fd, "{\"ha", 4), 4);
	assert_int_equal(vm_events_end(dir, "destroyed", &err), 0);
	assert_int_equal(vm_events_end(dir, "shutdown", &err), 0);
	other = follow(dir, true);
	unlinkat(dir, VM_EVENTS_FILE, 0);
	line = next(&r);
	assert_string_equal(line->name, "ended");
	assert_true(line->own);
	assert_int_equal(strncmp(line->data, "{\"reason\":\"destroyed\",", 22), 0);
	assert_null(next(&r));
	vm_events_close(&r);
	vm_events_close(&other);
	vm_events_writer_close(&w);
	/* a file that holds nothing but the end of a long run */
	w = begin(dir, BIG);
	for (int i = 0; i < 100; i++)
		append(&w, EVENT("STOP"));
	assert_int_equal(vm_events_append_own(&w, "ended", "{\"reason\":\"shutdown\",\"status\":0}", &err), 0);
	assert_int_equal(vm_events_end(dir, "unknown", &err), 0);
	r = follow(dir, true);
	for (int i = 0; i < 100; i++)
		expect(&r, "STOP", (uint64_t)i + 1, 0);
	expect(&r, "ended", 101, 0);
	assert_null(next(&r));
	vm_events_close(&r);
	vm_events_writer_close(&w);
}

/* No half lines when there is no room; what could not be written is told afterwards. */
static void test_full_disk(void **state)
{
	int dir = ((struct place *)*state)->fd, status;
	struct vm_events_reader r;
	const struct vm_event_line *line;
	uint64_t lost;
	pid_t pid = child_fork();

	if (pid == 0) {
		struct rlimit limit = {300, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
		struct vm_err err = VM_ERR_INIT;
		struct vm_events_writer w;

		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		w = begin(dir, BIG);
		for (int i = 0; i < 10; i++)
			(void)vm_events_append(&w, EVENT("E"), strlen(EVENT("E")), &err);
		if (w.lost == 0)
			_exit(1);
		setrlimit(RLIMIT_FSIZE, &none);
		_exit(vm_events_append(&w, EVENT("F"), strlen(EVENT("F")), &err) == 0 ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	r = follow(dir, true);
	for (int i = 0; (line = next(&r)) != NULL && strcmp(line->name, "E") == 0; i++)
		assert_in_range(i, 0, 9);
	assert_non_null(line);
	assert_string_equal(line->name, "gap");
	assert_true(vm_json_u64(vm_json_find(line->text, line->len, "data.lost"), &lost));
	assert_int_equal(line->number - 1 + lost, 10);
	expect(&r, "F", r.number + 1, 0);
	vm_events_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_write_and_follow, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_rotation, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_continue, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_long_lines, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_rubbish_between, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_new_run, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_gone, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_end, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
