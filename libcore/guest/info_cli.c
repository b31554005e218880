/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "info_cli.h"

#include <vm/cleanup.h>
#include <vm/out.h>
#include <vm/state.h>

#include "info.h"

#define OFF(member) offsetof(struct vm_info_options, member)
const struct vm_opt vm_info_options[] = {
	{ .name = "get", .kind = VM_OPT_STR, .off = OFF(get), .arg = "KEY,...",
	  .help = "print these values only, bare, one a line" },
	{ .name = "is", .kind = VM_OPT_STR, .off = OFF(is), .arg = "STATE",
	  .help = "print nothing; status 0 if so, 1 if not" },
	{ .name = "reason", .kind = VM_OPT_FLAG, .off = OFF(reason),
	  .help = "add the reason to --get=state" },
	{ .name = "live", .kind = VM_OPT_FLAG, .off = OFF(live), .help = "" },
	{ .name = "config", .kind = VM_OPT_FLAG, .off = OFF(config), .same_line = true,
	  .help = "the running guest, or its definition (default: live if\nactive)" },
	{ 0 },
};
const struct vm_operand_spec vm_info_operands[] = {
	{ .name = "GUEST", .kind = VM_OPERAND_GUEST },
	{ .name = "SECTION", .kind = VM_OPERAND_OTHER, .optional = true, .many = true },
	{ 0 },
};
const char vm_info_usage[] = "[OPTION...] GUEST [SECTION...]";
const char vm_info_summary_text[] =
	"Show a guest. SECTION: summary (default) state cpu vcpus iothreads memory disks\n"
	"interfaces hostdevs ports snapshots jobs graphics consoles processes confinement\n"
	"agent (asks inside the guest), or all.";

static int check_state(const struct vm_info *i, const char *word, int *ret_status, struct vm_err *err)
{
	int life = vm_life_from_word(word);

	if (life < 0) {
		vm_err_set(err, VM_USAGE, "no state is called '%s'", word);
		return vm_err_hint(err, "vm-info(1) lists the states");
	}
	*ret_status = i->status.life == (enum vm_life)life ? 0 : VM_NO;
	return 0;
}

int vm_info_cli(const struct vm_info_options *o, const struct vm_info_table *t, int *ret_status,
		struct vm_err *err)
{
	const struct vm_words *words = &o->common.operands;
	VM_AUTO(vm_state_close) struct vm_state state = VM_STATE_INIT;
	VM_AUTO(vm_info_close) struct vm_info info = VM_INFO_INIT;
	struct vm_out *out;
	uint64_t sections;

	if (o->live && o->config)
		return vm_err_set(err, VM_USAGE, "--live and --config exclude each other");
	if (vm_state_open(o->common.connect, VM_STATE_READ, &state, err) < 0)
		return -1;
	vm_err_object(err, words->v[0]);
	if (vm_info_open(&state, words->v[0], o->live, o->config, o->common.deadline, &info, err) < 0)
		return -1;
	if (o->is)
		return check_state(&info, o->is, ret_status, err);
	if (t == &vm_info_light && !vm_info_is_light(&info, words->v + 1, words->n - 1))
		return 1;
	if (vm_info_choose(t, words->v + 1, words->n - 1, &sections, err) < 0)
		return -1;
	if (o->common.json || o->get)
		sections |= VM_INFO_SUMMARY;
	info.reason_with_state = o->get && o->reason && !o->common.json;
	out = vm_out_open(stdout, VM_OUT_KEYS, "vm-info/1", o->common.json, false);
	if (o->get)
		vm_out_only(out, o->get);
	if (vm_info_show(&info, t, sections, out, err) < 0) {
		vm_out_drop(out);
		return -1;
	}
	*ret_status = 0;
	return vm_out_close(out, err);
}
