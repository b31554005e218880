/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/internal.h"

#include <assert.h>
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

#include "state/libvirt.h"

#define RECORD	     "vm-claim"
#define VERSION	     1
#define LOCK	     ".lock"
#define OWN_LIST     "claims" /* in the guest's run directory: the keys it may have claims on */
#define LOCK_WAIT_MS 5000
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

static bool compatible(enum vm_claim_mode a, enum vm_claim_mode b)
{
	return a == b && a != VM_CLAIM_EXCLUSIVE;
}

static int key_check(const char *key, struct vm_err *err)
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

/* user, mode and what are parallel lists. */
struct claim {
	struct claim_use {
		char *user;
		enum vm_claim_mode mode;
		char *what;
	} * v;
	size_t n;
};

static void claim_free(struct claim *c)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		free(c->v[i].user);
		free(c->v[i].what);
	}
	free(c->v);
	*c = (struct claim){0};
}

static void claim_add(struct claim *c, const char *user, enum vm_claim_mode mode, const char *what)
{
	c->v = vm_xreallocarray(c->v, c->n + 1, sizeof(*c->v));
	c->v[c->n++] = (struct claim_use){vm_xstrdup(user), mode, vm_xstrdup(what ? what : "")};
}

static void claim_del(struct claim *c, size_t i)
{
	free(c->v[i].user);
	free(c->v[i].what);
	memmove(&c->v[i], &c->v[i + 1], (c->n - i - 1) * sizeof(*c->v));
	c->n--;
}

static int claim_load(int dir, const char *key, struct claim *ret, struct vm_err *err)
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

static int claim_store(int dir, const char *key, const struct claim *c, struct vm_err *err)
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

static int claims_lock(const struct vm_state *s, int *ret_lock, struct vm_err *err)
{
	if (s->claims < 0)
		return vm_err_set(err, VM_NOT_FOUND, "there is no directory of claims");
	if (vm_lock_take(s->claims, LOCK, vm_deadline_in(LOCK_WAIT_MS), ret_lock, err) < 0)
		return vm_err_wrap(err, "claims");
	return 0;
}

static char *user_of(const struct vm_guest *g)
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

enum presence { GONE, THERE, DEAD };

/* DEAD: it has a rest that must be reconciled before its claim may go. */
static enum presence user_presence(const struct vm_state *s, const char *user)
{
	VM_AUTO(vm_run_facts_free) struct vm_run_facts f = VM_RUN_FACTS_INIT;
	VM_AUTO_FD int run = user_run(s, user);
	struct stat st;

	if (run < 0)
		return errno == ENOENT ? GONE : THERE;
	vm_run_facts_read(run, false, &f);
	if ((f.alive == VM_ALIVE_HELD && !f.abandoned) || f.busy)
		return THERE;
	if (f.alive == VM_ALIVE_NO) {
		/* a start takes its claims under `lock` before there is anything else */
		if (vm_run_lock_held(run, VM_RUN_LOCK) != 0)
			return THERE;
		return fstatat(run, OWN_LIST, &st, AT_SYMLINK_NOFOLLOW) == 0 ? DEAD : GONE;
	}
	return DEAD;
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
	return vm_guest_reconcile(&other, vm_deadline_in(LOCK_WAIT_MS), err) < 0 ? -1 : 0;
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

	if (vm_file_read(g->run, OWN_LIST, VM_RECORD_MAX, &text, NULL, NULL, err) < 0) {
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
		switch (user_presence(g->state, c->v[i].user)) {
		case THERE:
			return conflict(&c->v[i], what, err);
		case DEAD:
			*ret_dead = vm_xstrdup(c->v[i].user);
			return 1;
		case GONE:
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
	    openat(g->run, OWN_LIST, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
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
	VM_AUTO_FREE char *self = user_of(g);
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
	if (key_check(key, err) < 0)
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
	return claim_store(s->claims, key, &c, err);
}

/* A line too many does no harm; but a guest whose devices come and go would note more and more. */
static void forget_own(const struct vm_guest *g, const char *key)
{
	VM_AUTO_FREE char *text = NULL;
	VM_AUTO(vm_strbuf_free) struct vm_strbuf left = VM_STRBUF_INIT;
	struct vm_err ignored = VM_ERR_INIT;
	char *line, *save = NULL;

	if (g->run < 0 ||
	    vm_file_read(g->run, OWN_LIST, VM_RECORD_MAX, &text, NULL, NULL, &ignored) < 0)
		return;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strcmp(line, key) != 0)
			vm_strbuf_printf(&left, "%s\n", line);
	if (left.len == 0)
		unlinkat(g->run, OWN_LIST, 0);
	else if (vm_file_write_volatile(g->run, OWN_LIST, left.text, left.len, 0600, &ignored) < 0)
		vm_log_step("%s", ignored.msg);
}

int vm_claim_drop(const struct vm_guest *g, const char *key, struct vm_err *err)
{
	VM_AUTO_FREE char *self = user_of(g);

	if (key_check(key, err) < 0 || drop_user(g->state, key, self, err) < 0)
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
	if (drop_user(d->g->state, key, d->user, d->err) == 0)
		return 0;
	if (!vm_disk_full(d->err->sys))
		return -1;
	vm_log_warning("%s", d->err->msg);
	return 0;
}

static int drop_each(int dirfd, const char *key, void *arg)
{
	struct vm_err ignored = VM_ERR_INIT;

	(void)dirfd;
	if (*key == '.' || key_check(key, &ignored) < 0)
		return 0;
	return drop_one(arg, key);
}

/* The keys noted; 1 = the list is damaged. */
static int drop_noted(struct drop *d)
{
	VM_AUTO_FREE char *text = NULL;
	struct vm_err why = VM_ERR_INIT;
	char *line, *save = NULL;

	if (vm_file_read(d->g->run, OWN_LIST, VM_RECORD_MAX, &text, NULL, NULL, &why) < 0)
		return why.kind == VM_NOT_FOUND ? 0 : 1;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (key_check(line, &why) < 0)
			return 1;
		if (drop_one(d, line) < 0)
			return -1;
	}
	return 0;
}

int vm_claim_drop_all(const struct vm_guest *g, struct vm_err *err)
{
	VM_AUTO_FREE char *self = user_of(g);
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
	if (unlinkat(g->run, OWN_LIST, 0) < 0 && errno != ENOENT)
		return vm_err_sys(err, "remove %s", OWN_LIST);
	return 0;
}

int vm_claim_read(const struct vm_state *s, const char *key, struct vm_record *ret,
		  struct vm_err *err)
{
	if (key_check(key, err) < 0)
		return -1;
	if (s->claims >= 0 && vm_record_read(ret, s->claims, key, RECORD, VERSION, err) == 0)
		return 0;
	if (s->claims >= 0 && err->kind != VM_NOT_FOUND)
		return -1;
	*ret = VM_RECORD_INIT;
	return 0;
}

/* ---- repair ---- */

struct rebuild {
	const struct vm_state *s;
	const char *key;
	struct claim c;
};

static int add_if_listed(int dirfd, const char *name, void *arg)
{
	struct rebuild *b = arg;
	VM_AUTO_FREE char *list = vm_xasprintf("%s/" OWN_LIST, name);
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
		if (user_presence(r->state, c.v[i].user) == GONE)
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
	if (*key != '.' && key_check(key, &err) == 0 && drop_gone(r, key, &err) < 0)
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
