/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/sock.h>
#include <vm/strbuf.h>

#include "qemu/qmp/qmp.h"
#include "qemu/qmp/qmp_line.h"

#define GREETING                                                                                   \
	"{\"QMP\":{\"version\":{\"qemu\":{\"micro\":22,\"minor\":2,\"major\":7},\"package\":"      \
	"\"x\"},"                                                                                  \
	"\"capabilities\":[\"oob\"]}}\r\n"
#define OK(id)	  "{\"return\":{},\"id\":" #id "}\r\n"
#define STAMP	  "\"timestamp\":{\"seconds\":5,\"microseconds\":7}"
#define EVENT(ev) "{" STAMP ",\"event\":\"" ev "\"}\r\n"

/* The scripted peer: what QEMU's end does, one step after the other. */
struct step {
	enum { END, SAY, SAY_BYTEWISE, HEAR, WAIT_MS, CLOSE } what;
	const char *text; /* SAY: sent; HEAR: must be in the next line */
	int ms;
};
struct peer {
	int fd;
	const struct step *steps;
	pthread_t thread;
	bool failed;
	int got_fd;
	char heard[4096];
};

static void say(int fd, const char *text, size_t chunk)
{
	size_t len = strlen(text);

	for (size_t at = 0; at < len; at += chunk)
		if (send(fd, text + at, len - at < chunk ? len - at : chunk, MSG_NOSIGNAL) < 0)
			return;
}

