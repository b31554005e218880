/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* A monitor connection to a running guest, by one of its sockets. */
#include <vm/deadline.h>
#include <vm/err.h>
#include <vm/state.h>

#include "qmp.h"

/*
 * Connects to qmp.sock, and to spare.sock when that is silent (another client has it).  Both silent: QEMU is
 * stopped or hung, or both are taken: VM_TIMED_OUT "QEMU (pid N) does not answer", which says if it is
 * stopped.  Nobody listening: VM_NOT_RUNNING.  The guest's lock need not be held.
 */
int vm_qemu_monitor_open(const struct vm_guest *g, struct vm_deadline deadline, struct vm_qmp **ret,
			 struct vm_err *err) __attribute__((warn_unused_result));
/* Puts what is known about a QEMU that did not answer into the error (state of its process, hint). */
int vm_qemu_silent(const struct vm_guest *g, struct vm_err *err);
/* QEMU's own word for what it does ("running", "paused", "shutdown" ...) in buf of 32 bytes. */
int vm_qemu_ask_word(struct vm_qmp *q, struct vm_deadline dl, char *buf, struct vm_err *err);
