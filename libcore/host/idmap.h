/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Can a file system show its files under other owners? */
#include <vm/deadline.h>
#include <vm/err.h>

/*
 * Maps a copy of the mount that dir (O_PATH) is on, which nobody ever sees.  VM_UNSUPPORTED: this file system, or
 * this kernel (before 5.12), cannot; VM_DENIED: this user may not.
 * Source: mount_setattr(2), MOUNT_ATTR_IDMAP.
 */
int vm_idmap_try(int dir, struct vm_deadline deadline, struct vm_err *err);
