/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Nodes of a host, and which of them guests are put on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "host/numa.h"

#include "scratch.h"

#define MIB(n) ((uint64_t)(n) << 20)

static struct vm_sys sys;
static struct vm_numa h;

static int setup(void **state)
{
	struct vm_err err = VM_ERR_INIT;

	return scratch_make(state) < 0 || vm_sys_open(scratch_root, &sys, &err) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	vm_numa_free(&h);
	vm_sys_close(&sys);
	return scratch_remove(state);
}

static void put_node(unsigned id, const char *cpus, unsigned free_mib, unsigned cache_mib, const char *distance)
{
	VM_AUTO_FREE char *dir = vm_xasprintf("sys/devices/system/node/node%u/", id);
	VM_AUTO_FREE char *cpu_file = vm_xasprintf("%scpulist", dir);
	VM_AUTO_FREE char *distance_file = vm_xasprintf("%sdistance", dir);
	VM_AUTO_FREE char *memory_file = vm_xasprintf("%smeminfo", dir);
	VM_AUTO_FREE char *memory = vm_xasprintf("Node %u MemTotal:       99999999 kB\n"
						 "Node %u MemFree:        %u kB\n"
						 "Node %u MemUsed:        5 kB\n"
						 "Node %u Active:         77777777 kB\n"
						 "Node %u Active(anon):   77777777 kB\n"
						 "Node %u Active(file):   %u kB\n"
						 "Node %u Inactive(file): %u kB\n",
						 id, id, free_mib << 10, id, id, id, id, cache_mib << 9,
						 id, cache_mib << 9);

	scratch_put(cpu_file, cpus);
	scratch_put(distance_file, distance);
	scratch_put(memory_file, memory);
}

/* Four nodes in two pairs. */
static void put_four(void)
{
	scratch_put("sys/devices/system/node/online", "0-3\n");
	scratch_put("sys/devices/system/node/has_cpu", "0-3\n");
	put_node(0, "0-3,16-19\n", 1000, 0, "10 12 30 30\n");
	put_node(1, "4-7,20-23\n", 2000, 1000, "12 10 30 30\n");
	put_node(2, "8-11\n", 2500, 0, "30 30 10 12\n");
	put_node(3, "12-15\n", 2400, 0, "30 30 12 10\n");
}

static const char *choose(uint64_t bytes, uint64_t cpus, bool *ret_enough)
{
	static char text[64];
	bool chosen[16];
	bool enough;

	text[0] = 0;
	enough = vm_numa_choose(&h, bytes, cpus, chosen);
	for (size_t i = 0; i < h.n; i++)
		if (chosen[i])
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%u",
				 *text ? "," : "", h.v[i].id);
	if (ret_enough != NULL)
		*ret_enough = enough;
	else
		assert_true(enough);
	return text;
}

static void reads(void **state)
{
	(void)state;
	put_four();
	vm_numa_read(&sys, 0, &h, NULL);
	assert_int_equal(h.n, 4);
	assert_int_equal(h.v[0].cpus, 8);
	assert_string_equal(h.v[1].cpu_list, "4-7,20-23");
	assert_true(h.v[0].free_bytes == MIB(1000));
	/* what files are cached in counts as free */
	assert_true(h.v[1].free_bytes == MIB(3000));
	assert_int_equal(h.v[2].distances[3], 12);
}

static void chooses(void **state)
{
	bool enough;

	(void)state;
	put_four();
	vm_numa_read(&sys, 0, &h, NULL);
	/* one that has it all, the emptiest */
	assert_string_equal(choose(MIB(500), 1, NULL), "1");
	assert_string_equal(choose(MIB(3000), 8, NULL), "1");
	/* memory on one, CPUs on none: the neighbour comes along, though others have more memory */
	assert_string_equal(choose(MIB(500), 9, NULL), "0,1");
	assert_string_equal(choose(MIB(3500), 2, NULL), "0,1");
	assert_string_equal(choose(MIB(4500), 2, NULL), "0,1,2");
	assert_string_equal(choose(MIB(500), 21, NULL), "0,1,2,3");
	assert_string_equal(choose(MIB(100000), 1, &enough), "0,1,2,3");
	assert_false(enough);
	assert_string_equal(choose(MIB(100), 25, &enough), "0,1,2,3");
	assert_false(enough);
}

/* What this process may not use, what has no CPUs and what is no node is left out; distances keep their nodes. */
static void leaves_out(void **state)
{
	(void)state;
	put_four();
	put_node(1, "\n", 9000, 0, "12 10 30 30\n");
	put_node(12, "40\n", 9000, 0, "12 10 30 30\n");
	scratch_put("sys/devices/system/node/nodes", "");
	scratch_put("proc/self/status", "Name:\tx\nMems_allowed:\tf\nMems_allowed_list:\t0,2-3\nThreads:\t1\n");
	vm_numa_read(&sys, 0, &h, NULL);
	assert_int_equal(h.n, 3);
	assert_int_equal(h.v[1].id, 2);
	assert_int_equal(h.v[1].distances[2], 12);
	assert_int_equal(h.v[0].distances[2], 30);
	assert_string_equal(choose(MIB(2600), 1, NULL), "2,3");
}

static void counts_huge_pages(void **state)
{
	(void)state;
	put_four();
	scratch_put("proc/meminfo", "MemTotal: 1 kB\nHugepagesize:       2048 kB\nHugetlb: 0 kB\n");
	scratch_put("sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages", "512\n");
	scratch_put("sys/devices/system/node/node3/hugepages/hugepages-1048576kB/free_hugepages", "3\n");
	vm_numa_read(&sys, VM_NUMA_PAGE_DEFAULT, &h, NULL);
	assert_true(h.v[0].free_bytes == MIB(1024));
	assert_string_equal(choose(MIB(1024), 1, NULL), "0");
	vm_numa_free(&h);
	vm_numa_read(&sys, MIB(1024), &h, NULL);
	assert_string_equal(choose(MIB(2048), 1, NULL), "3");
}

static void bad_files(void **state)
{
	static const char *const lists[] = { "", "x", "-3", "5-2", "0-99999999", "70000", "1,,", ",", "0-" };
	bool enough;

	(void)state;
	vm_numa_read(&sys, 0, &h, NULL);
	assert_int_equal(h.n, 0);
	assert_string_equal(choose(1, 1, &enough), "");
	assert_false(enough);
	for (size_t i = 0; i < VM_COUNT(lists); i++) {
		vm_numa_free(&h);
		put_node(0, lists[i], 10, 0, "10");
		scratch_put("sys/devices/system/node/node0/meminfo", i % 2 ? "" : "Node 0 MemFree: 99999999999999999999 kB");
		vm_numa_read(&sys, i % 3 ? 0 : MIB(2), &h, NULL);
		for (size_t k = 0; k < h.n; k++)
			assert_true(h.v[k].cpus > 0 && h.v[k].cpus <= 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads, setup, teardown),
		cmocka_unit_test_setup_teardown(chooses, setup, teardown),
		cmocka_unit_test_setup_teardown(leaves_out, setup, teardown),
		cmocka_unit_test_setup_teardown(counts_huge_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_files, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
