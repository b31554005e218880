/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "numa.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#define NODES	 "sys/devices/system/node"
#define TEXT_MAX 16384u

void vm_numa_free(struct vm_numa *h)
{
	for (size_t i = 0; i < h->n; i++) {
		free(h->v[i].cpu_list);
		free(h->v[i].distances);
	}
	free(h->v);
	*h = VM_NUMA_INIT;
}

/* A whole small file; NULL: absent, or too long.  Owned. */
static char *text_of(int dir, const char *name, struct vm_unread *u)
{
	char *text = vm_xmalloc(TEXT_MAX);
	int n = vm_sys_bytes(dir, name, text, TEXT_MAX, u);

	if (n < 0 || n == (int)TEXT_MAX) {
		free(text);
		return NULL;
	}
	text[n] = 0;
	return text;
}

/* The next range of "0-3,8"; false: no more of them. */
static bool next_range(const char **at, unsigned *from, unsigned *to)
{
	char *end;
	unsigned long n;

	*at += strspn(*at, ", \t\n");
	if (**at < '0' || **at > '9')
		return false;
	n = strtoul(*at, &end, 10);
	*from = *to = (unsigned)n;
	if (*end == '-' && end[1] >= '0' && end[1] <= '9')
		*to = (unsigned)strtoul(end + 1, &end, 10);
	*at = end;
	return n <= UINT16_MAX && *from <= *to && *to <= UINT16_MAX;
}

static unsigned count(const char *list)
{
	unsigned n = 0, from, to;

	while (next_range(&list, &from, &to))
		n += to - from + 1;
	return n;
}

static bool has(const char *list, unsigned number)
{
	unsigned from, to;

	while (next_range(&list, &from, &to))
		if (number >= from && number <= to)
			return true;
	return false;
}

/* "Node 0 MemFree:  1234 kB": bytes; 0 = not said. */
static uint64_t field(const char *text, const char *name)
{
	const char *at = strstr(text, name);
	uint64_t kib;

	return at != NULL && sscanf(at + strlen(name), ": %" SCNu64 " kB", &kib) == 1 &&
			       kib <= UINT64_MAX / 1024
		       ? kib * 1024
		       : 0;
}

/* The kernel gives the contents of files up for whoever needs memory. */
static uint64_t free_memory(int dir, struct vm_unread *u)
{
	VM_AUTO_FREE char *text = text_of(dir, "meminfo", u);

	return text == NULL ? 0
			    : field(text, " MemFree") + field(text, " Active(file)") +
				      field(text, " Inactive(file)");
}

static uint64_t free_pages(int dir, uint64_t page, struct vm_unread *u)
{
	VM_AUTO_FREE char *name = vm_xasprintf("hugepages/hugepages-%" PRIu64 "kB/free_hugepages", page / 1024);
	int64_t n;

	return vm_sys_i64(dir, name, &n, u) && n > 0 && (uint64_t)n <= UINT64_MAX / page ? (uint64_t)n * page
										      : 0;
}

static uint8_t *distances(int dir, struct vm_unread *u)
{
	VM_AUTO_FREE char *text = text_of(dir, "distance", u);
	uint8_t *d = vm_xcalloc(VM_NUMA_NODES_MAX, 1);
	char *word, *rest = text;
	size_t n = 0;

	while (text != NULL && n < VM_NUMA_NODES_MAX && (word = strsep(&rest, " \n")) != NULL)
		if (*word != 0)
			d[n++] = (uint8_t)strtoul(word, NULL, 10);
	return d;
}

static uint64_t default_page(const struct vm_sys *s, struct vm_unread *u)
{
	VM_AUTO_FD int proc = vm_sys_look(s, "proc", u);
	VM_AUTO_FREE char *text = proc < 0 ? NULL : text_of(proc, "meminfo", u);

	return text == NULL ? 0 : field(text, "\nHugepagesize");
}

/* The nodes that this process may have memory of, "0-1"; NULL: not known. */
static char *allowed_nodes(const struct vm_sys *s, struct vm_unread *u)
{
	VM_AUTO_FD int self = vm_sys_look(s, "proc/self", u);
	VM_AUTO_FREE char *text = self < 0 ? NULL : text_of(self, "status", u);
	const char *line = text == NULL ? NULL : strstr(text, "\nMems_allowed_list:");

	return line == NULL ? NULL : vm_xstrndup(line + 19, strcspn(line + 1, "\n") - 18);
}

