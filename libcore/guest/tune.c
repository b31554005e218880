/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Setting what a guest may take of its host: definition and running guest, together or not at all. */
#include "tune.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/define.h>
#include <vm/file.h>
#include <vm/guest.h>
#include <vm/log.h>
#include <vm/look.h>
#include <vm/model.h>
#include <vm/state.h>
#include <vm/xml.h>

#include "driver.h"
#include "group.h"
#include "model/domain.h"

struct job {
	struct vm_host *h;
	const struct vm_tune_request *r;
	struct vm_guest *g;
	bool live, config;
	struct vm_xml *config_doc, *live_doc; /* as they are to be */
	struct vm_domain *live_domain;	      /* as it was; positions in it mean nothing */
	struct vm_cgroup group;
	struct vm_tune_threads threads;
	struct vm_undo undo;
};

static void job_close(struct job *j)
{
	vm_undo_close(&j->undo);
	vm_xml_freep(&j->config_doc);
	vm_xml_freep(&j->live_doc);
	vm_domain_freep(&j->live_domain);
	vm_cgroup_close(&j->group);
	vm_tune_threads_free(&j->threads);
}

static const struct vm_tune_setting *wanted(const struct job *j, const char *key)
{
	const struct vm_tune_setting *s;

	if (j->r->settings == NULL)
		return NULL;
	s = vm_tune_list_find(j->r->settings, vm_tunable_find(key, strlen(key)), NULL);
	return s != NULL && s->given ? s : NULL;
}

static int choose(struct job *j, struct vm_err *err)
{
	const struct vm_tune_request *r = j->r;

	j->live = r->live || (!r->config && j->g->active);
	j->config = r->config || (!r->live && !j->g->active);
	if (j->live && !j->g->active) {
		vm_err_set(err, VM_NOT_RUNNING, "is not running");
		return vm_err_hint(err, "--config changes its definition");
	}
	if (j->config && !j->g->defined) {
		vm_err_set(err, VM_NOT_FOUND, "has no definition");
		return vm_err_hint(err, "it runs without one: --live changes what runs");
	}
	return 0;
}

/* ---- documents ---- */

static int edit(struct job *j, const struct vm_domain *d, struct vm_xml **doc, struct vm_err *err)
{
	const struct vm_tune_request *r = j->r;

	for (size_t i = 0; r->settings != NULL && i < r->settings->n; i++)
		if (r->settings->v[i].given && vm_tune_edit(doc, &r->settings->v[i], err) < 0)
			return -1;
	for (size_t i = 0; r->pins != NULL && i < r->pins->n; i++)
		if (r->pins->v[i].given && vm_tune_edit_pin(doc, d, &r->pins->v[i], err) < 0)
			return -1;
	return 0;
}

static int edit_config(struct job *j, struct vm_err *err)
{
	VM_AUTO_FREE char *text = NULL;
	VM_AUTO_FREE char *file = vm_xasprintf("%s/%s.xml", j->h->state.etc_path, j->g->name);
	VM_AUTO(vm_domain_freep) struct vm_domain *d = NULL;
	VM_AUTO(vm_xml_freep) struct vm_xml *was = NULL;
	size_t len;

	if (vm_definition_read(&j->h->state, j->g->name, &text, &len, err) < 0 ||
	    vm_xml_parse(text, len, file, &was, err) < 0 ||
	    vm_domain_parse(was, false, &d, err) < 0 ||
	    vm_xml_parse(text, len, file, &j->config_doc, err) < 0)
		return -1;
	return edit(j, d, &j->config_doc, err);
}

/* Its QEMU does not read it; it says what was asked for, to dumpxml and to whoever sets up a vCPU that comes. */
static int edit_live(struct job *j, struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *was = NULL;
	VM_AUTO(vm_domain_freep) struct vm_domain *now = NULL;

	if (vm_xml_load_at(j->g->run, VM_RUN_LIVE_XML, &was, err) < 0 ||
	    vm_domain_parse(was, true, &j->live_domain, err) < 0 ||
	    vm_xml_load_at(j->g->run, VM_RUN_LIVE_XML, &j->live_doc, err) < 0 ||
	    edit(j, j->live_domain, &j->live_doc, err) < 0)
		return -1;
	return vm_domain_parse(j->live_doc, true, &now, err);
}

