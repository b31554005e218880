/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the document says a guest may take of its host. */
#include "start_step.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/log.h>
#include <vm/look.h>
#include <vm/state.h>

#include "cgroup/thread_group.h"
#include "guest/tune.h"
#include "host/fc.h"
#include "qemu/run/look.h"
#include "model/domain.h"
#include "model/memlock.h"
#include "qemu/qmp/qmp.h"

static bool is_of_threads(const struct vm_tunable *t)
{
	return t->where == VM_TUNE_IN_VCPUS || t->where == VM_TUNE_IN_EMULATOR ||
	       t->where == VM_TUNE_IN_IOTHREADS;
}

/* Where memory may be is the kernel's business for these modes alone; of the others QEMU knows. */
static bool kernel_places(const struct vm_domain *d)
{
	const struct vm_numatune *n = d->numatune;

	return n != NULL && (n->mode == VM_NUMA_ABSENT || n->mode == VM_NUMA_STRICT ||
			     n->mode == VM_NUMA_RESTRICTIVE);
}

/* Those settings of the document that concern threads, or those that do not. */
static void settings_of(const struct vm_start *s, bool threads, struct vm_tune_list *ret)
{
	const struct vm_domain *d = s->d;
	/* Nobody has asked for those very nodes: QEMU keeps to them where the kernel cannot. */
	bool nodes = kernel_places(d) && !(vm_domain_auto_memory(d) && d->numatune->mode != VM_NUMA_RESTRICTIVE &&
					   vm_cgroup_index(&s->group, VM_CGROUP_CPUSET) < 0);
	VM_AUTO(vm_tune_list_free) struct vm_tune_list all = VM_TUNE_LIST_INIT;

	*ret = VM_TUNE_LIST_INIT;
	vm_tune_list_of(d, &all);
	for (size_t i = 0; i < all.n; i++) {
		struct vm_tune_setting *one = &all.v[i];

		if (is_of_threads(one->t) != threads || (one->t->kind == VM_TUNE_NODES && !nodes))
			continue;
		vm_tune_list_add(ret, one->t, one->device, one->v, true);
		one->v.text = NULL; /* handed over */
	}
}

/* Block I/O of the guest is marked by the group that it is in. Source: Linux, blkcg_set_fc_appid(). */
static int mark_fibre_channel(struct vm_start *s, struct vm_err *err)
{
	int io = vm_cgroup_index(&s->group, VM_CGROUP_IO);
	struct stat st;

	if (s->d->resource == NULL || s->d->resource->appid == NULL)
		return 0;
	if (io < 0 || !s->group.host.v[io].v2)
		return vm_err_set(err, VM_UNSUPPORTED,
				  "<fibrechannel appid> needs the io controller of cgroup version 2");
	if (fstat(s->group.at[io].fd[VM_CGROUP_QEMU], &st) < 0)
		return vm_err_sys(err, "look at the guest's group");
	return vm_fc_appid_set((uint64_t)st.st_ino, s->d->resource->appid, err);
}

/* Is the limit that QEMU would inherit too low?  Then *ret_want is what it is to be. */
static bool wants_memlock(const struct vm_start *s, struct rlimit *ret_now, uint64_t *ret_want)
{
	*ret_want = vm_domain_memlock(s->d);
	return *ret_want > 0 && getrlimit(RLIMIT_MEMLOCK, ret_now) == 0 && ret_now->rlim_cur < *ret_want;
}

int vm_start_memlock_check(const struct vm_start *s, struct vm_err *err)
{
	struct rlimit now, higher;
	uint64_t want;
	int r;

	if (!wants_memlock(s, &now, &want))
		return 0;
	vm_log_step("raise the limit of locked memory from %" PRIu64 " to %" PRIu64 " bytes", (uint64_t)now.rlim_cur, want);
	higher.rlim_cur = want == VM_MEMLOCK_UNLIMITED ? RLIM_INFINITY : (rlim_t)want;
	higher.rlim_max = now.rlim_max > higher.rlim_cur ? now.rlim_max : higher.rlim_cur;
	r = setrlimit(RLIMIT_MEMLOCK, &higher);
	if (r < 0 && vm_domain_locks_memory(s->d)) {
		vm_err_sys(err, "raise the limit of locked memory from %" PRIu64 " to %" PRIu64 " bytes",
			   (uint64_t)now.rlim_max, want);
		return vm_err_hint(err, "that needs CAP_SYS_RESOURCE, or a higher limit (ulimit -l; LimitMEMLOCK= of a unit)");
	}
	return r < 0 || setrlimit(RLIMIT_MEMLOCK, &now) == 0 ? 0 : vm_err_sys(err, "set the limit of locked memory");
}

/* What it goes back to when its last device is taken out. */
static void note_memlock(struct vm_start *s)
{
	struct rlimit now;
	uint64_t want;

	if (wants_memlock(s, &now, &want))
		vm_record_setf(&s->g->record, VM_KEY_MEMLOCK, "%" PRIu64 " %" PRIu64, (uint64_t)now.rlim_cur,
			       (uint64_t)now.rlim_max);
}

