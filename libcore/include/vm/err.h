/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Errors: one struct on the caller's stack, nothing to allocate or free.
 *
 * Functions return 0, or -1 with *err set; > 0 only where their header names it.  An error is
 * built inside out: set where it happens, wrapped on its way up, so that the report reads
 * "prog: object: what failed: why; what to do".
 */
#include <stddef.h>

/* Kinds of failure; the value is the exit status (vm-exit(7)). */
enum vm_kind {
	VM_OK = 0,
	VM_NO = 1,	    /* a predicate says no */
	VM_USAGE = 2,	    /* the command line is wrong */
	VM_UNSUPPORTED = 3, /* this hypervisor, host or build cannot */
	VM_DENIED = 4,	    /* permission */
	VM_NOT_FOUND = 5,   /* no such guest, file, device */
	VM_BAD_INPUT = 6,   /* a document or value is wrong */
	VM_NOT_RUNNING = 7, /* the guest is not running, and only that */
	VM_IN_USE = 10,	    /* in use, or in the wrong state */
	VM_PENDING = 11,    /* accepted, not finished */
	VM_TIMED_OUT = 12,  /* a deadline passed */
	VM_HYPERVISOR = 13, /* the hypervisor refused or died */
	VM_SYSTEM = 14,	    /* system error */
};

struct vm_err {
	enum vm_kind kind;
	int sys;	  /* errno, or 0 */
	char object[256]; /* guest, device or file the command was asked about; may be "" */
	char msg[1024];	  /* "what failed: why"; cut at the end, never overrun */
	char hint[512];	  /* "what to do"; may be "" */
};

#define VM_ERR_INIT ((struct vm_err){ .kind = VM_OK })

/* All return -1, so that "return vm_err_set(...)" is the whole error path.  errno is kept. */

/* Sets kind and message; clears hint and errno. */
int vm_err_set(struct vm_err *err, enum vm_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), nonnull(1, 3)));
/*
 * Sets the error from errno: "<fmt>: <strerror>".  ENOENT and ENOTDIR become VM_NOT_FOUND, EACCES,
 * EPERM and EROFS VM_DENIED, ETIMEDOUT VM_TIMED_OUT, EEXIST and EBUSY VM_IN_USE, ENOSYS and
 * EOPNOTSUPP VM_UNSUPPORTED, all others VM_SYSTEM.
 */
int vm_err_sys(struct vm_err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), nonnull(1, 2)));
/* As vm_err_sys() with the kind given. */
int vm_err_sys_kind(struct vm_err *err, enum vm_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), nonnull(1, 3)));
/* Puts "<fmt>: " before the message. */
int vm_err_wrap(struct vm_err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), nonnull(1, 2)));
/* Sets what to do about it; the last one given, nearest to the user, wins. */
int vm_err_hint(struct vm_err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), nonnull(1, 2)));
/* Names the object; a name that is already there stays. */
int vm_err_object(struct vm_err *err, const char *object) __attribute__((nonnull(1, 2)));
/* The kind's word in JSON: "in-use", "not-found", ...  Never NULL. */
const char *vm_kind_name(enum vm_kind kind);
