/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
#include <stddef.h>

#include <vm/process.h>

/* For a child: gives the descriptors their numbers, whatever they are now; all others close at exec.  -1 with errno. */
int vm_child_fds_place(const struct vm_spawn_fd *fds, size_t n);