int vm_start_limits(struct vm_start *s, struct vm_err *err)
{
	VM_AUTO(vm_tune_list_free) struct vm_tune_list l = VM_TUNE_LIST_INIT;
	const struct vm_tune_change c = { .group = &s->group, .guard = "-",
					  .convert = s->g->state->conf.convert_shares };

	note_memlock(s);
	settings_of(s, false, &l);
	if (vm_tune_apply(&c, &l, err) < 0)
		return -1;
	vm_tune_tell_systemd(s->g, &s->group, &l, s->deadline);
	return mark_fibre_channel(s, err);
}

/* ---- threads ---- */

/* Is there anything that single threads are to have? */
static bool is_wanted(const struct vm_domain *d, const struct vm_tune_list *l)
{
	const struct vm_cputune *c = d->cputune;

	if (d->numatune != NULL && d->numatune->mode == VM_NUMA_RESTRICTIVE &&
	    d->numatune->memnodes.n > 0)
		return true;
	return l->n > 0 ||
	       (c != NULL && (c->vcpupins.n > 0 || c->iothreadpins.n > 0 || c->emulatorpin.nbits > 0 ||
			      c->vcpuscheds.n > 0 || c->iothreadscheds.n > 0 ||
			      c->emulatorsched != NULL));
}

/* Has the document a pin of that very thread?  <vcpu cpuset> is all threads', by the process. */
static const struct mt_cpuset *pin_of(const struct vm_domain *d, const struct vm_tune_thread *t)
{
	const struct mt_cpuset *cpus = vm_tune_pin_of(d, t->class, t->id);

	return cpus == &d->cpuset ? NULL : cpus;
}

/* Pins of vCPUs that are not there yet are for when they come. */
static void pins_of(const struct vm_domain *d, const struct vm_tune_threads *threads,
		    struct vm_tune_pins *ret)
{
	ret->v = vm_xcalloc(threads->n + 1, sizeof(*ret->v));
	ret->n = 0;
	for (size_t i = 0; i < threads->n; i++) {
		const struct vm_tune_thread *t = &threads->v[i];
		const struct mt_cpuset *cpus = pin_of(d, t);

		if (cpus == NULL)
			continue;
		ret->v[ret->n++] = (struct vm_tune_pin){
			.class = t->class, .id = t->id, .given = true,
			.cpus = { vm_xmemdup(cpus->bits, (cpus->nbits + 63) / 64 * sizeof(uint64_t)),
				  cpus->nbits },
		};
	}
}

/* While QEMU gets ready the kernel does, too; a start that takes longer than this does not mind one wait more. */
#define STIR_MS	  5u
#define STIRS_MAX 60u
struct stir {
	int fd;
	unsigned n;
};

static void stir(void *arg)
{
	struct stir *st = arg;

	if (st->fd >= 0 && st->n++ < STIRS_MAX)
		vm_thread_groups_stir(st->fd);
}

static int look_at_threads(struct vm_start *s, struct vm_look *ret, struct vm_err *err)
{
	VM_AUTO_FD int fd = vm_thread_groups_stir_open(&s->group);
	struct stir st = { .fd = fd };
	int r;

	vm_qmp_while_waiting(s->qmp, STIR_MS, stir, &st);
	r = vm_qemu_look_on(s->qmp, VM_LOOK_VCPUS | VM_LOOK_IOTHREADS, s->deadline, ret, err);
	vm_qmp_while_waiting(s->qmp, 0, NULL, NULL);
	return r;
}

int vm_start_threads(struct vm_start *s, struct vm_err *err)
{
	VM_AUTO(vm_tune_list_free) struct vm_tune_list l = VM_TUNE_LIST_INIT;
	VM_AUTO(vm_look_free) struct vm_look look = VM_LOOK_INIT;
	VM_AUTO(vm_tune_threads_free) struct vm_tune_threads threads = { 0 };
	VM_AUTO(vm_tune_pins_free) struct vm_tune_pins pins = { 0 };
	VM_AUTO(vm_tune_premade_free) struct vm_tune_premade premade = { 0 };
	const struct vm_tune_change c = { .group = &s->group, .threads = &threads, .premade = &premade, .guard = "-" };

	settings_of(s, true, &l);
	if (!is_wanted(s->d, &l))
		return 0;
	vm_log_step("tune its threads");
	/* What can be done before QEMU is ready is. */
	if (vm_tune_premake(&s->group, s->d, &l, &premade, err) < 0)
		return -1;
	if (look_at_threads(s, &look, err) < 0 ||
	    vm_tune_threads_of(s->launched.qemu.pid, &look, &threads, err) < 0)
		return -1;
	pins_of(s->d, &threads, &pins);
	if (vm_tune_apply(&c, &l, err) < 0 || vm_tune_apply_memnodes(&c, s->d, err) < 0 ||
	    vm_tune_apply_pins(&c, &pins, err) < 0)
		return -1;
	return vm_tune_apply_schedulers(&c, s->d, err);
}
