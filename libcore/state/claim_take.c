/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taking a claim: what stands against it, and what is left of users that are dead. */
#include "state/claim_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/lock.h>

#include "state/libvirt.h"

static bool compatible(enum vm_claim_mode a, enum vm_claim_mode b)
{
	return a == b && a != VM_CLAIM_EXCLUSIVE;
}

/* Does not wait for the other guest's lock: ours is held. */
static int reconcile_user(const struct vm_guest *g, const char *user, struct vm_err *err)
{
	VM_AUTO(vm_guest_close) struct vm_guest other = VM_GUEST_INIT;
	const char *name = strchr(user, '/') + 1;
	size_t len = strlen(g->state->driver);

	if (strncmp(user, g->state->driver, len) != 0 || user[len] != '/')
		return vm_err_set(err, VM_IN_USE, "it is a guest of another driver");
	if (vm_guest_open(g->state, name, VM_GUEST_LOCKED | VM_GUEST_NEW | VM_GUEST_AS_IS,
			  vm_deadline_in(1), &other, err) < 0) {
		if (err->kind == VM_TIMED_OUT)
			err->kind = VM_IN_USE;
		return -1;
	}
	return vm_guest_reconcile(&other, vm_deadline_in(CLAIM_LOCK_WAIT_MS), err) < 0 ? -1 : 0;
}

static int conflict(const struct claim_use *u, const char *what, struct vm_err *err)
{
	const char *name = strchr(u->user, '/');

	vm_err_set(err, VM_IN_USE, "%s: is used by guest '%s'%s", what ? what : u->what,
		   name ? name + 1 : u->user,
		   u->mode == VM_CLAIM_EXCLUSIVE ? ""
		   : u->mode == VM_CLAIM_READ	 ? ", which only reads it"
						 : ", which shares it");
	return vm_err_hint(err, "vm-info %s shows what it uses", name ? name + 1 : u->user);
}

/* Has this run of the guest noted the key?  Otherwise the claim is of an earlier one, whose end could not drop it. */
static int is_noted(const struct vm_guest *g, const char *key, struct vm_err *err)
{
	VM_AUTO_FREE char *text = NULL;
	size_t len = strlen(key);

	if (vm_file_read(g->run, CLAIM_OWN_LIST, VM_RECORD_MAX, &text, NULL, NULL, err) < 0) {
		if (err->kind != VM_NOT_FOUND)
			return -1;
		*err = VM_ERR_INIT;
		return 0;
	}
	for (const char *line = text; *line != 0; line += strcspn(line, "\n"), line += *line == '\n')
		if (strncmp(line, key, len) == 0 && (line[len] == '\n' || line[len] == 0))
			return 1;
	return 0;
}

/* Of the guest's own claim.  0 = it may be taken again; 2 = has it already. */
static int check_own(const struct vm_guest *g, const char *key, const struct claim_use *own,
		     enum vm_claim_mode mode, const char *what, struct vm_err *err)
{
	int noted = is_noted(g, key, err);

	if (noted <= 0)
		return noted;
	if (!compatible(own->mode, mode))
		return vm_err_set(err, VM_IN_USE, "%s: the guest itself uses it twice", what ? what : own->what);
	return 2;
}

/*
 * Under the claims' lock.  0 = no conflict; 1 = *ret_dead (owned) must be reconciled first, which
 * must not be done under this lock; 2 = has it already.
 */
static int check(const struct vm_guest *g, const char *key, struct claim *c, const char *self,
		 enum vm_claim_mode mode, const char *what, char **ret_dead, struct vm_err *err)
{
	size_t i;
	int r;

	for (i = 0; i < c->n;) {
		if (strcmp(c->v[i].user, self) == 0) {
			r = check_own(g, key, &c->v[i], mode, what, err);
			if (r != 0)
				return r;
			claim_del(c, i);
			continue;
		}
		if (compatible(c->v[i].mode, mode)) {
			i++;
			continue;
		}
		switch (claim_user_presence(g->state, c->v[i].user)) {
		case CLAIM_THERE:
			return conflict(&c->v[i], what, err);
		case CLAIM_DEAD:
			*ret_dead = vm_xstrdup(c->v[i].user);
			return 1;
		case CLAIM_GONE:
			claim_del(c, i);
		}
	}
	return 0;
}

/* Written before the claim, so that whatever is claimed is found at the end without a search. */
static int note_own(const struct vm_guest *g, const char *key, struct vm_err *err)
{
	VM_AUTO_FREE char *line = vm_xasprintf("%s\n", key);
	VM_AUTO_FD int fd =
	    openat(g->run, CLAIM_OWN_LIST, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	ssize_t len = (ssize_t)strlen(line), n;
	off_t end;

	end = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	if (end < 0)
		return vm_err_sys(err, "note the claim on %s", key);
	n = write(fd, line, (size_t)len);
	if (n == len)
		return 0;
	if (n >= 0)
		errno = ENOSPC;
	vm_err_sys(err, "note the claim on %s", key);
	/* half a line would take the next one with it */
	if (ftruncate(fd, end) < 0)
		vm_err_wrap(err, "take back half a line");
	return -1;
}

/* One round: as check(). */
static int take_once(struct vm_guest *g, const char *key, enum vm_claim_mode mode, const char *what,
		     char **ret_dead, struct vm_err *err)
{
	VM_AUTO_FREE char *self = claim_user(g);
	VM_AUTO(claim_free) struct claim c = {0};
	VM_AUTO(vm_lock_release) int lock = -1;
	int r;

	if (claims_lock(g->state, &lock, err) < 0 || claim_load(g->state->claims, key, &c, err) < 0)
		return -1;
	r = check(g, key, &c, self, mode, what, ret_dead, err);
	if (r)
		return r == 2 ? 0 : r;
	claim_add(&c, self, mode, what);
	if (note_own(g, key, err) < 0)
		return -1;
	return claim_store(g->state->claims, key, &c, err);
}

int vm_claim_take(struct vm_guest *g, const char *key, enum vm_claim_mode mode, const char *what,
		  struct vm_err *err)
{
	int r, tries;

	assert(g->lock >= 0 && g->run >= 0);
	if (claim_key_check(key, err) < 0)
		return -1;
	if (!g->libvirt && vm_libvirt_load(&g->libvirt, err) < 0)
		return -1;
	if (vm_libvirt_check_key(g->libvirt, key, mode, err) < 0)
		return vm_err_wrap(err, "%s", what ? what : key);
	for (tries = 0; tries < 64; tries++) {
		VM_AUTO_FREE char *dead = NULL;

		r = take_once(g, key, mode, what, &dead, err);
		if (r <= 0)
			return r;
		if (reconcile_user(g, dead, err) < 0)
			return vm_err_wrap(err,
					   "%s: is claimed by '%s', which is dead but not "
					   "cleared away",
					   what ? what : key, strchr(dead, '/') + 1);
	}
	return vm_err_set(err, VM_IN_USE, "%s: its users change too fast", what ? what : key);
}
