/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ids of guests: whose they are, and what is left of guests that are gone. */
#include "state/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/file.h>

#include "confine/uid.h"

#define UIDS "../uids"

/* Guests of an ordinary user run as that user. */
static bool applies(const struct vm_state *s)
{
	return !s->uri.session && geteuid() == 0 && s->lib >= 0;
}

/* Beside the drivers' directories: the ids are one pool for all of them. */
static int open_uids(const struct vm_state *s)
{
	return openat(s->lib, UIDS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static void owner_of(const struct vm_guest *g, char buf[VM_UID_OWNER_MAX])
{
	char uuid[37];

	vm_uuid_format(g->uuid, uuid);
	snprintf(buf, VM_UID_OWNER_MAX, "%s/%s/%s", g->state->driver, g->name, uuid);
}

int vm_guest_uid(const struct vm_guest *g, uint32_t *ret)
{
	VM_AUTO_FD int uids = -1;
	char owner[VM_UID_OWNER_MAX];

	if (!applies(g->state) || g->lib < 0 || !g->has_uuid)
		return 1;
	uids = open_uids(g->state);
	owner_of(g, owner);
	return vm_uid_find(uids, g->lib, owner, ret);
}

int vm_guest_uid_take(struct vm_guest *g, uint32_t *ret, struct vm_err *err)
{
	const struct vm_state *s = g->state;
	VM_AUTO_FD int uids = -1;
	VM_AUTO_FD int etc = -1;
	VM_AUTO_FREE char *etc_path = NULL;
	struct vm_uid_pool pool;
	char owner[VM_UID_OWNER_MAX];

	if (!applies(s))
		return 1;
	if (vm_guest_make_dirs(g, err) < 0)
		return -1;
	if (mkdirat(s->lib, UIDS, 0700) == 0 || errno == EEXIST)
		uids = open_uids(s);
	if (uids < 0)
		return vm_err_sys(err, "open the directory of ids");
	etc_path = vm_state_path("/etc");
	etc = open(etc_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	pool = (struct vm_uid_pool){ .dir = uids,
				     .etc = etc,
				     .first = (uint32_t)s->conf.uid_first,
				     .count = (uint32_t)s->conf.uid_count };
	owner_of(g, owner);
	return vm_uid_take(&pool, g->lib, owner, ret, err);
}

int vm_guest_uid_drop(const struct vm_guest *g, struct vm_err *err)
{
	VM_AUTO_FD int uids = -1;
	char prefix[VM_UID_OWNER_MAX];

	if (!applies(g->state) || g->lib < 0)
		return 0;
	uids = open_uids(g->state);
	if (uids < 0 && errno != ENOENT)
		return vm_err_sys(err, "uids");
	snprintf(prefix, sizeof(prefix), "%s/%s/", g->state->driver, g->name);
	return vm_uid_drop(uids, g->lib, prefix, err);
}

/* ---- repair ---- */

/* The guest that an id names: 0 and its name, if it is one of this driver. */
static int name_of(const struct vm_state *s, char *owner, char **ret_name)
{
	size_t len = strlen(s->driver);
	char *slash = strrchr(owner, '/');

	if (strncmp(owner, s->driver, len) != 0 || owner[len] != '/' || slash <= owner + len)
		return -1;
	*slash = 0;
	*ret_name = owner + len + 1;
	return vm_name_valid(*ret_name) ? 0 : -1;
}

/* Its guest has it, or is there and may be about to. */
static bool in_use(const struct vm_state *s, const char *name, const char *number)
{
	char path[VM_NAME_MAX + 8], has[16];
	ssize_t n;

	if (!vm_definition_exists(s, name) && !vm_run_exists(s, name))
		return false;
	snprintf(path, sizeof(path), "%s/" VM_UID_LINK, name);
	n = readlinkat(s->lib, path, has, sizeof(has));
	return n == (ssize_t)strlen(number) && memcmp(has, number, (size_t)n) == 0;
}

static int drop_unused(int dirfd, const char *number, const char *name, const struct vm_repair *r,
		       struct vm_err *err)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;

	if (r->dry_run)
		return 1;
	if (vm_guest_open(r->state, name, VM_GUEST_LOCKED | VM_GUEST_NEW | VM_GUEST_AS_IS,
			  vm_deadline_in(1), &g, err) < 0)
		return err->kind == VM_TIMED_OUT ? 0 : -1;
	/* The directory that was made for the lock does not count. */
	if ((g.defined || g.active) && in_use(r->state, name, number))
		return 0;
	if (!g.defined && !g.active && vm_guest_uid_drop(&g, err) < 0)
		return -1;
	if (unlinkat(dirfd, number, 0) < 0 && errno != ENOENT)
		return vm_err_sys(err, "give back the id %s", number);
	return 1;
}

static int repair_one(int dirfd, const char *number, void *arg)
{
	const struct vm_repair *r = arg;
	char owner[VM_UID_OWNER_MAX], *name;
	struct vm_err err = VM_ERR_INIT;
	uint32_t id;
	int done;

	if (!vm_uid_owner(dirfd, number, &id, owner) || name_of(r->state, owner, &name) < 0 ||
	    in_use(r->state, name, number))
		return vm_wait_interrupted();
	done = drop_unused(dirfd, number, name, r, &err);
	if (done < 0)
		r->failed(name, &err, r->arg);
	else if (done > 0)
		r->did(name, "gave back an id that nobody uses", r->arg);
	return vm_wait_interrupted();
}

int vm_uids_repair(const struct vm_repair *r, struct vm_err *err)
{
	VM_AUTO_FD int uids = -1;
	struct vm_repair copy = *r;

	if (!applies(r->state) || (uids = open_uids(r->state)) < 0)
		return 0;
	return vm_dir_each(uids, repair_one, &copy, err) < 0 ? -1 : 0;
}
