/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * NUMA nodes of the host, and which of them to put a guest on.  Needs libc alone.
 *
 * Source: Linux Documentation/ABI/stable/sysfs-devices-node.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys.h"

#define VM_NUMA_NODES_MAX 1024u
struct vm_numa_node {
	unsigned id;
	unsigned cpus;	     /* how many are online */
	uint64_t free_bytes; /* free, or holding nothing but the contents of files; or of free huge pages */
	char *cpu_list;	     /* "0-3,8"; owned */
	uint8_t *distances;  /* to each node, by its place among them; owned; 0 = unknown */
};
struct vm_numa {
	struct vm_numa_node *v; /* sorted by id */
	size_t n;
};
#define VM_NUMA_INIT ((struct vm_numa){ .n = 0 })
/*
 * Those nodes that have CPUs, and memory that this process may use.  huge_page: what is free is counted in huge pages of
 * so many bytes; 0 = in ordinary memory, VM_NUMA_PAGE_DEFAULT = in the host's default huge pages.  A host that tells of no
 * nodes has none.
 */
#define VM_NUMA_PAGE_DEFAULT UINT64_MAX
void vm_numa_read(const struct vm_sys *s, uint64_t huge_page, struct vm_numa *ret, struct vm_unread *u);
void vm_numa_free(struct vm_numa *h);
/*
 * Chooses nodes for so much memory and so many CPUs; chosen[] has an entry for each node.  One node that has both, the one
 * with the most free memory; if there is none, the one with the most free memory, and to it those that are nearest to it,
 * of equally near ones that with the most free memory, until there are both.  False: all of them together do not have
 * both; all are chosen then.
 */
bool vm_numa_choose(const struct vm_numa *h, uint64_t bytes, uint64_t cpus, bool *chosen);
