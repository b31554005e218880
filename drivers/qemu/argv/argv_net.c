/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Interfaces: -netdev and the card. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/strbuf.h>

#include "qemu/plan/plan.h"

static const char *const drivers[] = {
    [VM_NET_E1000] = "e1000",	  [VM_NET_E1000E] = "e1000e",	  [VM_NET_IGB] = "igb",
    [VM_NET_RTL8139] = "rtl8139", [VM_NET_NE2K_PCI] = "ne2k_pci", [VM_NET_PCNET] = "pcnet",
    [VM_NET_I82551] = "i82551",	  [VM_NET_I82557B] = "i82557b",	  [VM_NET_I82559ER] = "i82559er",
    [VM_NET_VMXNET3] = "vmxnet3", [VM_NET_TULIP] = "tulip",	  [VM_NET_USB_NET] = "usb-net",
};

static bool is_virtio(const struct vm_interface *n)
{
	return n->model == VM_NET_VIRTIO || n->model == VM_NET_VIRTIO_TRANSITIONAL ||
	       n->model == VM_NET_VIRTIO_NON_TRANSITIONAL;
}

/* The kernel's data path is for KVM guests; asked for by name, it must be there. */
static bool wants_vhost(const struct vm_plan *p, const struct vm_interface *n)
{
	if (!is_virtio(n) || p->d->virt != VM_VIRT_KVM || n->driver == VM_NET_DRIVER_QEMU)
		return false;
	return n->driver == VM_NET_DRIVER_VHOST || !p->env->no_vhost_net;
}

/* "fd":"4", or "fds":"4:5" of a card with several queues. */
static void descriptors(struct vm_plan *p, struct vm_qobj *o, const struct vm_interface *n,
			const char *alias, enum vm_fd_role role, const char *one, const char *many)
{
	unsigned queues = n->queues > 1 ? (unsigned)n->queues : 1;
	struct vm_strbuf b = VM_STRBUF_INIT;

	for (unsigned i = 0; i < queues; i++)
		vm_strbuf_printf(&b, "%s%d", i > 0 ? ":" : "",
				 vm_argv_fd(p->a, role, n, i, alias, NULL));
	vm_qobj_str(o, queues > 1 ? many : one, b.text);
	vm_strbuf_free(&b);
}

static void tap(struct vm_plan *p, struct vm_qobj *o, const struct vm_interface *n,
		const char *alias)
{
	vm_qobj_str(o, "type", "tap");
	descriptors(p, o, n, alias, VM_FD_TAP, "fd", "fds");
	if (wants_vhost(p, n)) {
		vm_qobj_bool(o, "vhost", true);
		descriptors(p, o, n, alias, VM_FD_VHOST, "vhostfd", "vhostfds");
	}
	if (mt_is_set(&n->dev.obj, VM_INTERFACE_BIT_SNDBUF))
		vm_qobj_u64(o, "sndbuf", n->sndbuf);
}

static void user(struct vm_qobj *o, const struct vm_interface *n)
{
	vm_qobj_str(o, "type", "user");
	for (uint32_t i = 0; i < n->ips.n; i++) {
		const struct vm_interface_ip *ip = n->ips.v[i];

		if (ip->family == 2) {
			vm_qobj_str(o, "ipv6-prefix", ip->address);
			if (mt_is_set(&ip->obj, 2))
				vm_qobj_u64(o, "ipv6-prefixlen", ip->prefix);
		} else if (mt_is_set(&ip->obj, 2)) {
			vm_qobj_strf(o, "net", "%s/%" PRIu64, ip->address, ip->prefix);
		} else {
			vm_qobj_str(o, "net", ip->address);
		}
	}
}

/* Source: QEMU 7.2, qapi/net.json: NetdevStreamOptions. */
static void passt(struct vm_plan *p, struct vm_qobj *o, const struct vm_interface *n, const char *alias)
{
	vm_qobj_str(o, "type", "stream");
	vm_qobj_open(o, "addr");
	vm_qobj_str(o, "type", "fd");
	vm_qobj_strf(o, "str", "%d", vm_argv_fd(p->a, VM_FD_HELPER, n, 0, alias, NULL));
	vm_qobj_close(o);
	vm_qobj_bool(o, "server", false);
}

static void netdev(struct vm_plan *p, const struct vm_interface *n, const char *alias)
{
	struct vm_qobj o = VM_QOBJ_INIT;

	if (vm_interface_is_passt(n))
		passt(p, &o, n, alias);
	else if (n->kind == VM_INTERFACE_USER)
		user(&o, n);
	else
		tap(p, &o, n, alias);
	vm_qobj_strf(&o, "id", "host%s", alias);
	vm_qobj_emit(&o, p->a, "-netdev");
}

