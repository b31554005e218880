/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* placement='auto': the nodes of the host that a guest runs on. */
#include "qemu/qemu.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/log.h>
#include <vm/process.h>
#include <vm/strbuf.h>

#include "host/numa.h"

#define ADVICE_MAX 4096u
#define ADVICE_MS  5000u

static void want_of(const struct vm_domain *d, uint64_t *ret_bytes, uint64_t *ret_page)
{
	*ret_bytes = d->memory;
	*ret_page = 0;
	if (vm_domain_huge_pages(d, 0, ret_page) && *ret_page == 0)
		*ret_page = VM_NUMA_PAGE_DEFAULT;
}

/* What numad(8) advises, if this host has it: it knows how busy the nodes are.  False: no advice. */
static bool ask_numad(const struct vm_domain *d, struct vm_deadline deadline, struct mt_cpuset *ret)
{
	VM_AUTO_FREE char *want = vm_xasprintf("%" PRIu64 ":%" PRIu64, d->vcpus, d->memory >> 20);
	const char *const argv[] = { "numad", "-w", want, NULL };
	VM_AUTO_FREE char *said = NULL;
	struct vm_err err = VM_ERR_INIT;
	int status = 0;

	if (vm_run(argv, NULL, ADVICE_MAX, vm_deadline_min(deadline, vm_deadline_in(ADVICE_MS)), &said, NULL,
		   &status, &err) < 0) {
		if (err.sys != ENOENT)
			vm_log_step("numad gives no advice: %s", err.msg);
		return false;
	}
	said[strcspn(said, "\n")] = 0;
	if (status == 0 && mt_cpuset_parse(said, ret))
		return true;
	vm_log_step("numad gives no advice (status %d)", status);
	return false;
}

static bool choose(const struct vm_domain *d, const struct vm_numa *h, struct mt_cpuset *ret)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	VM_AUTO_FREE bool *chosen = vm_xcalloc(h->n + 1, sizeof(*chosen));
	uint64_t bytes, page;

	want_of(d, &bytes, &page);
	if (!vm_numa_choose(h, bytes, d->vcpus, chosen))
		vm_log_step("all nodes of the host together have less than the guest asks for");
	for (size_t i = 0; i < h->n; i++)
		if (chosen[i])
			vm_strbuf_printf(&b, "%s%u", b.len > 0 ? "," : "", h->v[i].id);
	return b.len > 0 && mt_cpuset_parse(b.text, ret);
}

/* The CPUs of these nodes; false: they have none. */
static bool cpus_of(const struct vm_numa *h, const struct mt_cpuset *nodes, struct mt_cpuset *ret)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;

	for (size_t i = 0; i < h->n; i++)
		if (vm_cpuset_has(nodes, h->v[i].id))
			vm_strbuf_printf(&b, "%s%s", b.len > 0 ? "," : "", h->v[i].cpu_list);
	return b.len > 0 && mt_cpuset_parse(b.text, ret);
}

static void set_memory(struct vm_domain *d, const struct mt_cpuset *nodes)
{
	VM_AUTO_FREE char *text = mt_cpuset_text(nodes);
	struct vm_numatune *n = d->numatune;

	if (n == NULL) {
		n = d->numatune = mt_new(&vm_numatune_type);
		mt_assigned(&d->obj, VM_DOMAIN_BIT_NUMATUNE);
	}
	if (n->mode == VM_NUMA_ABSENT) {
		n->mode = VM_NUMA_STRICT;
		mt_assigned(&n->obj, VM_NUMATUNE_BIT_MODE);
	}
	if (n->placement == VM_PLACEMENT_ABSENT) {
		n->placement = VM_PLACEMENT_AUTO;
		mt_assigned(&n->obj, VM_NUMATUNE_BIT_PLACEMENT);
	}
	(void)mt_cpuset_parse(text, &n->nodes);
	mt_assigned(&n->obj, VM_NUMATUNE_BIT_NODES);
}

int vm_qemu_place(struct vm_domain *d, struct vm_deadline deadline, struct vm_err *err)
{
	bool memory = vm_domain_auto_memory(d), threads = vm_domain_auto_cpus(d);
	VM_AUTO(vm_sys_close) struct vm_sys sys = VM_SYS_INIT;
	VM_AUTO(vm_numa_free) struct vm_numa h = VM_NUMA_INIT;
	struct vm_unread unread = VM_UNREAD_NONE;
	struct mt_cpuset nodes = { 0 };
	VM_AUTO_FREE char *text = NULL;
	uint64_t bytes, page;

	if (!memory && !threads)
		return 0;
	if (vm_sys_open(NULL, &sys, err) < 0)
		return -1;
	want_of(d, &bytes, &page);
	vm_numa_read(&sys, page, &h, &unread);
	if (vm_unread_fail(&unread, err) < 0)
		return -1;
	if ((sys.recorded || !ask_numad(d, deadline, &nodes)) && !choose(d, &h, &nodes)) {
		vm_log_step("the host tells of no NUMA nodes: the guest may be anywhere");
		return 0;
	}
	text = mt_cpuset_text(&nodes);
	vm_log_step("put it on the NUMA nodes %s", text);
	if (memory)
		set_memory(d, &nodes);
	if (threads && cpus_of(&h, &nodes, &d->cpuset)) {
		mt_assigned(&d->obj, VM_DOMAIN_BIT_CPUSET);
		d->placement = VM_PLACEMENT_AUTO;
		mt_assigned(&d->obj, VM_DOMAIN_BIT_PLACEMENT);
	}
	free(nodes.bits);
	return 0;
}
