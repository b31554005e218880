/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a document leaves open, as libvirt 9.0 settles it for x86_64: the machine's version, the
 * controllers that the machine has or the devices need, defaults that the guest can see, addresses.
 * Doing it again changes nothing.
 *
 * Source: libvirt 9.0, formatdomain; defaults observed with its define and domxml-to-native.
 */
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "qemu/argv/argv.h"
#include "qemu/qemu.h"

#define DISKS_MAX	    1024u
#define DEVICES_MAX	    512u /* of one family */
#define CONTROLLERS_MAX	    256u /* of one kind */
#define VIOSERIAL_PORTS_MAX 511u /* Source: hw/virtio/virtio-serial.h, QEMU 7.2 */
#define XHCI_PORTS_MAX	    15u	 /* Source: hw/usb/hcd-xhci.h, QEMU 7.2 */

static void set_text(struct mt_obj *obj, unsigned bit, char **datum, const char *value)
{
	if (*datum != NULL && strcmp(*datum, value) == 0)
		return;
	free(*datum);
	*datum = vm_xstrdup(value);
	mt_assigned(obj, bit);
}

static void set_enum(struct mt_obj *obj, unsigned bit, int *datum, int value)
{
	if (*datum != 0)
		return;
	*datum = value;
	mt_assigned(obj, bit);
}

static void complete_os(struct vm_domain *d)
{
	struct vm_os *os = d->os;

	if (os->arch == NULL)
		set_text(&os->obj, VM_OS_BIT_ARCH, &os->arch, "x86_64");
	set_text(&os->obj, VM_OS_BIT_MACHINE, &os->machine, vm_qemu_machine(os->machine));
	if (d->emulator == NULL)
		set_text(&d->obj, VM_DOMAIN_BIT_EMULATOR, &d->emulator, VM_QEMU_EMULATOR);
}

/* ---- controllers ---- */

/* The lowest index that no controller of the kind has. */
static uint64_t unused_index(const struct vm_domain *d, int kind)
{
	for (uint64_t index = 0;; index++) {
		bool used = false;

		for (uint32_t i = 0; i < d->controllers.n && !used; i++) {
			const struct vm_controller *c = d->controllers.v[i];

			used = c->kind == kind && c->index == index &&
			       mt_is_set(&c->dev.obj, VM_CONTROLLER_BIT_INDEX);
		}
		if (!used)
			return index;
	}
}

static int complete_pci(const struct vm_domain *d, struct vm_controller *c,
			const struct mt_ctx *ctx, struct vm_err *err)
{
	const int root = vm_qemu_is_q35(d) ? VM_PCIE_ROOT : VM_PCI_ROOT;

	if (c->model == VM_MODEL_ABSENT && c->index != 0)
		return mt_error(ctx, c, "@model", VM_BAD_INPUT, err,
				"a PCI controller needs a model");
	set_enum(&c->dev.obj, VM_CONTROLLER_BIT_MODEL, &c->model, root);
	if (c->index == 0 && c->model != root)
		return mt_error(ctx, c, "@model", VM_BAD_INPUT, err,
				"the PCI controller with index 0 of this machine is a '%s'",
				vm_controller_model_words[root]);
	if (c->index != 0 && (c->model == VM_PCI_ROOT || c->model == VM_PCIE_ROOT))
		return mt_error(ctx, c, "@index", VM_BAD_INPUT, err,
				"a root controller has index 0");
	return 0;
}

static int check_ports(const struct vm_controller *c, const struct mt_ctx *ctx, struct vm_err *err)
{
	uint64_t max = c->kind == VM_CONTROLLER_VIRTIO_SERIAL ? VIOSERIAL_PORTS_MAX
		       : c->kind == VM_CONTROLLER_USB	      ? XHCI_PORTS_MAX
							      : UINT64_MAX;

	if (!mt_is_set(&c->dev.obj, VM_CONTROLLER_BIT_PORTS) || (c->ports > 0 && c->ports <= max))
		return 0;
	return mt_error(ctx, c, "@ports", VM_BAD_INPUT, err, "this controller has 1 to %llu ports",
			(unsigned long long)max);
}

static int complete_controllers(struct vm_domain *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	for (uint32_t i = 0; i < d->controllers.n; i++) {
		struct vm_controller *c = d->controllers.v[i];

		if (!mt_is_set(&c->dev.obj, VM_CONTROLLER_BIT_INDEX)) {
			c->index = unused_index(d, c->kind);
			mt_assigned(&c->dev.obj, VM_CONTROLLER_BIT_INDEX);
		}
		if (c->kind == VM_CONTROLLER_USB)
			set_enum(&c->dev.obj, VM_CONTROLLER_BIT_MODEL, &c->model,
				 VM_USB_PIIX3_UHCI);
		if (check_ports(c, ctx, err) < 0)
			return -1;
		if (c->kind == VM_CONTROLLER_PCI && complete_pci(d, c, ctx, err) < 0)
			return -1;
	}
	return 0;
}

