/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One table of what there is; rows, JSON and Prometheus' text are three walks over it. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/out.h>
#include <vm/strbuf.h>

#include "guest/stats.h"

enum datum_kind { D_END, D_NUMBER, D_TEXT, D_SECONDS /* nanoseconds, in Prometheus seconds */ };

struct datum {
	const char *key;
	size_t off;
	enum datum_kind kind;
	const char *metric; /* in Prometheus; NULL for texts: they are labels there */
	bool gauge;
	const char *help;
};
struct section {
	enum vm_stats_section bit;
	const char *name, *json, *help; /* json: its object, or array */
	const struct datum *data;
	size_t list, count,
	    size; /* offsets of pointer and number, size of an element; 0 = no list */
};

#define N(type, member, word, metric_, help_)                                                      \
	{                                                                                          \
		.key = word, .off = offsetof(struct type, member), .kind = D_NUMBER,               \
		.metric = metric_, .help = help_                                                   \
	}
#define G(type, member, word, metric_, help_)                                                      \
	{                                                                                          \
		.key = word, .off = offsetof(struct type, member), .kind = D_NUMBER,               \
		.metric = metric_, .gauge = true, .help = help_                                    \
	}
#define S(type, member, word, metric_, help_)                                                      \
	{                                                                                          \
		.key = word, .off = offsetof(struct type, member), .kind = D_SECONDS,              \
		.metric = metric_, .help = help_                                                   \
	}
#define T(type, member, word)                                                                      \
	{                                                                                          \
		.key = word, .off = offsetof(struct type, member), .kind = D_TEXT                  \
	}

