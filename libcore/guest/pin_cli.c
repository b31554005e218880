/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tune_cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/guest.h>
#include <vm/look.h>
#include <vm/out.h>

#include "driver.h"
#include "host/task.h"
#include "model/domain.h"
#include "tune_cli_internal.h"
#include "tune_internal.h"
#include "tune_show.h"

/* --vcpu=N --cpulist=LIST as an operand; owned by *word. */
static int from_options(const struct vm_tune_cli *o, char **word, struct vm_err *err)
{
	int kinds = (o->vcpu != NULL) + (o->iothread != NULL) + o->emulator;
	const char *cpus = o->cpulist;

	if (kinds > 1)
		return vm_err_set(err, VM_USAGE, "--vcpu, --iothread and --emulator exclude each other");
	if (kinds == 0)
		return cpus == NULL ? 0 : vm_err_set(err, VM_USAGE, "--cpulist is of what?");
	/* virsh's "r" lets a thread run anywhere. */
	if (cpus != NULL && strcmp(cpus, "r") == 0)
		cpus = "all";
	*word = vm_xasprintf("%s%s%s%s",
			     o->vcpu != NULL	   ? "vcpu"
			     : o->iothread != NULL ? "iothread"
						   : "emulator",
			     o->vcpu != NULL	   ? o->vcpu
			     : o->iothread != NULL ? o->iothread
						   : "",
			     cpus != NULL ? "=" : "", cpus != NULL ? cpus : "");
	return 0;
}

/* ---- showing ---- */

struct sheet {
	struct vm_out *out;
	const struct vm_tune_view *view;
	struct vm_tune_threads threads;
	const struct vm_tune_pins *only;
	bool any;
};

static bool is_wanted(const struct vm_tune_pins *only, int class, uint64_t id)
{
	for (size_t i = 0; i < only->n; i++)
		if (only->v[i].class == class && (only->v[i].all || only->v[i].id == id))
			return true;
	return only->n == 0;
}

static void print_thread(struct sheet *s, int class, uint64_t id, const char *name)
{
	const struct vm_tune_thread *t = vm_tune_thread_find(&s->threads, class, id);
	VM_AUTO_FREE char *live = t != NULL ? vm_task_affinity(t->tid) : NULL;
	const struct vm_domain *d = s->view->config;
	VM_AUTO_FREE char *config = NULL;

	if (!is_wanted(s->only, class, id))
		return;
	if (d != NULL) {
		const struct mt_cpuset *cpus = vm_tune_pin_of(d, class, id);

		config = cpus != NULL ? mt_cpuset_text(cpus) : vm_xstrdup("all");
	}
	s->any = true;
	vm_out_row(s->out);
	vm_out_str(s->out, "thread", name);
	vm_out_str(s->out, "live", live);
	vm_out_str(s->out, "config", config);
	vm_out_row_end(s->out);
}

/* The threads of both sides: those that run, and those of the documents. */
static void print_threads(struct sheet *s)
{
	const struct vm_domain *d = s->view->live != NULL ? s->view->live : s->view->config;
	const struct vm_domain *c = s->view->config != NULL ? s->view->config : d;
	uint64_t vcpus = d->vcpus > c->vcpus ? d->vcpus : c->vcpus;
	VM_AUTO_FREE uint64_t *ids = NULL, *more = NULL;
	uint32_t n, m;
	char name[VM_THREAD_GROUP_NAME];

	for (uint64_t i = 0; i < vcpus; i++) {
		snprintf(name, sizeof(name), "vcpu%llu", (unsigned long long)i);
		print_thread(s, VM_TUNE_VCPU, i, name);
	}
	print_thread(s, VM_TUNE_EMULATOR, 0, "emulator");
	n = vm_domain_iothreads(d, &ids);
	m = vm_domain_iothreads(c, &more);
	for (uint32_t i = 0; i < n + m; i++) {
		uint64_t id = i < n ? ids[i] : more[i - n];

		if (i >= n && vm_domain_has_iothread(d, id))
			continue;
		snprintf(name, sizeof(name), "iothread%llu", (unsigned long long)id);
		print_thread(s, VM_TUNE_IOTHREAD, id, name);
	}
}

static int ask(struct sheet *s, struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO(vm_look_free) struct vm_look look = VM_LOOK_INIT;
	struct vm_guest *g = (struct vm_guest *)(uintptr_t)&s->view->guest;
	const struct vm_observer *observer;
	struct vm_procid qemu;

	if (s->view->live == NULL)
		return 0;
	if (vm_observer_find(g->state->driver, &observer, err) < 0)
		return -1;
	if (!vm_record_get_procid(&g->record, VM_KEY_PID, &qemu))
		return vm_err_set(err, VM_BAD_INPUT, "its record names no process");
	if (observer->look(g, VM_LOOK_VCPUS | VM_LOOK_IOTHREADS, deadline, &look, err) < 0)
		return -1;
	return vm_tune_threads_of(qemu.pid, &look, &s->threads, err);
}

static int show(const struct vm_program *p, const struct vm_common *c, const struct vm_tune_cli *o,
		const struct vm_tune_pins *only, struct vm_err *err)
{
	static const struct vm_out_column columns[] = {
		{ "thread", "THREAD" }, { "live", "LIVE" }, { "config", "CONFIG" },
	};
	VM_AUTO(vm_state_close) struct vm_state state = VM_STATE_INIT;
	VM_AUTO(vm_tune_view_close) struct vm_tune_view v = VM_TUNE_VIEW_INIT;
	struct sheet s = { .view = &v, .only = only };
	int r;

	if (vm_state_open(c->connect, VM_STATE_READ, &state, err) < 0 ||
	    vm_tune_cli_view(&state, c, o, &v, err) < 0)
		return -1;
	r = ask(&s, c->deadline, err);
	if (r < 0)
		vm_err_object(err, v.guest.name);
	if (r == 0) {
		s.out = vm_out_open(stdout, VM_OUT_TABLE, p->schema, c->json, false);
		vm_out_str(s.out, "name", v.guest.name);
		vm_out_array(s.out, "threads", columns, VM_COUNT(columns));
		print_threads(&s);
		vm_out_array_end(s.out);
		if (!s.any) {
			vm_out_drop(s.out);
			vm_err_set(err, VM_NOT_FOUND, "has no such thread");
			r = vm_err_object(err, v.guest.name);
		} else {
			r = vm_out_close(s.out, err);
		}
	}
	vm_tune_threads_free(&s.threads);
	return r;
}

int vm_pin_cli(const struct vm_program *p, struct vm_common *c, const struct vm_tune_cli *o,
	       struct vm_err *err)
{
	VM_AUTO(vm_tune_pins_free) struct vm_tune_pins pins = { 0 };
	VM_AUTO_FREE char *word = NULL;
	const char *const *words = c->operands.v + 1;
	size_t n = c->operands.n - 1, given = 0;

	if (vm_tune_cli_check(o, err) < 0 || from_options(o, &word, err) < 0)
		return -1;
	if (word != NULL) {
		if (n > 0)
			return vm_err_set(err, VM_USAGE, "threads are named by options or by operands");
		words = (const char *const *)&word;
		n = 1;
	}
	if (vm_tune_pins_parse(words, n, &pins, err) < 0)
		return -1;
	for (size_t i = 0; i < pins.n; i++)
		given += pins.v[i].given;
	if (given > 0 && given < pins.n)
		return vm_tune_cli_mixed("threads", err);
	if (given > 0)
		return vm_tune_cli_set(p, c, o, NULL, &pins, err);
	c->only_looked = true;
	return show(p, c, o, &pins, err);
}
