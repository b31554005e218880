/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One file, and groups of threads: made, given their threads, each with its inverse in the journal. */
#include "tune.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/log.h>

#include "host/task.h"
#include "model/domain.h"
#include "tune_internal.h"

/* Is it a vCPU or an I/O thread? */
static bool has_a_name(const struct vm_tune_threads *threads, pid_t tid)
{
	for (size_t i = 0; i < threads->n; i++)
		if (threads->v[i].class != VM_TUNE_EMULATOR && threads->v[i].tid == tid)
			return true;
	return false;
}

int vm_tune_tids(const struct vm_tune_threads *threads, const struct vm_tune_thread *t, pid_t **ret,
		 struct vm_err *err)
{
	VM_AUTO_FREE pid_t *all = NULL;
	int n, kept = 0;

	if (t->class != VM_TUNE_EMULATOR) {
		*ret = vm_xcalloc(1, sizeof(**ret));
		**ret = t->tid;
		return 1;
	}
	n = vm_task_threads(threads->pid, &all);
	if (n < 0)
		return vm_err_sys(err, "list the threads of process %d", (int)threads->pid);
	for (int i = 0; i < n; i++)
		if (!has_a_name(threads, all[i]))
			all[kept++] = all[i];
	*ret = vm_take_ptr(&all);
	return kept;
}

int vm_tune_keep_affinity(const struct vm_tune_change *c, const struct vm_tune_thread *t,
			  struct vm_err *err)
{
	VM_AUTO_FREE pid_t *tids = NULL;
	int n = c->undo != NULL ? vm_tune_tids(c->threads, t, &tids, err) : 0;

	for (int i = 0; tids != NULL && i < n; i++) {
		VM_AUTO_FREE char *cpus = vm_task_affinity(tids[i]);

		/* it may have ended */
		if (cpus != NULL && vm_undo_push(c->undo, VM_TUNE_VERB_AFFINITY, "%s %d %s", c->guard,
						 (int)tids[i], cpus) < 0)
			return vm_err_sys(err, "write the journal");
	}
	return n < 0 ? -1 : 0;
}

int vm_tune_put(const struct vm_tune_change *c, const struct vm_tune_place *p, const char *text,
		struct vm_err *err)
{
	VM_AUTO_FREE char *old = NULL;

	if (c->dry_run) {
		vm_log_step("write '%s' to %s/%s", text, p->path, p->file->name);
		return 0;
	}
	if (c->undo != NULL) {
		if (vm_tune_restore_text(p, &old, err) < 0)
			return -1;
		if (vm_undo_push(c->undo, VM_TUNE_VERB_FILE, "%s %u %s %s %s", c->guard,
				 (unsigned)p->t->controller, p->name, p->file->name, old) < 0)
			return vm_err_sys(err, "write the journal");
	}
	vm_log_step("write '%s' to %s/%s", text, p->path, p->file->name);
	return vm_tune_write(p, text, err);
}

static void add_fresh(struct vm_tune_fresh *fresh, const struct vm_tune_thread *t)
{
	fresh->v = vm_xreallocarray(fresh->v, fresh->n + 1, sizeof(*fresh->v));
	fresh->v[fresh->n++] = t;
}

/* Was it made in advance, and has got no threads yet?  From now on it has. */
static bool take_premade(struct vm_tune_premade *p, const char *name)
{
	for (size_t i = 0; p != NULL && i < p->n; i++)
		if (strcmp(p->v[i], name) == 0) {
			p->v[i][0] = 0;
			return true;
		}
	return false;
}

int vm_tune_ensure(const struct vm_tune_change *c, const struct vm_tune_thread *t,
		   struct vm_tune_fresh *fresh, struct vm_err *err)
{
	if (take_premade(c->premade, t->name)) {
		add_fresh(fresh, t);
		return 0;
	}
	if (vm_thread_group_exists(c->group, t->name))
		return 0;
	vm_log_step("make the group qemu/%s", t->name);
	if (c->dry_run)
		return 0;
	if (vm_tune_keep_affinity(c, t, err) < 0)
		return -1;
	if (c->undo != NULL &&
	    vm_undo_push(c->undo, VM_TUNE_VERB_THREADS, "%s %s", c->guard, t->name) < 0)
		return vm_err_sys(err, "write the journal");
	if (vm_thread_group_make(c->group, t->name, err) < 0)
		return -1;
	add_fresh(fresh, t);
	return 0;
}

