// SPDX-License-Identifier: LGPL-2.1-or-later
#include "device.h"

#include <ctype.h>
#include <string.h>

#include <vm/alloc.h>

#include "rows.h"

const char *const vm_on_off_words[] = {"", "on", "off", NULL};
const char *const vm_yes_no_words[] = {"", "yes", "no", NULL};
const char *const vm_address_type_words[] = {
    "",	    "pci",  "drive",	   "virtio-serial", "usb", "isa",
    "ccid", "dimm", "virtio-mmio", "unassigned",   NULL,
};

const struct mt_range vm_pci_domain_range = { .max = UINT32_MAX, .digits = 4 };
const struct mt_range vm_pci_bus_range = { .max = 0xff, .digits = 2 };
const struct mt_range vm_pci_slot_range = { .max = 0x1f, .digits = 2 };
const struct mt_range vm_pci_function_range = { .max = 7, .digits = 1 };
const struct mt_range vm_boot_range = {.min = 1, .max = UINT32_MAX};
const struct mt_range vm_acpi_index_range = {.min = 1, .max = 16383};
const struct mt_range vm_u32_range = {.max = UINT32_MAX};
const struct mt_range vm_u16_range = {.max = UINT16_MAX};
const struct mt_range vm_int_range = {.max = INT32_MAX};
const struct mt_range vm_positive_range = {.min = 1, .max = UINT32_MAX};

#define A(xml, member, bit, kind, ...)                                                             \
	MT_ROW(struct vm_address, xml, member, VM_ADDRESS_HAS_##bit, kind, .flags = MT_ASSIGNED,   \
	       __VA_ARGS__)
#define A_HEX(xml, member, bit, range)                                                             \
	MT_ROW(struct vm_address, xml, member, VM_ADDRESS_HAS_##bit, MT_U64,                       \
	       .flags = MT_ASSIGNED | MT_HEX, .arg = &(range))

static const struct mt_range pci_domain = {.max = 0xffff, .digits = 4};
static const struct mt_range pci_bus = {.max = 0xff, .digits = 2};
static const struct mt_range pci_slot = {.max = 0x1f, .digits = 2};
static const struct mt_range pci_function = {.max = 7, .digits = 1};
static const struct mt_row pci_rows[] = {
    A_HEX("@domain", domain, DOMAIN, pci_domain),
    A_HEX("@bus", bus, BUS, pci_bus),
    A_HEX("@slot", slot, SLOT, pci_slot),
    A_HEX("@function", function, FUNCTION, pci_function),
    A("@multifunction", multifunction, MULTIFUNCTION, MT_ENUM, .arg = vm_on_off_words),
};
const struct mt_type vm_address_pci_type = {
    .elem = "address",
    .size = sizeof(struct vm_address),
    .rows = pci_rows,
    .n = VM_COUNT(pci_rows),
};

static const struct mt_row drive_rows[] = {
    A("@controller", controller, CONTROLLER, MT_U64, .arg = &vm_int_range),
    A("@bus", bus, BUS, MT_U64, .arg = &vm_int_range),
    A("@target", target, TARGET, MT_U64, .arg = &vm_int_range),
    A("@unit", unit, UNIT, MT_U64, .arg = &vm_int_range),
};
const struct mt_type vm_address_drive_type = {
    .elem = "address",
    .size = sizeof(struct vm_address),
    .rows = drive_rows,
    .n = VM_COUNT(drive_rows),
};

static const struct mt_row virtio_serial_rows[] = {
    A("@controller", controller, CONTROLLER, MT_U64, .arg = &vm_int_range),
    A("@bus", bus, BUS, MT_U64, .arg = &vm_int_range),
    A("@port", port, PORT, MT_U64, .arg = &vm_int_range),
};
const struct mt_type vm_address_virtio_serial_type = {
    .elem = "address",
    .size = sizeof(struct vm_address),
    .rows = virtio_serial_rows,
    .n = VM_COUNT(virtio_serial_rows),
};

