// SPDX-License-Identifier: LGPL-2.1-or-later
#include "check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>

#include "domain.h"
#include "rows.h"

static int check_head(const struct vm_domain *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	if (!*d->name || strchr(d->name, '/') || strchr(d->name, '\n'))
		return mt_error(ctx, d, "name", VM_BAD_INPUT, err,
				"a name is not empty and holds neither '/' nor a line's end");
	if (d->title && strchr(d->title, '\n'))
		return mt_error(ctx, d, "title", VM_BAD_INPUT, err, "a title is one line");
	return 0;
}

static int check_memory(const struct vm_domain *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	/* The cells count where there are some. */
	uint64_t cells = vm_domain_cells_memory(d), memory = cells ? cells : d->memory;

	if (!cells && !mt_is_set(&d->obj, VM_DOMAIN_BIT_MEMORY))
		return mt_error(ctx, d, NULL, VM_BAD_INPUT, err, "<domain> lacks <memory>");
	if (!memory)
		return mt_error(ctx, d, "memory", VM_BAD_INPUT, err, "memory must not be 0");
	if (d->current_memory > memory)
		return mt_error(ctx, d, "currentMemory", VM_BAD_INPUT, err,
				"current memory of %" PRIu64 " KiB is more than the memory of "
				"%" PRIu64 " KiB",
				d->current_memory / 1024, memory / 1024);
	if (mt_is_set(&d->obj, VM_DOMAIN_BIT_MAX_MEMORY) !=
	    mt_is_set(&d->obj, VM_DOMAIN_BIT_MAX_MEMORY_SLOTS))
		return mt_error(ctx, d, "maxMemory", VM_BAD_INPUT, err,
				"<maxMemory> needs a size and slots");
	if (mt_is_set(&d->obj, VM_DOMAIN_BIT_MAX_MEMORY))
		return mt_error(ctx, d, "maxMemory", VM_UNSUPPORTED, err,
				"memory hotplug is not supported yet");
	if (mt_is_set(&d->obj, VM_DOMAIN_BIT_MAX_MEMORY) && d->max_memory < memory)
		return mt_error(ctx, d, "maxMemory", VM_BAD_INPUT, err,
				"<maxMemory> is less than <memory>");
	return 0;
}

static int check_firmware(const struct vm_domain *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_os *os = d->os;

	if ((os->loader_type == VM_LOADER_PFLASH || os->firmware == VM_FIRMWARE_EFI) &&
	    !(d->features && d->features->acpi))
		return mt_error(ctx, os, os->loader ? "loader" : "@firmware", VM_BAD_INPUT, err,
				"UEFI needs <acpi/> in <features>");
	if (os->loader_secure == VM_SWITCH_ON && !vm_domain_is_q35(d))
		return mt_error(ctx, os, "loader/@secure", VM_BAD_INPUT, err,
				"secure boot needs machine 'q35'");
	if (os->loader_secure == VM_SWITCH_ON &&
	    !(d->features && (d->features->smm == VM_SWITCH_ON ||
			      (d->features->smm_present && d->features->smm != VM_SWITCH_OFF))))
		return mt_error(ctx, os, "loader/@secure", VM_BAD_INPUT, err,
				"secure boot needs <smm state='on'/> in <features>");
	return 0;
}

static int check_vcpus(const struct vm_domain *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_cpu *c = d->cpu;

	if (d->vcpus_current > d->vcpus)
		return mt_error(ctx, d, "vcpu/@current", VM_BAD_INPUT, err,
				"%" PRIu64 " vCPUs now are more than the %" PRIu64 " at most",
				d->vcpus_current, d->vcpus);
	if (c && c->sockets) {
		uint64_t product = c->sockets;
		const uint64_t factors[] = {c->dies ? c->dies : 1, c->cores, c->threads};

		for (size_t i = 0; i < VM_COUNT(factors) && product <= UINT32_MAX; i++)
			product *= factors[i];
		if (product != d->vcpus)
			return mt_error(ctx, c, "topology", VM_BAD_INPUT, err,
					"sockets, dies, cores and threads make %" PRIu64
					" vCPUs, but <vcpu> says %" PRIu64,
					product, d->vcpus);
	}
	return 0;
}

