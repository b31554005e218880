/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Records of host devices that we changed or gave to a guest: /run/vm/hostdev/KEY, KEY as in claims
 * ("pci:0000:01:00.0", "usb:1-4.2", "scsi:0:0:1:0", "mdev:UUID", "vfs:0000:06:12.0").  Written before the first change, removed after
 * the last, so that whoever finds one knows how the device was.  A device that the host drives has none.
 * Needs libc alone.
 */
#include <stdbool.h>

#include <vm/err.h>
#include <vm/record.h>

struct vm_state;

#define VM_RECORD_HOSTDEV	  "vm-hostdev"
#define VM_RECORD_HOSTDEV_VERSION 1
#define VM_HOSTDEV_DEVICE   "device"   /* "0000:01:00.0" */
#define VM_HOSTDEV_PHASE    "phase"    /* word of enum vm_hostdev_phase */
#define VM_HOSTDEV_USER	    "user"     /* "qemu/web1"; absent: bound by hand, free for any guest */
#define VM_HOSTDEV_ALIAS    "alias"    /* name in QEMU */
#define VM_HOSTDEV_DRIVER   "driver"   /* it had; absent: none */
#define VM_HOSTDEV_OVERRIDE "override" /* driver_override it had; absent: none */
#define VM_HOSTDEV_GROUP    "group"    /* IOMMU group */
#define VM_HOSTDEV_BOUND    "bound"    /* "yes": we bound it and give it back */
#define VM_HOSTDEV_TOOL	    "tool"     /* process that is at work on it: vm_record_set_procid() */
#define VM_HOSTDEV_WHY	    "why"      /* stuck: what happened */
#define VM_HOSTDEV_CURE	    "cure"     /* stuck, but nothing in the kernel hangs: what to do */
#define VM_HOSTDEV_HOOK	    "hook"     /* guest whose "prepare" hooks were run; "released" is due */
#define VM_HOSTDEV_D3COLD   "d3cold"   /* d3cold_allowed was that, before it became 0; absent: not touched */
#define VM_HOSTDEV_CONTROL  "control"  /* power/control was that, before VFIO; absent: it has none */
/* Of an interface's virtual function, before it was the guest's; absent: not touched. */
#define VM_HOSTDEV_VF_MAC   "vf_mac"   /* its administrator's, "00:00:00:00:00:00" = none */
#define VM_HOSTDEV_VF_VLAN  "vf_vlan"  /* number, priority, protocol unless 802.1Q: "42 0 802.1ad" */
#define VM_HOSTDEV_VF_OWN   "vf_own"   /* of its own network interface; absent: it had none */
#define VM_HOSTDEV_COUNT    "count"    /* vfs: how many */
#define VM_HOSTDEV_PROBE    "autoprobe" /* vfs: sriov_drivers_autoprobe it had; absent: not touched */

/* Key of the claim on a whole IOMMU group, before its number. */
#define VM_HOSTDEV_GROUP_KEY "iommu-group:"

enum vm_hostdev_phase {
	VM_HOSTDEV_NONE,      /* no record */
	VM_HOSTDEV_BINDING,   /* a tool is taking it from the host's driver */
	VM_HOSTDEV_READY,     /* on VFIO, given to nobody */
	VM_HOSTDEV_TAKEN,     /* a guest's */
	VM_HOSTDEV_UNPLUGGING, /* the guest was asked to let go */
	VM_HOSTDEV_RELEASING, /* a tool is giving it back to the host's driver */
	VM_HOSTDEV_STUCK,     /* the kernel did not come back */
	VM_HOSTDEV_MAKING,    /* a tool is making it (mdev:UUID, vfs:ADDRESS) */
	VM_HOSTDEV_MADE,      /* virtual functions are there, by our hand */
	VM_HOSTDEV_PHASES
};
extern const char *const vm_hostdev_phase_words[];

/* Opens the directory of the records, making it: locks of IOMMU groups are in it too ("group-7.lock"). */
int vm_hostdev_place(const struct vm_state *s, int *ret, struct vm_err *err);
/* What the key of a USB device that is not plugged in begins with in a guest's record (VM_KEY_HOSTDEV); behind it the port
 * in which it was: "usb:-1-4.2". */
#define VM_HOSTDEV_MISSING "usb:-"
/* Is a USB device gone from the host that the guest may open, or missing from the beginning: plugged in it has another number. */
bool vm_hostdev_lost(const struct vm_record *guest);
/* Removes temporaries of writers that are gone. */
void vm_hostdev_sweep(const struct vm_state *s);
/* VM_NOT_FOUND: there is none. */
int vm_hostdev_record_read(const struct vm_state *s, const char *key, struct vm_record *ret,
			   struct vm_err *err);
int vm_hostdev_record_write(const struct vm_state *s, const char *key, const struct vm_record *r,
			    struct vm_err *err);
/* Absent is success. */
int vm_hostdev_record_remove(const struct vm_state *s, const char *key, struct vm_err *err);
enum vm_hostdev_phase vm_hostdev_phase(const struct vm_record *r);
/* The guest's name of "qemu/web1". */
const char *vm_hostdev_guest(const char *user);
/* VM_IN_USE: the device `name` is that user's ("qemu/web1", or the guest's name alone), and how to get it back. */
int vm_hostdev_refuse_user(const char *name, const char *user, struct vm_err *err);
/* The first user of a key by its claim; *ret NULL: none; owned.  -1: it cannot be told, which is not "none". */
int vm_hostdev_claimed_by(const struct vm_state *s, const char *key, char **ret, struct vm_err *err);
