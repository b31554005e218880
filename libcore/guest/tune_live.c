/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Settings of a running guest: in the order in which the kernel takes them, each with its inverse before it. */
#include "tune.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/log.h>

#include "host/task.h"
#include "tune_internal.h"

/* One setting for one group. */
struct job {
	const struct vm_tune_setting *s;
	struct vm_tune_place place;
	const struct vm_tune_thread *thread; /* NULL: not of threads */
	int rank;
	size_t at; /* as typed */
};
struct jobs {
	struct job *v;
	size_t n;
};

static void jobs_free(struct jobs *j)
{
	for (size_t i = 0; i < j->n; i++)
		vm_tune_place_close(&j->v[i].place);
	free(j->v);
}

static int class_of(const struct vm_tunable *t)
{
	switch ((enum vm_tunable_where)t->where) {
	case VM_TUNE_IN_VCPUS:
		return VM_TUNE_VCPU;
	case VM_TUNE_IN_EMULATOR:
		return VM_TUNE_EMULATOR;
	case VM_TUNE_IN_IOTHREADS:
		return VM_TUNE_IOTHREAD;
	case VM_TUNE_IN_MAIN:
	case VM_TUNE_IN_QEMU:
	case VM_TUNE_IN_DOCUMENT:
		break;
	}
	return -1;
}

static int add_job(const struct vm_tune_change *c, struct jobs *j, const struct vm_tune_setting *s,
		   const struct vm_tune_thread *thread, const char *group, struct vm_err *err)
{
	dev_t dev = 0;

	if (s->device != NULL && vm_tune_device(s->device, &dev, err) < 0)
		return -1;
	j->v = vm_xreallocarray(j->v, j->n + 1, sizeof(*j->v));
	j->v[j->n] = (struct job){ .s = s, .thread = thread, .at = j->n,
				   .place = VM_TUNE_PLACE_INIT };
	if (vm_tune_place_open(c->group, s->t, group, dev, &j->v[j->n].place, err) < 0)
		return -1;
	j->n++;
	return 0;
}

static int add_jobs(const struct vm_tune_change *c, struct jobs *j, const struct vm_tune_setting *s,
		    struct vm_tune_fresh *fresh, struct vm_err *err)
{
	int class = class_of(s->t);

	if (s->t->where == VM_TUNE_IN_DOCUMENT)
		return 0;
	if (class < 0)
		return add_job(c, j, s, NULL, s->t->where == VM_TUNE_IN_MAIN ? "." : "qemu", err);
	if (c->threads == NULL)
		return 0;
	for (size_t i = 0; i < c->threads->n; i++) {
		const struct vm_tune_thread *t = &c->threads->v[i];
		char group[VM_THREAD_GROUP_NAME + 8];

		if (t->class != class)
			continue;
		/* Without a cpu controller the place says what is missing. */
		if (vm_cgroup_index(c->group, VM_CGROUP_CPU) >= 0 &&
		    vm_tune_ensure(c, t, fresh, err) < 0)
			return -1;
		/* What is not made in a dry run is checked against the group above. */
		if (vm_thread_group_exists(c->group, t->name) || !c->dry_run)
			snprintf(group, sizeof(group), "qemu/%s", t->name);
		else
			snprintf(group, sizeof(group), "qemu");
		if (add_job(c, j, s, t, group, err) < 0)
			return -1;
	}
	return 0;
}

/* Is the new value smaller than what the kernel has now?  No limit is the largest. */
static int shrinks(const struct job *j, bool *ret, struct vm_err *err)
{
	struct vm_tune_value now = VM_TUNE_VALUE_INIT;

	if (vm_tune_read(&j->place, &now, err) < 0)
		return -1;
	*ret = !j->s->v.unlimited && (now.unlimited || j->s->v.n < now.n);
	vm_tune_value_free(&now);
	return 0;
}

/*
 * On version 1 a group of threads may have no larger part of its period than the guest as a whole, and memory no
 * higher limit than memory and swap together: what grows goes from the outside in, what shrinks from the inside
 * out; a quota that shrinks before its period, one that grows behind it.
 */
static int rank(struct job *j, struct vm_err *err)
{
	const struct vm_tunable *t = j->s->t;
	bool less = false, main = t->where == VM_TUNE_IN_MAIN;

	switch ((enum vm_tunable_kind)t->kind) {
	case VM_TUNE_QUOTA:
		if (shrinks(j, &less, err) < 0)
			return -1;
		j->rank = less ? (main ? 32 : 22) : (main ? 14 : 24);
		return 0;
	case VM_TUNE_PERIOD:
		j->rank = main ? 13 : 23;
		return 0;
	case VM_TUNE_BYTES:
		if (strcmp(t->key, "soft_limit") == 0)
			return 0;
		if (shrinks(j, &less, err) < 0)
			return -1;
		j->rank = less || j->place.v2 ? 41 : 43;
		return 0;
	case VM_TUNE_SWAP:
		j->rank = 42;
		return 0;
	case VM_TUNE_SHARES:
	case VM_TUNE_WEIGHT:
	case VM_TUNE_RATE:
	case VM_TUNE_WORD:
	case VM_TUNE_NODES:
		break;
	}
	return 0;
}

