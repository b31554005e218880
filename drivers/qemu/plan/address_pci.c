/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PCI addresses of all devices, in libvirt's order: what the chipset fixes, then family by family.
 * A dry round over the same guest finds out which buses must be added.
 *
 * Source: libvirt 9.0, docs/pci-addresses, docs/pci-hotplug, formatdomain "Controllers".
 */
#include <assert.h>
#include <string.h>

#include <vm/cleanup.h>

#include "pci.h"
#include "qemu/qemu.h"

struct layout {
	struct vm_domain *d;
	const struct mt_ctx *ctx;
	struct vm_controllers ctl;
	struct vm_pci_set set;
	unsigned express; /* what an Express (or virtio) endpoint needs on this machine */
};

/* Errors of the set, at the device's place. */
static int at_device(const struct layout *l, const struct vm_device *dev, struct vm_err *err)
{
	struct vm_err why = *err;

	return mt_error(l->ctx, dev, "address", why.kind, err, "%s", why.msg);
}

static struct vm_pci_addr addr_of(const struct vm_device *dev)
{
	const struct vm_address *a = dev->address;

	/* Out of range stays out of range. */
	return (struct vm_pci_addr){
	    .domain = a->domain > 0xffff ? 0x10000 : (unsigned)a->domain,
	    .bus = a->bus > 0xff ? 0x100 : (unsigned)a->bus,
	    .slot = a->slot > 0xff ? 0xff : (unsigned)a->slot,
	    .function = a->function > 7 ? 8 : (unsigned)a->function,
	};
}

static bool same(struct vm_pci_addr a, struct vm_pci_addr b)
{
	return a.domain == b.domain && a.bus == b.bus && a.slot == b.slot &&
	       a.function == b.function;
}

/* 0000:00:00.0 stands for "none yet": nothing but a host bridge can be there. */
static bool present(const struct vm_device *dev)
{
	return dev->address_type == VM_ADDRESS_PCI && dev->address != NULL &&
	       !same(addr_of(dev), (struct vm_pci_addr){0});
}

static bool wanted(const struct vm_device *dev)
{
	return dev->address_type == VM_ADDRESS_NONE ||
	       (dev->address_type == VM_ADDRESS_PCI && !present(dev));
}

static void assign(struct vm_device *dev, struct vm_pci_addr at)
{
	struct vm_address *a = vm_device_assign_address(dev, VM_ADDRESS_PCI);

	a->domain = at.domain;
	mt_assigned(&a->obj, VM_ADDRESS_HAS_DOMAIN);
	a->bus = at.bus;
	mt_assigned(&a->obj, VM_ADDRESS_HAS_BUS);
	a->slot = at.slot;
	mt_assigned(&a->obj, VM_ADDRESS_HAS_SLOT);
	a->function = at.function;
	mt_assigned(&a->obj, VM_ADDRESS_HAS_FUNCTION);
}

static void assign_multifunction(struct vm_device *dev)
{
	dev->address->multifunction = VM_SWITCH_ON;
	mt_assigned(&dev->address->obj, VM_ADDRESS_HAS_MULTIFUNCTION);
}

/* ---- what a device needs ---- */

/* A transitional device has I/O ports and the old interface: it only works in a conventional slot.
 */
static unsigned virtio_needs(const struct layout *l, int model)
{
	return model == VM_VIRTIO_MODEL_TRANSITIONAL ? VM_SLOT_PCI | VM_SLOT_AUTO : l->express;
}