static void hear(struct peer *p)
{
	size_t n = 0;
	char c;

	while (n < sizeof(p->heard) - 1) {
		union {
			struct cmsghdr align;
			char buf[CMSG_SPACE(sizeof(int))];
		} control;
		struct iovec iov = {&c, 1};
		struct msghdr msg = {.msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = control.buf,
				     .msg_controllen = sizeof(control.buf)};

		if (recvmsg(p->fd, &msg, 0) <= 0)
			break;
		if (CMSG_FIRSTHDR(&msg) != NULL)
			memcpy(&p->got_fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
		if (c == '\n')
			break;
		p->heard[n++] = c;
	}
	p->heard[n] = '\0';
}

static void *run_peer(void *arg)
{
	struct peer *p = arg;

	for (const struct step *s = p->steps; s->what != END; s++) {
		switch (s->what) {
		case SAY:
			say(p->fd, s->text, SIZE_MAX);
			break;
		case SAY_BYTEWISE:
			say(p->fd, s->text, 1);
			break;
		case HEAR:
			hear(p);
			if (strstr(p->heard, s->text) == NULL) {
				fprintf(stderr, "peer: wanted %s, heard %s\n", s->text, p->heard);
				p->failed = true;
			}
			break;
		case WAIT_MS:
			nanosleep(&(struct timespec){.tv_nsec = s->ms * 1000000L}, NULL);
			break;
		case CLOSE:
			shutdown(p->fd, SHUT_RDWR);
			break;
		case END:
			break;
		}
	}
	return NULL;
}

static struct vm_qmp *start(struct peer *p, const struct step *steps)
{
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	*p = (struct peer){.fd = sv[1], .steps = steps, .got_fd = -1};
	assert_int_equal(pthread_create(&p->thread, NULL, run_peer, p), 0);
	return vm_qmp_new(sv[0]);
}

static void stop(struct peer *p, struct vm_qmp *q)
{
	vm_qmp_close(&q);
	pthread_join(p->thread, NULL);
	close(p->fd);
	assert_false(p->failed);
}

static struct vm_deadline soon(void)
{
	return vm_deadline_in(20000);
}

static struct vm_qmp *start_greeted(struct peer *p, const struct step *steps)
{
	struct vm_qmp *q = start(p, steps);
	struct vm_err err = VM_ERR_INIT;

	if (vm_qmp_negotiate(q, soon(), &err) < 0)
		fail_msg("%s", err.msg);
	return q;
}

#define GREET                                                                                      \
	{SAY, GREETING, 0}, {HEAR, "\"qmp_capabilities\"", 0},                                     \
	{                                                                                          \
		SAY, OK(1), 0                                                                      \
	}

static void test_call(void **state)
{
	static const struct step steps[] = {
	    GREET,
	    {HEAR,
	     "{\"execute\":\"device_add\",\"arguments\":{\"driver\":\"e1000e\",\"id\":\"n\\\"1\"},"
	     "\"id\":2}",
	     0},
	    {SAY, "{\"id\": 2, \"return\": {\"a\": [1, 2]}}\r\n", 0},
	    {END, NULL, 0},
	};
	struct vm_err err = VM_ERR_INIT;
	json_t *value = NULL;
	struct peer p;
	struct vm_qmp *q = start_greeted(&p, steps);

	(void)state;
	assert_int_equal(vm_qmp_version(q), 70222);
	assert_int_equal(vm_qmp_call(q, soon(), &value, &err, "device_add", "{s:s, s:s}", "driver",
				     "e1000e", "id", "n\"1"),
			 0);
	assert_int_equal(json_array_size(json_object_get(value, "a")), 2);
	assert_null(vm_qmp_refused(q));
	json_decref(value);
	stop(&p, q);
}

static void count(void *arg)
{
	++*(unsigned *)arg;
}

/* Something else is done while QEMU is silent; neither the answer nor the deadline waits for it. */
static void test_while_waiting(void **state)
{
	static const struct step steps[] = {
	    GREET,
	    {HEAR, "\"x\"", 0},
	    {WAIT_MS, NULL, 200},
	    {SAY, OK(2), 0},
	    {HEAR, "\"y\"", 0},
	    {WAIT_MS, NULL, 50},
	    {SAY, OK(3), 0},
	    {HEAR, "\"z\"", 0},
	    {END, NULL, 0},
	};
	struct vm_err err = VM_ERR_INIT;
	struct peer p;
	struct vm_qmp *q = start_greeted(&p, steps);
	unsigned n = 0, before;

	(void)state;
	vm_qmp_while_waiting(q, 5, count, &n);
	assert_int_equal(vm_qmp_call(q, soon(), NULL, &err, "x", NULL), 0);
	assert_true(n >= 2 && n <= 41);
	vm_qmp_while_waiting(q, 0, NULL, NULL);
	before = n;
	assert_int_equal(vm_qmp_call(q, soon(), NULL, &err, "y", NULL), 0);
	assert_int_equal(n, before);
	vm_qmp_while_waiting(q, 5, count, &n);
	assert_int_equal(vm_qmp_call(q, vm_deadline_in(30), NULL, &err, "z", NULL), -1);
	assert_int_equal(err.kind, VM_TIMED_OUT);
	assert_true(n > before);
	stop(&p, q);
}

static void test_fragments(void **state)
{
	static const struct step steps[] = {
	    {SAY_BYTEWISE, GREETING, 0},
	    {HEAR, "qmp_capabilities", 0},
	    {SAY_BYTEWISE, "{\"return\"", 0},
	    {WAIT_MS, NULL, 20},
	    {SAY_BYTEWISE, ":{},\"id\":1}\r", 0},
	    {WAIT_MS, NULL, 20},
	    {SAY, "\n", 0},
	    {HEAR, "\"x\"", 0},
	    {SAY, EVENT("STOP") "{\"return\":7,\"id\":2}\n", 0},
	    {END, NULL, 0},
	};
	struct vm_err err = VM_ERR_INIT;
	VM_AUTO_FREE char *text = NULL;
	struct vm_qmp_event ev;
	struct peer p;
	struct vm_qmp *q = start_greeted(&p, steps);
	uint64_t id;

	(void)state;
	assert_int_equal(vm_qmp_send(q, &id, &err, "x", NULL), 0);
	assert_int_equal(vm_qmp_recv_text(q, id, soon(), &text, &err), 0);
	assert_string_equal(text, "7");
	assert_int_equal(vm_qmp_event_next(q, soon(), &ev, &err), 0);
	assert_string_equal(ev.name, "STOP");
	assert_int_equal(ev.time_us, 5000007);
	assert_null(ev.data);
	vm_qmp_event_free(&ev);
	vm_qmp_event_free(&ev);
	stop(&p, q);
}

static void test_refusal(void **state)
{
	static const struct step steps[] = {
	    GREET,
	    {HEAR, "device_del", 0},
	    {SAY,
	     "{\"id\":2,\"error\":{\"class\":\"DeviceNotFound\",\"desc\":\"Device 'x' not "
	     "found\"}}\n",
	     0},
	    {HEAR, "frob", 0},
	    {SAY, "{\"id\":3,\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"no frob\"}}\n", 0},
	    {HEAR, "query-status", 0},
	    {SAY, OK(4), 0},
	    {END, NULL, 0},
	};
	struct vm_err err = VM_ERR_INIT;
	struct peer p;
	struct vm_qmp *q = start_greeted(&p, steps);

	(void)state;
	assert_int_equal(vm_qmp_call(q, soon(), NULL, &err, "device_del", "{s:s}", "id", "x"), -1);
	assert_int_equal(err.kind, VM_HYPERVISOR);
	assert_string_equal(err.msg, "device_del: Device 'x' not found");
	assert_string_equal(vm_qmp_refused(q), "DeviceNotFound");
	assert_int_equal(vm_qmp_call(q, soon(), NULL, &err, "frob", NULL), -1);
	assert_int_equal(err.kind, VM_UNSUPPORTED);
	assert_string_equal(vm_qmp_refused(q), "CommandNotFound");
	assert_int_equal(vm_qmp_call(q, soon(), NULL, &err, "query-status", NULL), 0);
	assert_null(vm_qmp_refused(q));
	assert_false(vm_qmp_broken(q));
	stop(&p, q);
}

/* Commands go out before QEMU even greets; replies are collected in any order, events in between.
 */
static void test_pipeline(void **state)
{
	static const struct step steps[] = {
	    {HEAR, "qmp_capabilities", 0},
	    {HEAR, "set-action", 0},
	    {HEAR, "cont", 0},
	    {HEAR, "query-status", 0},
	    {SAY,
	     GREETING OK(1) EVENT("A") OK(2) EVENT("RESUME")
		 OK(3) "{\"return\":{\"status\":\"running\"},\"id\":4}\n",
	     0},
	    {END, NULL, 0},
	};
	struct vm_err err = VM_ERR_INIT;
	json_t *value = NULL;
	struct vm_qmp_event ev;
	struct peer p;
	struct vm_qmp *q = start(&p, steps);
	uint64_t cap, act, cont, status;

	(void)state;
	assert_int_equal(vm_qmp_send(q, &cap, &err, "qmp_capabilities", NULL), 0);
	assert_int_equal(vm_qmp_send(q, &act, &err, "set-action", "{s:s}", "panic", "pause"), 0);
	assert_int_equal(vm_qmp_send(q, &cont, &err, "cont", NULL), 0);
	assert_int_equal(vm_qmp_send(q, &status, &err, "query-status", NULL), 0);
	assert_int_equal(vm_qmp_recv(q, status, soon(), &value, &err), 0);
	assert_string_equal(json_string_value(json_object_get(value, "status")), "running");
	json_decref(value);
	assert_int_equal(vm_qmp_recv(q, cap, soon(), NULL, &err), 0);
	assert_int_equal(vm_qmp_recv(q, cont, soon(), NULL, &err), 0);
	assert_int_equal(vm_qmp_recv(q, act, soon(), NULL, &err), 0);
	assert_int_equal(vm_qmp_event_next(q, vm_deadline_in(0), &ev, &err), 0);
	assert_string_equal(ev.name, "A");
	vm_qmp_event_free(&ev);
	assert_int_equal(vm_qmp_event_next(q, vm_deadline_in(0), &ev, &err), 0);
	assert_string_equal(ev.name, "RESUME");
	vm_qmp_event_free(&ev);
	assert_int_equal(vm_qmp_event_next(q, vm_deadline_in(1), &ev, &err), 1);
	stop(&p, q);
}

static void test_timeout_and_late_reply(void **state)
{
	static const struct step steps[] = {
	    GREET,
	    {HEAR, "query-block", 0},
	    {HEAR, "query-status", 0},
	    {SAY, OK(2) OK(3), 0},
	    {END, NULL, 0},
	};
	struct vm_err err = VM_ERR_INIT;
	struct peer p;
	struct vm_qmp *q = start_greeted(&p, steps);
	uint64_t before = vm_now_ms();

	(void)state;
	assert_int_equal(vm_qmp_call(q, vm_deadline_in(50), NULL, &err, "query-block", NULL), -1);
	assert_int_equal(err.kind, VM_TIMED_OUT);
	assert_string_equal(err.msg, "QEMU does not answer query-block");
	assert_non_null(strstr(err.hint, "vm-destroy"));
	assert_null(vm_qmp_refused(q));
	assert_false(vm_qmp_broken(q));
	assert_in_range(vm_now_ms() - before, 50, 10000);
	assert_int_equal(vm_qmp_call(q, soon(), NULL, &err, "query-status", NULL), 0);
	stop(&p, q);
}

/* Nobody greets, or somebody who is no QEMU does. */
static void test_silence(void **state)
{
	static const struct step silent[] = {{HEAR, "qmp_cap", 0}, {END, NULL, 0}};
	static const struct step wrong[] = {{SAY, "{\"return\":{},\"id\":1}\n", 0}, {END, NULL, 0}};
	struct vm_err err = VM_ERR_INIT;
	struct peer p;
	struct vm_qmp *q = start(&p, silent);

	(void)state;
	assert_int_equal(vm_qmp_negotiate(q, vm_deadline_in(50), &err), -1);
	assert_int_equal(err.kind, VM_TIMED_OUT);
	assert_string_equal(err.msg, "QEMU does not answer");
	stop(&p, q);
	q = start(&p, wrong);
	assert_int_equal(vm_qmp_negotiate(q, soon(), &err), -1);
	assert_int_equal(err.kind, VM_HYPERVISOR);
	assert_non_null(strstr(err.msg, "no QMP server"));
	stop(&p, q);
}

/* Replies to one who was there before, and is gone, are nobody's; more of them than can be are an error. */
static void test_after_others(void **state)
{
	static const struct step steps[] = {
	    {SAY, GREETING, 0},
	    {HEAR, "\"qmp_capabilities\"", 0},
	    {SAY, OK(2) "{\"return\":{},\"id\":\"vm\"}\n{\"return\":{}}\n" OK(1001), 0},
	    {HEAR, "a", 0},
	    {SAY, "{\"error\":{\"class\":\"GenericError\",\"desc\":\"x\"},\"id\":999}\n" OK(1002), 0},
	    {HEAR, "b", 0},
	    {SAY, OK(1003) OK(1003), 0},
	    {END, NULL, 0},
	};
	static const struct step many[] = {
	    {SAY, GREETING, 0}, {HEAR, "\"qmp_capabilities\"", 0}, {SAY, OK(1) OK(1) OK(1) OK(1) OK(1) OK(1) OK(1) OK(1) OK(1), 0}, {END, NULL, 0},
	};
	struct vm_err err = VM_ERR_INIT;
	struct peer p;
	struct vm_qmp *q = start(&p, steps);

	(void)state;
	vm_qmp_after_others(q, 1000);
	assert_int_equal(vm_qmp_negotiate(q, soon(), &err), 0);
	assert_int_equal(vm_qmp_call(q, soon(), NULL, &err, "a", NULL), 0);
	assert_int_equal(vm_qmp_call(q, soon(), NULL, &err, "b", NULL), 0);
	assert_int_equal(vm_qmp_call(q, soon(), NULL, &err, "c", NULL), -1);
	assert_non_null(strstr(err.msg, "not given"));
	stop(&p, q);
	q = start(&p, many);
	vm_qmp_after_others(q, 1000);
	assert_int_equal(vm_qmp_negotiate(q, soon(), &err), -1);
	assert_non_null(strstr(err.msg, "not given"));
	stop(&p, q);
}

/* What must end the connection: each is said after a greeting, in the place of the reply with id 2.
 */
static const struct {
	const char *line, *msg;
} bad_lines[] = {
    {"rubbish\n", "no JSON object"},
    {"[1]\n", "no JSON object"},
    {"\n", "no JSON object"},
    {"{\"return\":{},\"id\":2,\"id\":2}\n", "duplicate"},
    {"{\"return\":{},\"id\":3}\n", "not given"},
    {"{\"return\":{},\"id\":\"2\"}\n", "not given"},
    {"{\"return\":{}}\n", "not given"},
    {"{\"return\":{},\"id\":1}\n", "not given"},
    {"{\"return\":{},\"id\":-2}\n", "not given"},
    {"{\"error\":{\"class\":\"GenericError\",\"desc\":\"bad JSON\"}}\n",
     "did not understand us: bad JSON"},
    {"{\"error\":{\"class\":1,\"desc\":\"\"},\"id\":2}\n", "malformed error"},
    {"{\"error\":{},\"id\":2}\n", "malformed error"},
    {"{\"error\":{\"class\":\"a\",\"desc\":\"\"},\"return\":1,\"id\":2}\n", "malformed error"},
    {"{\"event\":\"STOP\"}\n", "malformed event"},
    {"{\"event\":1," STAMP "}\n", "malformed event"},
    {"{\"event\":\"STOP\"," STAMP ",\"data\":[]}\n", "malformed event"},
    {"{\"id\":2}\n", "neither a reply nor an event"},
    {GREETING, "neither a reply nor an event"},
    {"{\"return\":99999999999999999999,\"id\":2}\n", "no JSON object"},
    {"{\"return\":\"\xff\",\"id\":2}\n", "no JSON object"},
};

static void test_bad_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < VM_COUNT(bad_lines); i++) {
		const struct step steps[] = {
		    GREET, {HEAR, "x", 0}, {SAY, bad_lines[i].line, 0}, {END, NULL, 0}};
		struct vm_err err = VM_ERR_INIT;
		struct vm_qmp_event ev;
		struct peer p;
		struct vm_qmp *q = start_greeted(&p, steps);

		assert_int_equal(vm_qmp_call(q, soon(), NULL, &err, "x", NULL), -1);
		if (err.kind != VM_HYPERVISOR || strstr(err.msg, bad_lines[i].msg) == NULL)
			fail_msg("%s gave %s", bad_lines[i].line, err.msg);
		assert_true(vm_qmp_broken(q));
		assert_null(vm_qmp_refused(q));
		assert_int_equal(vm_qmp_call(q, soon(), NULL, &err, "y", NULL), -1);
		assert_int_equal(vm_qmp_event_next(q, soon(), &ev, &err), -1);
		stop(&p, q);
	}
}

