/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* I/O threads, and where memory comes from. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <vm/cleanup.h>

#include "qemu/plan/plan.h"

static void pool(struct vm_qobj *o, const struct mt_obj *obj, int64_t min, int64_t max)
{
	if (mt_is_set(obj, VM_IOTHREAD_BIT_POOL_MIN))
		vm_qobj_i64(o, "thread-pool-min", min);
	if (mt_is_set(obj, VM_IOTHREAD_BIT_POOL_MAX))
		vm_qobj_i64(o, "thread-pool-max", max);
}

void vm_plan_iothreads(struct vm_plan *p)
{
	const struct vm_main_loop *loop = p->d->main_loop;
	uint64_t *ids;
	uint32_t n = vm_domain_iothreads(p->d, &ids);

	for (uint32_t i = 0; i < n; i++) {
		const struct vm_iothread *t = vm_domain_iothread(p->d, ids[i]);
		struct vm_qobj o = VM_QOBJ_INIT;

		vm_qobj_str(&o, "qom-type", "iothread");
		vm_qobj_strf(&o, "id", "iothread%" PRIu64, ids[i]);
		if (t != NULL)
			pool(&o, &t->obj, t->pool_min, t->pool_max);
		vm_qobj_emit(&o, p->a, "-object");
	}
	free(ids);
	if (loop != NULL) {
		struct vm_qobj o = VM_QOBJ_INIT;

		vm_qobj_str(&o, "qom-type", "main-loop");
		vm_qobj_str(&o, "id", "main-loop");
		pool(&o, &loop->obj, loop->pool_min, loop->pool_max);
		vm_qobj_emit(&o, p->a, "-object");
	}
}

/* ---- memory ---- */

/* Source: qapi/qom.json, HostMemPolicy. */
static const char *const policies[] = {
	[VM_NUMA_ABSENT] = "bind",	   [VM_NUMA_STRICT] = "bind",
	[VM_NUMA_PREFERRED] = "preferred", [VM_NUMA_INTERLEAVE] = "interleave",
	[VM_NUMA_RESTRICTIVE] = NULL, /* cpuset.mems alone says where */
};

static void node_list(struct vm_qobj *o, const char *key, const struct mt_cpuset *nodes)
{
	vm_qobj_array(o, key);
	for (uint32_t i = 0; i < nodes->nbits; i++)
		if (vm_cpuset_has(nodes, i))
			vm_qobj_u64(o, NULL, i);
	vm_qobj_array_end(o);
}

/* Threads that write to all of the memory at once do so near the nodes that it is on. */
static void prealloc(struct vm_plan *p, struct vm_qobj *o, const char *id,
		     const struct mt_cpuset *nodes, bool always)
{
	const struct vm_memory_backing *b = p->d->memory_backing;

	if (!always && (b == NULL || b->allocation != VM_MEMORY_IMMEDIATE))
		return;
	vm_qobj_bool(o, "prealloc", true);
	if (b != NULL && b->threads != 0)
		vm_qobj_u64(o, "prealloc-threads", b->threads);
	if (nodes != NULL) {
		struct vm_qobj context = VM_QOBJ_INIT;

		vm_qobj_str(&context, "qom-type", "thread-context");
		vm_qobj_strf(&context, "id", "tc-%s", id);
		node_list(&context, "node-affinity", nodes);
		vm_qobj_emit(&context, p->a, "-object");
		vm_qobj_strf(o, "prealloc-context", "tc-%s", id);
	}
}

/* Whose memory it is: a cell's own placement, else the guest's. */
static const struct mt_cpuset *placed(const struct vm_domain *d, const struct vm_numa_cell *cell,
				      uint64_t id, const char **ret_policy)
{
	const struct vm_numatune *n = d->numatune;

	*ret_policy = NULL;
	if (n == NULL)
		return NULL;
	for (uint32_t i = 0; cell != NULL && i < n->memnodes.n; i++) {
		const struct vm_memnode *m = n->memnodes.v[i];

		if (m->cell == id) {
			*ret_policy = policies[m->mode];
			return &m->nodes;
		}
	}
	if (n->nodes.nbits == 0)
		return NULL;
	*ret_policy = policies[n->mode];
	return &n->nodes;
}

/*
 * Memory that others may map, and huge pages, come from a memfd: it needs no mounted file system and no name on the
 * host, so that it works for a process without rights, and is gone with it.
 */
