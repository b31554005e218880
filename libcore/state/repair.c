/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What no guest's own lock covers in passing: vm-repair looks at everything, one guest's lock at a
 * time. */
#include "state/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/lock.h>

#include "state/facts.h"
#include "state/hostdev.h"

#define WATCHER_MS 2000u /* it knows better how a run ended, and may be about to say so */

static void did(const struct vm_repair *r, const char *object, const char *what)
{
	r->did(object, what, r->arg);
}

/* ---- run directories ---- */

static int other_than_lock(int dirfd, const char *name, void *arg)
{
	(void)dirfd;
	(void)arg;
	return strcmp(name, VM_RUN_LOCK) != 0;
}

/* A guest was asked to let go of a host device: whoever asked may not have come so far. */
static bool is_settling(int run)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	struct vm_err ignored = VM_ERR_INIT;

	return vm_record_read(&r, run, VM_RUN_RECORD, VM_RECORD_GUEST, VM_RECORD_GUEST_VERSION, &ignored) == 0 &&
	       (vm_record_get(&r, VM_KEY_UNPLUG) != NULL || vm_hostdev_lost(&r));
}

/* What reconciling will do; NULL = nothing, "" = nothing worth telling, or not known: *ret_busy, somebody is at
 * work on it.  own_lock: the caller holds `lock`. */
static const char *run_fault(int run, bool own_lock, bool *ret_busy)
{
	VM_AUTO(vm_run_facts_free) struct vm_run_facts f = VM_RUN_FACTS_INIT;
	struct vm_err ignored;

	vm_run_facts_read(run, own_lock, &f);
	*ret_busy = f.busy || (!own_lock && vm_run_lock_held(run, VM_RUN_LOCK) == 1);
	if (*ret_busy)
		return "";
	if (f.abandoned)
		return "undid a start that was interrupted";
	if (f.alive == VM_ALIVE_HELD) {
		if (vm_entry_exists(run, VM_RUN_PLUG))
			return "settled an attach that was interrupted";
		if (vm_entry_exists(run, VM_RUN_DEFINE_WAS))
			return "settled a change of its devices that was interrupted";
		if (vm_entry_exists(run, VM_RUN_UNDO_CHANGE))
			return "undid a change that was interrupted";
		if (vm_entry_exists(run, VM_RUN_UNDO_START))
			return "finished a start that was interrupted";
		return is_settling(run) ? "" : NULL;
	}
	if (f.alive == VM_ALIVE_STALE)
		return "cleared away what a dead run left";
	/* an empty directory, perhaps with a lock that nobody holds */
	if (vm_dir_each(run, other_than_lock, NULL, &ignored) == 0)
		return "";
	return "cleared away what an interrupted command left";
}

/* The watcher of a run that has ended takes the lock in a moment. */
static void let_watcher(int run, struct vm_deadline deadline)
{
	VM_AUTO_FD int lock = -1;
	struct vm_err ignored;

	deadline = vm_deadline_min(deadline, vm_deadline_in(WATCHER_MS));
	if (vm_run_lock_held(run, VM_RUN_LOCK) != 1 &&
	    vm_run_lock_held(run, VM_RUN_WATCH_LOCK) == 1)
		(void)vm_lock_take(run, VM_RUN_WATCH_LOCK, deadline, &lock, &ignored);
}

/* *ret_fault as run_fault() under the lock. */
static int repair_locked(const struct vm_repair *r, const char *name, const char **ret_fault,
			 struct vm_err *err)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	struct vm_deadline deadline = vm_deadline_in(r->timeout_ms);
	bool busy;
	int done;

	if (vm_guest_open(r->state, name, VM_GUEST_LOCKED | VM_GUEST_NEW | VM_GUEST_AS_IS, deadline,
			  &g, err) < 0)
		return -1;
	if (g.run >= 0)
		*ret_fault = run_fault(g.run, true, &busy);
	done = vm_guest_reconcile(&g, deadline, err);
	if (done == 0)
		*ret_fault = NULL;
	return done < 0 ? -1 : 0;
}