static unsigned controller_needs(const struct layout *l, const struct vm_controller *c)
{
	const unsigned conventional = VM_SLOT_PCI | VM_SLOT_AUTO;

	switch ((enum vm_controller_kind)c->kind) {
	case VM_CONTROLLER_PCI:
		return c->model == VM_MODEL_ABSENT ? 0 : vm_pci_model_flags(c->model);
	case VM_CONTROLLER_SATA:
	case VM_CONTROLLER_IDE:
		return conventional;
	case VM_CONTROLLER_USB:
		if (c->model == VM_USB_NEC_XHCI || c->model == VM_USB_QEMU_XHCI)
			return l->express;
		return c->model == VM_USB_NONE ? 0 : conventional;
	case VM_CONTROLLER_SCSI:
		if (c->model == VM_SCSI_NCR53C90 || c->model == VM_MODEL_ABSENT)
			return 0;
		if (c->model == VM_SCSI_VIRTIO || c->model == VM_CONTROLLER_VIRTIO_NON_TRANSITIONAL)
			return l->express;
		return conventional;
	case VM_CONTROLLER_VIRTIO_SERIAL:
		return c->model == VM_CONTROLLER_VIRTIO_TRANSITIONAL ? conventional : l->express;
	case VM_CONTROLLER_NONE:
	case VM_CONTROLLER_FDC:
	case VM_CONTROLLER_CCID:
	case VM_CONTROLLER_XENBUS:
	case VM_CONTROLLER_ISA:
	case VM_CONTROLLER_KINDS:
		break;
	}
	return 0;
}

static unsigned interface_needs(const struct layout *l, const struct vm_interface *n)
{
	if (n->kind == VM_INTERFACE_HOSTDEV)
		return l->express;
	switch (n->model) {
	case VM_NET_VIRTIO:
	case VM_NET_VIRTIO_NON_TRANSITIONAL:
	case VM_NET_E1000E:
	case VM_NET_IGB:
		return l->express;
	/* Cards libvirt has no word for are Express devices to it, which does them no harm. */
	case VM_NET_NE2K_PCI:
	case VM_NET_PCNET:
	case VM_NET_I82551:
	case VM_NET_I82557B:
	case VM_NET_I82559ER:
	case VM_NET_TULIP:
		return l->express;
	case VM_NET_USB_NET:
		return 0;
	default:
		return VM_SLOT_PCI | VM_SLOT_AUTO;
	}
}

static unsigned video_needs(const struct layout *l, const struct vm_video *v)
{
	switch (v->kind) {
	case VM_VIDEO_VIRTIO:
	case VM_VIDEO_BOCHS:
		return l->express;
	case VM_VIDEO_ABSENT:
	case VM_VIDEO_GOP:
	case VM_VIDEO_NONE:
	case VM_VIDEO_RAMFB:
		return 0;
	default:
		return VM_SLOT_PCI | VM_SLOT_AUTO;
	}
}

static unsigned memballoon_needs(const struct layout *l, const struct vm_memballoon *b)
{
	switch (b->model) {
	case VM_MEMBALLOON_TRANSITIONAL:
		return VM_SLOT_PCI | VM_SLOT_AUTO;
	case VM_MEMBALLOON_VIRTIO:
	case VM_MEMBALLOON_NON_TRANSITIONAL:
		return l->express;
	default:
		return 0;
	}
}

/* What the device itself is does not matter: QEMU plugs a conventional one into an Express port too. */
static unsigned hostdev_needs(const struct layout *l, const struct vm_hostdev *h)
{
	if (!vm_hostdev_on_pci(h))
		return 0;
	return h->model == VM_HOSTDEV_MODEL_VIRTIO_TRANSITIONAL ? VM_SLOT_PCI | VM_SLOT_AUTO
								: l->express;
}

