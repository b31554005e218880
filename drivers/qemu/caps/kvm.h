/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Is KVM really usable?  The node proves nothing: a VM is made and runs a few instructions. */
#include <vm/deadline.h>
#include <vm/err.h>

struct vm_state;

/*
 * 0 = yes.  VM_NOT_FOUND: no such node, VM_DENIED: no permission, VM_UNSUPPORTED: the host's KVM
 * does not work; with hints.  Tried in a child with a deadline of its own (2 s); the answer is kept
 * in <run>/kvm until the next boot (a bad one for 60 s), so that only one start pays.  s may be
 * NULL: nothing is kept.
 */
int vm_qemu_kvm_check(const struct vm_state *s, struct vm_deadline deadline, struct vm_err *err);