void vm_repair_guest(const struct vm_repair *r, const char *name)
{
	struct vm_err err = VM_ERR_INIT;
	VM_AUTO_FD int run = -1;
	const char *fault;
	bool busy;

	if (r->state->run < 0)
		return;
	run = openat(r->state->run, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (run < 0)
		return;
	fault = run_fault(run, false, &busy);
	if (!fault)
		return;
	if (busy && !r->dry_run)
		let_watcher(run, vm_deadline_in(r->timeout_ms));
	if (!r->dry_run && repair_locked(r, name, &fault, &err) < 0)
		r->failed(name, &err, r->arg);
	else if (fault && *fault)
		did(r, name, fault);
}

static int one_guest(int dirfd, const char *name, void *arg)
{
	(void)dirfd;
	if (vm_name_valid(name))
		vm_repair_guest(arg, name);
	return vm_wait_interrupted();
}

int vm_repair_guests(const struct vm_repair *r, struct vm_err *err)
{
	struct vm_repair copy = *r;

	if (r->state->run < 0)
		return 0;
	return vm_dir_each(r->state->run, one_guest, &copy, err) < 0 ? -1 : 0;
}

/* ---- links and marks ---- */

/* Runs fn with the guest's lock. fn looks again: 1 = done, 0 = no need any more. */
static void with_lock(const struct vm_repair *r, const char *name,
		      int (*fn)(const struct vm_guest *g, const uint8_t uuid[16]),
		      const uint8_t uuid[16], const char *what)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	struct vm_err err = VM_ERR_INIT;
	int done;

	if (!r->dry_run) {
		if (vm_guest_open(r->state, name, VM_GUEST_LOCKED | VM_GUEST_NEW | VM_GUEST_AS_IS,
				  vm_deadline_in(r->timeout_ms), &g, &err) < 0) {
			r->failed(name, &err, r->arg);
			return;
		}
		done = fn(&g, uuid);
		if (done < 0) {
			vm_err_sys(&err, "%s", "repair its links");
			r->failed(name, &err, r->arg);
		}
		if (done <= 0)
			return;
	}
	did(r, name, what);
}

/* UUIDs of the definitions, sorted by name. */
struct known {
	struct names names;
	uint8_t (*uuids)[16]; /* all 0 = not known */
};
struct gather {
	const struct vm_repair *r;
	struct known known;
	struct names stale;
};

static int gather_name(int dirfd, const char *file, void *arg)
{
	struct gather *g = arg;
	char name[VM_NAME_MAX + 1];

	(void)dirfd;
	if (vm_definition_stem(file, name))
		vm_names_add(&g->known.names, name);
	return 0;
}

