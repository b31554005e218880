/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* User namespaces that say who owns what in a mount. */
#include <stdint.h>

#include <vm/err.h>

/* One in which the files of uid and gid belong to to_uid and to_gid, and everything else to nobody. */
int vm_idmap_open(uint32_t uid, uint32_t to_uid, uint32_t gid, uint32_t to_gid, int *ret_ns,
		  struct vm_err *err);
