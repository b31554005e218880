/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What a process sets or asks about itself through /proc. */
#include <vm/err.h>

/* Best effort: lowering needs CAP_SYS_RESOURCE.  Source: proc(5), /proc/PID/oom_score_adj. */
void vm_self_oom_score_adj(int score);
/* Path of a helper program of ours: $VM_LIBEXEC, else beside the running program (a build tree), else the
 * installed place.  Owned.  VM_NOT_FOUND names the last one looked for. */
int vm_self_helper(const char *name, char **ret_path, struct vm_err *err);
/* Opens the null device; -1 with errno. */
int vm_self_null(void);
/* As vm_self_helper() for a program of ours that people call: it is beside this one. Owned. */
int vm_self_sibling(const char *name, char **ret_path, struct vm_err *err);
