/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
#include <vm/look.h>
#include <vm/state.h>

struct vm_qmp;
/* Asks all of it in one round trip, on a monitor that is open. */
int vm_qemu_look_on(struct vm_qmp *q, unsigned what, struct vm_deadline deadline,
		    struct vm_look *ret, struct vm_err *err);
/* VM_LOOK_HOSTDEVS of that: all devices of the host that QEMU has, by its own lists.  Nothing of what the guest's document or record
 * says goes into it. */
int vm_qemu_look_hostdevs(struct vm_qmp *q, struct vm_deadline deadline, struct vm_look *ret, struct vm_err *err);
/* observer->look */
int vm_qemu_look(struct vm_guest *g, unsigned what, struct vm_deadline deadline, struct vm_look *ret,
		 struct vm_err *err);
