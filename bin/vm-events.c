/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-events: what happened to guests, and what happens.  Loads libc alone. */
#include <inttypes.h>
#include <stdlib.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/follow.h>
#include <vm/log.h>
#include <vm/out.h>
#include <vm/state.h>

#include "guest/event_kind.h"
#include "guest/list.h"

struct options {
	struct vm_common c;
	bool follow, once, timestamp, list, table;
	const char *since;
	struct vm_words events;
	uint64_t since_us; /* from here on not given by the user */
	struct vm_out *out;
};

/* clang-format off */
#define AT(member) .off = offsetof(struct options, member)
static const struct vm_opt options[] = {
	{ "follow", .kind = VM_OPT_FLAG, AT(follow), .help = "" },
	{ "loop", .kind = VM_OPT_FLAG, AT(follow), .same_line = 1,
	  .help = "go on with what comes, until interrupted or --timeout" },
	{ "once", .kind = VM_OPT_FLAG, AT(once), .help = "wait for one event, print it and end" },
	{ "since", .kind = VM_OPT_STR, AT(since), .arg = "WHEN",
	  .help = "only events after WHEN: NUMBER[smhd] ago, @SECONDS,\n"
		  "YYYY-MM-DD[ HH:MM[:SS]]" },
	{ "event", .kind = VM_OPT_LIST, AT(events), .arg = "NAME,...",
	  .help = "only these: QEMU's names, patterns (BLOCK_*), kinds" },
	{ "timestamp", .kind = VM_OPT_FLAG, AT(timestamp), .help = "add TIME (ms since 1970) before GUEST" },
	{ "list", .kind = VM_OPT_FLAG, AT(list), .help = "list the kinds of events, and end" },
	{ 0 },
};
static int run(void *opaque, struct vm_err *err);
static const struct vm_program program = {
	.name = "vm-events",
	.usage = "[OPTION...] [GUEST...]",
	.summary = "Print events of running guests: those that are kept, or, with --follow or\n"
		   "--once, those that come.",
	.options = options,
	.operands = vm_operands_guests,
	.size = sizeof(struct options),
	.run = run,
};
static const struct vm_out_column columns[] = {
	{ "time_ms", NULL }, { "guest", NULL }, { "event", NULL }, { "data", NULL },
};
static const struct vm_out_column kind_columns[] = { { "kind", "KIND" }, { "events", "EVENTS" } };
/* clang-format on */

static int list_kinds(const struct options *o, struct vm_err *err)
{
	struct vm_out *out = vm_out_open(stdout, VM_OUT_TABLE, "vm-events/1", o->c.json, false);

	vm_out_array(out, "kinds", kind_columns, VM_COUNT(kind_columns));
	for (const struct vm_event_kind *k = vm_event_kinds; k->name != NULL; k++) {
		vm_out_row(out);
		vm_out_str(out, "kind", k->name);
		vm_out_str(out, "events", k->events);
		vm_out_row_end(out);
	}
	vm_out_array_end(out);
	return vm_out_close(out, err);
}

/* One line: an object in JSON, else a row. data: JSON text or NULL. */
static void print(const struct options *o, const char *guest, uint64_t time_us, const char *event,
		  const char *data)
{
	size_t skip = o->timestamp ? 0 : 1;

	if (!o->c.json) {
		vm_out_array(o->out, "events", columns + skip, VM_COUNT(columns) - skip);
		vm_out_row(o->out);
	}
	vm_out_str(o->out, "guest", guest);
	if (time_us > 0)
		vm_out_u64(o->out, "time_ms", time_us / 1000);
	else
		vm_out_null(o->out, "time_ms");
	vm_out_str(o->out, "event", event);
	if (o->c.json)
		vm_out_raw(o->out, "data", data != NULL ? data : "null");
	else
		vm_out_str(o->out, "data", data);
	if (!o->c.json) {
		vm_out_row_end(o->out);
		vm_out_array_end(o->out);
	}
	vm_out_next(o->out);
}

/* Prints what is asked for; true: it was an event. */
static bool take(const struct options *o, const struct vm_follow_event *ev)
{
	const struct vm_event_line *line = ev->line;
	VM_AUTO_FREE char *data = NULL;

	if (line->time_us < o->since_us)
		return false;
	if (line->lost > 0) {
		VM_AUTO_FREE char *lost = vm_xasprintf("{\"lost\":%" PRIu64 "}", line->lost);

		print(o, ev->guest, 0, "gap", lost);
	}
	if (!vm_event_matches(&o->events, line->name))
		return false;
	if (line->data != NULL)
		data = vm_xstrndup(line->data, line->data_len);
	print(o, ev->guest, line->time_us, line->name, data);
	return true;
}

static int follow(struct options *o, struct vm_follow *f, struct vm_err *err)
{
	struct vm_deadline deadline = o->c.deadline;
	struct vm_follow_event ev;
	int rc;

	if (!o->follow && !o->once)
		deadline = vm_deadline_in(0);
	else if (o->follow && !o->once && !o->c.timeout_given)
		deadline = VM_DEADLINE_NEVER;
	while ((rc = vm_follow_next(f, deadline, &ev, err)) == 0)
		if ((take(o, &ev) && o->once) || vm_out_failed(o->out))
			return 0;
	/* Interrupted: the way in which --follow ends. */
	if (rc > 0 && o->once)
		return vm_err_set(err, VM_TIMED_OUT, "no such event came");
	return rc < 0 ? -1 : 0;
}

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;
	VM_AUTO(vm_state_close) struct vm_state state = VM_STATE_INIT;
	VM_AUTO(vm_list_names_free) struct vm_list_names names = { 0 };
	VM_AUTO(vm_follow_close) struct vm_follow f = VM_FOLLOW_INIT;
	bool history = o->since != NULL || (!o->follow && !o->once);
	int status, rc;

	if (o->list)
		return list_kinds(o, err);
	if (vm_event_words_check(&o->events, err) < 0 ||
	    (o->since != NULL && vm_when_parse(o->since, &o->since_us, err) < 0) ||
	    vm_state_open(o->c.connect, VM_STATE_READ, &state, err) < 0)
		return -1;
	status = vm_list_resolve(&program, &o->c, &state, &names);
	if (o->c.operands.n > 0 && names.n == 0)
		return status;
	if (vm_follow_open(&state, names.v, names.n, history, &f, err) < 0)
		return -1;
	o->out = vm_out_open(stdout, VM_OUT_TABLE, "vm-events/1", o->c.json, false);
	rc = follow(o, &f, err);
	if (rc < 0) {
		vm_out_drop(o->out);
		return -1;
	}
	return vm_out_close(o->out, err) < 0 ? -1 : status;
}

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
