/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which devices of the host QEMU has, by its own lists: devices that have a name, those that have
 * none, and block nodes that drive a controller themselves.
 *
 * Source: QEMU 7.2, qapi/{qom,block-core}.json; docs/devel/qom.rst; device_add's containers in
 * softmmu/qdev-monitor.c; properties in hw/vfio/{pci,ap,ccw}.c, hw/usb/host-libusb.c,
 * hw/scsi/{scsi-disk,scsi-generic,vhost-scsi-common}.c; names of ids in util/id.c; file names of
 * nodes in block/nvme.c.
 */
#include "look.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/state.h>

#include "host/pci.h"
#include "host/scsi.h"
#include "host/usb.h"
#include "qemu/qmp/qmp.h"

#define NAMED	     "/machine/peripheral"
#define NAMELESS     "/machine/peripheral-anon"
#define NAME_MAX_LEN 128u
#define TEXT_MAX     256u /* of a property */
#define GETS_MAX     5u	  /* properties of one device */

struct held {
	struct vm_qmp *q;
	struct vm_deadline deadline;
	struct vm_look *l;
	json_t *nodes; /* of query-named-block-nodes */
};
static void held_close(struct held *h)
{
	json_decref(h->nodes);
}

/* What can be said of one, in what it answered to the properties of its kind; NULL: it did not say.
 * Owned. */
typedef char *name_fn(const struct held *h, json_t *const *values);
struct kind {
	const char *type, *gets[GETS_MAX];
	name_fn *name;
};

static const char *text_of(const json_t *value)
{
	const char *text = json_string_value(value);
	size_t len = text != NULL ? strlen(text) : 0;

	if (len == 0 || len >= TEXT_MAX)
		return NULL;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] <= ' ' || (unsigned char)text[i] >= 0x7f)
			return NULL;
	return text;
}

static char *pci_name(const char *text)
{
	struct vm_pci_address a;
	char name[VM_PCI_NAME];

	if (text == NULL || !vm_pci_parse(text, &a))
		return NULL;
	vm_pci_name(&a, name);
	return vm_xstrdup(name);
}

/* host is "ffff:ff:ff.f", or of all ones, where it was given by its directory of sysfs. */
static char *name_vfio(const struct held *h, json_t *const *values)
{
	const char *sysfs = text_of(values[1]), *last = sysfs != NULL ? strrchr(sysfs, '/') : NULL;
	char *name = pci_name(text_of(values[0]));
	uint8_t uuid[16];
	char text[37];

	(void)h;
	if (name != NULL || last == NULL)
		return name;
	name = pci_name(last + 1);
	if (name != NULL || vm_uuid_parse(last + 1, uuid) < 0)
		return name;
	vm_uuid_format(uuid, text);
	return vm_xasprintf("mdev:%s", text);
}

static char *name_usb(const struct held *h, json_t *const *values)
{
	const char *node = text_of(values[0]), *port = text_of(values[2]);
	json_int_t bus = json_integer_value(values[1]), device = json_integer_value(values[3]);
	unsigned a, b;
	char rest;

	(void)h;
	if (node != NULL && sscanf(node, "/dev/bus/usb/%3u/%3u%c", &a, &b, &rest) == 2 && a > 0 &&
	    a <= 999 && b > 0 && b <= 999)
		return vm_xasprintf("usb:%03u:%03u", a, b);
	if (bus <= 0 || bus > 999)
		return NULL;
	if (device > 0 && device <= 999)
		return vm_xasprintf("usb:%03u:%03u", (unsigned)bus, (unsigned)device);
	if (port != NULL && strlen(port) < VM_USB_PORT - 5 &&
	    strspn(port, "0123456789.") == strlen(port))
		return vm_xasprintf("usb:%u-%s", (unsigned)bus, port);
	return NULL;
}

/* Of the block node with this name. */
static const char *node_file(const struct held *h, const char *name)
{
	const json_t *one;
	size_t i;

	json_array_foreach(h->nodes, i, one)
	{
		const char *is = json_string_value(json_object_get(one, "node-name"));

		if (name != NULL && is != NULL && strcmp(is, name) == 0)
			return text_of(json_object_get(one, "file"));
	}
	return NULL;
}

