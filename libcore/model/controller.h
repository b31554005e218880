/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
#include "device.h"

enum vm_controller_kind {
	VM_CONTROLLER_NONE,
	VM_CONTROLLER_IDE,
	VM_CONTROLLER_FDC,
	VM_CONTROLLER_SCSI,
	VM_CONTROLLER_SATA,
	VM_CONTROLLER_VIRTIO_SERIAL,
	VM_CONTROLLER_CCID,
	VM_CONTROLLER_USB,
	VM_CONTROLLER_PCI,
	VM_CONTROLLER_XENBUS,
	VM_CONTROLLER_ISA,
	VM_CONTROLLER_KINDS
};
/* One list for all kinds; a check refuses those of another kind. */
enum vm_controller_model {
	VM_MODEL_ABSENT,
	/* usb */
	VM_USB_PIIX3_UHCI,
	VM_USB_PIIX4_UHCI,
	VM_USB_EHCI,
	VM_USB_ICH9_EHCI1,
	VM_USB_ICH9_UHCI1,
	VM_USB_ICH9_UHCI2,
	VM_USB_ICH9_UHCI3,
	VM_USB_VT82C686B_UHCI,
	VM_USB_PCI_OHCI,
	VM_USB_NEC_XHCI,
	VM_USB_QEMU_XHCI,
	VM_USB_QUSB1,
	VM_USB_QUSB2,
	VM_USB_NONE,
	/* pci */
	VM_PCI_ROOT,
	VM_PCIE_ROOT,
	VM_PCI_BRIDGE,
	VM_PCI_DMI_BRIDGE,
	VM_PCIE_PCI_BRIDGE,
	VM_PCIE_ROOT_PORT,
	VM_PCIE_UPSTREAM_PORT,
	VM_PCIE_DOWNSTREAM_PORT,
	VM_PCI_EXPANDER,
	VM_PCIE_EXPANDER,
	/* scsi */
	VM_SCSI_AUTO,
	VM_SCSI_BUSLOGIC,
	VM_SCSI_LSILOGIC,
	VM_SCSI_LSISAS1068,
	VM_SCSI_LSISAS1078,
	VM_SCSI_VMPVSCSI,
	VM_SCSI_IBMVSCSI,
	VM_SCSI_VIRTIO, /* "virtio-scsi" */
	VM_SCSI_NCR53C90,
	VM_SCSI_DC390,
	VM_SCSI_AM53C974,
	/* ide */
	VM_IDE_PIIX3,
	VM_IDE_PIIX4,
	VM_IDE_ICH6,
	/* scsi and virtio-serial; "virtio" is virtio-serial's alone */
	VM_CONTROLLER_VIRTIO,
	VM_CONTROLLER_VIRTIO_TRANSITIONAL,
	VM_CONTROLLER_VIRTIO_NON_TRANSITIONAL,
	VM_CONTROLLER_MODELS
};
/* <model name=> of a PCI controller: what QEMU calls the device. */
enum vm_pci_model_name {
	VM_PCI_NAME_ABSENT,
	VM_PCI_NAME_PCI_BRIDGE,
	VM_PCI_NAME_I82801B11,
	VM_PCI_NAME_IOH3420,
	VM_PCI_NAME_X3130_UPSTREAM,
	VM_PCI_NAME_XIO3130_DOWNSTREAM,
	VM_PCI_NAME_PXB,
	VM_PCI_NAME_PXB_PCIE,
	VM_PCI_NAME_PCIE_ROOT_PORT,
	VM_PCI_NAME_SPAPR,
	VM_PCI_NAME_PCIE_PCI_BRIDGE
};
extern const char *const vm_controller_kind_words[], *const vm_controller_model_words[],
							 *const vm_pci_model_name_words[];

struct vm_controller {
	struct vm_device dev;
	int kind;		 /* @type */
	uint64_t index;		 /* assigned if absent: bit VM_CONTROLLER_BIT_INDEX tells */
	int model;		 /* enum vm_controller_model */
	uint64_t ports, vectors; /* usb, virtio-serial: bits tell */
	/* driver: scsi */
	uint64_t queues, cmd_per_lun, max_sectors, iothread; /* 0 = absent */
	int ioeventfd;
	struct vm_virtio_options virtio;
	uint64_t master_startport; /* usb companion; bit tells */
	/* pci */
	int pci_name;						     /* enum vm_pci_model_name */
	uint64_t chassis_nr, chassis, port, bus_nr, pci_index, node; /* target; bits tell */
	int hotplug;
	uint64_t pcihole64; /* bytes; bit tells */
};
enum vm_controller_bit {
	VM_CONTROLLER_BIT_KIND,
	VM_CONTROLLER_BIT_INDEX,
	VM_CONTROLLER_BIT_MODEL,
	VM_CONTROLLER_BIT_PORTS,
	VM_CONTROLLER_BIT_VECTORS,
	VM_CONTROLLER_BIT_QUEUES,
	VM_CONTROLLER_BIT_CMD_PER_LUN,
	VM_CONTROLLER_BIT_MAX_SECTORS,
	VM_CONTROLLER_BIT_IOTHREAD,
	VM_CONTROLLER_BIT_IOEVENTFD,
	VM_CONTROLLER_BIT_MASTER_STARTPORT,
	VM_CONTROLLER_BIT_PCI_NAME,
	VM_CONTROLLER_BIT_CHASSIS_NR,
	VM_CONTROLLER_BIT_CHASSIS,
	VM_CONTROLLER_BIT_PORT,
	VM_CONTROLLER_BIT_BUS_NR,
	VM_CONTROLLER_BIT_PCI_INDEX,
	VM_CONTROLLER_BIT_NODE,
	VM_CONTROLLER_BIT_HOTPLUG,
	VM_CONTROLLER_BIT_PCIHOLE64,
};
extern const struct mt_type vm_controller_type;
