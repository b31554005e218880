/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Runs that began and ended between two looks of a follower, from the file of all guests' ends.  What the guests' own
 * files told is told once.
 */
#include <sys/types.h>

#include <vm/events.h>
#include <vm/state.h>

#define VM_FOLLOW_TOLD 256u /* runs whose end is remembered to be told: as many as VM_ENDS_FILE has, about */
struct vm_follow_ends {
	struct vm_events_reader reader;
	uint64_t since_us; /* what began before is not told to begin */
	/* The run at hand; "" = none. */
	char guest[VM_NAME_MAX + 1];
	pid_t pid;
	uint64_t began_us;
	bool looked, added; /* for the caller: its own files were read once more */
	bool begun;	    /* told to have begun */
	const struct vm_event_line *end;
	struct vm_event_line begin;
	char begin_text[160];
	struct vm_follow_run {
		uint32_t name; /* a hash */
		pid_t pid;
		bool ended;
	} told[VM_FOLLOW_TOLD];
	size_t n_told;
};
#define VM_FOLLOW_ENDS_INIT ((struct vm_follow_ends){.reader = VM_EVENTS_READER_INIT})

/* news: everything in the file is, for the place was not there before. */
void vm_follow_ends_open(struct vm_follow_ends *e, int place_fd, bool news);
void vm_follow_ends_close(struct vm_follow_ends *e);
/* The guest's own file told that this run began, or ended. */
void vm_follow_ends_told(struct vm_follow_ends *e, const char *guest, pid_t pid, bool ended);
/* Takes the next run to hand; false: there is none. */
bool vm_follow_ends_read(struct vm_follow_ends *e);
/* What nobody told of the run at hand: its beginning, then its end.  NULL: nothing more; no run is at hand then. */
const struct vm_event_line *vm_follow_ends_next(struct vm_follow_ends *e);
