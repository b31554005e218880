/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What all devices share: alias, address, boot order, ROM, ACPI index, virtio options.  Every
 * device object begins with struct vm_device, which begins with struct mt_obj.
 *
 * Words and their numbers: VM_X_words[n] is the word of enumerator n; 0 is "absent" in each.
 */
#include <vm/mt.h>

enum vm_switch { VM_SWITCH_ABSENT, VM_SWITCH_ON, VM_SWITCH_OFF };
extern const char *const vm_on_off_words[], *const vm_yes_no_words[];

enum vm_address_type {
	VM_ADDRESS_NONE,
	VM_ADDRESS_PCI,
	VM_ADDRESS_DRIVE,
	VM_ADDRESS_VIRTIO_SERIAL,
	VM_ADDRESS_USB,
	VM_ADDRESS_ISA,
	VM_ADDRESS_CCID,
	VM_ADDRESS_DIMM,
	VM_ADDRESS_VIRTIO_MMIO,
	VM_ADDRESS_UNASSIGNED,
	VM_ADDRESS_TYPES
};
extern const char *const vm_address_type_words[];

/* Which members mean something hangs on the type, which the device holds (vm_device.address_type).
 */
struct vm_address {
	struct mt_obj obj; /* bits: enum vm_address_bit; <address type='pci'/> alone has none */
	uint64_t domain, bus, slot, function; /* pci; bus: drive, usb too */
	int multifunction;		      /* pci: enum vm_switch */
	uint64_t controller, target, unit;    /* drive; controller: virtio-serial, ccid too */
	uint64_t port;			      /* virtio-serial */
	char *usb_port;			      /* usb: "1", "1.2" */
	uint64_t iobase, irq;		      /* isa */
	uint64_t slot_number, base;	      /* ccid: slot_number; dimm: slot_number, base */
};
enum vm_address_bit {
	VM_ADDRESS_HAS_DOMAIN,
	VM_ADDRESS_HAS_BUS,
	VM_ADDRESS_HAS_SLOT,
	VM_ADDRESS_HAS_FUNCTION,
	VM_ADDRESS_HAS_MULTIFUNCTION,
	VM_ADDRESS_HAS_CONTROLLER,
	VM_ADDRESS_HAS_TARGET,
	VM_ADDRESS_HAS_UNIT,
	VM_ADDRESS_HAS_PORT,
	VM_ADDRESS_HAS_USB_PORT,
	VM_ADDRESS_HAS_IOBASE,
	VM_ADDRESS_HAS_IRQ,
	VM_ADDRESS_HAS_SLOT_NUMBER,
	VM_ADDRESS_HAS_BASE,
};
extern const struct mt_cases vm_address_cases;
extern const struct mt_type vm_address_pci_type, vm_address_drive_type,
    vm_address_virtio_serial_type, vm_address_usb_type, vm_address_isa_type;

struct vm_rom { /* <rom> of a PCI device */
	struct mt_obj obj;
	int enabled, bar; /* enum vm_switch: yes/no, on/off */
	char *file;
};
extern const struct mt_type vm_rom_type;

struct vm_device {
	struct mt_obj obj;
	char *alias;		    /* a definition's: "ua-..." only; live: always */
	int address_type;	    /* enum vm_address_type */
	struct vm_address *address; /* NULL: not given, not assigned yet */
	uint64_t boot_order;	    /* 1...; 0 = none */
	char *loadparm;
	struct vm_rom *rom;  /* interfaces */
	uint64_t acpi_index; /* 0 = none */
};
/* Bits of the shared rows; a family's own begin at 0. */
enum vm_device_bit {
	VM_DEVICE_ALIAS = 63,
	VM_DEVICE_ADDRESS_TYPE = 62,
	VM_DEVICE_ADDRESS = 61,
	VM_DEVICE_BOOT = 60,
	VM_DEVICE_LOADPARM = 59,
	VM_DEVICE_ROM = 58,
	VM_DEVICE_ACPI_INDEX = 57,
	VM_DEVICE_IOMMU = 56,
	VM_DEVICE_ATS = 55,
	VM_DEVICE_PACKED = 54,
	VM_DEVICE_PAGE_PER_VQ = 53,
};
/* Is it one that the admin gives ("ua-...")?  Others a run made up, and documents of guests only repeat them.
 * Source: libvirt formatdomain, "Alias". */
bool vm_alias_is_admins(const char *alias);
/* True if a complete address of this type is there (not only <address type='...'/>). */
bool vm_device_has_address(const struct vm_device *dev, enum vm_address_type type);
/* Gives the device a fresh, empty address of this type (replacing an incomplete one), marked as
 * ours; the caller sets members and marks them by mt_assigned(&address->obj, VM_ADDRESS_HAS_...).
 */
struct vm_address *vm_device_assign_address(struct vm_device *dev, enum vm_address_type type);
/* Forgets the address. */
void vm_device_drop_address(struct vm_device *dev);

/* <driver iommu= ats= packed= page_per_vq=> of every virtio device; all enum vm_switch. */
struct vm_virtio_options {
	int iommu, ats, packed, page_per_vq;
};
