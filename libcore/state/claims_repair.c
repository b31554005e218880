/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Claims of guests that are gone, and claims that cannot be read. */
#include "state/claim_file.h"

#include <stdio.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/lock.h>

struct rebuild {
	const struct vm_state *s;
	const char *key;
	struct claim c;
};

static int add_if_listed(int dirfd, const char *name, void *arg)
{
	struct rebuild *b = arg;
	VM_AUTO_FREE char *list = vm_xasprintf("%s/" CLAIM_OWN_LIST, name);
	VM_AUTO_FREE char *text = NULL;
	VM_AUTO_FREE char *user = NULL;
	struct vm_err ignored = VM_ERR_INIT;
	char *line, *save = NULL;

	if (!vm_name_valid(name) ||
	    vm_file_read(dirfd, list, VM_RECORD_MAX, &text, NULL, NULL, &ignored) < 0)
		return 0;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (strcmp(line, b->key) != 0)
			continue;
		/* How it was claimed is lost: nobody may join before these have ended. */
		user = vm_xasprintf("%s/%s", b->s->driver, name);
		claim_add(&b->c, user, VM_CLAIM_EXCLUSIVE, NULL);
		return 0;
	}
	return 0;
}

/* A claim that cannot be read: its users are those that have noted it.  With the claims' lock. */
static int rebuild(const struct vm_repair *r, const char *key, struct vm_err *err)
{
	struct rebuild b = {.s = r->state, .key = key};
	char what[96];
	int done = 0;

	if (r->state->run >= 0)
		done = vm_dir_each(r->state->run, add_if_listed, &b, err);
	if (done == 0 && !r->dry_run)
		done = claim_store(r->state->claims, key, &b.c, err);
	snprintf(what, sizeof(what), "made the claim anew, with %zu user%s", b.c.n,
		 b.c.n == 1 ? "" : "s");
	claim_free(&b.c);
	if (done == 0)
		r->did(key, what, r->arg);
	return done;
}

static int drop_gone(const struct vm_repair *r, const char *key, struct vm_err *err)
{
	VM_AUTO(claim_free) struct claim c = {0};
	VM_AUTO(vm_lock_release) int lock = -1;
	size_t i, before;

	if (!r->dry_run && claims_lock(r->state, &lock, err) < 0)
		return -1;
	if (claim_load(r->state->claims, key, &c, err) < 0)
		return err->kind == VM_UNSUPPORTED ? -1 : rebuild(r, key, err);
	before = c.n;
	for (i = 0; i < c.n;) {
		if (claim_user_presence(r->state, c.v[i].user) == CLAIM_GONE)
			claim_del(&c, i);
		else
			i++;
	}
	if (c.n == before && c.n)
		return 0;
	if (!r->dry_run && claim_store(r->state->claims, key, &c, err) < 0)
		return -1;
	r->did(key, "removed claims of guests that are gone", r->arg);
	return 0;
}

static int repair_one(int dirfd, const char *key, void *arg)
{
	const struct vm_repair *r = arg;
	struct vm_err err = VM_ERR_INIT;

	(void)dirfd;
	if (*key != '.' && claim_key_check(key, &err) == 0 && drop_gone(r, key, &err) < 0)
		r->failed(key, &err, r->arg);
	return 0;
}

int vm_claims_repair(const struct vm_repair *r, struct vm_err *err)
{
	struct vm_repair copy = *r;

	if (r->state->claims < 0)
		return 0;
	return vm_dir_each(r->state->claims, repair_one, &copy, err) < 0 ? -1 : 0;
}
