/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Source: libvirt 9.0, formatdomain "Host device assignment". */
#include "hostdev.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "disk.h"
#include "host/scsi.h"
#include "rows.h"

const char *const vm_hostdev_type_words[] = {
	"", "pci", "usb", "scsi", "scsi_host", "mdev", "!storage", "!misc", "!net", NULL,
};
const char *const vm_hostdev_model_words[] = {
	"", "vfio-pci", "!vfio-ccw", "!vfio-ap", "virtio", "virtio-transitional",
	"virtio-non-transitional", NULL,
};
const char *const vm_teaming_type_words[] = { "", "persistent", "transient", NULL };
static const char *const mode_words[] = { "", "subsystem", "!capabilities", NULL };
static const char *const driver_words[] = { "", "vfio", "!kvm", "!xen", NULL };
static const char *const sgio_words[] = { "", "filtered", "!unfiltered", NULL };
static const char *const guest_reset_words[] = { "", "off", "uninitialized", "on", NULL };
static const char *const scsi_protocol_words[] = { "", "iscsi", NULL };
static const char *const vhost_protocol_words[] = { "", "", "vhost", NULL };
static const char *const pci_word[] = { "", "pci", NULL };

/* ---- <source> by type ---- */

#define S(xml, member, bit, kind, ...)                                                             \
	MT_ROW(struct vm_hostdev_source, xml, member, VM_HOSTDEV_SOURCE_##bit, kind, __VA_ARGS__)
#define S_NUMBER(xml, member, bit, range, ...)                                                     \
	S(xml, member, bit, MT_U64, .arg = &(range), .flags = MT_HEX | MT_KEY __VA_ARGS__)

static const struct mt_row pci_rows[] = {
	S("@writeFiltering", write_filtering, WRITE_FILTERING, MT_ENUM, .arg = vm_yes_no_words),
	S("address/@type", address_type, ADDRESS_TYPE, MT_ENUM, .arg = pci_word),
	S_NUMBER("address/@domain", domain, DOMAIN, vm_pci_domain_range),
	S_NUMBER("address/@bus", bus, BUS, vm_pci_bus_range, | MT_REQUIRED),
	S_NUMBER("address/@slot", slot, SLOT, vm_pci_slot_range, | MT_REQUIRED),
	S_NUMBER("address/@function", function, FUNCTION, vm_pci_function_range, | MT_REQUIRED),
};

static int check_pci_source(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_hostdev_source *s = obj;

	if (s->write_filtering)
		return mt_error(ctx, obj, "@writeFiltering", VM_UNSUPPORTED, err,
				"writeFiltering is Xen's");
	if (!s->domain && !s->bus && !s->slot)
		return mt_error(ctx, obj, "address/@bus", VM_BAD_INPUT, err,
				"0000:00:00.%u is the host's own bridge", (unsigned)s->function);
	return 0;
}
const struct mt_type vm_hostdev_pci_source_type = {
	.elem = "source",
	.size = sizeof(struct vm_hostdev_source),
	.rows = pci_rows,
	.n = VM_COUNT(pci_rows),
	.check = check_pci_source,
};

static const struct mt_range usb_id_range = { .max = 0xffff, .digits = 4 };
static const struct mt_range usb_place_range = { .min = 1, .max = 65535, .digits = 1 };
static const struct mt_row usb_rows[] = {
	S("@startupPolicy", startup_policy, STARTUP_POLICY, MT_ENUM, .arg = vm_disk_startup_words),
	S("@guestReset", guest_reset, GUEST_RESET, MT_ENUM, .arg = guest_reset_words),
	S("@autoAddress", auto_address, AUTO_ADDRESS, MT_ENUM, .arg = vm_yes_no_words),
	S_NUMBER("vendor/@id", vendor, VENDOR, usb_id_range),
	S_NUMBER("product/@id", product, PRODUCT, usb_id_range),
	S("address/@bus", bus, BUS, MT_U64, .arg = &usb_place_range, .flags = MT_HEX | MT_KEY),
	S("address/@device", device, DEVICE, MT_U64, .arg = &usb_place_range, .flags = MT_HEX | MT_KEY),
};

static int check_usb_source(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_hostdev_source *s = obj;
	bool vendor = mt_is_set(&s->obj, VM_HOSTDEV_SOURCE_VENDOR),
	     product = mt_is_set(&s->obj, VM_HOSTDEV_SOURCE_PRODUCT),
	     bus = mt_is_set(&s->obj, VM_HOSTDEV_SOURCE_BUS),
	     device = mt_is_set(&s->obj, VM_HOSTDEV_SOURCE_DEVICE);

	if (vendor != product)
		return mt_error(ctx, obj, vendor ? "vendor" : "product", VM_BAD_INPUT, err,
				"<vendor> and <product> go together");
	if (vendor && !s->vendor)
		return mt_error(ctx, obj, "vendor/@id", VM_BAD_INPUT, err, "vendor cannot be 0");
	if (bus != device)
		return mt_error(ctx, obj, "address", VM_BAD_INPUT, err,
				"bus and device of a USB device go together");
	if (!vendor && !bus)
		return mt_error(ctx, obj, NULL, VM_BAD_INPUT, err,
				"a USB device is named by <vendor> and <product>, by <address>, or both");
	return 0;
}
static const struct mt_type usb_source = {
	.elem = "source",
	.size = sizeof(struct vm_hostdev_source),
	.rows = usb_rows,
	.n = VM_COUNT(usb_rows),
	.check = check_usb_source,
};

enum { PORTAL_NAME, PORTAL_PORT };
static const struct mt_range port_range = { .min = 1, .max = 65535 };
static const struct mt_row portal_rows[] = {
	MT_ROW(struct vm_hostdev_portal, "@name", name, PORTAL_NAME, MT_STR,
	       .flags = MT_REQUIRED | MT_KEY),
	MT_ROW(struct vm_hostdev_portal, "@port", port, PORTAL_PORT, MT_U64, .arg = &port_range,
	       .flags = MT_KEY),
};
static const struct mt_type portal_type = {
	.elem = "host",
	.size = sizeof(struct vm_hostdev_portal),
	.rows = portal_rows,
	.n = VM_COUNT(portal_rows),
};
static const struct mt_range lun_range = { .max = UINT64_MAX };
static const struct mt_row scsi_rows[] = {
	S("@protocol", protocol, PROTOCOL, MT_ENUM, .arg = scsi_protocol_words),
	S("@name", name, NAME, MT_STR, .flags = MT_KEY),
	S("host", hosts, HOSTS, MT_MANY, .arg = &portal_type),
	S("initiator/iqn/@name", initiator, INITIATOR, MT_STR),
	S("adapter/@name", adapter, ADAPTER, MT_STR, .flags = MT_KEY),
	S("address/@bus", bus, BUS, MT_U64, .arg = &vm_u32_range, .flags = MT_KEY),
	S("address/@target", target, TARGET, MT_U64, .arg = &vm_u32_range, .flags = MT_KEY),
	S("address/@unit", unit, UNIT, MT_U64, .arg = &lun_range, .flags = MT_KEY),
};

static bool adapter_valid(const char *name)
{
	size_t n;

	if (strncmp(name, "scsi_host", 9) != 0)
		return false;
	n = strspn(name + 9, "0123456789");
	return n > 0 && n < 10 && name[9 + n] == 0;
}

static int check_scsi_source(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_hostdev_source *s = obj;

	if (s->protocol == VM_HOSTDEV_PROTOCOL_ISCSI) {
		if (!s->name || s->hosts.n != 1)
			return mt_error(ctx, obj, NULL, VM_BAD_INPUT, err,
					"an iSCSI device needs a name and one <host>");
		if (s->adapter)
			return mt_error(ctx, obj, "adapter", VM_BAD_INPUT, err,
					"an iSCSI device has no <adapter>");
		return 0;
	}
	if (s->name || s->hosts.n || s->initiator)
		return mt_error(ctx, obj, s->name ? "@name" : NULL, VM_BAD_INPUT, err,
				"name, <host> and <initiator> are for protocol='iscsi'");
	if (!s->adapter || !adapter_valid(s->adapter))
		return mt_error(ctx, obj, s->adapter ? "adapter/@name" : NULL, VM_BAD_INPUT, err,
				"a SCSI device needs <adapter name='scsi_hostN'/>");
	if (!mt_is_set(&s->obj, VM_HOSTDEV_SOURCE_BUS) ||
	    !mt_is_set(&s->obj, VM_HOSTDEV_SOURCE_TARGET) ||
	    !mt_is_set(&s->obj, VM_HOSTDEV_SOURCE_UNIT))
		return mt_error(ctx, obj, NULL, VM_BAD_INPUT, err,
				"a SCSI device needs <address bus='' target='' unit=''/>");
	return 0;
}
static const struct mt_type scsi_source = {
	.elem = "source",
	.size = sizeof(struct vm_hostdev_source),
	.rows = scsi_rows,
	.n = VM_COUNT(scsi_rows),
	.check = check_scsi_source,
};

static const struct mt_row scsi_host_rows[] = {
	S("@protocol", protocol, PROTOCOL, MT_ENUM, .arg = vhost_protocol_words, .flags = MT_REQUIRED),
	S("@wwpn", wwpn, WWPN, MT_STR, .flags = MT_REQUIRED | MT_KEY),
};

static int check_scsi_host_source(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_hostdev_source *s = obj;

	if (!vm_wwpn_valid(s->wwpn))
		return mt_error(ctx, obj, "@wwpn", VM_BAD_INPUT, err,
				"'%.60s' is no wwpn: naa. and 16 hexadecimal digits", s->wwpn);
	return 0;
}
static const struct mt_type scsi_host_source = {
	.elem = "source",
	.size = sizeof(struct vm_hostdev_source),
	.rows = scsi_host_rows,
	.n = VM_COUNT(scsi_host_rows),
	.check = check_scsi_host_source,
};

static const struct mt_row mdev_rows[] = {
	S("address/@uuid", uuid, UUID, MT_UUID, .flags = MT_REQUIRED | MT_KEY),
};
static const struct mt_type mdev_source = {
	.elem = "source",
	.size = sizeof(struct vm_hostdev_source),
	.rows = mdev_rows,
	.n = VM_COUNT(mdev_rows),
};

static const struct mt_type *const source_by_type[] = {
	[VM_HOSTDEV_TYPE_PCI] = &vm_hostdev_pci_source_type,
	[VM_HOSTDEV_TYPE_USB] = &usb_source,
	[VM_HOSTDEV_TYPE_SCSI] = &scsi_source,
	[VM_HOSTDEV_TYPE_SCSI_HOST] = &scsi_host_source,
	[VM_HOSTDEV_TYPE_MDEV] = &mdev_source,
};
static const struct mt_cases source_cases = {
	.tag = "type",
	.tag_off = offsetof(struct vm_hostdev, type),
	.n = VM_COUNT(source_by_type),
	.by = source_by_type,
};

enum { TEAMING_TYPE, TEAMING_PERSISTENT };
static const struct mt_row teaming_rows[] = {
	MT_ROW(struct vm_teaming, "@type", type, TEAMING_TYPE, MT_ENUM, .flags = MT_REQUIRED,
	       .arg = vm_teaming_type_words),
	MT_ROW(struct vm_teaming, "@persistent", persistent, TEAMING_PERSISTENT, MT_STR),
};

static int check_teaming(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_teaming *t = obj;

	if (t->type == VM_TEAMING_TRANSIENT && !t->persistent)
		return mt_error(ctx, obj, NULL, VM_BAD_INPUT, err,
				"<teaming type='transient'> needs persistent='ALIAS'");
	if (t->type == VM_TEAMING_PERSISTENT && t->persistent)
		return mt_error(ctx, obj, "@persistent", VM_BAD_INPUT, err,
				"persistent='ALIAS' is for type='transient'");
	return 0;
}
const struct mt_type vm_teaming_type = {
	.elem = "teaming",
	.size = sizeof(struct vm_teaming),
	.rows = teaming_rows,
	.n = VM_COUNT(teaming_rows),
	.check = check_teaming,
};

/* ---- <hostdev> ---- */

#define H(xml, member, bit, kind, ...)                                                             \
	MT_ROW(struct vm_hostdev, xml, member, VM_HOSTDEV_BIT_##bit, kind, __VA_ARGS__)
#define H_WORD(xml, member, bit, list) H(xml, member, bit, MT_ENUM, .arg = list)
static const struct mt_row hostdev_rows[] = {
	H_WORD("@mode", mode, MODE, mode_words),
	H("@type", type, TYPE, MT_ENUM, .flags = MT_REQUIRED | MT_KEY, .arg = vm_hostdev_type_words),
	H_WORD("@managed", managed, MANAGED, vm_yes_no_words),
	H_WORD("@model", model, MODEL, vm_hostdev_model_words),
	H_WORD("@display", display, DISPLAY, vm_on_off_words),
	H_WORD("@ramfb", ramfb, RAMFB, vm_on_off_words),
	H_WORD("@sgio", sgio, SGIO, sgio_words),
	H_WORD("@rawio", rawio, RAWIO, vm_yes_no_words),
	H("@missing", missing, MISSING, MT_ENUM, .flags = MT_LIVE_ONLY, .arg = vm_yes_no_words),
	H_WORD("driver/@name", driver, DRIVER, driver_words),
	H_WORD("driver/@iommufd", iommufd, IOMMUFD, vm_yes_no_words),
	H("driver/@model", driver_model, DRIVER_MODEL, MT_STR),
	H("source", source, SOURCE, MT_CASE, .flags = MT_REQUIRED | MT_KEY, .arg = &source_cases),
	H("teaming", teaming, TEAMING, MT_ONE, .arg = &vm_teaming_type),
	H("readonly", readonly, READONLY, MT_BOOL, .flags = MT_PRESENT),
	H("shareable", shareable, SHAREABLE, MT_BOOL, .flags = MT_PRESENT),
	VM_DEVICE_BOOT_ROWS(struct vm_hostdev),
	VM_DEVICE_ROM_ROWS(struct vm_hostdev),
	VM_DEVICE_ROWS(struct vm_hostdev),
};

#define PCI	  VM_ONE(VM_HOSTDEV_TYPE_PCI)
#define SCSI	  VM_ONE(VM_HOSTDEV_TYPE_SCSI)
#define SCSI_HOST VM_ONE(VM_HOSTDEV_TYPE_SCSI_HOST)
#define MDEV	  VM_ONE(VM_HOSTDEV_TYPE_MDEV)

static int check_model(const struct vm_hostdev *h, const struct mt_ctx *ctx, struct vm_err *err)
{
	if (h->type == VM_HOSTDEV_TYPE_MDEV && h->model != VM_HOSTDEV_MODEL_VFIO_PCI)
		return mt_error(ctx, h, h->model ? "@model" : NULL, VM_BAD_INPUT, err,
				"a mediated device needs model='vfio-pci'");
	if (h->type == VM_HOSTDEV_TYPE_SCSI_HOST && h->model != VM_HOSTDEV_MODEL_ABSENT &&
	    h->model < VM_HOSTDEV_MODEL_VIRTIO)
		return mt_error(ctx, h, "@model", VM_BAD_INPUT, err,
				"a vhost-scsi target has a virtio model");
	if (h->ramfb == VM_SWITCH_ON && h->display != VM_SWITCH_ON)
		return mt_error(ctx, h, "@ramfb", VM_BAD_INPUT, err, "ramfb='on' needs display='on'");
	return 0;
}

bool vm_hostdev_on_pci(const struct vm_hostdev *h)
{
	return (h->type == VM_HOSTDEV_TYPE_PCI && !vm_hostdev_parked(h)) ||
	       h->type == VM_HOSTDEV_TYPE_SCSI_HOST || h->type == VM_HOSTDEV_TYPE_MDEV;
}

static int check_hostdev(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	static const struct vm_only table[] = {
		{ VM_HOSTDEV_BIT_MODEL, "@model", MDEV | SCSI_HOST, "type='mdev' and type='scsi_host'" },
		{ VM_HOSTDEV_BIT_DISPLAY, "@display", MDEV, "type='mdev'" },
		{ VM_HOSTDEV_BIT_RAMFB, "@ramfb", MDEV, "type='mdev'" },
		{ VM_HOSTDEV_BIT_SGIO, "@sgio", SCSI, "type='scsi'" },
		{ VM_HOSTDEV_BIT_RAWIO, "@rawio", SCSI, "type='scsi'" },
		{ VM_HOSTDEV_BIT_READONLY, "readonly", SCSI, "type='scsi'" },
		{ VM_HOSTDEV_BIT_SHAREABLE, "shareable", SCSI, "type='scsi'" },
		{ VM_HOSTDEV_BIT_DRIVER, "driver/@name", PCI, "type='pci'" },
		{ VM_HOSTDEV_BIT_IOMMUFD, "driver/@iommufd", PCI, "type='pci'" },
		{ VM_HOSTDEV_BIT_DRIVER_MODEL, "driver/@model", PCI, "type='pci'" },
		{ VM_HOSTDEV_BIT_TEAMING, "teaming", PCI, "type='pci'" },
	};
	const struct vm_hostdev *h = obj;

	if (vm_check_only(ctx, &h->dev.obj, table, VM_COUNT(table), h->type, err) < 0 ||
	    check_model(h, ctx, err) < 0)
		return -1;
	if (h->driver_model && (!*h->driver_model || strlen(h->driver_model) > 60 || !vm_text_only(h->driver_model, "_-")))
		return mt_error(ctx, h, "driver/@model", VM_BAD_INPUT, err, "'%.60s' is no name of a driver",
				h->driver_model);
	if (h->dev.rom && !vm_hostdev_on_pci(h))
		return mt_error(ctx, h, "rom", VM_BAD_INPUT, err, "<rom> is for devices on the PCI bus");
	if (h->dev.boot_order && h->type == VM_HOSTDEV_TYPE_SCSI_HOST)
		return mt_error(ctx, h, "boot/@order", VM_BAD_INPUT, err,
				"a guest cannot boot from a vhost-scsi target");
	if (h->dev.boot_order && h->type == VM_HOSTDEV_TYPE_MDEV)
		return mt_error(ctx, h, "boot/@order", VM_BAD_INPUT, err,
				"a guest cannot boot from a mediated device of model='vfio-pci'");
	if (h->teaming && h->teaming->type != VM_TEAMING_TRANSIENT)
		return mt_error(ctx, h->teaming, "@type", VM_BAD_INPUT, err,
				"a host device is the transient one of a team");
	if (h->dev.address_type == VM_ADDRESS_UNASSIGNED && h->type != VM_HOSTDEV_TYPE_PCI)
		return mt_error(ctx, h, "address", VM_BAD_INPUT, err,
				"an address of type 'unassigned' is only for type='pci'");
	return 0;
}
const struct mt_type vm_hostdev_type = {
	.elem = "hostdev",
	.size = sizeof(struct vm_hostdev),
	.rows = hostdev_rows,
	.n = VM_COUNT(hostdev_rows),
	.check = check_hostdev,
};