static void offloads(struct vm_qobj *o, const struct vm_interface *n)
{
	const struct {
		const char *name;
		int value;
	} of[] = {
	    {"csum", n->host.csum},	      {"gso", n->host.gso},
	    {"host_tso4", n->host.tso4},      {"host_tso6", n->host.tso6},
	    {"host_ecn", n->host.ecn},	      {"host_ufo", n->host.ufo},
	    {"mrg_rxbuf", n->host.mrg_rxbuf}, {"guest_csum", n->guest.csum},
	    {"guest_tso4", n->guest.tso4},    {"guest_tso6", n->guest.tso6},
	    {"guest_ecn", n->guest.ecn},      {"guest_ufo", n->guest.ufo},
	};

	for (size_t i = 0; i < VM_COUNT(of); i++)
		vm_qobj_switch(o, of[i].name, of[i].value);
}

static void virtio(struct vm_qobj *o, const struct vm_interface *n)
{
	vm_plan_virtio_driver(o, "virtio-net",
			      n->model == VM_NET_VIRTIO_TRANSITIONAL ? VM_VIRTIO_MODEL_TRANSITIONAL
			      : n->model == VM_NET_VIRTIO_NON_TRANSITIONAL
				  ? VM_VIRTIO_MODEL_NON_TRANSITIONAL
				  : VM_VIRTIO_MODEL_VIRTIO);
	vm_plan_virtio(o, &n->virtio);
	/* its partner is plugged in once the guest says that it knows about teams */
	if (n->teaming != NULL)
		vm_qobj_bool(o, "failover", true);
	if (n->txmode != VM_TXMODE_ABSENT)
		vm_qobj_str(o, "tx", n->txmode == VM_TXMODE_IOTHREAD ? "bh" : "timer");
	vm_qobj_switch(o, "ioeventfd", n->ioeventfd);
	vm_qobj_switch(o, "event_idx", n->event_idx);
	offloads(o, n);
	/* Each queue pair needs two vectors, and two are for configuration and control. */
	if (n->queues > 1 && n->kind != VM_INTERFACE_USER) {
		vm_qobj_bool(o, "mq", true);
		vm_qobj_u64(o, "vectors", 2 * n->queues + 2);
	}
	if (n->rx_queue_size != 0)
		vm_qobj_u64(o, "rx_queue_size", n->rx_queue_size);
	if (n->tx_queue_size != 0)
		vm_qobj_u64(o, "tx_queue_size", n->tx_queue_size);
	if (n->mtu != 0)
		vm_qobj_u64(o, "host_mtu", n->mtu);
	vm_qobj_switch(o, "rss", n->rss);
	vm_qobj_switch(o, "hash", n->rss_hash_report);
}

void vm_plan_rom(struct vm_qobj *o, const struct vm_rom *rom)
{
	if (rom == NULL)
		return;
	if (rom->enabled == VM_SWITCH_OFF) {
		vm_qobj_str(o, "romfile", "");
		return;
	}
	if (rom->bar != VM_SWITCH_ABSENT)
		vm_qobj_u64(o, "rombar", rom->bar == VM_SWITCH_ON);
	vm_qobj_str(o, "romfile", rom->file);
}

void vm_plan_interfaces(struct vm_plan *p)
{
	for (uint32_t i = 0; i < p->d->interfaces.n; i++) {
		const struct vm_interface *n = p->d->interfaces.v[i];
		VM_AUTO_FREE char *alias = vm_qemu_alias(p->d, VM_FAMILY_INTERFACE, &n->dev);
		uint64_t boot = vm_plan_boot_index(p, VM_FAMILY_INTERFACE, &n->dev);
		struct vm_qobj o = VM_QOBJ_INIT;

		/* that has no packets for QEMU */
		if (n->kind == VM_INTERFACE_HOSTDEV)
			continue;
		netdev(p, n, alias);
		if (is_virtio(n))
			virtio(&o, n);
		else
			vm_qobj_str(&o, "driver", drivers[n->model]);
		vm_qobj_strf(&o, "netdev", "host%s", alias);
		vm_qobj_str(&o, "id", alias);
		vm_qobj_strf(&o, "mac", "%02x:%02x:%02x:%02x:%02x:%02x", n->mac[0], n->mac[1],
			     n->mac[2], n->mac[3], n->mac[4], n->mac[5]);
		if (boot != 0)
			vm_qobj_u64(&o, "bootindex", boot);
		vm_plan_address(p, &o, &n->dev);
		vm_plan_rom(&o, n->dev.rom);
		vm_qobj_emit(&o, p->a, "-device");
	}
}