static void test_eof(void **state)
{
	static const struct step in_line[] = {
	    GREET,	    {HEAR, "x", 0}, {SAY, EVENT("SHUTDOWN") "{\"ret", 0}, {CLOSE, NULL, 0},
	    {END, NULL, 0},
	};
	static const struct step answered[] = {
	    GREET,	     {HEAR, "x", 0},   {HEAR, "y", 0},
	    {SAY, OK(2), 0}, {CLOSE, NULL, 0}, {END, NULL, 0},
	};
	struct vm_err err = VM_ERR_INIT;
	struct vm_qmp_event ev;
	uint64_t x, y;
	struct peer p;
	struct vm_qmp *q = start_greeted(&p, in_line);

	(void)state;
	assert_int_equal(vm_qmp_call(q, soon(), NULL, &err, "x", NULL), -1);
	assert_int_equal(err.kind, VM_HYPERVISOR);
	assert_string_equal(err.msg, "x: QEMU closed its monitor");
	assert_true(vm_qmp_broken(q));
	/* What came before the end is still there. */
	assert_int_equal(vm_qmp_event_next(q, soon(), &ev, &err), 0);
	assert_string_equal(ev.name, "SHUTDOWN");
	vm_qmp_event_free(&ev);
	assert_int_equal(vm_qmp_event_next(q, soon(), &ev, &err), -1);
	stop(&p, q);

	q = start_greeted(&p, answered);
	assert_int_equal(vm_qmp_send(q, &x, &err, "x", NULL), 0);
	assert_int_equal(vm_qmp_send(q, &y, &err, "y", NULL), 0);
	assert_int_equal(vm_qmp_recv(q, y, soon(), NULL, &err), -1);
	assert_int_equal(vm_qmp_recv(q, x, soon(), NULL, &err), 0);
	stop(&p, q);
}

