/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The command line while it is being planned: shared by the files that write a family of options
 * each. */
#include "build.h"
#include "qemu/qemu.h"

struct vm_plan {
	const struct vm_domain *d;
	struct mt_ctx ctx;
	const struct vm_qemu_env *env;
	struct vm_argv *a;
	char *nvram;		/* vm_qemu_nvram() */
	struct vm_disk **disks; /* vm_disks_of() */
	bool ordered;		/* some device has a boot order: <os><boot> does not count */
};

/* "net0", or what the admin chose ("ua-..."); owned. */
char *vm_qemu_alias(const struct vm_domain *d, enum vm_device_family family,
		    const struct vm_device *dev);
/* Name of the bus that a controller's devices sit on: "pci.3", "usb.0", "scsi0.0"; owned. */
char *vm_qemu_bus(const struct vm_domain *d, int kind, uint64_t index);

/* bus and addr of a PCI device, or bus and port of a USB one; nothing for others. */
void vm_plan_address(const struct vm_plan *p, struct vm_qobj *o, const struct vm_device *dev);
/* iommu_platform, ats, packed, page-per-vq */
void vm_plan_virtio(struct vm_qobj *o, const struct vm_virtio_options *v);
/* {"driver":"<driver>-pci[-transitional]"; model: enum vm_virtio_model. */
void vm_plan_virtio_driver(struct vm_qobj *o, const char *driver, int model);
/* enum vm_switch, also yes/no: on -> true, off -> false, absent: nothing. */
void vm_qobj_switch(struct vm_qobj *o, const char *key, int value);

/* One family of options each; those that cannot fail return nothing. */
void vm_plan_machine(struct vm_plan *p);
void vm_plan_cpu(struct vm_plan *p);
void vm_plan_memory(struct vm_plan *p);
void vm_plan_smp(struct vm_plan *p);
/* argv_tune.c */
void vm_plan_iothreads(struct vm_plan *p);
void vm_plan_numa(struct vm_plan *p);
/* The object that the guest's memory comes from, named `id`. */
void vm_plan_backend(struct vm_plan *p, const char *id, uint64_t bytes);
void vm_plan_clock(struct vm_plan *p);
void vm_plan_power(struct vm_plan *p);
void vm_plan_boot(struct vm_plan *p);
void vm_plan_firmware(struct vm_plan *p); /* the nodes; the machine names them */
void vm_plan_kernel(struct vm_plan *p);
void vm_plan_controllers(struct vm_plan *p);
void vm_plan_disks(struct vm_plan *p);
/* One of them, as for vm_plan_one_hostdev(). */
void vm_plan_one_disk(struct vm_plan *p, const struct vm_disk *disk);
/* Its block nodes alone. */
void vm_plan_disk_nodes(struct vm_plan *p, const struct vm_disk *disk);
void vm_plan_interfaces(struct vm_plan *p);
void vm_plan_serials(struct vm_plan *p);
void vm_plan_channels(struct vm_plan *p);
void vm_plan_inputs(struct vm_plan *p);
void vm_plan_graphics(struct vm_plan *p);
void vm_plan_videos(struct vm_plan *p);
void vm_plan_watchdogs(struct vm_plan *p);
void vm_plan_memballoon(struct vm_plan *p);
void vm_plan_rngs(struct vm_plan *p);
void vm_plan_panics(struct vm_plan *p);
/* argv_iommu.c; before every PCI device, which has no IOMMU else. */
void vm_plan_iommu(struct vm_plan *p);
/* argv_helped.c */
void vm_plan_filesystems(struct vm_plan *p);
void vm_plan_tpms(struct vm_plan *p);
/* argv_hostdev.c */
void vm_plan_hostdevs(struct vm_plan *p);
/* One of them: "-blockdev" for some, then "-device", whose texts blockdev-add and device_add take, too.  interface: whose it
 * is, or NULL. */
void vm_plan_one_hostdev(struct vm_plan *p, const struct vm_hostdev *h, const struct vm_interface *interface);
/* The block nodes of one alone; of most nothing. */
void vm_plan_hostdev_nodes(struct vm_plan *p, const struct vm_hostdev_one *one);
/* What cannot be said to QEMU as long as the host was not looked at. */
int vm_plan_hostdevs_check(const struct vm_plan *p, struct vm_err *err);
/* <rom>: romfile, rombar. */
void vm_plan_rom(struct vm_qobj *o, const struct vm_rom *rom);

/* VM_UNSUPPORTED if the binary that the capabilities are of lacks a machine, CPU, device or object. */
int vm_plan_check(const struct vm_plan *p, struct vm_err *err);
bool vm_plan_is_ordered(const struct vm_domain *d);
/* A device's place in the boot order: 1...; 0 = none.  <os><boot dev=> counts for the first of its
 * kind. */
uint64_t vm_plan_boot_index(const struct vm_plan *p, enum vm_device_family family,
			    const struct vm_device *dev);