/* clang-format off */
static const struct datum cpu_data[] = {
	S(vm_stats, cpu_time_ns, "time_ns", "vm_cpu_seconds_total", "CPU time of all threads of the guest's process."),
	S(vm_stats, cpu_user_ns, "user_ns", "vm_cpu_user_seconds_total", "Its part in user mode, guest code included."),
	S(vm_stats, cpu_system_ns, "system_ns", "vm_cpu_system_seconds_total", "Its part in the kernel."),
	{ 0 },
};
static const struct datum balloon_data[] = {
	G(vm_stats, balloon_bytes, "current_bytes", "vm_memory_bytes", "Memory the guest has now."),
	G(vm_stats, balloon_max_bytes, "maximum_bytes", "vm_memory_max_bytes", "Memory the guest may have."),
	G(vm_stats, rss_bytes, "rss_bytes", "vm_memory_rss_bytes", "Memory of the host that its process holds."),
	N(vm_stats, swap_in_bytes, "swap_in_bytes", "vm_memory_swap_in_bytes_total", "Swapped in, as the guest tells."),
	N(vm_stats, swap_out_bytes, "swap_out_bytes", "vm_memory_swap_out_bytes_total", "Swapped out, as the guest tells."),
	N(vm_stats, major_faults, "major_faults", "vm_memory_major_faults_total", "Page faults with I/O, as the guest tells."),
	N(vm_stats, minor_faults, "minor_faults", "vm_memory_minor_faults_total", "Page faults without I/O, as the guest tells."),
	G(vm_stats, unused_bytes, "unused_bytes", "vm_memory_unused_bytes", "Free memory, as the guest tells."),
	G(vm_stats, available_bytes, "available_bytes", "vm_memory_available_bytes", "All memory the guest sees, as it tells."),
	G(vm_stats, usable_bytes, "usable_bytes", "vm_memory_usable_bytes", "Memory usable without swapping, as the guest tells."),
	G(vm_stats, disk_caches_bytes, "disk_caches_bytes", "vm_memory_disk_caches_bytes", "Caches of files, as the guest tells."),
	G(vm_stats, updated_s, "updated_s", "vm_memory_updated_timestamp_seconds", "When the guest told last."),
	{ 0 },
};
static const struct datum vcpu_data[] = {
	N(vm_stats_thread, number, "number", NULL, NULL),
	T(vm_stats_thread, state, "state"),
	S(vm_stats_thread, time_ns, "time_ns", "vm_vcpu_seconds_total", "Time a virtual CPU was on a CPU."),
	S(vm_stats_thread, delay_ns, "delay_ns", "vm_vcpu_delay_seconds_total", "Time it could have run, and waited for a CPU."),
	{ 0 },
};
static const struct datum iothread_data[] = {
	T(vm_stats_thread, name, "name"),
	T(vm_stats_thread, state, "state"),
	S(vm_stats_thread, time_ns, "time_ns", "vm_iothread_seconds_total", "Time an I/O thread was on a CPU."),
	S(vm_stats_thread, delay_ns, "delay_ns", "vm_iothread_delay_seconds_total", "Time it could have run, and waited for a CPU."),
	G(vm_stats_thread, poll_max_ns, "poll_max_ns", "vm_iothread_poll_max_ns", "How long it polls at most."),
	G(vm_stats_thread, poll_grow, "poll_grow", "vm_iothread_poll_grow", "Factor by which it polls longer; 0 = QEMU's own."),
	G(vm_stats_thread, poll_shrink, "poll_shrink", "vm_iothread_poll_shrink", "Divisor by which it polls shorter; 0 = QEMU's own."),
	{ 0 },
};
static const struct datum interface_data[] = {
	T(vm_stats_interface, name, "name"),
	T(vm_stats_interface, alias, "alias"),
	N(vm_stats_interface, rx_bytes, "rx_bytes", "vm_interface_receive_bytes_total", "Bytes the guest received."),
	N(vm_stats_interface, rx_packets, "rx_packets", "vm_interface_receive_packets_total", "Packets the guest received."),
	N(vm_stats_interface, rx_errors, "rx_errors", "vm_interface_receive_errors_total", "Errors on the way to the guest."),
	N(vm_stats_interface, rx_dropped, "rx_dropped", "vm_interface_receive_dropped_total", "Packets dropped on the way to the guest."),
	N(vm_stats_interface, tx_bytes, "tx_bytes", "vm_interface_transmit_bytes_total", "Bytes the guest sent."),
	N(vm_stats_interface, tx_packets, "tx_packets", "vm_interface_transmit_packets_total", "Packets the guest sent."),
	N(vm_stats_interface, tx_errors, "tx_errors", "vm_interface_transmit_errors_total", "Errors of what the guest sent."),
	N(vm_stats_interface, tx_dropped, "tx_dropped", "vm_interface_transmit_dropped_total", "Packets of the guest that were dropped."),
	{ 0 },
};
static const struct datum block_data[] = {
	T(vm_stats_block, target, "target"),
	T(vm_stats_block, alias, "alias"),
	T(vm_stats_block, path, "path"),
	N(vm_stats_block, rd_requests, "rd_requests", "vm_block_reads_total", "Read requests."),
	N(vm_stats_block, rd_bytes, "rd_bytes", "vm_block_read_bytes_total", "Bytes read."),
	S(vm_stats_block, rd_time_ns, "rd_time_ns", "vm_block_read_seconds_total", "Time spent on reads."),
	N(vm_stats_block, rd_errors, "rd_errors", "vm_block_read_errors_total", "Reads that failed."),
	N(vm_stats_block, wr_requests, "wr_requests", "vm_block_writes_total", "Write requests."),
	N(vm_stats_block, wr_bytes, "wr_bytes", "vm_block_written_bytes_total", "Bytes written."),
	S(vm_stats_block, wr_time_ns, "wr_time_ns", "vm_block_write_seconds_total", "Time spent on writes."),
	N(vm_stats_block, wr_errors, "wr_errors", "vm_block_write_errors_total", "Writes that failed."),
	N(vm_stats_block, fl_requests, "fl_requests", "vm_block_flushes_total", "Flush requests."),
	S(vm_stats_block, fl_time_ns, "fl_time_ns", "vm_block_flush_seconds_total", "Time spent on flushes."),
	G(vm_stats_block, capacity_bytes, "capacity_bytes", "vm_block_capacity_bytes", "Size of the disk."),
	G(vm_stats_block, allocation_bytes, "allocation_bytes", "vm_block_allocation_bytes", "What its image takes on the host."),
	G(vm_stats_block, highest_bytes, "highest_bytes", "vm_block_highest_bytes", "End of the highest byte written since the start."),
	{ 0 },
};
#define LIST(member, type) offsetof(struct vm_stats, member), offsetof(struct vm_stats, n_##member), sizeof(struct type)
static const struct section sections[] = {
	{ VM_STATS_STATE, "state", "state", "state, its reason, and since when", NULL, 0, 0, 0 },
	{ VM_STATS_CPU, "cpu-total", "cpu", "CPU time of the guest's process", cpu_data, 0, 0, 0 },
	{ VM_STATS_BALLOON, "balloon", "balloon", "memory, and what the guest says of it", balloon_data, 0, 0, 0 },
	{ VM_STATS_VCPU, "vcpu", "vcpus", "each virtual CPU", vcpu_data, LIST(vcpus, vm_stats_thread) },
	{ VM_STATS_IOTHREAD, "iothread", "iothreads", "each I/O thread", iothread_data, LIST(iothreads, vm_stats_thread) },
	{ VM_STATS_INTERFACE, "interface", "interfaces", "each network interface", interface_data,
	  LIST(interfaces, vm_stats_interface) },
	{ VM_STATS_BLOCK, "block", "blocks", "each disk", block_data, LIST(blocks, vm_stats_block) },
};
/* clang-format on */