static struct vm_controller *need_controller(struct vm_domain *d, int kind, uint64_t index,
					     int model)
{
	struct vm_controller *c = vm_controller_find(d, kind, index);

	return c != NULL ? c : vm_controller_add(d, kind, index, model);
}

/* What every machine of this kind has. */
static void add_machine_controllers(struct vm_domain *d)
{
	const bool q35 = vm_qemu_is_q35(d);

	if (!q35 && !vm_qemu_is_i440fx(d))
		return;
	need_controller(d, VM_CONTROLLER_USB, 0, q35 ? VM_USB_QEMU_XHCI : VM_USB_PIIX3_UHCI);
	if (q35)
		need_controller(d, VM_CONTROLLER_SATA, 0, VM_MODEL_ABSENT);
	need_controller(d, VM_CONTROLLER_PCI, 0, q35 ? VM_PCIE_ROOT : VM_PCI_ROOT);
}

/* Controllers up to the highest that a SCSI host device names; a new one is like the one before it. */
static int add_hostdev_controllers(struct vm_domain *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	int model = VM_SCSI_VIRTIO;

	for (uint32_t i = 0; i < d->hostdevs.n; i++) {
		const struct vm_hostdev *h = d->hostdevs.v[i];

		if (h->type != VM_HOSTDEV_TYPE_SCSI || h->dev.address_type != VM_ADDRESS_DRIVE ||
		    h->dev.address == NULL)
			continue;
		if (h->dev.address->controller >= CONTROLLERS_MAX)
			return mt_error(ctx, h, "address", VM_BAD_INPUT, err,
					"a controller's index is below %u", CONTROLLERS_MAX);
		for (uint64_t n = 0; n <= h->dev.address->controller; n++) {
			const struct vm_controller *c = need_controller(d, VM_CONTROLLER_SCSI, n, model);

			if (c->model != VM_MODEL_ABSENT && c->model != VM_SCSI_AUTO)
				model = c->model;
		}
	}
	return 0;
}

static int add_disk_controllers(struct vm_domain *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	static const struct {
		int bus, kind;
	} of[] = {{VM_BUS_SCSI, VM_CONTROLLER_SCSI},
		  {VM_BUS_FDC, VM_CONTROLLER_FDC},
		  {VM_BUS_IDE, VM_CONTROLLER_IDE},
		  {VM_BUS_SATA, VM_CONTROLLER_SATA}};

	for (size_t k = 0; k < VM_COUNT(of); k++) {
		int64_t last = -1;

		for (uint32_t i = 0; i < d->disks.n; i++) {
			const struct vm_disk *disk = d->disks.v[i];

			if (disk->bus != of[k].bus || disk->dev.address_type != VM_ADDRESS_DRIVE ||
			    disk->dev.address == NULL)
				continue;
			if (disk->dev.address->controller >= CONTROLLERS_MAX)
				return mt_error(ctx, disk, "address", VM_BAD_INPUT, err,
						"a controller's index is below %u",
						CONTROLLERS_MAX);
			if ((int64_t)disk->dev.address->controller > last)
				last = (int64_t)disk->dev.address->controller;
		}
		for (int64_t i = 0; i <= last; i++)
			need_controller(d, of[k].kind, (uint64_t)i, VM_MODEL_ABSENT);
	}
	return 0;
}

static void add_vioserial_controllers(struct vm_domain *d)
{
	const struct {
		const struct mt_list *list;
		int virtio;
	} of[] = {{&d->channels, VM_CHANNEL_VIRTIO}, {&d->consoles, VM_CONSOLE_VIRTIO}};

	for (size_t k = 0; k < VM_COUNT(of); k++)
		for (uint32_t i = 0; i < of[k].list->n; i++) {
			const struct vm_char *chr = of[k].list->v[i];
			uint64_t index = 0;

			if (chr->target_type != of[k].virtio)
				continue;
			if (chr->dev.address_type == VM_ADDRESS_VIRTIO_SERIAL &&
			    chr->dev.address != NULL)
				index = chr->dev.address->controller;
			need_controller(d, VM_CONTROLLER_VIRTIO_SERIAL, index, VM_MODEL_ABSENT);
		}
}

