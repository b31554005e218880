/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verbs that begin with a document. */
#include <vm/guest.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/log.h>
#include <vm/model.h>
#include <vm/strbuf.h>
#include <vm/xml.h>

#include "driver.h"
#include "model/chain.h"
#include "model/domain.h"

static int start(struct vm_host *h, struct vm_guest *g, const struct vm_start_options *o,
		 bool if_needed, struct vm_err *err)
{
	const struct vm_runner *runner;

	if (g->active) {
		if (if_needed)
			return 1;
		return vm_err_set(err, VM_IN_USE, "is %s already",
				  g->life == VM_PAUSED ? "started (paused)" : "running");
	}
	if (vm_runner_find(h->state.driver, &runner, err) < 0)
		return -1;
	if (runner->start == NULL)
		return vm_driver_lacks(runner->name, "start", err);
	return runner->start(g, o, err);
}

int vm_guest_start(struct vm_host *h, const char *ref, const struct vm_start_options *o,
		   bool if_needed, struct vm_err *err)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;

	/* A guest that runs but was never defined is not "not found". */
	if (vm_guest_open(&h->state, ref, VM_GUEST_LOCKED, o->deadline, &g, err) < 0)
		return -1;
	if (!g.defined && !g.active)
		return vm_err_set(err, VM_NOT_FOUND, "there is no such guest");
	return start(h, &g, o, if_needed, err);
}

int vm_guest_create(struct vm_host *h, const struct vm_start_options *o, char **ret_name,
		    struct vm_err *err)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	VM_AUTO(vm_domain_freep) struct vm_domain *d = NULL;

	if (vm_domain_parse(o->document, false, &d, err) < 0)
		return -1;
	vm_err_object(err, d->name);
	if (vm_guest_open(&h->state, d->name, VM_GUEST_LOCKED | VM_GUEST_NEW, o->deadline, &g,
			  err) < 0)
		return -1;
	if (g.defined) {
		vm_err_set(err, VM_IN_USE, "is defined");
		vm_err_object(err, d->name);
		return vm_err_hint(err, "vm-start %s starts it", d->name);
	}
	if (start(h, &g, o, false, err) < 0)
		return -1;
	if (ret_name != NULL)
		*ret_name = vm_xstrdup(g.name);
	return 0;
}

/* A CPU that copies the host's, as a start would write it out; left alone where there is no hypervisor to ask. */
static int update_cpu(const struct vm_host *h, const struct vm_planner *planner,
		      struct vm_deadline dl, const struct vm_xml *doc, struct vm_domain **d,
		      struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *updated = NULL;
	struct vm_domain *parsed = NULL;
	struct vm_err why = VM_ERR_INIT;

	if (planner->update_cpu == NULL)
		return 0;
	if (planner->update_cpu(&h->state, *d, doc, dl, &updated, &why) < 0)
		vm_log_step("%s", why.msg);
	if (updated == NULL)
		return 0;
	if (vm_domain_parse(updated, false, &parsed, err) < 0)
		return -1;
	vm_domain_free(*d);
	*d = parsed;
	return 0;
}

int vm_guest_print_start(struct vm_host *h, const char *ref, struct vm_deadline dl,
			 struct vm_strbuf *out, struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL, *complete = NULL;
	VM_AUTO(vm_domain_freep) struct vm_domain *d = NULL;
	VM_AUTO_FREE char *name = NULL, *text = NULL, *file = NULL, *run = NULL, *lib = NULL;
	const struct vm_planner *planner;
	size_t len;

	if (vm_planner_find(h->state.driver, &planner, err) < 0)
		return -1;
	if (planner->export_native == NULL)
		return vm_driver_lacks(planner->name, "command line", err);
	if (vm_guest_resolve(&h->state, ref, false, &name, err) < 0 ||
	    vm_definition_read(&h->state, name, &text, &len, err) < 0)
		return -1;
	file = vm_xasprintf("%s/%s.xml", h->state.etc_path, name);
	if (vm_xml_parse(text, len, file, &doc, err) < 0 ||
	    vm_domain_complete(doc, NULL, planner->completer, &complete, &d, err) < 0 ||
	    update_cpu(h, planner, dl, complete, &d, err) < 0)
		return -1;
	if (vm_domain_find_chains(d, true, dl, err) < 0)
		return -1;
	run = vm_xasprintf("%s/%s", h->state.run_path, name);
	lib = vm_xasprintf("%s/%s", h->state.lib_path, name);
	return planner->export_native(
	    d, "qemu-argv", &(struct vm_guest_paths){ .run = run, .lib = lib }, out, err);
}