static int by_rank(const void *a, const void *b)
{
	const struct job *x = a, *y = b;

	return x->rank != y->rank ? x->rank - y->rank : x->at < y->at ? -1 : x->at > y->at;
}

/* A global period with a quota that shrinks comes behind it. */
static void move_periods(struct jobs *j)
{
	bool late = false;

	for (size_t i = 0; i < j->n; i++)
		late |= j->v[i].rank == 32;
	for (size_t i = 0; late && i < j->n; i++)
		if (j->v[i].rank == 13)
			j->v[i].rank = 33;
}

/* ---- memory nodes ---- */

/*
 * All groups of threads are within the qemu group: that first gets old and new nodes, then each below it the new
 * ones, then it the new ones alone.  On version 2 those below follow by themselves.
 */
static int put_nodes(const struct vm_tune_change *c, const struct job *j, struct vm_err *err)
{
	VM_AUTO(vm_tune_value_free) struct vm_tune_value old = VM_TUNE_VALUE_INIT;
	VM_AUTO_FREE char *both = NULL;

	if (j->place.v2 || c->threads == NULL)
		return vm_tune_put(c, &j->place, j->s->v.text, err);
	if (vm_tune_read(&j->place, &old, err) < 0)
		return -1;
	both = *old.text ? vm_xasprintf("%s,%s", old.text, j->s->v.text) : vm_xstrdup(j->s->v.text);
	if (vm_tune_put(c, &j->place, both, err) < 0)
		return -1;
	for (size_t i = 0; c->threads != NULL && i < c->threads->n; i++) {
		VM_AUTO(vm_tune_place_close) struct vm_tune_place p = VM_TUNE_PLACE_INIT;
		char group[VM_THREAD_GROUP_NAME + 8];

		snprintf(group, sizeof(group), "qemu/%s", c->threads->v[i].name);
		if (vm_tune_place_open(c->group, j->s->t, group, 0, &p, err) < 0) {
			if (err->kind != VM_NOT_FOUND)
				return -1;
			*err = VM_ERR_INIT;
			continue;
		}
		if (vm_tune_put(c, &p, j->s->v.text, err) < 0)
			return -1;
	}
	return vm_tune_put(c, &j->place, j->s->v.text, err);
}

/* ---- all of them ---- */

/* Where swap is counted by itself, a hard limit that changes leaves what both are together as it is. */
static int add_swap(const struct vm_tune_change *c, struct jobs *j, struct vm_tune_setting *swap,
		    struct vm_err *err)
{
	const struct vm_tunable *t = vm_tunable_find("swap_hard_limit", 15);
	const struct job *hard = NULL;

	for (size_t i = 0; i < j->n; i++) {
		if (j->v[i].s->t == t)
			return 0;
		if (strcmp(j->v[i].s->t->key, "hard_limit") == 0)
			hard = &j->v[i];
	}
	if (hard == NULL || !hard->place.v2)
		return 0;
	*swap = (struct vm_tune_setting){ .t = t, .given = true };
	if (add_job(c, j, swap, NULL, "qemu", err) < 0) {
		if (err->kind != VM_UNSUPPORTED)
			return -1;
		*err = VM_ERR_INIT; /* a kernel without swap accounting has nothing to keep */
		return 0;
	}
	if (vm_tune_read(&j->v[j->n - 1].place, &swap->v, err) < 0)
		return -1;
	if (swap->v.unlimited)
		vm_tune_place_close(&j->v[--j->n].place);
	return 0;
}

static int write_job(const struct vm_tune_change *c, const struct jobs *j, const struct job *one,
		     bool check, struct vm_err *err)
{
	const struct vm_tune_value *hard = NULL;
	VM_AUTO_FREE char *text = NULL;

	if (one->s->t->kind == VM_TUNE_NODES)
		return check ? 0 : put_nodes(c, one, err);
	for (size_t i = 0; i < j->n; i++)
		if (strcmp(j->v[i].s->t->key, "hard_limit") == 0)
			hard = &j->v[i].s->v;
	if (vm_tune_compose(&one->place, &one->s->v, c->convert, hard, &text, err) < 0)
		return -1;
	return check ? 0 : vm_tune_put(c, &one->place, text, err);
}

int vm_tune_apply(const struct vm_tune_change *c, const struct vm_tune_list *l, struct vm_err *err)
{
	VM_AUTO(jobs_free) struct jobs j = { 0 };
	VM_AUTO(vm_tune_fresh_free) struct vm_tune_fresh fresh = { 0 };
	struct vm_tune_setting swap;

	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].given && add_jobs(c, &j, &l->v[i], &fresh, err) < 0)
			return -1;
	if (add_swap(c, &j, &swap, err) < 0)
		return -1;
	for (size_t i = 0; i < j.n; i++)
		if (rank(&j.v[i], err) < 0)
			return -1;
	move_periods(&j);
	if (j.n > 0)
		qsort(j.v, j.n, sizeof(*j.v), by_rank);
	/* What can be seen to be out of range is, before anything is written. */
	for (int check = 1; check >= 0; check--)
		for (size_t i = 0; i < j.n; i++)
			if (write_job(c, &j, &j.v[i], check, err) < 0)
				return -1;
	return vm_tune_fill(c, &fresh, err);
}
