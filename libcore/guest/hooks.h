/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Hook programs: <hooks_path>/<driver>, then those of <hooks_path>/<driver>.d in the order of their names (vm-hooks(5)).
 * Their arguments are libvirt's, so that its hooks serve as they are.  Needs libc alone: the watcher runs some.
 * Source: libvirt, docs/hooks: "Script arguments".
 */
#include <stdbool.h>
#include <stddef.h>

#include <vm/deadline.h>
#include <vm/err.h>

struct vm_state;

/* Where hook programs are; owned. */
char *vm_hooks_dir(const struct vm_state *s);

/* PROGRAM OBJECT OP SUB EXTRA, input (NULL: nothing) on standard input, for a guest of that driver. */
struct vm_hook_call {
	const char *object, *op, *sub, *extra, *input;
	const char *driver;
	bool session;
};
/* Would it be run?  1 = there is none, or (*ret_why says what) none that is a program; VM_DENIED: others may change it. */
int vm_hook_check(const char *path, const char **ret_why, struct vm_err *err);
/*
 * Runs one program, if it is there and executable, with an environment of its own.  VM_DENIED: it refuses, or others may
 * change it; VM_TIMED_OUT.  It does not outlive us.
 */
int vm_hook_run(const char *path, const struct vm_hook_call *c, struct vm_deadline deadline, struct vm_err *err);

/* Is there any? Costs two failed open()s when there is none. */
bool vm_hooks_exist(const struct vm_state *s);
/*
 * Runs all of them: PROGRAM GUEST OP SUB -, the document on standard input (NULL: nothing).  Stops at the first
 * that fails: VM_DENIED "hook PROGRAM refuses OP: its last line", VM_TIMED_OUT past hook_timeout.
 */
int vm_hooks_run(const struct vm_state *s, const char *guest, const char *op, const char *sub,
		 const char *document, struct vm_err *err);