static char *name_scsi(const struct held *h, json_t *const *values)
{
	const char *file = node_file(h, text_of(values[0]));
	VM_AUTO(vm_sys_close) struct vm_sys sys = VM_SYS_INIT;
	struct vm_scsi_address address;
	struct vm_err ignored = VM_ERR_INIT;
	char class[64], link[48];
	unsigned number;
	char rest;

	if (file == NULL || sscanf(file, "/dev/sg%5u%c", &number, &rest) != 1)
		return NULL;
	snprintf(class, sizeof(class), "sys/class/scsi_generic/sg%u", number);
	if (vm_sys_open(NULL, &sys, &ignored) == 0) {
		VM_AUTO_FD int dir = vm_sys_dir(&sys, class);

		if (dir >= 0 && vm_sys_link(dir, "device", link, sizeof(link), NULL) &&
		    vm_scsi_parse(link, &address))
			return vm_xasprintf("scsi:%s", link);
	}
	return NULL;
}

static char *name_vhost(const struct held *h, json_t *const *values)
{
	const char *wwpn = text_of(values[0]);

	(void)h;
	return wwpn != NULL && vm_wwpn_valid(wwpn) ? vm_xasprintf("vhost:%s", wwpn) : NULL;
}

static const struct kind kinds[] = {
    {"vfio-pci", {"host", "sysfsdev"}, name_vfio},
    {"vfio-pci-nohotplug", {"host", "sysfsdev"}, name_vfio},
    {"vfio-ap", {"sysfsdev", "sysfsdev"}, name_vfio},
    {"vfio-ccw", {"sysfsdev", "sysfsdev"}, name_vfio},
    {"usb-host", {"hostdevice", "hostbus", "hostport", "hostaddr"}, name_usb},
    {"scsi-generic", {"drive"}, name_scsi},
    {"vhost-scsi-pci", {"wwpn"}, name_vhost},
    {"vhost-scsi-pci-transitional", {"wwpn"}, name_vhost},
    {"vhost-scsi-pci-non-transitional", {"wwpn"}, name_vhost},
    {"vhost-scsi-ccw", {"wwpn"}, name_vhost},
};

/* "child<vfio-pci>" */
static const struct kind *kind_of(const char *type)
{
	static const char before[] = "child<";
	size_t len;

	if (strncmp(type, before, sizeof(before) - 1) != 0)
		return NULL;
	type += sizeof(before) - 1;
	len = strlen(type);
	for (size_t i = 0; i < VM_COUNT(kinds); i++)
		if (strlen(kinds[i].type) + 1 == len && type[len - 1] == '>' &&
		    strncmp(type, kinds[i].type, len - 1) == 0)
			return &kinds[i];
	return NULL;
}

/* What goes into records and rules: neither blank nor comma can be in it. */
static bool is_name(const char *name, bool nameless)
{
	static const char device[] = "device[";
	size_t len = strlen(name);

	if (len == 0 || len > NAME_MAX_LEN)
		return false;
	if (nameless)
		return strncmp(name, device, sizeof(device) - 1) == 0 && name[len - 1] == ']' &&
		       len > sizeof(device) &&
		       strspn(name + sizeof(device) - 1, "0123456789") == len - sizeof(device);
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && strchr("-._", name[i]) == NULL)
			return false;
	return isalpha((unsigned char)name[0]) != 0;
}

static struct vm_look_hostdev *add(struct vm_look *l, const char *alias, const char *type)
{
	struct vm_look_hostdev *d;

	l->hostdevs = vm_xreallocarray(l->hostdevs, l->n_hostdevs + 1, sizeof(*l->hostdevs));
	d = &l->hostdevs[l->n_hostdevs++];
	*d = (struct vm_look_hostdev){.alias = vm_xstrdup(alias), .type = vm_xstrdup(type)};
	return d;
}

/* ---- one device ---- */

/* All of it in one round trip.  A property that it does not have, or a device that is gone by now,
 * is no error. */
static int ask_one(const struct held *h, const struct kind *kind, const char *path, json_t **values,
		   struct vm_err *err)
{
	uint64_t ids[GETS_MAX];
	int r = 0;

	for (size_t i = 0; i < GETS_MAX && kind->gets[i] != NULL; i++)
		if (vm_qmp_send(h->q, &ids[i], err, "qom-get", "{s:s, s:s}", "path", path,
				"property", kind->gets[i]) < 0)
			return -1;
	for (size_t i = 0; i < GETS_MAX && kind->gets[i] != NULL && r == 0; i++) {
		struct vm_err why = VM_ERR_INIT;

		if (vm_qmp_recv(h->q, ids[i], h->deadline, &values[i], &why) < 0 &&
		    vm_qmp_refused(h->q) == NULL) {
			*err = why;
			r = vm_err_wrap(err, "qom-get");
		}
	}
	return r;
}

