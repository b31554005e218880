/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The host's devices with who has them and what keeps them from a guest.  Needs libc alone. */
#include <stdbool.h>
#include <stddef.h>

#include <vm/record.h>

#include "host/iommu.h"
#include "host/mdev.h"
#include "host/pci.h"
#include "host/scsi.h"
#include "host/usb.h"
#include "host/uses.h"

struct vm_state;

enum vm_hostdev_bus {
	VM_HOSTDEV_PCI,
	VM_HOSTDEV_USB,
	VM_HOSTDEV_SCSI,
	VM_HOSTDEV_MDEV,
	VM_HOSTDEV_PARENT, /* of mediated devices, and no PCI device: never a guest's */
	VM_HOSTDEV_BUSES
};
/* "pci", "usb", "scsi", "mdev", "mdev-parent" */
extern const char *const vm_hostdev_bus_words[];

#define VM_HOSTDEV_ALL ((1u << VM_HOSTDEV_BUSES) - 1)

/* STATE of vm-hostdev-list(1). */
enum vm_hostdev_state {
	VM_HOSTDEV_IS_HOST, /* the host's, assignable */
	VM_HOSTDEV_IS_READY, /* on VFIO, free */
	VM_HOSTDEV_IS_ASSIGNED,
	VM_HOSTDEV_IS_UNPLUGGING,
	VM_HOSTDEV_IS_STUCK,
	VM_HOSTDEV_IS_BLOCKED,
	VM_HOSTDEV_STATES
};
extern const char *const vm_hostdev_state_words[];

/* One reason why a device cannot be given to a guest. */
#define VM_HOSTDEV_BLOCK_STUCK "stuck" /* ... as far as is known: its driver may have let go meanwhile */
#define VM_HOSTDEV_BLOCK_OUT   "out-of-use"
#define VM_HOSTDEV_BLOCK_GUEST "guest-has:" /* ... and the guest that has what hangs on it */
struct vm_hostdev_block {
	char *word; /* "no-iommu", "bridge", "sibling:0000:01:00.1", "guest:web1", "held:web1", "mounted:/srv" ... */
	char *text; /* the same as a sentence */
	char *hint; /* what to do; NULL = nothing helps */
	bool force; /* the host uses it: --force overrides that */
};
/* The kind of error it is. */
enum vm_kind vm_hostdev_block_kind(const struct vm_hostdev_block *b);
struct vm_hostdev_item {
	enum vm_hostdev_bus bus;
	const char *name; /* As it is listed: "0000:01:00.0", "usb:1-4.2"; owned by `key` */
	char *key;	  /* of claims: "pci:0000:01:00.0", "usb:1-4.2" */
	char *path;	  /* below /sys/devices, for uses; NULL = unknown */
	union {
		const struct vm_pci *pci;
		const struct vm_usb *usb;
		const struct vm_scsi *scsi;
		const struct vm_mdev *mdev;
	};
	const struct vm_mdev_parent *makes; /* also of PCI: it makes mediated devices; NULL: no, or nobody looked */
	int group; /* IOMMU group, VM_NO_GROUP */
	char *description; /* NULL: nobody asked for it */
	enum vm_hostdev_state state;
	char *guest, *alias; /* who has it; NULL */
	bool open;	     /* ... by what its process has open, and no claim knows of it */
	struct vm_hostdev_block *blocks;
	size_t n_blocks;
};
struct vm_hostdev_view {
	struct vm_sys sys;
	struct vm_vfio_host vfio;
	struct vm_pcis pcis;
	struct vm_usbs usbs;
	struct vm_scsis scsis;
	struct vm_mdevs mdevs;
	struct vm_mdev_parents parents;
	struct vm_uses uses;
	struct vm_hostdev_item *v; /* owned; by bus, then in the bus's order */
	size_t n;
	struct vm_unread unread; /* what is not in it and should be; none in one that was read to decide by */
};
#define VM_HOSTDEV_VIEW_INIT ((struct vm_hostdev_view){ .sys = VM_SYS_INIT })
/* To decide by: fails if anything cannot be read.  state NULL: nobody is asked who has what.  buses: bits 1u << enum
 * vm_hostdev_bus. */
int vm_hostdev_view_read(const struct vm_state *state, unsigned buses, struct vm_hostdev_view *ret, struct vm_err *err);
/* To show: all that can be read of all buses; a warning tells of the rest.  sysroot: vm_sys_open(). */
int vm_hostdev_view_show(const struct vm_state *state, const char *sysroot, struct vm_hostdev_view *ret, struct vm_err *err);
/* As vm_hostdev_view_read() for a change that must not take long, nor fail for what does not concern it: of PCI devices these alone, those
 * of their IOMMU groups, and the mediated ones that they carry, and no descriptions. */
int vm_hostdev_view_read_some(const struct vm_state *state, unsigned buses, const char *const *pcis, size_t n,
			      struct vm_hostdev_view *ret, struct vm_err *err);
void vm_hostdev_view_free(struct vm_hostdev_view *v);
/* The device that text names, in any form that vm_hostdev_name_parse() takes, or the parent of mediated devices; VM_NOT_FOUND,
 * VM_USAGE, VM_BAD_INPUT (several USB devices). */
int vm_hostdev_view_find(const struct vm_hostdev_view *v, const char *text,
			 const struct vm_hostdev_item **ret, struct vm_err *err);

/* What a device's name is of, without looking at the host. */
struct vm_hostdev_name {
	enum vm_hostdev_bus bus;
	struct vm_pci_address pci;
	char port[VM_USB_PORT];
	char serial[128];
	struct vm_usb_want usb; /* port and serial point into this structure */
	struct vm_scsi_address scsi;
	char mdev[37];
};
/* VM_USAGE lists the forms.  *ret must not be copied. */
int vm_hostdev_name_parse(const char *text, struct vm_hostdev_name *ret, struct vm_err *err);

/* ---- the programs ---- */
struct vm_out;
struct vm_hostdev_filter {
	unsigned buses, states; /* bits; 0 = all */
	const char *guest, *driver; /* NULL = any */
	bool has_group;
	uint64_t group;
};
struct vm_words;
/* Bits of words out of a table; VM_USAGE: "no <what> is called ...". */
int vm_hostdev_filter_words(const struct vm_words *given, const char *const *words, const char *what,
			    unsigned *ret, struct vm_err *err);
bool vm_hostdev_passes(const struct vm_hostdev_filter *f, const struct vm_hostdev_item *i);
/* vm-hostdev-list: a row. */
void vm_hostdev_row(struct vm_out *out, bool json, const struct vm_hostdev_item *i);
/* Is the device there that this key of a definition is of (guest/hostdef.h)? */
bool vm_hostdev_made(const struct vm_hostdev_view *v, const char *key);
/* vm-hostdev-list --all: one that is not. */
void vm_hostdev_defined_row(struct vm_out *out, const char *key, bool marked);
/* vm-hostdev-list --tree: lines for people. */
void vm_hostdev_tree(struct vm_out *out, const struct vm_hostdev_view *v,
		     const struct vm_hostdev_filter *f);
/* vm-hostdev-info: all there is. */
void vm_hostdev_show(struct vm_out *out, bool json, const struct vm_hostdev_view *v,
		     const struct vm_hostdev_item *i, struct vm_deadline deadline);
