/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* USB devices of the host.  Needs libc alone.  Source: Linux Documentation/ABI/testing/sysfs-bus-usb. */
#include <stdbool.h>
#include <stdint.h>

#include "sys.h"

#define VM_USB_PORT 32 /* bytes of "1-4.2" */

struct vm_usb {
	char port[VM_USB_PORT]; /* "1-4.2": where it is plugged in, which survives a replug; "usb1": root hub */
	unsigned bus, device;	/* 1...: changes at each replug */
	uint16_t vendor, product;
	char serial[128], maker[128], model[128]; /* "" = it tells none */
	uint8_t class;	 /* of the device; 9 = hub */
	char driver[64]; /* of its first interface that has one; "" = none */
	unsigned dev_major, dev_minor; /* of its node; 0:0 = unknown */
};
/* All, in order of sysfs; a device that vanishes meanwhile is left out. */
struct vm_usbs {
	struct vm_usb *v; /* owned */
	size_t n;
};
void vm_usbs_read(const struct vm_sys *s, struct vm_usbs *ret, struct vm_unread *u);
void vm_usbs_free(struct vm_usbs *u);
static inline bool vm_usb_is_hub(const struct vm_usb *u)
{
	return u->class == 9;
}
/* "dev/bus/usb/001/004" */
void vm_usb_node(const struct vm_usb *u, char buf[32]);

/* What a document or a command line says of a USB device. */
struct vm_usb_want {
	bool has_id, has_place; /* vendor and product; bus and device */
	uint16_t vendor, product;
	unsigned bus, device;
	const char *port;   /* NULL = not said */
	const char *serial; /* likewise */
	bool automatic; /* the place was found by a search of ours, not given: it may be stale */
};
/*
 * Finds it.  0 = *ret points into `all`; 1 = it is not plugged in; -1: several are (VM_IN_USE), *err lists them.
 * With a place and an id both must match, but for an automatic place, after which the id alone is looked for.
 */
int vm_usb_find(const struct vm_usbs *all, const struct vm_usb_want *want, const struct vm_usb **ret,
		struct vm_err *err);
