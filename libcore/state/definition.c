/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/file.h>

#include "state/libvirt.h"

#define BY_UUID	  "by-uuid"

void vm_definition_name(const char *name, char ret[VM_FILE_NAME_MAX])
{
	/* by hand: this is done for each of ten thousand guests */
	size_t len = strnlen(name, VM_NAME_MAX);

	memcpy(ret, name, len);
	memcpy(ret + len, ".xml", sizeof(".xml"));
}

bool vm_definition_stem(const char *file, char ret[VM_NAME_MAX + 1])
{
	size_t len = strlen(file);

	if (len < 5 || len - 4 > VM_NAME_MAX || strcmp(file + len - 4, ".xml") != 0)
		return false;
	memcpy(ret, file, len - 4);
	ret[len - 4] = '\0';
	return vm_name_valid(ret);
}

bool vm_definition_exists(const struct vm_state *s, const char *name)
{
	char file[VM_FILE_NAME_MAX];
	struct stat st;

	vm_definition_name(name, file);
	return s->etc >= 0 && fstatat(s->etc, file, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int vm_dir_sync(int dirfd)
{
	vm_fsync_count++;
	return fsync(dirfd) < 0 && errno != EINVAL && errno != EROFS ? -1 : 0;
}

int vm_etc_sub_open(const struct vm_state *s, const char *sub)
{
	if (s->etc < 0) {
		errno = ENOENT;
		return -1;
	}
	return openat(s->etc, sub, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* ---- by-uuid ---- */

/* Reads a link of ours: "../NAME.xml". 1 = none, or not one of ours. */
static int link_read(int dirfd, const char *link, char ret[VM_NAME_MAX + 1])
{
	char target[VM_FILE_NAME_MAX + 8];
	ssize_t n = readlinkat(dirfd, link, target, sizeof(target) - 1);

	if (n < 0)
		return 1;
	target[n] = '\0';
	return strncmp(target, "../", 3) == 0 && vm_definition_stem(target + 3, ret) ? 0 : 1;
}

int vm_uuid_link_read(const struct vm_state *s, const uint8_t uuid[16], char ret[VM_NAME_MAX + 1])
{
	char link[sizeof(BY_UUID) + 40] = BY_UUID "/";

	if (s->etc < 0)
		return 1;
	vm_uuid_format(uuid, link + sizeof(BY_UUID));
	return link_read(s->etc, link, ret);
}

static int held_by(const char *uuid, const char *holder, struct vm_err *err)
{
	vm_err_set(err, VM_IN_USE, "UUID %s is that of guest '%s'", uuid, holder);
	return vm_err_hint(err, "leave the UUID out to get a new one, or undefine '%s'", holder);
}

/*
 * The link of a define that was killed before its definition was there.  With the holder's lock
 * nobody is on the way to make it true.
 */
static int dangling_remove(const struct vm_guest *g, int by_uuid, const char *uuid,
			   const char *holder, struct vm_err *err)
{
	const struct vm_state *s = g->state;
	VM_AUTO(vm_run_locked_close) struct vm_run_locked l = VM_RUN_LOCKED_INIT;
	char now[VM_NAME_MAX + 1];
	int r = vm_run_lock(s, holder, NULL, &l, err);

	if (r < 0)
		return -1;
	if (r == 1)
		return held_by(uuid, holder, err);
	if (link_read(by_uuid, uuid, now) == 0 && strcmp(now, holder) == 0 &&
	    !vm_definition_exists(s, holder) && unlinkat(by_uuid, uuid, 0) < 0 && errno != ENOENT)
		r = vm_err_sys(err, "remove %s/%s", BY_UUID, uuid);
	/* the directory was possibly made above */
	if (unlinkat(l.run, VM_RUN_LOCK, 0) == 0)
		(void)unlinkat(s->run, holder, AT_REMOVEDIR);
	return r;
}

/* 1 = made, 0 = was there. */
static int link_take(const struct vm_guest *g, int by_uuid, const char *uuid, struct vm_err *err)
{
	char target[VM_FILE_NAME_MAX + 8] = "../", holder[VM_NAME_MAX + 1];

	vm_definition_name(g->name, target + 3);
	for (;;) {
		if (symlinkat(target, by_uuid, uuid) == 0)
			break;
		if (errno != EEXIST)
			return vm_err_sys(err, "make %s/%s", BY_UUID, uuid);
		if (link_read(by_uuid, uuid, holder) != 0) {
			vm_err_set(err, VM_BAD_INPUT, "%s/%s/%s: not a link to a definition",
				   g->state->etc_path, BY_UUID, uuid);
			return vm_err_hint(err, "vm-repair --all makes these links anew");
		}
		if (strcmp(holder, g->name) == 0)
			return 0;
		if (vm_definition_exists(g->state, holder))
			return held_by(uuid, holder, err);
		if (dangling_remove(g, by_uuid, uuid, holder, err) < 0)
			return -1;
	}
	if (vm_dir_sync(by_uuid) == 0)
		return 1;
	vm_err_sys(err, "sync %s/%s", g->state->etc_path, BY_UUID);
	unlinkat(by_uuid, uuid, 0);
	return -1;
}

struct sweep {
	const struct vm_state *s;
	const char *name;
	int found;
};

static int sweep_one(int dirfd, const char *link, void *arg)
{
	struct sweep *w = arg;
	char holder[VM_NAME_MAX + 1];

	if (link_read(dirfd, link, holder) != 0 || strcmp(holder, w->name) != 0)
		return 0;
	if (unlinkat(dirfd, link, 0) < 0 && errno != ENOENT)
		return -1;
	w->found = 1;
	return 0;
}

int vm_uuid_links_sweep(const struct vm_state *s, const char *name, struct vm_err *err)
{
	struct sweep w = {.s = s, .name = name};
	VM_AUTO_FD int dir = vm_etc_sub_open(s, BY_UUID);

	if (dir < 0)
		return errno == ENOENT ? 0 : vm_err_sys(err, "open %s", BY_UUID);
	if (vm_dir_each(dir, sweep_one, &w, err) < 0)
		return vm_err_sys(err, "clear %s/%s", s->etc_path, BY_UUID);
	return w.found;
}

/* ---- definitions ---- */

static int uuid_check(const struct vm_guest *g, const char *uuid, bool replace, struct vm_err *err)
{
	VM_AUTO(vm_record_free) struct vm_record index = VM_RECORD_INIT;
	VM_AUTO(vm_libvirt_freep) struct vm_libvirt *libvirt = NULL;
	VM_AUTO_FREE char *owner = NULL;
	const char *has;
	struct vm_err none;

	if (replace && vm_index_read(g->state, g->name, &index, &none) == 0) {
		has = vm_record_get(&index, "uuid");
		if (has && strcasecmp(has, uuid) != 0)
			return vm_err_set(err, VM_IN_USE, "is defined already, with UUID %s", has);
	}
	if (vm_uuid_owner(g->state, g->uuid, &owner, &none) == 0 && strcmp(owner, g->name) != 0)
		return held_by(uuid, owner, err);
	if (vm_libvirt_load(&libvirt, err) < 0)
		return -1;
	return vm_libvirt_check_uuid(libvirt, g->uuid, err);
}

int vm_definition_write(const struct vm_guest *g, const char *text, size_t len, bool replace,
			struct vm_err *err)
{
	const struct vm_state *s = g->state;
	char file[VM_FILE_NAME_MAX], uuid[37];
	VM_AUTO_FD int by_uuid = -1;
	bool exists;
	int made;

	assert(g->lock >= 0 && g->has_uuid && s->etc >= 0);
	vm_definition_name(g->name, file);
	vm_uuid_format(g->uuid, uuid);
	if (len > VM_DEFINITION_MAX)
		return vm_err_set(err, VM_BAD_INPUT, "%s: larger than %u bytes", file,
				  VM_DEFINITION_MAX);
	exists = vm_definition_exists(s, g->name);
	if (exists && !replace)
		return vm_err_set(err, VM_IN_USE, "is defined already");
	if (uuid_check(g, uuid, exists, err) < 0)
		return -1;
	if (vm_own_dir_make(s, s->etc, BY_UUID, &by_uuid) < 0)
		return vm_err_sys(err, "make %s/%s", s->etc_path, BY_UUID);
	/* The link first: two guests of one UUID must never both be there. */
	made = link_take(g, by_uuid, uuid, err);
	if (made < 0)
		return -1;
	if (vm_file_write(s->etc, file, text, len, 0600, err) == 0)
		return 0;
	/* A definition that is there but could not be made durable keeps its link. */
	if (made && !vm_definition_exists(s, g->name))
		unlinkat(by_uuid, uuid, 0);
	return vm_err_wrap(err, "%s", s->etc_path);
}

int vm_definition_read(const struct vm_state *s, const char *name, char **ret_text, size_t *ret_len,
		       struct vm_err *err)
{
	char file[VM_FILE_NAME_MAX];

	if (vm_name_check(name, err) < 0)
		return -1;
	vm_definition_name(name, file);
	if (s->etc < 0)
		return vm_err_set(err, VM_NOT_FOUND, "has no definition");
	if (vm_file_read(s->etc, file, VM_DEFINITION_MAX, ret_text, ret_len, NULL, err) == 0)
		return 0;
	if (err->kind == VM_NOT_FOUND)
		return vm_err_set(err, VM_NOT_FOUND, "has no definition");
	return vm_err_wrap(err, "%s", s->etc_path);
}

static int link_drop(const struct vm_guest *g, struct vm_err *err)
{
	char link[37], holder[VM_NAME_MAX + 1];
	VM_AUTO_FD int dir = -1;

	if (!g->has_uuid)
		return vm_uuid_links_sweep(g->state, g->name, err) < 0 ? -1 : 0;
	dir = vm_etc_sub_open(g->state, BY_UUID);
	if (dir < 0)
		return errno == ENOENT ? 0 : vm_err_sys(err, "open %s", BY_UUID);
	vm_uuid_format(g->uuid, link);
	if (link_read(dir, link, holder) != 0 || strcmp(holder, g->name) != 0)
		return vm_uuid_links_sweep(g->state, g->name, err) < 0 ? -1 : 0;
	return vm_file_remove(dir, link, err);
}

/* What leads to a definition that is gone.  The first failure is told; the rest is removed all the same. */
static int remove_rest(const struct vm_guest *g, struct vm_err *err)
{
	const struct vm_state *s = g->state;
	struct vm_err other = VM_ERR_INIT;
	bool failed = link_drop(g, err) < 0;

	if (g->lib < 0)
		return failed ? -1 : 0;
	if (unlinkat(g->lib, VM_LIB_INDEX, 0) < 0 && errno != ENOENT) {
		vm_err_sys(failed ? &other : err, "remove %s/%s/index", s->lib_path, g->name);
		failed = true;
	}
	if (!g->active && unlinkat(g->lib, VM_LIB_LAST, 0) < 0 && errno != ENOENT) {
		vm_err_sys(failed ? &other : err, "remove %s/%s/last", s->lib_path, g->name);
		failed = true;
	}
	if (!g->active && vm_guest_uid_drop(g, failed ? &other : err) < 0)
		failed = true;
	if (!g->active)
		(void)unlinkat(s->lib, g->name, AT_REMOVEDIR);
	return failed ? -1 : 0;
}

int vm_definition_remove(const struct vm_guest *g, struct vm_err *err)
{
	const struct vm_state *s = g->state;
	struct vm_err other = VM_ERR_INIT;
	char file[VM_FILE_NAME_MAX];

	assert(g->lock >= 0);
	vm_definition_name(g->name, file);
	if (s->etc < 0)
		return 0;
	/* From what depends on the definition to what only leads to it: killed anywhere, a second
	 * undefine or a new define of the name goes on from there. */
	if (vm_autostart_set(s, g->name, false, err) < 0)
		return -1;
	if (vm_file_remove(s->etc, file, err) < 0) {
		vm_err_wrap(err, "%s", s->etc_path);
		/* gone, but not known to stay so: the rest goes too, or nobody would look for it */
		if (!vm_definition_exists(s, g->name))
			(void)remove_rest(g, &other);
		return -1;
	}
	return remove_rest(g, err);
}