static int check_lifecycle(const struct vm_domain *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	if (d->on_poweroff >= VM_LIFECYCLE_COREDUMP_DESTROY)
		return mt_error(ctx, d, "on_poweroff", VM_BAD_INPUT, err,
				"'%s' is only for <on_crash>", vm_lifecycle_words[d->on_poweroff]);
	if (d->on_reboot >= VM_LIFECYCLE_COREDUMP_DESTROY)
		return mt_error(ctx, d, "on_reboot", VM_BAD_INPUT, err,
				"'%s' is only for <on_crash>", vm_lifecycle_words[d->on_reboot]);
	return 0;
}

/* ---- across devices ---- */

struct walk {
	const struct vm_domain *d;
	const struct mt_ctx *ctx;
	struct vm_err *err;
	const struct vm_device **v; /* owned: those seen before with an order or an alias */
	uint32_t n;
};

static int count_device(enum vm_device_family family, struct vm_device *dev, void *arg)
{
	(void)family;
	(void)dev;
	++*(uint32_t *)arg;
	return 0;
}

#define PCI VM_ONE(VM_ADDRESS_PCI)
#define USB VM_ONE(VM_ADDRESS_USB)
#define ISA VM_ONE(VM_ADDRESS_ISA)

static uint64_t serial_addresses(const struct vm_char *c)
{
	switch ((enum vm_serial_target)c->target_type) {
	case VM_SERIAL_PCI:
		return PCI;
	case VM_SERIAL_USB:
		return USB;
	case VM_SERIAL_ISA:
	case VM_SERIAL_ISA_DEBUG:
		return ISA;
	case VM_SERIAL_ABSENT:
	case VM_SERIAL_SPAPR:
	case VM_SERIAL_SYSTEM:
	case VM_SERIAL_SCLP:
		break;
	}
	return PCI | USB | ISA;
}

static uint64_t hostdev_addresses(const struct vm_hostdev *h)
{
	switch ((enum vm_hostdev_type)h->type) {
	case VM_HOSTDEV_TYPE_PCI:
		return PCI | VM_ONE(VM_ADDRESS_UNASSIGNED);
	case VM_HOSTDEV_TYPE_SCSI_HOST:
	case VM_HOSTDEV_TYPE_MDEV:
		return PCI;
	case VM_HOSTDEV_TYPE_USB:
		return USB;
	case VM_HOSTDEV_TYPE_SCSI:
		return VM_ONE(VM_ADDRESS_DRIVE);
	case VM_HOSTDEV_TYPE_ABSENT:
	case VM_HOSTDEV_TYPE_STORAGE:
	case VM_HOSTDEV_TYPE_MISC:
	case VM_HOSTDEV_TYPE_NET:
	case VM_HOSTDEV_TYPES:
		break;
	}
	return 0;
}

