/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Following guests: their events, and that anything of them changed, by inotify and pidfds, without
 * polling. Guests that start later are followed too.  Needs libc alone.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vm/deadline.h>
#include <vm/err.h>
#include <vm/events.h>
#include <vm/state.h>

struct vm_follow_ends;
struct vm_follow_guest; /* one that has a run directory now */
struct vm_follow {
	const struct vm_state *state; /* borrowed */
	const char *const *names;     /* borrowed; NULL = all guests */
	size_t n_names;
	int inotify, run;    /* run: /run/vm/<driver>, -1 while there is none */
	int place;	     /* watch of run, or of the nearest directory above that exists */
	bool history, again; /* again: directories appeared or may have */
	bool open;	     /* what appears from now on is news */
	struct vm_follow_ends *ends; /* owned */
	struct vm_follow_guest *guests; /* owned */
	size_t n_guests;
};
#define VM_FOLLOW_INIT ((struct vm_follow){.inotify = -1, .run = -1, .place = -1})

struct vm_follow_event {
	const char *guest;
	const struct vm_event_line *line;
};
/* history: hands out the events that are kept first, oldest first over all guests; else only new
 * ones. */
int vm_follow_open(const struct vm_state *s, const char *const *names, size_t n, bool history,
		   struct vm_follow *ret, struct vm_err *err);
/* 0 = *ret is the next event, valid until the next call; 1 = none before the deadline.  What is
 * unreadable of one guest is a warning (vm/log.h), and that guest is left out. */
int vm_follow_next(struct vm_follow *f, struct vm_deadline deadline, struct vm_follow_event *ret,
		   struct vm_err *err);
/* Waits until anything happened to a guest (a file of its run directory was changed, its process
 * ended): 0, or 1 = not before the deadline.  Nothing is missed between two calls. */
int vm_follow_wait(struct vm_follow *f, struct vm_deadline deadline, struct vm_err *err);
void vm_follow_close(struct vm_follow *f);
