/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Talking to systemd, with a peer that plays it over a socketpair: well, badly, and not at all. */
#include <poll.h>
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
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "cgroup/dbus.h"
#include "cgroup/systemd.h"
#include "dbus_peer.h"

enum how {
	PLAY_WELL,
	PLAY_SIGNAL_FIRST, /* the job is done before its number is told */
	PLAY_BYTEWISE,
	PLAY_OTHER_ENDIAN,
	PLAY_JOB_FAILS,
	PLAY_DENIES,
	PLAY_EXISTS_EMPTY, /* the unit is there, and goes when it is asked to */
	PLAY_EXISTS_BUSY,
	PLAY_NO_UNIT,
	PLAY_REJECTS, /* from here on it misbehaves */
	PLAY_AUTH_ENDLESS,
	PLAY_AUTH_TALKS_ON,
	PLAY_SILENT,
	PLAY_SILENT_AUTH,
	PLAY_NO_JOB_END,
	PLAY_FLOOD,
	PLAY_GARBAGE,
	PLAY_HUGE,
	PLAY_HANGS_UP,
	PLAY_WRONG_TYPE,
	PLAY_CUT_STRING,
};
struct peer {
	int fd;
	enum how how;
	pthread_t thread;
	bool bus, exists;
	char calls[2048];      /* "Hello AddMatch StartTransientUnit(...)" */
	struct vm_strbuf seen; /* the body of the last call that changes something */
	uint32_t serial;
};

/* ---- the peer ---- */

static bool put(struct peer *p, const void *data, size_t len)
{
	const char *at = data;

	if (p->how != PLAY_BYTEWISE)
		return send(p->fd, data, len, MSG_NOSIGNAL) == (ssize_t)len;
	for (size_t i = 0; i < len; i++) {
		if (send(p->fd, at + i, 1, MSG_NOSIGNAL) != 1)
			return false;
		if (i % 16 == 0)
			usleep(200);
	}
	return true;
}

static void swap32(struct vm_strbuf *b, size_t at)
{
	uint32_t v;

	memcpy(&v, b->text + at, 4);
	v = __builtin_bswap32(v);
	memcpy(b->text + at, &v, 4);
}

static bool message(struct peer *p, enum vm_dbus_type type, uint32_t reply_to, const char *name,
		    const char *sig, const struct vm_strbuf *body)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;

	dbus_peer_message(&b, type, ++p->serial, reply_to, name, sig, body);
	return put(p, b.text, b.len);
}

static bool reply_str(struct peer *p, uint32_t to, const char *sig, const char *text)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;

	if (*sig == 'v')
		vm_dbus_put_sig(&b, "s");
	vm_dbus_put_str(&b, text);
	if (p->how == PLAY_CUT_STRING)
		b.len -= 3;
	return message(p, VM_DBUS_RETURN, to, NULL, sig, &b);
}

static bool refuse(struct peer *p, uint32_t to, const char *name, const char *text)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;

	vm_dbus_put_str(&b, text);
	return message(p, VM_DBUS_ERROR, to, name, "s", &b);
}

static bool job_removed(struct peer *p, const char *path, const char *unit, const char *result)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;

	vm_dbus_put_u32(&b, 42);
	vm_dbus_put_str(&b, path);
	vm_dbus_put_str(&b, unit);
	vm_dbus_put_str(&b, result);
	return message(p, VM_DBUS_SIGNAL, 0, "JobRemoved", "uoss", &b);
}

#define JOB "/org/freedesktop/systemd1/job/42"

/* A reply written by hand in big-endian order: a job's path. */
static bool reply_other_endian(struct peer *p, uint32_t to)
{
	static const char path[] = JOB;
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	uint32_t n;

	vm_strbuf_add(&b, "B\2\0\1", 4);
	vm_dbus_put_u32(&b, (uint32_t)(4 + sizeof(path)));
	vm_dbus_put_u32(&b, ++p->serial);
	vm_dbus_put_u32(&b, 15); /* 8 of the first field, 7 of the second */
	vm_strbuf_add(&b, "\5\1u\0", 4);
	vm_dbus_put_u32(&b, to);
	vm_strbuf_add(&b, "\10\1g\0\1o\0", 7);
	vm_dbus_put_align(&b, 8);
	n = (uint32_t)strlen(path);
	vm_dbus_put_u32(&b, n);
	vm_strbuf_add(&b, path, sizeof(path));
	for (size_t at = 4; at < 16; at += 4)
		swap32(&b, at);
	swap32(&b, 20);
	swap32(&b, 32);
	return put(p, b.text, b.len);
}

