/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>

#include "state/ask.h"
#include "state/facts.h"

/* ---- a growing list ---- */

struct list {
	const struct vm_state *s;
	const struct vm_entries_want *want;
	struct vm_entry *v;
	size_t n, cap;
	size_t active;	     /* the first so many are active, sorted by name while we look */
	struct names marked; /* for autostart */
	struct over {
		char *name;
		struct vm_status status;
	} *over; /* off, and being given back: how they ended is not where it stays yet */
	size_t n_over;
};

static void entry_free(struct vm_entry *e)
{
	free(e->name);
	free(e->problem);
	free(e->title);
}

static struct vm_entry *add(struct list *l, const char *name)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->v = vm_xreallocarray(l->v, l->cap, sizeof(*l->v));
	}
	l->v[l->n] = (struct vm_entry){.name = vm_xstrdup(name)};
	return &l->v[l->n++];
}

static void problem(struct vm_entry *e, const char *text)
{
	if (!e->problem)
		e->problem = vm_xstrdup(text);
}

/* ---- active guests ---- */

static void from_record(struct vm_entry *e, const struct vm_record *r)
{
	const char *uuid = vm_record_get(r, VM_KEY_UUID), *title = vm_record_get(r, VM_KEY_TITLE);

	e->id = (pid_t)vm_record_u64(r, VM_KEY_PID, 0);
	if (e->id < 0)
		e->id = 0;
	e->has_uuid = uuid && vm_uuid_parse(uuid, e->uuid) == 0;
	e->title = vm_xstrdup(title);
}

/*
 * QEMU is gone and somebody is giving back what it held.  How it ended is told by the status that the watcher
 * writes before; until then the guest is not off, since nobody could say why.
 */
static void look_ending(struct list *l, const char *name, int run, const struct vm_record *r)
{
	struct vm_status s;
	struct vm_err none;
	struct vm_entry *e;

	if (vm_status_read(run, &s, &none) < 0)
		return;
	if (s.life == VM_SHUTOFF || s.life == VM_CRASHED) {
		l->over = vm_xreallocarray(l->over, l->n_over + 1, sizeof(*l->over));
		l->over[l->n_over++] = (struct over){vm_xstrdup(name), s};
		return;
	}
	e = add(l, name);
	e->active = true;
	from_record(e, r);
	e->status = s;
	if (s.life != VM_SHUTTING_DOWN)
		e->status = (struct vm_status){.life = VM_SHUTTING_DOWN, .from = "record"};
}

static const struct vm_status *find_over(const struct list *l, const char *name)
{
	for (size_t i = 0; i < l->n_over; i++)
		if (strcmp(l->over[i].name, name) == 0)
			return &l->over[i].status;
	return NULL;
}

static int look_active(int dirfd, const char *name, void *arg)
{
	VM_AUTO(vm_run_facts_free) struct vm_run_facts f = VM_RUN_FACTS_INIT;
	struct list *l = arg;
	VM_AUTO_FD int run = -1;
	struct vm_entry *e;

	if (*name == '.' || !vm_name_valid(name))
		return 0;
	run = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (run < 0)
		return 0;
	vm_run_facts_read(run, false, &f);
	if (f.alive == VM_ALIVE_STALE && f.busy)
		look_ending(l, name, run, &f.record);
	if (f.alive == VM_ALIVE_NO || f.busy)
		return 0;
	e = add(l, name);
	e->active = true;
	from_record(e, &f.record);
	if (f.alive == VM_ALIVE_STALE || f.abandoned) {
		e->status = (struct vm_status){.life = VM_STALE, .from = "record"};
		problem(e, f.abandoned ? "its start was interrupted; run vm-repair"
				       : "its process is gone, what it used is not given back; run "
					 "vm-repair");
		return 0;
	}
	if (f.record_bad)
		problem(e, f.problem.msg);
	vm_run_status(run, &f.record, &e->status);
	if (e->status.life == VM_UNRESPONSIVE)
		problem(e, "its process is stopped (SIGSTOP)");
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct vm_entry *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static struct vm_entry *find_active(const struct list *l, const char *name)
{
	const struct vm_entry key = {.name = (char *)(uintptr_t)name};

	return l->active ? bsearch(&key, l->v, l->active, sizeof(*l->v), by_name) : NULL;
}

/* ---- definitions ---- */

static int look_defined(int dirfd, const char *file, void *arg)
{
	char name[VM_NAME_MAX + 1];
	struct list *l = arg;
	struct vm_entry *e;

	(void)dirfd;
	if (!vm_definition_stem(file, name))
		return 0;
	e = find_active(l, name);
	if (!e && l->want->inactive) {
		const struct vm_status *over = find_over(l, name);

		e = add(l, name);
		e->status = over ? *over
				 : (struct vm_status){.life = VM_SHUTOFF, .from = "record"};
	}
	if (e)
		e->defined = true;
	return 0;
}

static int look_mark(int dirfd, const char *file, void *arg)
{
	char name[VM_NAME_MAX + 1];
	struct list *l = arg;

	(void)dirfd;
	if (vm_definition_stem(file, name))
		vm_names_add(&l->marked, name);
	return 0;
}

static int read_marks(struct list *l, struct vm_err *err)
{
	VM_AUTO_FD int dir = -1;

	if (l->s->etc < 0)
		return 0;
	dir = openat(l->s->etc, "autostart", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return 0;
	if (vm_dir_each(dir, look_mark, l, err) < 0)
		return -1;
	vm_names_sort(&l->marked);
	return 0;
}

/* ---- whom ---- */

static int read_all(struct list *l, struct vm_err *err)
{
	const struct vm_state *s = l->s;

	if (s->run >= 0 && vm_dir_each(s->run, look_active, l, err) < 0)
		return vm_err_wrap(err, "%s", s->run_path);
	l->active = l->n;
	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), by_name);
	if (s->etc < 0)
		return 0;
	/* The few that run are asked for one by one, unless all are wanted anyway. */
	if (!l->want->inactive) {
		for (size_t i = 0; i < l->n; i++)
			l->v[i].defined = vm_definition_exists(s, l->v[i].name);
		return 0;
	}
	if (vm_dir_each(s->etc, look_defined, l, err) < 0)
		return vm_err_wrap(err, "%s", s->etc_path);
	return 0;
}

