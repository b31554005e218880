/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Groups of threads below a guest's qemu group: "vcpu0", "emulator", "iothread1".  They exist only where tuning asks
 * for them, in the hierarchies of cpu, cpuacct and cpuset: directories that hold single threads on version 1, threaded
 * groups on version 2.  Memory, block I/O and device rules stay with the qemu group.  Needs libc alone.
 *
 * Source: Linux Documentation/admin-guide/cgroup-v2.rst, "Threads".
 */
#include <stdbool.h>
#include <sys/types.h>

#include <vm/cgroup.h>
#include <vm/err.h>

#define VM_THREAD_GROUP_NAME 32u /* bytes of a name, its end included */

/* Can there be any?  False: neither cpu nor cpuset. */
bool vm_thread_groups_possible(const struct vm_cgroup *c);
bool vm_thread_group_exists(const struct vm_cgroup *c, const char *name);
/* Makes it where it is not, with the CPUs and memory nodes of the qemu group.  Empty at first. */
int vm_thread_group_make(const struct vm_cgroup *c, const char *name, struct vm_err *err);
/* Moves a thread of QEMU into it; one that has ended is success.  name NULL: back into the qemu group. */
int vm_thread_group_enter(const struct vm_cgroup *c, const char *name, pid_t tid,
			  struct vm_err *err);
/*
 * The first thread that is moved after a while waits until all CPUs have noticed (5 to 30 ms), and those that come within as
 * much time after it do not.  Who will move some soon can have that wait now: stir() moves the calling process,
 * which has one thread, to where it is already.  open(): a descriptor for that, CLOEXEC; -1 = there is none.
 * Source: Linux kernel/cgroup/cgroup.c, cgroup_attach_lock(); kernel/rcu/sync.c.
 */
int vm_thread_groups_stir_open(const struct vm_cgroup *c);
void vm_thread_groups_stir(int fd);
/* Moves what is in it back into the qemu group and removes it, everywhere.  Absent is success. */
int vm_thread_group_remove(const struct vm_cgroup *c, const char *name, struct vm_err *err);
/* "vcpu", "emulator", "iothread" and a number: nothing else is ever removed. */
bool vm_thread_group_name_valid(const char *name);