static bool play_start(struct peer *p, const struct vm_dbus_msg *m, const char *unit)
{
	char huge[16] = "l\2\0\1\0\0\0\0\0\0\0\0\0\0\0";

	switch ((int)p->how) {
	case PLAY_DENIES:
		return refuse(p, m->serial, "org.freedesktop.DBus.Error.AccessDenied",
			      "Permission denied");
	case PLAY_SILENT:
		return true;
	case PLAY_GARBAGE:
		return put(p, "\x7f\x45LF garbage and more of it", 28);
	case PLAY_HUGE:
		huge[8] = 1;
		memset(huge + 4, 0x70, 4);
		return put(p, huge, sizeof(huge));
	case PLAY_HANGS_UP:
		return false;
	case PLAY_WRONG_TYPE:
		return reply_str(p, m->serial, "s", JOB);
	case PLAY_FLOOD:
		while (job_removed(p, "/other", "other.scope", "done"))
			;
		return false;
	case PLAY_SIGNAL_FIRST:
		return job_removed(p, JOB, unit, "done") && reply_str(p, m->serial, "o", JOB);
	case PLAY_OTHER_ENDIAN:
		return reply_other_endian(p, m->serial) && job_removed(p, JOB, unit, "done");
	case PLAY_NO_JOB_END:
		return reply_str(p, m->serial, "o", JOB) &&
		       job_removed(p, "/org/freedesktop/systemd1/job/41", unit, "done");
	case PLAY_JOB_FAILS:
		return reply_str(p, m->serial, "o", JOB) && job_removed(p, JOB, unit, "failed");
	default:
		break;
	}
	if (p->exists)
		return refuse(p, m->serial, "org.freedesktop.systemd1.UnitExists",
			      "Unit was already loaded or has a fragment file.");
	return job_removed(p, "/x", "x.scope", "done") && reply_str(p, m->serial, "o", JOB) &&
	       job_removed(p, JOB, unit, "done");
}

static bool play_processes(struct peer *p, uint32_t to)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	struct vm_dbus_array a = vm_dbus_put_array(&b, 8);

	if (p->how == PLAY_EXISTS_BUSY) {
		vm_dbus_put_str(&b, "/machine.slice/vm-one.scope");
		vm_dbus_put_u32(&b, 4711);
		vm_dbus_put_str(&b, "qemu");
	}
	vm_dbus_end_array(&b, a);
	return message(p, VM_DBUS_RETURN, to, NULL, "a(sus)", &b);
}

static bool play(struct peer *p, const struct vm_dbus_msg *m)
{
	struct vm_dbus_in body = m->body;
	const char *first = *m->signature == 's' ? vm_dbus_get_str(&body) : "";
	size_t len = strlen(p->calls);

	snprintf(p->calls + len, sizeof(p->calls) - len, "%s%s", len ? " " : "", m->member);
	if (strcmp(m->member, "StartTransientUnit") == 0 ||
	    strcmp(m->member, "SetUnitProperties") == 0) {
		vm_strbuf_clear(&p->seen);
		vm_strbuf_add(&p->seen, (const char *)m->body.data, m->body.len);
	}
	if (strcmp(m->member, "Hello") == 0)
		return reply_str(p, m->serial, "s", ":1.7");
	if (strcmp(m->member, "StartTransientUnit") == 0)
		return play_start(p, m, first);
	if (strcmp(m->member, "GetUnit") == 0)
		return reply_str(p, m->serial, "o", "/org/freedesktop/systemd1/unit/one");
	if (strcmp(m->member, "Get") == 0)
		return reply_str(p, m->serial, "v", "/machine.slice/vm-one.scope");
	if (strcmp(m->member, "GetUnitProcesses") == 0)
		return play_processes(p, m->serial);
	if (strcmp(m->member, "StopUnit") == 0) {
		if (p->how == PLAY_NO_UNIT)
			return refuse(p, m->serial, "org.freedesktop.systemd1.NoSuchUnit",
				      "Unit vm-one.scope not loaded.");
		p->exists = false;
		return reply_str(p, m->serial, "o", JOB) && job_removed(p, JOB, first, "done");
	}
	return message(p, VM_DBUS_RETURN, m->serial, NULL, NULL, NULL);
}

