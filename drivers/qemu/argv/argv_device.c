/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What devices of many families have in common on the command line. */
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "qemu/plan/plan.h"

void vm_qobj_switch(struct vm_qobj *o, const char *key, int value)
{
	if (value != VM_SWITCH_ABSENT)
		vm_qobj_bool(o, key, value == VM_SWITCH_ON);
}

static void pci_address(const struct vm_plan *p, struct vm_qobj *o, const struct vm_device *dev)
{
	const struct vm_address *a = dev->address;
	VM_AUTO_FREE char *bus = vm_qemu_bus(p->d, VM_CONTROLLER_PCI, a->bus);

	vm_qobj_str(o, "bus", bus);
	vm_qobj_switch(o, "multifunction", a->multifunction);
	if (a->function != 0)
		vm_qobj_strf(o, "addr", "0x%llx.0x%llx", (unsigned long long)a->slot,
			     (unsigned long long)a->function);
	else
		vm_qobj_strf(o, "addr", "0x%llx", (unsigned long long)a->slot);
	if (dev->acpi_index != 0)
		vm_qobj_u64(o, "acpi-index", dev->acpi_index);
}

void vm_plan_address(const struct vm_plan *p, struct vm_qobj *o, const struct vm_device *dev)
{
	const struct vm_address *a = dev->address;

	if (a == NULL)
		return;
	switch ((enum vm_address_type)dev->address_type) {
	case VM_ADDRESS_PCI:
		pci_address(p, o, dev);
		break;
	case VM_ADDRESS_USB: {
		VM_AUTO_FREE char *bus = vm_qemu_bus(p->d, VM_CONTROLLER_USB, a->bus);

		vm_qobj_str(o, "bus", bus);
		vm_qobj_str(o, "port", a->usb_port);
		break;
	}
	case VM_ADDRESS_ISA:
		if (mt_is_set(&a->obj, VM_ADDRESS_HAS_IOBASE))
			vm_qobj_u64(o, "iobase", a->iobase);
		if (mt_is_set(&a->obj, VM_ADDRESS_HAS_IRQ))
			vm_qobj_u64(o, "irq", a->irq);
		break;
	case VM_ADDRESS_NONE:
	case VM_ADDRESS_DRIVE:
	case VM_ADDRESS_VIRTIO_SERIAL:
	case VM_ADDRESS_CCID:
	case VM_ADDRESS_DIMM:
	case VM_ADDRESS_VIRTIO_MMIO:
	case VM_ADDRESS_UNASSIGNED:
	case VM_ADDRESS_TYPES:
		break;
	}
}

void vm_plan_virtio(struct vm_qobj *o, const struct vm_virtio_options *v)
{
	vm_qobj_switch(o, "iommu_platform", v->iommu);
	vm_qobj_switch(o, "ats", v->ats);
	vm_qobj_switch(o, "packed", v->packed);
	vm_qobj_switch(o, "page-per-vq", v->page_per_vq);
}

void vm_plan_virtio_driver(struct vm_qobj *o, const char *driver, int model)
{
	vm_qobj_strf(o, "driver", "%s-pci%s", driver,
		     model == VM_VIRTIO_MODEL_TRANSITIONAL	 ? "-transitional"
		     : model == VM_VIRTIO_MODEL_NON_TRANSITIONAL ? "-non-transitional"
								 : "");
}

/* ---- boot order ---- */

bool vm_plan_is_ordered(const struct vm_domain *d)
{
	for (int f = 0; f < VM_FAMILIES; f++) {
		const struct mt_list *list = vm_domain_list(d, (enum vm_device_family)f);

		for (uint32_t i = 0; i < list->n; i++)
			if (((const struct vm_device *)list->v[i])->boot_order != 0)
				return true;
	}
	return false;
}

/* Place of a kind of device in <os><boot>; without any, hard disks are first. */
static uint64_t boot_place(const struct vm_os *os, int dev)
{
	if (os->boots.n == 0)
		return dev == VM_BOOT_HD ? 1 : 0;
	for (uint32_t i = 0; i < os->boots.n; i++)
		if (((const struct vm_os_boot *)os->boots.v[i])->dev == dev)
			return i + 1;
	return 0;
}

static int boot_kind(const struct vm_disk *disk)
{
	return disk->device == VM_DISK_CDROM	? VM_BOOT_CDROM
	       : disk->device == VM_DISK_FLOPPY ? VM_BOOT_FD
						: VM_BOOT_HD;
}

uint64_t vm_plan_boot_index(const struct vm_plan *p, enum vm_device_family family,
			    const struct vm_device *dev)
{
	const struct vm_domain *d = p->d;
	const void *obj = dev;

	if (dev->boot_order != 0 || p->ordered)
		return dev->boot_order;
	if (family == VM_FAMILY_INTERFACE)
		return d->interfaces.v[0] == dev ? boot_place(d->os, VM_BOOT_NETWORK) : 0;
	if (family != VM_FAMILY_DISK)
		return 0;
	for (size_t i = 0; p->disks[i] != NULL; i++)
		if (boot_kind(p->disks[i]) == boot_kind(obj))
			return &p->disks[i]->dev == dev ? boot_place(d->os, boot_kind(obj)) : 0;
	return 0;
}
