/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The threads of a running guest: which there are, where they run, how they are scheduled. */
#include "tune.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/log.h>
#include <vm/look.h>

#include "host/task.h"
#include "model/domain.h"
#include "tune_internal.h"

const struct vm_tunable vm_tune_cpus = {
	.key = "cpus", .kind = VM_TUNE_NODES, .where = VM_TUNE_IN_VCPUS,
	.controller = VM_CGROUP_CPUSET,
	.v1 = { { "cpuset.cpus", NULL, 0, 0 } }, .v2 = { { "cpuset.cpus", NULL, 0, 0 } },
};

void vm_tune_threads_free(struct vm_tune_threads *t)
{
	free(t->v);
	*t = (struct vm_tune_threads){ 0 };
}

static int add_thread(struct vm_tune_threads *t, int class, uint64_t id, pid_t tid,
		      struct vm_err *err)
{
	static const char *const words[] = { [VM_TUNE_VCPU] = "vcpu", [VM_TUNE_EMULATOR] = "emulator",
					     [VM_TUNE_IOTHREAD] = "iothread" };
	struct vm_tune_thread *one;

	/* QEMU is not believed: it could name threads of others. */
	if (!vm_task_is_of(t->pid, tid))
		return vm_err_set(err, VM_HYPERVISOR, "QEMU says that its %s %" PRIu64
				  " is thread %d, which is none of its own", words[class], id, (int)tid);
	t->v = vm_xreallocarray(t->v, t->n + 1, sizeof(*t->v));
	one = &t->v[t->n++];
	*one = (struct vm_tune_thread){ .class = class, .id = id, .tid = tid };
	if (class == VM_TUNE_EMULATOR)
		snprintf(one->name, sizeof(one->name), "%s", words[class]);
	else
		snprintf(one->name, sizeof(one->name), "%s%" PRIu64, words[class], id);
	return 0;
}

int vm_tune_threads_of(pid_t pid, const struct vm_look *look, struct vm_tune_threads *ret,
		       struct vm_err *err)
{
	VM_AUTO(vm_tune_threads_free) struct vm_tune_threads t = { .pid = pid };

	for (size_t i = 0; i < look->n_vcpus; i++)
		if (add_thread(&t, VM_TUNE_VCPU, look->vcpus[i].number, look->vcpus[i].tid, err) < 0)
			return -1;
	if (add_thread(&t, VM_TUNE_EMULATOR, 0, pid, err) < 0)
		return -1;
	for (size_t i = 0; i < look->n_iothreads; i++) {
		const char *name = look->iothreads[i].name;
		unsigned id;
		int end = 0;

		/* Those that we have made; others an admin added by hand. */
		if (name == NULL || sscanf(name, "iothread%9u%n", &id, &end) != 1 || name[end] != '\0')
			continue;
		if (add_thread(&t, VM_TUNE_IOTHREAD, id, look->iothreads[i].tid, err) < 0)
			return -1;
	}
	*ret = t;
	t = (struct vm_tune_threads){ 0 };
	return 0;
}

const struct vm_tune_thread *vm_tune_thread_find(const struct vm_tune_threads *threads, int class,
						 uint64_t id)
{
	for (size_t i = 0; i < threads->n; i++)
		if (threads->v[i].class == class && threads->v[i].id == id)
			return &threads->v[i];
	return NULL;
}

static int set_affinity(const struct vm_tune_change *c, pid_t tid, const char *cpus, struct vm_err *err)
{
	vm_log_step("let thread %d run on the CPUs %s", (int)tid, cpus != NULL ? cpus : "of its group");
	if (c->dry_run || vm_task_affinity_set(tid, cpus) == 0 || errno == ESRCH)
		return 0;
	if (errno == EINVAL)
		return vm_err_set(err, VM_HYPERVISOR, "thread %d: the kernel refuses the CPUs '%s': "
				  "none of them is there for it", (int)tid, cpus ? cpus : "all");
	return vm_err_sys(err, "let thread %d run on the CPUs %s", (int)tid, cpus ? cpus : "all");
}

