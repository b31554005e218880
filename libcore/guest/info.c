/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "info.h"

#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/out.h>
#include <vm/strbuf.h>

#include "driver.h"
#include "host/task.h"
#include "info_sections.h"

static const struct vm_info_section *const sections[] = {
	&vm_info_summary, &vm_info_state,      &vm_info_cpu,	&vm_info_vcpus,	   &vm_info_iothreads,
	&vm_info_memory,  &vm_info_disks,      &vm_info_interfaces, &vm_info_hostdevs, &vm_info_ports,
	&vm_info_snapshots, &vm_info_jobs,     &vm_info_graphics, &vm_info_consoles, &vm_info_processes,
	&vm_info_confinement, &vm_info_agent,
};

static int section_find(const char *name, uint64_t *ret)
{
	for (size_t i = 0; i < VM_COUNT(sections); i++)
		if (strcmp(sections[i]->name, name) == 0) {
			*ret = UINT64_C(1) << i;
			return 0;
		}
	return -1;
}

int vm_info_sections(const char *const *names, size_t n, uint64_t *ret, struct vm_err *err)
{
	uint64_t bits = 0, bit;
	size_t i;

	for (i = 0; i < n; i++) {
		if (strcmp(names[i], "all") == 0) {
			bits |= (UINT64_C(1) << (VM_COUNT(sections) - 1)) - 1;
		} else if (section_find(names[i], &bit) == 0) {
			bits |= bit;
		} else {
			VM_AUTO(vm_strbuf_free) struct vm_strbuf list = VM_STRBUF_INIT;

			for (size_t s = 0; s < VM_COUNT(sections); s++)
				vm_strbuf_printf(&list, "%s ", sections[s]->name);
			vm_err_set(err, VM_USAGE, "no section '%s'", names[i]);
			return vm_err_hint(err, "sections are %sand all", list.text);
		}
	}
	*ret = bits ? bits : VM_INFO_SUMMARY;
	return 0;
}

/* Facts of a definition: its index, else the document itself. */
static int read_facts(struct vm_info *i, struct vm_err *err)
{
	int r = vm_index_read(i->state, i->guest.name, &i->facts, err);

	if (r <= 0)
		return r;
	if (vm_info_load(i, err) < 0)
		return -1;
	vm_domain_facts(i->domain, &i->facts);
	return 0;
}

int vm_info_load(struct vm_info *i, struct vm_err *err)
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

static void copy_record(struct vm_record *to, const struct vm_record *from)
{
	for (size_t n = 0; n < from->n; n++)
		vm_record_add(to, from->items[n].key, from->items[n].value);
}

int vm_info_open(const struct vm_state *s, const char *ref, bool want_live, bool want_config,
		 struct vm_deadline deadline, struct vm_info *i, struct vm_err *err)
{
	unsigned flags = (want_live ? VM_GUEST_ACTIVE : 0) | (want_config ? VM_GUEST_DEFINED : 0);
	const char *const *names = (const char *const[]){ NULL };
	VM_AUTO(vm_entries_free) struct vm_entries entries = { 0 };
	struct vm_entries_want want = { .n_names = 1, .inactive = true, .facts = true, .ask_ms = 100,
					.deadline = deadline };

	i->state = s;
	i->deadline = deadline;
	if (vm_guest_open(s, ref, flags, deadline, &i->guest, err) < 0)
		return -1;
	names = (const char *const[]){ i->guest.name };
	want.names = names;
	if (vm_entries_read(s, &want, &entries, err) < 0)
		return -1;
	if (entries.n)
		i->status = entries.v[0].status;
	i->live = i->guest.active && !want_config;
	if (i->live)
		copy_record(&i->facts, &i->guest.record);
	return 0;
}

void vm_info_close(struct vm_info *i)
{
	vm_domain_freep(&i->domain);
	vm_xml_freep(&i->doc);
	vm_record_free(&i->facts);
	vm_look_free(&i->look);
	vm_guest_close(&i->guest);
	*i = VM_INFO_INIT;
}

/* Everything the sections need is got before the first byte is printed: a failure prints nothing. */
static int prepare(struct vm_info *i, uint64_t bits, struct vm_err *err)
{
	const struct vm_driver *driver;
	unsigned look = 0;

	for (size_t s = 0; s < VM_COUNT(sections); s++) {
		if (!(bits >> s & 1))
			continue;
		look |= sections[s]->look;
		if (sections[s]->xml && vm_info_load(i, err) < 0)
			return -1;
	}
	if (bits & VM_INFO_SUMMARY && !i->live && i->guest.defined && read_facts(i, err) < 0)
		return -1;
	if (!look || !i->live)
		return 0;
	if (vm_driver_find(i->state->driver, &driver, err) < 0)
		return -1;
	if (!driver->look)
		return vm_driver_lacks(driver->name, "way to ask a running guest", err);
	return driver->look(&i->guest, look, i->deadline, &i->look, err);
}

int vm_info_show(struct vm_info *i, uint64_t bits, struct vm_out *out, struct vm_err *err)
{
	if (prepare(i, bits, err) < 0)
		return -1;
	for (size_t s = 0; s < VM_COUNT(sections); s++) {
		const struct vm_info_section *section = sections[s];

		if (!(bits >> s & 1))
			continue;
		if (section->columns)
			vm_out_array(out, section->name, section->columns, section->n_columns);
		if (section->show(i, out, err) < 0)
			return -1;
		if (section->columns)
			vm_out_array_end(out);
	}
	return 0;
}