static void expect_call_fails(const char *text, const char *msg, size_t line_max)
{
	const struct step steps[] = {GREET, {HEAR, "x", 0}, {SAY, text, 0}, {END, NULL, 0}};
	struct vm_err err = VM_ERR_INIT;
	struct peer p;
	struct vm_qmp *q = start_greeted(&p, steps);

	if (line_max > 0)
		vm_qmp_line_max(q, line_max);
	assert_int_equal(vm_qmp_call(q, vm_deadline_in(5000), NULL, &err, "x", NULL),
			 msg != NULL ? -1 : 0);
	if (msg != NULL)
		assert_non_null(strstr(err.msg, msg));
	stop(&p, q);
}

static char *long_reply(size_t len)
{
	char *text = vm_xmalloc(len + 64);
	size_t at = (size_t)sprintf(text, "{\"return\":\"");

	memset(text + at, 'x', len);
	strcpy(text + at + len, "\",\"id\":2}\n");
	return text;
}

static void test_long_lines(void **state)
{
	VM_AUTO_FREE char *fits = long_reply(VM_QMP_LINE_MAX - 64);
	VM_AUTO_FREE char *too_long = long_reply(VM_QMP_LINE_MAX);

	(void)state;
	expect_call_fails(fits, NULL, 0);
	expect_call_fails(too_long, "longer than 1048576 bytes", 0);
	expect_call_fails(too_long, NULL, VM_QMP_LINE_MAX_SCHEMA);
	too_long[VM_QMP_LINE_MAX + 10] = '\0'; /* the line never ends */
	expect_call_fails(too_long, "longer than 1048576 bytes", 0);
}

