/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Files by directory descriptors.  In places we own nothing follows a symbolic link; every descriptor
 * is O_CLOEXEC; every file is written whole: temporary, fsync, rename, fsync of the directory.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <vm/err.h>

/* Opens a directory below dirfd (or an absolute path with AT_FDCWD). */
int vm_dir_open(int dirfd, const char *path, int *ret_fd, struct vm_err *err);
/* As vm_dir_open(), making each missing component with this mode. */
int vm_dir_make(int dirfd, const char *path, mode_t mode, int *ret_fd, struct vm_err *err);
/* Reads a whole file of at most cap bytes; *ret_text is NUL-terminated and owned by the caller.
 * ret_len and ret_stat may be NULL. VM_BAD_INPUT when it is larger. */
int vm_file_read(int dirfd, const char *name, size_t cap, char **ret_text, size_t *ret_len,
		 struct stat *ret_stat, struct vm_err *err);
/* As vm_file_read() from a descriptor (pipes too). `what` names it in errors. */
int vm_fd_read(int fd, const char *what, size_t cap, char **ret_text, size_t *ret_len,
	       struct vm_err *err);
/* Replaces dirfd/name atomically and durably. A leftover temporary of a killed writer is removed
 * by vm_file_sweep(). */
int vm_file_write(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
		  struct vm_err *err);
/* As vm_file_write() without fsync: for /run, which does not survive a power cut anyway. */
int vm_file_write_volatile(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
			   struct vm_err *err);
/* Removes dirfd/name and makes that durable; absent is success. */
int vm_file_remove(int dirfd, const char *name, struct vm_err *err);
/* Removes a directory tree below dirfd without following links or leaving the filesystem. */
int vm_tree_remove(int dirfd, const char *name, struct vm_err *err);
/* Removes temporaries of writers that are gone. Returns how many. */
unsigned vm_file_sweep(int dirfd);
/* Calls fn for every entry but . and ..; stops at a non-zero return, which it returns. */
int vm_dir_each(int dirfd, int (*fn)(int dirfd, const char *name, void *arg), void *arg,
		struct vm_err *err);
/* Writes text to a kernel file (sysfs, cgroup) in one write(); errno goes into the error. */
int vm_kfile_write(int dirfd, const char *name, const char *text, struct vm_err *err);
/* Names the first parent directory of path that this user cannot search (NULL: none).  Owned. */
char *vm_path_blocked(const char *path);
/* Number of fsync/fdatasync calls this process made (scripts/bench prints it). */
extern unsigned vm_fsync_count;
