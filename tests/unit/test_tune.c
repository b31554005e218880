/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tuning of a guest: what is read from a document, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <model/domain.h>
#include <vm/alloc.h>
#include <vm/cleanup.h>

static struct vm_xml *doc;
static struct vm_err err;

static struct vm_domain *parse_with(const char *vcpu, const char *body)
{
	VM_AUTO_FREE char *text =
		vm_xasprintf("<domain type='qemu'><name>t</name><memory>1024</memory>%s4</vcpu>\n"
			     "<os><type arch='x86_64'>hvm</type></os>\n%s</domain>",
			     vcpu, body);
	struct vm_domain *d = NULL;

	vm_xml_free(doc);
	doc = NULL;
	err = VM_ERR_INIT;
	if (vm_xml_parse(text, strlen(text), "t.xml", &doc, &err) < 0)
		fail_msg("%s", err.msg);
	return vm_domain_parse(doc, false, &d, &err) < 0 ? NULL : d;
}

static struct vm_domain *parse(const char *body)
{
	return parse_with("<vcpu>", body);
}

static void reads(void **state)
{
	VM_AUTO_FREE char *path = vm_xasprintf("%s/domain/everything.xml", VM_TEST_DATA);
	VM_AUTO(vm_domain_freep) struct vm_domain *d = NULL;
	const struct vm_vcpu_pin *pin;
	const struct vm_thread_sched *sched;
	const struct vm_blkio_device *dev;

	(void)state;
	vm_xml_free(doc);
	doc = NULL;
	if (vm_xml_load(path, &doc, &err) < 0 || vm_domain_parse(doc, false, &d, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(d->cputune->shares, 2048);
	assert_int_equal(d->cputune->period, 100000);
	assert_int_equal(d->cputune->quota, -1);
	assert_int_equal(d->cputune->global_period, 100001);
	assert_int_equal(d->cputune->global_quota, 50000);
	assert_int_equal(d->cputune->emulator_period, 100002);
	assert_int_equal(d->cputune->emulator_quota, 50001);
	assert_int_equal(d->cputune->iothread_period, 100003);
	assert_int_equal(d->cputune->iothread_quota, 50002);
	pin = d->cputune->vcpupins.v[0];
	assert_int_equal(pin->id, 0);
	assert_int_equal(pin->cpus.bits[0], 0x1a);
	assert_int_equal(d->cputune->emulatorpin.bits[0], 0xe);
	pin = d->cputune->iothreadpins.v[0];
	assert_int_equal(pin->id, 2);
	sched = d->cputune->vcpuscheds.v[0];
	assert_int_equal(sched->ids.bits[0], 0x17);
	assert_int_equal(sched->scheduler, VM_SCHED_FIFO);
	assert_int_equal(sched->priority, 1);
	assert_int_equal(d->cputune->emulatorsched->scheduler, VM_SCHED_RR);
	assert_true(d->memtune->hard == UINT64_C(6) << 30);
	assert_int_equal(d->memtune->soft, 512 << 20);
	assert_true(d->memtune->swap == VM_MEMTUNE_UNLIMITED);
	assert_int_equal(d->blkiotune->weight, 800);
	dev = d->blkiotune->devices.v[0];
	assert_string_equal(dev->path, "/dev/null");
	assert_int_equal(dev->weight, 1000);
	assert_int_equal(dev->read_iops, 20000);
	assert_int_equal(dev->write_iops, 20001);
	assert_true(dev->read_bytes == UINT64_C(10000000000));
	assert_int_equal(dev->write_bytes, 10002);
	assert_int_equal(d->numatune->mode, VM_NUMA_STRICT);
	assert_int_equal(d->numatune->nodes.bits[0], 0x16);
	assert_string_equal(d->resource->partition, "/virtualmachines/production");
	assert_string_equal(d->resource->appid, "userProvidedID");
	assert_true(d->memory_backing->nosharepages && d->memory_backing->locked &&
		    d->memory_backing->discard);
	assert_int_equal(d->memory_backing->source, VM_MEMORY_MEMFD);
	assert_int_equal(d->memory_backing->access, VM_MEMORY_PRIVATE);
	assert_int_equal(d->memory_backing->threads, 2);
	assert_int_equal(d->main_loop->pool_max, 16);
}

static const struct refusal {
	const char *body, *says;
	enum vm_kind kind;
} refusals[] = {
	{ "<cputune><shares>1</shares></cputune>", "shares are 2 to 262144", VM_BAD_INPUT },
	{ "<cputune><shares>262145</shares></cputune>", "262144", VM_BAD_INPUT },
	{ "<cputune><period>999</period></cputune>", "1000 to 1000000 microseconds, not 999",
	  VM_BAD_INPUT },
	{ "<cputune><emulator_period>1000001</emulator_period></cputune>", "1000000", VM_BAD_INPUT },
	{ "<cputune><quota>999</quota></cputune>", "1000 to 17592186044415 microseconds", VM_BAD_INPUT },
	{ "<cputune><global_quota>17592186044416</global_quota></cputune>", "17592186044415",
	  VM_BAD_INPUT },
	{ "<cputune><vcpupin vcpu='0' cpuset='1'/><vcpupin vcpu='0' cpuset='2'/></cputune>",
	  "vCPU 0 is pinned twice", VM_BAD_INPUT },
	{ "<cputune><vcpupin vcpu='0'/></cputune>", "cpuset", VM_BAD_INPUT },
	{ "<cputune><iothreadpin iothread='1' cpuset='1'/></cputune>", "there is no I/O thread 1",
	  VM_BAD_INPUT },
	{ "<cputune><vcpusched vcpus='0-1' scheduler='batch'/><vcpusched vcpus='1' "
	  "scheduler='idle'/></cputune>",
	  "vCPU 1 has two schedulers", VM_BAD_INPUT },
	{ "<cputune><vcpusched vcpus='4' scheduler='batch'/></cputune>", "there is no vCPU 4",
	  VM_BAD_INPUT },
	{ "<cputune><vcpusched vcpus='0' scheduler='fifo'/></cputune>", "needs a priority",
	  VM_BAD_INPUT },
	{ "<cputune><emulatorsched scheduler='batch' priority='2'/></cputune>",
	  "only for the schedulers fifo and rr", VM_BAD_INPUT },
	{ "<cputune><emulatorsched scheduler='rr' priority='100'/></cputune>", "99", VM_BAD_INPUT },
	{ "<cputune><cachetune vcpus='0'/></cputune>", "is not supported yet", VM_UNSUPPORTED },
	{ "<memtune><hard_limit>0</hard_limit></memtune>", "hard limit of 0", VM_BAD_INPUT },
	{ "<memtune><hard_limit>2048</hard_limit><swap_hard_limit>1024</swap_hard_limit></memtune>",
	  "less than that of memory alone", VM_BAD_INPUT },
	{ "<memtune><swap_hard_limit>1024</swap_hard_limit></memtune>", "unlimited hard_limit",
	  VM_BAD_INPUT },
	{ "<blkiotune><weight>10001</weight></blkiotune>", "10000", VM_BAD_INPUT },
	{ "<blkiotune><device><weight>100</weight></device></blkiotune>", "path", VM_BAD_INPUT },
	{ "<blkiotune><device><path>/dev/x</path></device><device><path>/dev/x</path></device>"
	  "</blkiotune>",
	  "/dev/x is limited twice", VM_BAD_INPUT },
	{ "<blkiotune><device><path>/dev/x</path><read_iops_sec>4294967296</read_iops_sec></device>"
	  "</blkiotune>",
	  "4294967295", VM_BAD_INPUT },
	{ "<numatune><memory mode='strict'/></numatune>", "needs a nodeset", VM_BAD_INPUT },
	{ "<numatune><memory mode='strict' placement='static'/></numatune>", "needs a nodeset", VM_BAD_INPUT },
	{ "<numatune><memory placement='auto'/><memnode cellid='0' nodeset='0'/></numatune><cpu><numa>"
	  "<cell memory='1024'/></numa></cpu>",
	  "where placement='auto' chooses the guest's", VM_BAD_INPUT },
	{ "<resource><partition>machine</partition></resource>", "absolute", VM_BAD_INPUT },
	{ "<resource><partition>/a/../b</partition></resource>", "is no partition", VM_BAD_INPUT },
	{ "<resource><partition>/</partition></resource>", "is no partition", VM_BAD_INPUT },
	{ "<resource><fibrechannel appid=''/></resource>", "1 to 128 characters", VM_BAD_INPUT },
	{ "<numatune><memory mode='strict' nodeset='0'/><memnode cellid='0' nodeset='0'/></numatune>",
	  "no NUMA cell 0", VM_BAD_INPUT },
	{ "<cpu><numa><cell id='1' memory='1024'/></numa></cpu>", "numbered from 0 on", VM_BAD_INPUT },
	{ "<cpu><numa><cell id='0' memory='1024'/><cell id='0' memory='1024'/></numa></cpu>",
	  "there are two cells 0", VM_BAD_INPUT },
	{ "<cpu><numa><cell id='0' memory='0'/></numa></cpu>", "nor this much", VM_BAD_INPUT },
	{ "<cpu><numa><cell id='0' memory='9007199254740991'/></numa></cpu>", "nor this much",
	  VM_BAD_INPUT },
	{ "<cpu><numa><cell id='0' cpus='4' memory='1024'/></numa></cpu>", "there is no vCPU 4",
	  VM_BAD_INPUT },
	{ "<cpu><numa><cell cpus='0-1' memory='1024'/><cell cpus='1' memory='1024'/></numa></cpu>",
	  "vCPU 1 is in two cells", VM_BAD_INPUT },
	{ "<cpu><numa><cell memory='1024'><distances><sibling id='1' value='20'/></distances></cell>"
	  "</numa></cpu>",
	  "there is no cell 1", VM_BAD_INPUT },
	{ "<cpu><numa><cell memory='1024'><distances><sibling id='0' value='20'/></distances></cell>"
	  "</numa></cpu>",
	  "10 is the distance of a cell to itself", VM_BAD_INPUT },
	{ "<memoryBacking><hugepages><page size='3' unit='KiB'/></hugepages></memoryBacking>",
	  "no page has 3072 bytes", VM_BAD_INPUT },
	{ "<memoryBacking><hugepages><page size='2' unit='MiB'/></hugepages></memoryBacking>",
	  "no whole number of pages of 2048 KiB", VM_BAD_INPUT },
	{ "<memoryBacking><hugepages><page size='4' nodeset='1'/></hugepages></memoryBacking>",
	  "the guest has no NUMA node 1", VM_BAD_INPUT },
	{ "<iothreads>2</iothreads><iothreadids><iothread id='3'/><iothread id='3'/></iothreadids>",
	  "there are two I/O threads 3", VM_BAD_INPUT },
	{ "<iothreadids><iothread id='0'/></iothreadids>", "1 to", VM_BAD_INPUT },
	{ "<iothreadids><iothread id='1' thread_pool_min='4' thread_pool_max='2'/></iothreadids>",
	  "at most 2 threads in the pool, at least 4", VM_BAD_INPUT },
};

static void refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < VM_COUNT(refusals); i++) {
		VM_AUTO(vm_domain_freep) struct vm_domain *d = parse(refusals[i].body);

		if (d != NULL)
			fail_msg("taken: %s", refusals[i].body);
		if (strstr(err.msg, refusals[i].says) == NULL)
			fail_msg("'%s' does not say '%s'", err.msg, refusals[i].says);
		assert_int_equal(err.kind, refusals[i].kind);
	}
}