/* The list of its group: "all" are those of the qemu group. */
static int put_cpus(const struct vm_tune_change *c, const struct vm_tune_thread *t, const char *cpus,
		    struct vm_tune_fresh *fresh, struct vm_err *err)
{
	VM_AUTO(vm_tune_place_close) struct vm_tune_place p = VM_TUNE_PLACE_INIT;
	VM_AUTO(vm_tune_place_close) struct vm_tune_place above = VM_TUNE_PLACE_INIT;
	VM_AUTO_FREE char *all = NULL;
	char group[VM_THREAD_GROUP_NAME + 8];

	if (vm_cgroup_index(c->group, VM_CGROUP_CPUSET) < 0 ||
	    (cpus == NULL && !vm_thread_group_exists(c->group, t->name)))
		return 0;
	if (vm_tune_ensure(c, t, fresh, err) < 0)
		return -1;
	if (c->dry_run && !vm_thread_group_exists(c->group, t->name))
		return 0;
	snprintf(group, sizeof(group), "qemu/%s", t->name);
	if (vm_tune_place_open(c->group, &vm_tune_cpus, group, 0, &p, err) < 0)
		return -1;
	if (cpus == NULL) {
		if (vm_tune_place_open(c->group, &vm_tune_cpus, "qemu", 0, &above, err) < 0 ||
		    vm_tune_restore_text(&above, &all, err) < 0)
			return -1;
		cpus = all;
	}
	return vm_tune_put(c, &p, cpus, err);
}

static int pin_one(const struct vm_tune_change *c, const struct vm_tune_thread *t,
		   const struct vm_tune_pin *pin, struct vm_tune_fresh *fresh, struct vm_err *err)
{
	VM_AUTO_FREE char *cpus = pin->anywhere ? NULL : mt_cpuset_text(&pin->cpus);
	VM_AUTO_FREE pid_t *tids = NULL;
	size_t had = fresh->n;
	int n;

	/* The group first: moving a thread gives it the CPUs of its group. */
	if (vm_tune_keep_affinity(c, t, err) < 0 || put_cpus(c, t, cpus, fresh, err) < 0)
		return -1;
	if (fresh->n > had) {
		const struct vm_tune_fresh one = { fresh->v + had, fresh->n - had };
		int r = vm_tune_fill(c, &one, err);

		fresh->n = had;
		if (r < 0)
			return -1;
	}
	n = vm_tune_tids(c->threads, t, &tids, err);
	for (int i = 0; tids != NULL && i < n; i++)
		if (set_affinity(c, tids[i], cpus, err) < 0)
			return -1;
	return n < 0 ? -1 : 0;
}

static int no_thread(const struct vm_tune_pin *pin, struct vm_err *err)
{
	return vm_err_set(err, VM_NOT_FOUND, "the running guest has no %s %" PRIu64,
			  pin->class == VM_TUNE_VCPU ? "vCPU" : "I/O thread", pin->id);
}

int vm_tune_apply_pins(const struct vm_tune_change *c, const struct vm_tune_pins *p,
		       struct vm_err *err)
{
	VM_AUTO(vm_tune_fresh_free) struct vm_tune_fresh fresh = { 0 };

	for (size_t i = 0; i < p->n; i++) {
		const struct vm_tune_pin *pin = &p->v[i];

		if (!pin->given)
			continue;
		if (!pin->all && vm_tune_thread_find(c->threads, pin->class, pin->id) == NULL)
			return no_thread(pin, err);
		for (size_t k = 0; k < c->threads->n; k++) {
			const struct vm_tune_thread *t = &c->threads->v[k];

			if (t->class == pin->class && (pin->all || t->id == pin->id) &&
			    pin_one(c, t, pin, &fresh, err) < 0)
				return vm_err_wrap(err, "%s", t->name);
		}
	}
	return 0;
}

/* ---- memory nodes ---- */

