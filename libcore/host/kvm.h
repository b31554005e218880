/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The host's KVM, tried: needs libc alone. */
#include <vm/deadline.h>
#include <vm/err.h>

/*
 * Makes a VM with one virtual CPU and, on x86, lets it run three instructions; in a child, because
 * a broken KVM may never return.  VM_NOT_FOUND: no node; VM_DENIED; VM_UNSUPPORTED: it does not
 * work; VM_TIMED_OUT: it did not return (the child is killed).  Source:
 * Documentation/virt/kvm/api.rst, Linux.
 */
int vm_kvm_try(struct vm_deadline deadline, struct vm_err *err);
/* Changes when the node is made anew (the module was loaded again) or its permissions change; 0 =
 * there is none. */
unsigned long long vm_kvm_identity(void);