/* What follows what where a place is to be chosen; a choice of an earlier start is no wish. */
static void automatic(void **state)
{
	static const struct {
		const char *body;
		bool memory, cpus;
	} cases[] = {
		{ "<numatune><memory nodeset='0'/></numatune>", false, false },
		{ "<numatune><memory mode='interleave' placement='auto'/></numatune>", true, true },
		{ "<numatune><memory placement='auto' nodeset='3'/></numatune>", true, true },
		{ "<cputune><emulatorpin cpuset='1'/></cputune><numatune><memory placement='auto'/></numatune>",
		  true, false },
		{ "<cputune><vcpupin vcpu='1' cpuset='1'/></cputune><numatune><memory placement='auto'/></numatune>",
		  true, false },
		{ "", false, false },
	};
	static const struct {
		const char *vcpu, *body;
		bool memory, cpus;
	} by_vcpu[] = {
		{ "<vcpu placement='auto'>", "", true, true },
		{ "<vcpu placement='auto' cpuset='1-2'>", "", true, true },
		{ "<vcpu placement='auto'>", "<numatune><memory mode='preferred'/></numatune>", true, true },
		{ "<vcpu placement='auto'>", "<numatune><memory nodeset='1'/></numatune>", false, true },
		{ "<vcpu placement='auto'>", "<numatune><memory nodeset='1' placement='static'/></numatune>",
		  false, true },
		{ "<vcpu placement='static'>", "<numatune><memory placement='auto'/></numatune>", true, true },
		{ "<vcpu cpuset='1'>", "<numatune><memory placement='auto'/></numatune>", true, false },
	};

	(void)state;
	for (size_t i = 0; i < VM_COUNT(cases); i++) {
		VM_AUTO(vm_domain_freep) struct vm_domain *d = parse(cases[i].body);

		if (d == NULL)
			fail_msg("%s", err.msg);
		if (vm_domain_auto_memory(d) != cases[i].memory || vm_domain_auto_cpus(d) != cases[i].cpus)
			fail_msg("%s", cases[i].body);
		assert_true(!cases[i].memory || d->numatune->nodes.nbits == 0);
	}
	for (size_t i = 0; i < VM_COUNT(by_vcpu); i++) {
		VM_AUTO(vm_domain_freep) struct vm_domain *d = parse_with(by_vcpu[i].vcpu, by_vcpu[i].body);

		if (d == NULL)
			fail_msg("%s", err.msg);
		if (vm_domain_auto_memory(d) != by_vcpu[i].memory || vm_domain_auto_cpus(d) != by_vcpu[i].cpus)
			fail_msg("%s %s", by_vcpu[i].vcpu, by_vcpu[i].body);
		assert_true(d->placement != VM_PLACEMENT_AUTO || d->cpuset.nbits == 0);
	}
}