/* 0: it is no PCI device. */
static unsigned needs(const struct layout *l, enum vm_device_family family,
		      const struct vm_device *dev)
{
	const void *obj = dev;

	switch (family) {
	case VM_FAMILY_DISK: {
		const struct vm_disk *disk = obj;

		return disk->bus == VM_BUS_VIRTIO ? virtio_needs(l, disk->model) : 0;
	}
	case VM_FAMILY_CONTROLLER:
		return controller_needs(l, obj);
	case VM_FAMILY_INTERFACE:
		return interface_needs(l, obj);
	case VM_FAMILY_VIDEO:
		return video_needs(l, obj);
	case VM_FAMILY_MEMBALLOON:
		return memballoon_needs(l, obj);
	case VM_FAMILY_RNG:
		return virtio_needs(l, ((const struct vm_rng *)obj)->model);
	case VM_FAMILY_FILESYSTEM:
		return virtio_needs(l, ((const struct vm_filesystem *)obj)->model);
	case VM_FAMILY_WATCHDOG:
		return ((const struct vm_watchdog *)obj)->model == VM_WATCHDOG_I6300ESB
			   ? VM_SLOT_PCI | VM_SLOT_AUTO
			   : 0;
	case VM_FAMILY_INPUT: {
		const struct vm_input *input = obj;

		return input->bus == VM_INPUT_BUS_VIRTIO ? virtio_needs(l, input->model) : 0;
	}
	case VM_FAMILY_SERIAL:
		return ((const struct vm_char *)obj)->target_type == VM_SERIAL_PCI
			   ? VM_SLOT_PCI | VM_SLOT_AUTO
			   : 0;
	case VM_FAMILY_IOMMU:
		return ((const struct vm_iommu *)obj)->model == VM_IOMMU_VIRTIO ? VM_SLOT_INTEGRATED : 0;
	case VM_FAMILY_HOSTDEV:
		return hostdev_needs(l, obj);
	case VM_FAMILY_PARALLEL:
	case VM_FAMILY_CONSOLE:
	case VM_FAMILY_CHANNEL:
	case VM_FAMILY_GRAPHICS:
	case VM_FAMILY_PANIC:
	case VM_FAMILY_AUDIO:
	case VM_FAMILY_TPM:
	case VM_FAMILIES:
		break;
	}
	return 0;
}

/* ---- the set as the document has it ---- */

static const struct vm_pci_addr piix3_ide = {0, 0, 1, 1}, piix3_usb = {0, 0, 1, 2};

static bool is_piix3_usb(const struct vm_controller *c)
{
	return c->kind == VM_CONTROLLER_USB && c->index == 0 &&
	       (c->model == VM_USB_PIIX3_UHCI || c->model == VM_MODEL_ABSENT);
}

static bool is_piix3_ide(const struct vm_controller *c)
{
	return c->kind == VM_CONTROLLER_IDE && c->index == 0;
}

/* The PIIX3's own functions are taken by chipset_i440fx(). */
static bool is_piix3(enum vm_device_family family, const struct vm_device *dev)
{
	const struct vm_controller *c = (const void *)dev;

	if (family != VM_FAMILY_CONTROLLER)
		return false;
	return (is_piix3_ide(c) && same(addr_of(dev), piix3_ide)) ||
	       (is_piix3_usb(c) && same(addr_of(dev), piix3_usb));
}

struct collect {
	struct layout *l;
	struct vm_err *err;
};

static int collect(enum vm_device_family family, struct vm_device *dev, void *arg)
{
	struct collect *c = arg;
	unsigned flags;

	/* A console that stands for a serial port repeats its address. */
	if (!present(dev) || family == VM_FAMILY_CONSOLE)
		return 0;
	if (is_piix3(family, dev)) {
		if (c->l->set.buses[0].model == VM_PCI_ROOT)
			return 0;
		return mt_error(c->l->ctx, dev, "address", VM_BAD_INPUT, c->err,
				"a PIIX3 is part of the i440fx machines only");
	}
	flags = needs(c->l, family, dev);
	if (flags == 0)
		return mt_error(c->l->ctx, dev, "address", VM_BAD_INPUT, c->err,
				"this device is no PCI device");
	if (vm_pci_reserve(&c->l->set, addr_of(dev), flags, c->err) < 0)
		return at_device(c->l, dev, c->err);
	return 0;
}

