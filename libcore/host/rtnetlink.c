/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rtnetlink.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/deadline.h>

#include "sys.h"

#define ANSWER_MS 5000u /* the kernel answers at once, unless another driver holds it up */
#define STEP_MS	  50

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

/*
 * A message about a card is the business of its driver, under the one lock that all interfaces have, and returns when that is done:
 * a child sends it, which has none of our locks.  One that hangs is left behind.
 */
static int send_by_child(int fd, const struct vm_rt_request *r, pid_t *ret_child)
{
	pid_t pid = fork();

	if (pid < 0)
		return errno;
	if (pid == 0) {
		setsid();
		if (dup2(fd, 0) < 0 || close_range(1, ~0u, 0) < 0 || send(0, r, r->head.nlmsg_len, MSG_NOSIGNAL) < 0)
			_exit(errno > 0 && errno < 256 ? errno : EIO);
		_exit(0);
	}
	*ret_child = pid;
	return 0;
}

/* 0 = it is sent; EINPROGRESS; else what sending it failed with.  *child is 0 once it has ended. */
static int sent(pid_t *child)
{
	int status;
	pid_t r = *child > 0 ? waitpid(*child, &status, WNOHANG) : -1;

	if (*child == 0)
		return 0;
	if (r == 0 || (r < 0 && errno == EINTR))
		return EINPROGRESS;
	*child = 0;
	return r < 0 || !WIFEXITED(status) ? EIO : WEXITSTATUS(status);
}

/* Of a message from the kernel, which is nobody's port: an answer to ours? */
static bool is_answer(const struct vm_rt_request *r, const struct sockaddr_storage *from, const char *answer, size_t n)
{
	const struct sockaddr_nl *kernel = (const void *)from;
	const struct nlmsghdr *head = (const void *)answer;

	if (from->ss_family == AF_NETLINK && kernel->nl_pid != 0)
		return false;
	return n < sizeof(*head) || head->nlmsg_seq == r->head.nlmsg_seq;
}

/* Waits for the answer: 0 = *ret_n bytes of it, of which what is beyond size is lost. */
static int wait_answer(int fd, const struct vm_rt_request *r, pid_t *child, struct vm_deadline deadline, char *answer,
		       size_t size, size_t *ret_n)
{
	for (;;) {
		struct sockaddr_storage from = { 0 };
		struct pollfd p = { .fd = fd, .events = POLLIN };
		socklen_t len = sizeof(from);
		int left = vm_deadline_poll(deadline), e;
		ssize_t n;

		/* a child that could not send it is seen when it is looked for */
		if (poll(&p, 1, *child > 0 && left > STEP_MS ? STEP_MS : left) <= 0) {
			e = sent(child);
			if (e != 0 && e != EINPROGRESS)
				return e;
			if (vm_deadline_passed(deadline))
				return ETIMEDOUT;
			continue;
		}
		n = recvfrom(fd, answer, size, MSG_TRUNC | MSG_DONTWAIT, (struct sockaddr *)&from, &len);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return n < 0 ? errno : ECONNRESET;
		if (!is_answer(r, &from, answer, (size_t)n < size ? (size_t)n : size))
			continue;
		*ret_n = (size_t)n;
		return 0;
	}
}

int vm_rt_parse(const char *answer, size_t n, bool data)
{
	const struct nlmsghdr *head = (const void *)answer;
	struct nlmsgerr e;

	if (n < sizeof(*head) || !NLMSG_OK(head, n))
		return EPROTO;
	if (head->nlmsg_type != NLMSG_ERROR)
		return data && head->nlmsg_type >= NLMSG_MIN_TYPE ? 0 : EPROTO;
	if (head->nlmsg_len < NLMSG_LENGTH(sizeof(e)))
		return EPROTO;
	memcpy(&e, NLMSG_DATA(head), sizeof(e));
	/* a number beyond those that errno has, or none where data was asked for */
	if (e.error > 0 || e.error < -4095 || (data && e.error == 0))
		return EPROTO;
	return -e.error;
}

int vm_rt_talk(const struct vm_sys *s, struct vm_rt_request *r, char *answer, size_t size, size_t *ret_len)
{
	const struct vm_deadline deadline = vm_deadline_in(ANSWER_MS);
	VM_AUTO_FD int fd = connect_to(s);
	pid_t child = 0;
	size_t n = 0;
	int e = 0;

	if (fd < 0)
		return errno;
	/* to the kernel: netlink's port 0 is where an unconnected socket sends to */
	if (s != NULL)
		e = send_by_child(fd, r, &child);
	else if (send(fd, r, r->head.nlmsg_len, MSG_NOSIGNAL) < 0)
		e = errno;
	if (e == 0)
		e = wait_answer(fd, r, &child, deadline, answer, size, &n);
	if (child > 0) {
		/* harmless to one that the kernel holds; it goes when that comes back */
		if (e != 0)
			kill(child, SIGKILL);
		while (waitpid(child, NULL, e != 0 ? WNOHANG : 0) < 0 && errno == EINTR)
			;
	}
	if (e != 0)
		return e;
	if (n > size)
		return EMSGSIZE;
	if (ret_len != NULL)
		*ret_len = n;
	return vm_rt_parse(answer, n, ret_len != NULL);
}
