/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Control groups, version 1, 2 and both at once.
 *
 * A guest has one group, PARTITION/NAME.vm-qemu, at the same path of every hierarchy that matters, with
 * children from the start: qemu/ (QEMU: device rules, memory, block I/O; groups of threads below it),
 * helpers/ (swtpm, virtiofsd ...) and watch/ (the watcher, outside the guest's limits).  Only groups
 * that the guest's own record names, by path and kernel id, are killed or removed.  Where the hierarchies are
 * is found in mountinfo.  Needs libc alone.
 *
 * Source: Linux Documentation/admin-guide/cgroup-v1/, cgroup-v2.rst.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vm/deadline.h>
#include <vm/err.h>

struct vm_undo;

/* ---- the host ---- */
enum vm_cgroup_controller {
	VM_CGROUP_CPU,
	VM_CGROUP_CPUACCT, /* v2: always there, cpu.stat */
	VM_CGROUP_CPUSET,
	VM_CGROUP_MEMORY,
	VM_CGROUP_DEVICES, /* v2: never listed; whether BPF programs attach is acl.h's */
	VM_CGROUP_FREEZER, /* v2: always there */
	VM_CGROUP_IO,	   /* v1: blkio */
	VM_CGROUP_NET_CLS,
	VM_CGROUP_PERF_EVENT,
	VM_CGROUP_PIDS,
	VM_CGROUP_HUGETLB,
	VM_CGROUP_CONTROLLERS
};
/* Names as v1 has them ("blkio"); NULL ends. */
extern const char *const vm_cgroup_controllers[];
/* Those for which guests get groups on v1. */
#define VM_CGROUP_OURS                                                                             \
	(1u << VM_CGROUP_CPU | 1u << VM_CGROUP_CPUACCT | 1u << VM_CGROUP_CPUSET |                  \
	 1u << VM_CGROUP_MEMORY | 1u << VM_CGROUP_DEVICES | 1u << VM_CGROUP_FREEZER |              \
	 1u << VM_CGROUP_IO)

#define VM_CGROUP_HIERS_MAX 16u
struct vm_cgroup_hier {
	bool v2;
	unsigned controllers; /* bits 1u << enum vm_cgroup_controller; v2: of its cgroup.controllers */
	char *name;  /* "v2", "v1:cpu,cpuacct" (in the order of the enum), "v1:name=systemd" */
	char *mount; /* mount point */
	char *root;  /* the group that is seen at the mount point: "/", or a container's own */
	char *self;  /* where this process is, seen from the mount point ("/a/b"); NULL = not below it */
	int fd;	     /* directory of the mount point */
};
struct vm_cgroup_host {
	struct vm_cgroup_hier v[VM_CGROUP_HIERS_MAX];
	size_t n;
	char **names; /* all controllers that the kernel knows (/proc/cgroups); NULL-terminated */
};
#define VM_CGROUP_HOST_INIT ((struct vm_cgroup_host){ .n = 0 })
/*
 * Looks at the host.  root: directory below which proc/ and the mount points are (a recorded host in tests), or
 * -1 = the real one.  No hierarchy at all is success with n = 0.
 */
int vm_cgroup_host_open(int root, struct vm_cgroup_host *ret, struct vm_err *err);
void vm_cgroup_host_close(struct vm_cgroup_host *h);
/* The hierarchy that serves a controller: v2 where its cgroup.controllers has it (CPUACCT and FREEZER: where
 * no v1 hierarchy does), else v1; NULL = none.  DEVICES: the v1 hierarchy. */
const struct vm_cgroup_hier *vm_cgroup_host_find(const struct vm_cgroup_host *h,
						 enum vm_cgroup_controller c);
/* The v2 hierarchy, or NULL. */
const struct vm_cgroup_hier *vm_cgroup_host_v2(const struct vm_cgroup_host *h);
/* "v1", "v2", "hybrid" (v2 mounted beside v1 controllers) or "none". */
const char *vm_cgroup_host_kind(const struct vm_cgroup_host *h);
/* Where a process is in a hierarchy, seen from its mount point; owned. *ret NULL = not below it.
 * VM_NOT_FOUND: no such process. */
int vm_cgroup_of_pid(const struct vm_cgroup_hier *h, pid_t pid, char **ret, struct vm_err *err);

/* ---- names ---- */
/*
 * Directory name of a guest's group: characters outside [A-Za-z0-9.-] are dropped, as are leading and
 * doubled '.' and '-'; at most 64 characters, none of '.' and '-' at the end.  A name that lost something gets
 * "-" and 8 hexadecimal digits of its hash, so that different guests never meet.  tag (may be NULL) keeps guests of
 * different $VM_ROOTs apart: "web1.vm-qemu", "web1.TAG.vm-qemu".  Escaped as vm_cgroup_escape().  Owned.
 */
char *vm_cgroup_guest_dir(const struct vm_cgroup_host *h, const char *name, const char *driver,
			  const char *tag);
/* Puts '_' before a name that begins with '_', '.', "cgroup." or "CONTROLLER." (of this host).  Owned. */
char *vm_cgroup_escape(const struct vm_cgroup_host *h, const char *name);
/*
 * <resource><partition> as a path of groups: each component gets ".partition" unless it has a '.' in it or is a
 * leading machine, system or user; then it is escaped.  VM_BAD_INPUT: not absolute, "..", too long.  Owned.
 * Source: libvirt, docs/cgroups.rst.
 */
int vm_cgroup_partition_path(const struct vm_cgroup_host *h, const char *partition, char **ret,
			     struct vm_err *err);

/* ---- a guest's group ---- */
enum vm_cgroup_part {
	VM_CGROUP_MAIN,	   /* the guest's group itself: cpu shares, global quota; no processes in it */
	VM_CGROUP_QEMU,	   /* "qemu" */
	VM_CGROUP_HELPERS, /* "helpers" */
	VM_CGROUP_WATCH,   /* "watch" */
	VM_CGROUP_PARTS
};
extern const char *const vm_cgroup_parts[]; /* names below the main group; MAIN: "." */
struct vm_cgroup_at {
	bool there;
	bool adopted; /* it was there (vm_cgroup_want.base) and stays: only the parts are ours */
	uint64_t id; /* inode of the main group: the kernel's id of it */
	int fd[VM_CGROUP_PARTS];
};
struct vm_cgroup {
	struct vm_cgroup_host host;
	char *path; /* the main group, seen from each mount point; NULL = the guest has none */
	struct vm_cgroup_at at[VM_CGROUP_HIERS_MAX]; /* by the index of host.v */
	char *note; /* what could not be had and why, for one warning; NULL = nothing */
	char *unseen; /* a hierarchy that it is recorded to be in and that cannot be seen here; NULL = all can */
};
/* A group that is none; vm_cgroup_close() accepts it. */
struct vm_cgroup vm_cgroup_none(void);
#define VM_CGROUP_INIT vm_cgroup_none()
void vm_cgroup_close(struct vm_cgroup *c);

struct vm_cgroup_want {
	const char *name, *driver, *tag; /* vm_cgroup_guest_dir() */
	const char *partition;		 /* <resource><partition>; NULL = /machine, made if absent */
	/* Instead of a partition: a group that is there (systemd's scope or service, delegated to us, which it removes
	 * itself) becomes the main group; where it is not there (v1), it is made.  Processes in it go to watch/. */
	const char *base;
};
#define VM_CGROUP_VERB "cgroup" /* of the undo journal and of held entries: vm_cgroup_undo() */
/*
 * Makes the group with its parts everywhere.  Each main group is pushed to undo before its mkdir, and again with its id
 * after it.  A partition that does not exist is VM_NOT_FOUND, a group that is there already VM_IN_USE.  Where
 * this user may make none (container, session) the hierarchy is left out and *ret's note says so; with
 * no hierarchy left ret->path is NULL, which is success.
 */
int vm_cgroup_make(const struct vm_cgroup_want *want, struct vm_undo *undo, struct vm_cgroup *ret,
		   struct vm_err *err);
/* The argument of VM_CGROUP_VERB for the i-th hierarchy, to be held for the run; false: none there. */
bool vm_cgroup_held(const struct vm_cgroup *c, size_t i, char *buf, size_t size);
/*
 * Opens the group of a running guest from its held arguments (VM_CGROUP_VERB's, n of them).  A hierarchy whose group is
 * gone or another one (id) is left out, with a note.
 */
int vm_cgroup_open(const char *const *held, size_t n, struct vm_cgroup *ret, struct vm_err *err);

/* The hierarchy with this controller in which the guest has a group, or -1. */
int vm_cgroup_index(const struct vm_cgroup *c, enum vm_cgroup_controller controller);
/* Is that hierarchy v2? */
bool vm_cgroup_is_v2(const struct vm_cgroup *c, enum vm_cgroup_controller controller);
/* Borrowed directory of a part where the controller is; -1 = not available here. */
int vm_cgroup_dir(const struct vm_cgroup *c, enum vm_cgroup_controller controller,
		  enum vm_cgroup_part part);
/* The part's path as people can look at it ("/sys/fs/cgroup/cpu/machine/web1.vm-qemu/qemu"); owned. */
char *vm_cgroup_dir_path(const struct vm_cgroup *c, size_t hier, enum vm_cgroup_part part);

/* ---- entering ---- */
struct vm_cgroup_entry {
	int into;	/* directory for clone3()'s CLONE_INTO_CGROUP; -1 = no v2 group */
	int into_procs; /* its cgroup.procs, for a child that was not cloned into it */
	int tasks[VM_CGROUP_HIERS_MAX]; /* `tasks` of each v1 group */
	size_t n;
};
#define VM_CGROUP_ENTRY_INIT ((struct vm_cgroup_entry){ .into = -1, .into_procs = -1 })
/* Descriptors (CLOEXEC) for one process to be.  A guest without groups gives VM_CGROUP_ENTRY_INIT. */
int vm_cgroup_entry_open(const struct vm_cgroup *c, enum vm_cgroup_part part,
			 struct vm_cgroup_entry *ret, struct vm_err *err);
void vm_cgroup_entry_close(struct vm_cgroup_entry *e);
/*
 * Moves the calling process, which has one thread, there; in_v2: it was cloned into the v2 group.  0, or an errno.
 * Async-signal-safe: for a child between fork and exec.
 *
 * On v1 the thread moves itself by `tasks`: for that alone the kernel does not wait until all CPUs have seen that a
 * group of threads moves (5 to 50 ms).  Source: cgroup_procs_write_start(), Linux kernel/cgroup/cgroup.c.
 */
int vm_cgroup_enter(const struct vm_cgroup_entry *e, bool in_v2);

/* ---- the end ---- */
/* Are there processes in qemu/ or helpers/ (anywhere but watch/)? 1 yes, 0 no. */
int vm_cgroup_populated(const struct vm_cgroup *c, struct vm_err *err);
/* Kills all processes but those of watch/ and waits until they are gone (VM_TIMED_OUT). */
int vm_cgroup_kill(const struct vm_cgroup *c, struct vm_deadline deadline, struct vm_err *err);
/*
 * Undoes one step of vm_cgroup_make() and gives back what is held: kills (only if the id is known and still that
 * group's), waits, removes the tree of this one hierarchy.  What lives in watch/ is moved out first: the watcher
 * outlives its guest.  A group that is gone or another one's is success.
 */
int vm_cgroup_undo(const char *arg, struct vm_deadline deadline, struct vm_err *err);