/* Types of address that a device can have, as bits; its own check has looked at disks. */
static uint64_t allowed_addresses(enum vm_device_family family, const struct vm_device *dev)
{
	switch (family) {
	case VM_FAMILY_DISK:
		return ~UINT64_C(0);
	case VM_FAMILY_CONTROLLER:
	case VM_FAMILY_VIDEO:
	case VM_FAMILY_MEMBALLOON:
	case VM_FAMILY_RNG:
	case VM_FAMILY_FILESYSTEM:
		return PCI;
	case VM_FAMILY_INTERFACE:
		return ((const struct vm_interface *)dev)->model == VM_NET_USB_NET ? USB : PCI;
	case VM_FAMILY_SERIAL:
		return serial_addresses((const struct vm_char *)dev);
	case VM_FAMILY_PARALLEL:
		return ISA;
	case VM_FAMILY_CONSOLE:
		return ((const struct vm_char *)dev)->target_type == VM_CONSOLE_VIRTIO
			   ? VM_ONE(VM_ADDRESS_VIRTIO_SERIAL)
			   : PCI | USB | ISA;
	case VM_FAMILY_CHANNEL:
		return VM_ONE(VM_ADDRESS_VIRTIO_SERIAL);
	case VM_FAMILY_INPUT:
		switch (((const struct vm_input *)dev)->bus) {
		case VM_INPUT_BUS_ABSENT:
			return USB | PCI;
		case VM_INPUT_BUS_USB:
			return USB;
		case VM_INPUT_BUS_VIRTIO:
			return PCI;
		default:
			return 0;
		}
	case VM_FAMILY_WATCHDOG:
		return ((const struct vm_watchdog *)dev)->model == VM_WATCHDOG_I6300ESB ? PCI : 0;
	case VM_FAMILY_PANIC:
		switch (((const struct vm_panic *)dev)->model) {
		case VM_PANIC_ABSENT:
		case VM_PANIC_ISA:
			return ISA;
		case VM_PANIC_PVPANIC:
			return PCI;
		default:
			return 0;
		}
	case VM_FAMILY_IOMMU:
		return ((const struct vm_iommu *)dev)->model == VM_IOMMU_VIRTIO ? PCI : 0;
	case VM_FAMILY_HOSTDEV:
		return hostdev_addresses((const struct vm_hostdev *)dev);
	case VM_FAMILY_GRAPHICS:
	case VM_FAMILY_AUDIO:
	case VM_FAMILY_TPM:
	case VM_FAMILIES:
		break;
	}
	return 0;
}

static int see_address(enum vm_device_family family, struct vm_device *dev, void *arg)
{
	const struct walk *w = arg;

	if (!dev->address || allowed_addresses(family, dev) >> dev->address_type & 1)
		return 0;
	return mt_error(w->ctx, dev, "address", VM_BAD_INPUT, w->err,
			"this <%s> can have no %s address", vm_families[family].name,
			vm_word(vm_address_type_words, dev->address_type));
}

static int see_order(enum vm_device_family family, struct vm_device *dev, void *arg)
{
	struct walk *w = arg;

	(void)family;
	if (dev->loadparm)
		return mt_error(w->ctx, dev, "boot/@loadparm", VM_UNSUPPORTED, w->err,
				"loadparm is for s390 guests only");
	if (!dev->boot_order)
		return 0;
	if (w->d->os && w->d->os->boots.n)
		return mt_error(w->ctx, dev, "boot/@order", VM_BAD_INPUT, w->err,
				"a device's <boot order> cannot be used together with <boot dev> "
				"of <os>");
	w->v[w->n++] = dev;
	return 0;
}

static int see_alias(enum vm_device_family family, struct vm_device *dev, void *arg)
{
	struct walk *w = arg;

	/* A <console> is often the first <serial> said again. */
	if (!dev->alias || family == VM_FAMILY_CONSOLE)
		return 0;
	/* What a definition ignores may be anything. */
	if (!w->ctx->live && !vm_alias_is_admins(dev->alias))
		return 0;
	/* Ours of buses have dots in them: "pcie.0". */
	if (!vm_text_only(dev->alias, w->ctx->live ? "-_." : "-_"))
		return mt_error(w->ctx, dev, "alias/@name", VM_BAD_INPUT, w->err,
				"alias '%s' may hold letters, digits, - and _ only", dev->alias);
	w->v[w->n++] = dev;
	return 0;
}

static int by_order(const void *a, const void *b)
{
	const struct vm_device *const *x = a, *const *y = b;
	uint64_t i = (*x)->boot_order, j = (*y)->boot_order;

	return i < j ? -1 : i > j;
}

static int by_alias(const void *a, const void *b)
{
	const struct vm_device *const *x = a, *const *y = b;

	return strcmp((*x)->alias, (*y)->alias);
}

