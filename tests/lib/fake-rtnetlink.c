/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Plays rtnetlink for one network card with virtual functions, for programs that look at a recorded machine.
 *
 *   fake-rtnetlink TREE SOCKET INTERFACE N     N functions; ends with SIGTERM
 *
 * State is TREE/ctl/vf, a line "N MAC VLAN QOS [802.1ad]" each, read and written at each message; TREE/ctl/vf-told has what is only told,
 * "N TRUST SPOOFCHECK LINK MIN MAX" each (-1: not told).  TREE/ctl/down: the interface is down.
 * TREE/ctl/nl-mac, nl-vlan: the errno that setting one ends with.  TREE/ctl/nl-zero: an empty MAC is refused.  TREE/ctl/nl-log:
 * what was asked for.  TREE/ctl/nl-hang: nothing is answered while it is there; nl-wrong: answers are those to somebody else, nl-wrong-get: those to questions.  TREE/ctl/own-N: path below TREE of the address of the function's own interface, which takes its MAC when it is
 * not empty; RTM_SETLINK of that interface writes there, too.
 *
 * Source: Linux, uapi/linux/if_link.h, net/core/rtnetlink.c (rtnl_fill_vfinfo(), do_setvfinfo()).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define VFS_MAX 16

static struct vf {
	unsigned char mac[6];
	unsigned vlan, qos;
	int service; /* 802.1ad */
} vfs[VFS_MAX];
static unsigned n_vfs;
static const char *interface;

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

/* What is only told. */
static struct told {
	int trust, spoof, link, min, max;
} told[VFS_MAX];

static int there(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "ctl/%s", name);
	return access(path, F_OK) == 0;
}

static int number(const char *name)
{
	char path[128], text[32] = "0";
	FILE *f;

	snprintf(path, sizeof(path), "ctl/%s", name);
	f = fopen(path, "r");
	if (f == NULL)
		return 0;
	if (fgets(text, sizeof(text), f) == NULL)
		text[0] = 0;
	fclose(f);
	return atoi(text);
}

static void load(void)
{
	FILE *f = fopen("ctl/vf", "r");
	unsigned i, m[6], vlan, qos;
	char line[128];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "%u %x:%x:%x:%x:%x:%x %u %u", &i, &m[0], &m[1], &m[2], &m[3], &m[4], &m[5], &vlan, &qos) == 9 &&
		    i < VFS_MAX) {
			for (int b = 0; b < 6; b++)
				vfs[i].mac[b] = (unsigned char)m[b];
			vfs[i].vlan = vlan;
			vfs[i].qos = qos;
			vfs[i].service = strstr(line, "802.1ad") != NULL;
		}
	if (f != NULL)
		fclose(f);
}

static void load_told(void)
{
	FILE *f = fopen("ctl/vf-told", "r");
	char line[128];
	struct told t;
	unsigned i;

	for (i = 0; i < VFS_MAX; i++)
		told[i] = (struct told){ -1, 1, 0, 0, 0 };
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "%u %d %d %d %d %d", &i, &t.trust, &t.spoof, &t.link, &t.min, &t.max) == 6 && i < VFS_MAX)
			told[i] = t;
	if (f != NULL)
		fclose(f);
}

