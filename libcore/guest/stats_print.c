/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows, JSON and Prometheus' text. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/out.h>
#include <vm/strbuf.h>

#include "guest/stats_table.h"

bool vm_stats_section_at(size_t index, const char **ret_name, const char **ret_help)
{
	if (index >= vm_stats_tables_n)
		return false;
	*ret_name = vm_stats_tables[index].name;
	*ret_help = vm_stats_tables[index].help;
	return true;
}

/* How many objects a section has, and the index-th of them. */
static size_t count(const struct vm_stats_table *s, const struct vm_stats *g)
{
	if ((g->asked & s->bit) == 0)
		return 0;
	return s->size == 0 ? 1 : *(const size_t *)(const void *)((const char *)g + s->count);
}

static const void *object(const struct vm_stats_table *s, const struct vm_stats *g, size_t index)
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

static void put_data(const struct put *p, const struct vm_datum *d, const void *obj)
{
	for (; d->kind != VM_DATUM_END; d++) {
		if (d->kind == VM_DATUM_TEXT)
			put_text(p, d->key, vm_datum_text(obj, d));
		else
			put_number(p, d->key, vm_datum_number(obj, d));
	}
}

static void put_state(const struct put *p, const struct vm_stats *g)
{
	put_text(p, "state", vm_life_word(g->status.life));
	put_text(p, "reason", g->status.reason[0] != '\0' ? g->status.reason : NULL);
	put_number(p, "since_ms", g->status.since_ms > 0 ? g->status.since_ms : VM_STATS_UNKNOWN);
}

static void put_section(struct put *p, const struct vm_stats_table *s, const struct vm_stats *g)
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
		for (size_t k = 0; k < vm_stats_tables_n; k++)
			put_section(&p, &vm_stats_tables[k], g);
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
static void add_labels(struct vm_strbuf *b, const struct vm_stats_table *s, const struct vm_stats *g,
		       const void *obj)
{
	char digits[24];

	vm_strbuf_putc(b, '{');
	add_label(b, "guest", g->name);
	for (const struct vm_datum *d = s->data; s->size > 0 && d->kind != VM_DATUM_END; d++) {
		if (d->kind == VM_DATUM_TEXT && strcmp(d->key, "state") != 0) {
			add_label(b, d->key, vm_datum_text(obj, d));
		} else if (d->kind == VM_DATUM_NUMBER && d->metric == NULL) {
			snprintf(digits, sizeof(digits), "%" PRIu64, vm_datum_number(obj, d));
			add_label(b, d->key, digits);
		}
	}
	vm_strbuf_puts(b, "} ");
}

static void add_metric(struct vm_strbuf *b, const struct vm_stats_table *s, const struct vm_datum *d,
		       const struct vm_stats_set *set)
{
	bool headed = false;

	for (size_t i = 0; i < set->n; i++) {
		const struct vm_stats *g = &set->v[i];

		for (size_t k = 0, n = count(s, g); k < n; k++) {
			const void *obj = object(s, g, k);
			uint64_t v = vm_datum_number(obj, d);

			if (v == VM_STATS_UNKNOWN)
				continue;
			if (!headed)
				vm_strbuf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", d->metric,
						 d->help, d->metric,
						 d->gauge ? "gauge" : "counter");
			headed = true;
			vm_strbuf_puts(b, d->metric);
			add_labels(b, s, g, obj);
			if (d->kind == VM_DATUM_SECONDS)
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
	for (size_t k = 0; k < vm_stats_tables_n; k++) {
		if (vm_stats_tables[k].bit == VM_STATS_STATE)
			add_states(b, set);
		for (const struct vm_datum *d = vm_stats_tables[k].data; d != NULL && d->kind != VM_DATUM_END; d++)
			if (d->metric != NULL)
				add_metric(b, &vm_stats_tables[k], d, set);
	}
}
