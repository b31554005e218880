/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-list: which guests there are, and in what state.  Loads libc alone and parses no XML. */
#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/out.h>
#include <vm/state.h>

#include "guest/list.h"

#define ASK_MS	 100  /* all guests without watcher together */
#define CHECK_MS 1000 /* --check: all guests together */

#define BIT(life) VM_LIST_STATE(life)
#define OTHER_STATES                                                                               \
	(BIT(VM_PMSUSPENDED) | BIT(VM_SHUTTING_DOWN) | BIT(VM_CRASHED) | BIT(VM_UNRESPONSIVE) |    \
	 BIT(VM_STALE) | BIT(VM_BROKEN))

struct options {
	struct vm_common c;
	bool all, inactive, name, uuid, id, reason, title, managed_save, table, check;
	struct vm_words states;
	struct vm_list_filter filter;
};

/* clang-format off */
#define AT(member) .off = offsetof(struct options, member)
#define FLAG(text, member, line) { text, .kind = VM_OPT_FLAG, AT(member), .help = line }
#define SET(text, member, bits, spaces)                                                            \
	{ text, .kind = VM_OPT_SET, AT(filter.member), .value = bits, .same_line = spaces, .help = "" }
static const struct vm_opt options[] = {
	FLAG("all", all, "active and inactive guests"),
	FLAG("inactive", inactive, "inactive guests only"),
	{ "state", .kind = VM_OPT_LIST, AT(states), .arg = "STATE,...",
	  .help = "guests in one of these states (implies --all)" },
	SET("state-running", state, BIT(VM_RUNNING), 0),
	SET("state-paused", state, BIT(VM_PAUSED), 1),
	SET("state-shutoff", state, BIT(VM_SHUTOFF), 1),
	SET("state-other", state, OTHER_STATES, 1),
	SET("persistent", persistent, VM_LIST_YES, 0),
	SET("transient", persistent, VM_LIST_NO, 1),
	SET("autostart", autostart, VM_LIST_YES, 2),
	SET("no-autostart", autostart, VM_LIST_NO, 1),
	SET("with-managed-save", saved, VM_LIST_YES, 0),
	SET("without-managed-save", saved, VM_LIST_NO, 1),
	SET("with-snapshot", snapshot, VM_LIST_YES, 0),
	SET("without-snapshot", snapshot, VM_LIST_NO, 1),
	SET("with-checkpoint", checkpoint, VM_LIST_YES, 1),
	{ "without-checkpoint", .kind = VM_OPT_SET, AT(filter.checkpoint), .value = VM_LIST_NO,
	  .same_line = 1, .help = "\nalternatives of one kind add up, kinds narrow down" },
	FLAG("name", name, ""),
	{ "uuid", .kind = VM_OPT_FLAG, AT(uuid), .same_line = 1, .help = "" },
	{ "id", .kind = VM_OPT_FLAG, AT(id), .same_line = 1,
	  .help = "print these only, bare, one guest a line" },
	FLAG("reason", reason, "add REASON before NAME"),
	FLAG("title", title, "add TITLE after NAME"),
	FLAG("managed-save", managed_save, "show \"saved\" for a shut-off guest with a saved state"),
	FLAG("table", table, "header and padding also in a pipe"),
	FLAG("check", check, "ask every active guest, 1 s for all together"),
	{ 0 },
};
static int run(void *opaque, struct vm_err *err);
static const struct vm_program program = {
	.name = "vm-list",
	.usage = "[OPTION...] [GUEST...]",
	.summary = "List guests: the active ones, or those named, or as filtered.",
	.options = options,
	.operands = vm_operands_guests,
	.size = sizeof(struct options),
	.run = run,
};
/* clang-format on */

static size_t choose_columns(const struct options *o, struct vm_out_column c[5])
{
	bool bare = o->id || o->uuid || o->name;
	const struct {
		bool on;
		struct vm_out_column column;
	} all[] = {
	    {o->id, {"id", NULL}},	 {o->uuid, {"uuid", NULL}},
	    {o->name, {"name", NULL}},	 {!bare, {"id", "ID"}},
	    {!bare, {"state", "STATE"}}, {!bare && o->reason, {"reason", "REASON"}},
	    {!bare, {"name", "NAME"}},	 {!bare && o->title, {"title", "TITLE"}},
	};
	size_t i, n = 0;

	for (i = 0; i < VM_COUNT(all); i++)
		if (all[i].on)
			c[n++] = all[i].column;
	return n;
}

static int print(const struct options *o, const char *driver, const struct vm_entries *entries,
		 bool active, bool inactive, struct vm_err *err)
{
	struct vm_out_column columns[5];
	size_t i, n = choose_columns(o, columns);
	struct vm_out *out = vm_out_open(stdout, o->c.quiet ? VM_OUT_QUIET : VM_OUT_TABLE,
					 "vm-list/1", o->c.json, o->table);

	vm_out_array(out, "guests", columns, n);
	for (i = 0; i < entries->n; i++)
		if ((entries->v[i].active ? active : inactive) &&
		    vm_list_passes(&o->filter, &entries->v[i]))
			vm_list_row(out, driver, &entries->v[i], o->managed_save);
	vm_out_array_end(out);
	return vm_out_close(out, err);
}

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;
	VM_AUTO(vm_state_close) struct vm_state state = VM_STATE_INIT;
	VM_AUTO(vm_entries_free) struct vm_entries entries = {0};
	VM_AUTO(vm_list_names_free) struct vm_list_names names = {0};
	uint64_t ask_ms = o->check ? CHECK_MS : ASK_MS;
	bool all;
	int status;

	if (vm_list_states(&o->states, &o->filter.state, err) < 0 ||
	    vm_state_open(o->c.connect, VM_STATE_READ, &state, err) < 0)
		return -1;
	all = o->all || o->filter.state || (o->c.operands.n && !o->inactive);
	status = vm_list_resolve(&program, &o->c, &state, &names);
	if (vm_entries_read(&state,
			    &(struct vm_entries_want){
				.names = names.v,
				.n_names = names.n,
				.inactive = all || o->inactive,
				.facts = o->c.json || o->uuid || o->title || o->reason ||
					 o->managed_save || vm_list_needs_facts(&o->filter),
				.ask_ms = ask_ms < o->c.timeout_ms ? ask_ms : o->c.timeout_ms,
				.ask_all = o->check,
				.deadline = o->c.deadline,
			    },
			    &entries, err) < 0 ||
	    print(o, state.driver, &entries, all || !o->inactive, all || o->inactive, err) < 0)
		return -1;
	return status;
}

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