static uint8_t *uuid_of(const struct known *k, const char *name)
{
	size_t low = 0, high = k->names.n, mid;
	int c;

	while (low < high) {
		mid = low + (high - low) / 2;
		c = strcmp(name, k->names.v[mid]);
		if (c == 0)
			return k->uuids[mid];
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

static void take_fact(const char *name, const struct vm_record *facts, void *arg)
{
	const struct known *k = arg;
	const char *text = vm_record_get(facts, "uuid");
	uint8_t *uuid = uuid_of(k, name);

	if (uuid && text && vm_uuid_parse(text, uuid) < 0)
		memset(uuid, 0, 16);
}

static bool is_known(const uint8_t *uuid)
{
	static const uint8_t none[16];

	return uuid && memcmp(uuid, none, 16) != 0;
}

static int gather_uuids(struct gather *g, struct vm_err *err)
{
	const struct vm_state *s = g->r->state;
	size_t i;
	bool ran;

	if (vm_dir_each(s->etc, gather_name, g, err) < 0)
		return -1;
	vm_names_sort(&g->known.names);
	g->known.uuids = calloc(g->known.names.n + 1, 16);
	if (!g->known.uuids)
		return vm_err_sys(err, "read the definitions");
	for (i = 0; i < g->known.names.n; i++) {
		VM_AUTO(vm_record_free) struct vm_record index = VM_RECORD_INIT;
		struct vm_err ignored = VM_ERR_INIT;

		if (vm_index_read(s, g->known.names.v[i], &index, &ignored) == 0)
			take_fact(g->known.names.v[i], &index, &g->known);
		else
			vm_names_add(&g->stale, g->known.names.v[i]);
	}
	if (!g->stale.n)
		return 0;
	return vm_facts_run(s, &g->stale, vm_deadline_in(60000), take_fact, &g->known, &ran, err);
}

/* Its definition has this UUID, by its index; other: if that cannot be read. */
static bool has_uuid(const struct vm_guest *g, const uint8_t uuid[16], bool other)
{
	VM_AUTO(vm_record_free) struct vm_record index = VM_RECORD_INIT;
	struct vm_err ignored;
	const char *text;
	uint8_t has[16];

	if (!vm_definition_exists(g->state, g->name))
		return false;
	if (vm_index_read(g->state, g->name, &index, &ignored) != 0)
		return other;
	text = vm_record_get(&index, "uuid");
	return text && vm_uuid_parse(text, has) == 0 ? memcmp(has, uuid, 16) == 0 : other;
}

static int drop_link(const struct vm_guest *g, const uint8_t uuid[16])
{
	VM_AUTO_FD int dir = vm_etc_sub_open(g->state, "by-uuid");
	char holder[VM_NAME_MAX + 1], link[37];

	vm_uuid_format(uuid, link);
	if (dir < 0 || vm_uuid_link_read(g->state, uuid, holder) != 0 ||
	    strcmp(holder, g->name) != 0 || has_uuid(g, uuid, false))
		return 0;
	return unlinkat(dir, link, 0) < 0 ? -1 : 1;
}

static int make_link(const struct vm_guest *g, const uint8_t uuid[16])
{
	char target[VM_FILE_NAME_MAX + 8] = "../", link[37];
	VM_AUTO_FD int dir = -1;

	vm_definition_name(g->name, target + 3);
	vm_uuid_format(uuid, link);
	if (!has_uuid(g, uuid, true))
		return 0;
	if (vm_own_dir_make(g->state, g->state->etc, "by-uuid", &dir) < 0)
		return -1;
	if (symlinkat(target, dir, link) < 0)
		return errno == EEXIST ? 0 : -1;
	return vm_dir_sync(dir) < 0 ? -1 : 1;
}

/* The link is wrong: it leads to no definition, or to one that has another UUID. */
static int check_link(int dirfd, const char *link, void *arg)
{
	struct gather *g = arg;
	char name[VM_NAME_MAX + 1];
	const uint8_t *has;
	uint8_t uuid[16];

	if (vm_uuid_parse(link, uuid) < 0 || strlen(link) != 36)
		return 0; /* nothing of ours */
	if (vm_uuid_link_read(g->r->state, uuid, name) != 0) {
		struct vm_err err = VM_ERR_INIT;

		if (!g->r->dry_run && unlinkat(dirfd, link, 0) < 0) {
			vm_err_sys(&err, "remove by-uuid/%s", link);
			g->r->failed(link, &err, g->r->arg);
			return 0;
		}
		did(g->r, link, "removed what was no link to a definition");
		return 0;
	}
	has = uuid_of(&g->known, name);
	if (has && (!is_known(has) || memcmp(has, uuid, 16) == 0))
		return 0;
	with_lock(g->r, name, drop_link, uuid,
		  has ? "removed a by-uuid link of another UUID"
		      : "removed a by-uuid link without definition");
	return vm_wait_interrupted();
}

static const struct known *sorting; /* qsort() has no argument for it */

static int by_uuid(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	int c = memcmp(sorting->uuids[x], sorting->uuids[y], 16);

	return c ? c : (x > y) - (x < y);
}

/* Definitions of one UUID, by name: one has the link, or gets it, the others are in its way. */
static void check_group(const struct gather *g, const size_t *group, size_t n)
{
	const uint8_t *uuid = g->known.uuids[group[0]];
	const char *keeper = g->known.names.v[group[0]];
	char holder[VM_NAME_MAX + 1] = "", text[37];
	bool linked;
	size_t i;

	linked = vm_uuid_link_read(g->r->state, uuid, holder) == 0;
	for (i = 0; i < n && linked; i++)
		if (strcmp(g->known.names.v[group[i]], holder) == 0)
			keeper = holder;
	/* a link to a definition that could not be read stays */
	if (!linked || (keeper != holder && !uuid_of(&g->known, holder)))
		with_lock(g->r, keeper, make_link, uuid, "made its by-uuid link");
	vm_uuid_format(uuid, text);
	for (i = 0; i < n; i++) {
		struct vm_err err = VM_ERR_INIT;

		if (strcmp(g->known.names.v[group[i]], keeper) == 0)
			continue;
		vm_err_set(&err, VM_IN_USE, "has the same UUID %s as '%s'", text, keeper);
		vm_err_hint(&err, "undefine one of them, or edit its <uuid>");
		g->r->failed(g->known.names.v[group[i]], &err, g->r->arg);
	}
}

static void check_definitions(const struct gather *g)
{
	VM_AUTO_FREE size_t *order = vm_xcalloc(g->known.names.n + 1, sizeof(*order));
	size_t i, n = 0, next;

	for (i = 0; i < g->known.names.n; i++)
		if (is_known(g->known.uuids[i]))
			order[n++] = i;
	sorting = &g->known;
	if (n)
		qsort(order, n, sizeof(*order), by_uuid);
	for (i = 0; i < n && !vm_wait_interrupted(); i = next) {
		for (next = i + 1; next < n; next++)
			if (memcmp(g->known.uuids[order[next]], g->known.uuids[order[i]], 16) != 0)
				break;
		check_group(g, &order[i], next - i);
	}
}

static int drop_mark(const struct vm_guest *g, const uint8_t uuid[16])
{
	struct vm_err ignored;

	(void)uuid;
	if (vm_definition_exists(g->state, g->name))
		return 0;
	return vm_autostart_set(g->state, g->name, false, &ignored) == 0;
}

static int check_mark(int dirfd, const char *file, void *arg)
{
	const struct gather *g = arg;
	char name[VM_NAME_MAX + 1];

	(void)dirfd;
	if (vm_definition_stem(file, name) && !uuid_of(&g->known, name))
		with_lock(g->r, name, drop_mark, NULL,
			  "removed a mark for autostart without definition");
	return vm_wait_interrupted();
}

static void gather_free(struct gather *g)
{
	vm_names_free(&g->known.names);
	vm_names_free(&g->stale);
	free(g->known.uuids);
}

static int repair_etc(const struct vm_repair *r, struct vm_err *err)
{
	VM_AUTO(gather_free) struct gather g = {.r = r};
	VM_AUTO_FD int links = vm_etc_sub_open(r->state, "by-uuid");
	VM_AUTO_FD int marks = vm_etc_sub_open(r->state, "autostart");

	if (gather_uuids(&g, err) < 0)
		return -1;
	if (links >= 0 && vm_dir_each(links, check_link, &g, err) < 0)
		return -1;
	check_definitions(&g);
	return marks >= 0 && vm_dir_each(marks, check_mark, &g, err) < 0 ? -1 : 0;
}

/* ---- temporaries ---- */

static void sweep(const struct vm_repair *r, int dirfd, const char *path)
{
	char what[64];
	unsigned n;

	if (dirfd < 0 || r->dry_run)
		return;
	n = vm_file_sweep(dirfd);
	if (!n)
		return;
	snprintf(what, sizeof(what), "removed %u half-written file%s", n, n == 1 ? "" : "s");
	did(r, path, what);
}

/* What an undefine could not remove. 1 = gone now; what was to be kept (NVRAM) keeps the directory. */
static int forget(const struct vm_guest *g, const uint8_t uuid[16])
{
	struct vm_err ignored = VM_ERR_INIT;

	(void)uuid;
	if (g->defined || g->active || g->lib < 0)
		return 0;
	if (unlinkat(g->lib, VM_LIB_INDEX, 0) < 0 && errno != ENOENT)
		return -1;
	(void)vm_guest_uid_drop(g, &ignored);
	return unlinkat(g->state->lib, g->name, AT_REMOVEDIR) == 0;
}

static int sweep_one(int dirfd, const char *name, void *arg)
{
	const struct vm_repair *r = arg;
	VM_AUTO_FD int dir = -1;

	if (*name == '.' || !vm_name_valid(name))
		return 0;
	dir = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	sweep(r, dir, name);
	if (!r->dry_run && dir >= 0 && !vm_definition_exists(r->state, name))
		with_lock(r, name, forget, NULL, "removed what was left of its definition");
	return vm_wait_interrupted();
}

int vm_repair_places(const struct vm_repair *r, struct vm_err *err)
{
	const struct vm_state *s = r->state;
	struct vm_repair copy = *r;
	VM_AUTO_FD int marks = vm_etc_sub_open(s, "autostart");

	if (s->etc >= 0 && repair_etc(r, err) < 0)
		return -1;
	if (vm_claims_repair(r, err) < 0 || vm_uids_repair(r, err) < 0 ||
	    vm_owners_repair(r, err) < 0)
		return -1;
	sweep(r, s->etc, s->etc_path);
	sweep(r, marks, s->etc_path);
	sweep(r, s->lib, s->lib_path);
	sweep(r, s->claims, "claims");
	return s->lib >= 0 && vm_dir_each(s->lib, sweep_one, &copy, err) < 0 ? -1 : 0;
}
