/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sections that need the document or the running guest. */
#include "info.h"

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/log.h>

#include "driver.h"
#include "info_sections.h"

static const struct vm_info_section *const all[] = {
	&vm_info_summary,   &vm_info_state,	 &vm_info_cpu,	    &vm_info_vcpus,
	&vm_info_iothreads, &vm_info_memory,	 &vm_info_disks,    &vm_info_interfaces,
	&vm_info_hostdevs,  &vm_info_ports,	 &vm_info_snapshots, &vm_info_jobs,
	&vm_info_graphics,  &vm_info_consoles,	 &vm_info_processes, &vm_info_confinement,
	&vm_info_agent,
};

static void release(struct vm_info *i)
{
	vm_domain_freep(&i->domain);
	vm_xml_freep(&i->doc);
	vm_look_free(&i->look);
}

static int load_document(struct vm_info *i, struct vm_err *err)
{
	if (i->domain)
		return 0;
	if (i->live) {
		if (vm_xml_load_at(i->guest.run, VM_RUN_LIVE_XML, &i->doc, err) < 0)
			return -1;
	} else {
		VM_AUTO_FREE char *text = NULL;
		VM_AUTO_FREE char *file = vm_xasprintf("%s.xml", i->guest.name);
		size_t len;

		if (vm_definition_read(i->state, i->guest.name, &text, &len, err) < 0 ||
		    vm_xml_parse(text, len, file, &i->doc, err) < 0)
			return -1;
	}
	return vm_domain_parse(i->doc, i->live, &i->domain, err);
}

/* Facts of a definition: its index, else the document itself. */
static int read_facts(struct vm_info *i, struct vm_err *err)
{
	int r = vm_index_read(i->state, i->guest.name, &i->facts, err);

	if (r <= 0)
		return r;
	if (load_document(i, err) < 0) {
		/* What can be told of it is that it is broken. */
		if (i->status.life != VM_BROKEN)
			return -1;
		*err = VM_ERR_INIT;
		return 0;
	}
	vm_domain_facts(i->domain, &i->facts);
	return 0;
}

#define STOPPED_MS 1000
#define GLANCE_MS  2000

static int ask(struct vm_info *i, unsigned look, struct vm_err *err)
{
	const struct vm_observer *observer;

	if (vm_observer_find(i->state->driver, &observer, err) < 0)
		return -1;
	if (!observer->look)
		return vm_driver_lacks(observer->name, "way to ask a running guest", err);
	/* One that is stopped does not answer, unless somebody is just letting it go on. */
	if (i->status.life == VM_UNRESPONSIVE)
		i->deadline = vm_deadline_min(i->deadline, vm_deadline_in(STOPPED_MS));
	return observer->look(&i->guest, look, i->deadline, &i->look, err);
}

/* The documents tell most of it.  Who may look at these, and not ask, knows that. */
static int ask_if(struct vm_info *i, unsigned look)
{
	struct vm_err why = VM_ERR_INIT;

	i->deadline = vm_deadline_min(i->deadline, vm_deadline_in(GLANCE_MS));
	if (ask(i, look, &why) < 0 && why.kind != VM_DENIED)
		vm_log_warning("%s: only what its document says is shown: %s", i->guest.name, why.msg);
	return 0;
}

static int prepare(struct vm_info *i, const struct vm_info_table *t, uint64_t bits,
		   struct vm_err *err)
{
	unsigned look = 0, look_if = 0;

	i->release = release;
	for (size_t s = 0; s < t->n; s++) {
		if (!(bits >> s & 1))
			continue;
		look |= t->v[s]->look;
		look_if |= t->v[s]->look_if;
		if (t->v[s]->xml && load_document(i, err) < 0)
			return -1;
	}
	if (bits & VM_INFO_SUMMARY && !i->live && i->guest.defined && read_facts(i, err) < 0)
		return -1;
	if (!i->live || !(look | look_if))
		return 0;
	return look ? ask(i, look | look_if, err) : ask_if(i, look_if);
}
const struct vm_info_table vm_info_all = { all, VM_COUNT(all), prepare };