/* Reads as much as there is; false: the client has gone. */
static bool more(struct peer *p, struct vm_strbuf *in)
{
	char buf[4096];
	ssize_t n = recv(p->fd, buf, sizeof(buf), 0);

	if (n > 0)
		vm_strbuf_add(in, buf, (size_t)n);
	return n > 0;
}

static bool play_auth(struct peer *p, struct vm_strbuf *in)
{
	char *end;
	size_t used;

	while (!in->len || !memchr(in->text, '\n', in->len))
		if (!more(p, in))
			return false;
	if (p->how == PLAY_SILENT_AUTH)
		return more(p, in);
	if (p->how == PLAY_REJECTS)
		return put(p, "REJECTED EXTERNAL\r\n", 19) && more(p, in);
	if (p->how == PLAY_AUTH_TALKS_ON)
		return put(p, "OK 00\r\nOK 00\r\n", 14) && more(p, in);
	while (p->how == PLAY_AUTH_ENDLESS)
		if (!put(p, "aaaaaaaaaaaaaaaa", 16))
			return false;
	if (in->text[0] != 0 || strncmp(in->text + 1, "AUTH EXTERNAL ", 14) != 0 ||
	    !put(p, "OK 0123456789abcdef0123456789abcdef\r\n", 37))
		return false;
	vm_strbuf_clear(in);
	while (!in->len || !(end = memchr(in->text, '\n', in->len)))
		if (!more(p, in))
			return false;
	used = (size_t)(end + 1 - in->text);
	memmove(in->text, end + 1, in->len - used);
	in->len -= used;
	return true;
}

static void *peer_main(void *arg)
{
	struct peer *p = arg;
	VM_AUTO(vm_strbuf_free) struct vm_strbuf in = VM_STRBUF_INIT;
	struct vm_err err = VM_ERR_INIT;
	struct vm_dbus_msg m;

	if (!play_auth(p, &in))
		goto end;
	for (;;) {
		int r = vm_dbus_parse((const uint8_t *)in.text, in.len, &m, &err);

		if (r == 1 && more(p, &in))
			continue;
		if (r != 0 || !play(p, &m))
			break;
		memmove(in.text, in.text + m.size, in.len - m.size);
		in.len -= m.size;
	}
end:
	shutdown(p->fd, SHUT_RDWR);
	return NULL;
}

static struct peer peer;

static struct vm_systemd *meet(enum how how, bool bus, uint64_t ms, struct vm_err *err)
{
	struct vm_systemd *s = NULL;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	peer = (struct peer){.fd = fds[1],
			     .how = how,
			     .bus = bus,
			     .exists = how == PLAY_EXISTS_EMPTY || how == PLAY_EXISTS_BUSY};
	assert_int_equal(pthread_create(&peer.thread, NULL, peer_main, &peer), 0);
	if (vm_systemd_open_fd(fds[0], bus, vm_deadline_in(ms), &s, err) < 0)
		return NULL;
	return s;
}

static void part(struct vm_systemd *s)
{
	vm_systemd_close(s);
	pthread_join(peer.thread, NULL);
	close(peer.fd);
	vm_strbuf_free(&peer.seen);
}

static const pid_t pids[] = {4711, 4712};
static const struct vm_systemd_scope scope = {
    .unit = "vm-one.scope",
    .slice = "machine.slice",
    .description = "Guest one",
    .pids = pids,
    .npids = 2,
    .tasks_max = 99,
    .ordered = true,
};

static int create(enum how how, bool bus, uint64_t ms, char **ret, struct vm_err *err)
{
	struct vm_systemd *s = meet(how, bus, 5000, err);
	int r;

	*err = VM_ERR_INIT;
	assert_non_null(s);
	r = vm_systemd_scope_create(s, &scope, vm_deadline_in(ms), ret, err);
	return vm_systemd_close(s), pthread_join(peer.thread, NULL), close(peer.fd), r;
}

/* ---- the tests ---- */

static void wanted(struct vm_dbus_in *in, const char *name, const char *sig)
{
	while (in->at % 8)
		vm_dbus_get_byte(in);
	assert_string_equal(vm_dbus_get_str(in), name);
	assert_string_equal(vm_dbus_get_sig(in), sig);
}

