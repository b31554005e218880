/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Controllers, kind by kind as QEMU needs them: a bus before what sits on it. */
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "qemu/plan/plan.h"

static const struct vm_prop pci_props[] = {
    {"chassis_nr", offsetof(struct vm_controller, chassis_nr), VM_CONTROLLER_BIT_CHASSIS_NR,
     VM_PROP_U64, NULL},
    {"port", offsetof(struct vm_controller, port), VM_CONTROLLER_BIT_PORT, VM_PROP_U64, NULL},
    {"chassis", offsetof(struct vm_controller, chassis), VM_CONTROLLER_BIT_CHASSIS, VM_PROP_U64,
     NULL},
    {"bus_nr", offsetof(struct vm_controller, bus_nr), VM_CONTROLLER_BIT_BUS_NR, VM_PROP_U64, NULL},
};
static const struct vm_prop pci_more_props[] = {
    {"numa_node", offsetof(struct vm_controller, node), VM_CONTROLLER_BIT_NODE, VM_PROP_U64, NULL},
    {"hotplug", offsetof(struct vm_controller, hotplug), VM_CONTROLLER_BIT_HOTPLUG,
     VM_PROP_ENUM_ONOFF, vm_on_off_words},
};
static const struct vm_prop usb_xhci_props[] = {
    {"p2", offsetof(struct vm_controller, ports), VM_CONTROLLER_BIT_PORTS, VM_PROP_U64, NULL},
    {"p3", offsetof(struct vm_controller, ports), VM_CONTROLLER_BIT_PORTS, VM_PROP_U64, NULL},
};
static const struct vm_prop scsi_props[] = {
    {"num_queues", offsetof(struct vm_controller, queues), VM_CONTROLLER_BIT_QUEUES, VM_PROP_U64,
     NULL},
    {"cmd_per_lun", offsetof(struct vm_controller, cmd_per_lun), VM_CONTROLLER_BIT_CMD_PER_LUN,
     VM_PROP_U64, NULL},
    {"max_sectors", offsetof(struct vm_controller, max_sectors), VM_CONTROLLER_BIT_MAX_SECTORS,
     VM_PROP_U64, NULL},
    {"ioeventfd", offsetof(struct vm_controller, ioeventfd), VM_CONTROLLER_BIT_IOEVENTFD,
     VM_PROP_ENUM_ONOFF, vm_on_off_words},
};
static const struct vm_prop vioserial_props[] = {
    {"max_ports", offsetof(struct vm_controller, ports), VM_CONTROLLER_BIT_PORTS, VM_PROP_U64,
     NULL},
    {"vectors", offsetof(struct vm_controller, vectors), VM_CONTROLLER_BIT_VECTORS, VM_PROP_U64,
     NULL},
};

/* QEMU's device of a model; NULL: none of its own. */
static const char *const drivers[VM_CONTROLLER_MODELS] = {
    [VM_USB_PIIX3_UHCI] = "piix3-usb-uhci",
    [VM_USB_PIIX4_UHCI] = "piix4-usb-uhci",
    [VM_USB_EHCI] = "usb-ehci",
    [VM_USB_ICH9_EHCI1] = "ich9-usb-ehci1",
    [VM_USB_ICH9_UHCI1] = "ich9-usb-uhci1",
    [VM_USB_ICH9_UHCI2] = "ich9-usb-uhci2",
    [VM_USB_ICH9_UHCI3] = "ich9-usb-uhci3",
    [VM_USB_VT82C686B_UHCI] = "vt82c686b-usb-uhci",
    [VM_USB_PCI_OHCI] = "pci-ohci",
    [VM_USB_NEC_XHCI] = "nec-usb-xhci",
    [VM_USB_QEMU_XHCI] = "qemu-xhci",
    [VM_SCSI_LSILOGIC] = "lsi",
    [VM_SCSI_LSISAS1068] = "mptsas1068",
    [VM_SCSI_LSISAS1078] = "megasas",
    [VM_SCSI_VMPVSCSI] = "pvscsi",
    [VM_SCSI_DC390] = "dc390",
    [VM_SCSI_AM53C974] = "am53c974",
};

static int virtio_model(int model)
{
	return model == VM_CONTROLLER_VIRTIO_TRANSITIONAL	? VM_VIRTIO_MODEL_TRANSITIONAL
	       : model == VM_CONTROLLER_VIRTIO_NON_TRANSITIONAL ? VM_VIRTIO_MODEL_NON_TRANSITIONAL
								: VM_VIRTIO_MODEL_VIRTIO;
}

