/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* For the tables of the families: shared rows and shared checks. */
#include <stddef.h>

#include <vm/cleanup.h>
#include <vm/mt.h>
#include <vm/strbuf.h>

#include "device.h"

/* The rows every device may have; `t` begins with struct vm_device dev. */
#define VM_DEVICE_ROWS(t)                                                                          \
	MT_ROW(t, "alias/@name", dev.alias, VM_DEVICE_ALIAS, MT_STR),                              \
	    MT_ROW(t, "acpi/@index", dev.acpi_index, VM_DEVICE_ACPI_INDEX, MT_U64,                 \
		   .arg = &vm_acpi_index_range),                                                   \
	    MT_ROW(t, "address", dev.address, VM_DEVICE_ADDRESS, MT_CASE, .flags = MT_ASSIGNED,    \
		   .arg = &vm_address_cases)
#define VM_DEVICE_BOOT_ROWS(t)                                                                     \
	MT_ROW(t, "boot/@order", dev.boot_order, VM_DEVICE_BOOT, MT_U64, .arg = &vm_boot_range),   \
	    MT_ROW(t, "boot/@loadparm", dev.loadparm, VM_DEVICE_LOADPARM, MT_STR)
#define VM_DEVICE_ROM_ROWS(t)                                                                      \
	MT_ROW(t, "rom", dev.rom, VM_DEVICE_ROM, MT_ONE, .arg = &vm_rom_type)
/* <driver iommu= ...> into the member struct vm_virtio_options virtio. */
#define VM_VIRTIO_ROWS(t)                                                                          \
	MT_ROW(t, "driver/@iommu", virtio.iommu, VM_DEVICE_IOMMU, MT_ENUM,                         \
	       .arg = vm_on_off_words),                                                            \
	    MT_ROW(t, "driver/@ats", virtio.ats, VM_DEVICE_ATS, MT_ENUM, .arg = vm_on_off_words),  \
	    MT_ROW(t, "driver/@packed", virtio.packed, VM_DEVICE_PACKED, MT_ENUM,                  \
		   .arg = vm_on_off_words),                                                        \
	    MT_ROW(t, "driver/@page_per_vq", virtio.page_per_vq, VM_DEVICE_PAGE_PER_VQ, MT_ENUM,   \
		   .arg = vm_on_off_words)

/* Of a PCI device of the host. */
extern const struct mt_range vm_pci_domain_range, vm_pci_bus_range, vm_pci_slot_range, vm_pci_function_range;
extern const struct mt_range vm_boot_range, vm_acpi_index_range;
extern const struct mt_range vm_u32_range, vm_u16_range, vm_int_range, vm_positive_range;

/* A datum that only some discriminators allow: refused as "<where> is only for <only>". */
struct vm_only {
	uint8_t bit;	  /* of obj->set */
	const char *xml;  /* row, for the position */
	uint64_t allowed; /* bit per value of the discriminator */
	const char *only; /* "type='pci'" */
};
int vm_check_only(const struct mt_ctx *ctx, const struct mt_obj *obj, const struct vm_only *table,
		  size_t n, int value, struct vm_err *err);
/* Refuses virtio options of a device that is not virtio. */
int vm_check_no_virtio(const struct mt_ctx *ctx, const struct mt_obj *obj, struct vm_err *err);

/* A word as people write it: without the mark of what is not supported yet. */
static inline const char *vm_word(const char *const *words, int n)
{
	return words[n][0] == '!' ? words[n] + 1 : words[n];
}

#define VM_ONE(value) (UINT64_C(1) << (value))