static void default_scsi_models(struct vm_domain *d)
{
	for (uint32_t i = 0; i < d->controllers.n; i++) {
		struct vm_controller *c = d->controllers.v[i];

		if (c->kind != VM_CONTROLLER_SCSI ||
		    (c->model != VM_MODEL_ABSENT && c->model != VM_SCSI_AUTO))
			continue;
		c->model = VM_SCSI_LSILOGIC;
		mt_assigned(&c->dev.obj, VM_CONTROLLER_BIT_MODEL);
	}
}

/* ---- other devices ---- */

/* A console that stands for a serial port is that port. */
static void console_to_serial(struct vm_domain *d)
{
	const struct vm_char *console;
	struct vm_char *serial;

	if (d->consoles.n == 0 || d->serials.n > 0)
		return;
	console = d->consoles.v[0];
	if (console->target_type != VM_CONSOLE_ABSENT && console->target_type != VM_CONSOLE_SERIAL)
		return;
	serial = vm_domain_add_device(d, VM_FAMILY_SERIAL);
	serial->type = console->type;
	mt_assigned(&serial->dev.obj, VM_CHAR_BIT_TYPE);
	if (console->backend != NULL) {
		serial->backend = mt_copy(vm_chardev_by_type[console->type], console->backend);
		mt_assigned(&serial->dev.obj, VM_CHAR_BIT_BACKEND);
	}
}

static void complete_ports(struct mt_list *list)
{
	uint64_t next = 0;

	for (uint32_t i = 0; i < list->n; i++) {
		struct vm_char *chr = list->v[i];

		if (!mt_is_set(&chr->dev.obj, VM_CHAR_BIT_TARGET_PORT)) {
			chr->target_port = next;
			mt_assigned(&chr->dev.obj, VM_CHAR_BIT_TARGET_PORT);
		}
		if (chr->target_port >= next)
			next = chr->target_port + 1;
	}
}

static void complete_serials(struct vm_domain *d)
{
	static const int models[] = {
	    [VM_SERIAL_ISA] = VM_SERIAL_MODEL_ISA,
	    [VM_SERIAL_USB] = VM_SERIAL_MODEL_USB,
	    [VM_SERIAL_PCI] = VM_SERIAL_MODEL_PCI,
	    [VM_SERIAL_ISA_DEBUG] = VM_SERIAL_MODEL_ISA_DEBUGCON,
	};

	console_to_serial(d);
	for (uint32_t i = 0; i < d->serials.n; i++) {
		struct vm_char *s = d->serials.v[i];
		int type = s->dev.address_type == VM_ADDRESS_USB   ? VM_SERIAL_USB
			   : s->dev.address_type == VM_ADDRESS_PCI ? VM_SERIAL_PCI
								   : VM_SERIAL_ISA;

		set_enum(&s->dev.obj, VM_CHAR_BIT_TARGET_TYPE, &s->target_type, type);
		if ((size_t)s->target_type < VM_COUNT(models) && models[s->target_type] != 0)
			set_enum(&s->dev.obj, VM_CHAR_BIT_TARGET_MODEL, &s->target_model,
				 models[s->target_type]);
	}
	complete_ports(&d->serials);
	complete_ports(&d->parallels);
	complete_ports(&d->consoles);
	for (uint32_t i = 0; i < d->consoles.n; i++) {
		struct vm_char *c = d->consoles.v[i];

		set_enum(&c->dev.obj, VM_CHAR_BIT_TARGET_TYPE, &c->target_type, VM_CONSOLE_SERIAL);
	}
}

static void need_ps2(struct vm_domain *d, int kind)
{
	struct vm_input *input;

	for (uint32_t i = 0; i < d->inputs.n; i++) {
		input = d->inputs.v[i];
		if (input->kind == kind && input->bus == VM_INPUT_BUS_PS2)
			return;
	}
	input = vm_domain_add_device(d, VM_FAMILY_INPUT);
	input->kind = kind;
	mt_assigned(&input->dev.obj, VM_INPUT_BIT_KIND);
	input->bus = VM_INPUT_BUS_PS2;
	mt_assigned(&input->dev.obj, VM_INPUT_BIT_BUS);
}

