/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What the kinds of host devices that are made share; hostdef_make.c, hostdef_vport.c. */
#include <vm/record.h>

#include "hostdef.h"
#include "hostdev_record.h"
#include "state/hostdev.h"

/* Its record, before the first change.  Whoever fails after that leaves it: vm_hostdef_make() puts back by it what was done. */
static inline int vm_hostdef_begin(const struct vm_hostdefs *h, const char *key, struct vm_record *r, struct vm_err *err)
{
	vm_record_set(r, VM_HOSTDEV_DEVICE, key);
	return vm_hostdev_store(&h->state, key, r, VM_HOSTDEV_MAKING, err);
}

/* Virtual ports of Fibre Channel adapters; key: "vport:WWPN", of unmake() also "vport:host6". */
int vm_hostdef_make_vport(const struct vm_hostdefs *h, const struct vm_hostdef *d, const char *key, struct vm_err *err);
int vm_hostdef_unmake_vport(const struct vm_hostdefs *h, const char *key, bool force, struct vm_err *err);
/* Half made: it goes. */
int vm_hostdef_drop_vport(const struct vm_hostdefs *h, const char *key, struct vm_err *err);
