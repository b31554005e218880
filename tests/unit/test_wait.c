/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting for what is inside a guest, with a driver that plays QEMU and the agent. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
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
#include <vm/events.h>
#include <vm/file.h>
#include <vm/state.h>

#include "driver.h"
#include "guest/list.h"
#include "guest/wait.h"
#include "guest/wait_inside.h"

static char top[] = "/tmp/vm-test-wait-XXXXXX";
static struct vm_state places = VM_STATE_INIT;
static struct vm_guest guest = VM_GUEST_INIT;
static int alive = -1;
static struct vm_events_writer events = VM_EVENTS_WRITER_INIT;

/* ---- the driver ---- */

static int agent_calls, agent_ready_at, device_there;
static const char *interfaces;
static char asked[256];

static int play_agent(struct vm_guest *g, const struct vm_monitor_call *call, struct vm_deadline dl,
		      char **ret_reply, struct vm_err *err)
{
	(void)g, (void)dl;
	snprintf(asked, sizeof(asked), "%s", call->command);
	if (agent_ready_at < 0)
		return vm_err_set(err, VM_UNSUPPORTED, "the guest has no channel for an agent");
	if (++agent_calls < agent_ready_at)
		return vm_err_set(err, VM_TIMED_OUT, "the guest agent does not answer");
	*ret_reply = vm_xstrdup(strcmp(call->command, "guest-ping") == 0 ? "{}" : interfaces);
	return 0;
}

static int play_monitor(struct vm_guest *g, const struct vm_monitor_call *call,
			struct vm_deadline dl, char **ret_reply, struct vm_err *err)
{
	(void)g, (void)dl;
	snprintf(asked, sizeof(asked), "%s", call->command);
	if (device_there < 0)
		return vm_err_set(err, VM_TIMED_OUT, "QEMU does not answer");
	if (!device_there)
		return vm_err_set(err, VM_HYPERVISOR, "qom-list: not found");
	*ret_reply = vm_xstrdup("[]");
	return 0;
}

static const struct vm_passthrough driver = {
    .name = "play", .monitor = play_monitor, .agent_call = play_agent};
static const struct vm_passthrough poor = {.name = "poor"};

/* ---- a running guest ---- */

static void status(enum vm_life life)
{
	struct vm_status s = {.life = life, .since_ms = 1, .from = "event"};
	struct vm_err err = VM_ERR_INIT;

	assert_int_equal(vm_status_write(guest.run, &s, &err), 0);
}

static int setup(void **state)
{
	struct vm_err err = VM_ERR_INIT;
	struct vm_procid self;

	(void)state;
	assert_non_null(mkdtemp(top));
	setenv("VM_ROOT", top, 1);
	setenv("HOME", top, 1);
	unsetenv("XDG_RUNTIME_DIR");
	if (vm_state_open(NULL, VM_STATE_CHANGE, &places, &err) < 0 ||
	    vm_guest_open(&places, "g", VM_GUEST_NEW | VM_GUEST_LOCKED, vm_deadline_in(1000),
			  &guest, &err) < 0 ||
	    vm_guest_make_dirs(&guest, &err) < 0 || vm_guest_alive_make(&guest, &alive, &err) < 0 ||
	    vm_procid_self(&self, &err) < 0)
		fail_msg("%s", err.msg);
	vm_record_set(&guest.record, VM_KEY_NAME, "g");
	vm_record_set(&guest.record, VM_KEY_PHASE, "running");
	vm_record_set_procid(&guest.record, VM_KEY_PID, &self);
	if (vm_guest_record_write(&guest, &err) < 0 ||
	    vm_events_create(guest.run, 1 << 20, &events, &err) < 0)
		fail_msg("%s", err.msg);
	status(VM_RUNNING);
	vm_guest_unlock(&guest);
	return 0;
}

static int teardown(void **state)
{
	VM_AUTO_FD int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct vm_err err = VM_ERR_INIT;

	(void)state;
	vm_events_writer_close(&events);
	close(alive);
	vm_guest_close(&guest);
	vm_state_close(&places);
	return vm_tree_remove(tmp, top + strlen("/tmp/"), &err);
}

static int begin(void **state)
{
	(void)state;
	agent_calls = 0;
	agent_ready_at = 1;
	device_there = 1;
	interfaces = "[]";
	status(VM_RUNNING);
	return 0;
}

static int wait_ms(const struct vm_wait_for *want, uint64_t ms, struct vm_wait_found *found,
		   struct vm_err *err)
{
	*err = VM_ERR_INIT;
	return vm_wait(&places, &driver, "g", want, vm_deadline_in(ms), found, err);
}

/* Does something in a while. */
struct later {
	pthread_t thread;
	void (*fn)(void);
};

static void *run_later(void *arg)
{
	const struct later *l = arg;

	nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
	l->fn();
	return NULL;
}

