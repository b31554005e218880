/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* by-uuid: a link for each UUID, to the definition that has it. */
#include "state/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/file.h>

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
	char link[sizeof(VM_BY_UUID) + 40] = VM_BY_UUID "/";

	if (s->etc < 0)
		return 1;
	vm_uuid_format(uuid, link + sizeof(VM_BY_UUID));
	return link_read(s->etc, link, ret);
}

int vm_uuid_held_by(const char *uuid, const char *holder, struct vm_err *err)
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
		return vm_uuid_held_by(uuid, holder, err);
	if (link_read(by_uuid, uuid, now) == 0 && strcmp(now, holder) == 0 &&
	    !vm_definition_exists(s, holder) && unlinkat(by_uuid, uuid, 0) < 0 && errno != ENOENT)
		r = vm_err_sys(err, "remove %s/%s", VM_BY_UUID, uuid);
	/* the directory was possibly made above */
	if (unlinkat(l.run, VM_RUN_LOCK, 0) == 0)
		(void)unlinkat(s->run, holder, AT_REMOVEDIR);
	return r;
}

/* 1 = made, 0 = was there. */
int vm_uuid_link_take(const struct vm_guest *g, int by_uuid, const char *uuid, struct vm_err *err)
{
	char target[VM_FILE_NAME_MAX + 8] = "../", holder[VM_NAME_MAX + 1];

	vm_definition_name(g->name, target + 3);
	for (;;) {
		if (symlinkat(target, by_uuid, uuid) == 0)
			break;
		if (errno != EEXIST)
			return vm_err_sys(err, "make %s/%s", VM_BY_UUID, uuid);
		if (link_read(by_uuid, uuid, holder) != 0) {
			vm_err_set(err, VM_BAD_INPUT, "%s/%s/%s: not a link to a definition",
				   g->state->etc_path, VM_BY_UUID, uuid);
			return vm_err_hint(err, "vm-repair --all makes these links anew");
		}
		if (strcmp(holder, g->name) == 0)
			return 0;
		if (vm_definition_exists(g->state, holder))
			return vm_uuid_held_by(uuid, holder, err);
		if (dangling_remove(g, by_uuid, uuid, holder, err) < 0)
			return -1;
	}
	if (vm_dir_sync(by_uuid) == 0)
		return 1;
	vm_err_sys(err, "sync %s/%s", g->state->etc_path, VM_BY_UUID);
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
	VM_AUTO_FD int dir = vm_etc_sub_open(s, VM_BY_UUID);

	if (dir < 0)
		return errno == ENOENT ? 0 : vm_err_sys(err, "open %s", VM_BY_UUID);
	if (vm_dir_each(dir, sweep_one, &w, err) < 0)
		return vm_err_sys(err, "clear %s/%s", s->etc_path, VM_BY_UUID);
	return w.found;
}

int vm_uuid_link_drop(const struct vm_guest *g, struct vm_err *err)
{
	char link[37], holder[VM_NAME_MAX + 1];
	VM_AUTO_FD int dir = -1;

	if (!g->has_uuid)
		return vm_uuid_links_sweep(g->state, g->name, err) < 0 ? -1 : 0;
	dir = vm_etc_sub_open(g->state, VM_BY_UUID);
	if (dir < 0)
		return errno == ENOENT ? 0 : vm_err_sys(err, "open %s", VM_BY_UUID);
	vm_uuid_format(g->uuid, link);
	if (link_read(dir, link, holder) != 0 || strcmp(holder, g->name) != 0)
		return vm_uuid_links_sweep(g->state, g->name, err) < 0 ? -1 : 0;
	return vm_file_remove(dir, link, err);
}