/* What is asked for, read back property by property. */
static void check_request(void)
{
	struct vm_dbus_in in = {.data = (const uint8_t *)peer.seen.text, .len = peer.seen.len};

	assert_string_equal(vm_dbus_get_str(&in), "vm-one.scope");
	assert_string_equal(vm_dbus_get_str(&in), "fail");
	vm_dbus_get_u32(&in);
	wanted(&in, "Description", "s");
	assert_string_equal(vm_dbus_get_str(&in), "Guest one");
	wanted(&in, "Slice", "s");
	assert_string_equal(vm_dbus_get_str(&in), "machine.slice");
	wanted(&in, "Delegate", "b");
	assert_int_equal(vm_dbus_get_u32(&in), 1);
	wanted(&in, "CollectMode", "s");
	assert_string_equal(vm_dbus_get_str(&in), "inactive-or-failed");
	wanted(&in, "TasksMax", "t");
	assert_int_equal(vm_dbus_get_u64(&in), 99);
	wanted(&in, "DefaultDependencies", "b");
	assert_int_equal(vm_dbus_get_u32(&in), 0);
	wanted(&in, "Before", "as");
	vm_dbus_get_u32(&in);
	assert_string_equal(vm_dbus_get_str(&in), "vm-guests.target");
	wanted(&in, "Wants", "as");
	vm_dbus_get_u32(&in);
	assert_string_equal(vm_dbus_get_str(&in), "vm-guests.service");
	wanted(&in, "PIDs", "au");
	assert_int_equal(vm_dbus_get_u32(&in), 8);
	assert_int_equal(vm_dbus_get_u32(&in), 4711);
	assert_int_equal(vm_dbus_get_u32(&in), 4712);
	assert_false(in.bad);
}

static void well(void **state)
{
	static const struct {
		enum how how;
		bool bus;
		const char *calls;
	} cases[] = {
	    {PLAY_WELL, false, "StartTransientUnit GetUnit Get"},
	    {PLAY_WELL, true, "Hello AddMatch StartTransientUnit GetUnit Get"},
	    {PLAY_SIGNAL_FIRST, false, "StartTransientUnit GetUnit Get"},
	    {PLAY_BYTEWISE, true, "Hello AddMatch StartTransientUnit GetUnit Get"},
	    {PLAY_OTHER_ENDIAN, false, "StartTransientUnit GetUnit Get"},
	    {PLAY_EXISTS_EMPTY, false,
	     "StartTransientUnit GetUnitProcesses StopUnit StartTransientUnit GetUnit Get"},
	};

	(void)state;
	for (size_t i = 0; i < VM_COUNT(cases); i++) {
		struct vm_err err = VM_ERR_INIT;
		VM_AUTO_FREE char *cgroup = NULL;
		int r = create(cases[i].how, cases[i].bus, 20000, &cgroup, &err);

		if (r < 0)
			fail_msg("case %zu: %s", i, err.msg);
		assert_string_equal(cgroup, "/machine.slice/vm-one.scope");
		assert_string_equal(peer.calls, cases[i].calls);
		check_request();
		vm_strbuf_free(&peer.seen);
	}
}

