/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>

#include <vm/cleanup.h>
#include <vm/cli.h>

#include "guest/define_cli.h"

struct options {
	struct vm_common common;
	struct vm_define_cli cli;
};
#define OFF(member) offsetof(struct options, cli.member)

static const struct vm_opt options[] = {
    {.name = "diff",
     .kind = VM_OPT_FLAG,
     .off = OFF(diff),
     .help = "show what would change, and change nothing"},
    {.name = "validate",
     .kind = VM_OPT_FLAG,
     .off = OFF(validate),
     .help = "accepted as virsh's; documents are always validated"},
    {0},
};
static const struct vm_operand_spec operands[] = {
    {.name = "FILE", .kind = VM_OPERAND_FILE, .many = true, .complete = "file"},
    {0},
};
static const struct vm_program program;

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;

	return vm_define_cli(&program, &o->common, &o->cli, err);
}

static const struct vm_program program = {
    .name = "vm-define",
    .usage = "[OPTION...] FILE...",
    .summary = "Define guests from libvirt's domain XML; FILE - is standard input. A guest that\n"
	       "is defined already is redefined; the same document changes nothing.",
    .options = options,
    .operands = operands,
    .size = sizeof(struct options),
    .changes = true,
    .run = run,
    .schema = "vm-define/1",
};

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
