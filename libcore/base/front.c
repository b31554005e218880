/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The front end: `vm start web1` is `vm-start web1`; `vm virsh ...` takes virsh's own words. */
#include <vm/commands.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/out.h>
#include <vm/process.h>
#include <vm/strbuf.h>

/* Where we were started from: the tools are looked for there first, then in PATH. */
static char *own_dir;

static int run_none(void *options, struct vm_err *err)
{
	(void)options;
	return vm_err_set(err, VM_USAGE, "COMMAND is missing");
}

static const struct vm_operand_spec any[] = {
	{ "COMMAND", VM_OPERAND_OTHER, true, true, "-" },
	{ 0 },
};
static const struct vm_program front = {
	.name = "vm",
	.usage = "[OPTION...] COMMAND [ARG...]\n"
		 "help [COMMAND]\n"
		 "commands [OPTION...]\n"
		 "virsh [-c URI] VIRSH-COMMAND [ARG...]",
	.summary = "Manage virtual machines. vm COMMAND is vm-COMMAND with the same arguments.\n"
		   "vm virsh takes a command line of virsh's and runs the tool that does its work;\n"
		   "vm commands lists virsh's commands with their tools, vm help the tools.",
	.operands = any,
	.size = sizeof(struct vm_common),
	.changes = true,
	.run = run_none,
};

static char *tool_path(const char *tool)
{
	const char *path = getenv("PATH"), *end;
	char *full;

	if (own_dir) {
		full = vm_xasprintf("%s%s", own_dir, tool);
		if (access(full, X_OK) == 0)
			return full;
		free(full);
	}
	for (; path && *path; path = *end ? end + 1 : end) {
		end = path + strcspn(path, ":");
		full = vm_xasprintf("%.*s/%s", (int)(end - path), path, tool);
		if (*full == '/' && access(full, X_OK) == 0)
			return full;
		free(full);
	}
	return NULL;
}

static int not_there(const char *virsh, const char *tool, struct vm_err *err)
{
	if (virsh)
		vm_err_set(err, VM_UNSUPPORTED, "virsh's %s is %s, which is not there yet", virsh, tool);
	else
		vm_err_set(err, VM_UNSUPPORTED, "%s is not there yet", tool);
	return vm_err_hint(err, "'vm help' lists what is");
}

/* Replaces this process; returns only with an error. */
static int exec_tool(const struct vm_words *words, const char *virsh, struct vm_err *err)
{
	VM_AUTO_FREE char *path = tool_path(words->v[0]);

	if (!path)
		return not_there(virsh, words->v[0], err);
	execv(path, (char *const *)(uintptr_t)words->v);
	return vm_err_sys(err, "start %s", words->v[0]);
}

static const char *next_name(size_t index)
{
	static const char *const own[] = { "help", "commands", "virsh" };
	static size_t tools;

	while (!tools || vm_tools[tools].name)
		tools++;
	if (index < tools)
		return vm_tools[index].name + 3;
	return index - tools < VM_COUNT(own) ? own[index - tools] : NULL;
}

static int unknown(const char *name, struct vm_err *err)
{
	const char *near = vm_nearest(name, next_name);

	vm_err_set(err, VM_USAGE, "there is no command '%s'", name);
	if (near)
		vm_err_hint(err, "did you mean '%s'?", near);
	return -1;
}

/* vm [OPTION...] COMMAND [ARG...]: options before the command are the tool's. */
static int run_tool(char **argv, int at, struct vm_err *err)
{
	VM_AUTO_FREE char *tool = vm_xasprintf("vm-%s", argv[at]);
	VM_AUTO_FREE char *path = NULL;
	const struct vm_command *c = vm_command_find(argv[at]);
	struct vm_words words = { 0 };
	int i;

	if (!vm_tool_find(tool)) {
		if (!c)
			return unknown(argv[at], err);
		path = tool_path(c->tool);
		if (!path)
			return not_there(c->virsh, c->tool, err);
		vm_err_set(err, VM_USAGE, "virsh's %s is %s%s%s", argv[at], c->tool, c->with ? " with " : "",
			   c->with ? c->with : "");
		return vm_err_hint(err, "'vm virsh %s ...' takes virsh's arguments", argv[at]);
	}
	vm_words_add(&words, tool);
	for (i = 1; argv[i]; i++)
		if (i != at)
			vm_words_add(&words, argv[i]);
	exec_tool(&words, NULL, err);
	free(words.v);
	return -1;
}

