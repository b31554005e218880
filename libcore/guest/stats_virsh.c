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

#include "guest/stats_table.h"

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

/* Sizes of memory are in KiB there. */
static void put_data(struct vm_strbuf *b, const char *prefix, enum vm_stats_section section,
		     const void *obj)
{
	const struct vm_datum *d = NULL;

	for (size_t i = 0; i < vm_stats_tables_n; i++)
		if (vm_stats_tables[i].bit == section)
			d = vm_stats_tables[i].data;
	for (; d != NULL && d->kind != VM_DATUM_END; d++) {
		uint64_t v = d->virsh != NULL ? vm_datum_number(obj, d) : VM_STATS_UNKNOWN;
		size_t len = strlen(d->key);

		if (v == VM_STATS_UNKNOWN)
			continue;
		if (section == VM_STATS_BALLOON && len > 6 && strcmp(d->key + len - 6, "_bytes") == 0)
			v /= 1024;
		vm_strbuf_printf(b, "  %s%s=%" PRIu64 "\n", prefix, d->virsh, v);
	}
}

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
		put_data(b, prefix, VM_STATS_VCPU, t);
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
		put_data(b, prefix, VM_STATS_INTERFACE, &g->interfaces[i]);
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
		put_data(b, prefix, VM_STATS_BLOCK, &g->blocks[i]);
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
		put_data(b, prefix, VM_STATS_IOTHREAD, &g->iothreads[i]);
	}
}

/* Source: virDomainDirtyRateStatus. */
static void put_dirty_rate(struct vm_strbuf *b, const struct vm_stats *g)
{
	static const char *const words[] = { "unstarted", "measuring", "measured" };

	for (unsigned i = 0; g->dirty_state != NULL && i < VM_COUNT(words); i++)
		if (strcmp(g->dirty_state, words[i]) == 0)
			vm_strbuf_printf(b, "  dirtyrate.calc_status=%u\n", i);
	put_data(b, "dirtyrate.", VM_STATS_DIRTY_RATE, g);
	put_text(b, "dirtyrate.", "calc_mode", g->dirty_mode);
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
		{ VM_STATS_DIRTY_RATE, put_dirty_rate },
	};

	for (size_t i = 0; i < set->n; i++) {
		const struct vm_stats *g = &set->v[i];

		vm_strbuf_printf(b, "%sDomain: '%s'\n", i > 0 ? "\n" : "", g->name);
		if ((g->asked & VM_STATS_STATE) != 0)
			put_state(b, g);
		if ((g->asked & VM_STATS_CPU) != 0)
			put_data(b, "cpu.", VM_STATS_CPU, g);
		if ((g->asked & VM_STATS_BALLOON) != 0)
			put_data(b, "balloon.", VM_STATS_BALLOON, g);
		for (size_t k = 0; k < VM_COUNT(sections); k++)
			if ((g->asked & sections[k].bit) != 0)
				sections[k].put(b, g);
	}
}