static void text_of(const unsigned char mac[6], char buf[18])
{
	snprintf(buf, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static void store(void)
{
	FILE *f = fopen("ctl/vf.new", "w");
	char mac[18];

	if (f == NULL)
		die("ctl/vf");
	for (unsigned i = 0; i < n_vfs; i++) {
		text_of(vfs[i].mac, mac);
		fprintf(f, "%u %s %u %u%s\n", i, mac, vfs[i].vlan, vfs[i].qos, vfs[i].service ? " 802.1ad" : "");
	}
	fclose(f);
	if (rename("ctl/vf.new", "ctl/vf") < 0)
		die("ctl/vf");
}

__attribute__((format(printf, 1, 2))) static void note(const char *fmt, ...)
{
	FILE *f = fopen("ctl/nl-log", "a");
	va_list ap;

	if (f == NULL)
		return;
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	fputc('\n', f);
	fclose(f);
}

static void write_own(const char *path, const unsigned char mac[6])
{
	FILE *f = fopen(path, "w");
	char text[18];

	text_of(mac, text);
	if (f == NULL)
		return;
	fprintf(f, "%s\n", text);
	fclose(f);
}

static void own_takes(unsigned i)
{
	static const unsigned char zero[6];
	char name[32], path[512];
	FILE *f;

	snprintf(name, sizeof(name), "ctl/own-%u", i);
	f = fopen(name, "r");
	if (f == NULL || fgets(path, sizeof(path), f) == NULL)
		return;
	fclose(f);
	path[strcspn(path, "\n")] = 0;
	if (memcmp(vfs[i].mac, zero, 6) != 0)
		write_own(path, vfs[i].mac);
}

/* ---- the answers ---- */

static size_t put(char *to, size_t at, unsigned short type, const void *data, size_t len)
{
	struct rtattr *a = (struct rtattr *)(void *)(to + at);

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	return at + RTA_ALIGN(a->rta_len);
}

static size_t tell(char *to, const struct nlmsghdr *asked)
{
	struct nlmsghdr *head = (struct nlmsghdr *)(void *)to;
	struct ifinfomsg *msg = NLMSG_DATA(head);
	size_t at = NLMSG_SPACE(sizeof(*msg)), list;
	struct rtattr *a;

	memset(to, 0, at);
	head->nlmsg_type = RTM_NEWLINK;
	head->nlmsg_seq = asked->nlmsg_seq + (there("nl-wrong-get") ? 1 : 0);
	msg->ifi_index = 7;
	msg->ifi_flags = there("down") ? 0 : IFF_UP;
	at = put(to, at, IFLA_IFNAME, interface, strlen(interface) + 1);
	list = at;
	at += RTA_LENGTH(0);
	for (unsigned i = 0; i < n_vfs; i++) {
		struct ifla_vf_mac mac = { .vf = i };
		struct ifla_vf_vlan vlan = { .vf = i, .vlan = vfs[i].vlan, .qos = vfs[i].qos };
		struct ifla_vf_rate rate = { .vf = i, .min_tx_rate = (unsigned)told[i].min, .max_tx_rate = (unsigned)told[i].max };
		struct ifla_vf_spoofchk spoof = { .vf = i, .setting = (unsigned)told[i].spoof };
		struct ifla_vf_link_state state = { .vf = i, .link_state = (unsigned)told[i].link };
		struct ifla_vf_trust trust = { .vf = i, .setting = (unsigned)told[i].trust };
		struct {
			struct rtattr head;
			struct ifla_vf_vlan_info info;
		} vlans = {
			.head = { .rta_len = RTA_LENGTH(sizeof(vlans.info)), .rta_type = IFLA_VF_VLAN_INFO },
			.info = { .vf = i, .vlan = vfs[i].vlan, .qos = vfs[i].qos },
		};
		size_t info = at;

		memcpy(mac.mac, vfs[i].mac, 6);
		at += RTA_LENGTH(0);
		at = put(to, at, IFLA_VF_MAC, &mac, sizeof(mac));
		at = put(to, at, IFLA_VF_VLAN, &vlan, sizeof(vlan));
		at = put(to, at, IFLA_VF_RATE, &rate, sizeof(rate));
		at = put(to, at, IFLA_VF_SPOOFCHK, &spoof, sizeof(spoof));
		at = put(to, at, IFLA_VF_LINK_STATE, &state, sizeof(state));
		at = put(to, at, IFLA_VF_TRUST, &trust, sizeof(trust));
		vlans.info.vlan_proto = htons(vfs[i].service ? ETH_P_8021AD : ETH_P_8021Q);
		at = put(to, at, IFLA_VF_VLAN_LIST, &vlans, sizeof(vlans));
		a = (struct rtattr *)(void *)(to + info);
		a->rta_type = IFLA_VF_INFO;
		a->rta_len = (unsigned short)(at - info);
	}
	a = (struct rtattr *)(void *)(to + list);
	a->rta_type = IFLA_VFINFO_LIST;
	a->rta_len = (unsigned short)(at - list);
	head->nlmsg_len = (unsigned)at;
	return at;
}

static int set_one(const struct rtattr *a)
{
	static const unsigned char zero[6];
	struct ifla_vf_mac mac;
	struct ifla_vf_vlan vlan;
	struct {
		struct rtattr head;
		struct ifla_vf_vlan_info info;
	} vlans;
	char text[18];

	if (a->rta_type == IFLA_VF_MAC && RTA_PAYLOAD(a) == sizeof(mac)) {
		memcpy(&mac, RTA_DATA(a), sizeof(mac));
		text_of(mac.mac, text);
		note("mac %u %s", mac.vf, text);
		if (mac.vf >= n_vfs || (there("nl-zero") && memcmp(mac.mac, zero, 6) == 0))
			return EINVAL;
		if (number("nl-mac") != 0)
			return number("nl-mac");
		memcpy(vfs[mac.vf].mac, mac.mac, 6);
		own_takes(mac.vf);
	} else if (a->rta_type == IFLA_VF_VLAN && RTA_PAYLOAD(a) == sizeof(vlan)) {
		memcpy(&vlan, RTA_DATA(a), sizeof(vlan));
		note("vlan %u %u %u", vlan.vf, vlan.vlan, vlan.qos);
		if (vlan.vf >= n_vfs || vlan.vlan > 4095)
			return EINVAL;
		if (number("nl-vlan") != 0)
			return number("nl-vlan");
		vfs[vlan.vf].vlan = vlan.vlan;
		vfs[vlan.vf].qos = vlan.qos;
		vfs[vlan.vf].service = 0;
	} else if (a->rta_type == IFLA_VF_VLAN_LIST && RTA_PAYLOAD(a) == sizeof(vlans)) {
		memcpy(&vlans, RTA_DATA(a), sizeof(vlans));
		note("vlan %u %u %u %s", vlans.info.vf, vlans.info.vlan, vlans.info.qos,
		     vlans.info.vlan_proto == htons(ETH_P_8021AD) ? "802.1ad" : "802.1Q");
		if (vlans.info.vf >= n_vfs || vlans.info.vlan > 4095 || vlans.head.rta_type != IFLA_VF_VLAN_INFO)
			return EINVAL;
		if (number("nl-vlan") != 0)
			return number("nl-vlan");
		vfs[vlans.info.vf].vlan = vlans.info.vlan;
		vfs[vlans.info.vf].qos = vlans.info.qos;
		vfs[vlans.info.vf].service = vlans.info.vlan_proto == htons(ETH_P_8021AD);
	} else {
		return EOPNOTSUPP;
	}
	return 0;
}

static int set(const struct nlmsghdr *head, const char *name, const struct rtattr *first, size_t left)
{
	(void)head;
	for (const struct rtattr *a = first; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		size_t rest = RTA_PAYLOAD(a);

		if (a->rta_type == IFLA_ADDRESS) {
			char path[256];

			snprintf(path, sizeof(path), "sys/class/net/%s/address", name);
			note("address %s", name);
			write_own(path, RTA_DATA(a));
		}
		if (a->rta_type != IFLA_VFINFO_LIST)
			continue;
		for (const struct rtattr *i = RTA_DATA(a); RTA_OK(i, rest); i = RTA_NEXT(i, rest)) {
			size_t more = RTA_PAYLOAD(i);

			for (const struct rtattr *one = RTA_DATA(i); RTA_OK(one, more); one = RTA_NEXT(one, more)) {
				int error = set_one(one);

				if (error != 0)
					return error;
			}
		}
	}
	store();
	return 0;
}

static void answer(int fd, const char *buf, size_t n)
{
	static char out[65536];
	const struct nlmsghdr *head = (const void *)buf;
	const struct ifinfomsg *msg = NLMSG_DATA(head);
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
	} e = { .head = { .nlmsg_len = sizeof(e), .nlmsg_type = NLMSG_ERROR } };
	const char *name = "";
	size_t left;

	if (!NLMSG_OK(head, n) || head->nlmsg_len < NLMSG_LENGTH(sizeof(*msg)))
		return;
	while (there("nl-hang"))
		usleep(20000);
	load();
	load_told();
	left = head->nlmsg_len - NLMSG_LENGTH(sizeof(*msg));
	for (const struct rtattr *a = IFLA_RTA(msg); RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == IFLA_IFNAME)
			name = RTA_DATA(a);
	left = head->nlmsg_len - NLMSG_LENGTH(sizeof(*msg));
	e.head.nlmsg_seq = head->nlmsg_seq + (there("nl-wrong") ? 1 : 0);
	if (head->nlmsg_type == RTM_GETLINK && strcmp(name, interface) == 0) {
		n = tell(out, head);
		if (send(fd, out, n, MSG_NOSIGNAL) < 0)
			perror("fake-rtnetlink: answer");
		return;
	}
	e.error.error = head->nlmsg_type == RTM_SETLINK ? -set(head, name, IFLA_RTA(msg), left) : -ENODEV;
	if (send(fd, &e, sizeof(e), MSG_NOSIGNAL) < 0)
		perror("fake-rtnetlink: answer");
}

int main(int argc, char **argv)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (argc != 5) {
		fprintf(stderr, "Usage: fake-rtnetlink TREE SOCKET INTERFACE N\n");
		return 2;
	}
	interface = argv[3];
	n_vfs = (unsigned)atoi(argv[4]) < VFS_MAX ? (unsigned)atoi(argv[4]) : VFS_MAX;
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", argv[2]);
	if (chdir(argv[1]) < 0 || fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 16) < 0)
		die("fake-rtnetlink");
	if (!there("vf"))
		store();
	if (fork() != 0)
		return 0;
	setsid();
	for (;;) {
		int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		char buf[4096];
		ssize_t n = peer < 0 ? -1 : recv(peer, buf, sizeof(buf), 0);

		if (n > 0)
			answer(peer, buf, (size_t)n);
		if (peer >= 0)
			close(peer);
	}
}
