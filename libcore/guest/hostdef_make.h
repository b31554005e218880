/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What the kinds of host devices that are made share; hostdef_make.c, hostdef_vport.c. */
#include "hostdef.h"

struct vm_record;

/* Its record, before the first change. */
int vm_hostdef_begin(const struct vm_hostdefs *h, const char *key, struct vm_record *r, struct vm_err *err);
/* After a failure, whose error is what counts: nothing of it may be there. */
void vm_hostdef_put_back(const struct vm_hostdefs *h, const char *key);

/* Virtual ports of Fibre Channel adapters; key: "vport:WWPN", of unmake() also "vport:host6". */
int vm_hostdef_make_vport(const struct vm_hostdefs *h, const struct vm_hostdef *d, const char *key, struct vm_err *err);
int vm_hostdef_unmake_vport(const struct vm_hostdefs *h, const char *key, bool force, struct vm_err *err);
/* Half made: it goes. */
int vm_hostdef_drop_vport(const struct vm_hostdefs *h, const char *key, struct vm_err *err);
