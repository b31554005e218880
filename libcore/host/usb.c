/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "usb.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/strbuf.h>

#define DEVICES "sys/bus/usb/devices"

/* The bus is the number its name begins with: "1-4.2", "usb1". */
static bool bus_of(const char *name, unsigned *ret)
{
	const char *p = strncmp(name, "usb", 3) == 0 ? name + 3 : name;
	char *end;
	unsigned long n;

	if (!isdigit((unsigned char)*p))
		return false;
	n = strtoul(p, &end, 10);
	if ((*end != 0 && *end != '-') || n == 0 || n > 65535)
		return false;
	*ret = (unsigned)n;
	return true;
}

/* Interfaces are directories "1-4.2:1.0" in the device's own. */
static void read_driver(int dir, struct vm_usb *usb)
{
	VM_AUTO(vm_sys_names_free) struct vm_sys_names names = { 0 };

	vm_sys_names(dir, &names, NULL);
	for (size_t i = 0; i < names.n && usb->driver[0] == 0; i++) {
		VM_AUTO_FD int below = -1;

		if (strchr(names.v[i], ':') == NULL || (below = vm_sys_dir_at(dir, names.v[i])) < 0)
			continue;
		if (!vm_sys_link(below, "driver", usb->driver, sizeof(usb->driver), NULL))
			usb->driver[0] = 0;
	}
}

static void read_text(int dir, const char *name, char *buf, size_t size, struct vm_unread *u)
{
	if (!vm_sys_text(dir, name, buf, size, u))
		buf[0] = 0;
}

/* One that is no plain text is nobody's to name. */
static void read_serial(int dir, struct vm_usb *usb, struct vm_unread *u)
{
	struct vm_unread part = VM_UNREAD_NONE;

	read_text(dir, "serial", usb->serial, sizeof(usb->serial), &part);
	vm_unread_lenient(u, &part);
}

static bool read_row(const struct vm_sys *s, int top, const char *name, void *row, struct vm_unread *u)
{
	/* one with a colon is an interface */
	VM_AUTO_FD int dir = strchr(name, ':') == NULL ? vm_sys_look_at(top, name, u) : -1;
	struct vm_usb usb = { 0 };
	uint64_t vendor, product, class;
	int64_t device;
	char dev[32];

	(void)s;
	if (dir < 0 || strlen(name) >= sizeof(usb.port) || !bus_of(name, &usb.bus) ||
	    !vm_sys_hex(dir, "idVendor", &vendor, u) || !vm_sys_hex(dir, "idProduct", &product, u) ||
	    !vm_sys_i64(dir, "devnum", &device, u))
		return false;
	if (vendor > UINT16_MAX || product > UINT16_MAX || device <= 0 || device > 65535) {
		vm_unread_malformed(u, dir, device <= 0 || device > 65535 ? "devnum" : "idVendor");
		return false;
	}
	memcpy(usb.port, name, strlen(name) + 1);
	usb.device = (unsigned)device;
	usb.vendor = (uint16_t)vendor;
	usb.product = (uint16_t)product;
	if (vm_sys_hex(dir, "bDeviceClass", &class, u) && class <= UINT8_MAX)
		usb.class = (uint8_t)class;
	read_serial(dir, &usb, u);
	read_text(dir, "manufacturer", usb.maker, sizeof(usb.maker), NULL);
	read_text(dir, "product", usb.model, sizeof(usb.model), NULL);
	read_driver(dir, &usb);
	if (vm_sys_text(dir, "dev", dev, sizeof(dev), u) &&
	    sscanf(dev, "%u:%u", &usb.dev_major, &usb.dev_minor) != 2) {
		usb.dev_major = usb.dev_minor = 0;
		vm_unread_malformed(u, dir, "dev");
	}
	memcpy(row, &usb, sizeof(usb));
	return true;
}

void vm_usbs_read(const struct vm_sys *s, struct vm_usbs *ret, struct vm_unread *u)
{
	ret->v = vm_sys_rows(s, DEVICES, sizeof(*ret->v), read_row, &ret->n, u);
}

void vm_usbs_free(struct vm_usbs *u)
{
	free(u->v);
	*u = (struct vm_usbs){ 0 };
}

void vm_usb_node(const struct vm_usb *u, char buf[32])
{
	snprintf(buf, 32, "dev/bus/usb/%03u/%03u", u->bus, u->device);
}

static bool at_place(const struct vm_usb *u, const struct vm_usb_want *w)
{
	return (!w->has_place || (u->bus == w->bus && u->device == w->device)) &&
	       (w->port == NULL || strcmp(w->port, u->port) == 0);
}

static bool has_id(const struct vm_usb *u, const struct vm_usb_want *w)
{
	return (!w->has_id || (u->vendor == w->vendor && u->product == w->product)) &&
	       (w->serial == NULL || strcmp(w->serial, u->serial) == 0);
}

static int several(const struct vm_usbs *all, const struct vm_usb_want *w, struct vm_err *err)
{
	struct vm_strbuf b = VM_STRBUF_INIT;

	for (size_t i = 0; i < all->n; i++)
		if (has_id(&all->v[i], w))
			vm_strbuf_printf(&b, "%susb:%03u:%03u at port %s", b.len > 0 ? ", " : "",
					 all->v[i].bus, all->v[i].device, all->v[i].port);
	vm_err_set(err, VM_BAD_INPUT, "several USB devices %04x:%04x are plugged in: %s", w->vendor,
		   w->product, b.text);
	vm_strbuf_free(&b);
	return vm_err_hint(err, w->automatic ? "the one that was used is not where it was: give its "
					       "bus and device, or its port"
					     : "give the bus and device of one, or its port");
}

int vm_usb_find(const struct vm_usbs *all, const struct vm_usb_want *w, const struct vm_usb **ret,
		struct vm_err *err)
{
	const struct vm_usb *found = NULL;
	bool placed = w->has_place || w->port != NULL;

	for (size_t i = 0; placed && i < all->n; i++)
		if (at_place(&all->v[i], w) && has_id(&all->v[i], w)) {
			*ret = &all->v[i];
			return 0;
		}
	if (!w->has_id || (placed && !w->automatic))
		return 1;
	for (size_t i = 0; i < all->n; i++) {
		if (!has_id(&all->v[i], w))
			continue;
		if (found != NULL)
			return several(all, w, err);
		found = &all->v[i];
	}
	if (found == NULL)
		return 1;
	*ret = found;
	return 0;
}
