/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Processes: identity that survives pid reuse, spawning, waiting with deadlines through pidfds. */
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vm/deadline.h>
#include <vm/err.h>

/* A process as a record keeps it. */
struct vm_procid {
	pid_t pid;
	uint64_t start; /* clock ticks since boot, field 22 of /proc/PID/stat */
	char boot[37];	/* /proc/sys/kernel/random/boot_id */
};
int vm_procid_self(struct vm_procid *ret, struct vm_err *err);
int vm_procid_of(pid_t pid, struct vm_procid *ret, struct vm_err *err);
/* Opens a pidfd of exactly that process: 0 = *ret_pidfd is open; 1 = gone or a zombie (or of another
 * boot); -1 = error. */
int vm_procid_open(const struct vm_procid *id, int *ret_pidfd, struct vm_err *err);
/* Kills it and waits until it is gone; gone already is success. */
int vm_procid_kill(const struct vm_procid *id, int sig, struct vm_deadline deadline,
		   struct vm_err *err);
/* "name" of a running process (comm), for messages; "?" if gone. */
void vm_proc_comm(pid_t pid, char *buf, size_t len);

/* Who logged in, through su and sudo (audit's loginuid); UINT32_MAX = nobody. */
uint32_t vm_proc_loginuid(void);
/* Makes sure that descriptors 0-2 are open, so that no file of ours becomes one of them; a closed stdout still
 * fails to be written. */
void vm_proc_std_fds(void);

struct vm_spawn_fd {
	int from; /* descriptor in this process */
	int to;	  /* number in the child */
};
struct vm_spawn {
	const char *const *argv; /* argv[0] is searched in PATH unless it has a '/' */
	const char *const *envp; /* NULL = ours */
	int in, out, err;	 /* -1 = /dev/null */
	const struct vm_spawn_fd *fds;
	size_t nfds;
	bool new_session;
	/* Runs in the child right before exec (may be NULL); async-signal-safe code only; a
	 * non-zero return is the child's errno, reported as the failure of the spawn. */
	int (*before_exec)(void *arg);
	void *arg;
};
/* All other descriptors are closed in the child, signals are reset.  A failed exec is an error here, with
 * its errno, not an exit status later. */
int vm_spawn(const struct vm_spawn *spec, pid_t *ret_pid, int *ret_pidfd, struct vm_err *err);
/* Waits for a child: 0 = *ret_status as waitpid's; VM_TIMED_OUT when the deadline passed. */
int vm_child_wait(pid_t pid, int pidfd, struct vm_deadline deadline, int *ret_status,
		  struct vm_err *err);
/* Waits until a process that need not be a child is gone. */
int vm_pidfd_wait(int pidfd, struct vm_deadline deadline, struct vm_err *err);
struct vm_job {
	const char *const *argv;
	const char *const *envp; /* NULL = ours */
	const char *input;	 /* NULL: nothing */
	size_t cap;		 /* bytes of stdout and of stderr that are kept; the rest is thrown away */
	/* Neither it nor what it starts in its session outlives us, even if we are killed; it runs in "/" with umask 022. */
	bool guarded;
};
/* Runs a command to its end: its output (may be NULL) is owned by the caller; past the deadline it is killed, with the
 * processes of its session, and *ret_err is what it said until then.  One that the kernel holds even so is left behind. */
int vm_run_job(const struct vm_job *c, struct vm_deadline deadline, char **ret_out, char **ret_err, int *ret_status,
		   struct vm_err *err);
int vm_run(const char *const *argv, const char *input, size_t cap, struct vm_deadline deadline,
	   char **ret_out, char **ret_err, int *ret_status, struct vm_err *err);