static void badly(void **state)
{
	static const struct {
		enum how how;
		uint64_t ms;
		enum vm_kind kind;
		const char *text;
	} cases[] = {
	    {PLAY_JOB_FAILS, 20000, VM_SYSTEM,
	     "systemd: the job for vm-one.scope ended as 'failed'"},
	    {PLAY_DENIES, 20000, VM_DENIED, "systemd: vm-one.scope: Permission denied"},
	    {PLAY_EXISTS_BUSY, 5000, VM_IN_USE,
	     "systemd has a unit vm-one.scope with processes in it already"},
	    {PLAY_SILENT, 200, VM_TIMED_OUT,
	     "systemd: vm-one.scope: StartTransientUnit: D-Bus: no answer in time"},
	    {PLAY_NO_JOB_END, 200, VM_TIMED_OUT,
	     "systemd: the job for vm-one.scope: D-Bus: no answer in time"},
	    {PLAY_FLOOD, 200, VM_TIMED_OUT,
	     "systemd: vm-one.scope: StartTransientUnit: no answer in time"},
	    {PLAY_GARBAGE, 20000, VM_BAD_INPUT,
	     "systemd: vm-one.scope: StartTransientUnit: D-Bus: not a message"},
	    {PLAY_HUGE, 20000, VM_BAD_INPUT,
	     "systemd: vm-one.scope: StartTransientUnit: D-Bus: a message of more than 262144 "
	     "bytes"},
	    {PLAY_HANGS_UP, 20000, VM_SYSTEM,
	     "systemd: vm-one.scope: StartTransientUnit: D-Bus: the other side hung up"},
	    {PLAY_WRONG_TYPE, 20000, VM_BAD_INPUT,
	     "systemd: the answer to StartTransientUnit is no job"},
	    {PLAY_CUT_STRING, 20000, VM_BAD_INPUT,
	     "systemd: the answer to StartTransientUnit is no job"},
	};

	(void)state;
	for (size_t i = 0; i < VM_COUNT(cases); i++) {
		struct vm_err err = VM_ERR_INIT;
		VM_AUTO_FREE char *cgroup = NULL;

		assert_int_equal(create(cases[i].how, false, cases[i].ms, &cgroup, &err), -1);
		assert_null(cgroup);
		assert_string_equal(err.msg, cases[i].text);
		assert_int_equal(err.kind, cases[i].kind);
		vm_strbuf_free(&peer.seen);
	}
}

static void authentication(void **state)
{
	static const struct {
		enum how how;
		uint64_t ms;
		enum vm_kind kind;
		const char *text;
	} cases[] = {
	    {PLAY_REJECTS, 20000, VM_DENIED, "is not let in"},
	    {PLAY_AUTH_ENDLESS, 20000, VM_BAD_INPUT, "the authentication never ends"},
	    {PLAY_AUTH_TALKS_ON, 20000, VM_BAD_INPUT, "the authentication breaks the protocol"},
	    {PLAY_SILENT_AUTH, 200, VM_TIMED_OUT, "systemd: D-Bus: no answer in time"},
	};

	(void)state;
	for (size_t i = 0; i < VM_COUNT(cases); i++) {
		struct vm_err err = VM_ERR_INIT;

		assert_null(meet(cases[i].how, false, cases[i].ms, &err));
		part(NULL);
		assert_non_null(strstr(err.msg, cases[i].text));
		assert_int_equal(err.kind, cases[i].kind);
	}
}

static void stop_and_set(void **state)
{
	static const struct vm_systemd_limit limits[] = {{"CPUWeight", 300},
							 {"IOWeight", UINT64_MAX}};
	struct vm_err err = VM_ERR_INIT;
	struct vm_systemd *s = meet(PLAY_NO_UNIT, false, 5000, &err);
	struct vm_dbus_in in;

	(void)state;
	assert_non_null(s);
	assert_int_equal(vm_systemd_unit_stop(s, "vm-one.scope", vm_deadline_in(5000), &err), 0);
	part(s);
	s = meet(PLAY_WELL, false, 5000, &err);
	assert_int_equal(vm_systemd_unit_stop(s, "vm-one.scope", vm_deadline_in(5000), &err), 0);
	assert_int_equal(
	    vm_systemd_unit_set(s, "vm-one.scope", limits, 2, vm_deadline_in(5000), &err), 0);
	in = (struct vm_dbus_in){.data = (const uint8_t *)peer.seen.text, .len = peer.seen.len};
	assert_string_equal(vm_dbus_get_str(&in), "vm-one.scope");
	assert_int_equal(vm_dbus_get_u32(&in), 1);
	vm_dbus_get_u32(&in);
	wanted(&in, "CPUWeight", "t");
	assert_int_equal(vm_dbus_get_u64(&in), 300);
	wanted(&in, "IOWeight", "t");
	assert_true(vm_dbus_get_u64(&in) == UINT64_MAX);
	assert_false(in.bad);
	part(s);
}

