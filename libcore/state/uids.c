/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ids of guests: whose they are. */
#include "state/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <vm/cleanup.h>

#include "confine/uid.h"

#define UIDS "../uids"

/* Guests of an ordinary user run as that user. */
static bool applies(const struct vm_state *s)
{
	return !s->uri.session && geteuid() == 0 && s->lib >= 0;
}

int vm_uids_open(const struct vm_state *s)
{
	if (!applies(s)) {
		errno = ENOENT;
		return -1;
	}
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
	uids = vm_uids_open(g->state);
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
		uids = vm_uids_open(s);
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
	uids = vm_uids_open(g->state);
	if (uids < 0 && errno != ENOENT)
		return vm_err_sys(err, "uids");
	snprintf(prefix, sizeof(prefix), "%s/%s/", g->state->driver, g->name);
	return vm_uid_drop(uids, g->lib, prefix, err);
}
