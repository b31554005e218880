/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <endian.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/out.h>
#include <vm/record.h>

#include "driver.h"
#include "host/usb.h"
#include "hostdev_foreign.h"
#include "info_sections.h"
#include "model/domain.h"
#include "state/hostdev.h"

struct image_size {
	bool known, capacity_known;
	uint64_t capacity, allocation, physical; /* bytes */
};

/* Virtual size in a qcow2 header.  Source: docs/interop/qcow2.txt, QEMU: magic "QFI\xfb", size at byte 24. */
static bool qcow2_size(int fd, uint64_t *ret)
{
	unsigned char head[32];
	uint64_t size;

	if (pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
	    memcmp(head, "QFI\xfb", 4) != 0)
		return false;
	memcpy(&size, head + 24, sizeof(size));
	*ret = be64toh(size);
	return true;
}

static void image_look(const char *path, const char *format, struct image_size *ret)
{
	VM_AUTO_FD int fd = -1;
	struct stat st;
	uint64_t bytes;

	*ret = (struct image_size){ 0 };
	/* never waits: what the path names may be a FIFO or a drive without a medium */
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	if (S_ISREG(st.st_mode)) {
		ret->known = true;
		ret->physical = (uint64_t)st.st_size;
		ret->allocation = (uint64_t)st.st_blocks * 512;
	} else if (S_ISBLK(st.st_mode) && ioctl(fd, BLKGETSIZE64, &bytes) == 0) {
		ret->known = true;
		ret->physical = ret->allocation = bytes;
	} else {
		return;
	}
	if (!format || strcmp(format, "raw") == 0) {
		ret->capacity = ret->physical;
		ret->capacity_known = true;
	} else if (strcmp(format, "qcow2") == 0) {
		ret->capacity_known = qcow2_size(fd, &ret->capacity);
	}
}

static const struct vm_look_block *block_of(const struct vm_info *i, const char *alias)
{
	for (size_t n = 0; alias && n < i->look.n_blocks; n++)
		if (i->look.blocks[n].alias && strcmp(i->look.blocks[n].alias, alias) == 0)
			return &i->look.blocks[n];
	return NULL;
}

static void out_size(struct vm_out *out, const char *key, bool known, uint64_t bytes)
{
	if (known)
		vm_out_u64(out, key, bytes);
	else
		vm_out_null(out, key);
}

static int show_disks(struct vm_info *i, struct vm_out *out, struct vm_err *err)
{
	(void)err;
	for (uint32_t n = 0; n < i->domain->disks.n; n++) {
		const struct vm_disk *d = i->domain->disks.v[n];
		const struct vm_look_block *b = block_of(i, d->dev.alias);
		VM_AUTO_FREE char *nvme = d->type == VM_DISK_NVME && d->source ? vm_disk_nvme_text(d) : NULL;
		VM_AUTO_FREE char *url = nvme ? vm_xasprintf("nvme://%s/%u", nvme, (unsigned)d->source->namespace) : NULL;
		const char *path = d->source ? d->source->path : NULL;
		struct image_size size = { 0 };
		bool cdrom = d->device == VM_DISK_CDROM;

		if (path)
			image_look(path, d->format, &size);
		if (b && b->has_size) {
			size.capacity_known = true;
			size.capacity = b->capacity;
		}
		vm_out_row(out);
		vm_out_str(out, "target", d->target);
		vm_out_str(out, "type", vm_disk_type_words[d->type]);
		vm_out_str(out, "device", vm_disk_device_words[d->device]);
		vm_out_str(out, "bus", d->bus ? vm_disk_bus_words[d->bus] : NULL);
		vm_out_str(out, "format", d->format ? d->format : "raw");
		vm_out_str(out, "access", d->readonly || cdrom ? "ro" : "rw");
		out_size(out, "capacity_bytes", size.capacity_known, size.capacity);
		out_size(out, "allocation_bytes", size.known, size.allocation);
		out_size(out, "physical_bytes", size.known, size.physical);
		vm_out_str(out, "error", b ? b->error : NULL);
		vm_out_str(out, "source", url ? url : path);
		vm_out_row_end(out);
	}
	return 0;
}
static const struct vm_out_column disk_columns[] = {
	{ "target", "TARGET" }, { "type", "TYPE" },	{ "device", "DEVICE" },
	{ "bus", "BUS" },	{ "format", "FORMAT" }, { "access", "ACCESS" },
	{ "capacity_bytes", "CAPACITY" }, { "allocation_bytes", "ALLOCATION" },
	{ "physical_bytes", "PHYSICAL" }, { "error", "ERROR" }, { "source", "SOURCE" },
};
const struct vm_info_section vm_info_disks = {
	.name = "disks", .look = VM_LOOK_BLOCKS, .xml = true, .columns = disk_columns,
	.n_columns = VM_COUNT(disk_columns), .show = show_disks,
};

