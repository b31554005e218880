/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Character devices: serial, parallel, channel, console, and the backends behind them. */
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "qemu/qmp/agent.h"
#include "qemu/plan/plan.h"

/* Where a channel's socket is when the document leaves it open. */
static char *channel_path(const struct vm_plan *p, const struct vm_char *chr, const char *alias)
{
	if (chr->target_name != NULL && strcmp(chr->target_name, "org.qemu.guest_agent.0") == 0)
		return vm_xasprintf("%s/" VM_AGENT_SOCKET, p->env->run_path);
	return vm_xasprintf("%s/%s.sock", p->env->run_path, alias);
}

static void add_reconnect(struct vm_strbuf *b, const struct vm_chardev *c)
{
	if (c->reconnect == VM_SWITCH_ON)
		vm_kv_u64(b, "reconnect", c->reconnect_timeout);
	else if (c->reconnect == VM_SWITCH_OFF)
		vm_kv_u64(b, "reconnect", 0);
}

static void backend_unix(struct vm_plan *p, struct vm_strbuf *b, const struct vm_char *chr,
			 const char *alias)
{
	const struct vm_chardev *c = chr->backend;
	VM_AUTO_FREE char *path =
	    c != NULL && c->path != NULL ? vm_xstrdup(c->path) : channel_path(p, chr, alias);

	if (c == NULL || c->path == NULL || c->mode == VM_CHARDEV_BIND) {
		/* The listening socket is ours, so that its place need not be open to QEMU. */
		vm_kv_u64(b, "fd", (uint64_t)vm_argv_fd(p->a, VM_FD_LISTEN, chr, 0, alias, path));
		vm_kv_on(b, "server", true);
		vm_kv_on(b, "wait", false);
	} else {
		vm_kv_str(b, "path", path);
		add_reconnect(b, c);
	}
}

static void backend_tcp(struct vm_strbuf *b, const struct vm_chardev *c)
{
	vm_kv_str(b, "host", c->host != NULL ? c->host : "");
	vm_kv_str(b, "port", c->service);
	if (c->protocol == VM_PROTOCOL_TELNET)
		vm_kv_on(b, "telnet", true);
	if (c->mode == VM_CHARDEV_BIND) {
		vm_kv_on(b, "server", true);
		vm_kv_on(b, "wait", false);
	} else {
		add_reconnect(b, c);
	}
}

static void backend_udp(struct vm_strbuf *b, const struct vm_chardev *c)
{
	const struct vm_chardev_source *to = NULL, *at = NULL;

	for (uint32_t i = 0; i < c->sources.n; i++) {
		const struct vm_chardev_source *s = c->sources.v[i];

		if (s->mode == VM_CHARDEV_BIND)
			at = s;
		else
			to = s;
	}
	vm_kv_str(b, "host", to != NULL && to->host != NULL ? to->host : "");
	vm_kv_str(b, "port", to != NULL ? to->service : NULL);
	if (at != NULL) {
		vm_kv_str(b, "localaddr", at->host != NULL ? at->host : "");
		vm_kv_str(b, "localport", at->service != NULL ? at->service : "0");
	}
}

#define FDSET "/dev" "/fdset/" /* a name of QEMU's own, no place of the host */

/*
 * The file itself, or what the starter opened in its place, as a set of one descriptor.  QEMU's own copy lives as long
 * as the device does.  Source: -add-fd and "/dev/fdset" of qemu(1), QEMU 7.2.
 */
static void add_file(struct vm_plan *p, struct vm_strbuf *b, const char *key, const char *append_key,
		     const struct vm_char *chr, const char *alias, const char *path, bool append)
{
	VM_AUTO_FREE char *set = NULL, *place = NULL;
	int fd;

	if (!p->env->given_files) {
		vm_kv_str(b, key, path);
		if (append) /* QEMU begins a new file without */
			vm_kv_on(b, append_key, true);
		return;
	}
	fd = vm_argv_fd(p->a, VM_FD_FILE, chr, append, alias, path);
	set = vm_xasprintf("set=%d,fd=%d", fd, fd);
	place = vm_xasprintf(FDSET "%d", fd);
	vm_argv_opt(p->a, "-add-fd", set);
	vm_kv_str(b, key, place);
	vm_kv_on(b, append_key, true);
}