static int write_live(struct job *j, const char *guard, struct vm_err *err)
{
	size_t len;
	const char *text = vm_xml_text(j->live_doc, &len);
	int run = j->g->run;

	/* What an earlier change kept is of no use any more, and must not be what is put back. */
	(void)unlinkat(run, VM_TUNE_LIVE_OLD, 0);
	if (vm_undo_push(&j->undo, VM_TUNE_VERB_LIVE, "%s", guard) < 0)
		return vm_err_sys(err, "write the journal");
	if (linkat(run, VM_RUN_LIVE_XML, run, VM_TUNE_LIVE_OLD, 0) < 0)
		return vm_err_sys(err, "keep the old %s", VM_RUN_LIVE_XML);
	return vm_file_write_volatile(run, VM_RUN_LIVE_XML, text, len, 0640, err);
}

/* ---- the running guest ---- */

/* Where memory may be decides the kernel's cpuset for these modes; for others QEMU has been told, once. */
static int check_numa(const struct job *j, struct vm_err *err)
{
	const struct vm_numatune *n = j->live_domain->numatune;
	const struct vm_tune_setting *mode = wanted(j, "numa_mode");
	int now = n == NULL || n->mode == VM_NUMA_ABSENT ? VM_NUMA_STRICT : n->mode;

	if (mode != NULL && (n == NULL || strcmp(mode->v.text, vm_numa_mode_words[now]) != 0)) {
		vm_err_set(err, VM_UNSUPPORTED, "numa_mode of a running guest cannot be changed");
		return vm_err_hint(err, "--config changes it for the next start");
	}
	if (wanted(j, "numa_nodeset") == NULL || now == VM_NUMA_STRICT || now == VM_NUMA_RESTRICTIVE)
		return 0;
	vm_err_set(err, VM_UNSUPPORTED,
		   "numa_nodeset of a running guest can be changed only with numa_mode strict or restrictive");
	return vm_err_hint(err, "--config changes it for the next start");
}

static bool about_threads(const struct job *j)
{
	if (j->r->pins != NULL)
		return true;
	for (size_t i = 0; i < j->r->settings->n; i++)
		switch ((enum vm_tunable_where)j->r->settings->v[i].t->where) {
		case VM_TUNE_IN_VCPUS:
		case VM_TUNE_IN_EMULATOR:
		case VM_TUNE_IN_IOTHREADS:
			return true;
		case VM_TUNE_IN_QEMU:
			if (j->r->settings->v[i].t->kind == VM_TUNE_NODES)
				return true;
			break;
		case VM_TUNE_IN_MAIN:
		case VM_TUNE_IN_DOCUMENT:
			break;
		}
	return false;
}

static int ask_threads(struct job *j, struct vm_err *err)
{
	VM_AUTO(vm_look_free) struct vm_look look = VM_LOOK_INIT;
	const struct vm_observer *observer;
	struct vm_procid qemu;

	if (vm_observer_find(j->h->driver->name, &observer, err) < 0)
		return -1;
	if (observer->look == NULL)
		return vm_driver_lacks(j->h->driver->name, "way to ask a running guest", err);
	if (!vm_record_get_procid(&j->g->record, VM_KEY_PID, &qemu))
		return vm_err_set(err, VM_BAD_INPUT, "its record names no process");
	if (observer->look(j->g, VM_LOOK_VCPUS | VM_LOOK_IOTHREADS, j->r->deadline, &look, err) < 0)
		return -1;
	return vm_tune_threads_of(qemu.pid, &look, &j->threads, err);
}