static int check_devices(const struct vm_domain *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	VM_AUTO_FREE const struct vm_device **v = NULL;
	struct walk w = {.d = d, .ctx = ctx, .err = err};
	uint32_t n = 0;

	vm_domain_each_device(d, count_device, &n);
	v = vm_xcalloc(n + 1, sizeof(*v));
	w.v = v;
	if (vm_domain_each_device(d, see_address, &w) < 0 ||
	    vm_domain_each_device(d, see_order, &w) < 0)
		return -1;
	qsort(v, w.n, sizeof(*v), by_order);
	for (uint32_t i = 1; i < w.n; i++)
		if (by_order(&v[i - 1], &v[i]) == 0)
			return mt_error(ctx, v[i], "boot/@order", VM_BAD_INPUT, err,
					"boot order %" PRIu64 " is used for two devices",
					v[i]->boot_order);
	w.n = 0;
	if (vm_domain_each_device(d, see_alias, &w) < 0)
		return -1;
	qsort(v, w.n, sizeof(*v), by_alias);
	for (uint32_t i = 1; i < w.n; i++)
		if (by_alias(&v[i - 1], &v[i]) == 0)
			return mt_error(ctx, v[i], "alias/@name", VM_BAD_INPUT, err,
					"alias '%s' is used for two devices", v[i]->alias);
	return 0;
}

/* ---- disks ---- */

static bool same_drive(const struct vm_disk *a, const struct vm_disk *b)
{
	const struct vm_address *x = a->dev.address, *y = b->dev.address;

	return a->bus == b->bus && vm_device_has_address(&a->dev, VM_ADDRESS_DRIVE) &&
	       vm_device_has_address(&b->dev, VM_ADDRESS_DRIVE) && x->controller == y->controller &&
	       x->bus == y->bus && x->target == y->target && x->unit == y->unit;
}

static int by_target(const void *a, const void *b)
{
	const struct vm_disk *const *x = a, *const *y = b;

	return strcmp((*x)->target, (*y)->target);
}

static int by_drive(const void *a, const void *b)
{
	const struct vm_disk *const *i = a, *const *j = b;
	const struct vm_address *x = (*i)->dev.address, *y = (*j)->dev.address;
	const uint64_t p[] = {(uint64_t)(*i)->bus, x->controller, x->bus, x->target, x->unit};
	const uint64_t q[] = {(uint64_t)(*j)->bus, y->controller, y->bus, y->target, y->unit};

	for (size_t k = 0; k < VM_COUNT(p); k++)
		if (p[k] != q[k])
			return p[k] < q[k] ? -1 : 1;
	return 0;
}

static int check_disks(const struct vm_domain *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	VM_AUTO_FREE const struct vm_disk **v = vm_xcalloc(d->disks.n + 1, sizeof(*v));
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->disks.n; i++) {
		const struct vm_disk *disk = d->disks.v[i];

		if (disk->iothread && !vm_domain_has_iothread(d, disk->iothread))
			return mt_error(ctx, disk, "driver/@iothread", VM_BAD_INPUT, err,
					"there is no I/O thread %" PRIu64, disk->iothread);
		v[i] = disk;
	}
	qsort(v, d->disks.n, sizeof(*v), by_target);
	for (uint32_t i = 1; i < d->disks.n; i++)
		if (by_target(&v[i - 1], &v[i]) == 0)
			return mt_error(ctx, v[i], "target/@dev", VM_BAD_INPUT, err,
					"target '%s' is used for two disks", v[i]->target);
	for (uint32_t i = 0; i < d->disks.n; i++) {
		const struct vm_disk *disk = d->disks.v[i];

		if (vm_device_has_address(&disk->dev, VM_ADDRESS_DRIVE))
			v[n++] = disk;
	}
	qsort(v, n, sizeof(*v), by_drive);
	for (uint32_t i = 1; i < n; i++)
		if (same_drive(v[i - 1], v[i]))
			return mt_error(ctx, v[i], "address", VM_BAD_INPUT, err,
					"disks '%s' and '%s' have the same address",
					v[i - 1]->target, v[i]->target);
	return 0;
}

