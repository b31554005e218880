/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
#include <vm/look.h>
#include <vm/state.h>

/* observer->look: asks all of it in one round trip. */
int vm_qemu_look(struct vm_guest *g, unsigned what, struct vm_deadline deadline, struct vm_look *ret,
		 struct vm_err *err);