static void print_tools(struct vm_out *out)
{
	static const struct vm_out_column columns[] = { { "tool", "TOOL" }, { "summary", "SUMMARY" } };
	const struct vm_tool *t;

	vm_out_array(out, "tools", columns, 2);
	for (t = vm_tools; t->name; t++) {
		VM_AUTO_FREE char *path = tool_path(t->name);

		if (!path)
			continue;
		vm_out_row(out);
		vm_out_str(out, "tool", t->name);
		vm_out_str(out, "summary", t->summary);
		vm_out_row_end(out);
	}
	vm_out_array_end(out);
}

static int run_help(void *options, struct vm_err *err)
{
	const struct vm_common *c = options;
	struct vm_words words = { 0 };
	struct vm_out *out;

	if (c->operands.n) {
		VM_AUTO_FREE char *tool = vm_xasprintf("vm-%s", c->operands.v[0]);

		if (!vm_tool_find(tool)) {
			const struct vm_command *v = vm_command_find(c->operands.v[0]);

			if (!v)
				return unknown(c->operands.v[0], err);
			free(tool);
			tool = vm_xstrdup(v->tool);
		}
		vm_words_add(&words, tool);
		vm_words_add(&words, "--help");
		exec_tool(&words, NULL, err);
		free(words.v);
		return -1;
	}
	out = vm_out_open(stdout, VM_OUT_TABLE, "vm-help/1", c->json, false);
	print_tools(out);
	return vm_out_close(out, err);
}

static int run_commands(void *options, struct vm_err *err)
{
	static const struct vm_out_column columns[] = {
		{ "command", "COMMAND" }, { "available", "HERE" }, { "tool", "TOOL" }, { "with", "WITH" }
	};
	const struct vm_common *c = options;
	struct vm_out *out = vm_out_open(stdout, VM_OUT_TABLE, "vm-commands/1", c->json, false);
	const struct vm_command *v;

	vm_out_array(out, "commands", columns, VM_COUNT(columns));
	for (v = vm_commands; v->virsh; v++) {
		VM_AUTO_FREE char *path = tool_path(v->tool);

		vm_out_row(out);
		vm_out_str(out, "command", v->virsh);
		vm_out_bool(out, "available", path != NULL);
		vm_out_str(out, "tool", v->tool);
		vm_out_str(out, "with", v->with);
		vm_out_str(out, "options", v->options);
		vm_out_row_end(out);
	}
	vm_out_array_end(out);
	return vm_out_close(out, err);
}

static const struct vm_operand_spec one_command[] = {
	{ "COMMAND", VM_OPERAND_OTHER, true, false, "-" },
	{ 0 },
};
static const struct vm_program help_program = {
	.name = "vm help",
	.usage = "[OPTION...] [COMMAND]",
	.summary = "List the tools that are here, or print the help of one.",
	.operands = one_command,
	.size = sizeof(struct vm_common),
	.run = run_help,
};
static const struct vm_program commands_program = {
	.name = "vm commands",
	.usage = "[OPTION...]",
	.summary = "List virsh's commands: is its tool here, which one is it, with which arguments.",
	.size = sizeof(struct vm_common),
	.run = run_commands,
};