/* The nodes of the cell that a vCPU is in, where the kernel alone is to keep to them; NULL = none of its own. */
static const struct mt_cpuset *nodes_of(const struct vm_domain *d, const struct vm_tune_thread *t)
{
	const struct vm_numatune *n = d->numatune;

	for (uint32_t i = 0; n != NULL && t->class == VM_TUNE_VCPU && i < n->memnodes.n; i++) {
		const struct vm_memnode *m = n->memnodes.v[i];
		const struct vm_numa_cell *cell = vm_domain_cell(d, m->cell);

		if (m->mode == VM_NUMA_RESTRICTIVE && cell != NULL && vm_cpuset_has(&cell->cpus, t->id))
			return &m->nodes;
	}
	return NULL;
}

int vm_tune_apply_memnodes(const struct vm_tune_change *c, const struct vm_domain *d,
			   struct vm_err *err)
{
	VM_AUTO(vm_tune_fresh_free) struct vm_tune_fresh fresh = { 0 };
	const struct vm_tunable *row = vm_tunable_find("numa_nodeset", 12);

	for (size_t i = 0; i < c->threads->n; i++) {
		const struct vm_tune_thread *t = &c->threads->v[i];
		const struct mt_cpuset *nodes = nodes_of(d, t);
		VM_AUTO(vm_tune_place_close) struct vm_tune_place p = VM_TUNE_PLACE_INIT;
		VM_AUTO_FREE char *text = nodes != NULL ? mt_cpuset_text(nodes) : NULL;
		char group[VM_THREAD_GROUP_NAME + 8];

		if (nodes == NULL)
			continue;
		snprintf(group, sizeof(group), "qemu/%s", t->name);
		if (vm_tune_ensure(c, t, &fresh, err) < 0 ||
		    vm_tune_place_open(c->group, row, group, 0, &p, err) < 0 ||
		    vm_tune_put(c, &p, text, err) < 0)
			return -1;
	}
	return vm_tune_fill(c, &fresh, err);
}

/* ---- schedulers ---- */

/* Source: sched(7). */
static int schedule(const struct vm_tune_change *c, const struct vm_tune_thread *t,
		    const struct vm_thread_sched *s, struct vm_err *err)
{
	static const int policies[] = { [VM_SCHED_ABSENT] = SCHED_OTHER,
					[VM_SCHED_BATCH] = SCHED_BATCH,
					[VM_SCHED_IDLE] = SCHED_IDLE,
					[VM_SCHED_FIFO] = SCHED_FIFO,
					[VM_SCHED_RR] = SCHED_RR };
	const struct sched_param param = { .sched_priority = (int)s->priority };
	VM_AUTO_FREE pid_t *tids = NULL;
	int n = vm_tune_tids(c->threads, t, &tids, err);

	for (int i = 0; tids != NULL && i < n; i++) {
		if (sched_setscheduler(tids[i], policies[s->scheduler], &param) == 0 || errno == ESRCH)
			continue;
		vm_err_sys(err, "%s: set the scheduler %s", t->name, vm_sched_words[s->scheduler]);
		if (errno == EPERM && s->priority > 0)
			return vm_err_hint(err, "where the kernel divides realtime among groups, the guest's "
						"groups need cpu.rt_runtime_us");
		return -1;
	}
	return n < 0 ? -1 : 0;
}

static const struct vm_thread_sched *sched_of(const struct vm_cputune *ct,
					      const struct vm_tune_thread *t)
{
	const struct mt_list *l = t->class == VM_TUNE_VCPU ? &ct->vcpuscheds : &ct->iothreadscheds;

	if (t->class == VM_TUNE_EMULATOR)
		return ct->emulatorsched;
	for (uint32_t i = 0; i < l->n; i++) {
		const struct vm_thread_sched *s = l->v[i];

		if (vm_cpuset_has(&s->ids, t->id))
			return s;
	}
	return NULL;
}

int vm_tune_apply_schedulers(const struct vm_tune_change *c, const struct vm_domain *d,
			     struct vm_err *err)
{
	if (d->cputune == NULL)
		return 0;
	for (size_t i = 0; i < c->threads->n; i++) {
		const struct vm_tune_thread *t = &c->threads->v[i];
		const struct vm_thread_sched *s = sched_of(d->cputune, t);

		if (s == NULL)
			continue;
		vm_log_step("%s: scheduler %s", t->name, vm_sched_words[s->scheduler]);
		if (schedule(c, t, s, err) < 0)
			return -1;
	}
	return 0;
}