/* ---- controllers ---- */

static bool usb_companion(const struct vm_controller *c)
{
	return c->kind == VM_CONTROLLER_USB && c->model >= VM_USB_ICH9_EHCI1 &&
	       c->model <= VM_USB_ICH9_UHCI3;
}

static bool has_master(const struct vm_domain *d, const struct vm_controller *companion)
{
	for (uint32_t i = 0; i < d->controllers.n; i++) {
		const struct vm_controller *c = d->controllers.v[i];

		if (c->kind == VM_CONTROLLER_USB && c->index == companion->index &&
		    !mt_is_set(&c->dev.obj, VM_CONTROLLER_BIT_MASTER_STARTPORT))
			return true;
	}
	return false;
}

static int by_index(const void *a, const void *b)
{
	const struct vm_controller *const *x = a, *const *y = b;

	if ((*x)->kind != (*y)->kind)
		return (*x)->kind < (*y)->kind ? -1 : 1;
	if ((*x)->index != (*y)->index)
		return (*x)->index < (*y)->index ? -1 : 1;
	return (*x)->model < (*y)->model ? -1 : (*x)->model > (*y)->model;
}

static int no_usb(const struct mt_ctx *ctx, const void *obj, const char *path, struct vm_err *err)
{
	mt_error(ctx, obj, path, VM_BAD_INPUT, err, "USB is switched off by model='none' of its controller");
	return vm_err_hint(err, "give that controller another model, such as qemu-xhci");
}

static int check_usb(const struct vm_domain *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_controller *none = NULL, *other = NULL;

	for (uint32_t i = 0; i < d->controllers.n; i++) {
		const struct vm_controller *c = d->controllers.v[i];

		if (c->kind != VM_CONTROLLER_USB)
			continue;
		if (c->model == VM_USB_NONE)
			none = c;
		else
			other = c;
	}
	if (!none)
		return 0;
	if (other)
		return mt_error(ctx, other, NULL, VM_BAD_INPUT, err,
				"USB is switched off by model='none': there can be no other USB "
				"controller");
	for (uint32_t i = 0; i < d->inputs.n; i++) {
		const struct vm_input *input = d->inputs.v[i];

		if (input->bus == VM_INPUT_BUS_USB)
			return no_usb(ctx, input, "@bus", err);
	}
	for (uint32_t i = 0; i < d->disks.n; i++) {
		const struct vm_disk *disk = d->disks.v[i];

		if (disk->bus == VM_BUS_USB)
			return no_usb(ctx, disk, "target/@bus", err);
	}
	for (uint32_t i = 0; i < d->hostdevs.n; i++) {
		const struct vm_hostdev *h = d->hostdevs.v[i];

		if (h->type == VM_HOSTDEV_TYPE_USB)
			return no_usb(ctx, h, "@type", err);
	}
	return 0;
}

static int check_controllers(const struct vm_domain *d, const struct mt_ctx *ctx,
			     struct vm_err *err)
{
	VM_AUTO_FREE const struct vm_controller **v = vm_xcalloc(d->controllers.n + 1, sizeof(*v));
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->controllers.n; i++) {
		const struct vm_controller *c = d->controllers.v[i];

		if (c->iothread && !vm_domain_has_iothread(d, c->iothread))
			return mt_error(ctx, c, "driver/@iothread", VM_BAD_INPUT, err,
					"there is no I/O thread %" PRIu64, c->iothread);
		if (mt_is_set(&c->dev.obj, VM_CONTROLLER_BIT_INDEX))
			v[n++] = c;
	}
	qsort(v, n, sizeof(*v), by_index);
	for (uint32_t i = 1; i < n; i++) {
		bool companions = usb_companion(v[i - 1]) && usb_companion(v[i]) &&
				  v[i - 1]->model != v[i]->model;

		if (v[i - 1]->kind == v[i]->kind && v[i - 1]->index == v[i]->index && !companions)
			return mt_error(ctx, v[i], "@index", VM_BAD_INPUT, err,
					"there are two %s controllers with index %" PRIu64,
					vm_word(vm_controller_kind_words, v[i]->kind), v[i]->index);
	}
	for (uint32_t i = 0; i < d->controllers.n; i++) {
		const struct vm_controller *c = d->controllers.v[i];

		if (mt_is_set(&c->dev.obj, VM_CONTROLLER_BIT_MASTER_STARTPORT) && !has_master(d, c))
			return mt_error(ctx, c, "master", VM_BAD_INPUT, err,
					"there is no ich9-ehci1 with index %" PRIu64
					" for this companion",
					c->index);
	}
	return check_usb(d, ctx, err);
}