static void later(struct later *l, void (*fn)(void))
{
	l->fn = fn;
	assert_int_equal(pthread_create(&l->thread, NULL, run_later, l), 0);
}

/* ---- the tests ---- */

static void pause_guest(void)
{
	status(VM_PAUSED);
}

static void test_state(void **state)
{
	struct vm_wait_for want = {.states = VM_LIST_STATE(VM_PAUSED)};
	struct vm_wait_found found = {0};
	uint64_t before = vm_now_ms();
	struct vm_err err;
	struct later l;

	(void)state;
	assert_int_equal(wait_ms(&want, 50, &found, &err), -1);
	assert_int_equal(err.kind, VM_TIMED_OUT);
	assert_string_equal(err.msg, "is running");
	later(&l, pause_guest);
	assert_int_equal(wait_ms(&want, 30000, &found, &err), 0);
	assert_int_equal(found.life, VM_PAUSED);
	assert_in_range(vm_now_ms() - before, 100, 20000);
	pthread_join(l.thread, NULL);
}

static void test_agent(void **state)
{
	struct vm_wait_for want = {.agent = true};
	struct vm_wait_found found = {0};
	struct vm_err err;

	(void)state;
	assert_int_equal(wait_ms(&want, 5000, &found, &err), 0);
	assert_string_equal(asked, "guest-ping");
	/* It is tried again. */
	agent_ready_at = 3;
	assert_int_equal(wait_ms(&want, 5000, &found, &err), 0);
	assert_int_equal(agent_calls, 3);
	agent_ready_at = 1000;
	assert_int_equal(wait_ms(&want, 50, &found, &err), -1);
	assert_int_equal(err.kind, VM_TIMED_OUT);
	assert_string_equal(err.msg, "the guest agent does not answer");
	/* No use in trying again. */
	agent_ready_at = -1;
	assert_int_equal(wait_ms(&want, 5000, &found, &err), -1);
	assert_int_equal(err.kind, VM_UNSUPPORTED);
	err = VM_ERR_INIT;
	assert_int_equal(vm_wait(&places, &poor, "g", &want, vm_deadline_in(100), &found, &err),
			 -1);
	assert_int_equal(err.kind, VM_UNSUPPORTED);
}

static void test_address(void **state)
{
	struct vm_wait_for want = {.address = true};
	struct vm_wait_found found = {0};
	struct vm_err err;

	(void)state;
	interfaces = "[{\"name\":\"lo\",\"ip-addresses\":[{\"ip-address\":\"127.0.0.1\"},{\"ip-"
		     "address\":\"::1\"}]},"
		     "{\"name\":\"eth0\",\"ip-addresses\":[{\"ip-address\":\"fe80::1\"},"
		     "{\"ip-address\":\"169.254.7.7\"},{\"ip-address\":\"2001:db8::7\"},"
		     "{\"ip-address\":\"10.0.0.7\"}]}]";
	assert_int_equal(wait_ms(&want, 500, &found, &err), 0);
	assert_string_equal(found.address, "2001:db8::7");
	assert_string_equal(asked, "guest-network-get-interfaces");
	interfaces = "[]";
	found = (struct vm_wait_found){0};
	assert_int_equal(wait_ms(&want, 50, &found, &err), -1);
	assert_string_equal(err.msg, "it has no address yet");
}

/* What a hostile agent may say. */
static void test_odd_addresses(void **state)
{
	static const char *const none[] = {
	    "",
	    "rubbish",
	    "{}",
	    "[7]",
	    "[{\"ip-addresses\":7}]",
	    "[{\"ip-addresses\":[7,{},{\"ip-address\":7},{\"ip-address\":\"\"}]}]",
	    "[{\"ip-addresses\":[{\"ip-address\":\"10.0.0.1; rm "
	    "-rf\"},{\"ip-address\":\"0.0.0.0\"}]}]",
	    "[{\"ip-addresses\":[{\"ip-address\":"
	    "\"00000000000000000000000000000000000000000000000000000000"
	    "0000000000000010.0.0.1\"}]}]",
	};
	char buf[64];

	(void)state;
	for (size_t i = 0; i < VM_COUNT(none); i++)
		assert_false(vm_wait_pick_address(none[i], buf, sizeof(buf)));
	assert_true(vm_wait_pick_address("[{\"ip-addresses\":[{\"ip-address\":\"10.0.0.1\"}]}]",
					 buf, sizeof(buf)));
	assert_string_equal(buf, "10.0.0.1");
}

static int listener = -1;

static void *serve(void *arg)
{
	const char *text = arg;
	int fd = accept(listener, NULL, NULL);

	if (write(fd, text, strlen(text)) < 0)
		perror("write");
	close(fd);
	return NULL;
}

