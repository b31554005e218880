/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vf.h"

#include <ctype.h>
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "pci.h"
#include "rtnetlink.h"
#include "sys.h"

#define ANSWER_MAX (512u << 10) /* bytes: 256 functions with all the kernel tells of each */

void vm_mac_format(const uint8_t mac[6], char buf[VM_MAC_TEXT])
{
	snprintf(buf, VM_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

bool vm_mac_parse(const char *text, uint8_t ret[6])
{
	uint8_t mac[6];

	for (int i = 0; i < 6; i++, text += 3) {
		const char two[3] = { text[0], text[0] != 0 ? text[1] : (char)0, 0 };

		if (!isxdigit((unsigned char)two[0]) || !isxdigit((unsigned char)two[1]) ||
		    text[2] != (i < 5 ? ':' : 0))
			return false;
		mac[i] = (uint8_t)strtoul(two, NULL, 16);
	}
	memcpy(ret, mac, sizeof(mac));
	return true;
}

/* ---- whose it is ---- */

/* Of several interfaces of a card that of the same port, else the one that is a port at all, else the first. */
static bool choose(int net, const struct vm_sys_names *names, const char *port, char ret[VM_LINK_NAME],
		   struct vm_unread *u)
{
	const char *named = NULL, *first = NULL;

	for (size_t i = 0; i < names->n; i++) {
		VM_AUTO_FD int dir = vm_sys_look_at(net, names->v[i], u);
		char text[VM_SYS_TEXT];

		if (dir < 0 || !vm_link_name_valid(names->v[i]))
			continue;
		if (port != NULL && vm_sys_text(dir, "phys_port_id", text, sizeof(text), u) && strcmp(text, port) == 0) {
			snprintf(ret, VM_LINK_NAME, "%s", names->v[i]);
			return true;
		}
		/* Source: Linux Documentation/networking/devlink/devlink-port.rst: "p0" is a port, "pf0vf1" a representor */
		if (named == NULL && vm_sys_text(dir, "phys_port_name", text, sizeof(text), u) && text[0] == 'p' &&
		    text[1] != 0 && strspn(text + 1, "0123456789") == strlen(text + 1))
			named = names->v[i];
		if (first == NULL)
			first = names->v[i];
	}
	if (first == NULL)
		return false;
	snprintf(ret, VM_LINK_NAME, "%s", named != NULL ? named : first);
	return true;
}

/* Its own interface: 0 and *ret, which is -1 where a driver that makes none has it; -1: it cannot be looked at. */
static int own_open(const struct vm_sys *s, const char *name, int *ret, char *ret_if, struct vm_err *err)
{
	VM_AUTO(vm_sys_names_free) struct vm_sys_names names = { 0 };
	struct vm_unread unread = VM_UNREAD_NONE;
	VM_AUTO_FD int dir = -1;
	VM_AUTO_FD int net = -1;
	VM_AUTO_FD int own = -1;

	*ret = -1;
	if (vm_pci_open(s, name, &dir, err) < 0)
		return -1;
	net = vm_sys_look_at(dir, "net", &unread);
	vm_sys_names(net, &names, &unread);
	if (vm_unread_fail(&unread, err) < 0)
		return vm_err_wrap(err, "see which network interface %s is", name);
	if (names.n == 0 || !vm_link_name_valid(names.v[0]))
		return 0;
	own = vm_sys_dir_at(net, names.v[0]);
	if (own < 0)
		return vm_err_sys(err, "look at the network interface %s of %s", names.v[0], name);
	if (ret_if != NULL)
		snprintf(ret_if, VM_LINK_NAME, "%s", names.v[0]);
	*ret = vm_take_fd(&own);
	return 0;
}

int vm_vf_find(const struct vm_sys *s, const char *name, struct vm_vf *ret, struct vm_err *err)
{
	VM_AUTO(vm_sys_names_free) struct vm_sys_names names = { 0 };
	VM_AUTO_FD int dir = -1;
	VM_AUTO_FD int net = -1;
	VM_AUTO_FD int own = -1;
	struct vm_unread unread = VM_UNREAD_NONE;
	char port[VM_SYS_TEXT];
	bool has_port, chosen;
	struct vm_vf vf = { 0 };
	struct vm_pci p;

	if (vm_pci_read(s, name, &p, err) < 0)
		return -1;
	if (p.pf[0] == 0 || p.vf_index < 0) {
		vm_err_set(err, VM_BAD_INPUT, "%s is no virtual function (SR-IOV) of a network card", name);
		return vm_err_hint(err, p.vfs_max > 0 ? "give one of its virtual functions, or all of it as <hostdev>"
						      : "give it as <hostdev>");
	}
	if (vm_pci_open(s, p.pf, &dir, err) < 0)
		return -1;
	net = vm_sys_look_at(dir, "net", &unread);
	vm_sys_names(net, &names, &unread);
	if (own_open(s, name, &own, NULL, err) < 0)
		return -1;
	has_port = own >= 0 && vm_sys_text(own, "phys_port_id", port, sizeof(port), &unread);
	chosen = choose(net, &names, has_port ? port : NULL, vf.pf, &unread);
	if (vm_unread_fail(&unread, err) < 0)
		return vm_err_wrap(err, "see which network interfaces %s has", p.pf);
	if (!chosen) {
		vm_err_set(err, VM_BAD_INPUT, "%s has no network interface, so %s cannot be one of a guest", p.pf, name);
		return vm_err_hint(err, "give it as <hostdev>, or bind the card to its driver");
	}
	vf.index = (unsigned)p.vf_index;
	snprintf(vf.name, sizeof(vf.name), "%s", p.name);
	*ret = vf;
	return 0;
}

/* ---- what it is set to ---- */

/* The protocol of the first VLAN, which is the only one there can be.  Source: Linux, net/core/rtnetlink.c, MAX_VLAN_LIST_LEN. */
static void parse_vlans(const struct rtattr *list, struct vm_vf_config *c)
{
	const struct rtattr *a = RTA_DATA(list);
	size_t left = RTA_PAYLOAD(list);
	struct ifla_vf_vlan_info vlan;

	if (!RTA_OK(a, left) || a->rta_type != IFLA_VF_VLAN_INFO || RTA_PAYLOAD(a) < sizeof(vlan))
		return;
	memcpy(&vlan, RTA_DATA(a), sizeof(vlan));
	c->service = vlan.vlan_proto == htons(ETH_P_8021AD);
}

const char *const vm_vf_link_words[VM_VF_LINKS] = { "auto", "enable", "disable" };

/* Two numbers of 32 bits, the function and its setting; what the driver does not tell is all ones.  Source: Linux,
 * net/core/rtnetlink.c, rtnl_fill_vf(). */
static int parse_setting(const struct rtattr *a, int most)
{
	uint32_t pair[2];

	_Static_assert(sizeof(pair) == sizeof(struct ifla_vf_trust) && sizeof(pair) == sizeof(struct ifla_vf_spoofchk) &&
			       sizeof(pair) == sizeof(struct ifla_vf_link_state),
		       "they are laid out alike");
	if (RTA_PAYLOAD(a) < sizeof(pair))
		return -1;
	memcpy(pair, RTA_DATA(a), sizeof(pair));
	return pair[1] <= (uint32_t)most ? (int)pair[1] : -1;
}

static void parse_told(const struct rtattr *a, struct vm_vf_told *t)
{
	struct ifla_vf_rate rate;

	switch (a->rta_type) {
	case IFLA_VF_TRUST:
		t->trusted = parse_setting(a, 1);
		break;
	case IFLA_VF_SPOOFCHK:
		t->spoof_check = parse_setting(a, 1);
		break;
	case IFLA_VF_LINK_STATE:
		t->link = parse_setting(a, VM_VF_LINKS - 1);
		break;
	case IFLA_VF_RATE:
		if (RTA_PAYLOAD(a) < sizeof(rate))
			break;
		memcpy(&rate, RTA_DATA(a), sizeof(rate));
		t->tx_min = rate.min_tx_rate;
		t->tx_max = rate.max_tx_rate;
		break;
	default:
		break;
	}
}

static void parse_one(const struct rtattr *info, unsigned index, struct vm_vf_config *c, bool *found)
{
	size_t left = RTA_PAYLOAD(info);

	for (const struct rtattr *a = RTA_DATA(info); RTA_OK(a, left); a = vm_rt_next(a, &left)) {
		struct ifla_vf_mac mac;
		struct ifla_vf_vlan vlan;

		if (a->rta_type == IFLA_VF_MAC && RTA_PAYLOAD(a) >= sizeof(mac)) {
			memcpy(&mac, RTA_DATA(a), sizeof(mac));
			if (mac.vf != index)
				return;
			memcpy(c->mac, mac.mac, sizeof(c->mac));
			*found = true;
		} else if (a->rta_type == IFLA_VF_VLAN && RTA_PAYLOAD(a) >= sizeof(vlan)) {
			memcpy(&vlan, RTA_DATA(a), sizeof(vlan));
			if (vlan.vf != index)
				return;
			c->vlan = (uint16_t)(vlan.vlan & 0xfff);
			c->qos = (uint8_t)(vlan.qos & 7);
		} else if (a->rta_type == IFLA_VF_VLAN_LIST) {
			parse_vlans(a, c);
		} else {
			parse_told(a, &c->told);
		}
	}
}

bool vm_vf_parse(const void *answer, size_t len, unsigned index, struct vm_vf_config *ret, bool *ret_up)
{
	const struct nlmsghdr *head = answer;
	const struct ifinfomsg *msg;
	struct vm_vf_config c = { .told = { .trusted = -1, .spoof_check = -1, .link = -1 } };
	bool found = false;
	size_t left;

	if (!NLMSG_OK(head, len) || head->nlmsg_len < NLMSG_LENGTH(sizeof(*msg)))
		return false;
	msg = NLMSG_DATA(head);
	*ret_up = (msg->ifi_flags & IFF_UP) != 0;
	left = head->nlmsg_len - NLMSG_LENGTH(sizeof(*msg));
	for (const struct rtattr *a = IFLA_RTA(msg); RTA_OK(a, left); a = vm_rt_next(a, &left)) {
		size_t rest = RTA_PAYLOAD(a);

		if (a->rta_type != IFLA_VFINFO_LIST)
			continue;
		for (const struct rtattr *i = RTA_DATA(a); !found && RTA_OK(i, rest); i = vm_rt_next(i, &rest))
			if (i->rta_type == IFLA_VF_INFO)
				parse_one(i, index, &c, &found);
	}
	if (found)
		*ret = c;
	return found;
}

static int failed(const struct vm_vf *vf, int e, const char *what, struct vm_err *err)
{
	errno = e;
	vm_err_sys(err, "%s virtual function %u of %s", what, vf->index, vf->pf);
	switch (e) {
	case EOPNOTSUPP:
		return vm_err_hint(err, "the driver of %s cannot do that; a <hostdev> instead of the <interface> needs it not", vf->pf);
	case EPERM:
		return vm_err_hint(err, "that takes CAP_NET_ADMIN, and a card whose own settings allow it");
	case EINVAL:
		return vm_err_hint(err, "the driver of %s takes no such value, or has no virtual function %u: dmesg | grep %s", vf->pf,
				   vf->index, vf->pf);
	case ETIMEDOUT:
		return vm_err_hint(err, "the driver of %s, or of another interface, does not come back", vf->pf);
	default:
		return -1;
	}
}

static int ask(const struct vm_sys *s, const struct vm_vf *vf, struct vm_vf_config *ret, bool *ret_up, struct vm_err *err)
{
	VM_AUTO_FREE char *answer = vm_xcalloc(1, ANSWER_MAX);
	/* the list of all functions is one attribute, of 64 KiB at most: with their counters 220 of them are too long */
	const uint32_t with = RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS;
	struct vm_rt_request r;
	size_t len;
	int e;

	vm_rt_init(&r, RTM_GETLINK, 0);
	vm_rt_add(&r, IFLA_IFNAME, vf->pf, strlen(vf->pf) + 1);
	vm_rt_add(&r, IFLA_EXT_MASK, &with, sizeof(with));
	e = vm_rt_talk(s, &r, answer, ANSWER_MAX, &len);
	if (e != 0)
		return failed(vf, e, "ask for", err);
	if (!vm_vf_parse(answer, len, vf->index, ret, ret_up))
		return vm_err_set(err, VM_UNSUPPORTED, "the driver of %s tells nothing of its virtual function %u", vf->pf,
				  vf->index);
	return 0;
}

int vm_vf_read(const struct vm_sys *s, const struct vm_vf *vf, struct vm_vf_config *ret, struct vm_err *err)
{
	VM_AUTO_FD int own = -1;
	char text[VM_SYS_TEXT];
	bool up;

	if (ask(s, vf, ret, &up, err) < 0)
		return -1;
	ret->told.pf_up = up;
	if (own_open(s, vf->name, &own, NULL, err) < 0)
		return -1;
	ret->has_own = own >= 0;
	/* what is not known cannot be given back */
	if (ret->has_own && (!vm_sys_text(own, "address", text, sizeof(text), NULL) || !vm_mac_parse(text, ret->own)))
		return vm_err_set(err, VM_SYSTEM, "the MAC that %s has by itself cannot be read", vf->name);
	return 0;
}

int vm_vf_check(const struct vm_sys *s, const struct vm_vf *vf, struct vm_err *err)
{
	struct vm_vf_config ignored;
	bool up;

	if (ask(s, vf, &ignored, &up, err) < 0)
		return -1;
	if (up)
		return 0;
	vm_err_set(err, VM_IN_USE, "%s, whose virtual function %u %s is, is down", vf->pf, vf->index, vf->name);
	return vm_err_hint(err, "ip link set %s up", vf->pf);
}

/* One datum of one function; 0, else an errno. */
static int set_one(const struct vm_sys *s, const struct vm_vf *vf, unsigned short type, const void *data, size_t len)
{
	union {
		struct nlmsghdr head;
		char bytes[4096];
	} answer;
	struct vm_rt_request r;
	struct rtattr *list, *info;

	vm_rt_init(&r, RTM_SETLINK, NLM_F_ACK);
	vm_rt_add(&r, IFLA_IFNAME, vf->pf, strlen(vf->pf) + 1);
	list = vm_rt_begin(&r, IFLA_VFINFO_LIST);
	info = vm_rt_begin(&r, IFLA_VF_INFO);
	vm_rt_add(&r, type, data, len);
	vm_rt_end(&r, info);
	vm_rt_end(&r, list);
	return vm_rt_talk(s, &r, answer.bytes, sizeof(answer), NULL);
}

static int set_mac(const struct vm_sys *s, const struct vm_vf *vf, const uint8_t mac[6])
{
	struct ifla_vf_mac data = { .vf = vf->index };

	memcpy(data.mac, mac, 6);
	return set_one(s, vf, IFLA_VF_MAC, &data, sizeof(data));
}

static int set_vlan(const struct vm_sys *s, const struct vm_vf *vf, uint16_t vlan, uint8_t qos)
{
	const struct ifla_vf_vlan data = { .vf = vf->index, .vlan = vlan, .qos = qos };

	return set_one(s, vf, IFLA_VF_VLAN, &data, sizeof(data));
}

/* The message above has no room for a protocol. */
static int set_service_vlan(const struct vm_sys *s, const struct vm_vf *vf, uint16_t vlan, uint8_t qos)
{
	const struct {
		struct rtattr head;
		struct ifla_vf_vlan_info info;
	} list = {
		.head = { .rta_len = RTA_LENGTH(sizeof(list.info)), .rta_type = IFLA_VF_VLAN_INFO },
		.info = { .vf = vf->index, .vlan = vlan, .qos = qos, .vlan_proto = htons(ETH_P_8021AD) },
	};

	return set_one(s, vf, IFLA_VF_VLAN_LIST, &list, sizeof(list));
}

int vm_vf_set(const struct vm_sys *s, const struct vm_vf *vf, const struct vm_vf_want *want, struct vm_err *err)
{
	int e = set_mac(s, vf, want->mac);

	if (e != 0)
		return failed(vf, e, "set the MAC of", err);
	e = set_vlan(s, vf, want->has_vlan ? want->vlan : 0, 0);
	/* nobody asked for none */
	if (e != 0 && (want->has_vlan || (e != EPERM && e != EOPNOTSUPP)))
		return failed(vf, e, "set the VLAN of", err);
	return 0;
}

int vm_vf_restore(const struct vm_sys *s, const struct vm_vf *vf, const struct vm_vf_config *was, struct vm_err *err)
{
	static const uint8_t zero[6], some[6] = { 0x02 };
	struct vm_err second = VM_ERR_INIT;
	int e = set_mac(s, vf, was->mac), v;

	if (e == EINVAL && memcmp(was->mac, zero, sizeof(zero)) == 0)
		e = set_mac(s, vf, was->has_own ? was->own : some);
	v = (was->service && was->vlan != 0 ? set_service_vlan : set_vlan)(s, vf, was->vlan, was->qos);
	if (e != 0)
		failed(vf, e, "give back the MAC of", err);
	if (v != 0 && (was->vlan != 0 || (v != EPERM && v != EOPNOTSUPP)))
		failed(vf, v, "give back the VLAN of", e != 0 ? &second : err);
	return err->kind != VM_OK ? -1 : 0;
}

int vm_vf_restore_own(const struct vm_sys *s, const char *name, const uint8_t mac[6], struct vm_err *err)
{
	union {
		struct nlmsghdr head;
		char bytes[4096];
	} answer;
	char link[VM_LINK_NAME], text[VM_SYS_TEXT];
	VM_AUTO_FD int own = -1;
	struct vm_rt_request r;
	uint8_t now[6];
	int e;

	if (own_open(s, name, &own, link, err) < 0)
		return err->kind == VM_NOT_FOUND ? 0 : -1;
	if (own < 0 || (vm_sys_text(own, "address", text, sizeof(text), NULL) && vm_mac_parse(text, now) &&
			memcmp(now, mac, sizeof(now)) == 0))
		return 0;
	vm_rt_init(&r, RTM_SETLINK, NLM_F_ACK);
	vm_rt_add(&r, IFLA_IFNAME, link, strlen(link) + 1);
	vm_rt_add(&r, IFLA_ADDRESS, mac, 6);
	e = vm_rt_talk(s, &r, answer.bytes, sizeof(answer), NULL);
	if (e == 0)
		return 0;
	errno = e;
	return vm_err_sys(err, "give back the MAC of %s", link);
}
