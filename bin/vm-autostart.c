/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-autostart: which guests are started with the host, in what order; and starting them. */
#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/state.h>

#include "guest/autostart.h"

#define DELAY_MAX 86400 /* seconds */

struct options {
	struct vm_common c;
	bool disable, run, after_given, delay_given, parallel_given;
	struct vm_words after;
	uint64_t delay, parallel;
	struct vm_state *state;
};

/* clang-format off */
#define AT(member) .off = offsetof(struct options, member)
#define GIVEN(member) .given = offsetof(struct options, member)
static const struct vm_opt options[] = {
	{ "disable", .kind = VM_OPT_FLAG, AT(disable), .help = "take the mark away" },
	{ "after", .kind = VM_OPT_LIST, AT(after), GIVEN(after_given), .arg = "GUEST,...",
	  .help = "start it when these have been started (\"\": none)", .complete = "guest" },
	{ "delay", .kind = VM_OPT_U64, AT(delay), GIVEN(delay_given), .arg = "SECONDS",
	  .help = "and so long after that" },
	{ "run", .kind = VM_OPT_FLAG, AT(run), .help = "start every marked guest now, in that order" },
	{ "parallel", .kind = VM_OPT_U64, AT(parallel), GIVEN(parallel_given), .arg = "N",
	  .help = "--run: start N at a time (default: vm.conf's)" },
	{ 0 },
};
static int run(void *opaque, struct vm_err *err);
static const struct vm_program program = {
	.name = "vm-autostart",
	.usage = "[OPTION...] GUEST...\n[OPTION...] --run",
	.summary = "Mark guests to be started with the host, or start all that are marked.",
	.options = options,
	.operands = vm_operands_guests,
	.size = sizeof(struct options),
	.changes = true,
	.run = run,
	.schema = "vm-autostart/1",
};
/* clang-format on */

static int check(const struct options *o, struct vm_err *err)
{
	bool order = o->after_given || o->delay_given;

	if (o->run && (o->c.operands.n || o->disable || order))
		return vm_err_set(err, VM_USAGE, "--run takes no GUEST and only --parallel");
	if (o->run && o->parallel_given && !o->parallel)
		return vm_err_set(err, VM_USAGE, "--parallel is at least 1");
	if (!o->run && o->parallel_given)
		return vm_err_set(err, VM_USAGE, "--parallel needs --run");
	if (!o->run && !o->c.operands.n)
		return vm_err_set(err, VM_USAGE, "GUEST is missing");
	if (o->delay > DELAY_MAX)
		return vm_err_set(err, VM_USAGE, "--delay is at most %d", DELAY_MAX);
	if (o->disable && order)
		return vm_err_set(err, VM_USAGE,
				  "--disable forgets the order: no --after, no --delay");
	return 0;
}

static int mark(void *opaque, const char *guest, struct vm_err *err)
{
	const struct options *o = opaque;
	const struct vm_autostart_mark m = {
	    .after = o->after.v,
	    .n_after = o->after.n,
	    .delay_ms = o->delay * 1000,
	    .after_given = o->after_given,
	    .delay_given = o->delay_given,
	    .dry_run = o->c.dry_run,
	};

	if (o->disable)
		return vm_autostart_unmark(o->state, guest, o->c.dry_run, o->c.deadline, err);
	return vm_autostart_mark(o->state, guest, &m, o->c.deadline, err);
}

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;
	VM_AUTO(vm_state_close) struct vm_state state = VM_STATE_INIT;

	if (check(o, err) < 0 || vm_state_open(o->c.connect, VM_STATE_CHANGE, &state, err) < 0)
		return -1;
	o->state = &state;
	if (o->run)
		return vm_autostart_run(&program, &o->c, &state,
					o->parallel_given ? o->parallel : state.conf.parallel, err);
	return vm_cli_each(&program, &o->c, o->disable ? "unmarked" : "marked", mark, o);
}

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
