/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "attach_cli.h"

#include <stdio.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/guest.h>
#include <vm/out.h>
#include <vm/strbuf.h>

#include "attach.h"
#include "driver.h"
#include "hostdev_view.h"

const char *const vm_attach_managed_words[] = { "yes", "no", NULL };
const struct vm_operand_spec vm_attach_operands[] = {
	{ .name = "GUEST", .kind = VM_OPERAND_GUEST },
	{ .name = "DEVICE", .kind = VM_OPERAND_FILE, .many = true, .complete = "hostdev" },
	{ 0 },
};

static int check(const struct vm_attach_cli *o, struct vm_err *err)
{
	if (o->current && (o->live || o->config || o->persistent))
		return vm_err_set(err, VM_USAGE, "--current excludes --live, --config and --persistent");
	return 0;
}

static struct vm_hostdev_request request(const struct vm_common *c, const struct vm_attach_cli *o)
{
	return (struct vm_hostdev_request){
		.devices = c->operands.v + 1,
		.n = c->operands.n - 1,
		.how = { .managed = o->managed + 1,
			 .address = o->address,
			 .alias = o->alias,
			 .rom = o->rom,
			 .boot_order = o->boot_order,
			 .siblings = o->siblings },
		.live = o->live,
		.config = o->config,
		.persistent = o->persistent,
		.force = o->force,
		.if_needed = o->if_needed,
		.dry_run = c->dry_run,
		.wait_ms = o->wait_ms,
		.deadline = c->deadline,
	};
}

static int print_xml(const struct vm_program *p, struct vm_common *c, const struct vm_hostdev_request *r,
		     struct vm_err *err)
{
	VM_AUTO(vm_hostdev_view_free) struct vm_hostdev_view view = VM_HOSTDEV_VIEW_INIT;
	VM_AUTO(vm_hostdev_elements_free) struct vm_hostdev_elements e = VM_HOSTDEV_ELEMENTS_INIT;
	VM_AUTO(vm_strbuf_free) struct vm_strbuf all = VM_STRBUF_INIT;
	struct vm_out *out;

	c->only_looked = true;
	if (vm_hostdev_view_read(NULL, VM_HOSTDEV_ALL, &view, err) < 0 ||
	    vm_hostdev_elements_make(r->devices, r->n, &r->how, &view, &e, err) < 0)
		return -1;
	for (size_t i = 0; i < e.n; i++)
		vm_strbuf_printf(&all, "%s%s", i > 0 ? "\n" : "", e.v[i]);
	out = vm_out_open(stdout, VM_OUT_QUIET, p->schema, c->json, false);
	vm_out_bool(out, "changed", false);
	vm_out_str(out, "xml", all.text);
	vm_out_text(out, "%s", all.text);
	return vm_out_close(out, err);
}

static int tell(const struct vm_program *p, const struct vm_common *c, const struct vm_hostdev_results *r,
		int done, const char *word, struct vm_err *err)
{
	static const struct vm_out_column columns[] = { { "device", "DEVICE" }, { "alias", "ALIAS" },
							{ "guest_address", "GUEST_ADDRESS" } };
	struct vm_out *out = vm_out_open(stdout, VM_OUT_QUIET, p->schema, c->json, false);
	const char *guest = c->operands.v[0];

	vm_out_str(out, "name", guest);
	vm_out_bool(out, "changed", done == 0 && !c->dry_run);
	vm_out_array(out, "devices", columns, VM_COUNT(columns));
	for (size_t i = 0; i < r->n; i++) {
		vm_out_row(out);
		vm_out_str(out, "device", r->v[i].device);
		vm_out_str(out, "alias", r->v[i].alias);
		vm_out_str(out, "guest_address", r->v[i].address);
		vm_out_row_end(out);
	}
	vm_out_array_end(out);
	for (size_t i = 0; i < r->n && !c->quiet && !c->dry_run; i++)
		vm_out_text(out, "%s: %s %s", guest, word, r->v[i].device);
	if (r->n == 0 && !c->quiet && !c->dry_run)
		vm_out_text(out, "%s: %s", guest, done == 0 ? word : "unchanged");
	return vm_out_close(out, err);
}

typedef int verb_fn(struct vm_host *h, const char *ref, const struct vm_hostdev_request *r,
		    struct vm_hostdev_results *ret, struct vm_err *err);

static int do_it(const struct vm_program *p, const struct vm_common *c, const struct vm_hostdev_request *r,
		 verb_fn *verb, const char *word, struct vm_err *err)
{
	VM_AUTO(vm_host_close) struct vm_host h = VM_HOST_INIT;
	VM_AUTO(vm_hostdev_results_free) struct vm_hostdev_results results = VM_HOSTDEV_RESULTS_INIT;
	int done;

	if ((c->dry_run ? vm_host_look : vm_host_open)(c->connect, &h, err) < 0)
		return -1;
	done = verb(&h, c->operands.v[0], r, &results, err);
	if (done < 0)
		return vm_err_object(err, c->operands.v[0]);
	return tell(p, c, &results, done, word, err);
}

int vm_attach_cli(const struct vm_program *p, struct vm_common *c, const struct vm_attach_cli *o,
		  struct vm_err *err)
{
	const struct vm_hostdev_request r = request(c, o);

	if (check(o, err) < 0)
		return -1;
	return o->print_xml ? print_xml(p, c, &r, err) : do_it(p, c, &r, vm_guest_attach, "attached", err);
}

int vm_detach_cli(const struct vm_program *p, struct vm_common *c, const struct vm_attach_cli *o,
		  struct vm_err *err)
{
	const struct vm_hostdev_request r = request(c, o);

	return check(o, err) < 0 ? -1 : do_it(p, c, &r, vm_guest_detach, "detached", err);
}
