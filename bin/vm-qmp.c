/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-qmp: a command to QEMU's monitor. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/guest.h>
#include <vm/json.h>
#include <vm/log.h>
#include <vm/out.h>
#include <vm/strbuf.h>

#include "driver.h"

struct options {
	struct vm_common c;
	bool hmp, pretty, return_value;
	struct vm_words pass_fds;
};

/* clang-format off */
#define AT(member) .off = offsetof(struct options, member)
static const struct vm_opt options[] = {
	{ "hmp", .kind = VM_OPT_FLAG, AT(hmp), .help = "COMMAND is a line of the human monitor" },
	{ "pretty", .kind = VM_OPT_FLAG, AT(pretty), .help = "lay the reply out over lines" },
	{ "return-value", .kind = VM_OPT_FLAG, AT(return_value),
	  .help = "print only what the command returned" },
	{ "pass-fds", .kind = VM_OPT_LIST, AT(pass_fds), .arg = "N",
	  .help = "pass this open descriptor along (add-fd, getfd)" },
	{ 0 },
};
static const struct vm_operand_spec operands[] = {
	{ "GUEST", VM_OPERAND_GUEST, .complete = "guest:running" },
	{ "COMMAND", VM_OPERAND_OTHER, .many = true },
	{ 0 },
};
/* clang-format on */

static int get_fd(const struct options *o, int *ret, struct vm_err *err)
{
	uint64_t n;

	*ret = -1;
	if (o->pass_fds.n == 0)
		return 0;
	if (o->pass_fds.n > 1)
		return vm_err_set(err, VM_USAGE, "--pass-fds: QEMU takes one descriptor a command");
	if (vm_parse_u64(o->pass_fds.v[0], 0, 1u << 20, &n, err) < 0)
		return -1;
	*ret = (int)n;
	if (fcntl(*ret, F_GETFD) < 0)
		return vm_err_set(err, VM_USAGE, "--pass-fds: descriptor %d is not open", *ret);
	return 0;
}

/* The words of the command as one line. */
static char *join(const struct vm_words *w)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;

	for (size_t i = 1; i < w->n; i++)
		vm_strbuf_printf(&b, "%s%s", i > 1 ? " " : "", w->v[i]);
	return vm_strbuf_take(&b);
}

static void drop_cr(char *text)
{
	char *to = text;

	for (; *text != '\0'; text++)
		if (text[0] != '\r' || text[1] != '\n')
			*to++ = *text;
	*to = '\0';
}

static int print(const struct options *o, char *reply, struct vm_err *err)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf whole = VM_STRBUF_INIT, b = VM_STRBUF_INIT;
	struct vm_out *out = vm_out_open(stdout, VM_OUT_QUIET, "vm-qmp/1", o->c.json, false);

	if (o->hmp) {
		drop_cr(reply);
		if (o->c.json)
			vm_out_str(out, "text", reply);
		else if (reply[0] != '\0')
			vm_out_raw(out, "text", reply);
	} else if (o->c.json) {
		vm_out_raw(out, "return", reply);
	} else {
		vm_strbuf_printf(&whole, o->return_value ? "%s" : "{\"return\":%s}", reply);
		if (o->pretty)
			vm_json_indent(&b, whole.text, whole.len);
		vm_out_raw(out, "return", o->pretty ? b.text : whole.text);
	}
	return vm_out_close(out, err);
}

static int run(void *opaque, struct vm_err *err)
{
	const struct options *o = opaque;
	VM_AUTO(vm_state_close) struct vm_state state = VM_STATE_INIT;
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	const char *ref = o->c.operands.v[0];
	VM_AUTO_FREE char *command = join(&o->c.operands);
	VM_AUTO_FREE char *reply = NULL;
	struct vm_monitor_call call = { .command = command, .hmp = o->hmp };
	const struct vm_passthrough *pass;

	if (get_fd(o, &call.fd, err) < 0 || vm_state_open(o->c.connect, VM_STATE_READ, &state, err) < 0 ||
	    vm_passthrough_find(state.driver, &pass, err) < 0)
		return -1;
	vm_err_object(err, ref);
	if (pass->monitor == NULL)
		return vm_driver_lacks(pass->name, "monitor", err);
	if (vm_guest_open(&state, ref, VM_GUEST_ACTIVE, o->c.deadline, &g, err) < 0)
		return -1;
	vm_log_step("%s: %s", g.name, command);
	if (o->c.dry_run)
		return 0;
	if (pass->monitor(&g, &call, o->c.deadline, &reply, err) < 0)
		return -1;
	return print(o, reply, err);
}

static const struct vm_program program = {
	.name = "vm-qmp",
	.usage = "[OPTION...] GUEST COMMAND...",
	.summary = "Give a command to the monitor of a QEMU guest and print the reply. COMMAND:\n"
		   "{\"execute\":NAME,\"arguments\":{...}}, or NAME, or NAME and its arguments as JSON,\n"
		   "or, with --hmp, a line of the human monitor. Words are joined by blanks.",
	.options = options,
	.operands = operands,
	.size = sizeof(struct options),
	.changes = true,
	.run = run,
	.schema = "vm-qmp/1",
};

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