static int open_set(struct layout *l, size_t n, bool dry, struct vm_err *err)
{
	int filler = VM_PCI_BRIDGE;
	struct collect c = {.l = l, .err = err};

	vm_pci_set_open(&l->set, n, dry);
	for (size_t i = 0; i < l->ctl.n; i++) {
		const struct vm_controller *pci = l->ctl.v[i];

		if (pci->kind != VM_CONTROLLER_PCI)
			continue;
		assert(pci->index < n);
		if (l->set.buses[pci->index].model != VM_MODEL_ABSENT)
			return mt_error(l->ctx, pci, "@index", VM_BAD_INPUT, err,
					"there are two PCI controllers with index %llu",
					(unsigned long long)pci->index);
		vm_pci_bus_model(&l->set.buses[pci->index], pci->model);
		if (pci->model == VM_PCIE_ROOT)
			filler = VM_PCIE_ROOT_PORT;
	}
	for (size_t i = 1; i < n; i++)
		if (l->set.buses[i].model == VM_MODEL_ABSENT)
			vm_pci_bus_model(&l->set.buses[i], filler);
	return vm_domain_each_device(l->d, collect, &c);
}

/* ---- what the chipsets fix ---- */

struct holder {
	struct vm_pci_addr at;
	const struct vm_device *dev;
};

static int find_holder(enum vm_device_family family, struct vm_device *dev, void *arg)
{
	struct holder *h = arg;

	(void)family;
	if (!present(dev) || !same(addr_of(dev), h->at))
		return 0;
	h->dev = dev;
	return 1;
}

/* A function the chipset has and the document cannot speak of. */
static int reserve_fixed(struct layout *l, unsigned slot, unsigned function, unsigned flags,
			 struct vm_err *err)
{
	struct holder h = {.at = {.slot = slot, .function = function}};
	char text[VM_PCI_TEXT];

	if (vm_pci_reserve(&l->set, h.at, flags, err) == 0)
		return 0;
	if (vm_domain_each_device(l->d, find_holder, &h) == 0)
		return -1;
	return mt_error(l->ctx, h.dev, "address", VM_BAD_INPUT, err,
			"PCI address %s is the chipset's own", vm_pci_text(h.at, text));
}

static int next(struct layout *l, enum vm_device_family family, struct vm_device *dev,
		struct vm_err *err)
{
	struct vm_pci_addr at;

	if (!wanted(dev))
		return 0;
	if (vm_pci_next(&l->set, needs(l, family, dev), -1, &at, err) < 0)
		return at_device(l, dev, err);
	if (!l->set.dry)
		assign(dev, at);
	return 0;
}

/* QEMU puts the first VGA into the first slot free after the chipset's own, whatever is said later.
 */
static int primary_video(struct layout *l, unsigned slot, unsigned flags, struct vm_err *err)
{
	const struct vm_pci_addr at = {.slot = slot};
	VM_AUTO_FREE struct vm_video **videos = vm_videos_of(l->d);
	struct vm_video *v = videos[0];

	if (v == NULL || v->kind == VM_VIDEO_NONE || v->kind == VM_VIDEO_RAMFB || !wanted(&v->dev))
		return 0;
	if (vm_pci_check(&l->set, at, flags, err) < 0)
		return at_device(l, &v->dev, err);
	if (vm_pci_slot_used(&l->set, at))
		return next(l, VM_FAMILY_VIDEO, &v->dev, err);
	if (vm_pci_reserve(&l->set, at, flags, err) < 0)
		return at_device(l, &v->dev, err);
	assign(&v->dev, at);
	return 0;
}

/* A controller that the chipset has at a place of its own. */
static int builtin(struct layout *l, struct vm_controller *c, struct vm_pci_addr at,
		   const char *what, struct vm_err *err)
{
	char text[VM_PCI_TEXT];

	if (!present(&c->dev))
		assign(&c->dev, at);
	else if (!same(addr_of(&c->dev), at))
		return mt_error(l->ctx, c, "address", VM_BAD_INPUT, err,
				"the %s of this machine is at PCI address %s", what,
				vm_pci_text(at, text));
	return 0;
}

