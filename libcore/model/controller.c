// SPDX-License-Identifier: LGPL-2.1-or-later
#include "controller.h"

#include "rows.h"

const char *const vm_controller_kind_words[] = {
    "",	     "ide", "fdc", "scsi",    "sata", "virtio-serial",
    "!ccid", "usb", "pci", "!xenbus", "!isa", NULL,
};
const char *const vm_controller_model_words[] = {
    "",
    "piix3-uhci",
    "piix4-uhci",
    "ehci",
    "ich9-ehci1",
    "ich9-uhci1",
    "ich9-uhci2",
    "ich9-uhci3",
    "vt82c686b-uhci",
    "pci-ohci",
    "nec-xhci",
    "qemu-xhci",
    "!qusb1",
    "!qusb2",
    "none",
    "pci-root",
    "pcie-root",
    "pci-bridge",
    "dmi-to-pci-bridge",
    "pcie-to-pci-bridge",
    "pcie-root-port",
    "pcie-switch-upstream-port",
    "pcie-switch-downstream-port",
    "pci-expander-bus",
    "pcie-expander-bus",
    "auto",
    "buslogic",
    "lsilogic",
    "lsisas1068",
    "lsisas1078",
    "vmpvscsi",
    "ibmvscsi",
    "virtio-scsi",
    "ncr53c90",
    "dc390",
    "am53c974",
    "piix3",
    "piix4",
    "ich6",
    "virtio",
    "virtio-transitional",
    "virtio-non-transitional",
    NULL,
};
const char *const vm_pci_model_name_words[] = {
    "",
    "pci-bridge",
    "i82801b11-bridge",
    "ioh3420",
    "x3130-upstream",
    "xio3130-downstream",
    "pxb",
    "pxb-pcie",
    "pcie-root-port",
    "!spapr-pci-host-bridge",
    "pcie-pci-bridge",
    NULL,
};

