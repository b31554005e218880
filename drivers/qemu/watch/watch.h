/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The watcher: parent of one QEMU from its start to its end (vm-watch, vm-start --foreground).
 *
 * It keeps events.jsonl and status, carries out the `restart` policies, bounds QEMU's log and, when QEMU is gone,
 * gives back what the guest held.  It takes no requests: a guest whose watcher was killed goes on, and the next
 * changing command does the rest.  Needs libc alone.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <vm/err.h>
#include <vm/state.h>

/* Descriptors that vm-watch is started with, and one for each file; everything else was closed. */
enum vm_watch_fd {
	VM_WATCH_FD_RUN = 3, /* the guest's run directory */
	VM_WATCH_FD_EVENTS,  /* connected to events.sock, capabilities negotiated by the starter */
	VM_WATCH_FD_STDERR,  /* QEMU's standard error, a pipe */
	VM_WATCH_FD_LOCK,    /* watch.lock, held by this open file */
	VM_WATCH_FD_CONTROL, /* to the starter until it commits (SOCK_SEQPACKET); absent with `committed` */
	VM_WATCH_FD_END,
};

/* Messages on the control socket, one a packet. */
#define VM_WATCH_MSG_UP	    "up"     /* watcher: running */
#define VM_WATCH_MSG_EXIT   "exit "  /* watcher: QEMU ended, status of waitpid() follows */
#define VM_WATCH_MSG_COMMIT "commit" /* starter: the guest is up; without it, its death undoes the start */

#define VM_WATCH_FILES 16u /* bounded files of character devices; QEMU writes further ones itself */

/* What an event of the guest's life leads to; names as in domain XML. */
enum vm_watch_policy { VM_WATCH_DESTROY, VM_WATCH_RESTART, VM_WATCH_PRESERVE };
extern const char *const vm_watch_policies[];

struct vm_watch_options {
	const char *connect, *name;
	pid_t pid;	/* QEMU, our child */
	bool committed; /* no starter to wait for */
	bool foreground;
	uint64_t stop_timeout_ms;
	enum vm_watch_policy poweroff, reboot, crash;
	/* Files of character devices: what comes out of the pipe VM_WATCH_FD_END + n goes to path n. */
	const char *files[VM_WATCH_FILES];
	unsigned nfiles;
	bool dump;	    /* a guest that panicked is dumped first */
	unsigned second_ms; /* of the back-off, 0 = 1000; tests shorten it */
};

/* Text of argv for exec, NULL-terminated; the inverse of vm_watch_parse().  Owned. */
char **vm_watch_format(const struct vm_watch_options *o);
int vm_watch_parse(int argc, char **argv, struct vm_watch_options *ret, struct vm_err *err);
/* Watches until QEMU is gone.  Returns the exit status: 0 orderly end, 12 it had to be killed after the stop
 * time-out, 13 it crashed or failed; -1 with *err. */
int vm_watch_run(const struct vm_watch_options *o, struct vm_err *err);

/* ---- parts ---- */
/* A text log of at most `files` files of `max` bytes: NAME, NAME.1 ... */
struct vm_watch_log {
	int dirfd; /* borrowed */
	int fd;
	char *name; /* owned */
	uint64_t size, max;
	unsigned files;
};
#define VM_WATCH_LOG_INIT ((struct vm_watch_log){ .dirfd = -1, .fd = -1 })
int vm_watch_log_open(struct vm_watch_log *l, int dirfd, const char *name, uint64_t max,
		      unsigned files, struct vm_err *err);
/* As vm_watch_log_open() for a file at a place of the admin's choice, whose name is taken as it is. */
int vm_watch_log_open_path(struct vm_watch_log *l, const char *path, uint64_t max, unsigned files,
			   struct vm_err *err);
/* Failures (full disk) lose the text, silently: the guest goes on. */
void vm_watch_log_write(struct vm_watch_log *l, const char *text, size_t len);
/* A line of our own: "TIME vm-utils: <fmt>". */
void vm_watch_log_note(struct vm_watch_log *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void vm_watch_log_close(struct vm_watch_log *l);

/*
 * Begins a dump of the guest's memory (ELF) into <lib>/<name>/dump/TIME.core of mode 0600, through a descriptor:
 * QEMU needs no right to the place.  The newest VM_WATCH_DUMPS are kept: a guest must not fill /var.
 */
#define VM_WATCH_DUMPS 2u
int vm_watch_dump(const struct vm_state *s, const char *name, int qmp, struct vm_err *err);

/* The programs behind the guest's devices, by its record; one that ends is told of. */
struct vm_watch_helpers {
	struct vm_watch_helper {
		char name[VM_HELPER_NAME_MAX];
		int pidfd; /* -1 once it has ended */
	} v[VM_HELPERS_MAX];
	unsigned n;
};
void vm_watch_helpers_find(struct vm_watch_helpers *ret, int run_fd);

/* What QEMU's events say about the guest. */
enum vm_watch_deed {
	VM_WATCH_NOTHING,
	VM_WATCH_DO_RESTART, /* system_reset and cont */
	VM_WATCH_DO_QUIT,    /* end QEMU */
	VM_WATCH_DO_GO_ON,   /* the reset of a restart is done */
	VM_WATCH_DO_REARM,   /* vm-reset has reset it */
	VM_WATCH_DO_SETTLE, /* a device is gone: what it had of the host's is to be given back */
	VM_WATCH_DO_DUMP,    /* write its memory to a file; DUMP_COMPLETED goes on with the policy */
};
struct vm_watch_life {
	struct vm_status status; /* as last written */
	bool dirty;		 /* status is to be written */
	bool stopping;		 /* we asked it to end: no restart */
	bool dumping;		 /* from VM_WATCH_DO_DUMP until DUMP_COMPLETED */
	bool restarting;	 /* from VM_WATCH_DO_RESTART until its vCPUs run */
	char why[32];		 /* reason the next STOP has; "" = user */
	char end[32];		 /* reason of the end to come; "" = not known */
};
/* Follows one event line; run_fd: for a wanted reboot (see VM_WANTED_FILE). */
enum vm_watch_deed vm_watch_event(struct vm_watch_life *l, const struct vm_watch_options *o,
				  int run_fd, const char *line, size_t len);
/* life->end of a guest that was restarted too often; it stays, whatever QEMU says of its end. */
#define VM_WATCH_RESTART_LIMIT "restart-limit"
/* The reason word of a guest whose QEMU ended with this waitpid() status; buf of 32 bytes. */
void vm_watch_end_reason(const struct vm_watch_life *l, int run_fd, int wait_status, char *buf);

/* A symbolic link beside the guest's sockets, made by whoever ends the guest before it does so; its target (a link
 * needs no room on a full disk) says what is wanted:
 *   reboot	when the guest has powered off it is to be started again, in the same process;
 *   destroy	QEMU is killed on purpose. */
#define VM_WANTED_FILE	  "wanted"
#define VM_WANTED_REBOOT  "reboot"
#define VM_WANTED_DESTROY "destroy"
/* Best effort; NULL removes it. */
void vm_wanted_set(int run_fd, const char *what);
bool vm_wanted(int run_fd, const char *what);
