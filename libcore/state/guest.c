/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/lock.h>

#include "state/libvirt.h"

/* One component; -1 with errno. */
static int dir_at(int at, const char *name)
{
	if (at < 0) {
		errno = ENOENT;
		return -1;
	}
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* ---- opening ---- */

static void forget_facts(struct vm_guest *g)
{
	vm_record_free(&g->record);
	g->defined = g->active = g->has_uuid = false;
	g->life = VM_SHUTOFF;
}

static void find_uuid(struct vm_guest *g)
{
	VM_AUTO(vm_record_free) struct vm_record index = VM_RECORD_INIT;
	const char *text = vm_record_get(&g->record, VM_KEY_UUID);
	struct vm_err err;

	if (!text && g->defined && vm_index_read(g->state, g->name, &index, &err) == 0)
		text = vm_record_get(&index, "uuid");
	g->has_uuid = text && vm_uuid_parse(text, g->uuid) == 0;
}

/* A record that could not be read this time says what is to be given back: who is to change something must not go
 * on without it, as with one that is damaged for good. */
static bool may_read_later(const struct vm_err *why)
{
	/* no error of a call (it is damaged), or it is no file that anybody could ever read */
	return why->sys != 0 && why->sys != ELOOP && why->sys != EISDIR && why->sys != ENXIO;
}

int vm_guest_refresh(struct vm_guest *g, struct vm_err *err)
{
	VM_AUTO(vm_run_facts_free) struct vm_run_facts f = VM_RUN_FACTS_INIT;
	struct vm_status status;

	forget_facts(g);
	g->defined = vm_definition_exists(g->state, g->name);
	if (g->lock < 0) {
		vm_cleanup_fd(&g->run);
		g->run = dir_at(g->state->run, g->name);
		if (g->run < 0 && errno != ENOENT)
			return vm_err_sys(err, "open %s/%s", g->state->run_path, g->name);
	}
	if (g->lib < 0)
		g->lib = dir_at(g->state->lib, g->name);
	vm_run_facts_read(g->run, g->lock >= 0, &f);
	/* A newer program's record: what it means is not ours to guess. */
	if (f.record_bad && (f.problem.kind == VM_UNSUPPORTED ||
			     (g->lock >= 0 && may_read_later(&f.problem)))) {
		*err = f.problem;
		return -1;
	}
	g->record = f.record;
	f.record = VM_RECORD_INIT;
	if (f.alive == VM_ALIVE_HELD && !f.abandoned && !f.busy) {
		g->active = true;
		vm_run_status(g->run, &g->record, &status);
		g->life = status.life;
	} else if (f.alive != VM_ALIVE_NO && !f.busy) {
		g->active = true;
		g->life = VM_STALE;
	}
	find_uuid(g);
	return 0;
}

/* Is `run` the directory that has this name now? */
static bool run_is_current(const struct vm_state *s, const char *name, int run)
{
	struct stat ours, named;

	return fstat(run, &ours) == 0 &&
	       fstatat(s->run, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

/* Opens it and gives it the mode and group it is to have. */
static int own_dir_open(const struct vm_state *s, int at, const char *name, int *ret_fd)
{
	VM_AUTO_FD int fd = dir_at(at, name);
	struct stat st, parent;
	mode_t mode;

	if (fd < 0 || fstat(fd, &st) < 0 || fstat(at, &parent) < 0)
		return -1;
	mode = s->uri.session ? 0700 : 0750;
	if ((st.st_mode & 07777) == 0700 && mode != 0700) {
		if (st.st_gid != parent.st_gid && geteuid() == 0 &&
		    fchown(fd, (uid_t)-1, parent.st_gid) < 0)
			return -1;
		if (fchmod(fd, mode) < 0)
			return -1;
	}
	*ret_fd = vm_take_fd(&fd);
	return 0;
}

int vm_own_dir_make(const struct vm_state *s, int at, const char *name, int *ret_fd)
{
	bool made = mkdirat(at, name, 0700) == 0;
	int saved;

	if (!made && errno != EEXIST)
		return -1;
	if (own_dir_open(s, at, name, ret_fd) == 0)
		return 0;
	saved = errno;
	if (made)
		unlinkat(at, name, AT_REMOVEDIR);
	errno = saved;
	return -1;
}

/*
 * On a full disk no directory can be made for the lock; what can be undefined then is locked by its
 * definition.  Only this branch excludes each other, and a start needs room for much more.
 */
static int lock_definition(struct vm_guest *g, int *ret_lock, struct vm_err *err)
{
	char file[VM_FILE_NAME_MAX];
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	VM_AUTO_FD int fd = -1;

	vm_definition_name(g->name, file);
	fd = openat(g->state->etc, file, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return vm_err_sys(err, "open %s/%s", g->state->etc_path, file);
	if (fcntl(fd, F_OFD_SETLK, &fl) < 0)
		return vm_err_set(err, VM_IN_USE, "another command is at work on it");
	*ret_lock = vm_take_fd(&fd);
	return 0;
}

bool vm_disk_full(int sys)
{
	return sys == ENOSPC || sys == EDQUOT;
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
		if (!run_is_current(s, name, run))
			continue;
		ret->run = vm_take_fd(&run);
		ret->lock = vm_take_fd(&lock);
		ret->rest = rest;
		return 0;
	}
}

static int lock_take(struct vm_guest *g, struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO(vm_run_locked_close) struct vm_run_locked l = VM_RUN_LOCKED_INIT;
	struct stat st;

	if (vm_run_lock(g->state, g->name, &deadline, &l, err) < 0) {
		if (vm_disk_full(err->sys) && vm_definition_exists(g->state, g->name) &&
		    fstatat(g->state->run, g->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return lock_definition(g, &g->lock, err);
		return -1;
	}
	vm_cleanup_fd(&g->run);
	g->run = vm_take_fd(&l.run);
	g->lock = vm_take_fd(&l.lock);
	g->rest = l.rest;
	return 0;
}

int vm_guest_lock(struct vm_guest *g, struct vm_deadline deadline, struct vm_err *err)
{
	if (g->lock >= 0)
		return vm_guest_refresh(g, err);
	if (g->state->run < 0)
		return vm_err_set(err, VM_NOT_FOUND, "%s: no such directory", g->state->run_path);
	if (lock_take(g, deadline, err) < 0)
		return -1;
	if (vm_guest_refresh(g, err) < 0) {
		vm_guest_unlock(g);
		return -1;
	}
	return 0;
}

static int other_than_lock(int dirfd, const char *name, void *arg)
{
	(void)dirfd;
	(void)arg;
	return strcmp(name, VM_RUN_LOCK) != 0;
}

void vm_guest_unlock(struct vm_guest *g)
{
	int saved = errno;
	struct vm_err err;

	if (g->lock < 0)
		return;
	/*
	 * What does not run leaves no directory behind.  Whoever waits for this lock notices that
	 * the file has no name any more and begins anew.
	 */
	if (!g->active && g->run >= 0 && run_is_current(g->state, g->name, g->run) &&
	    vm_dir_each(g->run, other_than_lock, NULL, &err) == 0 &&
	    unlinkat(g->run, VM_RUN_LOCK, 0) == 0 &&
	    unlinkat(g->state->run, g->name, AT_REMOVEDIR) == 0)
		vm_cleanup_fd(&g->run);
	/* nor does a guest without a definition, unless something is kept there */
	if (!g->active && !g->defined && g->lib >= 0)
		unlinkat(g->state->lib, g->name, AT_REMOVEDIR);
	vm_lock_release(&g->lock);
	errno = saved;
}

void vm_guest_close(struct vm_guest *g)
{
	vm_guest_unlock(g);
	vm_cleanup_fd(&g->run);
	vm_cleanup_fd(&g->lib);
	vm_record_free(&g->record);
	vm_libvirt_free(g->libvirt);
	free(g->name);
	*g = VM_GUEST_INIT;
}

int vm_guest_make_dirs(struct vm_guest *g, struct vm_err *err)
{
	const struct vm_state *s = g->state;
	int fd;

	if (g->run < 0) {
		if (vm_own_dir_make(s, s->run, g->name, &fd) < 0)
			return vm_err_sys(err, "make %s/%s", s->run_path, g->name);
		g->run = fd;
	}
	if (g->lib < 0) {
		if (vm_own_dir_make(s, s->lib, g->name, &fd) < 0)
			return vm_err_sys(err, "make %s/%s", s->lib_path, g->name);
		g->lib = fd;
	}
	return 0;
}

int vm_guest_record_write(const struct vm_guest *g, struct vm_err *err)
{
	assert(g->run >= 0);
	return vm_record_write_volatile(&g->record, g->run, VM_RUN_RECORD, VM_RECORD_GUEST,
					VM_RECORD_GUEST_VERSION, err);
}

/* What was asked for and what is there, after all has settled. */
static int check_wanted(const struct vm_guest *g, unsigned flags, struct vm_err *err)
{
	if (!g->defined && !g->active && !(flags & VM_GUEST_NEW))
		return vm_err_set(err, VM_NOT_FOUND, "no such guest");
	if ((flags & VM_GUEST_DEFINED) && !g->defined) {
		vm_err_set(err, VM_NOT_FOUND, "has no definition");
		return vm_err_hint(err, "it is transient: it exists only while it runs");
	}
	if (!(flags & VM_GUEST_ACTIVE))
		return 0;
	if (g->active && g->life == VM_STALE) {
		vm_err_set(err, VM_IN_USE,
			   "its process is gone, what it used is not given back yet");
		return vm_err_hint(err, "vm-repair %s", g->name);
	}
	if (!g->active)
		return vm_err_set(err, VM_NOT_RUNNING, "is not running");
	return 0;
}

static int open_locked(struct vm_guest *g, const char *ref, unsigned flags,
		       struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO_FREE char *again = NULL;

	if (vm_guest_lock(g, deadline, err) < 0)
		return -1;
	/* A UUID or id may have got another meaning while we waited. */
	if (!(flags & VM_GUEST_NEW) && strcmp(ref, g->name) != 0) {
		if (vm_guest_resolve(g->state, ref, flags & VM_GUEST_BY_NAME, &again, err) < 0)
			return -1;
		if (strcmp(again, g->name) != 0)
			return vm_err_set(err, VM_NOT_FOUND, "no such guest any more");
	}
	if (!(flags & VM_GUEST_AS_IS) && vm_guest_reconcile(g, deadline, err) < 0)
		return -1;
	return 0;
}

int vm_guest_open(const struct vm_state *s, const char *ref, unsigned flags,
		  struct vm_deadline deadline, struct vm_guest *ret, struct vm_err *err)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	int r;

	g.state = s;
	if (flags & VM_GUEST_NEW) {
		if (vm_name_check(ref, err) < 0)
			return -1;
		g.name = vm_xstrdup(ref);
	} else if (vm_guest_resolve(s, ref, flags & VM_GUEST_BY_NAME, &g.name, err) < 0) {
		return -1;
	}
	if (flags & VM_GUEST_LOCKED)
		r = open_locked(&g, ref, flags, deadline, err);
	else
		r = vm_guest_refresh(&g, err);
	if (r < 0 || check_wanted(&g, flags, err) < 0)
		return vm_err_object(err, g.name);
	*ret = g;
	g = VM_GUEST_INIT;
	return 0;
}