static void read_named(struct list *l)
{
	char file[VM_FILE_NAME_MAX];
	size_t i, k;

	for (i = 0; i < l->want->n_names; i++) {
		const char *name = l->want->names[i];
		size_t before = l->n;
		bool twice = false;

		for (k = 0; k < l->n; k++)
			twice |= strcmp(l->v[k].name, name) == 0;
		if (twice || !vm_name_valid(name))
			continue;
		if (l->s->run >= 0)
			look_active(l->s->run, name, l);
		vm_definition_name(name, file);
		if (l->n > before)
			l->v[before].defined = vm_definition_exists(l->s, name);
		else if (vm_definition_exists(l->s, name))
			look_defined(-1, file, l);
	}
}

/* ---- asking ---- */

static void ask(struct list *l)
{
	struct vm_ask *asks = vm_xcalloc(l->n ? l->n : 1, sizeof(*asks));
	size_t *of = vm_xcalloc(l->n ? l->n : 1, sizeof(*of)), n = 0, i;

	for (i = 0; i < l->n; i++) {
		struct vm_entry *e = &l->v[i];
		VM_AUTO_FD int run = -1;
		bool watched;

		if (!e->active || e->status.life == VM_STALE || e->status.life == VM_UNRESPONSIVE)
			continue;
		run = openat(l->s->run, e->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (run < 0)
			continue;
		watched = vm_guest_watched(run);
		if (watched && !l->want->ask_all)
			continue;
		of[n] = i;
		asks[n++] =
		    (struct vm_ask){.name = e->name, .known = &e->status, .watched = watched};
	}
	vm_ask_all(l->s, asks, n, l->want->ask_ms);
	for (i = 0; i < n; i++) {
		struct vm_entry *e = &l->v[of[i]];

		if (asks[i].answered) {
			e->status = asks[i].status;
		} else if (asks[i].silent) {
			e->status = (struct vm_status){
			    .life = VM_UNRESPONSIVE, .reason = "no-answer", .from = "asked"};
			problem(e, "its monitor does not answer");
		}
	}
	free(asks);
	free(of);
}

static int in_order(const void *a, const void *b)
{
	const struct vm_entry *x = a, *y = b;

	if (x->active != y->active)
		return x->active ? -1 : 1;
	if (x->active && x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return strcmp(x->name, y->name);
}

int vm_entries_read(const struct vm_state *s, const struct vm_entries_want *want,
		    struct vm_entries *ret, struct vm_err *err)
{
	struct list l = {.s = s, .want = want};
	size_t i;
	int r = 0;

	if (want->names)
		read_named(&l);
	else
		r = read_all(&l, err);
	if (r == 0)
		r = read_marks(&l, err);
	if (r == 0) {
		for (i = 0; i < l.n; i++)
			l.v[i].autostart = vm_names_has(&l.marked, l.v[i].name);
		r = vm_facts_read(s, want, l.v, l.n, err);
	}
	vm_names_free(&l.marked);
	for (i = 0; i < l.n_over; i++)
		free(l.over[i].name);
	free(l.over);
	if (r < 0) {
		struct vm_entries rest = {l.v, l.n};

		vm_entries_free(&rest);
		return -1;
	}
	if (want->ask_ms)
		ask(&l);
	if (l.n)
		qsort(l.v, l.n, sizeof(*l.v), in_order);
	*ret = (struct vm_entries){l.v, l.n};
	return 0;
}

void vm_entries_free(struct vm_entries *e)
{
	size_t i;

	for (i = 0; i < e->n; i++)
		entry_free(&e->v[i]);
	free(e->v);
	*e = (struct vm_entries){0};
}