static const char *interface_source(const struct vm_interface *n)
{
	if (!n->source || n->kind == VM_INTERFACE_HOSTDEV)
		return NULL;
	return n->source->bridge ? n->source->bridge
	       : n->source->network ? n->source->network : n->source->dev;
}

static char *interface_hostdev(const struct vm_interface *n)
{
	const struct vm_hostdev h = { .type = VM_HOSTDEV_TYPE_PCI, .source = n->pci };

	return n->kind == VM_INTERFACE_HOSTDEV ? vm_hostdev_source_text(&h) : NULL;
}

static int show_interfaces(struct vm_info *i, struct vm_out *out, struct vm_err *err)
{
	(void)err;
	for (uint32_t k = 0; k < i->domain->interfaces.n; k++) {
		const struct vm_interface *n = i->domain->interfaces.v[k];
		VM_AUTO_FREE char *hostdev = interface_hostdev(n);
		char mac[18];

		snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", n->mac[0], n->mac[1],
			 n->mac[2], n->mac[3], n->mac[4], n->mac[5]);
		vm_out_row(out);
		vm_out_str(out, "target", n->target);
		vm_out_str(out, "type", vm_interface_kind_words[n->kind]);
		vm_out_str(out, "model", n->model ? vm_net_model_words[n->model] : NULL);
		vm_out_str(out, "mac",
			   mt_is_set(&n->dev.obj, VM_INTERFACE_BIT_MAC) ? mac : NULL);
		vm_out_str(out, "link", n->link == VM_LINK_DOWN ? "down" : "up");
		vm_out_str(out, "source", hostdev != NULL ? hostdev : interface_source(n));
		vm_out_row_end(out);
	}
	return 0;
}
static const struct vm_out_column interface_columns[] = {
	{ "target", "TARGET" }, { "type", "TYPE" }, { "model", "MODEL" },
	{ "mac", "MAC" },	{ "link", "LINK" }, { "source", "SOURCE" },
};
const struct vm_info_section vm_info_interfaces = {
	.name = "interfaces", .xml = true, .columns = interface_columns,
	.n_columns = VM_COUNT(interface_columns), .show = show_interfaces,
};

/* NULL: it has none (yet). */
static char *guest_address(const struct vm_device *dev)
{
	const struct vm_address *a = dev->address;

	if (vm_device_has_address(dev, VM_ADDRESS_PCI))
		return vm_xasprintf("%04x:%02x:%02x.%x", (unsigned)a->domain, (unsigned)a->bus,
				    (unsigned)a->slot, (unsigned)a->function);
	if (vm_device_has_address(dev, VM_ADDRESS_USB))
		return vm_xasprintf("usb:%u:%s", (unsigned)a->bus, a->usb_port);
	if (vm_device_has_address(dev, VM_ADDRESS_DRIVE))
		return vm_xasprintf("%u:%u:%u:%llu", (unsigned)a->controller, (unsigned)a->bus,
				    (unsigned)a->target, (unsigned long long)a->unit);
	return NULL;
}

/* Unplugged from the host since. */
static bool is_away(const struct vm_hostdev *h)
{
	const struct vm_usb u = { .bus = (unsigned)h->source->bus, .device = (unsigned)h->source->device };
	VM_AUTO(vm_sys_close) struct vm_sys sys = VM_SYS_INIT;
	struct vm_err ignored = VM_ERR_INIT;
	char node[32];

	if (h->type != VM_HOSTDEV_TYPE_USB || !mt_is_set(&h->source->obj, VM_HOSTDEV_SOURCE_BUS) ||
	    vm_sys_open(NULL, &sys, &ignored) < 0)
		return false;
	vm_usb_node(&u, node);
	return !vm_sys_exists(sys.root, node, NULL);
}

