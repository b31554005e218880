/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Addresses that are not PCI: drives on their controllers, ports of virtio-serial, USB ports.
 *
 * Source: libvirt 9.0, formatdomain "Device Addresses"; numbers observed with its domxml-to-native.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "qemu/qemu.h"

/* ---- drives ---- */

static void assign_drive(struct vm_device *dev, uint64_t controller, uint64_t bus, uint64_t unit)
{
	struct vm_address *a = vm_device_assign_address(dev, VM_ADDRESS_DRIVE);

	a->controller = controller;
	mt_assigned(&a->obj, VM_ADDRESS_HAS_CONTROLLER);
	a->bus = bus;
	mt_assigned(&a->obj, VM_ADDRESS_HAS_BUS);
	mt_assigned(&a->obj, VM_ADDRESS_HAS_TARGET);
	a->unit = unit;
	mt_assigned(&a->obj, VM_ADDRESS_HAS_UNIT);
}

/* The place a target's name stands for: "sdh" is the eighth SCSI unit. */
static void place_drive(struct vm_disk *disk, uint64_t n)
{
	switch ((enum vm_disk_bus)disk->bus) {
	case VM_BUS_IDE: /* two channels of two */
		assign_drive(&disk->dev, n / 4, n % 4 / 2, n % 2);
		break;
	case VM_BUS_SATA: /* six ports */
		assign_drive(&disk->dev, n / 6, 0, n % 6);
		break;
	case VM_BUS_FDC:
		assign_drive(&disk->dev, n / 2, 0, n % 2);
		break;
	case VM_BUS_SCSI: /* a narrow bus: eight units, of which 7 is the controller */
		assign_drive(&disk->dev, n / 7, 0, n % 7);
		break;
	case VM_BUS_NONE:
	case VM_BUS_VIRTIO:
	case VM_BUS_USB:
	case VM_BUS_XEN:
	case VM_BUS_UML:
	case VM_BUS_SD:
		break;
	}
}

#define SCSI_UNITS 7u /* of a controller, as for disks */

static bool drive_taken(const struct vm_domain *d, uint64_t controller, uint64_t unit)
{
	const struct mt_list *const lists[] = {&d->disks, &d->hostdevs};

	for (size_t l = 0; l < VM_COUNT(lists); l++)
		for (uint32_t i = 0; i < lists[l]->n; i++) {
			const struct vm_device *dev = lists[l]->v[i];
			const struct vm_address *a = dev->address;

			if (l == 0 && ((const struct vm_disk *)(const void *)dev)->bus != VM_BUS_SCSI)
				continue;
			if (vm_device_has_address(dev, VM_ADDRESS_DRIVE) && a->controller == controller &&
			    a->bus == 0 && a->target == 0 && a->unit == unit)
				return true;
		}
	return false;
}

/* A SCSI host device gets the first unit that is free. */
static int assign_hostdev_drives(struct vm_domain *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	for (uint32_t i = 0; i < d->hostdevs.n; i++) {
		struct vm_hostdev *h = d->hostdevs.v[i];
		uint64_t n = 0;

		if (h->type != VM_HOSTDEV_TYPE_SCSI || h->dev.address_type != VM_ADDRESS_NONE)
			continue;
		while (n < SCSI_UNITS * 256 && drive_taken(d, n / SCSI_UNITS, n % SCSI_UNITS))
			n++;
		if (n == SCSI_UNITS * 256)
			return mt_error(ctx, h, NULL, VM_BAD_INPUT, err, "no SCSI unit is free for it");
		assign_drive(&h->dev, n / SCSI_UNITS, 0, n % SCSI_UNITS);
	}
	return 0;
}

