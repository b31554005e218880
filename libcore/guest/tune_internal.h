/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What the files of tuning share. */
#include "tune.h"

/* Groups of threads made by this change, still empty. */
struct vm_tune_fresh {
	const struct vm_tune_thread **v; /* borrowed */
	size_t n;
};
static inline void vm_tune_fresh_free(struct vm_tune_fresh *f)
{
	free(f->v);
}

/* Writes one file, its inverse being in the journal. */
int vm_tune_put(const struct vm_tune_change *c, const struct vm_tune_place *p, const char *text,
		struct vm_err *err);
/* Makes the group of a thread if it is not there. */
int vm_tune_ensure(const struct vm_tune_change *c, const struct vm_tune_thread *t,
		   struct vm_tune_fresh *fresh, struct vm_err *err);
/* Moves their threads into them. */
int vm_tune_fill(const struct vm_tune_change *c, const struct vm_tune_fresh *fresh,
		 struct vm_err *err);
/* The threads that one entry stands for (owned); how many, or -1. */
int vm_tune_tids(const struct vm_tune_threads *threads, const struct vm_tune_thread *t, pid_t **ret,
		 struct vm_err *err);
/* Notes where its threads run now: undone after what comes next, since a group's CPUs are all threads' in it. */
int vm_tune_keep_affinity(const struct vm_tune_change *c, const struct vm_tune_thread *t,
			  struct vm_err *err);
/* The thread of that class and id, or NULL. */
const struct vm_tune_thread *vm_tune_thread_find(const struct vm_tune_threads *threads, int class,
						 uint64_t id);
