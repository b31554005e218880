/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sections that need the document or the running guest. */
#include "info.h"

#include <vm/alloc.h>
#include <vm/cleanup.h>

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

static int prepare(struct vm_info *i, const struct vm_info_table *t, uint64_t bits,
		   struct vm_err *err)
{
	const struct vm_observer *observer;
	unsigned look = 0;

	i->release = release;
	for (size_t s = 0; s < t->n; s++) {
		if (!(bits >> s & 1))
			continue;
		look |= t->v[s]->look;
		if (t->v[s]->xml && load_document(i, err) < 0)
			return -1;
	}
	if (bits & VM_INFO_SUMMARY && !i->live && i->guest.defined && read_facts(i, err) < 0)
		return -1;
	if (!look || !i->live)
		return 0;
	if (vm_observer_find(i->state->driver, &observer, err) < 0)
		return -1;
	if (!observer->look)
		return vm_driver_lacks(observer->name, "way to ask a running guest", err);
	/* One that is stopped does not answer, unless somebody is just letting it go on. */
	if (i->status.life == VM_UNRESPONSIVE)
		i->deadline = vm_deadline_min(i->deadline, vm_deadline_in(STOPPED_MS));
	return observer->look(&i->guest, look, i->deadline, &i->look, err);
}
const struct vm_info_table vm_info_all = { all, VM_COUNT(all), prepare };
