/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of host devices as people write them. */
#include "hostdev_view.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/state.h>

#include "host/mdev.h"

static int bad(const char *text, struct vm_err *err)
{
	vm_err_set(err, VM_USAGE, "'%.80s' is no name of a host device", text);
	return vm_err_hint(err, "write 0000:01:00.0, pci_0000_01_00_0, usb:1-4.2 (port), "
				"usb:046d:c52b[:SERIAL], usb:001:004 (bus:device), scsi:H:B:T:L or "
				"mdev:UUID");
}

/* Exactly n digits of the base, up to the colon or the end. */
static bool digits(const char **at, size_t n, int base, unsigned *ret)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (base == 16 ? !isxdigit((unsigned char)(*at)[i]) : !isdigit((unsigned char)(*at)[i]))
			return false;
	if ((*at)[n] != 0 && (*at)[n] != ':')
		return false;
	*ret = (unsigned)strtoul(*at, NULL, base);
	*at += (*at)[n] == ':' ? n + 1 : n;
	return true;
}

/* "1-4.2": bus, then ports; "usb1": the hub that a bus begins with, to be told of. */
static bool is_port(const char *p)
{
	size_t dash = strspn(p, "0123456789");

	if (strncmp(p, "usb", 3) == 0)
		return p[3] != 0 && p[3 + strspn(p + 3, "0123456789")] == 0 && strlen(p) < VM_USB_PORT;
	if (dash == 0 || p[dash] != '-' || strlen(p) >= VM_USB_PORT)
		return false;
	p += dash;
	do {
		p++;
		if (!isdigit((unsigned char)*p))
			return false;
		p += strspn(p, "0123456789");
	} while (*p == '.');
	return *p == 0;
}

/* Three decimal digits are a place, four hexadecimal ones an id: their number tells. */
static bool parse_usb(const char *p, struct vm_hostdev_name *n)
{
	unsigned a, b;
	const char *at = p;

	if (is_port(p)) {
		snprintf(n->port, sizeof(n->port), "%s", p);
		n->usb.port = n->port;
		return true;
	}
	if (digits(&at, 3, 10, &a) && at[-1] == ':' && digits(&at, 3, 10, &b) && *at == 0 &&
	    at[-1] != ':') {
		n->usb.has_place = true;
		n->usb.bus = a;
		n->usb.device = b;
		return a > 0 && b > 0;
	}
	at = p;
	if (!digits(&at, 4, 16, &a) || at[-1] != ':' || !digits(&at, 4, 16, &b))
		return false;
	n->usb.has_id = true;
	n->usb.vendor = (uint16_t)a;
	n->usb.product = (uint16_t)b;
	if (at[-1] == ':') {
		if (*at == 0 || strlen(at) >= sizeof(n->serial))
			return false;
		snprintf(n->serial, sizeof(n->serial), "%s", at);
		n->usb.serial = n->serial;
	}
	return a != 0;
}

/*
 * Names of virsh's nodedev-list: "usb_1_4_2", "scsi_0_0_0_0", "mdev_UUID_PARENT", with "_" for what is no letter or digit in
 * the name that the kernel has.  Source: libvirt formatnode, "name".
 */
static bool from_virsh(const char *text, char ret[80])
{
	const char *bus = strncmp(text, "usb_", 4) == 0 ? "usb" : strncmp(text, "scsi_", 5) == 0 ? "scsi" : NULL;
	bool usb;
	char *p;

	if (vm_mdev_virsh_uuid(text, ret + strlen("mdev:"))) {
		memcpy(ret, "mdev:", strlen("mdev:"));
		return true;
	}
	if (bus == NULL || strlen(text) >= 80 ||
	    (!isdigit((unsigned char)text[strlen(bus) + 1]) && strncmp(text, "usb_usb", 7) != 0))
		return false;
	usb = *bus == 'u';
	snprintf(ret, 80, "%s", text);
	ret[strlen(bus)] = ':';
	for (p = ret + strlen(bus) + 1; (p = strchr(p, '_')) != NULL; p++)
		*p = !usb ? ':' : strpbrk(ret, "-") != NULL ? '.' : '-';
	return true;
}

int vm_hostdev_name_parse(const char *text, struct vm_hostdev_name *ret, struct vm_err *err)
{
	char ours[80];
	uint8_t uuid[16];

	*ret = (struct vm_hostdev_name){ 0 };
	if (from_virsh(text, ours))
		text = ours;
	if (strncmp(text, "usb:", 4) == 0) {
		ret->bus = VM_HOSTDEV_USB;
		return parse_usb(text + 4, ret) ? 0 : bad(text, err);
	}
	if (strncmp(text, "scsi:", 5) == 0) {
		ret->bus = VM_HOSTDEV_SCSI;
		return vm_scsi_parse(text + 5, &ret->scsi) ? 0 : bad(text, err);
	}
	if (strncmp(text, "mdev:", 5) == 0) {
		ret->bus = VM_HOSTDEV_MDEV;
		if (vm_uuid_parse(text + 5, uuid) < 0)
			return bad(text, err);
		vm_uuid_format(uuid, ret->mdev);
		return 0;
	}
	ret->bus = VM_HOSTDEV_PCI;
	return vm_pci_parse(strncmp(text, "pci:", 4) == 0 ? text + 4 : text, &ret->pci)
		       ? 0
		       : bad(text, err);
}

static bool same_scsi(const struct vm_scsi_address *a, const struct vm_scsi_address *b)
{
	return a->host == b->host && a->bus == b->bus && a->target == b->target &&
	       a->unit == b->unit;
}

static const struct vm_hostdev_item *find_parent(const struct vm_hostdev_view *v, const char *name)
{
	for (size_t i = 0; i < v->n; i++)
		if (v->v[i].bus == VM_HOSTDEV_PARENT && strcmp(v->v[i].name, name) == 0)
			return &v->v[i];
	return NULL;
}

int vm_hostdev_view_find(const struct vm_hostdev_view *v, const char *text,
			 const struct vm_hostdev_item **ret, struct vm_err *err)
{
	struct vm_hostdev_name n;
	const struct vm_usb *usb = NULL;
	const struct vm_hostdev_item *parent = find_parent(v, text);

	if (parent != NULL) {
		*ret = parent;
		return 0;
	}
	if (vm_hostdev_name_parse(text, &n, err) < 0)
		return -1;
	if (n.bus == VM_HOSTDEV_USB && vm_usb_find(&v->usbs, &n.usb, &usb, err) < 0)
		return -1;
	for (size_t i = 0; i < v->n; i++) {
		const struct vm_hostdev_item *item = &v->v[i];
		bool is = false;

		if (item->bus != n.bus)
			continue;
		switch (n.bus) {
		case VM_HOSTDEV_PCI:
			is = vm_pci_compare(&item->pci->address, &n.pci) == 0;
			break;
		case VM_HOSTDEV_USB:
			is = item->usb == usb;
			break;
		case VM_HOSTDEV_SCSI:
			is = same_scsi(&item->scsi->address, &n.scsi);
			break;
		case VM_HOSTDEV_MDEV:
			is = strcmp(item->mdev->uuid, n.mdev) == 0;
			break;
		case VM_HOSTDEV_PARENT:
		case VM_HOSTDEV_BUSES:
			break;
		}
		if (is) {
			*ret = item;
			return 0;
		}
	}
	vm_err_set(err, VM_NOT_FOUND, "there is no host device %s", text);
	return vm_err_hint(err, "vm-hostdev-list --kind=%s lists those there are",
			   vm_hostdev_bus_words[n.bus]);
}