static void emit(struct vm_plan *p, struct vm_qobj *o, const struct vm_controller *c)
{
	vm_plan_address(p, o, &c->dev);
	vm_qobj_emit(o, p->a, "-device");
}

static void pci(struct vm_plan *p, const struct vm_controller *c, const char *alias)
{
	struct vm_qobj o = VM_QOBJ_INIT;

	if (c->pci_name == VM_PCI_NAME_ABSENT)
		return;
	vm_qobj_str(&o, "driver", vm_pci_model_name_words[c->pci_name]);
	vm_qobj_props(&o, pci_props, VM_COUNT(pci_props), c);
	vm_qobj_str(&o, "id", alias);
	vm_qobj_props(&o, pci_more_props, VM_COUNT(pci_more_props), c);
	emit(p, &o, c);
}

static void usb(struct vm_plan *p, const struct vm_controller *c, const char *alias)
{
	struct vm_qobj o = VM_QOBJ_INIT;

	if (drivers[c->model] == NULL)
		return;
	vm_qobj_str(&o, "driver", drivers[c->model]);
	if (c->model == VM_USB_NEC_XHCI || c->model == VM_USB_QEMU_XHCI)
		vm_qobj_props(&o, usb_xhci_props, VM_COUNT(usb_xhci_props), c);
	if (mt_is_set(&c->dev.obj, VM_CONTROLLER_BIT_MASTER_STARTPORT)) {
		VM_AUTO_FREE char *bus = vm_qemu_bus(p->d, VM_CONTROLLER_USB, c->index);

		vm_qobj_str(&o, "masterbus", bus);
		vm_qobj_u64(&o, "firstport", c->master_startport);
	} else {
		vm_qobj_str(&o, "id", alias);
	}
	emit(p, &o, c);
}

static void scsi(struct vm_plan *p, const struct vm_controller *c, const char *alias)
{
	struct vm_qobj o = VM_QOBJ_INIT;

	if (drivers[c->model] != NULL) {
		vm_qobj_str(&o, "driver", drivers[c->model]);
	} else {
		vm_plan_virtio_driver(&o, "virtio-scsi", virtio_model(c->model));
		if (c->iothread != 0)
			vm_qobj_strf(&o, "iothread", "iothread%llu",
				     (unsigned long long)c->iothread);
		vm_plan_virtio(&o, &c->virtio);
	}
	vm_qobj_str(&o, "id", alias);
	vm_qobj_props(&o, scsi_props, VM_COUNT(scsi_props), c);
	emit(p, &o, c);
}

static void vioserial(struct vm_plan *p, const struct vm_controller *c, const char *alias)
{
	struct vm_qobj o = VM_QOBJ_INIT;

	vm_plan_virtio_driver(&o, "virtio-serial", virtio_model(c->model));
	vm_plan_virtio(&o, &c->virtio);
	vm_qobj_str(&o, "id", alias);
	vm_qobj_props(&o, vioserial_props, VM_COUNT(vioserial_props), c);
	emit(p, &o, c);
}

/* The first SATA controller of a q35, and the IDE controller of an i440fx, are the machine's. */
static void sata(struct vm_plan *p, const struct vm_controller *c, const char *alias)
{
	struct vm_qobj o = VM_QOBJ_INIT;

	if (c->index == 0 && vm_qemu_is_q35(p->d))
		return;
	vm_qobj_str(&o, "driver", "ahci");
	vm_qobj_str(&o, "id", alias);
	emit(p, &o, c);
}

void vm_plan_controllers(struct vm_plan *p)
{
	static const struct {
		int kind;
		void (*plan)(struct vm_plan *p, const struct vm_controller *c, const char *alias);
	} kinds[] = {
	    {VM_CONTROLLER_PCI, pci},
	    {VM_CONTROLLER_USB, usb},
	    {VM_CONTROLLER_SCSI, scsi},
	    {VM_CONTROLLER_SATA, sata},
	    {VM_CONTROLLER_VIRTIO_SERIAL, vioserial},
	};
	struct vm_controllers all;

	vm_controllers_of(p->d, false, &all);
	for (size_t k = 0; k < VM_COUNT(kinds); k++)
		for (size_t i = 0; i < all.n; i++) {
			VM_AUTO_FREE char *alias = NULL;

			if (all.v[i]->kind != kinds[k].kind)
				continue;
			alias = vm_qemu_alias(p->d, VM_FAMILY_CONTROLLER, &all.v[i]->dev);
			kinds[k].plan(p, all.v[i], alias);
		}
	vm_controllers_free(&all);
}