static void names(void **state)
{
	static const struct {
		const char *guest, *unit;
	} cases[] = {
	    {"web1", "vm-web1.scope"},
	    {"db 1", "vm-db\\x201.scope"},
	    {"a-b", "vm-a\\x2db.scope"},
	    {"a/b", "vm-a-b.scope"},
	    {".hidden", "vm-\\x2ehidden.scope"},
	    {"dot.ted:x_y", "vm-dot.ted:x_y.scope"},
	    {"back\\slash@1", "vm-back\\x5cslash\\x401.scope"},
	    {"\xc3\xa9", "vm-\\xc3\\xa9.scope"},
	};
	char longest[201];
	VM_AUTO_FREE char *one = NULL;
	VM_AUTO_FREE char *two = NULL;

	(void)state;
	for (size_t i = 0; i < VM_COUNT(cases); i++) {
		VM_AUTO_FREE char *unit = vm_systemd_scope_name(cases[i].guest);

		assert_string_equal(unit, cases[i].unit);
	}
	/* 200 bytes that become 800 */
	memset(longest, '-', 200);
	longest[200] = 0;
	one = vm_systemd_scope_name(longest);
	longest[199] = '+';
	two = vm_systemd_scope_name(longest);
	assert_true(strlen(one) <= 255 && strlen(one) > 240);
	assert_string_not_equal(one, two);
	for (const char *p = one; (p = strchr(p, '\\')) != NULL; p++)
		assert_memory_equal(p, "\\x2d", 4);
}

static void places(void **state)
{
	char top[] = "/tmp/vm-test-systemd-XXXXXX", path[128];
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct vm_err err = VM_ERR_INIT;
	struct vm_systemd *s = NULL;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(top));
	assert_false(vm_systemd_present(top));
	assert_int_equal(vm_systemd_open(top, vm_deadline_in(5000), &s, &err), -1);
	assert_int_equal(err.kind, VM_NOT_FOUND);
	assert_string_equal(err.msg, "there is no systemd");
	snprintf(path, sizeof(path), "%s/systemd", top);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/systemd/system", top);
	mkdir(path, 0755);
	assert_true(vm_systemd_present(top));
	assert_int_equal(vm_systemd_open(top, vm_deadline_in(5000), &s, &err), -1);
	assert_int_equal(err.kind, VM_NOT_FOUND);
	/* one that does not listen any more */
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/systemd/private", top);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(vm_systemd_open(top, vm_deadline_in(5000), &s, &err), -1);
	assert_int_equal(err.kind, VM_HYPERVISOR);
	close(fd);
	unlink(sa.sun_path);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/systemd", top);
	rmdir(path);
	rmdir(top);
}

/* A message as systemd sends it, cut at every length, and with every bit of it turned. */
static void every_cut(void **state)
{
	static const uint8_t sample[] = "l\4\1\1\x18\0\0\0\2\0\0\0\x28\0\0\0"
					"\1\1o\0\5\0\0\0/a/bc\0\0\0"
					"\3\1s\0\3\0\0\0Job\0\0\0\0\0"
					"\10\1g\0\2us\0"
					"\7\0\0\0\xf\0\0\0hello, systemd!";
	struct vm_err err = VM_ERR_INIT;
	struct vm_dbus_msg m;
	uint8_t copy[sizeof(sample)];

	(void)state;
	assert_int_equal(sizeof(sample), 80);
	assert_int_equal(vm_dbus_parse(sample, sizeof(sample), &m, &err), 0);
	assert_int_equal(m.size, sizeof(sample));
	assert_string_equal(m.path, "/a/bc");
	assert_string_equal(m.member, "Job");
	assert_string_equal(m.signature, "us");
	assert_int_equal(vm_dbus_get_u32(&m.body), 7);
	assert_string_equal(vm_dbus_get_str(&m.body), "hello, systemd!");
	assert_false(m.body.bad);
	vm_dbus_get_byte(&m.body);
	assert_true(m.body.bad);
	for (size_t n = 0; n < sizeof(sample); n++)
		assert_int_equal(vm_dbus_parse(sample, n, &m, &err), 1);
	for (size_t bit = 0; bit < sizeof(sample) * 8; bit++) {
		memcpy(copy, sample, sizeof(copy));
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (vm_dbus_parse(copy, sizeof(copy), &m, &err) != 0)
			continue;
		assert_true(m.size <= sizeof(copy));
		vm_dbus_get_u32(&m.body);
		vm_dbus_get_str(&m.body);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(well),	      cmocka_unit_test(badly),
	    cmocka_unit_test(authentication), cmocka_unit_test(stop_and_set),
	    cmocka_unit_test(names),	      cmocka_unit_test(places),
	    cmocka_unit_test(every_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
