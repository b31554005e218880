/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The client of the guest agent against an agent that a test plays: everything it says is hostile. */
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
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/strbuf.h>

#include "qemu/qmp/agent.h"

#define DEADLINE_MS 20000u
#define SHORT_MS    300u

/* One agent, for one client: what it says before it has heard anything, and to each line it hears. */
struct play {
	const char *stale;	/* left by an earlier client; NULL = nothing */
	const char *first;	/* in the place of the answer to the synchronisation; NULL = the right one */
	const char *replies[3]; /* to the commands; "" = silence, NULL = closes */
	size_t flood;		/* this many MiB without an end in the place of the first reply */
	const char *forever;	/* said again and again instead */
	unsigned stale_syncs;	/* answers with wrong ids before the right one */
};
static struct {
	char dir[64];
	int run, listening;
	pthread_t thread;
	const struct play *play;
	char heard[4][512];
} world;

static bool say(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
	return true;
}

static bool hear(int fd, char *buf, size_t size)
{
	size_t n = 0;
	char c;

	while (recv(fd, &c, 1, 0) == 1) {
		if (c == '\n') {
			buf[n] = '\0';
			return true;
		}
		if (n < size - 1)
			buf[n++] = c;
	}
	return false;
}

static bool synchronise(int fd, const struct play *p)
{
	const char *id;
	char text[96];

	if (!hear(fd, world.heard[0], sizeof(world.heard[0])))
		return false;
	if (p->forever != NULL) {
		VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;

		/* faster than it is read */
		while (b.len < 1u << 20)
			vm_strbuf_puts(&b, p->forever);
		while (say(fd, b.text, b.len))
			;
	}
	if (p->first != NULL)
		return say(fd, p->first, strlen(p->first));
	for (unsigned i = 0; i < p->stale_syncs; i++)
		if (!say(fd, "\xff{\"return\":1}\n", strlen("\xff{\"return\":1}\n")))
			return false;
	id = strstr(world.heard[0], "\"id\":");
	snprintf(text, sizeof(text), "\xff{\"return\":%lld}\n", id != NULL ? atoll(id + 5) : 0);
	return say(fd, text, strlen(text));
}

static void *run(void *arg)
{
	const struct play *p = world.play;
	int fd = accept4(world.listening, NULL, NULL, SOCK_CLOEXEC);
	char c, page[4096];

	(void)arg;
	if (p->stale != NULL)
		say(fd, p->stale, strlen(p->stale));
	if (!synchronise(fd, p))
		goto out;
	for (unsigned i = 0; i < VM_COUNT(p->replies); i++) {
		if (!hear(fd, world.heard[1 + i], sizeof(world.heard[0])))
			break;
		memset(page, '[', sizeof(page));
		for (size_t k = 0; i == 0 && k < p->flood << 8; k++)
			if (!say(fd, page, sizeof(page)))
				goto out;
		if (p->replies[i] == NULL)
			goto out;
		say(fd, p->replies[i], strlen(p->replies[i]));
	}
	/* until the client goes */
	while (recv(fd, &c, 1, 0) > 0)
		;
out:
	close(fd);
	return NULL;
}

