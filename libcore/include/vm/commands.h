/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The one table of commands: which tool does the work of each of virsh's, and how its arguments are said
 * there.  It feeds `vm`, `vm virsh`, the manual and the tests.
 */
#include <stdbool.h>
#include <stddef.h>

#include <vm/cli.h>
#include <vm/err.h>

struct vm_tool {
	const char *name;    /* "vm-start" */
	const char *summary; /* one line */
};
extern const struct vm_tool vm_tools[]; /* sorted; ends with a NULL name */

struct vm_command {
	const char *virsh; /* "domstate" */
	const char *tool;  /* "vm-info" */
	const char *with;  /* words that are always given: options before, others behind the operands */
	/*
	 * virsh's own options in its order, separated by '|'; NULL = the arguments are passed on as they are.
	 *   name        a flag, passed on
	 *   name=       with a value, passed on as --name=VALUE
	 *   name:=      with a value, only by its name (others also by their place)
	 *   name=@      with a value that is an operand of the tool; @* takes all that are left
	 *   name=@TEXT  with a value that is an operand behind TEXT, after those without
	 *   name>TEXT   a flag that becomes TEXT (nothing, if it goes without saying)
	 *   name>~TEXT  the same, and the options of `with` are left out
	 *   name=>TEXT  with a value that is put behind TEXT
	 *   name!TEXT, name=!TEXT   refused: TEXT says what to do instead
	 */
	const char *options;
};
extern const struct vm_command vm_commands[]; /* sorted by virsh; ends with a NULL virsh */

/* NULL: unknown. */
const struct vm_tool *vm_tool_find(const char *name);
const struct vm_command *vm_command_find(const char *virsh);
/* Translates the arguments of a virsh command (without its name) into words for its tool (its name first);
 * strings are owned by the caller, as the array is.  VM_USAGE: virsh would not take them either.
 * VM_UNSUPPORTED: refused by name. */
int vm_command_translate(const struct vm_command *c, char *const *argv, struct vm_words *ret,
			 struct vm_err *err);
/* The name among candidates that is nearest to what was typed, or NULL: "did you mean". */
const char *vm_nearest(const char *typed, const char *(*next)(size_t index));
/* main() of `vm`: execs the tool, or says what it is. */
int vm_front_main(int argc, char **argv);
