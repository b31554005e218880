/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* I/O threads, and where memory comes from. */
#include <inttypes.h>
#include <stdlib.h>

#include "plan.h"

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
		     const struct mt_cpuset *nodes)
{
	const struct vm_memory_backing *b = p->d->memory_backing;

	if (b == NULL || b->allocation != VM_MEMORY_IMMEDIATE)
		return;
	vm_qobj_bool(o, "prealloc", true);
	if (b->threads != 0)
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

void vm_plan_backend(struct vm_plan *p, const char *id, uint64_t bytes)
{
	const struct vm_memory_backing *b = p->d->memory_backing;
	const struct vm_numatune *n = p->d->numatune;
	const char *policy = n != NULL && n->nodes.nbits != 0 ? policies[n->mode] : NULL;
	struct vm_qobj o = VM_QOBJ_INIT;
	bool memfd = b != NULL && b->source == VM_MEMORY_MEMFD;

	vm_qobj_str(&o, "qom-type", memfd ? "memory-backend-memfd" : "memory-backend-ram");
	vm_qobj_str(&o, "id", id);
	if (memfd)
		vm_qobj_bool(&o, "x-use-canonical-path-for-ramblock-id", false);
	if (b != NULL && b->access != VM_MEMORY_ACCESS_ABSENT)
		vm_qobj_bool(&o, "share", b->access == VM_MEMORY_SHARED);
	else if (memfd)
		vm_qobj_bool(&o, "share", false);
	prealloc(p, &o, id, policy != NULL ? &n->nodes : NULL);
	vm_qobj_u64(&o, "size", bytes);
	if (policy != NULL) {
		node_list(&o, "host-nodes", &n->nodes);
		vm_qobj_str(&o, "policy", policy);
	}
	vm_qobj_emit(&o, p->a, "-object");
}
