/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Taps for guests' interfaces and vhost-net.
 *
 * A tap is not persistent: the kernel removes it when QEMU, its last user, is gone.  It carries the
 * guest's name as its alias, so that one which was made persistent by a hostile QEMU is known as ours.
 */
#include <stdbool.h>
#include <stdint.h>

#include <vm/err.h>

#include "link.h"

#define VM_TAP_QUEUES_MAX 256u
/* Source: enum of linux/if_tun.h; libvirt names its taps vnet0, vnet1 ... likewise. */
#define VM_TAP_PREFIX "vnet"

struct vm_tap_want {
	const char *name;   /* NULL: the first free vnetN */
	unsigned queues;    /* 1... */
	bool vnet_hdr;	    /* virtio: packets with their offload header */
	const char *bridge; /* NULL: joins none */
	const uint8_t *mac; /* the guest's MAC; the tap gets fe: in its place of the first byte; NULL = random */
	uint32_t mtu;	    /* bytes; 0 = the bridge's */
	const char *alias;  /* marks it as ours */
	bool existing;	    /* it must be there already, and stays (managed='no') */
	/* Called with the name before the tap is made; -1 ends it.  Twice if somebody else was faster. */
	int (*before)(void *arg, const char *name, struct vm_err *err);
	void *arg;
};
struct vm_tap {
	char name[VM_LINK_NAME];
	unsigned n;
	int fd[VM_TAP_QUEUES_MAX]; /* owned */
};
#define VM_TAP_INIT ((struct vm_tap){ 0 })
int vm_tap_open(const struct vm_tap_want *want, struct vm_tap *ret, struct vm_err *err);
void vm_tap_close(struct vm_tap *t);
/* Deletes the tap of this name if it carries this alias; another one, or none, is success. */
int vm_tap_delete(const char *name, const char *alias, struct vm_err *err);
/* Is there a vhost-net that this process may open? */
bool vm_vhost_net_usable(void);
/* One vhost-net instance. VM_NOT_FOUND, VM_DENIED: there is no such thing for us. */
int vm_vhost_net_open(int *ret_fd, struct vm_err *err);
