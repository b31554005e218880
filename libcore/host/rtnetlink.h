/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* One message to rtnetlink, one answer.  Needs libc alone.  Source: rtnetlink(7), netlink(7). */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

struct vm_sys;

/* RTA_NEXT() for a size that has no sign: the last attribute need not be filled up. */
static inline const struct rtattr *vm_rt_next(const struct rtattr *a, size_t *left)
{
	size_t step = RTA_ALIGN(a->rta_len);

	*left -= step < *left ? step : *left;
	return (const struct rtattr *)(const void *)((const char *)a + step);
}

/* Of an answer as it was received: 0, the errno in it, or EPROTO; data: more than an acknowledgement is wanted. */
int vm_rt_parse(const char *answer, size_t n, bool data);

struct vm_rt_request {
	struct nlmsghdr head;
	struct ifinfomsg info;
	char attrs[512];
};
void vm_rt_init(struct vm_rt_request *r, unsigned short type, unsigned flags);
/* Fits by the caller's promise; what does not is left out. */
void vm_rt_add(struct vm_rt_request *r, unsigned short type, const void *data, size_t len);
/* Everything added until vm_rt_end() is inside. */
struct rtattr *vm_rt_begin(struct vm_rt_request *r, unsigned short type);
void vm_rt_end(struct vm_rt_request *r, struct rtattr *nest);
/*
 * Sends it and takes the one answer, of ret_len bytes, or an acknowledgement (ret_len NULL): 0, else an errno (EMSGSIZE: the answer is
 * larger; ETIMEDOUT: there is none for five seconds; EPROTO: it is none that the kernel would give).  s NULL, or this machine: the
 * kernel; a recorded one: whoever plays its part at the socket run/rtnetlink below its root (ENOTCONN: nobody).  With s, also
 * sending it is bounded: it goes to the driver of a card.
 */
int vm_rt_talk(const struct vm_sys *s, struct vm_rt_request *r, char *answer, size_t size, size_t *ret_len);
