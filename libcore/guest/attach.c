/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "attach.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/define.h>
#include <vm/guest.h>
#include <vm/log.h>
#include <vm/model.h>
#include <vm/state.h>
#include <vm/xml.h>

#include "attach_both.h"
#include "attach_internal.h"
#include "driver.h"
#include "hostdev_view.h"
#include "model/domain.h"

void vm_hostdev_results_free(struct vm_hostdev_results *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->v[i].device);
		free(r->v[i].alias);
		free(r->v[i].address);
	}
	free(r->v);
	*r = VM_HOSTDEV_RESULTS_INIT;
}

static char *address_text(const struct vm_device *dev)
{
	const struct vm_address *a = dev->address;

	if (!vm_device_has_address(dev, VM_ADDRESS_PCI))
		return NULL;
	return vm_xasprintf("%04x:%02x:%02x.%x", (unsigned)a->domain, (unsigned)a->bus, (unsigned)a->slot,
			    (unsigned)a->function);
}

void vm_hostdev_results_add(struct vm_hostdev_results *r, const struct vm_hostdev *h)
{
	r->v = vm_xreallocarray(r->v, r->n + 1, sizeof(*r->v));
	r->v[r->n++] = (struct vm_hostdev_result){ .device = vm_hostdev_source_text(h),
						   .alias = vm_xstrdup(h->dev.alias),
						   .address = address_text(&h->dev) };
}

int vm_hostdev_job_choose(struct vm_hostdev_job *j, struct vm_err *err)
{
	const struct vm_hostdev_request *r = j->r;

	j->live = r->live || ((r->persistent || !r->config) && j->g->active);
	j->config = r->config || r->persistent || (!r->live && !j->g->active);
	if (j->live && !j->g->active) {
		vm_err_set(err, VM_NOT_RUNNING, "is not running");
		return vm_err_hint(err, "--config changes its definition");
	}
	if (j->config && !j->g->defined) {
		vm_err_set(err, VM_NOT_FOUND, "has no definition");
		return vm_err_hint(err, "it runs without one: --live changes what runs");
	}
	if (vm_planner_find(j->host->driver->name, &j->planner, err) < 0 ||
	    vm_runner_find(j->host->driver->name, &j->runner, err) < 0)
		return -1;
	if (j->live && (j->runner->attach == NULL || j->runner->detach == NULL))
		return vm_driver_lacks(j->runner->name, "way to plug host devices in while a guest runs", err);
	return 0;
}

int vm_hostdev_job_read(const struct vm_hostdev_job *j, struct vm_xml **ret, struct vm_err *err)
{
	VM_AUTO_FREE char *text = NULL;
	VM_AUTO_FREE char *file = vm_xasprintf("%s/%s.xml", j->host->state.etc_path, j->g->name);
	size_t len;

	if (vm_definition_read(&j->host->state, j->g->name, &text, &len, err) < 0)
		return -1;
	return vm_xml_parse(text, len, file, ret, err);
}

int vm_hostdev_job_define(const struct vm_hostdev_job *j, const struct vm_xml *doc,
			  int (*before)(void *arg, const char *text, size_t len, struct vm_err *err), void *arg,
			  struct vm_err *err)
{
	const struct vm_define define = { .state = &j->host->state,
					  .planner = j->planner,
					  .deadline = j->r->deadline,
					  .dry_run = j->r->dry_run,
					  .before = before,
					  .before_arg = arg };
	struct vm_defined done = { 0 };
	int r = vm_guest_define_open(&define, j->g, doc, &done, err);

	vm_defined_free(&done);
	return r;
}

/* ---- attach ---- */

struct attach {
	struct vm_hostdev_job job;
	struct vm_hostdev_elements elements;
	struct vm_hostdev_results *ret;
	int live; /* as vm_runner.attach says; -2 = not asked yet */
};

static void attach_close(struct attach *a)
{
	vm_hostdev_elements_free(&a->elements);
}

static int attach_live(struct attach *a, struct vm_err *err)
{
	const struct vm_hostdev_request *r = a->job.r;
	const struct vm_plug_options o = { .elements = &a->elements,
					   .force = r->force,
					   .skip = r->if_needed,
					   .dry_run = r->dry_run,
					   .wait_ms = r->wait_ms,
					   .deadline = r->deadline };

	a->live = a->job.runner->attach(a->job.g, &o, a->ret, err);
	return a->live;
}