/* NULL: this is a definition. */
static const char *hostdev_state(const struct vm_info *i, const struct vm_hostdev *h, const struct vm_disk *disk)
{
	if (!i->live)
		return NULL;
	if (vm_hostdev_parked(h))
		return "parked";
	if (h->missing == VM_SWITCH_ON || is_away(h))
		return "missing";
	if (vm_look_lost(&i->look, h, disk))
		return "released";
	return vm_record_has(&i->facts, VM_KEY_UNPLUG, h->dev.alias) ? "unplugging" : "assigned";
}

/* What QEMU has, and the document has not. */
static void show_foreign(const struct vm_info *i, struct vm_out *out)
{
	VM_AUTO(vm_foreign_free) struct vm_foreign all = VM_FOREIGN_NONE;

	vm_foreign_read(i->domain, &i->look, &all);
	for (size_t n = 0; n < all.n; n++) {
		vm_out_row(out);
		vm_out_str(out, "alias", all.v[n].alias);
		vm_out_str(out, "state", vm_record_has(&i->facts, VM_KEY_UNPLUG, all.v[n].alias) ? "unplugging" : "foreign");
		vm_out_null(out, "guest_address");
		vm_out_str(out, "device", all.v[n].device);
		vm_out_row_end(out);
	}
}

static int show_hostdevs(struct vm_info *i, struct vm_out *out, struct vm_err *err)
{
	struct vm_hostdev_iter n = { 0 };
	const struct vm_hostdev *h;

	(void)err;
	while ((h = vm_hostdev_next(i->domain, &n)) != NULL) {
		VM_AUTO_FREE char *device = vm_hostdev_source_text(h);
		VM_AUTO_FREE char *address = guest_address(&h->dev);

		vm_out_row(out);
		vm_out_str(out, "alias", h->dev.alias);
		vm_out_str(out, "state", hostdev_state(i, h, n.disk));
		vm_out_str(out, "guest_address", address);
		vm_out_str(out, "device", device);
		vm_out_row_end(out);
	}
	show_foreign(i, out);
	return 0;
}
static const struct vm_out_column hostdev_columns[] = {
	{ "alias", "ALIAS" }, { "state", "STATE" }, { "guest_address", "GUEST_ADDRESS" },
	{ "device", "DEVICE" },
};
const struct vm_info_section vm_info_hostdevs = {
	.name = "hostdevs", .look_if = VM_LOOK_HOSTDEVS, .xml = true, .columns = hostdev_columns, .n_columns = VM_COUNT(hostdev_columns),
	.show = show_hostdevs,
};

static int show_ports(struct vm_info *i, struct vm_out *out, struct vm_err *err)
{
	(void)err;
	for (uint32_t n = 0; n < i->domain->controllers.n; n++) {
		const struct vm_controller *c = i->domain->controllers.v[n];
		enum vm_device_family family;
		const struct vm_device *user;

		if (c->kind != VM_CONTROLLER_PCI || c->model != VM_PCIE_ROOT_PORT)
			continue;
		user = vm_domain_on_bus(i->domain, c->index, &family);
		vm_out_row(out);
		vm_out_u64(out, "bus", c->index);
		vm_out_str(out, "state", user ? "used" : c->hotplug == VM_SWITCH_OFF ? "fixed" : "free");
		vm_out_str(out, "device",
			   !user ? NULL : user->alias ? user->alias : vm_families[family].name);
		vm_out_row_end(out);
	}
	return 0;
}
static const struct vm_out_column port_columns[] = {
	{ "bus", "BUS" }, { "state", "STATE" }, { "device", "DEVICE" },
};
const struct vm_info_section vm_info_ports = {
	.name = "ports", .xml = true, .columns = port_columns, .n_columns = VM_COUNT(port_columns),
	.show = show_ports,
};