int vm_qemu_assign_drives(struct vm_domain *d, const struct vm_xml *doc, struct vm_err *err)
{
	const struct mt_ctx ctx = {.doc = doc, .root = d};

	for (uint32_t i = 0; i < d->disks.n; i++) {
		struct vm_disk *disk = d->disks.v[i];
		int n;

		if (disk->dev.address_type != VM_ADDRESS_NONE)
			continue;
		n = vm_disk_target_index(disk->target);
		if (n < 0)
			return mt_error(&ctx, disk, "target/@dev", VM_BAD_INPUT, err,
					"\"%s\" names no disk, and the disk has no address",
					disk->target);
		place_drive(disk, (uint64_t)n);
	}
	return assign_hostdev_drives(d, &ctx, err);
}

/* ---- virtio-serial ---- */

#define VIOSERIAL_PORTS 31u /* without ports=''; QEMU's own default */

struct vioserial {
	struct vm_domain *d;
	const struct mt_ctx *ctx;
	struct port_map {
		uint64_t index, ports;
		uint8_t *used; /* a byte a port */
	} * v;
	size_t n;
};

static void vioserial_add(struct vioserial *s, const struct vm_controller *c)
{
	size_t at = 0;
	uint64_t ports =
	    mt_is_set(&c->dev.obj, VM_CONTROLLER_BIT_PORTS) ? c->ports : VIOSERIAL_PORTS;

	while (at < s->n && s->v[at].index < c->index)
		at++;
	s->v = vm_xreallocarray(s->v, s->n + 1, sizeof(*s->v));
	memmove(s->v + at + 1, s->v + at, (s->n - at) * sizeof(*s->v));
	s->n++;
	s->v[at] = (struct port_map){
	    .index = c->index, .ports = ports, .used = vm_xcalloc((size_t)ports + 1, 1)};
}

static int vioserial_reserve(struct vioserial *s, const struct vm_char *chr, struct vm_err *err)
{
	const struct vm_address *a = chr->dev.address;

	for (size_t i = 0; i < s->n; i++) {
		struct port_map *m = &s->v[i];

		if (m->index != a->controller)
			continue;
		if (a->port >= m->ports)
			return mt_error(s->ctx, chr, "address", VM_BAD_INPUT, err,
					"virtio-serial controller %llu has %llu ports",
					(unsigned long long)m->index, (unsigned long long)m->ports);
		if (m->used[a->port])
			return mt_error(s->ctx, chr, "address", VM_BAD_INPUT, err,
					"port %llu of virtio-serial controller %llu is taken",
					(unsigned long long)a->port, (unsigned long long)m->index);
		m->used[a->port] = 1;
		return 0;
	}
	return mt_error(s->ctx, chr, "address", VM_BAD_INPUT, err,
			"there is no virtio-serial controller with index %llu",
			(unsigned long long)a->controller);
}

static bool vioserial_complete(const struct vm_char *chr)
{
	return chr->dev.address_type == VM_ADDRESS_VIRTIO_SERIAL && chr->dev.address != NULL &&
	       chr->dev.address->port != 0;
}

/* First free port from `from` on; of one controller only if asked (ours: index < 0). */
static bool vioserial_free(struct vioserial *s, int64_t index, uint64_t from, uint64_t *ret_index,
			   uint64_t *ret_port)
{
	for (size_t i = 0; i < s->n; i++) {
		if (index >= 0 && s->v[i].index != (uint64_t)index)
			continue;
		for (uint64_t port = from; port < s->v[i].ports; port++) {
			if (s->v[i].used[port])
				continue;
			*ret_index = s->v[i].index;
			*ret_port = port;
			return true;
		}
	}
	return false;
}

/* Port 0 is kept for a console; a console itself is left to QEMU, which gives it the next free
 * port. */
static int vioserial_place(struct vioserial *s, struct vm_char *chr, bool console,
			   struct vm_err *err)
{
	const uint64_t from = console ? 0 : 1;
	int64_t want = -1;
	uint64_t index, port;
	struct vm_address *a;