static int chipset_i440fx(struct layout *l, struct vm_err *err)
{
	const unsigned flags = VM_SLOT_PCI | VM_SLOT_AUTO;

	for (size_t i = 0; i < l->ctl.n; i++) {
		struct vm_controller *c = l->ctl.v[i];
		struct vm_pci_addr at = piix3_ide;
		const char *what = "first IDE controller";

		if (is_piix3_usb(c)) {
			at = piix3_usb;
			what = "first UHCI controller";
		} else if (!is_piix3_ide(c)) {
			continue;
		}
		if (builtin(l, c, at, what, err) < 0)
			return -1;
		if (vm_pci_reserve(&l->set, at, flags, err) < 0)
			return at_device(l, &c->dev, err);
	}
	/* ISA bridge and power management. */
	if (reserve_fixed(l, 1, 0, flags, err) < 0 || reserve_fixed(l, 1, 3, flags, err) < 0)
		return -1;
	return primary_video(l, 2, flags, err);
}

/* Where real hardware has it, if that place is free. */
static int usual_place(struct layout *l, struct vm_device *dev, unsigned slot, bool multifunction,
		       struct vm_err *err)
{
	const struct vm_pci_addr at = {.slot = slot};

	if (dev->address_type != VM_ADDRESS_NONE || vm_pci_slot_used(&l->set, at))
		return 0;
	if (vm_pci_reserve(&l->set, at, VM_SLOT_PCIE, err) < 0)
		return at_device(l, dev, err);
	assign(dev, at);
	if (multifunction)
		assign_multifunction(dev);
	return 0;
}

static int chipset_q35(struct layout *l, struct vm_err *err)
{
	static const struct vm_pci_addr sata = {0, 0, 0x1f, 2};

	for (size_t i = 0; i < l->ctl.n; i++) {
		struct vm_controller *c = l->ctl.v[i];
		bool had = present(&c->dev);

		if (c->kind == VM_CONTROLLER_SATA && c->index == 0) {
			if (builtin(l, c, sata, "first SATA controller", err) < 0)
				return -1;
			if (!had && vm_pci_reserve(&l->set, sata, VM_SLOT_PCIE, err) < 0)
				return at_device(l, &c->dev, err);
		} else if (c->kind == VM_CONTROLLER_USB && c->model == VM_USB_ICH9_UHCI1) {
			if (usual_place(l, &c->dev, 0x1d, true, err) < 0 ||
			    usual_place(l, &c->dev, 0x1a, true, err) < 0)
				return -1;
		} else if (c->kind == VM_CONTROLLER_PCI && c->model == VM_PCI_DMI_BRIDGE) {
			if (usual_place(l, &c->dev, 0x1e, false, err) < 0)
				return -1;
		}
	}
	/* ISA bridge and SMBus. */
	if (reserve_fixed(l, 0x1f, 0, VM_SLOT_PCIE, err) < 0 ||
	    reserve_fixed(l, 0x1f, 3, VM_SLOT_PCIE, err) < 0)
		return -1;
	return primary_video(l, 1, VM_SLOT_PCIE, err);
}

static int chipset(struct layout *l, struct vm_err *err)
{
	if (vm_qemu_is_i440fx(l->d))
		return chipset_i440fx(l, err);
	return vm_qemu_is_q35(l->d) ? chipset_q35(l, err) : 0;
}

/* ---- family by family ---- */

static bool is_usb2(const struct vm_controller *c)
{
	return c->kind == VM_CONTROLLER_USB &&
	       (c->model == VM_USB_ICH9_EHCI1 || c->model == VM_USB_ICH9_UHCI1 ||
		c->model == VM_USB_ICH9_UHCI2 || c->model == VM_USB_ICH9_UHCI3);
}