static char *display_uri(const struct vm_info *i, const char *listen, uint64_t port,
			 const char *socket)
{
	bool v6 = listen && strchr(listen, ':');

	if (!i->live)
		return NULL;
	if (socket)
		return vm_xasprintf("vnc+unix://%s", socket);
	if (!port)
		return NULL;
	return vm_xasprintf("vnc://%s%s%s:%llu", v6 ? "[" : "", listen ? listen : "localhost",
			    v6 ? "]" : "", (unsigned long long)port);
}

static int show_graphics(struct vm_info *i, struct vm_out *out, struct vm_err *err)
{
	(void)err;
	for (uint32_t n = 0; n < i->domain->graphics.n; n++) {
		const struct vm_graphics *g = i->domain->graphics.v[n];
		const struct vm_listen *l =
			g->vnc && g->vnc->listens.n ? g->vnc->listens.v[0] : NULL;
		const char *listen = l && l->address ? l->address : g->vnc ? g->vnc->listen : NULL;
		const char *socket = l && l->socket ? l->socket : g->vnc ? g->vnc->socket : NULL;
		uint64_t port = g->vnc && g->vnc->port > 0 ? (uint64_t)g->vnc->port : 0;
		VM_AUTO_FREE char *uri = NULL;

		if (!port)
			port = i->look.vnc_port;
		uri = display_uri(i, listen, port, socket);
		vm_out_row(out);
		vm_out_str(out, "type", vm_graphics_kind_words[g->kind]);
		vm_out_str(out, "listen", listen ? listen : socket ? NULL : "127.0.0.1");
		out_size(out, "port", port, port);
		vm_out_str(out, "socket", socket);
		vm_out_str(out, "uri", uri);
		vm_out_row_end(out);
	}
	return 0;
}
static const struct vm_out_column graphics_columns[] = {
	{ "type", "TYPE" }, { "listen", "LISTEN" }, { "port", "PORT" }, { "socket", "SOCKET" },
	{ "uri", "URI" },
};
const struct vm_info_section vm_info_graphics = {
	.name = "graphics", .look = VM_LOOK_GRAPHICS, .xml = true, .columns = graphics_columns,
	.n_columns = VM_COUNT(graphics_columns), .show = show_graphics,
};

static void out_consoles(struct vm_out *out, const char *device, const struct mt_list *list)
{
	for (uint32_t n = 0; n < list->n; n++) {
		const struct vm_char *c = list->v[n];
		const struct vm_chardev *b = c->backend;

		vm_out_row(out);
		vm_out_str(out, "device", device);
		vm_out_str(out, "alias", c->dev.alias);
		vm_out_str(out, "type", vm_chardev_type_words[c->type]);
		vm_out_str(out, "name", c->target_name);
		vm_out_str(out, "path", c->tty ? c->tty : b ? b->path : NULL);
		vm_out_row_end(out);
	}
}

static int show_consoles(struct vm_info *i, struct vm_out *out, struct vm_err *err)
{
	(void)err;
	out_consoles(out, "serial", &i->domain->serials);
	out_consoles(out, "console", &i->domain->consoles);
	out_consoles(out, "channel", &i->domain->channels);
	return 0;
}
static const struct vm_out_column console_columns[] = {
	{ "device", "DEVICE" }, { "alias", "ALIAS" }, { "type", "TYPE" }, { "name", "NAME" },
	{ "path", "PATH" },
};
const struct vm_info_section vm_info_consoles = {
	.name = "consoles", .xml = true, .columns = console_columns,
	.n_columns = VM_COUNT(console_columns), .show = show_consoles,
};

static int show_agent(struct vm_info *i, struct vm_out *out, struct vm_err *err)
{
	const struct vm_observer *observer;

	(void)out;
	if (!i->live)
		return vm_err_set(err, VM_NOT_RUNNING, "its agent cannot be asked: not running");
	if (vm_observer_find(i->state->driver, &observer, err) < 0)
		return -1;
	if (!observer->agent)
		return vm_driver_lacks(observer->name, "guest agent", err);
	return observer->agent(&i->guest, out, i->deadline, err);
}
static const struct vm_out_column agent_columns[] = { { "key", "KEY" }, { "value", "VALUE" } };
const struct vm_info_section vm_info_agent = {
	.name = "agent", .xml = true, .columns = agent_columns,
	.n_columns = VM_COUNT(agent_columns), .show = show_agent,
};