static int take_one(const struct held *h, const struct kind *kind, const char *name, bool nameless,
		    struct vm_err *err)
{
	VM_AUTO_FREE char *path = vm_xasprintf("%s/%s", nameless ? NAMELESS : NAMED, name);
	json_t *values[GETS_MAX] = {NULL};
	int r = ask_one(h, kind, path, values, err);

	if (r == 0)
		add(h->l, nameless ? path : name, kind->type)->device = kind->name(h, values);
	for (size_t i = 0; i < GETS_MAX; i++)
		json_decref(values[i]);
	return r;
}

/* ---- the lists ---- */

static int take_devices(const struct held *h, const json_t *list, bool nameless, struct vm_err *err)
{
	const json_t *one;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > VM_LOOK_MAX)
		return vm_err_set(err, VM_HYPERVISOR, "qom-list: QEMU sent no list of at most %u",
				  VM_LOOK_MAX);
	json_array_foreach(list, i, one)
	{
		const char *name = json_string_value(json_object_get(one, "name"));
		const char *type = json_string_value(json_object_get(one, "type"));
		const struct kind *kind;

		if (name == NULL || type == NULL || strncmp(type, "child<", 6) != 0)
			continue;
		if (!is_name(name, nameless))
			return vm_err_set(err, VM_HYPERVISOR,
					  "qom-list: QEMU sent a name that no device can have");
		kind = kind_of(type);
		if (!nameless)
			h->l->aliases[h->l->n_aliases++] = vm_xstrdup(name);
		if (kind != NULL && take_one(h, kind, name, nameless, err) < 0)
			return -1;
	}
	return 0;
}

/* A controller that QEMU drives itself: "nvme://0000:01:00.0/1". */
static int take_nodes(const struct held *h, struct vm_err *err)
{
	static const char before[] = "nvme://";
	const json_t *one;
	size_t i;

	if (!json_is_array(h->nodes) || json_array_size(h->nodes) > VM_LOOK_MAX)
		return vm_err_set(err, VM_HYPERVISOR,
				  "query-named-block-nodes: QEMU sent no list of at most %u",
				  VM_LOOK_MAX);
	json_array_foreach(h->nodes, i, one)
	{
		const char *driver = json_string_value(json_object_get(one, "drv"));
		const char *node = text_of(json_object_get(one, "node-name")),
			   *file = text_of(json_object_get(one, "file"));
		VM_AUTO_FREE char *address = NULL;

		if (driver == NULL || strcmp(driver, "nvme") != 0 || node == NULL ||
		    strchr(node, ',') != NULL)
			continue;
		if (file != NULL && strncmp(file, before, sizeof(before) - 1) == 0) {
			file += sizeof(before) - 1;
			address = vm_xstrndup(file, strcspn(file, "/"));
		}
		add(h->l, node, "nvme")->device = pci_name(address);
	}
	return 0;
}

int vm_qemu_look_hostdevs(struct vm_qmp *q, struct vm_deadline deadline, struct vm_look *ret,
			  struct vm_err *err)
{
	VM_AUTO(held_close) struct held h = {.q = q, .deadline = deadline, .l = ret};
	json_t *named = NULL, *nameless = NULL;
	uint64_t ids[3];
	int r = -1;

	vm_qmp_line_max(q, VM_QMP_LINE_MAX_SCHEMA);
	if (vm_qmp_send(q, &ids[0], err, "qom-list", "{s:s}", "path", NAMED) < 0 ||
	    vm_qmp_send(q, &ids[1], err, "qom-list", "{s:s}", "path", NAMELESS) < 0 ||
	    vm_qmp_send(q, &ids[2], err, "query-named-block-nodes", "{s:b}", "flat", 1) < 0)
		return -1;
	if (vm_qmp_recv(q, ids[0], deadline, &named, err) == 0 &&
	    vm_qmp_recv(q, ids[1], deadline, &nameless, err) == 0 &&
	    vm_qmp_recv(q, ids[2], deadline, &h.nodes, err) == 0) {
		ret->aliases = vm_xcalloc(json_array_size(named) + 1, sizeof(*ret->aliases));
		if (take_devices(&h, named, false, err) == 0 &&
		    take_devices(&h, nameless, true, err) == 0)
			r = take_nodes(&h, err);
	}
	vm_qmp_line_max(q, VM_QMP_LINE_MAX);
	json_decref(named);
	json_decref(nameless);
	ret->has_hostdevs = r == 0;
	return r;
}