static void test_ssh(void **state)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	struct vm_err err = VM_ERR_INIT, why = VM_ERR_INIT;
	pthread_t thread;
	unsigned port;

	(void)state;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&sa, &len), 0);
	port = ntohs(sa.sin_port);
	/* Nobody listens; somebody who says nothing; somebody who is no ssh server; one that is. */
	assert_int_equal(vm_wait_ssh("127.0.0.1", port, vm_deadline_in(500), &why, &err), 1);
	assert_non_null(strstr(why.msg, "no ssh server answers at 127.0.0.1 port"));
	assert_int_equal(listen(listener, 5), 0);
	assert_int_equal(vm_wait_ssh("127.0.0.1", port, vm_deadline_in(50), &why, &err), 1);
	close(accept(listener, NULL, NULL));
	pthread_create(&thread, NULL, serve, (void *)(uintptr_t) "220 smtp\r\n");
	assert_int_equal(vm_wait_ssh("127.0.0.1", port, vm_deadline_in(500), &why, &err), 1);
	pthread_join(thread, NULL);
	pthread_create(&thread, NULL, serve, (void *)(uintptr_t) "SSH-2.0-x\r\n");
	assert_int_equal(vm_wait_ssh("127.0.0.1", port, vm_deadline_in(500), &why, &err), 0);
	pthread_join(thread, NULL);
	assert_int_equal(vm_wait_ssh("nowhere", port, vm_deadline_in(500), &why, &err), -1);
	close(listener);
}

static void event(const char *line)
{
	struct vm_err err = VM_ERR_INIT;

	assert_int_equal(vm_events_append(&events, line, strlen(line), &err), 0);
}

static void other_device_goes(void)
{
	event("{\"event\":\"DEVICE_DELETED\",\"data\":{\"device\":\"net1\",\"path\":\"/net0\"}}");
}

static void device_goes(void)
{
	event("{\"event\":\"DEVICE_DELETED\",\"data\":{\"device\":\"net0\",\"path\":\"/net0\"}}");
}

static void device_stays(void)
{
	event("{\"event\":\"DEVICE_UNPLUG_GUEST_ERROR\",\"data\":{\"device\":\"net0\",\"path\":\"/"
	      "net0\"}}");
}

static void test_device(void **state)
{
	struct vm_wait_for want = {.device_gone = "net0"};
	struct vm_wait_found found = {0};
	struct vm_err err;
	struct later l;

	(void)state;
	/* An old event says nothing of now. */
	device_goes();
	assert_int_equal(wait_ms(&want, 50, &found, &err), -1);
	assert_string_equal(asked, "qom-list {\"path\":\"/machine/peripheral/net0\"}");
	assert_string_equal(err.msg, "it has not released net0 yet");
	later(&l, device_goes);
	assert_int_equal(wait_ms(&want, 5000, &found, &err), 0);
	pthread_join(l.thread, NULL);
	later(&l, other_device_goes);
	assert_int_equal(wait_ms(&want, 300, &found, &err), -1);
	assert_int_equal(err.kind, VM_TIMED_OUT);
	pthread_join(l.thread, NULL);
	later(&l, device_stays);
	assert_int_equal(wait_ms(&want, 5000, &found, &err), -1);
	assert_int_equal(err.kind, VM_HYPERVISOR);
	assert_string_equal(err.msg, "the guest refuses to release net0");
	pthread_join(l.thread, NULL);
	device_there = 0;
	assert_int_equal(wait_ms(&want, 500, &found, &err), 0);
	device_there = -1;
	assert_int_equal(wait_ms(&want, 500, &found, &err), -1);
	assert_string_equal(err.msg, "QEMU does not answer");
}

static void stop_event(void)
{
	event("{\"timestamp\":{\"seconds\":1,\"microseconds\":2},\"event\":\"STOP\"}");
}

static void test_event_and_state(void **state)
{
	struct vm_wait_for want = {.states = VM_LIST_STATE(VM_PAUSED)};
	const char *words[] = {"stop"};
	struct vm_wait_found found = {0};
	struct vm_err err;
	struct later l;

	(void)state;
	want.events = (struct vm_words){words, 1};
	/* Both are needed. */
	status(VM_PAUSED);
	assert_int_equal(wait_ms(&want, 50, &found, &err), -1);
	assert_string_equal(err.msg, "no such event came");
	later(&l, stop_event);
	assert_int_equal(wait_ms(&want, 5000, &found, &err), 0);
	assert_string_equal(found.event, "STOP");
	pthread_join(l.thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_state, begin),
	    cmocka_unit_test_setup(test_agent, begin),
	    cmocka_unit_test_setup(test_address, begin),
	    cmocka_unit_test_setup(test_odd_addresses, begin),
	    cmocka_unit_test_setup(test_ssh, begin),
	    cmocka_unit_test_setup(test_device, begin),
	    cmocka_unit_test_setup(test_event_and_state, begin),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