	if (vioserial_complete(chr))
		return 0;
	if (chr->dev.address_type == VM_ADDRESS_VIRTIO_SERIAL && chr->dev.address != NULL)
		want = (int64_t)chr->dev.address->controller;
	if (!vioserial_free(s, want, from, &index, &port)) {
		if (want >= 0)
			return mt_error(s->ctx, chr, "address", VM_BAD_INPUT, err,
					"virtio-serial controller %lld has no free port",
					(long long)want);
		for (index = 0; vm_controller_find(s->d, VM_CONTROLLER_VIRTIO_SERIAL, index);)
			index++;
		vioserial_add(s, vm_controller_add(s->d, VM_CONTROLLER_VIRTIO_SERIAL, index,
						   VM_MODEL_ABSENT));
		port = from;
	}
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].index == index)
			s->v[i].used[port] = 1;
	if (console)
		return 0;
	a = vm_device_assign_address(&chr->dev, VM_ADDRESS_VIRTIO_SERIAL);
	a->controller = index;
	mt_assigned(&a->obj, VM_ADDRESS_HAS_CONTROLLER);
	mt_assigned(&a->obj, VM_ADDRESS_HAS_BUS);
	a->port = port;
	mt_assigned(&a->obj, VM_ADDRESS_HAS_PORT);
	return 0;
}

static int assign_vioserial(struct vioserial *s, struct vm_err *err)
{
	const struct {
		const struct mt_list *list;
		int virtio;
	} of[] = {{&s->d->consoles, VM_CONSOLE_VIRTIO}, {&s->d->channels, VM_CHANNEL_VIRTIO}};

	for (uint32_t i = 0; i < s->d->controllers.n; i++) {
		const struct vm_controller *c = s->d->controllers.v[i];

		if (c->kind == VM_CONTROLLER_VIRTIO_SERIAL)
			vioserial_add(s, c);
	}
	for (size_t k = 0; k < VM_COUNT(of); k++)
		for (uint32_t i = 0; i < of[k].list->n; i++) {
			const struct vm_char *chr = of[k].list->v[i];

			if (chr->target_type == of[k].virtio && vioserial_complete(chr) &&
			    vioserial_reserve(s, chr, err) < 0)
				return -1;
		}
	for (size_t k = 0; k < VM_COUNT(of); k++)
		for (uint32_t i = 0; i < of[k].list->n; i++) {
			struct vm_char *chr = of[k].list->v[i];

			if (chr->target_type == of[k].virtio &&
			    vioserial_place(s, chr, k == 0, err) < 0)
				return -1;
		}
	return 0;
}

int vm_qemu_assign_vioserial(struct vm_domain *d, const struct vm_xml *doc, struct vm_err *err)
{
	const struct mt_ctx ctx = {.doc = doc, .root = d};
	struct vioserial s = {.d = d, .ctx = &ctx};
	int r = assign_vioserial(&s, err);

	for (size_t i = 0; i < s.n; i++)
		free(s.v[i].used);
	free(s.v);
	return r;
}

/* ---- USB ---- */

#define USB_BUSES_MAX 256u

struct usb_ports {
	struct vm_domain *d;
	const struct mt_ctx *ctx;
	struct {
		uint64_t ports; /* 0: there is no such bus */
		uint8_t *used;	/* a byte a port, from 0 */
	} bus[USB_BUSES_MAX];
};

/* Root ports of a controller; 0 for companions, whose ports are their master's. */
static uint64_t usb_controller_ports(const struct vm_controller *c)
{
	switch (c->model) {
	case VM_MODEL_ABSENT:
	case VM_USB_PIIX3_UHCI:
	case VM_USB_PIIX4_UHCI:
	case VM_USB_VT82C686B_UHCI:
		return 2;
	case VM_USB_EHCI:
	case VM_USB_ICH9_EHCI1:
		return 6;
	case VM_USB_PCI_OHCI:
		return 3;
	case VM_USB_NEC_XHCI:
	case VM_USB_QEMU_XHCI:
		return mt_is_set(&c->dev.obj, VM_CONTROLLER_BIT_PORTS) ? c->ports : 4;
	default:
		return 0;
	}
}

