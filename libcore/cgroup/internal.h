/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What the files of the cgroup module share. */
#include <vm/cgroup.h>

/* ---- tables.c: text of the kernel's tables ---- */
/*
 * Adds the cgroup mounts of a mountinfo text, which is freed, to *h, unopened (fd -1).  Of two mounts of one hierarchy the
 * one that shows all of it ("/") wins, then the last.  VM_BAD_INPUT: a cgroup line that is malformed.
 */
int vm_cgroup_parse_mounts(char *text, struct vm_cgroup_host *h, struct vm_err *err);
/* Names of /proc/cgroups; its columns are split by any white space. */
int vm_cgroup_parse_names(const char *text, char ***ret, struct vm_err *err);
/* The path of one hierarchy in a /proc/PID/cgroup text, as the kernel tells it (owned; NULL = not listed).
 * VM_BAD_INPUT: malformed. */
int vm_cgroup_parse_pid(const char *text, const struct vm_cgroup_hier *hier, char **ret,
			struct vm_err *err);
/* A path of the hierarchy, seen from the mount point that shows `root`; NULL = not below it.  Owned. */
char *vm_cgroup_seen(const char *root, const char *path);
/* Bits of a list of words split by one of the separators; words of other controllers are ignored. */
unsigned vm_cgroup_bits(const char *text, const char *separators);
void vm_cgroup_hier_free(struct vm_cgroup_hier *hier);

/* ---- host.c ---- */
/* The one hierarchy of this name, without what names need; n = 0 if it is not there. */
int vm_cgroup_host_open_one(const char *name, struct vm_cgroup_host *ret, struct vm_err *err);

/* ---- v1.c, v2.c: what differs between the versions ---- */
struct vm_cgroup_ops {
	/* After mkdir of a group (name below dir): gives it what a new group lacks. */
	int (*settle)(const struct vm_cgroup_hier *hier, int parent, int group, struct vm_err *err);
	/* Before groups with limits are made below dir.  Controllers that the kernel refuses are told in *note
	 * (owned; NULL = none). */
	int (*enable)(const struct vm_cgroup_hier *hier, int dir, char **note, struct vm_err *err);
	/* 1 = processes in it or below, 0 = none. */
	int (*populated)(int dir, struct vm_err *err);
	/* Kills all in it and below, and waits. */
	int (*kill)(int dir, struct vm_deadline deadline, struct vm_err *err);
	/* Waits until it is empty; nobody is killed. */
	int (*wait_empty)(int dir, struct vm_deadline deadline, struct vm_err *err);
};
extern const struct vm_cgroup_ops vm_cgroup_v1, vm_cgroup_v2;
static inline const struct vm_cgroup_ops *vm_cgroup_ops(const struct vm_cgroup_hier *hier)
{
	return hier->v2 ? &vm_cgroup_v2 : &vm_cgroup_v1;
}

/* Kills by pid what is in the group, deep: and below it, again and again until nothing is. */
int vm_cgroup_kill_pids(int dir, bool deep, struct vm_deadline deadline, struct vm_err *err);

/* ---- group.c ---- */
/* "HIERARCHY ID PATH": a group of ours; with '@' before the id one that was given to us: only the parts in it
 * are ours. */
struct vm_cgroup_held {
	char hier[256];
	uint64_t id; /* 0 = not known: it may not exist */
	bool adopted;
	const char *path; /* in the parsed text */
};
int vm_cgroup_parse_held(const char *text, struct vm_cgroup_held *ret, struct vm_err *err);
size_t vm_cgroup_find_hier(const struct vm_cgroup_host *h, const char *name); /* h->n = none */
bool vm_cgroup_absent(int e); /* is that errno of an open one of "there is none"? */
/* Opens a directory of a group; -1 with errno. */
int vm_cgroup_open_dir(int at, const char *name);
/* The same by its path below the mount point. */
int vm_cgroup_open_path(const struct vm_cgroup_hier *hier, const char *path);
/* Moves the processes of one group to another; those of its threads' groups stay. */
int vm_cgroup_move_all(int from, int to, struct vm_err *err);
uint64_t vm_cgroup_group_id(int fd); /* 0 = cannot be told, with errno */

/* ---- tree.c ---- */
#define VM_CGROUP_PIDS_MAX (4u << 20) /* bytes of cgroup.procs */
/* Calls fn for each pid of dir/cgroup.procs; stops at a non-zero return, which it returns. */
int vm_cgroup_each_pid(int dir, int (*fn)(pid_t pid, void *arg), void *arg, struct vm_err *err);
/* Calls fn for each group directly below dir (opened, borrowed). */
int vm_cgroup_each_child(int dir,
			 int (*fn)(int parent, int child, const char *name, void *arg,
				   struct vm_err *err),
			 void *arg, struct vm_err *err);
