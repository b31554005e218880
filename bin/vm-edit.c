/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-edit(1): change the definition of a guest. */
#include <stddef.h>

#include <vm/cli.h>

#include "guest/edit_cli.h"

struct options {
	struct vm_common common;
	struct vm_edit_cli cli;
};
#define OFF(member) offsetof(struct options, cli.member)

static const struct vm_opt options[] = {
    {.name = "set",
     .kind = VM_OPT_LIST,
     .value = 1,
     .off = OFF(set),
     .arg = "PATH=VALUE",
     .help = "set the attribute or text that an XPath names"},
    {.name = "remove",
     .kind = VM_OPT_LIST,
     .value = 1,
     .off = OFF(remove),
     .arg = "PATH",
     .help = "remove the elements or attributes that it names"},
    {.name = "editor",
     .kind = VM_OPT_STR,
     .off = OFF(editor),
     .arg = "COMMAND",
     .help = "run this (default $VISUAL, $EDITOR, vi)"},
    {.name = "diff",
     .kind = VM_OPT_FLAG,
     .off = OFF(diff),
     .help = "show what would change, and change nothing"},
    {0},
};
static const struct vm_operand_spec operands[] = {
    {.name = "GUEST", .kind = VM_OPERAND_GUEST},
    {0},
};
static const struct vm_program program;

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;

	return vm_edit_cli(&program, &o->common, &o->cli, err);
}

static const struct vm_program program = {
    .name = "vm-edit",
    .usage = "[OPTION...] GUEST",
    .summary =
	"Edit the definition of a guest, in an editor or by --set and --remove.\n"
	"A running guest has what was changed when it is started again.",
    .options = options,
    .operands = operands,
    .size = sizeof(struct options),
    .changes = true,
    .run = run,
    .schema = "vm-edit/1",
};

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