bool vm_stats_section_at(size_t index, const char **ret_name, const char **ret_help)
{
	if (index >= VM_COUNT(sections))
		return false;
	*ret_name = sections[index].name;
	*ret_help = sections[index].help;
	return true;
}

static uint64_t number_at(const void *obj, const struct datum *d)
{
	return *(const uint64_t *)(const void *)((const char *)obj + d->off);
}

static const char *text_at(const void *obj, const struct datum *d)
{
	return *(const char *const *)(const void *)((const char *)obj + d->off);
}

/* How many objects a section has, and the index-th of them. */
static size_t count(const struct section *s, const struct vm_stats *g)
{
	if ((g->asked & s->bit) == 0)
		return 0;
	return s->size == 0 ? 1 : *(const size_t *)(const void *)((const char *)g + s->count);
}

static const void *object(const struct section *s, const struct vm_stats *g, size_t index)
{
	if (s->size == 0)
		return g;
	return *(const char *const *)(const void *)((const char *)g + s->list) + index * s->size;
}

/* ---- rows and JSON ---- */

/* Puts one datum, in plain as a row of its own. */
struct put {
	struct vm_out *out;
	bool json;
	const char *guest;
	char prefix[64];
};

static void begin_row(const struct put *p, const char *key)
{
	VM_AUTO_FREE char *whole = vm_xasprintf("%s%s", p->prefix, key);

	vm_out_row(p->out);
	vm_out_str(p->out, "guest", p->guest);
	vm_out_str(p->out, "key", whole);
}

static void put_text(const struct put *p, const char *key, const char *value)
{
	if (!p->json)
		begin_row(p, key);
	vm_out_str(p->out, p->json ? key : "value", value);
	if (!p->json)
		vm_out_row_end(p->out);
}

static void put_number(const struct put *p, const char *key, uint64_t value)
{
	if (!p->json)
		begin_row(p, key);
	if (value == VM_STATS_UNKNOWN)
		vm_out_null(p->out, p->json ? key : "value");
	else
		vm_out_u64(p->out, p->json ? key : "value", value);
	if (!p->json)
		vm_out_row_end(p->out);
}

static void put_data(const struct put *p, const struct datum *d, const void *obj)
{
	for (; d->kind != D_END; d++) {
		if (d->kind == D_TEXT)
			put_text(p, d->key, text_at(obj, d));
		else
			put_number(p, d->key, number_at(obj, d));
	}
}

static void put_state(const struct put *p, const struct vm_stats *g)
{
	put_text(p, "state", vm_life_word(g->status.life));
	put_text(p, "reason", g->status.reason[0] != '\0' ? g->status.reason : NULL);
	put_number(p, "since_ms", g->status.since_ms > 0 ? g->status.since_ms : VM_STATS_UNKNOWN);
}

static void put_section(struct put *p, const struct section *s, const struct vm_stats *g)
{
	size_t n = count(s, g);

	if (s->size == 0) {
		if (n == 0)
			return;
		snprintf(p->prefix, sizeof(p->prefix), "%s.", s->json);
		if (p->json)
			vm_out_object(p->out, s->json);
		if (s->bit == VM_STATS_STATE)
			put_state(p, g);
		else
			put_data(p, s->data, g);
		if (p->json)
			vm_out_object_end(p->out);
		return;
	}
	if ((g->asked & s->bit) == 0)
		return;
	if (p->json)
		vm_out_array(p->out, s->json, NULL, 0);
	for (size_t i = 0; i < n; i++) {
		snprintf(p->prefix, sizeof(p->prefix), "%s.%zu.", s->json, i);
		if (p->json)
			vm_out_row(p->out);
		put_data(p, s->data, object(s, g, i));
		if (p->json)
			vm_out_row_end(p->out);
	}
	if (p->json)
		vm_out_array_end(p->out);
}

