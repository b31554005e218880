/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/out.h>
#include <vm/strbuf.h>

#include "guest/stats.h"
#include "host/netdev.h"

static void test_netdev(void **state)
{
	static const char text[] =
	    "Inter-|   Receive                                                |  Transmit\n"
	    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets "
	    "errs drop fifo\n"
	    "    lo: 10 11 12 13 0 0 0 0 20 21 22 23 0 0 0 0\n"
	    " vnet1:18446744073709551615 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\n"
	    "vnet12: 1 2\n";
	struct vm_netdev d;

	(void)state;
	assert_true(vm_netdev_parse(text, "lo", &d));
	assert_int_equal(d.rx_bytes, 10);
	assert_int_equal(d.rx_dropped, 13);
	assert_int_equal(d.tx_bytes, 20);
	assert_int_equal(d.tx_dropped, 23);
	assert_true(vm_netdev_parse(text, "vnet1", &d));
	assert_true(d.rx_bytes == UINT64_MAX && d.tx_bytes == 8 && d.tx_dropped == 11);
	assert_false(vm_netdev_parse(text, "vnet12", &d)); /* cut off */
	assert_false(vm_netdev_parse(text, "vnet", &d));
	assert_false(vm_netdev_parse(text, "face", &d));
	assert_false(vm_netdev_parse("", "lo", &d));
	assert_true(vm_netdev_read("lo", &d));
}

/* Two guests with odd names, of which one answered nothing. */
static struct vm_stats_set make_set(void)
{
	struct vm_stats_set set = {vm_xcalloc(2, sizeof(*set.v)), 2};
	struct vm_stats *a = &set.v[0], *b = &set.v[1];

	vm_stats_init(a);
	a->name = vm_xstrdup("a\"b\\c");
	a->asked = VM_STATS_ALL;
	a->status.life = VM_RUNNING;
	strcpy(a->status.reason, "booted");
	a->cpu_time_ns = 1500000000;
	a->balloon_bytes = 0;
	a->blocks = vm_xcalloc(2, sizeof(*a->blocks));
	a->n_blocks = 2;
	a->blocks[0] = (struct vm_stats_block){.target = vm_xstrdup("vda"),
					       .alias = vm_xstrdup("d0"),
					       .path = vm_xstrdup("/x\ny"),
					       .rd_time_ns = 7,
					       .wr_bytes = VM_STATS_UNKNOWN};
	a->blocks[1] = (struct vm_stats_block){.alias = vm_xstrdup("d1"), .wr_bytes = 3};
	a->vcpus = vm_xcalloc(1, sizeof(*a->vcpus));
	a->n_vcpus = 1;
	a->vcpus[0] = (struct vm_stats_thread){
	    .number = 5, .state = "idle", .time_ns = 60000000001, .delay_ns = VM_STATS_UNKNOWN};
	vm_stats_init(b);
	b->name = vm_xstrdup("b");
	b->asked = VM_STATS_STATE | VM_STATS_BLOCK;
	b->status.life = VM_UNRESPONSIVE;
	vm_err_set(&b->err, VM_TIMED_OUT, "QEMU does not answer");
	return set;
}

static void has(const char *text, const char *what)
{
	if (strstr(text, what) == NULL)
		fail_msg("no %s in\n%s", what, text);
}

static void test_prometheus(void **state)
{
	VM_AUTO(vm_stats_set_free) struct vm_stats_set set = make_set();
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;

	(void)state;
	vm_stats_prometheus(&b, &set);
	has(b.text, "\nvm_state{guest=\"a\\\"b\\\\c\",state=\"running\"} 1\n");
	has(b.text, "\nvm_state{guest=\"b\",state=\"unresponsive\"} 1\n");
	has(b.text, "\nvm_cpu_seconds_total{guest=\"a\\\"b\\\\c\"} 1.500000000\n");
	has(b.text, "\n# TYPE vm_memory_bytes gauge\nvm_memory_bytes{guest=\"a\\\"b\\\\c\"} 0\n");
	has(b.text, "target=\"vda\",alias=\"d0\",path=\"/x\\ny\"} 0.000000007\n");
	has(b.text, "\nvm_block_written_bytes_total{guest=\"a\\\"b\\\\c\",target=\"\",alias=\"d1\","
		    "path=\"\"} 3\n");
	has(b.text, "\nvm_vcpu_seconds_total{guest=\"a\\\"b\\\\c\",number=\"5\"} 60.000000001\n");
	/* What is unknown is left out, heads included. */
	assert_null(strstr(b.text, "vm_vcpu_delay"));
	assert_null(strstr(b.text, "vm_memory_rss"));
	assert_null(
	    strstr(b.text, "vm_block_written_bytes_total{guest=\"a\\\"b\\\\c\",target=\"vda\""));
	assert_null(strstr(b.text, "18446744073709551615"));
}

static char *print(bool json)
{
	struct vm_stats_set set = make_set();
	char *text = NULL;
	size_t len;
	FILE *fp = open_memstream(&text, &len);
	struct vm_out *out = vm_out_open(fp, VM_OUT_TABLE, "vm-stats/1", json, false);
	struct vm_err err = VM_ERR_INIT;

	vm_stats_print(out, json, &set);
	assert_int_equal(vm_out_close(out, &err), 0);
	fclose(fp);
	vm_stats_set_free(&set);
	return text;
}

static void test_rows(void **state)
{
	VM_AUTO_FREE char *text = print(false);

	(void)state;
	has(text, "a\"b\\x5cc\tstate.reason\tbooted\n");
	has(text, "a\"b\\x5cc\tblocks.0.path\t/x\\x0ay\n");
	has(text, "a\"b\\x5cc\tblocks.0.wr_bytes\t-\n");
	has(text, "a\"b\\x5cc\tblocks.1.target\t-\n");
	has(text, "a\"b\\x5cc\tballoon.current_bytes\t0\n");
	has(text, "b\tstate.state\tunresponsive\n");
	assert_null(strstr(text, "b\tcpu"));
}

static void test_json(void **state)
{
	VM_AUTO_FREE char *text = print(true);

	(void)state;
	has(text, "\"vcpus\":[{\"number\":5,\"state\":\"idle\",\"time_ns\":60000000001,\"delay_"
		  "ns\":null,\"wait_ns\":0}]");
	has(text, "\"iothreads\":[]");
	has(text, "{\"name\":\"b\",\"state\":{\"state\":\"unresponsive\",\"reason\":null,\"since_"
		  "ms\":null},"
		  "\"blocks\":[],\"problem\":\"QEMU does not answer\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_netdev),
	    cmocka_unit_test(test_prometheus),
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
