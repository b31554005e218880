/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Counters in the words, units and numbers of virsh's domstats, for scripts that read those.
 * Source: virConnectGetAllDomainStats() and enum virDomainState of libvirt's API reference.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <vm/cleanup.h>
#include <vm/strbuf.h>

#include "guest/stats.h"

struct key {
	const char *word;
	size_t off;
	unsigned divide; /* 1024: KiB there */
};
#define K(type, member, word_)		 { word_, offsetof(struct type, member), 1 }
#define KIB(type, member, word_)	 { word_, offsetof(struct type, member), 1024 }

static const struct key cpu_keys[] = {
	K(vm_stats, cpu_time_ns, "cpu.time"),
	K(vm_stats, cpu_user_ns, "cpu.user"),
	K(vm_stats, cpu_system_ns, "cpu.system"),
};
static const struct key balloon_keys[] = {
	KIB(vm_stats, balloon_bytes, "balloon.current"),
	KIB(vm_stats, balloon_max_bytes, "balloon.maximum"),
	KIB(vm_stats, swap_in_bytes, "balloon.swap_in"),
	KIB(vm_stats, swap_out_bytes, "balloon.swap_out"),
	K(vm_stats, major_faults, "balloon.major_fault"),
	K(vm_stats, minor_faults, "balloon.minor_fault"),
	KIB(vm_stats, unused_bytes, "balloon.unused"),
	KIB(vm_stats, available_bytes, "balloon.available"),
	KIB(vm_stats, usable_bytes, "balloon.usable"),
	K(vm_stats, updated_s, "balloon.last-update"),
	KIB(vm_stats, disk_caches_bytes, "balloon.disk_caches"),
	KIB(vm_stats, rss_bytes, "balloon.rss"),
};
static const struct key vcpu_keys[] = {
	K(vm_stats_thread, time_ns, "time"),
	K(vm_stats_thread, delay_ns, "delay"),
};
static const struct key interface_keys[] = {
	K(vm_stats_interface, rx_bytes, "rx.bytes"),
	K(vm_stats_interface, rx_packets, "rx.pkts"),
	K(vm_stats_interface, rx_errors, "rx.errs"),
	K(vm_stats_interface, rx_dropped, "rx.drop"),
	K(vm_stats_interface, tx_bytes, "tx.bytes"),
	K(vm_stats_interface, tx_packets, "tx.pkts"),
	K(vm_stats_interface, tx_errors, "tx.errs"),
	K(vm_stats_interface, tx_dropped, "tx.drop"),
};
static const struct key block_keys[] = {
	K(vm_stats_block, rd_requests, "rd.reqs"),
	K(vm_stats_block, rd_bytes, "rd.bytes"),
	K(vm_stats_block, rd_time_ns, "rd.times"),
	K(vm_stats_block, wr_requests, "wr.reqs"),
	K(vm_stats_block, wr_bytes, "wr.bytes"),
	K(vm_stats_block, wr_time_ns, "wr.times"),
	K(vm_stats_block, fl_requests, "fl.reqs"),
	K(vm_stats_block, fl_time_ns, "fl.times"),
	K(vm_stats_block, highest_bytes, "allocation"),
	K(vm_stats_block, capacity_bytes, "capacity"),
};
static const struct key iothread_keys[] = {
	K(vm_stats_thread, poll_max_ns, "poll-max-ns"),
	K(vm_stats_thread, poll_grow, "poll-grow"),
	K(vm_stats_thread, poll_shrink, "poll-shrink"),
};

/* The numbers of virDomainState and of the reasons that ours have there; 0 = unknown. */
static const struct state {
	enum vm_life life;
	unsigned number;
	const char *reasons[12];
} states[] = {
	{ VM_RUNNING, 1, { NULL, "booted", "migrated", "restored", NULL, "unpaused", NULL, NULL, "wakeup" } },
	{ VM_PAUSED, 3,
	  { NULL, "user", "migration", "save", "dump", "io-error", "watchdog", NULL, "shutdown", "snapshot",
	    "panicked", "starting" } },
	{ VM_SHUTTING_DOWN, 4, { NULL } },
	{ VM_SHUTOFF, 5,
	  { NULL, "shutdown", "destroyed", "crashed", "migrated", "saved", "failed" } },
	{ VM_SAVED, 5, { [5] = "saved" } },
	{ VM_CRASHED, 6, { NULL, "panicked" } },
	{ VM_PMSUSPENDED, 7, { NULL } },
};

static void put_keys(struct vm_strbuf *b, const char *prefix, const struct key *keys, size_t n,
		     const void *obj)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t v = *(const uint64_t *)(const void *)((const char *)obj + keys[i].off);

		if (v != VM_STATS_UNKNOWN)
			vm_strbuf_printf(b, "  %s%s=%" PRIu64 "\n", prefix, keys[i].word,
					 v / keys[i].divide);
	}
}
#define PUT(prefix, keys, obj) put_keys(b, prefix, keys, VM_COUNT(keys), obj)

