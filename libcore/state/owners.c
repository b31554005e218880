/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files whose owner had to be changed on disk, because their filesystem cannot map it: what it was, and for whom.
 *
 * One record a file, "DEVICE-INODE".  It is written before the owner is changed; the last user's end restores it.
 */
#include "state/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/lock.h>
#include <vm/process.h>

#define OWNERS	     "../owners" /* beside the drivers' directories */
#define LOCK	     ".lock"
#define LOCK_WAIT_MS 5000u
#define RECORD	     "vm-owner"
#define VERSION	     1
#define KEY_MAX	     64u

struct owners {
	int dir, lock;
};
#define OWNERS_INIT ((struct owners){ .dir = -1, .lock = -1 })

static void owners_close(struct owners *o)
{
	vm_lock_release(&o->lock);
	vm_cleanup_fd(&o->dir);
}

/* 1 = there are none. */
static int owners_open(const struct vm_state *s, struct owners *o, struct vm_err *err)
{
	o->dir = openat(s->lib, OWNERS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (o->dir < 0)
		return errno == ENOENT ? 1 : vm_err_sys(err, "owners");
	return vm_lock_take(o->dir, LOCK, vm_deadline_in(LOCK_WAIT_MS), &o->lock, err);
}

void vm_owner_key(const struct stat *st, char key[VM_OWNER_KEY_MAX])
{
	snprintf(key, VM_OWNER_KEY_MAX, "%llx-%llu", (unsigned long long)st->st_dev,
		 (unsigned long long)st->st_ino);
}

static char *user_text(const struct vm_guest *g)
{
	return vm_xasprintf("%s/%s", g->state->driver, g->name);
}

/* ---- numbers of devices are another boot's, or not: then the place, the inode and the user it was given to tell ---- */

static bool is_of_another_boot(const struct vm_record *r)
{
	const char *boot = vm_record_get(r, "boot");
	struct vm_err ignored = VM_ERR_INIT;
	struct vm_procid self;

	return boot != NULL && vm_procid_self(&self, &ignored) == 0 && strcmp(boot, self.boot) != 0;
}

static bool is_same_inode(const char *key, const struct stat *st)
{
	char now[VM_OWNER_KEY_MAX];
	const char *a, *b;

	vm_owner_key(st, now);
	a = strchr(key, '-');
	b = strchr(now, '-');
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static bool was_given(const struct vm_record *r, const char *key, const struct stat *st)
{
	const char *to = vm_record_get(r, "to");
	char owner[32];

	snprintf(owner, sizeof(owner), "%u:%u", st->st_uid, st->st_gid);
	return is_of_another_boot(r) && is_same_inode(key, st) && to != NULL && strcmp(to, owner) == 0;
}

struct search {
	const char *path, *key;
	struct vm_record *r;
	bool found;
	struct vm_err *err;
};

/* A record of the same file under the name that it had in another boot gets the new name. */
static int adopt(int dirfd, const char *name, void *arg)
{
	struct search *s = arg;
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	struct vm_err ignored = VM_ERR_INIT;
	const char *path;
	struct stat st;

	if (*name == '.' || vm_record_read(&r, dirfd, name, RECORD, VERSION, &ignored) < 0)
		return 0;
	path = vm_record_get(&r, "path");
	if (path == NULL || strcmp(path, s->path) != 0 || stat(path, &st) < 0 || !was_given(&r, name, &st))
		return 0;
	if (renameat(dirfd, name, dirfd, s->key) < 0)
		return vm_err_sys(s->err, "rename the owner's record of %s", path);
	*s->r = r;
	r = VM_RECORD_INIT;
	s->found = true;
	return 1;
}

static int find_record(const struct owners *o, const char *key, const char *path, struct vm_record *ret,
		       struct vm_err *err)
{
	struct search s = { .path = path, .key = key, .r = ret, .err = err };
	struct vm_err none;

	if (vm_record_read(ret, o->dir, key, RECORD, VERSION, err) == 0)
		return 0;
	if (err->kind != VM_NOT_FOUND)
		return -1;
	none = *err;
	*err = VM_ERR_INIT;
	if (vm_dir_each(o->dir, adopt, &s, err) < 0)
		return -1;
	if (s.found)
		return 0;
	*err = none;
	return -1;
}

int vm_owner_change(const struct vm_guest *g, const char *path, int fd, uint32_t uid, uint32_t gid,
		    struct vm_err *err)
{
	VM_AUTO(owners_close) struct owners o = OWNERS_INIT;
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	VM_AUTO_FREE char *self = user_text(g);
	char key[VM_OWNER_KEY_MAX];
	struct vm_procid boot;
	const char *user;
	struct stat st;

	if (fstat(fd, &st) < 0 || vm_procid_self(&boot, err) < 0)
		return err->kind != VM_OK ? -1 : vm_err_sys(err, "%s", path);
	vm_owner_key(&st, key);
	if (mkdirat(g->state->lib, OWNERS, 0700) < 0 && errno != EEXIST)
		return vm_err_sys(err, "make the directory of owners");
	if (owners_open(g->state, &o, err) != 0)
		return -1;
	if (find_record(&o, key, path, &r, err) < 0) {
		if (err->kind != VM_NOT_FOUND)
			return -1;
		*err = VM_ERR_INIT;
		vm_record_set(&r, "path", path);
		vm_record_setf(&r, "was", "%u:%u:%o", st.st_uid, st.st_gid, st.st_mode & 07777);
	}
	for (size_t i = 0; (user = vm_record_nth(&r, "user", i)) != NULL; i++) {
		if (strcmp(user, self) == 0 || (st.st_uid == uid && st.st_gid == gid))
			continue;
		vm_err_set(err, VM_IN_USE, "%s belongs to guest '%s' while that runs, and its filesystem cannot map owners",
			   path, strchr(user, '/') != NULL ? strchr(user, '/') + 1 : user);
		return vm_err_hint(err, "give both guests one user by <seclabel type='static' model='dac'>");
	}
	vm_record_del(&r, "user", self);
	vm_record_add(&r, "user", self);
	vm_record_setf(&r, "to", "%u:%u", uid, gid);
	vm_record_set(&r, "boot", boot.boot);
	if (vm_record_write(&r, o.dir, key, RECORD, VERSION, err) < 0)
		return -1;
	if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0) {
		vm_err_sys(err, "give %s to the guest's user %u", path, uid);
		return vm_err_hint(err, "its filesystem can neither map nor change owners");
	}
	return 0;
}

/* Opens the file that a record is of.  1 = it is gone, or another one is there; an error is no proof of that. */
static int open_same(const struct vm_record *r, const char *key, int *ret_fd, struct vm_err *err)
{
	const char *path = vm_record_get(r, "path");
	VM_AUTO_FD int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char now[VM_OWNER_KEY_MAX];
	struct stat st;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 1;
	if (fd < 0 || fstat(fd, &st) < 0)
		return vm_err_sys(err, "give %s back to its owner", path);
	vm_owner_key(&st, now);
	if (strcmp(now, key) != 0 && !was_given(r, key, &st))
		return 1;
	*ret_fd = vm_take_fd(&fd);
	return 0;
}

/* 1 = not now: the file cannot be seen. */
static int restore(const struct owners *o, const char *key, const struct vm_record *r,
		   struct vm_err *err)
{
	const char *path = vm_record_get(r, "path"), *was = vm_record_get(r, "was");
	unsigned uid, gid, mode;
	VM_AUTO_FD int fd = -1;
	char self[64];

	if (path != NULL && was != NULL && sscanf(was, "%u:%u:%o", &uid, &gid, &mode) == 3 &&
	    open_same(r, key, &fd, err) < 0)
		return -1;
	/* After a boot its filesystem may not be mounted yet. */
	if (fd < 0 && path != NULL && access(path, F_OK) < 0 && is_of_another_boot(r))
		return 1;
	/* Changing the owner takes set-user-ID away, so the mode comes after it. */
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if ((fd < 0 ||
	     (fchownat(fd, "", uid, gid, AT_EMPTY_PATH) == 0 && chmod(self, mode) == 0)) &&
	    (unlinkat(o->dir, key, 0) == 0 || errno == ENOENT))
		return 0;
	return vm_err_sys(err, "give %s back to its owner", path != NULL ? path : key);
}

static int drop_user(const struct owners *o, const char *key, const char *user, struct vm_err *err)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	size_t before;

	if (vm_record_read(&r, o->dir, key, RECORD, VERSION, err) < 0) {
		if (err->kind != VM_NOT_FOUND)
			return -1;
		*err = VM_ERR_INIT;
		return 0;
	}
	before = r.n;
	vm_record_del(&r, "user", user);
	if (vm_record_get(&r, "user") == NULL)
		return restore(o, key, &r, err);
	if (r.n == before)
		return 0;
	return vm_record_write(&r, o->dir, key, RECORD, VERSION, err);
}