static void backend(struct vm_plan *p, const char *id, uint64_t bytes,
		    const struct vm_numa_cell *cell, uint64_t number)
{
	const struct vm_memory_backing *b = p->d->memory_backing;
	const char *policy;
	const struct mt_cpuset *nodes = placed(p->d, cell, number, &policy);
	struct vm_qobj o = VM_QOBJ_INIT;
	uint64_t page;
	bool huge = vm_domain_huge_pages(p->d, number, &page);
	int access = cell != NULL && cell->access != VM_MEMORY_ACCESS_ABSENT ? cell->access
		     : b != NULL					     ? b->access
									     : VM_MEMORY_ACCESS_ABSENT;
	bool memfd = huge || access == VM_MEMORY_SHARED ||
		     (b != NULL && b->source == VM_MEMORY_MEMFD);

	vm_qobj_str(&o, "qom-type", memfd ? "memory-backend-memfd" : "memory-backend-ram");
	vm_qobj_str(&o, "id", id);
	if (huge) {
		vm_qobj_bool(&o, "hugetlb", true);
		if (page != 0)
			vm_qobj_u64(&o, "hugetlbsize", page);
	}
	if (memfd && cell == NULL)
		vm_qobj_bool(&o, "x-use-canonical-path-for-ramblock-id", false);
	if (access != VM_MEMORY_ACCESS_ABSENT)
		vm_qobj_bool(&o, "share", access == VM_MEMORY_SHARED);
	else if (memfd)
		vm_qobj_bool(&o, "share", false);
	prealloc(p, &o, id, policy != NULL ? nodes : NULL, huge);
	vm_qobj_u64(&o, "size", bytes);
	if (policy != NULL) {
		node_list(&o, "host-nodes", nodes);
		vm_qobj_str(&o, "policy", policy);
	}
	vm_qobj_emit(&o, p->a, "-object");
}

void vm_plan_backend(struct vm_plan *p, const char *id, uint64_t bytes)
{
	backend(p, id, bytes, NULL, 0);
}

/* ---- NUMA ---- */

/* vCPUs that no cell names are the first one's, as libvirt has it. */
static bool has_cpu(const struct vm_domain *d, uint64_t id, uint32_t cpu)
{
	const struct mt_list *cells = vm_domain_cells(d);

	if (vm_cpuset_has(&vm_domain_cell(d, id)->cpus, cpu))
		return true;
	for (uint32_t i = 0; i < cells->n; i++)
		if (vm_cpuset_has(&((const struct vm_numa_cell *)cells->v[i])->cpus, cpu))
			return false;
	return id == 0;
}

static void node(struct vm_plan *p, uint64_t id)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	uint32_t vcpus = (uint32_t)p->d->vcpus;

	vm_strbuf_printf(&b, "node,nodeid=%" PRIu64, id);
	for (uint32_t i = 0; i < vcpus; i++) {
		uint32_t from = i;

		if (!has_cpu(p->d, id, i))
			continue;
		while (i + 1 < vcpus && has_cpu(p->d, id, i + 1))
			i++;
		vm_strbuf_printf(&b, i > from ? ",cpus=%u-%u" : ",cpus=%u", from, i);
	}
	vm_strbuf_printf(&b, ",memdev=ram-node%" PRIu64, id);
	vm_argv_opt(p->a, "-numa", b.text);
}

void vm_plan_numa(struct vm_plan *p)
{
	const struct mt_list *cells = vm_domain_cells(p->d);
	const uint64_t mib = UINT64_C(1) << 20;

	for (uint64_t id = 0; cells != NULL && id < cells->n; id++) {
		const struct vm_numa_cell *cell = vm_domain_cell(p->d, id);
		char name[32];

		snprintf(name, sizeof(name), "ram-node%" PRIu64, id);
		backend(p, name, (cell->memory + mib - 1) / mib * mib, cell, id);
		node(p, id);
	}
	if (!vm_domain_has_distances(p->d))
		return;
	for (uint64_t from = 0; from < cells->n; from++)
		for (uint64_t to = 0; to < cells->n; to++) {
			vm_argv_add(p->a, "-numa");
			vm_argv_addf(p->a, "dist,src=%" PRIu64 ",dst=%" PRIu64 ",val=%" PRIu64, from, to,
				     vm_domain_distance(p->d, from, to));
		}
}
