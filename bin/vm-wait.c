/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-wait: waits until things have come true of a guest. */
#include <inttypes.h>

#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/out.h>
#include <vm/state.h>

#include "driver.h"
#include "guest/event_kind.h"
#include "guest/list.h"
#include "guest/wait.h"

struct options {
	struct vm_common c;
	struct vm_words states;
	struct vm_wait_for want;
	bool ssh;
};

/* clang-format off */
#define AT(member) .off = offsetof(struct options, member)
static const struct vm_opt options[] = {
	{ "state", .kind = VM_OPT_LIST, AT(states), .arg = "STATE,...", .help = "it is in one of these states" },
	{ "off", .kind = VM_OPT_FLAG, AT(want.off), .help = "it is off, and all it used is given back" },
	{ "event", .kind = VM_OPT_LIST, AT(want.events), .arg = "NAME,...",
	  .help = "one of these events has come since now (vm-events(1))" },
	{ "agent", .kind = VM_OPT_FLAG, AT(want.agent), .help = "the agent inside the guest answers" },
	{ "address", .kind = VM_OPT_FLAG, AT(want.address),
	  .help = "the agent tells an address of the guest; it is printed" },
	{ "ssh", .kind = VM_OPT_U64, AT(want.ssh_port), .arg = "PORT", .optional = true, .value = 22,
	  .given = offsetof(struct options, ssh),
	  .help = "an ssh server answers at that address (default port 22)" },
	{ "device-gone", .kind = VM_OPT_STR, AT(want.device_gone), .arg = "ALIAS",
	  .help = "it has released this device" },
	{ 0 },
};
static const struct vm_operand_spec operands[] = {
	{ "GUEST", VM_OPERAND_GUEST, .complete = "guest" },
	{ 0 },
};
/* clang-format on */

static int check(struct options *o, struct vm_err *err)
{
	const struct vm_wait_for *w = &o->want;

	if (vm_list_states(&o->states, &o->want.states, err) < 0 ||
	    vm_event_words_check(&w->events, err) < 0)
		return -1;
	if (o->ssh && (w->ssh_port == 0 || w->ssh_port > 65535))
		return vm_err_set(err, VM_USAGE, "--ssh: there is no port %" PRIu64, w->ssh_port);
	if (w->off && (w->agent || w->address || w->ssh_port > 0))
		return vm_err_set(err, VM_USAGE, "nothing answers inside a guest that is off");
	if (w->states == 0 && !w->off && w->events.n == 0 && !w->agent && !w->address &&
	    w->ssh_port == 0 && w->device_gone == NULL)
		return vm_err_set(err, VM_USAGE, "there is nothing to wait for");
	return 0;
}

static int print(const struct options *o, const char *ref, const struct vm_wait_found *found,
		 struct vm_err *err)
{
	struct vm_out *out = vm_out_open(stdout, VM_OUT_QUIET, "vm-wait/1", o->c.json, false);

	vm_out_str(out, "guest", ref);
	vm_out_str(out, "state", vm_life_word(found->life));
	vm_out_str(out, "event", found->event[0] != '\0' ? found->event : NULL);
	vm_out_str(out, "address", found->address[0] != '\0' ? found->address : NULL);
	if (o->want.address)
		vm_out_text(out, "%s", found->address);
	return vm_out_close(out, err);
}

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;
	VM_AUTO(vm_state_close) struct vm_state state = VM_STATE_INIT;
	const char *ref = o->c.operands.v[0];
	const struct vm_passthrough *pass;
	struct vm_wait_found found = { 0 };

	if (check(o, err) < 0 || vm_state_open(o->c.connect, VM_STATE_READ, &state, err) < 0 ||
	    vm_passthrough_find(state.driver, &pass, err) < 0)
		return -1;
	if (vm_wait(&state, pass, ref, &o->want, o->c.deadline, &found, err) < 0)
		return vm_err_object(err, ref);
	return print(o, ref, &found, err);
}

static const struct vm_program program = {
	.name = "vm-wait",
	.usage = "[OPTION...] GUEST",
	.summary = "Wait, at most for --timeout, until all that is asked for is true of a guest.",
	.options = options,
	.operands = operands,
	.size = sizeof(struct options),
	.run = run,
};

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
