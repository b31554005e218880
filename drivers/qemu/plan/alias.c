/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of devices inside QEMU, as libvirt gives them. Source: libvirt 9.0, formatdomain "Device
 * aliases". */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "plan.h"

#define U(x) ((unsigned long long)(x))

static unsigned position(const struct mt_list *list, const void *obj)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (list->v[i] == obj)
			return i;
	assert(false); /* a device is in its family's list */
	return 0;
}

static const char *pci_root(const struct vm_domain *d)
{
	return vm_qemu_is_q35(d) ? "pcie" : "pci";
}

static char *controller_alias(const struct vm_domain *d, const struct vm_controller *c)
{
	switch ((enum vm_controller_kind)c->kind) {
	case VM_CONTROLLER_PCI:
		return vm_xasprintf("%s.%llu", c->model == VM_PCIE_ROOT ? "pcie" : "pci",
				    U(c->index));
	case VM_CONTROLLER_IDE:
		if (c->index == 0 && vm_qemu_is_i440fx(d))
			return vm_xstrdup("ide");
		break;
	case VM_CONTROLLER_SATA:
		if (c->index == 0 && vm_qemu_is_q35(d))
			return vm_xstrdup("ide");
		break;
	case VM_CONTROLLER_USB:
		if (c->index == 0)
			return vm_xstrdup("usb");
		break;
	case VM_CONTROLLER_NONE:
	case VM_CONTROLLER_FDC:
	case VM_CONTROLLER_SCSI:
	case VM_CONTROLLER_VIRTIO_SERIAL:
	case VM_CONTROLLER_CCID:
	case VM_CONTROLLER_XENBUS:
	case VM_CONTROLLER_ISA:
	case VM_CONTROLLER_KINDS:
		break;
	}
	return vm_xasprintf("%s%llu", vm_controller_kind_words[c->kind], U(c->index));
}

static char *disk_alias(const struct vm_domain *d, const struct vm_disk *disk)
{
	const struct vm_address *a = disk->dev.address;
	const struct vm_controller *c;

	switch ((enum vm_disk_bus)disk->bus) {
	case VM_BUS_SCSI:
		c = vm_controller_find(d, VM_CONTROLLER_SCSI, a->controller);
		if (c == NULL || c->model != VM_SCSI_LSILOGIC)
			return vm_xasprintf("scsi%llu-%llu-%llu-%llu", U(a->controller), U(a->bus),
					    U(a->target), U(a->unit));
		return vm_xasprintf("scsi%llu-%llu-%llu", U(a->controller), U(a->bus), U(a->unit));
	case VM_BUS_IDE:
	case VM_BUS_SATA:
	case VM_BUS_FDC:
		return vm_xasprintf("%s%llu-%llu-%llu", vm_disk_bus_words[disk->bus],
				    U(a->controller), U(a->bus), U(a->unit));
	case VM_BUS_NONE:
	case VM_BUS_VIRTIO:
	case VM_BUS_USB:
	case VM_BUS_XEN:
	case VM_BUS_UML:
	case VM_BUS_SD:
		break;
	}
	return vm_xasprintf("%s-disk%d", vm_disk_bus_words[disk->bus],
			    vm_disk_target_index(disk->target));
}

static char *video_alias(const struct vm_domain *d, const struct vm_video *v)
{
	VM_AUTO_FREE struct vm_video **videos = vm_videos_of(d);
	unsigned n = 0;

	while (videos[n] != v)
		n++;
	return vm_xasprintf("video%u", n);
}

/* Those with a name of the admin's choice do not count. */
static char *hostdev_alias(const struct vm_domain *d, const void *obj)
{
	struct vm_hostdev_iter i = { 0 };
	const struct vm_hostdev *h;
	unsigned n = 0;

	while ((h = vm_hostdev_next(d, &i)) != NULL && (const void *)h != obj && (const void *)i.interface != obj) {
		const struct vm_device *dev = &h->dev;

		if (i.disk != NULL)
			continue;
		if (dev->alias == NULL || !vm_alias_is_admins(dev->alias))
			n++;
	}
	return vm_xasprintf("hostdev%u", n);
}

char *vm_qemu_alias(const struct vm_domain *d, enum vm_device_family family,
		    const struct vm_device *dev)
{
	static const char *const stems[VM_FAMILIES] = {
	    [VM_FAMILY_INTERFACE] = "net",     [VM_FAMILY_SERIAL] = "serial",
	    [VM_FAMILY_PARALLEL] = "parallel", [VM_FAMILY_CONSOLE] = "console",
	    [VM_FAMILY_CHANNEL] = "channel",   [VM_FAMILY_INPUT] = "input",
	    [VM_FAMILY_GRAPHICS] = "graphics", [VM_FAMILY_MEMBALLOON] = "balloon",
	    [VM_FAMILY_RNG] = "rng",	       [VM_FAMILY_WATCHDOG] = "watchdog",
	    [VM_FAMILY_PANIC] = "panic",       [VM_FAMILY_AUDIO] = "audio",
	    [VM_FAMILY_TPM] = "tpm",	       [VM_FAMILY_FILESYSTEM] = "fs",
	    [VM_FAMILY_IOMMU] = "iommu",
	};
	const void *obj = dev;

	if (dev->alias != NULL && vm_alias_is_admins(dev->alias))
		return vm_xstrdup(dev->alias);
	if (family == VM_FAMILY_CONTROLLER)
		return controller_alias(d, obj);
	if (family == VM_FAMILY_DISK)
		return disk_alias(d, obj);
	if (family == VM_FAMILY_VIDEO)
		return video_alias(d, obj);
	if (family == VM_FAMILY_HOSTDEV ||
	    (family == VM_FAMILY_INTERFACE && ((const struct vm_interface *)obj)->kind == VM_INTERFACE_HOSTDEV))
		return hostdev_alias(d, obj);
	return vm_xasprintf("%s%u", stems[family], position(vm_domain_list(d, family), dev));
}

char *vm_qemu_bus(const struct vm_domain *d, int kind, uint64_t index)
{
	const struct vm_controller *c = vm_controller_find(d, kind, index);
	char *alias, *bus;

	/* A controller that shares its index with companions is the master. */
	for (uint32_t i = 0; i < d->controllers.n && kind == VM_CONTROLLER_USB; i++) {
		const struct vm_controller *o = d->controllers.v[i];

		if (o->kind == kind && o->index == index &&
		    !mt_is_set(&o->dev.obj, VM_CONTROLLER_BIT_MASTER_STARTPORT))
			c = o;
	}
	if (c == NULL)
		return vm_xasprintf("%s.%llu", kind == VM_CONTROLLER_PCI ? pci_root(d) : "unknown",
				    U(index));
	alias = vm_qemu_alias(d, VM_FAMILY_CONTROLLER, &c->dev);
	if (kind == VM_CONTROLLER_PCI) {
		/* The roots have their names from the machine. */
		if (c->model != VM_PCI_ROOT && c->model != VM_PCIE_ROOT)
			return alias;
		bus = vm_xasprintf("%s.0", pci_root(d));
	} else {
		bus = vm_xasprintf("%s.0", alias);
	}
	free(alias);
	return bus;
}