/* An EHCI controller and its companions are functions of one slot. */
static int place_usb2(struct layout *l, struct vm_controller *c, struct vm_err *err)
{
	unsigned function = c->model == VM_USB_ICH9_EHCI1   ? 7
			    : c->model == VM_USB_ICH9_UHCI2 ? 1
			    : c->model == VM_USB_ICH9_UHCI3 ? 2
							    : 0;
	const unsigned flags = needs(l, VM_FAMILY_CONTROLLER, &c->dev);
	struct vm_pci_addr at;
	const struct vm_controller *other = NULL;

	for (size_t i = 0; i < l->ctl.n && other == NULL; i++)
		if (is_usb2(l->ctl.v[i]) && l->ctl.v[i]->index == c->index &&
		    present(&l->ctl.v[i]->dev))
			other = l->ctl.v[i];
	if (other != NULL) {
		at = addr_of(&other->dev);
		at.function = function;
		if (vm_pci_reserve(&l->set, at, flags, err) < 0)
			return at_device(l, &c->dev, err);
		assign(&c->dev, at);
	} else {
		if (vm_pci_next(&l->set, flags, (int)function, &at, err) < 0)
			return at_device(l, &c->dev, err);
		if (l->set.dry)
			return 0;
		assign(&c->dev, at);
	}
	if (function == 0)
		assign_multifunction(&c->dev);
	return 0;
}

static int place_controllers(struct layout *l, struct vm_err *err)
{
	for (size_t i = 0; i < l->ctl.n; i++) {
		struct vm_controller *c = l->ctl.v[i];

		if (c->kind == VM_CONTROLLER_PCI || is_piix3_ide(c) || !wanted(&c->dev) ||
		    needs(l, VM_FAMILY_CONTROLLER, &c->dev) == 0)
			continue;
		if ((is_usb2(c) ? place_usb2(l, c, err)
				: next(l, VM_FAMILY_CONTROLLER, &c->dev, err)) < 0)
			return -1;
	}
	return 0;
}

static int place_family(struct layout *l, enum vm_device_family family, struct vm_err *err)
{
	const struct mt_list *list = vm_domain_list(l->d, family);

	for (uint32_t i = 0; i < list->n; i++) {
		struct vm_device *dev = list->v[i];

		if (needs(l, family, dev) != 0 && next(l, family, dev, err) < 0)
			return -1;
	}
	return 0;
}

static int place_disks(struct layout *l, struct vm_err *err)
{
	VM_AUTO_FREE struct vm_disk **disks = vm_disks_of(l->d);

	for (size_t i = 0; disks[i] != NULL; i++) {
		struct vm_device *dev = &disks[i]->dev;

		if (needs(l, VM_FAMILY_DISK, dev) == 0)
			continue;
		if (!present(dev) && !wanted(dev))
			return mt_error(l->ctx, dev, "address", VM_BAD_INPUT, err,
					"a virtio disk has a PCI address");
		if (next(l, VM_FAMILY_DISK, dev, err) < 0)
			return -1;
	}
	return 0;
}

static int place_all(struct layout *l, struct vm_err *err)
{
	static const enum vm_device_family after[] = {
	    VM_FAMILY_HOSTDEV,	  VM_FAMILY_MEMBALLOON, VM_FAMILY_RNG,
	    VM_FAMILY_WATCHDOG,	  VM_FAMILY_VIDEO, /* the primary one is placed */
	    VM_FAMILY_INPUT,	  VM_FAMILY_SERIAL,	VM_FAMILY_IOMMU,
	};

	for (size_t i = 0; i < l->ctl.n; i++) {
		struct vm_controller *c = l->ctl.v[i];

		if (c->kind == VM_CONTROLLER_PCI && vm_pci_model_flags(c->model) != 0 &&
		    next(l, VM_FAMILY_CONTROLLER, &c->dev, err) < 0)
			return -1;
	}
	if (place_family(l, VM_FAMILY_FILESYSTEM, err) < 0 || place_family(l, VM_FAMILY_INTERFACE, err) < 0 || place_controllers(l, err) < 0 ||
	    place_disks(l, err) < 0)
		return -1;
	for (size_t i = 0; i < VM_COUNT(after); i++)
		if (place_family(l, after[i], err) < 0)
			return -1;
	return 0;
}