/* "1", "1.2": at most four levels below the root hub, each port 1-255. */
static int check_usb(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_address *a = obj;
	const char *p = a->usb_port;

	if (!p)
		return 0;
	for (unsigned level = 0;; level++) {
		unsigned number = 0, digits = 0;

		for (; isdigit((unsigned char)*p) && digits < 3; p++, digits++)
			number = number * 10 + (unsigned)(*p - '0');
		if (!number || number > 255 || level == 4)
			break;
		if (!*p)
			return 0;
		if (*p++ != '.')
			break;
	}
	return mt_error(
	    ctx, obj, "@port", VM_BAD_INPUT, err,
	    "port='%s' is no USB port: give one to four numbers from 1 to 255, as in 1.2",
	    a->usb_port);
}

static const struct mt_row usb_rows[] = {
    A("@bus", bus, BUS, MT_U64, .arg = &vm_int_range),
    A("@port", usb_port, USB_PORT, MT_STR),
};
const struct mt_type vm_address_usb_type = {
    .elem = "address",
    .size = sizeof(struct vm_address),
    .rows = usb_rows,
    .n = VM_COUNT(usb_rows),
    .check = check_usb,
};

static const struct mt_range isa_iobase = {.max = 0xffff, .digits = 1};
static const struct mt_range isa_irq = {.max = 0xf, .digits = 1};
static const struct mt_row isa_rows[] = {
    A_HEX("@iobase", iobase, IOBASE, isa_iobase),
    A_HEX("@irq", irq, IRQ, isa_irq),
};
const struct mt_type vm_address_isa_type = {
    .elem = "address",
    .size = sizeof(struct vm_address),
    .rows = isa_rows,
    .n = VM_COUNT(isa_rows),
};

static const struct mt_row ccid_rows[] = {
    A("@controller", controller, CONTROLLER, MT_U64, .arg = &vm_int_range),
    A("@slot", slot_number, SLOT_NUMBER, MT_U64, .arg = &vm_int_range),
};
static const struct mt_type ccid_type = {
    .elem = "address",
    .size = sizeof(struct vm_address),
    .rows = ccid_rows,
    .n = VM_COUNT(ccid_rows),
};

static const struct mt_range dimm_base = {.max = UINT64_MAX, .digits = 1};
static const struct mt_row dimm_rows[] = {
    A("@slot", slot_number, SLOT_NUMBER, MT_U64, .arg = &vm_int_range),
    A_HEX("@base", base, BASE, dimm_base),
};
static const struct mt_type dimm_type = {
    .elem = "address",
    .size = sizeof(struct vm_address),
    .rows = dimm_rows,
    .n = VM_COUNT(dimm_rows),
};

static const struct mt_type mmio_type = {
    .elem = "address",
    .size = sizeof(struct vm_address),
};

static const struct mt_type *const address_by_type[VM_ADDRESS_TYPES] = {
    [VM_ADDRESS_PCI] = &vm_address_pci_type,
    [VM_ADDRESS_DRIVE] = &vm_address_drive_type,
    [VM_ADDRESS_VIRTIO_SERIAL] = &vm_address_virtio_serial_type,
    [VM_ADDRESS_USB] = &vm_address_usb_type,
    [VM_ADDRESS_ISA] = &vm_address_isa_type,
    [VM_ADDRESS_CCID] = &ccid_type,
    [VM_ADDRESS_DIMM] = &dimm_type,
    [VM_ADDRESS_VIRTIO_MMIO] = &mmio_type,
    [VM_ADDRESS_UNASSIGNED] = &mmio_type,
};
const struct mt_cases vm_address_cases = {
    .tag = "type",
    .tag_off = offsetof(struct vm_device, address_type),
    .n = VM_ADDRESS_TYPES,
    .by = address_by_type,
    .tag_xml = "@type",
    .words = vm_address_type_words,
};

enum { ROM_ENABLED, ROM_BAR, ROM_FILE };
static const struct mt_row rom_rows[] = {
    MT_ROW(struct vm_rom, "@enabled", enabled, ROM_ENABLED, MT_ENUM, .arg = vm_yes_no_words),
    MT_ROW(struct vm_rom, "@bar", bar, ROM_BAR, MT_ENUM, .arg = vm_on_off_words),
    MT_ROW(struct vm_rom, "@file", file, ROM_FILE, MT_STR),
};