/* Does anything need a group of this thread? */
static bool needs_group(const struct vm_cgroup *group, const struct vm_domain *d, const struct vm_tune_list *l,
			int class, uint64_t id)
{
	static const int where[] = { [VM_TUNE_VCPU] = VM_TUNE_IN_VCPUS,
				     [VM_TUNE_EMULATOR] = VM_TUNE_IN_EMULATOR,
				     [VM_TUNE_IOTHREAD] = VM_TUNE_IN_IOTHREADS };
	const struct mt_cpuset *cpus = vm_tune_pin_of(d, class, id);

	for (size_t i = 0; vm_cgroup_index(group, VM_CGROUP_CPU) >= 0 && i < l->n; i++)
		if (l->v[i].t->where == where[class])
			return true;
	return vm_cgroup_index(group, VM_CGROUP_CPUSET) >= 0 && cpus != NULL && cpus != &d->cpuset;
}

static int premake(const struct vm_cgroup *group, struct vm_tune_premade *p, const char *name, struct vm_err *err)
{
	vm_log_step("make the group qemu/%s", name);
	if (vm_thread_group_make(group, name, err) < 0)
		return -1;
	p->v = vm_xreallocarray(p->v, p->n + 1, sizeof(*p->v));
	snprintf(p->v[p->n++], sizeof(*p->v), "%s", name);
	return 0;
}

int vm_tune_premake(const struct vm_cgroup *group, const struct vm_domain *d, const struct vm_tune_list *l,
		    struct vm_tune_premade *ret, struct vm_err *err)
{
	uint64_t vcpus = d->vcpus_current != 0 ? d->vcpus_current : d->vcpus;
	VM_AUTO_FREE uint64_t *ids = NULL;
	uint32_t n = vm_domain_iothreads(d, &ids);
	char name[VM_THREAD_GROUP_NAME];

	for (uint64_t i = 0; i < vcpus; i++) {
		snprintf(name, sizeof(name), "vcpu%" PRIu64, i);
		if (needs_group(group, d, l, VM_TUNE_VCPU, i) && premake(group, ret, name, err) < 0)
			return -1;
	}
	if (needs_group(group, d, l, VM_TUNE_EMULATOR, 0) && premake(group, ret, "emulator", err) < 0)
		return -1;
	for (uint32_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "iothread%" PRIu64, ids[i]);
		if (needs_group(group, d, l, VM_TUNE_IOTHREAD, ids[i]) && premake(group, ret, name, err) < 0)
			return -1;
	}
	return 0;
}

/* The CPUs that a thread was given are forgotten by older kernels when it is moved. Source: Linux 6.2,
 * sched: "Always preserve the user requested cpumask". */
static int enter(const struct vm_tune_change *c, const struct vm_tune_thread *t, pid_t tid,
		 struct vm_err *err)
{
	VM_AUTO_FREE char *cpus = vm_task_affinity(tid);

	if (vm_thread_group_enter(c->group, t->name, tid, err) < 0)
		return -1;
	if (cpus != NULL && vm_task_affinity_set(tid, cpus) < 0)
		vm_log_step("thread %d runs on the CPUs of its group", (int)tid);
	return 0;
}

/* Groups get their threads when they have their values. */
int vm_tune_fill(const struct vm_tune_change *c, const struct vm_tune_fresh *fresh, struct vm_err *err)
{
	for (size_t i = 0; i < fresh->n; i++) {
		VM_AUTO_FREE pid_t *tids = NULL;
		const struct vm_tune_thread *t = fresh->v[i];
		int n = vm_tune_tids(c->threads, t, &tids, err);

		if (n < 0)
			return -1;
		for (int k = 0; k < n; k++)
			if (enter(c, t, tids[k], err) < 0)
				return -1;
	}
	return 0;
}
