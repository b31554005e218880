/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The verbs on a guest, over the driver interface (driver.h): what vm-start, vm-shutdown and their like do.
 *
 * Each opens the guest by reference, holds its lock while it works and never while it waits for the
 * guest.  Errors name the guest as their object.
 */
#include <stdbool.h>
#include <stdint.h>

#include <vm/deadline.h>
#include <vm/err.h>
#include <vm/state.h>

struct vm_driver;
struct vm_shutdown_modes;
struct vm_start_options;
struct vm_strbuf;
struct vm_xml;

/* State and driver of a connection, for programs that change guests: reconciling finds what it needs. */
struct vm_host {
	struct vm_state state;
	const struct vm_driver *driver;
};
#define VM_HOST_INIT ((struct vm_host){ .state = VM_STATE_INIT })
int vm_host_open(const char *connect, struct vm_host *ret, struct vm_err *err);
/* The same for a dry run: nothing is cleared away. */
int vm_host_look(const char *connect, struct vm_host *ret, struct vm_err *err);
void vm_host_close(struct vm_host *h);

/* dry_run: everything is checked and nothing is done.  All return 0 = done; 1 = it was so already (if_needed, or nothing to do); -1 with *err. */

/* VM_IN_USE: it runs already (with if_needed: 1). */
int vm_guest_start(struct vm_host *h, const char *ref, const struct vm_start_options *o,
		   bool if_needed, struct vm_err *err);
/* Starts a guest that has no definition: o->document.  *ret_name (may be NULL) is its name, owned. */
int vm_guest_create(struct vm_host *h, const struct vm_start_options *o, char **ret_name,
		    struct vm_err *err);
/* The command line a start would run. Nothing needs to exist. */
int vm_guest_print_start(struct vm_host *h, const char *ref, struct vm_deadline dl,
			 struct vm_strbuf *out, struct vm_err *err);
/*
 * Asks it to shut down: by the modes in turn, by default the agent if one listens, then the
 * power button.  VM_NOT_RUNNING: it is off (with if_needed: 1).  *ret_run (may be NULL) is what
 * vm_guest_wait_off() waits for.
 */
struct vm_run_id {
	struct vm_procid process;
	struct vm_procid watcher; /* pid 0 = none */
};
int vm_guest_shutdown(struct vm_host *h, const char *ref, const struct vm_shutdown_modes *modes,
		      bool if_needed, bool dry_run, struct vm_deadline dl,
		      struct vm_run_id *ret_run, struct vm_err *err);
/*
 * Presses the power button once more: a guest that was not ready for it the first time did not hear it.  1 = not
 * done: it is another run, or its state changed since since_ms (CLOCK_REALTIME), when it was asked.
 */
int vm_guest_press_again(struct vm_host *h, const char *ref, const struct vm_run_id *run,
			 uint64_t since_ms, struct vm_deadline dl, struct vm_err *err);
/* Waits until this run of the guest is over and all is given back. VM_PENDING: not before the deadline. */
int vm_guest_wait_off(struct vm_host *h, const char *ref, const struct vm_run_id *run,
		      struct vm_deadline dl, struct vm_err *err);
/* graceful: asks QEMU to end (SIGTERM) instead of killing it.  A stale guest is cleared away. */
int vm_guest_destroy(struct vm_host *h, const char *ref, bool graceful, bool remove_logs,
		     bool if_needed, bool dry_run, struct vm_deadline dl, struct vm_err *err);
int vm_guest_suspend(struct vm_host *h, const char *ref, bool dry_run, struct vm_deadline dl,
		     struct vm_err *err);
int vm_guest_resume(struct vm_host *h, const char *ref, bool dry_run, struct vm_deadline dl,
		    struct vm_err *err);
int vm_guest_reset(struct vm_host *h, const char *ref, bool dry_run, struct vm_deadline dl,
		   struct vm_err *err);
int vm_guest_reboot(struct vm_host *h, const char *ref, const struct vm_shutdown_modes *modes,
		    bool dry_run, struct vm_deadline dl, struct vm_err *err);
