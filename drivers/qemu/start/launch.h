/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The two processes of a guest: the watcher, which is QEMU's parent, and QEMU.
 *
 * QEMU gets the descriptors it is meant to get and no other, no controlling terminal, default signals and
 * a small environment; its record with its pid is written before its exec, so that no moment
 * exists in which it runs and nobody knows it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vm/err.h>
#include <vm/process.h>

struct vm_cgroup_entry;
struct vm_drop;
struct vm_helper;
struct vm_guest;
struct vm_view;
struct vm_watch_options;

struct vm_launch {
	struct vm_guest *guest; /* its record (phase "starting") is written by the child; ours is not changed */
	char *const *argv;	/* QEMU's; argv[0] is a path */
	char *const *env;	/* added to its environment; may be NULL */
	const struct vm_spawn_fd *fds; /* what it inherits; `to` from 3 on */
	size_t nfds;
	int alive;    /* one of fds: nobody else may keep it */
	int messages; /* write end for its stdout and stderr */
	bool die_with_parent;
	const uint64_t *cpus; /* bit per host CPU that it may run on; ncpus 0 = all */
	uint32_t ncpus;
	uint64_t memlock; /* bytes it may lock, UINT64_MAX = all; 0 = as it is */
	bool locks_memory; /* it needs that limit */
	const struct vm_drop *rights; /* that QEMU gives up */
	const struct vm_view *view;   /* what it sees of the host; NULL = as we do */
	/* Groups for QEMU, for the programs beside it and for the watcher. */
	const struct vm_cgroup_entry *qemu_group, *helper_group, *watch_group;
	const struct vm_helper *helpers; /* forked by QEMU's process */
	size_t nhelpers;
	/* NULL: QEMU is our own child and nobody watches. */
	const struct vm_watch_options *watch;
	const int *watch_fds; /* by enum vm_watch_fd, from VM_WATCH_FD_RUN on, and those of its files */
};
struct vm_launched {
	struct vm_procid qemu, watcher; /* watcher.pid 0 = none */
	int pidfd;   /* QEMU's, owned */
	int control; /* to the watcher, owned; -1 = none */
};
#define VM_LAUNCHED_INIT ((struct vm_launched){ .pidfd = -1, .control = -1 })
/* The descriptor `alive` and all `from`s stay open here: the caller closes them.  After a failure *ret holds
 * what has been started all the same. */
int vm_qemu_launch(const struct vm_launch *l, struct vm_launched *ret, struct vm_err *err);
void vm_launched_close(struct vm_launched *l);
/* Replaces this program by the watcher (--foreground), when the guest is up and committed.  Returns only on
 * failure.  fds as watch_fds of struct vm_launch. */
int vm_watch_become(const struct vm_watch_options *o, const int *fds, struct vm_err *err);