static int prepare_live(struct job *j, struct vm_err *err)
{
	VM_AUTO_FREE char *moved = NULL;

	if (edit_live(j, err) < 0 || check_numa(j, err) < 0 || vm_guest_group_open(j->g, &j->group, err) < 0 ||
	    vm_guest_group_moved(j->g, &j->group, &moved, err) < 0)
		return -1;
	/* Half of it would be set. */
	if (j->group.unseen != NULL) {
		vm_err_set(err, VM_DENIED, "its control group in the hierarchy %s cannot be seen from here",
			   j->group.unseen);
		return vm_err_hint(err, "change it where that hierarchy is mounted, and as who may look into it");
	}
	if (moved != NULL)
		vm_log_warning("%s: %s: what is set for its own group does not hold for it", j->g->name, moved);
	return about_threads(j) ? ask_threads(j, err) : 0;
}

static int change_live(struct job *j, const char *guard, struct vm_err *err)
{
	const struct vm_tune_change c = { .group = &j->group,
					  .threads = j->threads.n > 0 ? &j->threads : NULL,
					  .undo = j->r->dry_run ? NULL : &j->undo,
					  .guard = guard,
					  .convert = j->r->convert || j->h->state.conf.convert_shares,
					  .dry_run = j->r->dry_run };

	if (!j->r->dry_run &&
	    vm_undo_open(&j->undo, j->g->run, VM_RUN_UNDO_CHANGE, j->h->driver->undo_verbs, j->g,
			 err) < 0)
		return -1;
	if (j->r->settings != NULL && vm_tune_apply(&c, j->r->settings, err) < 0)
		return -1;
	if (j->r->pins != NULL && vm_tune_apply_pins(&c, j->r->pins, err) < 0)
		return -1;
	return j->r->dry_run ? 0 : write_live(j, guard, err);
}

/* ---- both ---- */

static int before_store(void *arg, const char *text, size_t len, struct vm_err *err)
{
	char guard[17];

	vm_tune_guard(text, len, guard);
	return change_live(arg, guard, err);
}

static int change(struct job *j, struct vm_err *err)
{
	struct vm_define define = { .state = &j->h->state,
				    .deadline = j->r->deadline,
				    .dry_run = j->r->dry_run,
				    .before = j->live ? before_store : NULL,
				    .before_arg = j };
	struct vm_defined done = { 0 };
	int r = 1;

	if (j->config) {
		if (vm_planner_find(j->h->driver->name, &define.planner, err) < 0)
			return -1;
		r = vm_guest_define_open(&define, j->g, j->config_doc, &done, err);
		vm_defined_free(&done);
		if (r < 0)
			return -1;
	}
	/* The definition says so already, or is not what is changed, or (dry run) is not. */
	if (j->live && (r == 1 || j->r->dry_run)) {
		r = 0;
		if (change_live(j, "-", err) < 0)
			return -1;
	}
	return r;
}

int vm_tune_set(struct vm_host *h, const char *ref, const struct vm_tune_request *r,
		struct vm_err *err)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	VM_AUTO(job_close)
	struct job j = { .h = h, .r = r, .g = &g, .group = VM_CGROUP_INIT, .undo = VM_UNDO_INIT };
	struct vm_err failed = VM_ERR_INIT;
	int result;

	if (vm_guest_open(&h->state, ref, r->dry_run ? 0 : VM_GUEST_LOCKED, r->deadline, &g, err) < 0)
		return -1;
	if (choose(&j, err) < 0 || (j.config && edit_config(&j, err) < 0) ||
	    (j.live && prepare_live(&j, err) < 0))
		return -1;
	result = change(&j, err);
	if (result < 0) {
		if (vm_undo_run(&j.undo, &failed) < 0)
			vm_log_warning("%s: not all was put back: %s", g.name, failed.msg);
		return -1;
	}
	if (vm_undo_disarm(&j.undo, err) < 0)
		return -1;
	if (j.live && !r->dry_run) {
		(void)unlinkat(g.run, VM_TUNE_LIVE_OLD, 0);
		if (r->settings != NULL)
			vm_tune_tell_systemd(&g, &j.group, r->settings, r->deadline);
	}
	return result;
}