static void complete_inputs(struct vm_domain *d)
{
	for (uint32_t i = 0; i < d->inputs.n; i++) {
		struct vm_input *in = d->inputs.v[i];
		bool ps2 = in->kind == VM_INPUT_MOUSE || in->kind == VM_INPUT_KEYBOARD;

		set_enum(&in->dev.obj, VM_INPUT_BIT_BUS, &in->bus,
			 in->kind == VM_INPUT_PASSTHROUGH ? VM_INPUT_BUS_VIRTIO
			 : in->kind == VM_INPUT_EVDEV	  ? VM_INPUT_BUS_NONE
			 : ps2				  ? VM_INPUT_BUS_PS2
							  : VM_INPUT_BUS_USB);
	}
	need_ps2(d, VM_INPUT_MOUSE);
	need_ps2(d, VM_INPUT_KEYBOARD);
}

static void complete_videos(struct vm_domain *d)
{
	if (d->graphics.n > 0 && d->videos.n == 0)
		vm_domain_add_device(d, VM_FAMILY_VIDEO);
	for (uint32_t i = 0; i < d->videos.n; i++) {
		struct vm_video *v = d->videos.v[i];

		set_enum(&v->dev.obj, VM_VIDEO_BIT_KIND, &v->kind, VM_VIDEO_CIRRUS);
	}
}

static void complete_small(struct vm_domain *d)
{
	for (uint32_t i = 0; i < d->interfaces.n; i++) {
		struct vm_interface *n = d->interfaces.v[i];

		if (n->kind != VM_INTERFACE_HOSTDEV)
			set_enum(&n->dev.obj, VM_INTERFACE_BIT_MODEL, &n->model, VM_NET_RTL8139);
	}
	for (uint32_t i = 0; i < d->tpms.n; i++) {
		struct vm_tpm *t = d->tpms.v[i];

		set_enum(&t->dev.obj, VM_TPM_BIT_MODEL, &t->model, VM_TPM_TIS);
		/* Other versions keep other state; a tpm-tis has always been the older one. */
		if (t->backend == VM_TPM_EMULATOR)
			set_enum(&t->dev.obj, VM_TPM_BIT_VERSION, &t->version,
				 t->model == VM_TPM_TIS ? VM_TPM_1_2 : VM_TPM_2_0);
	}
	if (d->memballoons.n == 0)
		vm_domain_add_device(d, VM_FAMILY_MEMBALLOON);
	for (uint32_t i = 0; i < d->memballoons.n; i++) {
		struct vm_memballoon *b = d->memballoons.v[i];

		set_enum(&b->dev.obj, VM_MEMBALLOON_BIT_MODEL, &b->model, VM_MEMBALLOON_VIRTIO);
	}
	for (uint32_t i = 0; i < d->watchdogs.n; i++) {
		struct vm_watchdog *w = d->watchdogs.v[i];

		set_enum(&w->dev.obj, VM_WATCHDOG_BIT_ACTION, &w->action, VM_WATCHDOG_RESET);
	}
	for (uint32_t i = 0; i < d->panics.n; i++) {
		struct vm_panic *p = d->panics.v[i];

		set_enum(&p->dev.obj, VM_PANIC_BIT_MODEL, &p->model, VM_PANIC_ISA);
	}
}

/* Far beyond what QEMU takes, near enough that laying out stays quick. */
static int check_counts(const struct vm_domain *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	for (int f = 0; f < VM_FAMILIES; f++) {
		const struct mt_list *list = vm_domain_list(d, (enum vm_device_family)f);
		uint32_t max = f == VM_FAMILY_DISK ? DISKS_MAX : DEVICES_MAX;

		if (list->n > max)
			return mt_error(ctx, list->v[max], NULL, VM_BAD_INPUT, err,
					"more than %u <%s>", max, vm_families[f].name);
	}
	return 0;
}

int vm_qemu_complete(struct vm_domain *d, const struct vm_xml *doc, struct vm_err *err)
{
	const struct mt_ctx ctx = {.doc = doc, .root = d};

	if (check_counts(d, &ctx, err) < 0)
		return -1;
	complete_os(d);
	complete_serials(d);
	complete_inputs(d);
	complete_videos(d);
	complete_small(d);
	if (complete_controllers(d, &ctx, err) < 0)
		return -1;
	add_machine_controllers(d);
	if (vm_qemu_assign_drives(d, doc, err) < 0)
		return -1;
	if (add_disk_controllers(d, &ctx, err) < 0 || add_hostdev_controllers(d, &ctx, err) < 0)
		return -1;
	add_vioserial_controllers(d);
	default_scsi_models(d);
	if (vm_qemu_assign_vioserial(d, doc, err) < 0 || vm_qemu_assign_pci(d, doc, err) < 0)
		return -1;
	return vm_qemu_assign_usb(d, doc, err);
}

const struct vm_completer vm_qemu_completer = {
	.complete = vm_qemu_complete,
	.validate = vm_qemu_validate,
};
