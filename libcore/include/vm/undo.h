/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Undo: a stack of inverses, each pushed and recorded on disk *before* its step, run in reverse,
 * disarmed once at the end.
 *
 * What is pushed is data, a verb of ONE table and its arguments, so that another process can run the
 * stack of one that was killed.  Every inverse must be idempotent and succeed when its step never
 * happened: SIGKILL can land between any two instructions.
 */
#include <stdbool.h>
#include <stddef.h>

#include <vm/err.h>
#include <vm/record.h>

struct vm_undo_verb {
	const char *name; /* "cgroup", "tap", "claim" ... */
	/* Undoes one step.  ctx is what vm_undo_open()'s caller gave (the guest's state). */
	int (*undo)(void *ctx, const char *arg, struct vm_err *err);
};
struct vm_undo {
	int dirfd;	  /* borrowed: where the journal is */
	const char *file; /* its name, a string constant */
	const struct vm_undo_verb *verbs; /* ends with a NULL name */
	void *ctx;
	struct vm_undo_step {
		const struct vm_undo_verb *verb;
		char *arg;
	} *steps;
	size_t n;
	int fd; /* of the journal */
};
#define VM_UNDO_INIT ((struct vm_undo){ .dirfd = -1, .fd = -1 })

/* Starts an empty journal. One that is there already is an error (VM_IN_USE): replay it first. */
int vm_undo_open(struct vm_undo *u, int dirfd, const char *file, const struct vm_undo_verb *verbs,
		 void *ctx, struct vm_err *err);
/* Records the inverse of the step that comes next.  -1 with errno set: do not take the step. */
int vm_undo_push(struct vm_undo *u, const char *verb, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* All went well: forgets the steps and removes the journal. */
int vm_undo_disarm(struct vm_undo *u, struct vm_err *err);
/* Runs what is there in reverse, to the end even if single steps fail; the first failure is reported and
 * its steps stay in the journal.  Removes the journal when all succeeded. */
int vm_undo_run(struct vm_undo *u, struct vm_err *err);
/* For VM_AUTO: runs (errors are logged), then frees; does nothing once disarmed. */
void vm_undo_close(struct vm_undo *u);
/* Frees, and leaves the journal as it is: whoever comes next undoes it, or knows better. */
void vm_undo_leave(struct vm_undo *u);
/* Runs the journal of a process that is gone: 1 = there was one, 0 = none, -1 = not all could be undone. */
int vm_undo_replay(int dirfd, const char *file, const struct vm_undo_verb *verbs, void *ctx,
		   struct vm_err *err);