bool vm_device_on_usb(enum vm_device_family family, const struct vm_device *dev)
{
	const void *obj = dev;

	switch (family) {
	case VM_FAMILY_DISK:
		return ((const struct vm_disk *)obj)->bus == VM_BUS_USB;
	case VM_FAMILY_INPUT:
		return ((const struct vm_input *)obj)->bus == VM_INPUT_BUS_USB;
	case VM_FAMILY_SERIAL:
		return ((const struct vm_char *)obj)->target_type == VM_SERIAL_USB;
	case VM_FAMILY_INTERFACE:
		return ((const struct vm_interface *)obj)->kind != VM_INTERFACE_HOSTDEV &&
		       ((const struct vm_interface *)obj)->model == VM_NET_USB_NET;
	case VM_FAMILY_CONTROLLER:
		return ((const struct vm_controller *)obj)->kind == VM_CONTROLLER_CCID;
	case VM_FAMILY_HOSTDEV:
		return ((const struct vm_hostdev *)obj)->type == VM_HOSTDEV_TYPE_USB;
	case VM_FAMILY_PARALLEL:
	case VM_FAMILY_CONSOLE:
	case VM_FAMILY_CHANNEL:
	case VM_FAMILY_GRAPHICS:
	case VM_FAMILY_VIDEO:
	case VM_FAMILY_MEMBALLOON:
	case VM_FAMILY_RNG:
	case VM_FAMILY_WATCHDOG:
	case VM_FAMILY_PANIC:
	case VM_FAMILY_AUDIO:
	case VM_FAMILY_TPM:
	case VM_FAMILY_FILESYSTEM:
	case VM_FAMILY_IOMMU:
	case VM_FAMILIES:
		break;
	}
	return false;
}

static bool usb_has_port(const struct vm_device *dev)
{
	return dev->address_type == VM_ADDRESS_USB && dev->address != NULL &&
	       dev->address->usb_port != NULL;
}

static int usb_open(struct usb_ports *u, struct vm_err *err)
{
	for (uint32_t i = 0; i < u->d->controllers.n; i++) {
		const struct vm_controller *c = u->d->controllers.v[i];
		uint64_t ports;

		if (c->kind != VM_CONTROLLER_USB || (ports = usb_controller_ports(c)) == 0)
			continue;
		if (c->index >= USB_BUSES_MAX)
			return mt_error(u->ctx, c, "@index", VM_BAD_INPUT, err,
					"more than %u USB controllers", USB_BUSES_MAX);
		if (u->bus[c->index].ports != 0)
			return mt_error(u->ctx, c, "@index", VM_BAD_INPUT, err,
					"there are two USB controllers with index %llu",
					(unsigned long long)c->index);
		u->bus[c->index].ports = ports;
		u->bus[c->index].used = vm_xcalloc((size_t)ports, 1);
	}
	return 0;
}

static int usb_reserve(struct usb_ports *u, struct vm_device *dev, struct vm_err *err)
{

	const struct vm_address *a = dev->address;
	uint64_t port;
	char *end;

	if (!usb_has_port(dev))
		return 0;
	if (a->bus >= USB_BUSES_MAX || u->bus[a->bus].ports == 0)
		return mt_error(u->ctx, dev, "address", VM_BAD_INPUT, err,
				"there is no USB controller with index %llu",
				(unsigned long long)a->bus);
	port = strtoull(a->usb_port, &end, 10);
	if (*end == '.')
		return mt_error(u->ctx, dev, "address", VM_BAD_INPUT, err,
				"there is no USB hub at port %llu of bus %llu",
				(unsigned long long)port, (unsigned long long)a->bus);
	if (*end != '\0' || port == 0 || port > u->bus[a->bus].ports)
		return mt_error(u->ctx, dev, "address", VM_BAD_INPUT, err,
				"USB bus %llu has ports 1 to %llu", (unsigned long long)a->bus,
				(unsigned long long)u->bus[a->bus].ports);
	if (u->bus[a->bus].used[port - 1])
		return mt_error(u->ctx, dev, "address", VM_BAD_INPUT, err,
				"port %llu of USB bus %llu is taken", (unsigned long long)port,
				(unsigned long long)a->bus);
	u->bus[a->bus].used[port - 1] = 1;
	return 0;
}

