/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * OFD locks with deadlines, whose holder is named.
 *
 * The holder writes "program pid" into the locked file, so that a time-out can say who has it.  A
 * lock file is never deleted while others may wait on it; its directory's removal is the owner's.
 */
#include <sys/types.h>

#include <vm/deadline.h>
#include <vm/err.h>

/* Creates dirfd/name (0600) if need be and takes its write lock.  A passed deadline is
 * VM_TIMED_OUT and names the holder's program and pid.  The file was possibly removed while we
 * waited: the lock then is taken on the new file. */
int vm_lock_take(int dirfd, const char *name, struct vm_deadline deadline, int *ret_fd,
		 struct vm_err *err);
/* Takes it only if free: 1 = someone else has it (who: in *err's message). */
int vm_lock_try(int dirfd, const char *name, int *ret_fd, struct vm_err *err);
/* A lock that another process took and handed over with its descriptor: names this one as the holder. */
void vm_lock_mine(int fd);
/* Closes, which unlocks; sets -1. */
void vm_lock_release(int *fd);
/* Is a *write* lock held on the file by anybody (F_OFD_GETLK asked with F_RDLCK, so that a
 * stranger's read lock does not count)? 1 yes, 0 no, -1 error. */
int vm_lock_held(int fd, struct vm_err *err);
