/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * PCI devices of the host: what they are, their drivers, IOMMU groups, ways of being reset, virtual functions.
 * Needs libc alone.
 * Source: Linux Documentation/ABI/testing/sysfs-bus-pci, sysfs-kernel-iommu_groups, driver-api/vfio.rst.
 */
#include <stdbool.h>
#include <stdint.h>

#include "pci_config.h"
#include "sys.h"

struct vm_pci_address {
	uint32_t domain; /* 16 bits, more behind Intel's VMD */
	uint8_t bus, slot, function;
};
#define VM_PCI_NAME 24 /* bytes of "0000:01:00.0" with its NUL, for any domain */
/* "0000:01:00.0", "01:00.0" (domain 0) or virsh's "pci_0000_01_00_0"; slot up to 1f, function up to 7. */
bool vm_pci_parse(const char *text, struct vm_pci_address *ret);
void vm_pci_name(const struct vm_pci_address *a, char buf[VM_PCI_NAME]);
int vm_pci_compare(const struct vm_pci_address *a, const struct vm_pci_address *b);

/* Ways of resetting, in the order in which the kernel tries them (reset_method). */
enum vm_pci_reset {
	VM_RESET_DEVICE_SPECIFIC,
	VM_RESET_ACPI,
	VM_RESET_FLR,
	VM_RESET_AF_FLR,
	VM_RESET_PM,
	VM_RESET_BUS,
	VM_RESET_CXL_BUS,
	VM_RESETS
};
/* The kernel's words: "flr", "bus" ... */
extern const char *const vm_pci_reset_words[];

#define VM_NO_GROUP (-1)
/* File below a virtual function's directory.  Source: NVIDIA Virtual GPU Software User Guide, "Creating an NVIDIA vGPU on a
 * Linux with KVM Hypervisor" (VFs of vendor-specific VFIO). */
#define VM_PCI_VGPU "nvidia/current_vgpu_type"
struct vm_pci {
	struct vm_pci_address address;
	char name[VM_PCI_NAME];
	uint16_t vendor, device, subvendor, subdevice;
	uint32_t class; /* 24 bits */
	uint8_t revision;
	bool has_config; /* config is filled */
	struct vm_pci_config config;
	bool dead; /* it does not answer: see vm_pci_sane() */
	char driver[64]; /* "" = none */
	bool vfio;	 /* bound to vfio-pci or one of its variants, or a vendor's virtual GPU: ready for QEMU as it is */
	int group;	 /* IOMMU group, VM_NO_GROUP */
	bool noiommu;	 /* the group is one of VFIO's no-IOMMU mode: no protection at all */
	int numa;	 /* node, -1 = none or unknown */
	bool boot_vga;	 /* the firmware's console */
	unsigned resets; /* bits 1u << enum vm_pci_reset */
	bool can_reset;	 /* the kernel offers its reset file */
	char pf[VM_PCI_NAME]; /* virtual function: of this physical one; "" = none */
	int vf_index;	      /* position among its VFs, -1 = unknown */
	long vgpu; /* type of its vendor's virtual GPU; 0 = none chosen yet, -1 = it is none of that kind (host/make.h) */
	unsigned vfs, vfs_max; /* physical function: VFs there are, there can be */
	int d3cold; /* may its power be cut? -1 = not told */
	char vfio_cdev[32];   /* "vfio0": its own node below /dev/vfio/devices; "" = none */
	struct vm_unread unread; /* what of it: then nothing can be decided by the rest */
};
/* Is this a device that can be given to a guest as far as its header goes? */
static inline bool vm_pci_is_endpoint(const struct vm_pci *p)
{
	return !p->has_config || p->config.header == VM_PCI_HEADER_ENDPOINT;
}

/* Opens the directory of a device; VM_NOT_FOUND: there is none of that address. */
int vm_pci_open(const struct vm_sys *s, const char *name, int *ret_dir, struct vm_err *err);
/* Reads one device, all of it or none; VM_NOT_FOUND. Nothing here takes the kernel's lock of the device, which a driver that hangs may hold. */
int vm_pci_read(const struct vm_sys *s, const char *name, struct vm_pci *ret, struct vm_err *err);
/*
 * Does the device answer, and as one that a guest can be given?  -1: no, or its configuration space cannot be read, with the hint what
 * to do; one that is gone is not judged.  Source: PCI Express Base 4.0, 2.3.2 (reads without completion are ones),
 * 9.3.4.1.1 (a virtual function's vendor ID always is).
 */
int vm_pci_sane(const struct vm_sys *s, const char *name, struct vm_err *err);
/* 1 = it answers, 2 = it does not, 0 = it is gone; -1: its configuration space cannot be read. */
int vm_pci_answers(const struct vm_sys *s, const char *name, struct vm_err *err);
/* All, by address; a device that vanishes meanwhile is left out, of one that cannot be read in part the rest is there. */
struct vm_pcis {
	struct vm_pci *v; /* owned */
	size_t n;
};
void vm_pcis_read(const struct vm_sys *s, struct vm_pcis *ret, struct vm_unread *u);
void vm_pcis_free(struct vm_pcis *p);
/* NULL: not there. */
const struct vm_pci *vm_pcis_find(const struct vm_pcis *p, const char *name);

#define VM_VFIO_PCI "vfio-pci"
/* Is this the name of a driver of VFIO for PCI: vfio-pci or one of its variants? */
bool vm_vfio_driver(const char *driver);
/* The one of them that a module of this name has ('-' and '_' are alike in names of modules); NULL: not known. */
const char *vm_vfio_driver_of(const char *module);
/* The host's bus a device hangs on is a root bus: resetting it is nobody's.  False also where that cannot be seen. */
bool vm_pci_on_root_bus(const struct vm_sys *s, const char *name);

/* "NVIDIA Corporation GA104 [GeForce RTX 3070]" from the machine's pci.ids, else by class:
 * "VGA compatible controller".  Never NULL; owned.  The list is read once for all. */
struct vm_pci_ids;
/* Never fails: without a list names are those of classes. */
struct vm_pci_ids *vm_pci_ids_load(const struct vm_sys *s);
void vm_pci_ids_free(struct vm_pci_ids **ids);
char *vm_pci_describe(const struct vm_pci_ids *ids, uint16_t vendor, uint16_t device, uint32_t class);
