/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rtnetlink.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <vm/cleanup.h>

#include "sys.h"

#define ANSWER_S 5 /* the kernel answers at once; a wait would be its bug */

void vm_rt_init(struct vm_rt_request *r, unsigned short type, unsigned flags)
{
	memset(r, 0, sizeof(*r));
	r->head.nlmsg_len = NLMSG_LENGTH(sizeof(r->info));
	r->head.nlmsg_type = type;
	r->head.nlmsg_flags = (unsigned short)(NLM_F_REQUEST | flags);
	r->head.nlmsg_seq = 1;
	r->info.ifi_family = AF_UNSPEC;
}

static void *tail(struct vm_rt_request *r)
{
	return (char *)r + NLMSG_ALIGN(r->head.nlmsg_len);
}

void vm_rt_add(struct vm_rt_request *r, unsigned short type, const void *data, size_t len)
{
	struct rtattr *a = tail(r);

	if (NLMSG_ALIGN(r->head.nlmsg_len) + RTA_SPACE(len) > sizeof(*r))
		return;
	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	if (len > 0)
		memcpy(RTA_DATA(a), data, len);
	r->head.nlmsg_len = NLMSG_ALIGN(r->head.nlmsg_len) + RTA_ALIGN(a->rta_len);
}

struct rtattr *vm_rt_begin(struct vm_rt_request *r, unsigned short type)
{
	struct rtattr *nest = tail(r);

	vm_rt_add(r, type, NULL, 0);
	return nest;
}

void vm_rt_end(struct vm_rt_request *r, struct rtattr *nest)
{
	nest->rta_len = (unsigned short)((char *)tail(r) - (char *)nest);
}

static int connect_to(const struct vm_sys *s)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd;

	if (s == NULL || !s->recorded)
		return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	snprintf(at.sun_path, sizeof(at.sun_path), "/proc/self/fd/%d/run/rtnetlink", s->root);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
		close(fd);
		errno = ENOTCONN;
		return -1;
	}
	return fd;
}

int vm_rt_talk(const struct vm_sys *s, struct vm_rt_request *r, char *answer, size_t size, size_t *ret_len)
{
	struct timeval limit = { .tv_sec = ANSWER_S };
	VM_AUTO_FD int fd = connect_to(s);
	struct nlmsghdr *head = (void *)answer;
	ssize_t n;

	if (fd < 0)
		return errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	/* to the kernel: netlink's port 0 is where an unconnected socket sends to */
	if (send(fd, r, r->head.nlmsg_len, MSG_NOSIGNAL) < 0)
		return errno;
	do
		n = recv(fd, answer, size, MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno;
	if ((size_t)n > size)
		return EMSGSIZE;
	if (!NLMSG_OK(head, (size_t)n))
		return EPROTO;
	if (head->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *e = NLMSG_DATA(head);

		if (head->nlmsg_len < NLMSG_LENGTH(sizeof(*e)))
			return EPROTO;
		return -e->error;
	}
	if (ret_len != NULL)
		*ret_len = (size_t)n;
	return 0;
}
