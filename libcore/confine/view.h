/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What a guest's processes see of the host's files: a mount namespace of their own.
 *
 * Nothing is given away on disk.  A file that the guest's user may not open is mounted over itself with its owner
 * mapped to that user (an idmapped mount of the single file).  A directory on the way that this user may not search is
 * covered by an empty one in which only what the guest needs is there, so that directories need not be opened to
 * anybody.  Device nodes are the guest's own, in a directory that becomes its /dev.
 *
 * A view is made by the starter, which can say what is wrong; entering it is what the child does between fork and
 * exec.  Later files come in the same way, from a process that enters the namespace.  Needs libc alone.
 *
 * Source: mount_setattr(2), MOUNT_ATTR_IDMAP; Linux Documentation/filesystems/idmappings.rst.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vm/err.h>

struct stat;

enum vm_view_perms { VM_VIEW_EXEC = 1, VM_VIEW_WRITE = 2, VM_VIEW_READ = 4 }; /* as mode bits */

struct vm_view {
	uint32_t uid, gid;
	bool maps; /* may files be made the guest's (<seclabel relabel=>)? */
	/* Directory of the guest's nodes (borrowed) and is it its whole /dev; -1 = the host's /dev. */
	int dev;
	bool whole_dev;
	/* Gives a file to the user where its filesystem cannot map; NULL = that is an error.  fd: O_PATH. */
	int (*own)(void *arg, const char *path, int fd, struct vm_err *err);
	/* Is a file the user's only because it was given to it so, for another guest?  NULL = none was. */
	bool (*given)(void *arg, const struct stat *st);
	void *arg;
	/* What enters: all owned. */
	char **shadows; /* directories to be covered */
	size_t nshadows;
	struct vm_view_link {
		char *path, *target;
	} *links; /* in covered directories */
	size_t nlinks;
	struct vm_view_bind {
		char *path; /* without links */
		int tree;   /* a detached mount */
		unsigned want;
		bool dir;
		bool first; /* /dev and what is mounted below it: other mounts may be on these */
	} *binds;
	size_t nbinds;
	struct vm_view_map {
		uint32_t uid, gid;
		int ns;
	} *maps_of; /* user namespaces by owner */
	size_t nmaps;
};
#define VM_VIEW_INIT ((struct vm_view){ .dev = -1 })
void vm_view_free(struct vm_view *v);
/* May this process make mounts at all?  False: a container without the right. */
bool vm_view_possible(void);
/*
 * The guest opens path so: whatever is on the way is arranged.  VM_NOT_FOUND, VM_DENIED (its owner's own mode bits do not
 * allow it, or maps is false) and VM_UNSUPPORTED name the file.
 */
int vm_view_add(struct vm_view *v, const char *path, unsigned perms, struct vm_err *err);
/* Ends the guest's /dev: terminals, shared memory and other mounts there as on the host, and the usual links. */
int vm_view_add_dev(struct vm_view *v, struct vm_err *err);
/* Enters: 0, or an errno and what failed.  For a child of one thread. */
int vm_view_enter(const struct vm_view *v, const char **ret_what);
/* The same for a guest that runs: what is not there yet is added to the view of process pid.  The caller is not in it afterwards. */
int vm_view_join(const struct vm_view *v, pid_t pid, struct vm_err *err);
/* Takes what was mounted at path out of the view of process pid; absent, or no such process, is success. */
int vm_view_leave(pid_t pid, const char *path, struct vm_err *err);
