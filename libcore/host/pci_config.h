/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* PCI configuration space, read strictly: what a device says of itself there may be anything.  Needs libc alone.
 * Source: PCI Local Bus 3.0 chapter 6, PCI Express Base 4.0 chapter 7; linux/pci_regs.h. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VM_PCI_CONFIG_MAX 4096u /* bytes: PCI Express; 256 without, 64 for those who are not root */

enum vm_pci_header { VM_PCI_HEADER_ENDPOINT = 0, VM_PCI_HEADER_BRIDGE = 1, VM_PCI_HEADER_CARDBUS = 2 };
/* Device/port types of the PCI Express capability. */
enum vm_pcie_type {
	VM_PCIE_TYPE_ENDPOINT = 0,
	VM_PCIE_TYPE_LEGACY_ENDPOINT = 1,
	VM_PCIE_TYPE_ROOT_PORT = 4,
	VM_PCIE_TYPE_UPSTREAM = 5,
	VM_PCIE_TYPE_DOWNSTREAM = 6,
	VM_PCIE_TYPE_TO_PCI = 7,
	VM_PCIE_TYPE_INTEGRATED = 9,
};

struct vm_pci_config {
	uint16_t vendor, device, subvendor, subdevice; /* sub*: endpoints */
	uint32_t class;				       /* 24 bits: 0x030000 */
	uint8_t revision;
	uint8_t header; /* enum vm_pci_header, or what is no header type at all */
	bool multifunction;
	uint8_t secondary, subordinate; /* bridges: buses behind it */
	bool caps_known; /* the rest of the space was readable: what follows means something */
	bool pcie, flr, af_flr, pm, pm_reset, msi, msix, acs, sriov;
	uint8_t pcie_type;    /* enum vm_pcie_type */
	uint16_t sriov_total; /* VFs it can have */
};
/* -1: fewer than 64 bytes, or a device that does not answer (all ones). */
int vm_pci_config_parse(const uint8_t *config, size_t len, struct vm_pci_config *ret);
