// SPDX-License-Identifier: LGPL-2.1-or-later
#include "define_cli.h"

#include <driver.h>
#include <errno.h>
#include <stdio.h>

#include <vm/cleanup.h>
#include <vm/define.h>
#include <vm/out.h>
#include <vm/xml.h>

static const struct vm_out_column columns[] = {
    {"name", "NAME"},
    {"path", "PATH"},
    {"old", "OLD"},
    {"new", "NEW"},
};

/* With --diff: one row a difference, in a table or in JSON. */
struct sheet {
	struct vm_out *out;
	const char *name;
};

static void add_difference(const char *path, const char *old_value, const char *new_value,
			   void *arg)
{
	const struct sheet *s = arg;

	vm_out_row(s->out);
	vm_out_str(s->out, "name", s->name);
	vm_out_str(s->out, "path", path);
	vm_out_str(s->out, "old", old_value);
	vm_out_str(s->out, "new", new_value);
	vm_out_row_end(s->out);
}

static int define_file(struct vm_define *d, struct sheet *sheet, const char *file,
		       struct vm_defined *ret, struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;

	if (vm_xml_load(file, &doc, err) < 0)
		return -1;
	/* Known before the rows are: vm_guest_define() has checked it when it calls. */
	sheet->name = vm_xml_content(doc, vm_xml_child(doc, 0, "name"));
	return vm_guest_define(d, doc, ret, err);
}

static void tell(struct vm_out *out, const struct vm_common *c, const struct vm_defined *done,
		 int r)
{
	if (!c->json) {
		if (!c->quiet && !c->dry_run) {
			printf("%s: %s\n", done->name, r == 0 ? "defined" : "unchanged");
			fflush(stdout); /* main() reports what fails */
		}
		return;
	}
	vm_out_row(out);
	vm_out_str(out, "name", done->name);
	vm_out_str(out, "uuid", done->uuid);
	vm_out_bool(out, "changed", r == 0 && !c->dry_run);
	vm_out_bool(out, "new", !done->was_defined);
	vm_out_row_end(out);
}

static int define_all(const struct vm_program *p, struct vm_common *c, struct vm_define *d,
		      struct vm_out *out, bool diff, bool *ret_changed, size_t *ret_good)
{
	struct sheet sheet = {.out = out};
	int status = 0;

	if (diff) {
		d->diff = add_difference;
		d->diff_arg = &sheet;
	}
	for (size_t i = 0; i < c->operands.n && !vm_wait_interrupted(); i++) {
		struct vm_defined done = {0};
		struct vm_err err = VM_ERR_INIT;
		int r;

		d->deadline = vm_deadline_in(c->timeout_ms);
		r = define_file(d, &sheet, c->operands.v[i], &done, &err);
		if (r < 0) {
			if (!(vm_interrupted && err.sys == EINTR))
				vm_cli_report(p, c, &err);
			status = status ? status : (int)err.kind;
			continue;
		}
		*ret_changed |= r == 0 && !d->dry_run;
		++*ret_good;
		if (!diff)
			tell(out, c, &done, r);
		vm_defined_free(&done);
	}
	return status;
}

int vm_define_cli(const struct vm_program *p, const struct vm_common *c,
		  const struct vm_define_cli *o, struct vm_err *err)
{
	VM_AUTO(vm_state_close) struct vm_state state = VM_STATE_INIT;
	struct vm_common common = *c;
	struct vm_define d = {.state = &state, .dry_run = c->dry_run || o->diff};
	struct vm_out *out;
	bool changed = false;
	size_t good = 0;
	int status;

	if (vm_state_open(c->connect, d.dry_run ? VM_STATE_READ : VM_STATE_CHANGE, &state, err) <
		0 ||
	    vm_planner_find(state.driver, &d.planner, err) < 0)
		return -1;
	if (d.planner->completer == NULL)
		return vm_driver_lacks(state.driver, "define", err);
	out = vm_out_open(stdout, o->diff ? VM_OUT_TABLE : VM_OUT_QUIET, p->schema, c->json, false);
	if (o->diff)
		vm_out_array(out, "changes", columns, VM_COUNT(columns));
	else
		vm_out_array(out, "guests", NULL, 0);
	status = define_all(p, &common, &d, out, o->diff, &changed, &good);
	vm_out_array_end(out);
	vm_out_bool(out, "changed", changed);
	if (!good) {
		vm_out_drop(out);
		return status;
	}
	if (vm_out_close(out, err) < 0)
		return -1;
	return status;
}
