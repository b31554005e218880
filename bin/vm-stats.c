/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-stats: counters of guests. */
#include <stdlib.h>

#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/out.h>
#include <vm/state.h>
#include <vm/strbuf.h>

#include "driver.h"
#include "guest/list.h"
#include "guest/stats.h"

struct options {
	struct vm_common c;
	bool prometheus, virsh, list;
	uint64_t sections;
};

/* clang-format off */
#define AT(member) .off = offsetof(struct options, member)
#define SECTION(word, bit, spaces) \
	{ word, .kind = VM_OPT_SET, AT(sections), .value = bit, .same_line = spaces, .help = "" }
static const struct vm_opt options[] = {
	SECTION("state", VM_STATS_STATE, 0), SECTION("cpu-total", VM_STATS_CPU, 1),
	SECTION("balloon", VM_STATS_BALLOON, 1), SECTION("vcpu", VM_STATS_VCPU, 1),
	SECTION("iothread", VM_STATS_IOTHREAD, 1), SECTION("interface", VM_STATS_INTERFACE, 0),
	SECTION("block", VM_STATS_BLOCK, 1),
	{ "dirtyrate", .kind = VM_OPT_SET, AT(sections), .value = VM_STATS_DIRTY_RATE, .same_line = 1,
	  .help = "these sections only (default: all)" },
	{ "prometheus", .kind = VM_OPT_FLAG, AT(prometheus), .help = "print Prometheus' text format" },
	{ "virsh", .kind = VM_OPT_FLAG, AT(virsh), .help = "print as virsh's domstats does" },
	{ "list", .kind = VM_OPT_FLAG, AT(list), .help = "list the sections, and end" },
	{ 0 },
};
static int run(void *opaque, struct vm_err *err);
static const struct vm_program program = {
	.name = "vm-stats",
	.usage = "[OPTION...] [GUEST...]",
	.summary = "Print counters of guests: of those named, or of all active ones.",
	.options = options,
	.operands = vm_operands_guests,
	.size = sizeof(struct options),
	.run = run,
};
static const struct vm_out_column list_columns[] = { { "section", "SECTION" }, { "help", "WHAT" } };
/* clang-format on */

/* A guest that hangs must not hold up the others for long; one alone is waited for. */
#define TOGETHER_MS 1000

static int list_sections(const struct options *o, struct vm_err *err)
{
	struct vm_out *out = vm_out_open(stdout, VM_OUT_TABLE, "vm-stats/1", o->c.json, false);
	const char *name, *help;

	vm_out_array(out, "sections", list_columns, VM_COUNT(list_columns));
	for (size_t i = 0; vm_stats_section_at(i, &name, &help); i++) {
		vm_out_row(out);
		vm_out_str(out, "section", name);
		vm_out_str(out, "help", help);
		vm_out_row_end(out);
	}
	vm_out_array_end(out);
	return vm_out_close(out, err);
}

static int print(const struct options *o, const struct vm_stats_set *set, struct vm_err *err)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	struct vm_out *out;

	if (o->prometheus || o->virsh) {
		(o->virsh ? vm_stats_virsh : vm_stats_prometheus)(&b, set);
		if (b.len > 0)
			fwrite(b.text, 1, b.len, stdout);
		return vm_out_flush(stdout, err);
	}
	out = vm_out_open(stdout, VM_OUT_TABLE, "vm-stats/1", o->c.json, false);
	vm_stats_print(out, o->c.json, set);
	return vm_out_close(out, err);
}

/* One line for each guest that did not answer; the status of the first. */
static int report(const struct options *o, const struct vm_stats_set *set)
{
	int status = 0;

	for (size_t i = 0; i < set->n; i++) {
		struct vm_err why = set->v[i].err;

		if (why.kind == VM_OK)
			continue;
		vm_err_object(&why, set->v[i].name);
		vm_cli_report(&program, &o->c, &why);
		status = status != 0 ? status : (int)why.kind;
	}
	return status;
}

static int run(void *opaque, struct vm_err *err)
{
	const struct options *o = opaque;
	VM_AUTO(vm_state_close) struct vm_state state = VM_STATE_INIT;
	VM_AUTO(vm_list_names_free) struct vm_list_names names = { 0 };
	VM_AUTO(vm_stats_set_free) struct vm_stats_set set = { 0 };
	unsigned sections = o->sections != 0 ? (unsigned)o->sections : VM_STATS_ALL;
	struct vm_deadline deadline = o->c.deadline;
	const struct vm_observer *observer;
	int status, failed;

	if (o->list)
		return list_sections(o, err);
	if (o->prometheus + o->virsh + o->c.json > 1)
		return vm_err_set(err, VM_USAGE, "--prometheus, --virsh and --json exclude each other");
	if (vm_state_open(o->c.connect, VM_STATE_READ, &state, err) < 0 ||
	    vm_observer_find(state.driver, &observer, err) < 0)
		return -1;
	status = vm_list_resolve(&program, &o->c, &state, &names);
	if (o->c.operands.n > 0 && names.n == 0)
		return status;
	if (names.n != 1 && !o->c.timeout_given)
		deadline = vm_deadline_min(deadline, vm_deadline_in(TOGETHER_MS));
	if (vm_stats_read(&state, observer, names.v, names.n, sections, deadline, &set, err) < 0 ||
	    print(o, &set, err) < 0)
		return -1;
	failed = report(o, &set);
	return status != 0 ? status : failed;
}

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
