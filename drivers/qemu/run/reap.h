/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Giving back what a run of a guest took.  Needs libc alone: the watcher does it when QEMU ends.
 *
 * While a guest starts, each step is in the journal VM_RUN_UNDO_START; from its commit on, the steps that hold
 * something for the whole run are in the record, as values "VERB ARGUMENT" of VM_KEY_HELD.
 */
#include <stdbool.h>

#include <vm/deadline.h>
#include <vm/err.h>
#include <vm/undo.h>

struct vm_guest;

#define VM_KEY_HELD "held"

/* A device: "0000:01:00.0" goes back to where it came from; of others ("usb:1-4.2") the hooks are told. */
#define VM_HOSTDEV_VERB "hostdev"

/* What is behind the name of NVRAM that is being made anew. */
#define VM_NVRAM_BEFORE ".before"

/* What live.xml and record become when QEMU has the devices. */
#define VM_RUN_LIVE_NEW	  "live.xml.new"
#define VM_RUN_RECORD_NEW "record.new"
/* Of attaching a host device (plug_host.c): what vm-hostdev-reap undoes, "WHAT:ARGUMENT". */
#define VM_PLUG_VERB	"plug"
#define VM_PLUG_ACL	"acl:"	   /* the rules become those of the record */
#define VM_PLUG_CLAIM	"claim:"   /* its key */
#define VM_PLUG_FILES	"files:"   /* the new document and record */
#define VM_PLUG_NODE	"node:"	   /* path below the guest's /dev */
#define VM_PLUG_VIEW	"view:"	   /* file that was mounted for the guest */
#define VM_PLUG_MEMLOCK "memlock:" /* "SOFT HARD" bytes */
/* Of tuning, whose verbs these are. */
#define VM_PLUG_THREADS	 "thread-group:"
#define VM_PLUG_AFFINITY "affinity:"
/* Runs vm-hostdev-settle with the guest's lock, this descriptor of its caller. */
#define VM_PLUG_SETTLE	"settle:"
#define VM_SETTLE_LOCK_FD 3 /* there vm-hostdev-settle has it */

/* Verbs of the journals and of VM_KEY_HELD; the context is the struct vm_guest. */
extern const struct vm_undo_verb vm_qemu_undo_verbs[];
/* The alias that marks a tap as this guest's; buf has 256 bytes. */
const char *vm_qemu_tap_alias(const struct vm_guest *g, char *buf);
/* A vm_guest_reap_fn (state.h). */
int vm_qemu_reap(struct vm_guest *g, bool dead, struct vm_deadline deadline, struct vm_err *err);
/* ---- plug_undo.c: what vm-hostdev-reap does of an attach ---- */

/* Takes a node out of the guest's /dev, with the directories that were there for it alone; absent is success. */
int vm_qemu_node_remove(const struct vm_guest *g, const char *below, struct vm_err *err);
/* was: as in VM_KEY_MEMLOCK. */
int vm_qemu_memlock_restore(const struct vm_guest *g, const char *was, struct vm_err *err);
/* "WHAT:ARGUMENT"; 1 = it is none of these. */
int vm_qemu_plug_undo(const struct vm_guest *g, const char *what, struct vm_err *err);
