/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Claims: the files, whose users are still there, and the end of a claim. */
#include "state/claim_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/lock.h>
#include <vm/log.h>
#include <vm/strbuf.h>

#define RECORD	     "vm-claim"
#define VERSION	     1
#define LOCK	     ".lock"
#define KEY_BYTES    255u

static const char *const mode_words[] = {
    [VM_CLAIM_EXCLUSIVE] = "exclusive",
    [VM_CLAIM_SHARED] = "shared",
    [VM_CLAIM_READ] = "read",
};

/* A word that is not known (a newer program's) is taken for the strictest. */
static enum vm_claim_mode mode_of(const char *word)
{
	size_t i;

	for (i = 0; word && i < VM_COUNT(mode_words); i++)
		if (strcmp(mode_words[i], word) == 0)
			return (enum vm_claim_mode)i;
	return VM_CLAIM_EXCLUSIVE;
}

int claim_key_check(const char *key, struct vm_err *err)
{
	const char *p;

	for (p = key; *p; p++)
		if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f || *p == '/' ||
		    *p == '\\')
			break;
	if (*p || *key == '.' || !*key || p - key > (int)KEY_BYTES)
		return vm_err_set(err, VM_BAD_INPUT, "'%.80s' is no key of a claim", key);
	return 0;
}

int vm_claim_key_file(const char *path, char **ret_key, struct vm_err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return vm_err_sys(err, "%s", path);
	if (S_ISBLK(st.st_mode))
		*ret_key = vm_xasprintf("block:%u:%u", major(st.st_rdev), minor(st.st_rdev));
	else
		*ret_key = vm_xasprintf("file:%llx:%llu", (unsigned long long)st.st_dev,
					(unsigned long long)st.st_ino);
	return 0;
}

/* ---- one claim file ---- */

void claim_free(struct claim *c)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		free(c->v[i].user);
		free(c->v[i].what);
	}
	free(c->v);
	*c = (struct claim){0};
}

void claim_add(struct claim *c, const char *user, enum vm_claim_mode mode, const char *what)
{
	c->v = vm_xreallocarray(c->v, c->n + 1, sizeof(*c->v));
	c->v[c->n++] = (struct claim_use){vm_xstrdup(user), mode, vm_xstrdup(what ? what : "")};
}

void claim_del(struct claim *c, size_t i)
{
	free(c->v[i].user);
	free(c->v[i].what);
	memmove(&c->v[i], &c->v[i + 1], (c->n - i - 1) * sizeof(*c->v));
	c->n--;
}

int claim_load(int dir, const char *key, struct claim *ret, struct vm_err *err)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	struct claim c = {0};
	const char *user;
	size_t i;

	if (vm_record_read(&r, dir, key, RECORD, VERSION, err) < 0 && err->kind != VM_NOT_FOUND) {
		vm_err_wrap(err, "claim");
		return vm_err_hint(err, "vm-repair --all makes the claims anew");
	}
	for (i = 0; (user = vm_record_nth(&r, "user", i)); i++)
		claim_add(&c, user, mode_of(vm_record_nth(&r, "mode", i)),
			  vm_record_nth(&r, "what", i));
	*ret = c;
	return 0;
}

int claim_store(int dir, const char *key, const struct claim *c, struct vm_err *err)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	size_t i;

	if (!c->n) {
		if (unlinkat(dir, key, 0) < 0 && errno != ENOENT)
			return vm_err_sys(err, "remove claim %s", key);
		return 0;
	}
	for (i = 0; i < c->n; i++) {
		vm_record_add(&r, "user", c->v[i].user);
		vm_record_add(&r, "mode", mode_words[c->v[i].mode]);
		vm_record_add(&r, "what", c->v[i].what);
	}
	return vm_record_write_volatile(&r, dir, key, RECORD, VERSION, err);
}

int claims_lock(const struct vm_state *s, int *ret_lock, struct vm_err *err)
{
	if (s->claims < 0)
		return vm_err_set(err, VM_NOT_FOUND, "there is no directory of claims");
	if (vm_lock_take(s->claims, LOCK, vm_deadline_in(CLAIM_LOCK_WAIT_MS), ret_lock, err) < 0)
		return vm_err_wrap(err, "claims");
	return 0;
}

char *claim_user(const struct vm_guest *g)
{
	return vm_xasprintf("%s/%s", g->state->driver, g->name);
}

/* ---- who is still there ---- */

/*
 * The run directory of a user "DRIVER/NAME": beside the claims.  -1 with ENOENT: nothing is left of
 * that guest, nor is it about to start.
 */
