/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "info.h"

#include <string.h>

#include <vm/cleanup.h>
#include <vm/out.h>
#include <vm/strbuf.h>

#include "info_sections.h"

/* One guest that has no watcher: a busy machine is no reason to call it unresponsive. */
#define ASK_MS 1000u

static const struct vm_info_section *const light[] = {
	&vm_info_summary, &vm_info_state, &vm_info_snapshots, &vm_info_processes,
	&vm_info_confinement,
};
const struct vm_info_table vm_info_light = { light, VM_COUNT(light), NULL };

static const struct vm_info_section *find(const struct vm_info_table *t, const char *name,
					  uint64_t *ret_bit)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->v[i]->name, name) == 0) {
			*ret_bit = UINT64_C(1) << i;
			return t->v[i];
		}
	return NULL;
}

int vm_info_choose(const struct vm_info_table *t, const char *const *names, size_t n, uint64_t *ret,
		   struct vm_err *err)
{
	uint64_t bits = 0, bit = 0;

	for (size_t i = 0; i < n; i++) {
		VM_AUTO(vm_strbuf_free) struct vm_strbuf list = VM_STRBUF_INIT;

		if (strcmp(names[i], "all") == 0) {
			bits |= (UINT64_C(1) << (t->n - 1)) - 1;
			continue;
		}
		if (find(t, names[i], &bit)) {
			bits |= bit;
			continue;
		}
		for (size_t s = 0; s < t->n; s++)
			vm_strbuf_printf(&list, "%s ", t->v[s]->name);
		vm_err_set(err, VM_USAGE, "no section '%s'", names[i]);
		return vm_err_hint(err, "sections are %sand all", list.text);
	}
	*ret = bits ? bits : VM_INFO_SUMMARY;
	return 0;
}

bool vm_info_is_light(struct vm_info *i, const char *const *names, size_t n)
{
	struct vm_err ignored = VM_ERR_INIT;
	uint64_t bit;

	for (size_t k = 0; k < n; k++)
		if (!find(&vm_info_light, names[k], &bit))
			return false;
	return i->live || !i->guest.defined || i->facts.n ||
	       vm_index_read(i->state, i->guest.name, &i->facts, &ignored) == 0;
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
	struct vm_entries_want want = { .n_names = 1, .inactive = true, .facts = true, .ask_ms = ASK_MS,
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
	if (i->release)
		i->release(i);
	vm_record_free(&i->facts);
	vm_guest_close(&i->guest);
	*i = VM_INFO_INIT;
}

int vm_info_show(struct vm_info *i, const struct vm_info_table *t, uint64_t bits, struct vm_out *out,
		 struct vm_err *err)
{
	/* Everything the sections need is got before the first byte is printed: a failure prints nothing. */
	if (t->prepare && t->prepare(i, t, bits, err) < 0)
		return -1;
	for (size_t s = 0; s < t->n; s++) {
		const struct vm_info_section *section = t->v[s];

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
