/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Files under other owners: user namespaces that say who owns what in a mount. */
#include <stdint.h>

#include <vm/err.h>

/* One in which the files of uid and gid belong to to_uid and to_gid, and everything else to nobody. */
int vm_idmap_open(uint32_t uid, uint32_t to_uid, uint32_t gid, uint32_t to_gid, int *ret_ns,
		  struct vm_err *err);
/*
 * Maps a copy of the mount that dir (O_PATH) is on, which nobody ever sees.  VM_UNSUPPORTED: this file system, or
 * this kernel (before 5.12), cannot; VM_DENIED: this user may not.
 * Source: mount_setattr(2), MOUNT_ATTR_IDMAP.
 */
int vm_idmap_try(int dir, struct vm_err *err);