static void iothread_ids(void **state)
{
	VM_AUTO(vm_domain_freep)
	struct vm_domain *d = parse("<iothreads>5</iothreads><iothreadids><iothread id='2'/>"
				    "<iothread id='4'/></iothreadids>");
	static const uint64_t expected[] = { 2, 4, 1, 3, 5 };
	VM_AUTO_FREE uint64_t *ids = NULL;

	(void)state;
	assert_non_null(d);
	assert_int_equal(vm_domain_iothreads(d, &ids), 5);
	assert_memory_equal(ids, expected, sizeof(expected));
	assert_true(vm_domain_has_iothread(d, 5));
	assert_false(vm_domain_has_iothread(d, 6));
	assert_false(vm_domain_has_iothread(d, 0));
}

/* Fewer are said than named: the names count. */
static void iothread_names_count(void **state)
{
	VM_AUTO(vm_domain_freep)
	struct vm_domain *d = parse("<iothreadids><iothread id='9'/></iothreadids>");
	VM_AUTO_FREE uint64_t *ids = NULL;

	(void)state;
	assert_non_null(d);
	assert_int_equal(vm_domain_iothreads(d, &ids), 1);
	assert_int_equal(ids[0], 9);
	assert_true(vm_domain_has_iothread(d, 9));
	assert_false(vm_domain_has_iothread(d, 1));
}