static char *nested(size_t depth)
{
	char *text = vm_xmalloc(2 * depth + 64);
	size_t at = (size_t)sprintf(text, "{\"return\":");

	memset(text + at, '[', depth);
	memset(text + at + depth, ']', depth);
	strcpy(text + at + 2 * depth, ",\"id\":2}\n");
	return text;
}

static void test_deep_and_wide(void **state)
{
	VM_AUTO_FREE char *fits = nested(VM_QMP_DEPTH_MAX - 1);
	VM_AUTO_FREE char *deep = nested(VM_QMP_DEPTH_MAX);
	VM_AUTO_FREE char *very_deep = nested(400000);
	VM_AUTO(vm_strbuf_free) struct vm_strbuf wide = VM_STRBUF_INIT;

	(void)state;
	expect_call_fails(fits, NULL, 0);
	expect_call_fails(deep, "nested deeper than 512", 0);
	expect_call_fails(very_deep, "nested deeper than 512", 0);
	vm_strbuf_puts(&wide, "{\"return\":[0");
	for (size_t i = 0; i < VM_QMP_VALUES_MAX; i++)
		vm_strbuf_puts(&wide, ",0");
	vm_strbuf_puts(&wide, "],\"id\":2}\n");
	expect_call_fails(wide.text, "more than 262144 values", 0);
}

