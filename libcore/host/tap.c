/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <vm/cleanup.h>

#define NAMES_MAX 65536u

/* errno of the failure, 0 = *ret_fd is a queue of the tap `name`. */
static int open_queue(const char *name, unsigned flags, int *ret_fd)
{
	VM_AUTO_FD int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	struct ifreq req = { 0 };

	if (fd < 0)
		return errno;
	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	req.ifr_flags = (short)flags;
	if (ioctl(fd, TUNSETIFF, &req) < 0)
		return errno;
	*ret_fd = vm_take_fd(&fd);
	return 0;
}

static unsigned flags_of(const struct vm_tap_want *want)
{
	unsigned flags = IFF_TAP | IFF_NO_PI;

	if (want->vnet_hdr)
		flags |= IFF_VNET_HDR;
	if (want->queues > 1)
		flags |= IFF_MULTI_QUEUE;
	return flags;
}

static int denied(int e, const char *name, struct vm_err *err)
{
	errno = e;
	vm_err_sys(err, "make the tap %s", name);
	if (e == EPERM || e == EACCES)
		vm_err_hint(err, "taps need CAP_NET_ADMIN and the right to open /dev/net/tun");
	else if (e == ENOENT || e == ENODEV)
		vm_err_hint(err, "load the module tun");
	return -1;
}

static int make_named(const struct vm_tap_want *want, const char *name, struct vm_tap *t,
		      struct vm_err *err)
{
	int e;

	if (want->existing && if_nametoindex(name) == 0)
		return vm_err_set(err, VM_NOT_FOUND, "there is no network interface %s", name);
	if (!want->existing && want->before != NULL && want->before(want->arg, name, err) < 0)
		return -1;
	e = open_queue(name, flags_of(want) | (want->existing ? 0 : IFF_TUN_EXCL), &t->fd[0]);
	if (e == EBUSY && !want->existing)
		return vm_err_set(err, VM_IN_USE, "the network interface %s exists already", name);
	if (e != 0)
		return denied(e, name, err);
	t->n = 1;
	snprintf(t->name, sizeof(t->name), "%s", name);
	return 0;
}

static int make_any(const struct vm_tap_want *want, struct vm_tap *t, struct vm_err *err)
{
	char name[VM_LINK_NAME];

	for (unsigned i = 0; i < NAMES_MAX; i++) {
		snprintf(name, sizeof(name), VM_TAP_PREFIX "%u", i);
		if (if_nametoindex(name) != 0)
			continue;
		if (make_named(want, name, t, err) == 0)
			return 0;
		if (err->kind != VM_IN_USE)
			return -1;
	}
	return vm_err_set(err, VM_SYSTEM, "no name is left for a tap");
}

static int configure(const struct vm_tap_want *want, struct vm_tap *t, struct vm_err *err)
{
	struct vm_link_change change = { .mtu = want->mtu, .alias = want->alias, .up = true };
	struct vm_link_info bridge;
	uint8_t mac[6];

	if (want->bridge != NULL) {
		if (vm_link_get(want->bridge, &bridge, err) < 0)
			return -1;
		change.master = bridge.index;
		if (change.mtu == 0)
			change.mtu = bridge.mtu;
	}
	if (want->mac != NULL) {
		/* The highest address, so that the bridge keeps its own. */
		memcpy(mac, want->mac, 6);
		mac[0] = 0xfe;
		change.mac = mac;
	}
	return vm_link_change(t->name, &change, err);
}

int vm_tap_open(const struct vm_tap_want *want, struct vm_tap *ret, struct vm_err *err)
{
	VM_AUTO(vm_tap_close) struct vm_tap t = VM_TAP_INIT;

	if (want->queues < 1 || want->queues > VM_TAP_QUEUES_MAX)
		return vm_err_set(err, VM_BAD_INPUT, "a tap has 1 to %u queues", VM_TAP_QUEUES_MAX);
	if (want->name != NULL && !vm_link_name_valid(want->name))
		return vm_err_set(err, VM_BAD_INPUT, "'%s' is no name of a network interface",
				  want->name);
	if ((want->name != NULL ? make_named(want, want->name, &t, err)
				: make_any(want, &t, err)) < 0)
		return -1;
	for (; t.n < want->queues; t.n++) {
		int e = open_queue(t.name, flags_of(want), &t.fd[t.n]);

		if (e != 0)
			return denied(e, t.name, err);
	}
	if (!want->existing && configure(want, &t, err) < 0)
		return -1;
	*ret = t;
	t.n = 0;
	return 0;
}

void vm_tap_close(struct vm_tap *t)
{
	int saved = errno;

	for (unsigned i = 0; i < t->n; i++)
		close(t->fd[i]);
	t->n = 0;
	errno = saved;
}

int vm_tap_delete(const char *name, const char *alias, struct vm_err *err)
{
	struct vm_link_info info;

	if (vm_link_get(name, &info, err) < 0)
		return err->kind == VM_NOT_FOUND ? 0 : -1;
	if (strcmp(info.alias, alias) != 0)
		return 0;
	return vm_link_delete(info.index, err);
}

bool vm_vhost_net_usable(void)
{
	return faccessat(AT_FDCWD, "/dev/vhost-net", R_OK | W_OK, AT_EACCESS) == 0;
}

int vm_vhost_net_open(int *ret_fd, struct vm_err *err)
{
	int fd = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return vm_err_sys(err, "open vhost-net");
	*ret_fd = fd;
	return 0;
}
