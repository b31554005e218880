/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What the parts of this driver share. */
#include <stdbool.h>
#include <stddef.h>

#include <vm/err.h>

#include "driver.h"
#include "model/domain.h"

struct vm_strbuf;
struct vm_guest_paths;

extern const struct vm_planner vm_qemu_planner;
extern const struct vm_runner vm_qemu_runner;
extern const struct vm_completer vm_qemu_completer;

/* vm_completer.complete: machine, controllers, addresses, defaults, as libvirt 9.0 would keep them. */
int vm_qemu_complete(struct vm_domain *d, const struct vm_xml *doc, struct vm_err *err);
/* vm_completer.validate: refuses what QEMU 7.2 or this driver cannot do, by line and column. */
int vm_qemu_validate(const struct vm_domain *d, const struct vm_xml *doc, struct vm_err *err);
/* vm_planner.export_native: "qemu-argv". */
int vm_qemu_export(const struct vm_domain *d, const char *format,
		   const struct vm_guest_paths *paths, struct vm_strbuf *out, struct vm_err *err);

/* The file with this guest's UEFI variables: the document's, or one in its own directory; NULL: its
 * firmware keeps none.  Owned. */
char *vm_qemu_nvram(const struct vm_domain *d, const char *lib_path);
/* What a missing one is made from: the document's template, or what is shipped beside the firmware
 * (OVMF_CODE_4M.fd: OVMF_VARS_4M.fd); NULL: neither is known.  Owned. */
char *vm_qemu_nvram_template(const struct vm_domain *d);

/*
 * <os firmware='efi'> (or 'bios') without a loader: sets loader, template and SMM as the first fitting descriptor of
 * this host says.  VM_NOT_FOUND: none fits.
 */
int vm_qemu_choose_firmware(struct vm_domain *d, struct vm_err *err);

/*
 * placement='auto' of <vcpu> or <numatune>: sets CPUs and memory nodes to those of the host's nodes that the guest is to be
 * on now.  A host that tells of none leaves it as it is.
 */
int vm_qemu_place(struct vm_domain *d, struct vm_deadline deadline, struct vm_err *err);

bool vm_qemu_is_q35(const struct vm_domain *d);
bool vm_qemu_is_i440fx(const struct vm_domain *d);
/* "pc" -> "pc-i440fx-7.2"; others as they are. NULL -> the default machine. */
const char *vm_qemu_machine(const char *name);
/* Is it a machine of qemu-system-x86_64 that this driver knows how to lay out? */
bool vm_qemu_machine_known(const char *name);

/*
 * The controllers of a guest in the order in which they are laid out: by index within their kind, a
 * USB master before its companions; kinds as they first appear.
 */
struct vm_controllers {
	struct vm_controller **v; /* array owned, controllers borrowed */
	size_t n;
};
#define VM_CONTROLLERS_INIT ((struct vm_controllers){0})
/* laying_out: those we added ourselves come last, in the order of adding. */
void vm_controllers_of(const struct vm_domain *d, bool laying_out, struct vm_controllers *ret);
void vm_controllers_free(struct vm_controllers *c);
/*
 * The disks of a guest in the order in which they are laid out: by target within their bus; buses as they
 * first appear.  Owned, NULL-terminated.
 */
struct vm_disk **vm_disks_of(const struct vm_domain *d);
/* Gives each image of a disk the number that its block nodes are named by, as it is written into live documents; those that have
 * one keep it.  vm_qemu_next_number(): one that is free for another disk. */
void vm_qemu_number_disks(struct vm_domain *d);
uint64_t vm_qemu_next_number(const struct vm_domain *d);
/* The video devices, the primary one first. Owned, NULL-terminated. */
struct vm_video **vm_videos_of(const struct vm_domain *d);
struct vm_controller *vm_controller_find(const struct vm_domain *d, int kind, uint64_t index);
/* Adds one made by us; model VM_MODEL_ABSENT = none said. */
struct vm_controller *vm_controller_add(struct vm_domain *d, int kind, uint64_t index, int model);

/* Drive addresses from the targets' names; called before the controllers for them are added. */
int vm_qemu_assign_drives(struct vm_domain *d, const struct vm_xml *doc, struct vm_err *err);
/* Ports of virtio-serial, adding controllers when they are full. */
int vm_qemu_assign_vioserial(struct vm_domain *d, const struct vm_xml *doc, struct vm_err *err);
int vm_qemu_assign_pci(struct vm_domain *d, const struct vm_xml *doc, struct vm_err *err);
int vm_qemu_assign_usb(struct vm_domain *d, const struct vm_xml *doc, struct vm_err *err);

/* Is it one of the models that only fit a conventional slot? NULL-safe helpers on families' models.
 */
bool vm_device_on_usb(enum vm_device_family family, const struct vm_device *dev);