static void test_event_flood(void **state)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf flood = VM_STRBUF_INIT;
	struct vm_err err = VM_ERR_INIT;
	struct vm_qmp_event ev;
	struct vm_qmp *q;
	struct peer p;

	(void)state;
	for (int i = 0; i < VM_QMP_EVENTS_MAX + 10; i++)
		vm_strbuf_printf(&flood, "{" STAMP ",\"event\":\"E%d\"}\n", i);
	vm_strbuf_puts(&flood, OK(2));
	{
		const struct step steps[] = {
		    GREET, {HEAR, "x", 0}, {SAY, flood.text, 0}, {END, NULL, 0}};

		q = start_greeted(&p, steps);
		assert_int_equal(vm_qmp_call(q, soon(), NULL, &err, "x", NULL), 0);
	}
	assert_int_equal(vm_qmp_events_lost(q), 10);
	assert_int_equal(vm_qmp_event_next(q, soon(), &ev, &err), 0);
	assert_string_equal(ev.name, "E10");
	vm_qmp_event_free(&ev);
	stop(&p, q);
}

/* Big events: their bytes are bounded too. */
static void test_event_bytes(void **state)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf flood = VM_STRBUF_INIT;
	struct vm_err err = VM_ERR_INIT;
	struct vm_qmp *q;
	struct peer p;

	(void)state;
	for (int i = 0; i < 12; i++) {
		vm_strbuf_printf(&flood, "{" STAMP ",\"event\":\"E\",\"data\":{\"x\":\"");
		for (int k = 0; k < 1000; k++)
			vm_strbuf_printf(&flood, "%0500d", 0);
		vm_strbuf_puts(&flood, "\"}}\n");
	}
	vm_strbuf_puts(&flood, OK(2));
	{
		const struct step steps[] = {
		    GREET, {HEAR, "x", 0}, {SAY, flood.text, 0}, {END, NULL, 0}};

		q = start_greeted(&p, steps);
		assert_int_equal(vm_qmp_call(q, soon(), NULL, &err, "x", NULL), 0);
	}
	assert_int_equal(vm_qmp_events_lost(q), 4);
	stop(&p, q);
}

/* Events without end do not keep a call beyond its deadline. */
static void *flooder(void *arg)
{
	static const char event[] = EVENT("E");

	while (send(*(int *)arg, event, sizeof(event) - 1, MSG_NOSIGNAL) > 0)
		;
	return NULL;
}