#define C(xml, member, bit, kind, ...)                                                             \
	MT_ROW(struct vm_controller, xml, member, VM_CONTROLLER_BIT_##bit, kind, __VA_ARGS__)
#define C_FACT(xml, member, bit, range)                                                            \
	C(xml, member, bit, MT_U64, .flags = MT_ASSIGNED, .arg = &(range))
static const struct mt_range byte_range = {.max = 255};
static const struct mt_range port_range = {.max = 255, .digits = 1};
static const struct mt_range bus_nr_range = {.min = 1, .max = 254};
static const struct mt_range hole_range = {.max = UINT64_MAX, .unit = "KiB"};
static const struct mt_row controller_rows[] = {
    C("@type", kind, KIND, MT_ENUM, .flags = MT_REQUIRED | MT_KEY, .arg = vm_controller_kind_words),
    C("@index", index, INDEX, MT_U64, .flags = MT_KEY | MT_ASSIGNED, .arg = &vm_int_range),
    C("@model", model, MODEL, MT_ENUM, .flags = MT_ASSIGNED, .arg = vm_controller_model_words),
    C("@ports", ports, PORTS, MT_U64, .arg = &vm_int_range),
    C("@vectors", vectors, VECTORS, MT_U64, .arg = &vm_int_range),
    C("driver/@queues", queues, QUEUES, MT_U64, .arg = &vm_positive_range),
    C("driver/@cmd_per_lun", cmd_per_lun, CMD_PER_LUN, MT_U64, .arg = &vm_positive_range),
    C("driver/@max_sectors", max_sectors, MAX_SECTORS, MT_U64, .arg = &vm_positive_range),
    C("driver/@ioeventfd", ioeventfd, IOEVENTFD, MT_ENUM, .arg = vm_on_off_words),
    C("driver/@iothread", iothread, IOTHREAD, MT_U64, .arg = &vm_positive_range),
    VM_VIRTIO_ROWS(struct vm_controller),
    C_FACT("master/@startport", master_startport, MASTER_STARTPORT, byte_range),
    C("model/@name", pci_name, PCI_NAME, MT_ENUM, .flags = MT_ASSIGNED,
      .arg = vm_pci_model_name_words),
    C_FACT("target/@chassisNr", chassis_nr, CHASSIS_NR, byte_range),
    C_FACT("target/@chassis", chassis, CHASSIS, byte_range),
    C("target/@port", port, PORT, MT_U64, .flags = MT_ASSIGNED | MT_HEX, .arg = &port_range),
    C_FACT("target/@busNr", bus_nr, BUS_NR, bus_nr_range),
    C("target/@index", pci_index, PCI_INDEX, MT_U64, .flags = MT_ASSIGNED, .arg = &vm_int_range),
    C("target/@hotplug", hotplug, HOTPLUG, MT_ENUM, .arg = vm_on_off_words),
    C("target/node/#text", node, NODE, MT_U64, .arg = &vm_int_range),
    C("pcihole64/#text", pcihole64, PCIHOLE64, MT_SIZE, .arg = &hole_range),
    VM_DEVICE_ROWS(struct vm_controller),
};

/* Which kind a model belongs to. */
static bool model_fits(int kind, int model)
{
	switch (kind) {
	case VM_CONTROLLER_USB:
		return model >= VM_USB_PIIX3_UHCI && model <= VM_USB_NONE;
	case VM_CONTROLLER_PCI:
		return model >= VM_PCI_ROOT && model <= VM_PCIE_EXPANDER;
	case VM_CONTROLLER_SCSI:
		return (model >= VM_SCSI_AUTO && model <= VM_SCSI_AM53C974) ||
		       model == VM_CONTROLLER_VIRTIO_TRANSITIONAL ||
		       model == VM_CONTROLLER_VIRTIO_NON_TRANSITIONAL;
	case VM_CONTROLLER_IDE:
		return model >= VM_IDE_PIIX3 && model <= VM_IDE_ICH6;
	case VM_CONTROLLER_VIRTIO_SERIAL:
		return model >= VM_CONTROLLER_VIRTIO;
	default:
		return false;
	}
}

static bool is_root(const struct vm_controller *c)
{
	return c->kind == VM_CONTROLLER_PCI &&
	       (c->model == VM_PCI_ROOT || c->model == VM_PCIE_ROOT);
}

static int check_pci(const struct vm_controller *c, const struct mt_ctx *ctx, struct vm_err *err)
{
	if (!c->model)
		return mt_error(ctx, c, "@type", VM_BAD_INPUT, err,
				"a PCI controller needs a model, such as pcie-root-port");
	if (is_root(c) && c->index)
		return mt_error(ctx, c, "@index", VM_BAD_INPUT, err,
				"controller %s must have index 0",
				vm_controller_model_words[c->model]);
	if (is_root(c) && c->dev.address)
		return mt_error(ctx, c, "address", VM_BAD_INPUT, err,
				"controller %s has no address of its own",
				vm_controller_model_words[c->model]);
	if (!is_root(c) && mt_is_set(&c->dev.obj, VM_CONTROLLER_BIT_INDEX) && !c->index)
		return mt_error(ctx, c, "@index", VM_BAD_INPUT, err,
				"index 0 is the root bus's: number this controller from 1");
	if (mt_is_set(&c->dev.obj, VM_CONTROLLER_BIT_PCIHOLE64) && !is_root(c))
		return mt_error(ctx, c, "pcihole64", VM_BAD_INPUT, err,
				"<pcihole64> is only for pci-root and pcie-root");
	if (mt_is_set(&c->dev.obj, VM_CONTROLLER_BIT_BUS_NR) && c->model != VM_PCI_EXPANDER &&
	    c->model != VM_PCIE_EXPANDER)
		return mt_error(ctx, c, "target/@busNr", VM_BAD_INPUT, err,
				"busNr is only for expander buses");
	if (mt_is_set(&c->dev.obj, VM_CONTROLLER_BIT_NODE) && c->model != VM_PCI_EXPANDER &&
	    c->model != VM_PCIE_EXPANDER)
		return mt_error(ctx, c, "target/node", VM_BAD_INPUT, err,
				"<node> is only for expander buses");
	return 0;
}

static int check_controller(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	static const uint64_t pci = VM_ONE(VM_CONTROLLER_PCI), scsi = VM_ONE(VM_CONTROLLER_SCSI),
			      usb = VM_ONE(VM_CONTROLLER_USB),
			      serial = VM_ONE(VM_CONTROLLER_VIRTIO_SERIAL);
	const struct vm_only table[] = {
	    {VM_CONTROLLER_BIT_PORTS, "@ports", usb | serial,
	     "type='usb' and type='virtio-serial'"},
	    {VM_CONTROLLER_BIT_VECTORS, "@vectors", serial, "type='virtio-serial'"},
	    {VM_CONTROLLER_BIT_QUEUES, "driver/@queues", scsi, "type='scsi'"},
	    {VM_CONTROLLER_BIT_CMD_PER_LUN, "driver/@cmd_per_lun", scsi, "type='scsi'"},
	    {VM_CONTROLLER_BIT_MAX_SECTORS, "driver/@max_sectors", scsi, "type='scsi'"},
	    {VM_CONTROLLER_BIT_IOEVENTFD, "driver/@ioeventfd", scsi, "type='scsi'"},
	    {VM_CONTROLLER_BIT_IOTHREAD, "driver/@iothread", scsi, "type='scsi'"},
	    {VM_CONTROLLER_BIT_MASTER_STARTPORT, "master/@startport", usb, "type='usb'"},
	    {VM_CONTROLLER_BIT_PCI_NAME, "model/@name", pci, "type='pci'"},
	    {VM_CONTROLLER_BIT_CHASSIS_NR, "target/@chassisNr", pci, "type='pci'"},
	    {VM_CONTROLLER_BIT_CHASSIS, "target/@chassis", pci, "type='pci'"},
	    {VM_CONTROLLER_BIT_PORT, "target/@port", pci, "type='pci'"},
	    {VM_CONTROLLER_BIT_BUS_NR, "target/@busNr", pci, "type='pci'"},
	    {VM_CONTROLLER_BIT_PCI_INDEX, "target/@index", pci, "type='pci'"},
	    {VM_CONTROLLER_BIT_HOTPLUG, "target/@hotplug", pci, "type='pci'"},
	    {VM_CONTROLLER_BIT_NODE, "target/node", pci, "type='pci'"},
	    {VM_CONTROLLER_BIT_PCIHOLE64, "pcihole64", pci, "type='pci'"},
	};
	const struct vm_controller *c = obj;

	if (c->model && !model_fits(c->kind, c->model))
		return mt_error(
		    ctx, c, "@model", VM_BAD_INPUT, err, "'%s' is no model of a %s controller",
		    vm_controller_model_words[c->model], vm_controller_kind_words[c->kind]);
	if (vm_check_only(ctx, &c->dev.obj, table, VM_COUNT(table), c->kind, err) < 0)
		return -1;
	if (c->kind != VM_CONTROLLER_SCSI && c->kind != VM_CONTROLLER_VIRTIO_SERIAL &&
	    vm_check_no_virtio(ctx, &c->dev.obj, err) < 0)
		return -1;
	/* Source: QEMU hw/usb/hcd-xhci.h, MAXPORTS_2 and MAXPORTS_3. */
	if ((c->model == VM_USB_NEC_XHCI || c->model == VM_USB_QEMU_XHCI) && c->ports > 15)
		return mt_error(ctx, c, "@ports", VM_BAD_INPUT, err, "a %s has at most 15 ports",
				vm_controller_model_words[c->model]);
	return c->kind == VM_CONTROLLER_PCI ? check_pci(c, ctx, err) : 0;
}
const struct mt_type vm_controller_type = {
    .elem = "controller",
    .size = sizeof(struct vm_controller),
    .rows = controller_rows,
    .n = VM_COUNT(controller_rows),
    .check = check_controller,
};