/* QEMU's word for a backend: a device of the host is one of two kinds. */
static const char *backend_word(const struct vm_char *chr, bool parallel)
{
	switch ((enum vm_chardev_type)chr->type) {
	case VM_CHARDEV_NULL:
		return "null";
	case VM_CHARDEV_VC:
		return "vc";
	case VM_CHARDEV_PTY:
		return "pty";
	case VM_CHARDEV_DEV:
		return parallel ? "parallel" : "serial";
	case VM_CHARDEV_FILE:
		return "file";
	case VM_CHARDEV_PIPE:
		return "pipe";
	case VM_CHARDEV_STDIO:
		return "stdio";
	case VM_CHARDEV_UDP:
		return "udp";
	case VM_CHARDEV_TCP:
	case VM_CHARDEV_UNIX:
		return "socket";
	case VM_CHARDEV_NONE:
	case VM_CHARDEV_SPICEVMC:
	case VM_CHARDEV_SPICEPORT:
	case VM_CHARDEV_NMDM:
	case VM_CHARDEV_QEMU_VDAGENT:
	case VM_CHARDEV_DBUS:
	case VM_CHARDEV_TYPES:
		break;
	}
	return "null";
}

static void chardev(struct vm_plan *p, const struct vm_char *chr, const char *alias, bool parallel)
{
	const struct vm_chardev *c = chr->backend;
	VM_AUTO_FREE char *id = vm_xasprintf("char%s", alias);
	struct vm_strbuf b = VM_STRBUF_INIT;

	vm_kv_word(&b, backend_word(chr, parallel));
	vm_kv_str(&b, "id", id);
	switch ((enum vm_chardev_type)chr->type) {
	case VM_CHARDEV_UNIX:
		backend_unix(p, &b, chr, alias);
		break;
	case VM_CHARDEV_TCP:
		backend_tcp(&b, c);
		break;
	case VM_CHARDEV_UDP:
		backend_udp(&b, c);
		break;
	case VM_CHARDEV_FILE:
		add_file(p, &b, "path", "append", chr, alias, c->path, c->append == VM_SWITCH_ON);
		break;
	case VM_CHARDEV_DEV:
	case VM_CHARDEV_PIPE:
		vm_kv_str(&b, "path", c->path);
		break;
	case VM_CHARDEV_NONE:
	case VM_CHARDEV_NULL:
	case VM_CHARDEV_VC:
	case VM_CHARDEV_PTY:
	case VM_CHARDEV_STDIO:
	case VM_CHARDEV_SPICEVMC:
	case VM_CHARDEV_SPICEPORT:
	case VM_CHARDEV_NMDM:
	case VM_CHARDEV_QEMU_VDAGENT:
	case VM_CHARDEV_DBUS:
	case VM_CHARDEV_TYPES:
		break;
	}
	if (c != NULL && c->log_file != NULL)
		add_file(p, &b, "logfile", "logappend", chr, alias, c->log_file,
			 c->log_append == VM_SWITCH_ON);
	vm_argv_opt(p->a, "-chardev", b.text);
	vm_strbuf_free(&b);
}

static void serial(struct vm_plan *p, const struct vm_char *s)
{
	static const char *const drivers[] = {
	    [VM_SERIAL_ISA] = "isa-serial",
	    [VM_SERIAL_USB] = "usb-serial",
	    [VM_SERIAL_PCI] = "pci-serial",
	    [VM_SERIAL_ISA_DEBUG] = "isa-debugcon",
	};
	VM_AUTO_FREE char *alias = vm_qemu_alias(p->d, VM_FAMILY_SERIAL, &s->dev);
	struct vm_qobj o = VM_QOBJ_INIT;

	chardev(p, s, alias, false);
	vm_qobj_str(&o, "driver", drivers[s->target_type]);
	vm_qobj_strf(&o, "chardev", "char%s", alias);
	vm_qobj_str(&o, "id", alias);
	if (s->target_type == VM_SERIAL_ISA)
		vm_qobj_u64(&o, "index", s->target_port);
	vm_plan_address(p, &o, &s->dev);
	vm_qobj_emit(&o, p->a, "-device");
}