/* ---- rounds ---- */

static size_t bus_count(const struct layout *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->ctl.n; i++)
		if (l->ctl.v[i]->kind == VM_CONTROLLER_PCI && l->ctl.v[i]->index >= n)
			n = (size_t)l->ctl.v[i]->index + 1;
	return n;
}

/* Makes the buses that the dry round added into controllers; each needs a place itself. */
static int add_controllers(struct layout *l, struct vm_err *err)
{
	for (size_t i = 1; i < l->set.n; i++) {
		struct vm_controller *c;
		struct vm_pci_addr at;
		unsigned flags;

		if (vm_controller_find(l->d, VM_CONTROLLER_PCI, i) != NULL)
			continue;
		c = vm_controller_add(l->d, VM_CONTROLLER_PCI, i, l->set.buses[i].model);
		flags = vm_pci_model_flags(c->model);
		if (flags != 0 && vm_pci_next(&l->set, flags, -1, &at, err) < 0)
			return mt_error(l->ctx, l->d, "devices", VM_BAD_INPUT, err,
					"more PCI devices than this machine has room for");
	}
	return 0;
}

static int dry_round(struct layout *l, size_t buses, size_t *ret_buses, struct vm_err *err)
{
	const bool express = vm_qemu_is_q35(l->d);
	struct vm_pci_addr spare;

	if (open_set(l, buses, true, err) < 0 || chipset(l, err) < 0)
		return -1;
	/* A conventional guest keeps a slot for a bridge to come, unless its admin filled every
	 * slot. */
	if (!express && !vm_pci_set_full(&l->set) &&
	    vm_pci_next(&l->set, VM_SLOT_PCI | VM_SLOT_AUTO, -1, &spare, err) < 0)
		return -1;
	if (place_all(l, err) < 0)
		return -1;
	/* An Express guest whose layout is left to us keeps one free port, for one hotplug. */
	if (express && buses <= 1 && l->set.n > buses &&
	    vm_pci_next(&l->set, VM_SLOT_PCIE | VM_SLOT_AUTO, -1, &spare, err) < 0)
		return -1;
	if (add_controllers(l, err) < 0)
		return -1;
	*ret_buses = l->set.n;
	return 0;
}

static int set_multifunction(enum vm_device_family family, struct vm_device *dev, void *arg)
{
	struct layout *l = arg;
	struct vm_pci_addr first;

	(void)family;
	if (!present(dev) || dev->address->function == 0)
		return 0;
	first = addr_of(dev);
	first.function = 0;
	for (int f = 0; f < VM_FAMILIES; f++) {
		const struct mt_list *list = vm_domain_list(l->d, (enum vm_device_family)f);

		for (uint32_t i = 0; i < list->n; i++) {
			struct vm_device *other = list->v[i];

			if (present(other) && same(addr_of(other), first) &&
			    other->address->multifunction == VM_SWITCH_ABSENT)
				assign_multifunction(other);
		}
	}
	return 0;
}

static void set_default(struct vm_controller *c, enum vm_controller_bit bit, uint64_t *datum,
			uint64_t value)
{
	if (mt_is_set(&c->dev.obj, bit))
		return;
	*datum = value;
	mt_assigned(&c->dev.obj, bit);
}

