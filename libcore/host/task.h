/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What /proc says of a process or thread.  Needs libc alone.  Source: proc(5). */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct vm_task {
	char state;	   /* 'R', 'S', 'T' ... */
	char comm[32];	   /* printable bytes only */
	uint64_t user_ms, system_ms, time_ms; /* CPU time; both */
	int host_cpu;	   /* it ran on last */
	uint64_t rss_bytes;
};
/* False: gone, or not to be read.  tid is a thread of process pid (or pid itself). */
bool vm_task_read(pid_t pid, pid_t tid, struct vm_task *ret);
/* CPU time of a process with all its threads; false: gone. */
bool vm_process_time(pid_t pid, uint64_t *ret_ms);
/* The same in parts. */
bool vm_process_times(pid_t pid, uint64_t *ret_user_ms, uint64_t *ret_system_ms);
/* Of one thread: time on a CPU, time it waited for one.  False: gone, or the kernel does not count. */
bool vm_task_schedstat(pid_t pid, pid_t tid, uint64_t *ret_run_ns, uint64_t *ret_wait_ns);
/* What its scheduler counted as waiting; false: gone, or not counted (sysctl kernel.sched_schedstats). */
bool vm_task_wait_sum(pid_t pid, pid_t tid, uint64_t *ret_ns);
/* CPUs it may run on, "0-3,6"; NULL: gone.  Owned. */
char *vm_task_affinity(pid_t tid);
/* Lets a thread run on these CPUs only ("0-3,6"; NULL or "all": on every one that it may). 0, or -1 with errno (EINVAL: no
 * list, or none of them is there). */
int vm_task_affinity_set(pid_t tid, const char *cpus);
/* Is tid a thread of process pid? */
bool vm_task_is_of(pid_t pid, pid_t tid);
/* The threads of a process (owned); how many, or -1 with errno. */
#define VM_TASK_THREADS_MAX 65536
int vm_task_threads(pid_t pid, pid_t **ret);
/* Real user id and its name ("vm-qemu", or the number); NULL: gone.  Owned. */
char *vm_task_user(pid_t pid);
/* Filters and capabilities a process confined itself with; false: gone. */
struct vm_task_walls {
	bool seccomp, no_new_privs, no_capabilities, own_mounts;
};
bool vm_task_walls(pid_t pid, struct vm_task_walls *ret);
/* Opens the mount namespace of a process for setns(2); -1 with errno. */
int vm_task_mounts(pid_t pid);
/* Has the program file of a running process been replaced since (package upgrade)?  -1: unknown. */
int vm_task_replaced(pid_t pid);
/* How much memory a process may lock (RLIMIT_MEMLOCK): bytes, UINT64_MAX = any; false: gone.  prlimit(2) would need a right that
 * looking here does not. */
bool vm_task_memlock(pid_t pid, uint64_t *ret_soft, uint64_t *ret_hard);
