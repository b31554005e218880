/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ids that are left of guests that are gone. */
#include "state/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/file.h>

#include "confine/uid.h"

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

	if ((uids = vm_uids_open(r->state)) < 0)
		return 0;
	return vm_dir_each(uids, repair_one, &copy, err) < 0 ? -1 : 0;
}