/* An expander's number leaves two below the lowest one: its own and that of the bridge inside. */
static int set_bus_number(const struct layout *l, struct vm_controller *c, struct vm_err *err)
{
	uint64_t lowest = 256;

	if (mt_is_set(&c->dev.obj, VM_CONTROLLER_BIT_BUS_NR))
		return 0;
	for (size_t i = 0; i < l->ctl.n; i++) {
		const struct vm_controller *o = l->ctl.v[i];

		if (o->kind == VM_CONTROLLER_PCI &&
		    mt_is_set(&o->dev.obj, VM_CONTROLLER_BIT_BUS_NR) && o->bus_nr < lowest)
			lowest = o->bus_nr;
	}
	if (lowest <= 2)
		return mt_error(l->ctx, c, NULL, VM_BAD_INPUT, err,
				"no bus number is free for this expander; give target/@busNr");
	set_default(c, VM_CONTROLLER_BIT_BUS_NR, &c->bus_nr, lowest - 2);
	return 0;
}

static int set_controller_options(const struct layout *l, struct vm_err *err)
{
	for (size_t i = 0; i < l->ctl.n; i++) {
		struct vm_controller *c = l->ctl.v[i];
		struct vm_pci_addr at = {0};

		if (c->kind != VM_CONTROLLER_PCI)
			continue;
		if (present(&c->dev))
			at = addr_of(&c->dev);
		if (c->pci_name == VM_PCI_NAME_ABSENT &&
		    vm_pci_model_name(c->model) != VM_PCI_NAME_ABSENT) {
			c->pci_name = vm_pci_model_name(c->model);
			mt_assigned(&c->dev.obj, VM_CONTROLLER_BIT_PCI_NAME);
		}
		if (c->model == VM_PCI_BRIDGE) {
			set_default(c, VM_CONTROLLER_BIT_CHASSIS_NR, &c->chassis_nr, c->index);
			if (c->index <= at.bus)
				return mt_error(l->ctx, c, "@index", VM_BAD_INPUT, err,
						"a bridge's index must be greater than the bus it "
						"sits on (%u)",
						at.bus);
		} else if (c->model == VM_PCIE_ROOT_PORT) {
			set_default(c, VM_CONTROLLER_BIT_CHASSIS, &c->chassis, c->index);
			set_default(c, VM_CONTROLLER_BIT_PORT, &c->port,
				    (at.slot << 3) + at.function);
		} else if (c->model == VM_PCIE_DOWNSTREAM_PORT) {
			set_default(c, VM_CONTROLLER_BIT_CHASSIS, &c->chassis, c->index);
			set_default(c, VM_CONTROLLER_BIT_PORT, &c->port, at.slot);
		} else if (c->model == VM_PCI_EXPANDER || c->model == VM_PCIE_EXPANDER) {
			if (set_bus_number(l, c, err) < 0)
				return -1;
		}
	}
	return 0;
}

static int assign_pci(struct layout *l, struct vm_err *err)
{
	size_t buses = bus_count(l);

	if (buses == 0)
		return 0;
	if (buses > VM_PCI_BUSES_MAX)
		return vm_err_set(err, VM_BAD_INPUT, "more than %u PCI buses", VM_PCI_BUSES_MAX);
	if (dry_round(l, buses, &buses, err) < 0)
		return -1;
	vm_pci_set_close(&l->set);
	vm_controllers_free(&l->ctl);
	vm_controllers_of(l->d, true, &l->ctl);
	if (open_set(l, buses, false, err) < 0 || chipset(l, err) < 0 || place_all(l, err) < 0)
		return -1;
	vm_domain_each_device(l->d, set_multifunction, l);
	return set_controller_options(l, err);
}

int vm_qemu_assign_pci(struct vm_domain *d, const struct vm_xml *doc, struct vm_err *err)
{
	const struct mt_ctx ctx = {.doc = doc, .root = d};
	struct layout l = {
	    .d = d,
	    .ctx = &ctx,
	    .express = VM_SLOT_AUTO | (vm_qemu_is_q35(d) ? VM_SLOT_PCIE : VM_SLOT_PCI),
	};
	int r;

	vm_controllers_of(d, true, &l.ctl);
	r = assign_pci(&l, err);
	vm_pci_set_close(&l.set);
	vm_controllers_free(&l.ctl);
	return r;
}