static int user_run(const struct vm_state *s, const char *user)
{
	VM_AUTO_FREE char *driver = vm_xstrdup(user);
	char *name = strchr(driver, '/');
	VM_AUTO_FD int top = -1;
	VM_AUTO_FD int of = -1;

	if (!name || name == driver || *driver == '.' || !vm_name_valid(name + 1)) {
		errno = ENOENT;
		return -1;
	}
	*name++ = '\0';
	top = openat(s->claims, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	of = openat(top, driver, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (top < 0 || of < 0)
		return -1;
	return openat(of, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

enum claim_presence claim_user_presence(const struct vm_state *s, const char *user)
{
	VM_AUTO(vm_run_facts_free) struct vm_run_facts f = VM_RUN_FACTS_INIT;
	VM_AUTO_FD int run = user_run(s, user);
	struct stat st;

	if (run < 0)
		return errno == ENOENT ? CLAIM_GONE : CLAIM_THERE;
	vm_run_facts_read(run, false, &f);
	if ((f.alive == VM_ALIVE_HELD && !f.abandoned) || f.busy)
		return CLAIM_THERE;
	if (f.alive == VM_ALIVE_NO) {
		/* a start takes its claims under `lock` before there is anything else */
		if (vm_run_lock_held(run, VM_RUN_LOCK) != 0)
			return CLAIM_THERE;
		return fstatat(run, CLAIM_OWN_LIST, &st, AT_SYMLINK_NOFOLLOW) == 0 ? CLAIM_DEAD : CLAIM_GONE;
	}
	return CLAIM_DEAD;
}

/* 1 = there is no room to write the others' claims without this one. */
static int drop_user(const struct vm_state *s, const char *key, const char *user,
		     struct vm_err *err)
{
	VM_AUTO(claim_free) struct claim c = {0};
	VM_AUTO(vm_lock_release) int lock = -1;
	struct vm_err bad = VM_ERR_INIT;
	size_t i;

	if (s->claims < 0)
		return 0;
	if (claims_lock(s, &lock, err) < 0)
		return -1;
	/* A damaged one must not keep a guest from being stopped: it is vm-repair's.  The next command reads others again. */
	if (claim_load(s->claims, key, &c, &bad) < 0) {
		if (bad.sys != 0) {
			*err = bad;
			return -1;
		}
		vm_log_warning("%s", bad.msg);
		return 0;
	}
	for (i = 0; i < c.n; i++)
		if (strcmp(c.v[i].user, user) == 0)
			break;
	if (i == c.n)
		return 0;
	claim_del(&c, i);
	if (claim_store(s->claims, key, &c, err) == 0)
		return 0;
	return vm_disk_full(err->sys) ? 1 : -1;
}

/* A line too many does no harm; but a guest whose devices come and go would note more and more. */
static void forget_own(const struct vm_guest *g, const char *key)
{
	VM_AUTO_FREE char *text = NULL;
	VM_AUTO(vm_strbuf_free) struct vm_strbuf left = VM_STRBUF_INIT;
	struct vm_err ignored = VM_ERR_INIT;
	char *line, *save = NULL;

	if (g->run < 0 ||
	    vm_file_read(g->run, CLAIM_OWN_LIST, VM_RECORD_MAX, &text, NULL, NULL, &ignored) < 0)
		return;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strcmp(line, key) != 0)
			vm_strbuf_printf(&left, "%s\n", line);
	if (left.len == 0)
		unlinkat(g->run, CLAIM_OWN_LIST, 0);
	else if (vm_file_write_volatile(g->run, CLAIM_OWN_LIST, left.text, left.len, 0600, &ignored) < 0)
		vm_log_step("%s", ignored.msg);
}

int vm_claim_drop(const struct vm_guest *g, const char *key, struct vm_err *err)
{
	VM_AUTO_FREE char *self = claim_user(g);

	if (claim_key_check(key, err) < 0 || drop_user(g->state, key, self, err) != 0)
		return -1;
	forget_own(g, key);
	return 0;
}

struct drop {
	const struct vm_guest *g;
	const char *user;
	struct vm_err *err;
};

/*
 * On a full disk a shared claim cannot be written without us.  It stays, and since nothing is left
 * of this guest it counts for nothing.
 */
static int drop_one(struct drop *d, const char *key)
{
	int r = drop_user(d->g->state, key, d->user, d->err);

	if (r == 1)
		vm_log_warning("%s", d->err->msg);
	return r < 0 ? -1 : 0;
}

static int drop_each(int dirfd, const char *key, void *arg)
{
	struct vm_err ignored = VM_ERR_INIT;

	(void)dirfd;
	if (*key == '.' || claim_key_check(key, &ignored) < 0)
		return 0;
	return drop_one(arg, key);
}

/* The keys noted; 1 = the list is damaged. */
static int drop_noted(struct drop *d)
{
	VM_AUTO_FREE char *text = NULL;
	struct vm_err why = VM_ERR_INIT;
	char *line, *save = NULL;

	if (vm_file_read(d->g->run, CLAIM_OWN_LIST, VM_RECORD_MAX, &text, NULL, NULL, &why) < 0)
		return why.kind == VM_NOT_FOUND ? 0 : 1;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (claim_key_check(line, &why) < 0)
			return 1;
		if (drop_one(d, line) < 0)
			return -1;
	}
	return 0;
}

int vm_claim_drop_all(const struct vm_guest *g, struct vm_err *err)
{
	VM_AUTO_FREE char *self = claim_user(g);
	struct drop d = {.g = g, .user = self, .err = err};
	int r;

	/* The claims of a guest without run directory count for nothing. */
	if (g->state->claims < 0 || g->run < 0)
		return 0;
	r = drop_noted(&d);
	if (r == 1)
		r = vm_dir_each(g->state->claims, drop_each, &d, err);
	if (r < 0)
		return -1;
	/* A start that was killed may have left one half-written. */
	vm_file_sweep(g->state->claims);
	if (unlinkat(g->run, CLAIM_OWN_LIST, 0) < 0 && errno != ENOENT)
		return vm_err_sys(err, "remove %s", CLAIM_OWN_LIST);
	return 0;
}

int vm_claim_read(const struct vm_state *s, const char *key, struct vm_record *ret,
		  struct vm_err *err)
{
	struct vm_err why = VM_ERR_INIT;

	if (claim_key_check(key, err) < 0)
		return -1;
	if (s->claims >= 0 && vm_record_read(ret, s->claims, key, RECORD, VERSION, &why) == 0)
		return 0;
	if (s->claims >= 0 && why.kind != VM_NOT_FOUND) {
		*err = why;
		return -1;
	}
	*ret = VM_RECORD_INIT;
	return 0;
}