int vm_owner_restore(const struct vm_state *s, const char *user, const char *key, struct vm_err *err)
{
	VM_AUTO(owners_close) struct owners o = OWNERS_INIT;
	int r = owners_open(s, &o, err);

	if (r != 0)
		return r < 0 ? -1 : 0;
	/* Who was killed may have left it half-written. */
	vm_file_sweep(o.dir);
	return drop_user(&o, key, user, err) < 0 ? -1 : 0;
}

bool vm_owner_is_changed(const struct vm_state *s, const struct stat *st)
{
	char key[VM_OWNER_KEY_MAX], path[VM_OWNER_KEY_MAX + sizeof(OWNERS) + 1];

	vm_owner_key(st, key);
	snprintf(path, sizeof(path), OWNERS "/%s", key);
	return faccessat(s->lib, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

struct leftover {
	const struct owners *o;
	const char *user;
	struct vm_err *err;
};

static int drop_one(int dirfd, const char *key, void *arg)
{
	const struct leftover *l = arg;

	(void)dirfd;
	return *key == '.' || drop_user(l->o, key, l->user, l->err) >= 0 ? 0 : -1;
}

int vm_owner_restore_all(const struct vm_guest *g, struct vm_err *err)
{
	VM_AUTO(owners_close) struct owners o = OWNERS_INIT;
	VM_AUTO_FREE char *self = user_text(g);
	struct leftover l = { &o, self, err };
	int r = owners_open(g->state, &o, err);

	if (r != 0)
		return r < 0 ? -1 : 0;
	return vm_dir_each(o.dir, drop_one, &l, err) < 0 ? -1 : 0;
}

/* ---- repair: after a crash of the host nobody else knows ---- */

struct look {
	const struct vm_repair *r;
	const struct owners *o;
};

static int repair_one(int dirfd, const char *key, void *arg)
{
	const struct look *l = arg;
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	struct vm_err err = VM_ERR_INIT;
	const struct vm_state *s = l->r->state;
	size_t len = strlen(s->driver);
	const char *user;
	int done;

	if (*key == '.' || vm_record_read(&r, dirfd, key, RECORD, VERSION, &err) < 0)
		return 0;
	for (size_t i = 0; (user = vm_record_nth(&r, "user", i)) != NULL; i++) {
		if (strncmp(user, s->driver, len) != 0 || user[len] != '/' ||
		    vm_run_exists(s, user + len + 1))
			continue;
		done = l->r->dry_run ? 0 : drop_user(l->o, key, user, &err);
		if (done < 0)
			l->r->failed(user + len + 1, &err, l->r->arg);
		else if (done == 0)
			l->r->did(user + len + 1, "gave back a file's owner", l->r->arg);
	}
	return vm_wait_interrupted();
}

int vm_owners_repair(const struct vm_repair *r, struct vm_err *err)
{
	VM_AUTO(owners_close) struct owners o = OWNERS_INIT;
	struct look l = { r, &o };
	int n;

	if (r->state->uri.session || r->state->lib < 0)
		return 0;
	n = owners_open(r->state, &o, err);
	if (n != 0)
		return n < 0 ? -1 : 0;
	if (!r->dry_run)
		vm_file_sweep(o.dir);
	return vm_dir_each(o.dir, repair_one, &l, err) < 0 ? -1 : 0;
}
