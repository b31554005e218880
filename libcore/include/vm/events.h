/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * events.jsonl of a running guest (vm-events(5)): begun by the watcher or, where there is none, by the start;
 * written by the watcher; ended by whoever gives back what the guest held; followed by any number of readers.  Bounded: at max_bytes the file becomes events.jsonl.1 and a new one begins; a reader that is
 * late learns how many events it missed.  Needs libc alone.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vm/deadline.h>
#include <vm/err.h>

#define VM_EVENTS_FILE	   "events.jsonl"
#define VM_EVENTS_OLD	   "events.jsonl.1"
/* Of the directory above: the last runs that ended, of all guests. */
#define VM_ENDS_FILE	   ".ends.jsonl"
#define VM_ENDS_OLD	   ".ends.jsonl.1"
#define VM_ENDS_BYTES	   (64u << 10) /* of each of the two */
#define VM_EVENTS_FORMAT   1
#define VM_EVENTS_LINE_MAX (64u << 10) /* bytes of a line; what is longer is replaced by "oversized" */

/* ---- writing ---- */
struct vm_events_writer {
	int dirfd; /* borrowed: the guest's run directory */
	int fd;
	uint64_t size, max; /* bytes */
	uint64_t number;    /* of the last event written, from 1 */
	uint64_t lost;	    /* could not be written since */
};
#define VM_EVENTS_WRITER_INIT ((struct vm_events_writer){ .dirfd = -1, .fd = -1 })
/* Creates the file (0640), or goes on with the one that is there. */
int vm_events_create(int run_fd, uint64_t max_bytes, struct vm_events_writer *ret,
		     struct vm_err *err);
/* Appends one line as QEMU sent it (no newline in it).  After a failure (disk full) the events that could
 * not be written are counted, and a "gap" says so as soon as writing works again. */
int vm_events_append(struct vm_events_writer *w, const char *line, size_t len, struct vm_err *err);
/* Appends an event of ours: {"vm":NAME,"timestamp":...,"data":DATA}. data: a JSON object or NULL. */
int vm_events_append_own(struct vm_events_writer *w, const char *name, const char *data,
			 struct vm_err *err);
void vm_events_writer_close(struct vm_events_writer *w);
/* What every run begins with: "started", with QEMU's pid. */
int vm_events_append_started(struct vm_events_writer *w, pid_t pid, struct vm_err *err);
/* The last line, "ended", unless it is there: QEMU is gone, and the file is about to be removed.  Readers that have
 * it open still read it.  reason: a word as vm_status has it. */
int vm_events_end(int run_fd, const char *reason, struct vm_err *err);
/* Is "ended" there? */
bool vm_events_ended(int run_fd);
/* One run of a guest that has ended. */
struct vm_end {
	const char *guest, *reason;
	pid_t pid;	   /* of QEMU */
	uint64_t began_ms; /* CLOCK_REALTIME */
};
/* Appends it to VM_ENDS_FILE of the directory of all guests: for readers who look after the guest's own files are
 * gone.  Several may do so at a time. */
int vm_ends_append(int place_fd, const struct vm_end *end, struct vm_err *err);

/* ---- reading ---- */
#define VM_EVENTS_BUFFER (2 * VM_EVENTS_LINE_MAX + 1) /* bytes of vm_events_reader.buf */
struct vm_event_line {
	const char *text; /* the whole line, NUL-terminated; valid until the next call */
	size_t len;
	uint64_t number;	  /* from 1 since the guest was started */
	uint64_t time_us;	  /* CLOCK_REALTIME; 0 = the line has none */
	uint64_t lost;		  /* events missed right before this one (rotated away unread) */
	bool own;		  /* ours, not QEMU's */
	char name[64];		  /* "STOP", "ended" */
	const char *data;	  /* JSON object within text, or NULL */
	size_t data_len;
};
struct vm_events_reader {
	const char *file, *old_file; /* static */
	int dirfd;		     /* owned */
	int fd;
	bool old;	 /* reads the file before the present one */
	bool headed;	 /* the file's first line was seen */
	bool skip;	 /* within a line that is too long */
	bool drop;	 /* hands nothing out until the end is reached */
	char *buf;	 /* bytes [used, len) are unread */
	size_t len, used;
	uint64_t number; /* of the last event handed out or missed */
	uint64_t lost;	 /* missed since the last one handed out */
	struct vm_event_line line;
};
#define VM_EVENTS_READER_INIT                                                                      \
	((struct vm_events_reader){                                                                \
		.file = VM_EVENTS_FILE, .old_file = VM_EVENTS_OLD, .dirfd = -1, .fd = -1 })
/* history: begins at the oldest event that is kept; else after the newest.  A guest without the file (no
 * watcher yet) is fine: it is opened when it appears. */
int vm_events_open(int run_fd, bool history, struct vm_events_reader *ret, struct vm_err *err);
/* The same for VM_ENDS_FILE of the directory of all guests. */
int vm_ends_open(int place_fd, bool history, struct vm_events_reader *ret, struct vm_err *err);
/* 0 = *ret is the next event; 1 = no more for now. Lines that are no events are counted as lost. */
int vm_events_next(struct vm_events_reader *r, const struct vm_event_line **ret, struct vm_err *err);
/* The guest's run directory was removed: nothing will come any more once vm_events_next() returned 1. */
bool vm_events_gone(const struct vm_events_reader *r);
void vm_events_close(struct vm_events_reader *r);
/* Splits one line of the file into its parts; 1 = it is no event. */
int vm_event_parse(char *line, size_t len, struct vm_event_line *ret);
