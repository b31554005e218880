/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-dumpxml(1): the document of a guest, or the completed form of one. */
#include <stdio.h>

#include <driver.h>
#include <guest/document.h>
#include <model/domain.h>
#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/out.h>
#include <vm/state.h>
#include <vm/strbuf.h>

struct options {
	struct vm_common common;
	const char *file;
	bool inactive, live, security_info, update_cpu, migratable;
};

static const struct vm_opt options[] = {
	{ .name = "file",
	  .kind = VM_OPT_STR,
	  .off = offsetof(struct options, file),
	  .arg = "FILE",
	  .help = "FILE completed, as vm-define would keep it",
	  .complete = "file" },
	{ .name = "inactive",
	  .kind = VM_OPT_FLAG,
	  .off = offsetof(struct options, inactive),
	  .help = "the definition, also of a running guest" },
	{ .name = "live",
	  .kind = VM_OPT_FLAG,
	  .off = offsetof(struct options, live),
	  .help = "what is running; status 7 if it is not" },
	{ .name = "security-info",
	  .kind = VM_OPT_FLAG,
	  .off = offsetof(struct options, security_info),
	  .help = "passwords too" },
	{ .name = "update-cpu",
	  .kind = VM_OPT_FLAG,
	  .off = offsetof(struct options, update_cpu),
	  .help = "the CPU as it would be on this host" },
	{ .name = "migratable",
	  .kind = VM_OPT_FLAG,
	  .off = offsetof(struct options, migratable),
	  .help = "without what holds only on this host" },
	{ 0 },
};

static int load(const struct options *o, bool *ret_live, struct vm_xml **ret, struct vm_err *err)
{
	VM_AUTO(vm_state_close) struct vm_state s = VM_STATE_INIT;
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	VM_AUTO(vm_domain_freep) struct vm_domain *d = NULL;
	const struct vm_planner *planner;

	if (vm_state_open(o->common.connect, VM_STATE_READ, &s, err) < 0)
		return -1;
	if (o->file == NULL)
		return vm_document_load(&s, o->common.operands.v[0],
					o->inactive ? VM_DOCUMENT_DEFINITION
					: o->live   ? VM_DOCUMENT_LIVE
						    : VM_DOCUMENT_CURRENT,
					o->common.deadline, NULL, ret_live, ret, err);
	*ret_live = false;
	if (vm_planner_find(s.driver, &planner, err) < 0 || vm_xml_load(o->file, &doc, err) < 0)
		return -1;
	return vm_domain_complete(doc, NULL, planner->completer, ret, &d, err);
}

static int update_cpu(const struct options *o, bool live, struct vm_xml **doc, struct vm_err *err)
{
	VM_AUTO(vm_state_close) struct vm_state s = VM_STATE_INIT;
	VM_AUTO(vm_domain_freep) struct vm_domain *d = NULL;
	const struct vm_planner *planner;
	struct vm_xml *updated = NULL;

	if (vm_state_open(o->common.connect, VM_STATE_READ, &s, err) < 0 ||
	    vm_planner_find(s.driver, &planner, err) < 0 ||
	    vm_domain_parse(*doc, live, &d, err) < 0)
		return -1;
	if (planner->update_cpu == NULL)
		return vm_driver_lacks(planner->name, "description of the host's CPU", err);
	if (planner->update_cpu(&s, d, *doc, o->common.deadline, &updated, err) < 0)
		return -1;
	if (updated != NULL) {
		vm_xml_free(*doc);
		*doc = updated;
	}
	return 0;
}

/* What is to be printed, when it is not simply the text as it stands. */
static int rewrite(const struct options *o, bool live, struct vm_xml **doc, struct vm_strbuf *text,
		   struct vm_err *err)
{
	VM_AUTO(vm_domain_freep) struct vm_domain *d = NULL;
	VM_AUTO(vm_xml_edit_freep) struct vm_xml_edit *edit = NULL;
	struct vm_xml *cut = NULL;

	if (vm_domain_parse(*doc, live && !o->migratable, &d, err) < 0)
		return -1;
	if (live && o->migratable) {
		mt_format(&vm_domain_type, d, 0, o->security_info ? MT_FORMAT_SECRETS : 0, text);
		return 0;
	}
	if (o->security_info)
		return 0;
	edit = vm_xml_edit_new(*doc);
	mt_redact(&vm_domain_type, d, *doc, edit);
	if (vm_xml_edit_empty(edit))
		return 0;
	if (vm_xml_edit_apply(edit, &cut, err) < 0)
		return -1;
	vm_xml_free(*doc);
	*doc = cut;
	return 0;
}

static int run(void *options_, struct vm_err *err)
{
	const struct options *o = options_;
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	VM_AUTO(vm_strbuf_free) struct vm_strbuf text = VM_STRBUF_INIT;
	struct vm_out *out;
	bool live;

	if ((o->file != NULL) == (o->common.operands.n > 0))
		return vm_err_set(err, VM_USAGE,
				  o->file != NULL ? "--file and a guest: one is enough"
						  : "GUEST or --file=FILE is missing");
	if (o->live && o->inactive)
		return vm_err_set(err, VM_USAGE, "--live and --inactive contradict each other");
	if (load(o, &live, &doc, err) < 0 ||
	    (o->update_cpu && update_cpu(o, live, &doc, err) < 0) || rewrite(o, live, &doc, &text, err) < 0)
		return -1;
	if (text.len == 0) {
		size_t len;
		const char *whole = vm_xml_text(doc, &len);

		vm_strbuf_add(&text, whole, len);
	}
	if (!o->common.json) {
		fwrite(text.text, 1, text.len, stdout);
		return vm_out_flush(stdout, err);
	}
	out = vm_out_open(stdout, VM_OUT_QUIET, "vm-dumpxml/1", true, false);
	vm_out_str(out, "source", o->file != NULL ? "file" : live ? "live" : "definition");
	vm_out_str(out, "xml", text.text);
	return vm_out_close(out, err);
}

int main(int argc, char **argv)
{
	static const struct vm_operand_spec operands[] = {
		{ .name = "GUEST", .kind = VM_OPERAND_GUEST, .optional = true },
		{ 0 },
	};
	static const struct vm_program program = {
		.name = "vm-dumpxml",
		.usage = "[OPTION...] GUEST\n[OPTION...] --file=FILE",
		.summary = "Print the document of a guest: what is running, else its definition as it\n"
			   "was written. Passwords are left out.",
		.options = options,
		.operands = operands,
		.size = sizeof(struct options),
		.run = run,
	};

	return vm_cli_main(&program, argc, argv);
}