static int begin(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	(void)state;
	strcpy(world.dir, "/tmp/vm-agent.XXXXXX");
	assert_non_null(mkdtemp(world.dir));
	world.run = open(world.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/" VM_AGENT_SOCKET, world.dir);
	world.listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(world.listening, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(world.listening, 1), 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	close(world.listening);
	unlinkat(world.run, VM_AGENT_SOCKET, 0);
	close(world.run);
	return rmdir(world.dir);
}

/* Opens the agent that plays p and calls "guest-test" if that went well. */
static int ask(const struct play *p, unsigned ms, char **ret_text, struct vm_err *err)
{
	struct vm_guest g = VM_GUEST_INIT;
	VM_AUTO(vm_agent_close) struct vm_agent *a = NULL;
	struct vm_deadline dl = vm_deadline_in(ms);
	json_t *value = NULL;
	int r;

	*err = VM_ERR_INIT;
	*ret_text = NULL;
	memset(world.heard, 0, sizeof(world.heard));
	world.play = p;
	g.run = world.run;
	vm_record_set(&g.record, VM_KEY_AGENT, VM_AGENT_SOCKET);
	assert_int_equal(pthread_create(&world.thread, NULL, run, NULL), 0);
	r = vm_agent_open(&g, dl, &a, err);
	if (r == 0)
		r = vm_agent_call(a, "guest-test", NULL, dl, &value, err);
	if (r == 0)
		*ret_text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	json_decref(value);
	vm_agent_close(&a);
	pthread_join(world.thread, NULL);
	vm_record_free(&g.record);
	return r;
}

static void fails(const struct play *p, unsigned ms, enum vm_kind kind, const char *message)
{
	struct vm_err err;
	VM_AUTO_FREE char *text = NULL;

	assert_int_equal(ask(p, ms, &text, &err), -1);
	assert_string_equal(err.msg, message);
	assert_int_equal(err.kind, kind);
}

static void test_answer(void **state)
{
	const struct play plain = { .replies = { "{\"return\":{\"a\":[1,\"x\"]}}\n" } };
	const struct play later = { .stale = "rest of an answer\"}}\n{\"return\":{}}\n", .stale_syncs = 3,
				    .replies = { "\n\n{\"return\":{}}\r\n" } };
	struct vm_err err;
	char *text;

	(void)state;
	assert_int_equal(ask(&plain, DEADLINE_MS, &text, &err), 0);
	assert_string_equal(text, "{\"a\":[1,\"x\"]}");
	free(text);
	assert_string_equal(world.heard[1], "{\"execute\":\"guest-test\"}");
	/* What another client left is thrown away, and only the own number counts. */
	assert_int_equal(ask(&later, DEADLINE_MS, &text, &err), 0);
	assert_string_equal(text, "{}");
	free(text);
}

static void test_refusal(void **state)
{
	const struct play unknown = { .replies = { "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"no\"}}\n" } };
	const struct play refused = { .replies = { "{\"error\":{\"class\":\"GenericError\",\"desc\":\"busy\"}}\n" } };
	const struct play odd = { .replies = { "{\"error\":[1]}\n" } };
	const struct play nothing = { .replies = { "{\"id\":1}\n" } };

	(void)state;
	fails(&unknown, DEADLINE_MS, VM_UNSUPPORTED, "the guest agent refused guest-test: no");
	fails(&refused, DEADLINE_MS, VM_HYPERVISOR, "the guest agent refused guest-test: busy");
	fails(&odd, DEADLINE_MS, VM_HYPERVISOR, "the guest agent refused guest-test: no reason given");
	fails(&nothing, DEADLINE_MS, VM_HYPERVISOR, "the guest agent gave no answer to guest-test");
}

static void test_garbage(void **state)
{
	const struct play garbage = { .first = "\xff nonsense\n" };
	const struct play array = { .replies = { "[1]\n" } };
	const struct play twice = { .replies = { "{\"return\":1,\"return\":2}\n" } };
	const struct play closed = { .replies = { NULL } };
	struct vm_err err;
	char *text;

	(void)state;
	assert_int_equal(ask(&garbage, DEADLINE_MS, &text, &err), -1);
	assert_int_equal(err.kind, VM_HYPERVISOR);
	assert_non_null(strstr(err.msg, "the guest agent sent no JSON object"));
	assert_int_equal(ask(&array, DEADLINE_MS, &text, &err), -1);
	assert_non_null(strstr(err.msg, "guest-test: the guest agent sent no JSON object"));
	assert_int_equal(ask(&twice, DEADLINE_MS, &text, &err), -1);
	assert_non_null(strstr(err.msg, "guest-test: the guest agent sent no JSON object"));
	fails(&closed, DEADLINE_MS, VM_HYPERVISOR, "guest-test: the agent's channel was closed");
}

static void test_too_much(void **state)
{
	const struct play endless = { .flood = 17, .replies = { "\n" } };
	const struct play deep = { .flood = 1, .replies = { "\n" } };
	struct play many = { .stale = NULL };
	struct vm_strbuf b = VM_STRBUF_INIT;

	(void)state;
	fails(&endless, DEADLINE_MS, VM_HYPERVISOR,
	      "guest-test: the guest agent sent more than 16777216 bytes");
	fails(&deep, DEADLINE_MS, VM_HYPERVISOR,
	      "guest-test: the guest agent sent more than 262144 values, or nested deeper than 64");
	vm_strbuf_puts(&b, "{\"return\":[0");
	for (unsigned i = 0; i < VM_AGENT_VALUES_MAX; i++)
		vm_strbuf_puts(&b, ",0");
	vm_strbuf_puts(&b, "]}\n");
	many.replies[0] = b.text;
	fails(&many, DEADLINE_MS, VM_HYPERVISOR,
	      "guest-test: the guest agent sent more than 262144 values, or nested deeper than 64");
	vm_strbuf_free(&b);
}

/* Silence, and talk without end: both are over with the deadline. */
static void test_deadline(void **state)
{
	const struct play mute = { .first = "" };
	const struct play later = { .replies = { "" } };
	const struct play wrong = { .forever = "\xff{\"return\":7}\n" };
	const struct play chatter = { .forever = "\xff\n\n{}\n{}\n" };

	(void)state;
	fails(&mute, SHORT_MS, VM_TIMED_OUT, "the guest agent does not answer");
	fails(&later, SHORT_MS, VM_TIMED_OUT, "guest-test: the guest agent does not answer");
	fails(&wrong, SHORT_MS, VM_TIMED_OUT, "the guest agent does not answer");
	fails(&chatter, SHORT_MS, VM_TIMED_OUT, "the guest agent does not answer");
}

static void test_no_channel(void **state)
{
	struct vm_guest g = VM_GUEST_INIT;
	struct vm_agent *a = NULL;
	struct vm_err err = VM_ERR_INIT;

	(void)state;
	assert_int_equal(vm_agent_open(&g, vm_deadline_in(SHORT_MS), &a, &err), -1);
	assert_int_equal(err.kind, VM_UNSUPPORTED);
	assert_null(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answer, begin, end),
		cmocka_unit_test_setup_teardown(test_refusal, begin, end),
		cmocka_unit_test_setup_teardown(test_garbage, begin, end),
		cmocka_unit_test_setup_teardown(test_too_much, begin, end),
		cmocka_unit_test_setup_teardown(test_deadline, begin, end),
		cmocka_unit_test(test_no_channel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
