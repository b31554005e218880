/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Which PCI slots of a guest are taken, and where the next device goes.  The rules are libvirt's,
 * so that a document without addresses gets the topology libvirt would have given it.
 *
 * Addresses are assigned in two rounds over the same guest: a dry one, in which the set may grow by
 * new buses, and a real one over the buses that came out of it.
 *
 * Source: libvirt 9.0, formatdomain "Controllers" and docs/pci-addresses; observed with its
 * domxml-to-native.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vm/err.h>

#include "model/controller.h"

/* What a device needs, and what a bus offers. */
enum vm_slot_flags {
	VM_SLOT_PCI = 1 << 0,  /* endpoint in a conventional slot */
	VM_SLOT_PCIE = 1 << 1, /* endpoint in a PCI Express slot */
	VM_SLOT_ROOT_PORT = 1 << 2,
	VM_SLOT_UPSTREAM = 1 << 3,
	VM_SLOT_DOWNSTREAM = 1 << 4,
	VM_SLOT_DMI_BRIDGE = 1 << 5,
	VM_SLOT_PCIE_TO_PCI = 1 << 6,
	VM_SLOT_BRIDGE = 1 << 7,
	VM_SLOT_EXPANDER = 1 << 8,
	VM_SLOT_PCIE_EXPANDER = 1 << 9,
	VM_SLOT_INTEGRATED = 1 << 10, /* part of the root complex: endpoint on the root bus alone */
	VM_SLOT_TYPES = (1 << 11) - 1,
	VM_SLOT_AUTO = 1 << 11,	     /* device: place it by itself only on a bus that allows that */
	VM_SLOT_AGGREGATE = 1 << 12, /* may share a slot with its like, as further functions */
};

/* Models are those of enum vm_controller_model from VM_PCI_ROOT to VM_PCIE_EXPANDER. */
/* What the controller itself needs from the bus it sits on; 0 for the roots. */
unsigned vm_pci_model_flags(int model);
/* The QEMU device libvirt takes for it (<model name=>); VM_PCI_NAME_ABSENT for the roots. */
int vm_pci_model_name(int model);

struct vm_pci_addr {
	unsigned domain, bus, slot, function;
};
/* "0000:00:1f.2" */
#define VM_PCI_TEXT 24
const char *vm_pci_text(struct vm_pci_addr a, char buf[VM_PCI_TEXT]);

#define VM_PCI_BUSES_MAX 256u
struct vm_pci_bus {
	int model;
	unsigned flags;
	uint8_t min_slot, max_slot;
	uint8_t functions[32]; /* taken, a bit a function */
	uint32_t aggregate;    /* slots shared by functions of their own */
};
struct vm_pci_set {
	struct vm_pci_bus *buses; /* owned */
	size_t n;
	bool dry; /* may grow */
};
#define VM_PCI_SET_INIT ((struct vm_pci_set){0})

/* n buses without a model yet. */
void vm_pci_set_open(struct vm_pci_set *set, size_t n, bool dry);
void vm_pci_set_close(struct vm_pci_set *set);
void vm_pci_bus_model(struct vm_pci_bus *bus, int model);
bool vm_pci_slot_used(const struct vm_pci_set *set, struct vm_pci_addr a);
/* Every slot of every bus has something in it. */
bool vm_pci_set_full(const struct vm_pci_set *set);
/*
 * Takes an address that the document (or the chipset) fixes.  VM_BAD_INPUT: no such bus, slot or
 * function, a bus that cannot take this kind of device, or taken already.
 */
int vm_pci_reserve(struct vm_pci_set *set, struct vm_pci_addr a, unsigned flags,
		   struct vm_err *err);
/* As vm_pci_reserve() without taking it. */
int vm_pci_check(struct vm_pci_set *set, struct vm_pci_addr a, unsigned flags, struct vm_err *err);
/*
 * Takes the next free place for such a device: function -1 is "any", else that function of an empty
 * slot. VM_BAD_INPUT when nothing is free (and, in the dry round, no bus can be added by itself).
 */
int vm_pci_next(struct vm_pci_set *set, unsigned flags, int function, struct vm_pci_addr *ret,
		struct vm_err *err);