static void parallel_port(struct vm_plan *p, const struct vm_char *c)
{
	VM_AUTO_FREE char *alias = vm_qemu_alias(p->d, VM_FAMILY_PARALLEL, &c->dev);
	struct vm_qobj o = VM_QOBJ_INIT;

	chardev(p, c, alias, true);
	vm_qobj_str(&o, "driver", "isa-parallel");
	vm_qobj_strf(&o, "chardev", "char%s", alias);
	vm_qobj_str(&o, "id", alias);
	vm_plan_address(p, &o, &c->dev);
	vm_qobj_emit(&o, p->a, "-device");
}

void vm_plan_serials(struct vm_plan *p)
{
	for (uint32_t i = 0; i < p->d->serials.n; i++)
		serial(p, p->d->serials.v[i]);
	for (uint32_t i = 0; i < p->d->parallels.n; i++)
		parallel_port(p, p->d->parallels.v[i]);
}

/* bus and nr of a port on a virtio-serial controller; a console without an address takes what is
 * free. */
static void vioserial_address(struct vm_plan *p, struct vm_qobj *o, const struct vm_device *dev)
{
	VM_AUTO_FREE char *bus = NULL;

	if (dev->address_type != VM_ADDRESS_VIRTIO_SERIAL || dev->address == NULL)
		return;
	bus = vm_qemu_alias(
	    p->d, VM_FAMILY_CONTROLLER,
	    &vm_controller_find(p->d, VM_CONTROLLER_VIRTIO_SERIAL, dev->address->controller)->dev);
	vm_qobj_strf(o, "bus", "%s.%llu", bus, (unsigned long long)dev->address->bus);
	vm_qobj_u64(o, "nr", dev->address->port);
}

static void channel(struct vm_plan *p, const struct vm_char *c)
{
	VM_AUTO_FREE char *alias = vm_qemu_alias(p->d, VM_FAMILY_CHANNEL, &c->dev);
	struct vm_qobj o = VM_QOBJ_INIT;

	chardev(p, c, alias, false);
	if (c->target_type == VM_CHANNEL_GUESTFWD) {
		vm_qobj_str(&o, "type", "user");
		vm_qobj_array(&o, "guestfwd");
		vm_qobj_open(&o, NULL);
		vm_qobj_strf(&o, "str", "tcp:%s:%llu-chardev:char%s", c->target_address,
			     (unsigned long long)c->target_port, alias);
		vm_qobj_close(&o);
		vm_qobj_array_end(&o);
		vm_qobj_str(&o, "id", alias);
		vm_qobj_emit(&o, p->a, "-netdev");
		return;
	}
	vm_qobj_str(&o, "driver", "virtserialport");
	vioserial_address(p, &o, &c->dev);
	vm_qobj_strf(&o, "chardev", "char%s", alias);
	vm_qobj_str(&o, "id", alias);
	vm_qobj_str(&o, "name", c->target_name);
	vm_qobj_emit(&o, p->a, "-device");
}

static void console(struct vm_plan *p, const struct vm_char *c)
{
	VM_AUTO_FREE char *alias = NULL;
	struct vm_qobj o = VM_QOBJ_INIT;

	/* The other kind stands for the serial port. */
	if (c->target_type != VM_CONSOLE_VIRTIO)
		return;
	alias = vm_qemu_alias(p->d, VM_FAMILY_CONSOLE, &c->dev);
	chardev(p, c, alias, false);
	vm_qobj_str(&o, "driver", "virtconsole");
	vioserial_address(p, &o, &c->dev);
	vm_qobj_strf(&o, "chardev", "char%s", alias);
	vm_qobj_str(&o, "id", alias);
	vm_qobj_emit(&o, p->a, "-device");
}

void vm_plan_channels(struct vm_plan *p)
{
	for (uint32_t i = 0; i < p->d->channels.n; i++)
		channel(p, p->d->channels.v[i]);
	for (uint32_t i = 0; i < p->d->consoles.n; i++)
		console(p, p->d->consoles.v[i]);
}
