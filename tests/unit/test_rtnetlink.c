/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What answers of rtnetlink are, and that this kernel understands what it is asked about virtual functions. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <vm/alloc.h>

#include "host/rtnetlink.h"
#include "host/sys.h"
#include "host/vf.h"


static void answers(void **state)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr e;
	} m = { .head = { .nlmsg_len = sizeof(m), .nlmsg_type = NLMSG_ERROR } };
	const char *bytes = (const char *)&m;

	(void)state;
	assert_int_equal(vm_rt_parse(bytes, sizeof(m), false), 0);
	/* that nothing went wrong is no answer to a question */
	assert_int_equal(vm_rt_parse(bytes, sizeof(m), true), EPROTO);
	m.e.error = -EPERM;
	assert_int_equal(vm_rt_parse(bytes, sizeof(m), false), EPERM);
	assert_int_equal(vm_rt_parse(bytes, sizeof(m), true), EPERM);
	m.e.error = EPERM;
	assert_int_equal(vm_rt_parse(bytes, sizeof(m), false), EPROTO);
	m.e.error = INT32_MIN;
	assert_int_equal(vm_rt_parse(bytes, sizeof(m), false), EPROTO);
	/* short, or longer than what came */
	m.e.error = 0;
	for (size_t n = 0; n < sizeof(m); n++)
		assert_int_equal(vm_rt_parse(bytes, n, false), EPROTO);
	m.head.nlmsg_len = NLMSG_LENGTH(0);
	assert_int_equal(vm_rt_parse(bytes, sizeof(m), false), EPROTO);
	m.head.nlmsg_len = sizeof(m) + 1;
	assert_int_equal(vm_rt_parse(bytes, sizeof(m), false), EPROTO);
	/* data where an acknowledgement was asked for */
	m.head.nlmsg_len = sizeof(m);
	m.head.nlmsg_type = RTM_NEWLINK;
	assert_int_equal(vm_rt_parse(bytes, sizeof(m), true), 0);
	assert_int_equal(vm_rt_parse(bytes, sizeof(m), false), EPROTO);
	m.head.nlmsg_type = NLMSG_DONE;
	assert_int_equal(vm_rt_parse(bytes, sizeof(m), true), EPROTO);
}

/* Takes the message apart as far as it can, on an interface that has no functions. */
static int ask_kernel(void *arg)
{
	const struct vm_vf vf = { .pf = "lo", .index = 0 };
	const struct vm_vf_want want = { .mac = { 0x52, 0x54, 0, 1, 2, 3 }, .has_vlan = true, .vlan = 42 };
	const struct vm_vf none = { .pf = "none0" };
	struct vm_sys s = VM_SYS_INIT;
	struct vm_vf_config was;
	struct vm_err err = VM_ERR_INIT;

	(void)arg;
	if (unshare(CLONE_NEWNET) < 0)
		return 77;
	if (vm_sys_open("/", &s, &err) < 0)
		return 1;
	if (vm_vf_set(&s, &vf, &want, &err) != -1 || err.kind != VM_UNSUPPORTED || err.sys != EOPNOTSUPP)
		return 2;
	err = VM_ERR_INIT;
	if (vm_vf_set(&s, &none, &want, &err) != -1 || err.sys != ENODEV)
		return 3;
	err = VM_ERR_INIT;
	if (vm_vf_read(&s, &vf, &was, &err) != -1 || err.kind != VM_UNSUPPORTED)
		return 4;
	return 0;
}

static void this_kernel(void **state)
{
	pid_t pid = fork();
	int status = 0;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(ask_kernel(NULL));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(this_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
