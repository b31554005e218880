/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The verbs of the QEMU driver (driver.h), and what the runtime record says beyond state.h's keys. */
#include "driver.h"

extern const struct vm_driver vm_qemu_driver;
extern const struct vm_holder vm_qemu_holder;
extern const struct vm_observer vm_qemu_observer;
extern const struct vm_passthrough vm_qemu_passthrough;

#define VM_KEY_POWEROFF "on_poweroff"  /* destroy, restart, preserve */
#define VM_KEY_REBOOT	"on_reboot"
#define VM_KEY_CRASH	"on_crash"
#define VM_KEY_RUN_CAPS "caps" /* a file of the run directory, not a key: vm_qemu_caps_save() */

#define VM_UNDO_MS 15000u /* for undoing a start that failed */

int vm_qemu_start(struct vm_guest *g, const struct vm_start_options *o, struct vm_err *err);
int vm_qemu_shutdown(struct vm_guest *g, const struct vm_shutdown_modes *modes,
		     struct vm_deadline dl, struct vm_err *err);
int vm_qemu_destroy(struct vm_guest *g, bool graceful, struct vm_deadline dl, struct vm_err *err);
int vm_qemu_suspend(struct vm_guest *g, struct vm_deadline dl, struct vm_err *err);
int vm_qemu_resume(struct vm_guest *g, struct vm_deadline dl, struct vm_err *err);
int vm_qemu_reset(struct vm_guest *g, struct vm_deadline dl, struct vm_err *err);
int vm_qemu_reboot(struct vm_guest *g, const struct vm_shutdown_modes *modes,
		     struct vm_deadline dl, struct vm_err *err);
int vm_qemu_ask_state(struct vm_guest *g, struct vm_deadline dl, int *ret_state, int *ret_reason,
		      struct vm_err *err);
