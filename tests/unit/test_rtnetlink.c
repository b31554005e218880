/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What answers of rtnetlink are, and that this kernel understands what it is asked about virtual functions. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
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

/* One function's VLAN, with the protocol that it has, or none where a kernel tells none. */
static bool vlan_of(uint16_t protocol, bool told, unsigned index, struct vm_vf_config *ret)
{
	struct vm_rt_request r;
	struct rtattr *list, *info, *vlans;
	const struct ifla_vf_mac mac = { .vf = 3 };
	const struct ifla_vf_vlan vlan = { .vf = 3, .vlan = 7, .qos = 5 };
	const struct ifla_vf_vlan_info more = { .vf = 3, .vlan = 7, .qos = 5, .vlan_proto = htons(protocol) };
	bool up;

	vm_rt_init(&r, RTM_NEWLINK, 0);
	list = vm_rt_begin(&r, IFLA_VFINFO_LIST);
	info = vm_rt_begin(&r, IFLA_VF_INFO);
	vm_rt_add(&r, IFLA_VF_MAC, &mac, sizeof(mac));
	vm_rt_add(&r, IFLA_VF_VLAN, &vlan, sizeof(vlan));
	vlans = vm_rt_begin(&r, IFLA_VF_VLAN_LIST);
	/* short: it is none */
	vm_rt_add(&r, IFLA_VF_VLAN_INFO, &more, told ? sizeof(more) : sizeof(more) - 4);
	vm_rt_end(&r, vlans);
	vm_rt_end(&r, info);
	vm_rt_end(&r, list);
	return vm_vf_parse(&r, r.head.nlmsg_len, index, ret, &up);
}

static void vlans(void **state)
{
	struct vm_vf_config c = { 0 };

	(void)state;
	assert_true(vlan_of(ETH_P_8021AD, true, 3, &c));
	assert_true(c.service && c.vlan == 7 && c.qos == 5);
	assert_true(vlan_of(ETH_P_8021Q, true, 3, &c));
	assert_true(!c.service && c.vlan == 7 && c.qos == 5);
	assert_true(vlan_of(0, true, 3, &c));
	assert_false(c.service);
	assert_true(vlan_of(ETH_P_8021AD, false, 3, &c));
	assert_false(c.service);
	assert_false(vlan_of(ETH_P_8021AD, true, 2, &c));
}

/* What is only shown: a driver that does not tell something sends all ones. */
static void told(void **state)
{
	static const struct {
		uint32_t trust, spoof, link;
		int want_trust, want_spoof, want_link;
	} rows[] = {
		{ 1, 0, 2, 1, 0, VM_VF_LINK_DISABLE },
		{ 0, 1, 0, 0, 1, VM_VF_LINK_AUTO },
		{ UINT32_MAX, UINT32_MAX, 3, -1, -1, -1 },
		{ 2, 7, UINT32_MAX, -1, -1, -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct ifla_vf_mac mac = { .vf = 3 };
		const struct ifla_vf_trust trust = { 3, rows[i].trust };
		const struct ifla_vf_spoofchk spoof = { 3, rows[i].spoof };
		const struct ifla_vf_link_state link = { 3, rows[i].link };
		const struct ifla_vf_rate rate = { 3, 10, 1000 };
		struct vm_vf_config c;
		struct vm_rt_request r;
		struct rtattr *list, *info;
		bool up;

		vm_rt_init(&r, RTM_NEWLINK, 0);
		list = vm_rt_begin(&r, IFLA_VFINFO_LIST);
		info = vm_rt_begin(&r, IFLA_VF_INFO);
		vm_rt_add(&r, IFLA_VF_MAC, &mac, sizeof(mac));
		vm_rt_add(&r, IFLA_VF_RATE, &rate, i > 0 ? sizeof(rate) : sizeof(rate) - 4);
		vm_rt_add(&r, IFLA_VF_SPOOFCHK, &spoof, sizeof(spoof));
		vm_rt_add(&r, IFLA_VF_LINK_STATE, &link, sizeof(link));
		vm_rt_add(&r, IFLA_VF_TRUST, &trust, sizeof(trust));
		vm_rt_end(&r, info);
		vm_rt_end(&r, list);
		assert_true(vm_vf_parse(&r, r.head.nlmsg_len, 3, &c, &up));
		assert_int_equal(c.told.trusted, rows[i].want_trust);
		assert_int_equal(c.told.spoof_check, rows[i].want_spoof);
		assert_int_equal(c.told.link, rows[i].want_link);
		assert_int_equal(c.told.tx_min, i > 0 ? 10 : 0);
		assert_int_equal(c.told.tx_max, i > 0 ? 1000 : 0);
	}
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
		cmocka_unit_test(vlans), cmocka_unit_test(told),
		cmocka_unit_test(this_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
