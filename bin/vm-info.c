/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/out.h>
#include <vm/state.h>

#include "guest/info.h"

struct options {
	struct vm_common common;
	const char *get, *is;
	bool reason, live, config;
};

static const struct vm_opt options[] = {
	{ .name = "get", .kind = VM_OPT_STR, .off = offsetof(struct options, get), .arg = "KEY,...",
	  .help = "print these values only, bare, one a line" },
	{ .name = "is", .kind = VM_OPT_STR, .off = offsetof(struct options, is), .arg = "STATE",
	  .help = "print nothing; status 0 if so, 1 if not" },
	{ .name = "reason", .kind = VM_OPT_FLAG, .off = offsetof(struct options, reason),
	  .help = "add the reason to --get=state" },
	{ .name = "live", .kind = VM_OPT_FLAG, .off = offsetof(struct options, live), .help = "" },
	{ .name = "config", .kind = VM_OPT_FLAG, .off = offsetof(struct options, config),
	  .same_line = true,
	  .help = "the running guest, or its definition (default: live if\nactive)" },
	{ 0 },
};
static const struct vm_operand_spec operands[] = {
	{ .name = "GUEST", .kind = VM_OPERAND_GUEST },
	{ .name = "SECTION", .kind = VM_OPERAND_OTHER, .optional = true, .many = true },
	{ 0 },
};

static int check_state(const struct vm_info *i, const char *word, struct vm_err *err)
{
	int life = vm_life_from_word(word);

	if (life < 0)
		return vm_err_set(err, VM_USAGE, "no state is called '%s'", word);
	return i->status.life == (enum vm_life)life ? 0 : VM_NO;
}

static int run(void *opaque, struct vm_err *err)
{
	const struct options *o = opaque;
	const struct vm_words *words = &o->common.operands;
	VM_AUTO(vm_state_close) struct vm_state state = VM_STATE_INIT;
	VM_AUTO(vm_info_close) struct vm_info info = VM_INFO_INIT;
	struct vm_out *out;
	uint64_t sections;

	if (o->live && o->config)
		return vm_err_set(err, VM_USAGE, "--live and --config exclude each other");
	if (vm_info_sections(words->v + 1, words->n - 1, &sections, err) < 0 ||
	    vm_state_open(o->common.connect, VM_STATE_READ, &state, err) < 0)
		return -1;
	vm_err_object(err, words->v[0]);
	if (vm_info_open(&state, words->v[0], o->live, o->config, o->common.deadline, &info, err) < 0)
		return -1;
	if (o->is)
		return check_state(&info, o->is, err);
	if (o->common.json || o->get)
		sections |= VM_INFO_SUMMARY;
	info.reason_with_state = o->get && o->reason && !o->common.json;
	out = vm_out_open(stdout, VM_OUT_KEYS, "vm-info/1", o->common.json, false);
	if (o->get)
		vm_out_only(out, o->get);
	if (vm_info_show(&info, sections, out, err) < 0) {
		vm_out_drop(out);
		return -1;
	}
	return vm_out_close(out, err);
}

static const struct vm_program program = {
	.name = "vm-info",
	.usage = "[OPTION...] GUEST [SECTION...]",
	.summary = "Show a guest. SECTION: summary (default) state cpu vcpus iothreads memory disks\n"
		   "interfaces hostdevs ports snapshots jobs graphics consoles processes confinement\n"
		   "agent (asks inside the guest), or all.",
	.options = options,
	.operands = operands,
	.size = sizeof(struct options),
	.run = run,
	.schema = "vm-info/1",
};

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