static int before_store(void *arg, const char *text, size_t len, struct vm_err *err)
{
	struct attach *a = arg;

	if (vm_both_begin(a->job.g, text, len, err) < 0)
		return -1;
	if (attach_live(a, err) >= 0)
		return 0;
	/* In doubt whoever asks QEMU again decides about this, too. */
	if (faccessat(a->job.g->run, VM_RUN_PLUG, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		vm_both_end(a->job.g);
	return -1;
}

/* The guest has it and keeps it: only the next start does not know. */
static int only_live(const struct attach *a, struct vm_err *err)
{
	if (a->live != 0 || a->job.r->dry_run)
		return -1;
	vm_err_wrap(err, "the running guest has it now, but its definition could not be changed");
	err->kind = VM_SYSTEM;
	return vm_err_hint(err, "repeat it with --config");
}

static int tell_elements(struct attach *a, struct vm_err *err)
{
	for (size_t i = 0; i < a->elements.n; i++) {
		VM_AUTO(vm_hostdev_element_free) struct vm_hostdev_element e = VM_HOSTDEV_ELEMENT_INIT;

		if (vm_hostdev_element_parse(a->elements.v[i], &e, err) < 0)
			return -1;
		vm_hostdev_results_add(a->ret, e.h);
	}
	return 0;
}

static int attach_config(struct attach *a, struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *was = NULL, *doc = NULL;
	bool skip = a->job.r->if_needed;
	size_t added;
	int r;

	if (vm_hostdev_job_read(&a->job, &was, err) < 0 ||
	    vm_hostdev_insert(was, false, &a->elements, skip, &doc, &added, err) < 0)
		return -1;
	if (added == 0)
		return 1;
	/* a dry run of the definition stores nothing, so nothing comes before that */
	if (a->job.live && a->job.r->dry_run && attach_live(a, err) < 0)
		return -1;
	r = vm_hostdev_job_define(&a->job, doc, a->job.live ? before_store : NULL, a, err);
	if (a->live >= 0 && !a->job.r->dry_run)
		vm_both_end(a->job.g);
	if (r < 0)
		return only_live(a, err);
	return r == 0 && !a->job.live && tell_elements(a, err) < 0 ? -1 : r;
}

/* Of others than PCI devices nothing is known of that. */
static int wait_taken(const struct attach *a, struct vm_err *err)
{
	VM_AUTO_FREE const char **aliases = vm_xcalloc(a->ret->n + 1, sizeof(*aliases));
	size_t n = 0;

	for (size_t i = 0; i < a->ret->n; i++)
		if (a->ret->v[i].address != NULL)
			aliases[n++] = a->ret->v[i].alias;
	vm_guest_unlock(a->job.g);
	if (n == 0 || a->job.runner->wait_taken == NULL)
		return 0;
	return a->job.runner->wait_taken(a->job.g, aliases, n, vm_deadline_in(a->job.r->wait_ms), err);
}

static int make_elements(struct attach *a, struct vm_err *err)
{
	const struct vm_hostdev_request *r = a->job.r;
	VM_AUTO(vm_hostdev_view_free) struct vm_hostdev_view view = VM_HOSTDEV_VIEW_INIT;
	VM_AUTO_FREE char(*pcis)[VM_PCI_NAME] = vm_xcalloc(r->n + 1, sizeof(*pcis));
	VM_AUTO_FREE const char **names = vm_xcalloc(r->n + 1, sizeof(*names));
	struct vm_err ignored = VM_ERR_INIT;
	unsigned buses = 0;
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++) {
		struct vm_hostdev_name name;

		if (vm_hostdev_name_parse(r->devices[i], &name, &ignored) < 0) {
			buses |= 1u << VM_HOSTDEV_PARENT; /* to say that it is none that a guest can have */
			continue;
		}
		buses |= 1u << name.bus;
		if (name.bus != VM_HOSTDEV_PCI)
			continue;
		vm_pci_name(&name.pci, pcis[n]);
		names[n] = pcis[n];
		n++;
	}
	/* Who has them, and what uses them, is looked at when they are given. */
	if (vm_hostdev_view_read_some(NULL, buses, names, n, &view, err) < 0)
		return -1;
	return vm_hostdev_elements_make(r->devices, r->n, &r->how, &view, &a->elements, err);
}

int vm_guest_attach(struct vm_host *h, const char *ref, const struct vm_hostdev_request *r,
		    struct vm_hostdev_results *ret, struct vm_err *err)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	VM_AUTO(attach_close)
	struct attach a = { .job = { .host = h, .g = &g, .r = r }, .ret = ret, .live = -2 };
	int config = 1;

	if (vm_guest_open(&h->state, ref, r->dry_run ? 0 : VM_GUEST_LOCKED, r->deadline, &g, err) < 0 ||
	    vm_hostdev_job_choose(&a.job, err) < 0 || make_elements(&a, err) < 0)
		return -1;
	if (a.job.config && (config = attach_config(&a, err)) < 0)
		return -1;
	/* Its definition says so already, or is not what is changed, or (dry run) is not. */
	if (a.job.live && a.live == -2 && attach_live(&a, err) < 0)
		return -1;
	if (a.live == 0 && r->wait_ms > 0 && !r->dry_run && wait_taken(&a, err) < 0)
		return -1;
	return config == 0 || a.live == 0 ? 0 : 1;
}
