/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Host devices that are made by us: from a document at once (vm-hostdev-create), or defined and made when they are started.
 * Definitions are /etc/vm/hostdev/KEY.xml, KEY as in claims ("mdev:UUID", "vfs:0000:06:12.0", "vgpu:0000:06:12.4").
 */
#include <stdbool.h>

#include <vm/deadline.h>
#include <vm/err.h>
#include <vm/state.h>

#include "host/sys.h"
#include "model/hostdef.h"

struct vm_xml;

struct vm_hostdefs {
	struct vm_state state;
	struct vm_state places; /* the same, but that its definitions are those of host devices; -1: there are none yet */
	struct vm_sys sys;
	bool dry_run; /* name the steps and take none */
	struct vm_deadline deadline;
};
#define VM_HOSTDEFS_INIT                                                                                    \
	((struct vm_hostdefs){ .state = VM_STATE_INIT, .places = VM_STATE_INIT, .sys = VM_SYS_INIT })
int vm_hostdefs_open(const char *connect, enum vm_state_access access, struct vm_hostdefs *ret, struct vm_err *err);
void vm_hostdefs_close(struct vm_hostdefs *h);

/*
 * Makes it: 0, 1 = it was there, just so.  VM_IN_USE: it is there, but different.  Without UUID one is taken.  Killed at any point
 * it is unmade by whoever comes next with it, unless all of it was there.
 */
int vm_hostdef_make(const struct vm_hostdefs *h, struct vm_hostdef *d, struct vm_err *err);
/*
 * Unmakes the device of this key: 0, 1 = it was not there.  VM_IN_USE: a guest has it or, of virtual functions, one of them; force:
 * although the host uses it (a network interface with routes ...).
 */
int vm_hostdef_unmake(const struct vm_hostdefs *h, const char *key, bool force, struct vm_err *err);
/* Unmakes or completes what a tool that was killed left; 0 also if there is nothing of that kind; 1 = it did something. */
int vm_hostdef_recover(const struct vm_hostdefs *h, const char *key, struct vm_err *err);

/* 0 = defined; 1 = it was so already.  *ret_key is owned. */
int vm_hostdef_define(const struct vm_hostdefs *h, const struct vm_xml *doc, char **ret_key, struct vm_err *err);
/* 0, 1 = there was none. */
int vm_hostdef_undefine(const struct vm_hostdefs *h, const char *key, struct vm_err *err);
/* Makes what is defined; as vm_hostdef_make(). */
int vm_hostdef_start(const struct vm_hostdefs *h, const char *key, struct vm_err *err);
/* 0, 1 = it was so. */
int vm_hostdef_autostart(const struct vm_hostdefs *h, const char *key, bool on, struct vm_err *err);
/* Calls fn for every key that is marked, cards with virtual functions before what is made on these. */
int vm_hostdef_marked(const struct vm_hostdefs *h, int (*fn)(const char *key, void *arg), void *arg,
		      struct vm_err *err);
/* The same for every key that is defined. */
int vm_hostdef_defined(const struct vm_hostdefs *h, int (*fn)(const char *key, void *arg), void *arg,
		       struct vm_err *err);
/* Is it defined, is it marked? */
bool vm_hostdef_is_defined(const struct vm_hostdefs *h, const char *key);
bool vm_hostdef_is_marked(const struct vm_hostdefs *h, const char *key);
