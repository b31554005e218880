/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-export(1): a guest as its hypervisor's own command line or file. */
#include <string.h>

#include <driver.h>
#include <model/domain.h>
#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/out.h>
#include <vm/state.h>
#include <vm/strbuf.h>

struct options {
	struct vm_common common;
	const char *format, *file;
};

static const struct vm_opt options[] = {
    {.name = "format",
     .kind = VM_OPT_STR,
     .off = offsetof(struct options, format),
     .arg = "FORMAT",
     .help = "what to print: qemu-argv (default)"},
    {.name = "file",
     .kind = VM_OPT_STR,
     .off = offsetof(struct options, file),
     .arg = "FILE",
     .help = "the document is FILE, whatever it is called",
     .complete = "file"},
    {0},
};

/* A guest's name has no '/', so what has one is a file. */
static bool is_file(const char *operand)
{
	const char *dot = strrchr(operand, '.');

	return strcmp(operand, "-") == 0 || strchr(operand, '/') != NULL ||
	       (dot != NULL && strcmp(dot, ".xml") == 0);
}

static int load_guest(const struct vm_state *s, const char *ref, struct vm_xml **ret,
		      struct vm_err *err)
{
	VM_AUTO_FREE char *name = NULL, *text = NULL, *file = NULL;
	size_t len;

	if (vm_guest_resolve(s, ref, false, &name, err) < 0 ||
	    vm_definition_read(s, name, &text, &len, err) < 0)
		return -1;
	file = vm_xasprintf("%s/%s.xml", s->etc_path, name);
	return vm_xml_parse(text, len, file, ret, err);
}

/* Loads and completes; one of --file and the operand is given. */
static int load(const struct options *o, const struct vm_state *s, const struct vm_planner *planner,
		struct vm_domain **ret, struct vm_err *err)
{
	const char *what = o->file != NULL ? o->file : o->common.operands.v[0];
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL, *complete = NULL;

	if ((o->file != NULL || is_file(what) ? vm_xml_load(what, &doc, err)
					      : load_guest(s, what, &doc, err)) < 0)
		return -1;
	return vm_domain_complete(doc, NULL, planner->completer, &complete, ret, err);
}

static int print(const struct options *o, const struct vm_planner *planner,
		 const struct vm_domain *d, const struct vm_guest_paths *paths, struct vm_err *err)
{
	static const struct {
		const char *suffix, *key;
	} parts[] = {{"+env", "env"}, {"+json", "argv"}, {"", NULL}};
	struct vm_out *out =
	    vm_out_open(stdout, VM_OUT_QUIET, "vm-export/1", o->common.json, false);

	vm_out_str(out, "format", o->format);
	for (size_t i = 0; i < VM_COUNT(parts); i++) {
		VM_AUTO(vm_strbuf_free) struct vm_strbuf text = VM_STRBUF_INIT;
		VM_AUTO_FREE char *format = vm_xasprintf("%s%s", o->format, parts[i].suffix);

		if (o->common.json != (parts[i].key != NULL))
			continue;
		if (planner->export_native(d, format, paths, &text, err) < 0) {
			vm_out_drop(out);
			return -1;
		}
		if (parts[i].key != NULL)
			vm_out_raw(out, parts[i].key, text.text);
		else
			vm_out_text(out, "%s", text.text);
	}
	return vm_out_close(out, err);
}

static int run(void *options_, struct vm_err *err)
{
	const struct options *o = options_;
	VM_AUTO(vm_state_close) struct vm_state s = VM_STATE_INIT;
	VM_AUTO(vm_domain_freep) struct vm_domain *d = NULL;
	VM_AUTO_FREE char *run_path = NULL, *lib_path = NULL;
	const struct vm_planner *planner;
	struct vm_guest_paths paths;

	if ((o->file != NULL) == (o->common.operands.n > 0))
		return vm_err_set(err, VM_USAGE,
				  o->file != NULL ? "--file and an operand: one is enough"
						  : "FILE or GUEST is missing");
	if (vm_state_open(o->common.connect, VM_STATE_READ, &s, err) < 0 ||
	    vm_planner_find(s.driver, &planner, err) < 0)
		return -1;
	if (planner->export_native == NULL)
		return vm_driver_lacks(s.driver, "native form", err);
	if (load(o, &s, planner, &d, err) < 0)
		return -1;
	run_path = vm_xasprintf("%s/%s", s.run_path, d->name);
	lib_path = vm_xasprintf("%s/%s", s.lib_path, d->name);
	paths = (struct vm_guest_paths){.run = run_path, .lib = lib_path};
	return print(o, planner, d, &paths, err);
}

int main(int argc, char **argv)
{
	static const struct options defaults = {.format = "qemu-argv"};
	static const struct vm_operand_spec operands[] = {
	    {.name = "FILE|GUEST", .kind = VM_OPERAND_GUEST, .optional = true},
	    {0},
	};
	static const struct vm_program program = {
	    .name = "vm-export",
	    .usage = "[OPTION...] FILE|GUEST",
	    .summary = "Print a guest in its hypervisor's own form. Nothing in it needs to exist.\n"
		       "FILE has a '/' or ends in .xml; - is standard input.",
	    .options = options,
	    .operands = operands,
	    .size = sizeof(struct options),
	    .defaults = &defaults,
	    .run = run,
	};

	return vm_cli_main(&program, argc, argv);
}