static void test_flood_deadline(void **state)
{
	struct vm_err err = VM_ERR_INIT;
	uint64_t before = vm_now_ms();
	pthread_t thread;
	struct vm_qmp *q;
	int sv[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	say(sv[1], GREETING OK(1), SIZE_MAX);
	q = vm_qmp_new(sv[0]);
	assert_int_equal(vm_qmp_negotiate(q, soon(), &err), 0);
	assert_int_equal(pthread_create(&thread, NULL, flooder, &sv[1]), 0);
	assert_int_equal(vm_qmp_call(q, vm_deadline_in(100), NULL, &err, "x", NULL), -1);
	assert_int_equal(err.kind, VM_TIMED_OUT);
	assert_in_range(vm_now_ms() - before, 100, 15000);
	vm_qmp_close(&q);
	pthread_join(thread, NULL);
	close(sv[1]);
}

/* A QEMU that reads nothing: sending neither blocks nor grows without bound. */
static void test_peer_does_not_read(void **state)
{
	static const struct step steps[] = {GREET, {END, NULL, 0}};
	VM_AUTO_FREE char *big = vm_xmalloc(1 << 20);
	struct vm_err err = VM_ERR_INIT;
	struct peer p;
	struct vm_qmp *q = start_greeted(&p, steps);
	int rc = 0, n = 0;

	(void)state;
	memset(big, 'a', (1 << 20) - 1);
	big[(1 << 20) - 1] = '\0';
	for (; n < 100 && rc == 0; n++)
		rc = vm_qmp_send(q, NULL, &err, "x", "{s:s}", "v", big);
	assert_int_equal(rc, -1);
	assert_int_equal(err.kind, VM_TIMED_OUT);
	assert_in_range(n, 15, 20);
	stop(&p, q);
}

static void test_many_pending(void **state)
{
	static const struct step steps[] = {GREET, {END, NULL, 0}};
	struct vm_err err = VM_ERR_INIT;
	struct peer p;
	struct vm_qmp *q = start_greeted(&p, steps);
	uint64_t id = 0;

	(void)state;
	for (unsigned i = 0; i < VM_QMP_PENDING_MAX; i++)
		assert_int_equal(vm_qmp_send(q, &id, &err, "x", NULL), 0);
	assert_int_equal(vm_qmp_send(q, &id, &err, "x", NULL), -1);
	assert_int_equal(err.kind, VM_IN_USE);
	stop(&p, q);
}

static void test_forget(void **state)
{
	static const struct step steps[] = {
	    GREET,
	    {HEAR, "a", 0},
	    {HEAR, "b", 0},
	    {SAY, OK(2) OK(3) OK(4), 0},
	    {HEAR, "d", 0},
	    {SAY, "{\"return\":{},\"id\":2}\n", 0},
	    {END, NULL, 0},
	};
	struct vm_err err = VM_ERR_INIT;
	struct peer p;
	struct vm_qmp *q = start_greeted(&p, steps);
	uint64_t a, c;

	(void)state;
	assert_int_equal(vm_qmp_send(q, &a, &err, "a", NULL), 0);
	assert_int_equal(vm_qmp_send(q, NULL, &err, "b", NULL), 0);
	assert_int_equal(vm_qmp_send(q, &c, &err, "c", NULL), 0);
	vm_qmp_forget(q, a);
	assert_int_equal(vm_qmp_recv(q, c, soon(), NULL, &err), 0);
	vm_qmp_forget(q, c);
	/* Answered once already. */
	assert_int_equal(vm_qmp_call(q, soon(), NULL, &err, "d", NULL), -1);
	assert_non_null(strstr(err.msg, "not given"));
	stop(&p, q);
}

static void test_answered_twice(void **state)
{
	static const struct step steps[] = {
	    GREET, {HEAR, "a", 0}, {HEAR, "b", 0}, {SAY, OK(2) OK(2) OK(3), 0}, {END, NULL, 0},
	};
	struct vm_err err = VM_ERR_INIT;
	struct peer p;
	struct vm_qmp *q = start_greeted(&p, steps);
	uint64_t a, b;

	(void)state;
	assert_int_equal(vm_qmp_send(q, &a, &err, "a", NULL), 0);
	assert_int_equal(vm_qmp_send(q, &b, &err, "b", NULL), 0);
	assert_int_equal(vm_qmp_recv(q, b, soon(), NULL, &err), -1);
	assert_non_null(strstr(err.msg, "not given"));
	assert_int_equal(vm_qmp_recv(q, a, soon(), NULL, &err), 0);
	stop(&p, q);
}

/* Late replies free what waited for them, however many there were. */
static void test_many_timeouts(void **state)
{
	static const struct step steps[] = {GREET, {END, NULL, 0}};
	VM_AUTO(vm_strbuf_free) struct vm_strbuf replies = VM_STRBUF_INIT;
	struct vm_err err = VM_ERR_INIT;
	struct peer p;
	struct vm_qmp *q = start_greeted(&p, steps);

	(void)state;
	pthread_join(p.thread, NULL);
	for (unsigned i = 0; i < 2 * VM_QMP_PENDING_MAX; i++) {
		if (i == VM_QMP_PENDING_MAX)
			say(p.fd, replies.text, SIZE_MAX);
		assert_int_equal(vm_qmp_call(q, vm_deadline_in(0), NULL, &err, "x", NULL), -1);
		assert_int_equal(err.kind, VM_TIMED_OUT);
		vm_strbuf_printf(&replies, "{\"return\":{},\"id\":%u}\n", i + 2);
	}
	vm_qmp_close(&q);
	close(p.fd);
}

static void test_numbers(void **state)
{
	static const struct step steps[] = {
	    GREET,
	    {HEAR, "{\"v\": 18446744073709551615}", 0},
	    {SAY,
	     "{\"return\":{\"a\":18446744073709551615,\"b\":9223372036854775808,\"c\":"
	     "9223372036854775807,"
	     "\"d\":-9223372036854775808,\"e\":\"18446744073709551615 \\\" "
	     "9999999999999999999\",\"f\":1.5},\"id\":2}\n",
	     0},
	    {HEAR, "y", 0},
	    {SAY, "{\"return\": {\"return\":18446744073709551615 , \"x\":\"}\"} ,\"id\":3}\n", 0},
	    {END, NULL, 0},
	};
	struct vm_err err = VM_ERR_INIT;
	VM_AUTO_FREE char *text = NULL;
	json_t *v = NULL;
	struct peer p;
	struct vm_qmp *q = start_greeted(&p, steps);
	uint64_t id;

	(void)state;
	assert_int_equal(vm_qmp_send_text(q, "x", "{\"v\": 18446744073709551615}", &id, &err), 0);
	assert_int_equal(vm_qmp_recv(q, id, soon(), &v, &err), 0);
	assert_true((uint64_t)json_integer_value(json_object_get(v, "a")) == UINT64_MAX);
	assert_true((uint64_t)json_integer_value(json_object_get(v, "b")) == 1ULL << 63);
	assert_true(json_integer_value(json_object_get(v, "c")) == INT64_MAX);
	assert_true(json_integer_value(json_object_get(v, "d")) == INT64_MIN);
	assert_string_equal(json_string_value(json_object_get(v, "e")),
			    "18446744073709551615 \" 9999999999999999999");
	json_decref(v);
	assert_int_equal(vm_qmp_send(q, &id, &err, "y", NULL), 0);
	assert_int_equal(vm_qmp_recv_text(q, id, soon(), &text, &err), 0);
	assert_string_equal(text, "{\"return\":18446744073709551615 , \"x\":\"}\"}");
	stop(&p, q);
}

static void test_bad_arguments(void **state)
{
	static const struct step steps[] = {GREET, {END, NULL, 0}};
	struct vm_err err = VM_ERR_INIT;
	struct peer p;
	struct vm_qmp *q = start_greeted(&p, steps);
	uint64_t id;

	(void)state;
	assert_int_equal(vm_qmp_send_text(q, "x", "[]", &id, &err), -1);
	assert_int_equal(err.kind, VM_BAD_INPUT);
	assert_int_equal(vm_qmp_send_text(q, "x", "{\"a\":}", &id, &err), -1);
	assert_int_equal(vm_qmp_send_text(q, "x", "{},\"execute\":\"quit\"", &id, &err), -1);
	assert_int_equal(vm_qmp_send(q, &id, &err, "x", "{s:s}", "a", "\xff"), -1);
	assert_int_equal(err.kind, VM_BAD_INPUT);
	assert_false(vm_qmp_broken(q));
	stop(&p, q);
}

static void test_getfd(void **state)
{
	static const struct step steps[] = {
	    GREET,
	    {HEAR, "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"tap0\"},\"id\":2}", 0},
	    {SAY, OK(2), 0},
	    {END, NULL, 0},
	};
	struct vm_err err = VM_ERR_INIT;
	struct stat mine, theirs;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const struct vm_qmp_named_fd fds[] = {{"tap0", fd}};
	struct peer p;
	struct vm_qmp *q = start_greeted(&p, steps);

	(void)state;
	assert_int_equal(vm_qmp_getfd(q, fds, 1, soon(), &err), 0);
	assert_true(p.got_fd >= 0);
	assert_int_equal(fstat(fd, &mine) + fstat(p.got_fd, &theirs), 0);
	assert_true(mine.st_rdev == theirs.st_rdev && mine.st_ino == theirs.st_ino);
	close(p.got_fd);
	close(fd);
	stop(&p, q);
}

static void test_connect(void **state)
{
	char dir[] = "/tmp/vm-test-qmp-XXXXXX";
	struct vm_err err = VM_ERR_INIT;
	struct vm_qmp *q = NULL;
	int dirfd, listener;

	(void)state;
	assert_non_null(mkdtemp(dir));
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(vm_qmp_connect(dirfd, "qmp.sock", soon(), &q, &err), -1);
	assert_int_equal(err.kind, VM_NOT_FOUND);
	assert_int_equal(vm_sock_listen(dirfd, "qmp.sock", 1, &listener, &err), 0);
	assert_int_equal(vm_qmp_connect(dirfd, "qmp.sock", vm_deadline_in(30), &q, &err), -1);
	assert_int_equal(err.kind, VM_TIMED_OUT);
	close(listener);
	assert_int_equal(vm_qmp_connect(dirfd, "qmp.sock", soon(), &q, &err), -1);
	assert_int_equal(err.kind, VM_HYPERVISOR);
	/* A dead socket's name is taken over. */
	assert_int_equal(vm_sock_listen(dirfd, "qmp.sock", 1, &listener, &err), 0);
	close(listener);
	unlinkat(dirfd, "qmp.sock", 0);
	close(dirfd);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_call),
	    cmocka_unit_test(test_while_waiting),
	    cmocka_unit_test(test_fragments),
	    cmocka_unit_test(test_refusal),
	    cmocka_unit_test(test_pipeline),
	    cmocka_unit_test(test_timeout_and_late_reply),
	    cmocka_unit_test(test_silence),
	    cmocka_unit_test(test_after_others), cmocka_unit_test(test_bad_lines),
	    cmocka_unit_test(test_eof),
	    cmocka_unit_test(test_long_lines),
	    cmocka_unit_test(test_deep_and_wide),
	    cmocka_unit_test(test_event_flood),
	    cmocka_unit_test(test_event_bytes),
	    cmocka_unit_test(test_flood_deadline),
	    cmocka_unit_test(test_peer_does_not_read),
	    cmocka_unit_test(test_many_pending),
	    cmocka_unit_test(test_forget),
	    cmocka_unit_test(test_answered_twice),
	    cmocka_unit_test(test_many_timeouts),
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_bad_arguments),
	    cmocka_unit_test(test_getfd),
	    cmocka_unit_test(test_connect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
