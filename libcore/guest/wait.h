/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Waiting until things have come true of a guest (vm-wait): woken by inotify, pidfds and events. */
#include <stdbool.h>

#include <vm/cli.h>
#include <vm/deadline.h>
#include <vm/err.h>
#include <vm/state.h>

struct vm_passthrough;

struct vm_wait_for {
	uint64_t states; /* VM_LIST_STATE() bits, guest/list.h; 0 = any */
	bool off;	 /* not running, and all given back */
	bool agent, address;
	uint64_t ssh_port;	 /* 0 = not asked for */
	struct vm_words events;	 /* one of these, from now on; none = not asked for */
	const char *device_gone; /* alias; NULL = not asked for */
};
struct vm_wait_found {
	enum vm_life life;
	char event[64];	  /* that came; "" = none */
	char address[64]; /* of the guest; "" = not asked for */
};
/*
 * Waits until all of it is true at the same time (events: has come).  VM_TIMED_OUT says what is
 * not; VM_NOT_RUNNING: what is waited for needs a running guest, and it does not run;
 * VM_HYPERVISOR: the guest refused to let go of the device.  pass is asked for what only the
 * running guest knows.
 */
int vm_wait(const struct vm_state *s, const struct vm_passthrough *pass, const char *ref,
	    const struct vm_wait_for *want, struct vm_deadline deadline, struct vm_wait_found *ret,
	    struct vm_err *err);
