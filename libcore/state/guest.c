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
		g->run = vm_dir_at(g->state->run, g->name);
		if (g->run < 0 && errno != ENOENT)
			return vm_err_sys(err, "open %s/%s", g->state->run_path, g->name);
	}
	if (g->lib < 0)
		g->lib = vm_dir_at(g->state->lib, g->name);
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
	if (!g->active && g->run >= 0 && vm_run_is_current(g->state, g->name, g->run) &&
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