/* virsh's own options, before its command. */
static int virsh_option(char **argv, int *at, struct vm_words *words, struct vm_err *err)
{
	const char *arg = argv[*at], *value = NULL;

	if (strcmp(arg, "-q") == 0 || strcmp(arg, "--quiet") == 0) {
		vm_words_add(words, vm_xstrdup("--quiet"));
		return 0;
	}
	if (strncmp(arg, "--connect=", 10) == 0) {
		value = arg + 10;
	} else if (strcmp(arg, "-c") == 0 || strcmp(arg, "--connect") == 0) {
		value = argv[*at + 1];
		if (!value)
			return vm_err_set(err, VM_USAGE, "%s needs a value: URI", arg);
		(*at)++;
	} else if (arg[1] == 'c') {
		value = arg + 2;
	} else {
		return vm_err_set(err, VM_USAGE, "virsh's own option %s is not taken here", arg);
	}
	vm_words_add(words, vm_xasprintf("--connect=%s", value));
	return 0;
}

static const char *next_virsh(size_t index)
{
	return vm_commands[index].virsh;
}

/* vm virsh [-c URI] COMMAND [ARG...] */
static int run_virsh(char **argv, int at, struct vm_err *err)
{
	VM_AUTO(vm_words_free) struct vm_words own = { 0 };
	VM_AUTO(vm_words_free) struct vm_words said = { 0 };
	struct vm_words all = { 0 };
	const struct vm_command *c;
	const char *near;
	size_t i;

	for (; argv[at] && argv[at][0] == '-' && argv[at][1]; at++)
		if (virsh_option(argv, &at, &own, err) < 0)
			return -1;
	if (!argv[at])
		return vm_err_set(err, VM_USAGE, "VIRSH-COMMAND is missing");
	c = vm_command_find(argv[at]);
	if (!c) {
		near = vm_nearest(argv[at], next_virsh);
		vm_err_set(err, VM_USAGE, "virsh has no command '%s'", argv[at]);
		if (near)
			vm_err_hint(err, "did you mean '%s'?", near);
		return -1;
	}
	if (vm_command_translate(c, argv + at + 1, &said, err) < 0)
		return -1;
	vm_words_add(&all, said.v[0]);
	for (i = 0; i < own.n; i++)
		vm_words_add(&all, own.v[i]);
	for (i = 1; i < said.n; i++)
		vm_words_add(&all, said.v[i]);
	exec_tool(&all, c->virsh, err);
	free(all.v);
	return -1;
}

/* Index of COMMAND: behind options and their values. */
static int find_command(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && argv[i][0] == '-'; i++)
		if (strcmp(argv[i], "-c") == 0 || strcmp(argv[i], "--connect") == 0 ||
		    strcmp(argv[i], "--timeout") == 0)
			i++;
	return i < argc ? i : 0;
}

/* The program of ours that COMMAND names, or NULL. */
static const struct vm_program *own_program(const char *name)
{
	if (strcmp(name, "help") == 0)
		return &help_program;
	if (strcmp(name, "commands") == 0)
		return &commands_program;
	return NULL;
}

int vm_front_main(int argc, char **argv)
{
	struct vm_common c = { 0 };
	struct vm_err err = VM_ERR_INIT;
	const struct vm_program *own;
	const char *slash = strrchr(argv[0], '/');
	int at = find_command(argc, argv), i;

	for (i = 1; i < argc && argv[i][0] == '-' && at; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0 ||
		    strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "-V") == 0)
			at = 0;
	if (!at)
		return vm_cli_main(&front, argc, argv);
	vm_proc_std_fds();
	own_dir = slash ? vm_xstrndup(argv[0], (size_t)(slash - argv[0]) + 1) : NULL;
	own = own_program(argv[at]);
	if (own) {
		memmove(argv + at, argv + at + 1, (size_t)(argc - at) * sizeof(*argv));
		return vm_cli_main(own, argc - 1, argv);
	}
	if (strcmp(argv[at], "virsh") == 0)
		run_virsh(argv, at + 1, &err);
	else
		run_tool(argv, at, &err);
	for (i = 1; argv[i]; i++)
		c.json |= strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "-j") == 0;
	vm_cli_report(&front, &c, &err);
	return (int)err.kind;
}