void vm_stats_print(struct vm_out *out, bool json, const struct vm_stats_set *set)
{
	static const struct vm_out_column columns[] = {
	    {"guest", "GUEST"}, {"key", "KEY"}, {"value", "VALUE"}};

	vm_out_array(out, "guests", columns, VM_COUNT(columns));
	for (size_t i = 0; i < set->n; i++) {
		const struct vm_stats *g = &set->v[i];
		struct put p = {.out = out, .json = json, .guest = g->name};

		if (json) {
			vm_out_row(out);
			vm_out_str(out, "name", g->name);
		}
		for (size_t k = 0; k < VM_COUNT(sections); k++)
			put_section(&p, &sections[k], g);
		if (json) {
			vm_out_str(out, "problem", g->err.kind != VM_OK ? g->err.msg : NULL);
			vm_out_row_end(out);
		}
	}
	vm_out_array_end(out);
}

/* ---- Prometheus ---- */

static void add_label(struct vm_strbuf *b, const char *name, const char *value)
{
	vm_strbuf_printf(b, "%s%s=\"", b->text[b->len - 1] == '{' ? "" : ",", name);
	for (; value != NULL && *value != '\0'; value++) {
		if (*value == '\n')
			vm_strbuf_puts(b, "\\n");
		else if (*value == '"' || *value == '\\')
			vm_strbuf_printf(b, "\\%c", *value);
		else
			vm_strbuf_putc(b, *value);
	}
	vm_strbuf_putc(b, '"');
}

/* Names of the object: all its texts but the state, which changes. */
static void add_labels(struct vm_strbuf *b, const struct section *s, const struct vm_stats *g,
		       const void *obj)
{
	char digits[24];

	vm_strbuf_putc(b, '{');
	add_label(b, "guest", g->name);
	for (const struct datum *d = s->data; s->size > 0 && d->kind != D_END; d++) {
		if (d->kind == D_TEXT && strcmp(d->key, "state") != 0) {
			add_label(b, d->key, text_at(obj, d));
		} else if (d->kind == D_NUMBER && d->metric == NULL) {
			snprintf(digits, sizeof(digits), "%" PRIu64, number_at(obj, d));
			add_label(b, d->key, digits);
		}
	}
	vm_strbuf_puts(b, "} ");
}

static void add_metric(struct vm_strbuf *b, const struct section *s, const struct datum *d,
		       const struct vm_stats_set *set)
{
	bool headed = false;

	for (size_t i = 0; i < set->n; i++) {
		const struct vm_stats *g = &set->v[i];

		for (size_t k = 0, n = count(s, g); k < n; k++) {
			const void *obj = object(s, g, k);
			uint64_t v = number_at(obj, d);

			if (v == VM_STATS_UNKNOWN)
				continue;
			if (!headed)
				vm_strbuf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", d->metric,
						 d->help, d->metric,
						 d->gauge ? "gauge" : "counter");
			headed = true;
			vm_strbuf_puts(b, d->metric);
			add_labels(b, s, g, obj);
			if (d->kind == D_SECONDS)
				vm_strbuf_printf(b, "%" PRIu64 ".%09" PRIu64 "\n", v / 1000000000,
						 v % 1000000000);
			else
				vm_strbuf_printf(b, "%" PRIu64 "\n", v);
		}
	}
}

/* One sample of 1 for the state a guest is in. */
static void add_states(struct vm_strbuf *b, const struct vm_stats_set *set)
{
	static const char metric[] = "vm_state";

	if (set->n > 0)
		vm_strbuf_printf(b, "# HELP %s The state a guest is in.\n# TYPE %s gauge\n", metric,
				 metric);
	for (size_t i = 0; i < set->n; i++) {
		if ((set->v[i].asked & VM_STATS_STATE) == 0)
			continue;
		vm_strbuf_printf(b, "%s{", metric);
		add_label(b, "guest", set->v[i].name);
		add_label(b, "state", vm_life_word(set->v[i].status.life));
		vm_strbuf_puts(b, "} 1\n");
	}
}

void vm_stats_prometheus(struct vm_strbuf *b, const struct vm_stats_set *set)
{
	for (size_t k = 0; k < VM_COUNT(sections); k++) {
		if (sections[k].bit == VM_STATS_STATE)
			add_states(b, set);
		for (const struct datum *d = sections[k].data; d != NULL && d->kind != D_END; d++)
			if (d->metric != NULL)
				add_metric(b, &sections[k], d, set);
	}
}