/* ---- those there is one of ---- */

static int check_single(const struct vm_domain *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	uint32_t primary = 0;

	if (d->memballoons.n > 1)
		return mt_error(ctx, d->memballoons.v[1], NULL, VM_BAD_INPUT, err,
				"there can be one <memballoon> only");
	if (d->iommus.n > 1)
		return mt_error(ctx, d->iommus.v[1], NULL, VM_BAD_INPUT, err, "there can be one <iommu> only");
	for (uint32_t i = 0; i < d->videos.n; i++) {
		const struct vm_video *v = d->videos.v[i];

		if (v->kind == VM_VIDEO_NONE && d->videos.n > 1)
			return mt_error(ctx, v, "model/@type", VM_BAD_INPUT, err,
					"a video of type 'none' must be the only one");
		if (v->primary == VM_SWITCH_ON && primary++)
			return mt_error(ctx, v, "model/@primary", VM_BAD_INPUT, err,
					"there can be one primary video only");
	}
	for (uint32_t i = 0; i < d->graphics.n; i++)
		for (uint32_t j = 0; j < i; j++) {
			const struct vm_graphics *a = d->graphics.v[i], *b = d->graphics.v[j];

			if (a->kind == b->kind)
				return mt_error(ctx, a, NULL, VM_BAD_INPUT, err,
						"there can be one <graphics type='%s'> only",
						vm_word(vm_graphics_kind_words, a->kind));
		}
	for (uint32_t i = 0; i < d->panics.n; i++)
		for (uint32_t j = 0; j < i; j++) {
			const struct vm_panic *a = d->panics.v[i], *b = d->panics.v[j];

			if (a->model == b->model)
				return mt_error(ctx, a, NULL, VM_BAD_INPUT, err,
						"there are two panic devices of one model");
		}
	return 0;
}

/* More than any hypervisor takes; keeps what compares devices with each other short. */
#define MAX_DEVICES 4096u

static int check_counts(const struct vm_domain *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	for (unsigned family = 0; family < VM_FAMILIES; family++) {
		const struct mt_list *list = vm_domain_list(d, family);

		if (list->n > MAX_DEVICES)
			return mt_error(ctx, list->v[MAX_DEVICES], NULL, VM_BAD_INPUT, err,
					"more than %u <%s>", MAX_DEVICES, vm_families[family].name);
	}
	return 0;
}

int vm_domain_check(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_domain *d = obj;

	if (check_head(d, ctx, err) < 0 || check_counts(d, ctx, err) < 0 ||
	    check_memory(d, ctx, err) < 0 || check_vcpus(d, ctx, err) < 0 ||
	    check_firmware(d, ctx, err) < 0 || check_lifecycle(d, ctx, err) < 0 ||
	    check_devices(d, ctx, err) < 0 || check_disks(d, ctx, err) < 0 ||
	    check_controllers(d, ctx, err) < 0 || vm_hostdevs_check(d, ctx, err) < 0 ||
	    vm_tune_check(d, ctx, err) < 0 || vm_domain_check_seclabels(d, ctx, err) < 0 ||
	    vm_domain_check_helped(d, ctx, err) < 0)
		return -1;
	return check_single(d, ctx, err);
}