static int usb_place(struct usb_ports *u, struct vm_device *dev, struct vm_err *err)
{
	uint64_t first = 0, last = USB_BUSES_MAX - 1;
	struct vm_address *a;

	if (usb_has_port(dev))
		return 0;
	if (dev->address_type == VM_ADDRESS_USB && dev->address != NULL &&
	    mt_is_set(&dev->address->obj, VM_ADDRESS_HAS_BUS))
		first = last = dev->address->bus;
	for (uint64_t bus = first; bus <= last && bus < USB_BUSES_MAX; bus++)
		for (uint64_t port = 0; port < u->bus[bus].ports; port++) {
			if (u->bus[bus].used[port])
				continue;
			u->bus[bus].used[port] = 1;
			a = vm_device_assign_address(dev, VM_ADDRESS_USB);
			a->bus = bus;
			mt_assigned(&a->obj, VM_ADDRESS_HAS_BUS);
			free(a->usb_port);
			a->usb_port = vm_xasprintf("%llu", (unsigned long long)port + 1);
			mt_assigned(&a->obj, VM_ADDRESS_HAS_USB_PORT);
			return 0;
		}
	return mt_error(u->ctx, dev, NULL, VM_UNSUPPORTED, err,
			"no USB port is free for this device, and USB hubs are not supported yet");
}

/* One round over all USB devices: reserves the ports that are said, or gives ports to the others.
 */
static int usb_round(struct usb_ports *u, struct vm_disk *const *disks,
		     int (*fn)(struct usb_ports *u, struct vm_device *dev, struct vm_err *err),
		     struct vm_err *err)
{
	static const enum vm_device_family after[] = {VM_FAMILY_CONTROLLER, VM_FAMILY_INPUT,
						      VM_FAMILY_SERIAL, VM_FAMILY_INTERFACE,
						      VM_FAMILY_HOSTDEV};

	for (size_t i = 0; disks[i] != NULL; i++)
		if (vm_device_on_usb(VM_FAMILY_DISK, &disks[i]->dev) &&
		    fn(u, &disks[i]->dev, err) < 0)
			return -1;
	for (size_t f = 0; f < VM_COUNT(after); f++) {
		const struct mt_list *list = vm_domain_list(u->d, after[f]);

		for (uint32_t i = 0; i < list->n; i++)
			if (vm_device_on_usb(after[f], list->v[i]) && fn(u, list->v[i], err) < 0)
				return -1;
	}
	return 0;
}

static int assign_usb(struct usb_ports *u, struct vm_err *err)
{
	VM_AUTO_FREE struct vm_disk **disks = vm_disks_of(u->d);

	if (usb_open(u, err) < 0 || usb_round(u, disks, usb_reserve, err) < 0)
		return -1;
	return usb_round(u, disks, usb_place, err);
}

int vm_qemu_assign_usb(struct vm_domain *d, const struct vm_xml *doc, struct vm_err *err)
{
	const struct mt_ctx ctx = {.doc = doc, .root = d};
	struct usb_ports *u = vm_xcalloc(1, sizeof(*u));
	int r;

	u->d = d;
	u->ctx = &ctx;
	r = assign_usb(u, err);
	for (size_t i = 0; i < USB_BUSES_MAX; i++)
		free(u->bus[i].used);
	free(u);
	return r;
}
