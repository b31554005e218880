/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What a process sets or asks about itself through /proc. */
#include <stdbool.h>

#include <vm/err.h>

/* Best effort: lowering needs CAP_SYS_RESOURCE.  Source: proc(5), /proc/PID/oom_score_adj. */
void vm_self_oom_score_adj(int score);
/* Path of a helper program of ours: $VM_LIBEXEC, else beside the running program (a build tree), else the
 * installed place.  Owned.  VM_NOT_FOUND names the last one looked for. */
int vm_self_helper(const char *name, char **ret_path, struct vm_err *err);
/* Where and what to write before an exec so that the program runs under a label of "apparmor" or "selinux"; both
 * owned.  False: this host does not use that.  Source: proc(5), /proc/PID/attr. */
bool vm_self_exec_label(const char *model, const char *label, char **ret_file, char **ret_text);
/* Name under which a process opens anew what is its descriptor of that number; owned. */
char *vm_self_fd_path(int number);
/* Names in /dev of what a process has open, and where they lead ({ "stdin", ... }); ends with NULL.  Source: Linux
 * Documentation/admin-guide/devices.txt, compulsory links. */
extern const char *const vm_self_fd_links[][2];
/* Opens the null device; -1 with errno. */
int vm_self_null(void);
/* As vm_self_helper() for a program of ours that people call: it is beside this one. Owned. */
int vm_self_sibling(const char *name, char **ret_path, struct vm_err *err);
