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

/* A PCI device: "0000:01:00.0" goes back to where it came from. */
#define VM_HOSTDEV_VERB "hostdev"

/* What is behind the name of NVRAM that is being made anew. */
#define VM_NVRAM_BEFORE ".before"

/* Verbs of the journals and of VM_KEY_HELD; the context is the struct vm_guest. */
extern const struct vm_undo_verb vm_qemu_undo_verbs[];
/* The alias that marks a tap as this guest's; buf has 256 bytes. */
const char *vm_qemu_tap_alias(const struct vm_guest *g, char *buf);
/* A vm_guest_reap_fn (state.h). */
int vm_qemu_reap(struct vm_guest *g, bool dead, struct vm_deadline deadline, struct vm_err *err);