/* A name that somebody outside chose: one line, whatever is in it. */
static void put_text(struct vm_strbuf *b, const char *prefix, const char *key, const char *value)
{
	if (value == NULL)
		return;
	vm_strbuf_printf(b, "  %s%s=", prefix, key);
	for (; *value != '\0'; value++) {
		if ((unsigned char)*value < 0x20 || *value == 0x7f)
			vm_strbuf_printf(b, "\\x%02x", (unsigned char)*value);
		else
			vm_strbuf_putc(b, *value);
	}
	vm_strbuf_putc(b, '\n');
}

static void put_state(struct vm_strbuf *b, const struct vm_stats *g)
{
	unsigned state = 0, reason = 0;

	for (size_t i = 0; i < VM_COUNT(states); i++) {
		if (states[i].life != g->status.life)
			continue;
		state = states[i].number;
		for (unsigned k = 1; k < VM_COUNT(states[i].reasons); k++)
			if (states[i].reasons[k] != NULL &&
			    strcmp(states[i].reasons[k], g->status.reason) == 0)
				reason = k;
	}
	vm_strbuf_printf(b, "  state.state=%u\n  state.reason=%u\n", state, reason);
}

static void put_vcpus(struct vm_strbuf *b, const struct vm_stats *g)
{
	char prefix[40];

	vm_strbuf_printf(b, "  vcpu.current=%zu\n", g->n_vcpus);
	if (g->vcpus_max != VM_STATS_UNKNOWN)
		vm_strbuf_printf(b, "  vcpu.maximum=%" PRIu64 "\n", g->vcpus_max);
	for (size_t i = 0; i < g->n_vcpus; i++) {
		const struct vm_stats_thread *t = &g->vcpus[i];

		snprintf(prefix, sizeof(prefix), "vcpu.%" PRIu64 ".", t->number);
		/* VIR_VCPU_RUNNING: there is no sign of a vCPU that waits but its thread's. */
		vm_strbuf_printf(b, "  %sstate=1\n", prefix);
		PUT(prefix, vcpu_keys, t);
	}
}

static void put_interfaces(struct vm_strbuf *b, const struct vm_stats *g)
{
	char prefix[40];

	vm_strbuf_printf(b, "  net.count=%zu\n", g->n_interfaces);
	for (size_t i = 0; i < g->n_interfaces; i++) {
		/* One without a device on the host is counted, and has nothing to tell. */
		if (g->interfaces[i].name == NULL)
			continue;
		snprintf(prefix, sizeof(prefix), "net.%zu.", i);
		put_text(b, prefix, "name", g->interfaces[i].name);
		PUT(prefix, interface_keys, &g->interfaces[i]);
	}
}

static void put_blocks(struct vm_strbuf *b, const struct vm_stats *g)
{
	char prefix[40];

	vm_strbuf_printf(b, "  block.count=%zu\n", g->n_blocks);
	for (size_t i = 0; i < g->n_blocks; i++) {
		snprintf(prefix, sizeof(prefix), "block.%zu.", i);
		put_text(b, prefix, "name",
			 g->blocks[i].target != NULL ? g->blocks[i].target : g->blocks[i].alias);
		put_text(b, prefix, "path", g->blocks[i].path);
		PUT(prefix, block_keys, &g->blocks[i]);
	}
}

static void put_iothreads(struct vm_strbuf *b, const struct vm_stats *g)
{
	char prefix[300];

	vm_strbuf_printf(b, "  iothread.count=%zu\n", g->n_iothreads);
	for (size_t i = 0; i < g->n_iothreads; i++) {
		const char *name = g->iothreads[i].name != NULL ? g->iothreads[i].name : "";

		/* "iothread3" has the number 3. */
		name += strcspn(name, "0123456789");
		if (strlen(name) != strspn(name, "0123456789") || strlen(name) - 1 >= 9)
			continue;
		snprintf(prefix, sizeof(prefix), "iothread.%s.", name);
		PUT(prefix, iothread_keys, &g->iothreads[i]);
	}
}

void vm_stats_virsh(struct vm_strbuf *b, const struct vm_stats_set *set)
{
	static const struct {
		enum vm_stats_section bit;
		void (*put)(struct vm_strbuf *b, const struct vm_stats *g);
	} sections[] = {
		{ VM_STATS_VCPU, put_vcpus },
		{ VM_STATS_INTERFACE, put_interfaces },
		{ VM_STATS_BLOCK, put_blocks },
		{ VM_STATS_IOTHREAD, put_iothreads },
	};

	for (size_t i = 0; i < set->n; i++) {
		const struct vm_stats *g = &set->v[i];

		vm_strbuf_printf(b, "%sDomain: '%s'\n", i > 0 ? "\n" : "", g->name);
		if ((g->asked & VM_STATS_STATE) != 0)
			put_state(b, g);
		if ((g->asked & VM_STATS_CPU) != 0)
			PUT("", cpu_keys, g);
		if ((g->asked & VM_STATS_BALLOON) != 0)
			PUT("", balloon_keys, g);
		for (size_t k = 0; k < VM_COUNT(sections); k++)
			if ((g->asked & sections[k].bit) != 0)
				sections[k].put(b, g);
	}
}
