/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lock of a guest, in a run directory that others may remove meanwhile. */
#include "state/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/lock.h>

/* Is `run` the directory that has this name now? */
bool vm_run_is_current(const struct vm_state *s, const char *name, int run)
{
	struct stat ours, named;

	return fstat(run, &ours) == 0 &&
	       fstatat(s->run, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

/* Below a directory that is open, ENOENT means: removed under our hands, or this itself was. */
static bool is_there(int dirfd)
{
	struct stat st;

	return fstat(dirfd, &st) == 0 && st.st_nlink > 0;
}

void vm_run_locked_close(struct vm_run_locked *l)
{
	vm_cleanup_fd(&l->run);
	vm_lock_release(&l->lock);
}

int vm_run_lock(const struct vm_state *s, const char *name, const struct vm_deadline *deadline,
		struct vm_run_locked *ret, struct vm_err *err)
{
	struct stat st;
	int r;

	for (;;) {
		VM_AUTO_FD int run = -1;
		VM_AUTO_FD int lock = -1;
		bool rest = fstatat(s->run, name, &st, AT_SYMLINK_NOFOLLOW) == 0;

		if (vm_own_dir_make(s, s->run, name, &run) < 0) {
			if (errno == ENOENT && is_there(s->run))
				continue;
			return vm_err_sys(err, "make %s/%s", s->run_path, name);
		}
		r = deadline ? vm_lock_take(run, VM_RUN_LOCK, *deadline, &lock, err)
			     : vm_lock_try(run, VM_RUN_LOCK, &lock, err);
		if (r < 0 && err->sys == ENOENT && !is_there(run))
			continue;
		if (r != 0)
			return r;
		if (!vm_run_is_current(s, name, run))
			continue;
		ret->run = vm_take_fd(&run);
		ret->lock = vm_take_fd(&lock);
		ret->rest = rest;
		return 0;
	}
}
