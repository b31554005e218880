/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "link.h"

#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "rtnetlink.h"

bool vm_link_name_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len >= VM_LINK_NAME || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (const char *p = name; *p != 0; p++)
		if (*p == '/' || *p == ':' || (unsigned char)*p <= ' ' || *p == 0x7f)
			return false;
	return true;
}

static void copy_text(char *to, size_t size, const struct rtattr *a)
{
	size_t len = RTA_PAYLOAD(a);

	if (len >= size)
		len = size - 1;
	memcpy(to, RTA_DATA(a), len);
	to[len] = 0;
}

static uint32_t read_u32(const struct rtattr *a)
{
	uint32_t v = 0;

	if (RTA_PAYLOAD(a) >= sizeof(v))
		memcpy(&v, RTA_DATA(a), sizeof(v));
	return v;
}

static void read_kind(const struct rtattr *outer, struct vm_link_info *ret)
{
	size_t left = RTA_PAYLOAD(outer);
	char kind[16];

	for (const struct rtattr *a = RTA_DATA(outer); RTA_OK(a, left); a = vm_rt_next(a, &left)) {
		if (a->rta_type != IFLA_INFO_KIND)
			continue;
		copy_text(kind, sizeof(kind), a);
		ret->bridge = strcmp(kind, "bridge") == 0;
		ret->tap = strcmp(kind, "tun") == 0;
	}
}

int vm_link_get(const char *name, struct vm_link_info *ret, struct vm_err *err)
{
	union { /* an answer of the kernel with statistics and VFs */
		struct nlmsghdr head;
		char bytes[32768];
	} answer;
	struct vm_link_info info = { 0 };
	const struct ifinfomsg *msg;
	struct vm_rt_request r;
	size_t len, left;
	int e;

	if (!vm_link_name_valid(name))
		return vm_err_set(err, VM_BAD_INPUT, "'%s' is no name of a network interface", name);
	vm_rt_init(&r, RTM_GETLINK, 0);
	vm_rt_add(&r, IFLA_IFNAME, name, strlen(name) + 1);
	e = vm_rt_talk(NULL, &r, answer.bytes, sizeof(answer), &len);
	if (e == ENODEV)
		return vm_err_set(err, VM_NOT_FOUND, "there is no network interface %s", name);
	if (e != 0) {
		errno = e;
		return vm_err_sys(err, "ask for the network interface %s", name);
	}
	if (answer.head.nlmsg_len < NLMSG_LENGTH(sizeof(*msg)))
		return vm_err_set(err, VM_SYSTEM, "network interface %s: short answer", name);
	msg = NLMSG_DATA(&answer.head);
	info.index = msg->ifi_index;
	info.up = (msg->ifi_flags & IFF_UP) != 0;
	left = answer.head.nlmsg_len - NLMSG_LENGTH(sizeof(*msg));
	for (const struct rtattr *a = IFLA_RTA(msg); RTA_OK(a, left); a = vm_rt_next(a, &left)) {
		if (a->rta_type == IFLA_IFNAME)
			copy_text(info.name, sizeof(info.name), a);
		else if (a->rta_type == IFLA_IFALIAS)
			copy_text(info.alias, sizeof(info.alias), a);
		else if (a->rta_type == IFLA_MTU)
			info.mtu = read_u32(a);
		else if (a->rta_type == IFLA_MASTER)
			info.master = (int)read_u32(a);
		else if (a->rta_type == IFLA_LINKINFO)
			read_kind(a, &info);
	}
	*ret = info;
	return 0;
}

static int finish(struct vm_rt_request *r, const char *what, const char *name, struct vm_err *err)
{
	union {
		struct nlmsghdr head;
		char bytes[1024];
	} answer;
	int e = vm_rt_talk(NULL, r, answer.bytes, sizeof(answer), NULL);

	if (e == 0)
		return 0;
	errno = e;
	return vm_err_sys(err, "%s the network interface %s", what, name);
}

int vm_link_change(const char *name, const struct vm_link_change *c, struct vm_err *err)
{
	struct vm_rt_request r;

	if (!vm_link_name_valid(name))
		return vm_err_set(err, VM_BAD_INPUT, "'%s' is no name of a network interface", name);
	vm_rt_init(&r, RTM_SETLINK, NLM_F_ACK);
	vm_rt_add(&r, IFLA_IFNAME, name, strlen(name) + 1);
	if (c->mac != NULL)
		vm_rt_add(&r, IFLA_ADDRESS, c->mac, 6);
	if (c->mtu != 0)
		vm_rt_add(&r, IFLA_MTU, &c->mtu, sizeof(c->mtu));
	if (c->master != 0)
		vm_rt_add(&r, IFLA_MASTER, &c->master, sizeof(c->master));
	if (c->alias != NULL && strlen(c->alias) < 256)
		vm_rt_add(&r, IFLA_IFALIAS, c->alias, strlen(c->alias));
	if (c->up) {
		r.info.ifi_flags = IFF_UP;
		r.info.ifi_change = IFF_UP;
	}
	return finish(&r, "change", name, err);
}

int vm_link_delete(int index, struct vm_err *err)
{
	struct vm_rt_request r;
	char name[32] = "";

	vm_rt_init(&r, RTM_DELLINK, NLM_F_ACK);
	r.info.ifi_index = index;
	if (if_indextoname((unsigned)index, name) == NULL)
		return 0;
	if (finish(&r, "delete", name, err) == 0 || err->sys == ENODEV)
		return 0;
	return -1;
}