/* What the cells have is the guest's memory, each in whole MiB. */
static void cells(void **state)
{
	VM_AUTO(vm_domain_freep)
	struct vm_domain *d = parse("<memoryBacking><hugepages><page size='2' unit='MiB' nodeset='1'/>"
				    "</hugepages></memoryBacking><cpu><numa>"
				    "<cell id='1' cpus='1' memory='2' unit='MiB'/>"
				    "<cell id='0' memory='1000'><distances><sibling id='1' value='33'/>"
				    "</distances></cell></numa></cpu>");
	uint64_t size;

	(void)state;
	if (d == NULL)
		fail_msg("%s", err.msg);
	assert_int_equal(d->memory, 3 << 20);
	assert_int_equal(vm_domain_cell(d, 0)->memory, 1000 << 10);
	assert_null(vm_domain_cell(d, 2));
	assert_int_equal(vm_domain_distance(d, 0, 0), 10);
	assert_int_equal(vm_domain_distance(d, 1, 0), 33);
	assert_true(vm_domain_has_distances(d));
	assert_false(vm_domain_huge_pages(d, 0, &size));
	assert_true(vm_domain_huge_pages(d, 1, &size));
	assert_int_equal(size, 2 << 20);
}

static int done(void **state)
{
	(void)state;
	vm_xml_freep(&doc);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(refuses),
		cmocka_unit_test(automatic),
		cmocka_unit_test(iothread_ids),
		cmocka_unit_test(iothread_names_count),
		cmocka_unit_test(cells),
	};

	return cmocka_run_group_tests(tests, NULL, done);
}