static int check_rom(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_rom *rom = obj;

	if (rom->enabled == VM_SWITCH_OFF && (rom->bar || rom->file))
		return mt_error(ctx, obj, "@enabled", VM_BAD_INPUT, err,
				"a ROM with enabled='no' takes no bar and no file");
	return 0;
}
const struct mt_type vm_rom_type = {
    .elem = "rom",
    .size = sizeof(struct vm_rom),
    .rows = rom_rows,
    .n = VM_COUNT(rom_rows),
    .check = check_rom,
};

bool vm_alias_is_admins(const char *alias)
{
	return strncmp(alias, "ua-", 3) == 0;
}

bool vm_device_has_address(const struct vm_device *dev, enum vm_address_type type)
{
	const struct vm_address *a = dev->address;

	if (!a || dev->address_type != (int)type)
		return false;
	switch (type) {
	case VM_ADDRESS_PCI:
		/* 0000:00:00 is the host bridge's: who says so leaves the choice to us. */
		return a->domain || a->bus || a->slot;
	case VM_ADDRESS_USB:
		return a->usb_port != NULL;
	case VM_ADDRESS_VIRTIO_SERIAL:
		return a->port != 0;
	case VM_ADDRESS_NONE:
	case VM_ADDRESS_DRIVE:
	case VM_ADDRESS_ISA:
	case VM_ADDRESS_CCID:
	case VM_ADDRESS_DIMM:
	case VM_ADDRESS_VIRTIO_MMIO:
	case VM_ADDRESS_UNASSIGNED:
	case VM_ADDRESS_TYPES:
		break;
	}
	return a->obj.set != 0;
}

struct vm_address *vm_device_assign_address(struct vm_device *dev, enum vm_address_type type)
{
	const struct mt_type *t = address_by_type[type];

	if (!dev->address || dev->address_type != (int)type) {
		if (dev->address)
			mt_free(address_by_type[dev->address_type], dev->address);
		dev->address = mt_new(t);
		dev->address_type = (int)type;
	}
	mt_assigned(&dev->obj, VM_DEVICE_ADDRESS);
	return dev->address;
}

void vm_device_drop_address(struct vm_device *dev)
{
	if (dev->address)
		mt_free(address_by_type[dev->address_type], dev->address);
	dev->address = NULL;
	dev->address_type = VM_ADDRESS_NONE;
	dev->obj.set &= ~VM_ONE(VM_DEVICE_ADDRESS);
	dev->obj.ours &= ~VM_ONE(VM_DEVICE_ADDRESS);
}

int vm_check_only(const struct mt_ctx *ctx, const struct mt_obj *obj, const struct vm_only *table,
		  size_t n, int value, struct vm_err *err)
{
	for (size_t i = 0; i < n; i++) {
		const char *at = strrchr(table[i].xml, '@');

		if (!mt_is_set(obj, table[i].bit) || (table[i].allowed >> value & 1))
			continue;
		if (at)
			return mt_error(ctx, obj, table[i].xml, VM_BAD_INPUT, err,
					"attribute %s is only for %s", at + 1, table[i].only);
		return mt_error(ctx, obj, table[i].xml, VM_BAD_INPUT, err, "<%s> is only for %s",
				table[i].xml, table[i].only);
	}
	return 0;
}

int vm_check_no_virtio(const struct mt_ctx *ctx, const struct mt_obj *obj, struct vm_err *err)
{
	static const struct vm_only table[] = {
	    {VM_DEVICE_IOMMU, "driver/@iommu", 0, "virtio devices"},
	    {VM_DEVICE_ATS, "driver/@ats", 0, "virtio devices"},
	    {VM_DEVICE_PACKED, "driver/@packed", 0, "virtio devices"},
	    {VM_DEVICE_PAGE_PER_VQ, "driver/@page_per_vq", 0, "virtio devices"},
	};

	return vm_check_only(ctx, obj, table, VM_COUNT(table), 0, err);
}