static bool read_node(int dir, unsigned id, uint64_t page, struct vm_numa_node *ret, struct vm_unread *u)
{
	VM_AUTO_FREE char *cpus = text_of(dir, "cpulist", u);

	if (cpus == NULL || count(cpus) == 0)
		return false;
	cpus[strcspn(cpus, "\n")] = 0;
	*ret = (struct vm_numa_node){ .id = id, .cpus = count(cpus) };
	ret->free_bytes = page == 0 ? free_memory(dir, u) : free_pages(dir, page, u);
	ret->cpu_list = vm_take_ptr(&cpus);
	ret->distances = distances(dir, u);
	return true;
}

/* Distances are told to all nodes, also to those that are left out here. */
static void keep_distances(struct vm_numa *h, const size_t *places)
{
	for (size_t i = 0; i < h->n; i++)
		for (size_t k = 0; k < h->n; k++)
			h->v[i].distances[k] = h->v[i].distances[places[k]];
}

void vm_numa_read(const struct vm_sys *s, uint64_t huge_page, struct vm_numa *ret, struct vm_unread *u)
{
	VM_AUTO(vm_sys_names_free) struct vm_sys_names names = { 0 };
	VM_AUTO_FD int top = vm_sys_look(s, NODES, u);
	VM_AUTO_FREE char *allowed = allowed_nodes(s, u);
	VM_AUTO_FREE size_t *places = vm_xcalloc(VM_NUMA_NODES_MAX, sizeof(*places));
	struct vm_numa h = VM_NUMA_INIT;
	size_t place = 0;

	if (huge_page == VM_NUMA_PAGE_DEFAULT)
		huge_page = default_page(s, u);
	if (top >= 0)
		vm_sys_names(top, &names, u);
	h.v = vm_xcalloc(VM_NUMA_NODES_MAX, sizeof(*h.v));
	for (size_t i = 0; i < names.n && place < VM_NUMA_NODES_MAX; i++) {
		VM_AUTO_FD int dir = -1;
		unsigned id;
		int end = 0;

		if (sscanf(names.v[i], "node%4u%n", &id, &end) != 1 || names.v[i][end] != 0)
			continue;
		dir = vm_sys_look_at(top, names.v[i], u);
		places[h.n] = place++;
		if (dir >= 0 && (allowed == NULL || has(allowed, id)) &&
		    read_node(dir, id, huge_page, &h.v[h.n], u))
			h.n++;
	}
	keep_distances(&h, places);
	*ret = h;
}

/* The best of those that are left: nearest to `near`, if there is one, then with the most free memory. */
static size_t best(const struct vm_numa *h, const bool *chosen, const struct vm_numa_node *near)
{
	size_t found = h->n;

	for (size_t i = 0; i < h->n; i++) {
		const struct vm_numa_node *a = &h->v[i], *b = &h->v[found];

		if (chosen[i])
			continue;
		if (found == h->n ||
		    (near != NULL && near->distances[i] < near->distances[found]) ||
		    ((near == NULL || near->distances[i] == near->distances[found]) &&
		     a->free_bytes > b->free_bytes))
			found = i;
	}
	return found;
}

bool vm_numa_choose(const struct vm_numa *h, uint64_t bytes, uint64_t cpus, bool *chosen)
{
	const struct vm_numa_node *first = NULL;
	uint64_t have = 0, have_cpus = 0;
	size_t one = h->n;

	for (size_t i = 0; i < h->n; i++) {
		const struct vm_numa_node *a = &h->v[i];

		chosen[i] = false;
		if (a->free_bytes >= bytes && a->cpus >= cpus &&
		    (one == h->n || a->free_bytes > h->v[one].free_bytes))
			one = i;
	}
	if (one < h->n) {
		chosen[one] = true;
		return true;
	}
	for (size_t n = 0; n < h->n && (have < bytes || have_cpus < cpus); n++) {
		size_t i = best(h, chosen, first);

		if (first == NULL)
			first = &h->v[i];
		chosen[i] = true;
		have += h->v[i].free_bytes;
		have_cpus += h->v[i].cpus;
	}
	return h->n > 0 && have >= bytes && have_cpus >= cpus;
}
