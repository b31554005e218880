/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "start_cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/log.h>
#include <vm/out.h>
#include <vm/strbuf.h>
#include <vm/xml.h>

#include "host/self.h"
#include "parallel.h"

struct start {
	struct vm_common common; /* first: vm_cli_each() sets its deadline */
	struct vm_start_cli *o;
	struct vm_host *host;
	const struct vm_program *program;
	const char *name;
	uint64_t began_ms;
};

static int print_one(void *opaque, const char *operand, struct vm_err *err)
{
	struct start *s = opaque;
	VM_AUTO(vm_strbuf_free) struct vm_strbuf text = VM_STRBUF_INIT;

	if (vm_guest_print_start(s->host, operand, s->common.deadline, &text, err) < 0)
		return -1;
	fputs(text.text, stdout);
	return 0;
}

static void tell_done(const struct start *s)
{
	struct vm_out *out;
	struct vm_err ignored = VM_ERR_INIT;

	if (!s->common.json) {
		if (!s->common.quiet)
			printf("%s: started\n", s->name);
		return;
	}
	out = vm_out_open(stdout, VM_OUT_QUIET, s->program->schema, true, false);
	vm_out_bool(out, "changed", true);
	vm_out_array(out, "guests", NULL, 0);
	vm_out_row(out);
	vm_out_str(out, "name", s->name);
	vm_out_bool(out, "changed", true);
	vm_out_row_end(out);
	vm_out_array_end(out);
	/* The guest is up: a reader that went away does not change that. */
	if (vm_out_close(out, &ignored) < 0)
		vm_log_warning("%s: %s", s->name, ignored.msg);
}

/* The last that this program does of its own: it goes on as the watcher. */
static void up(void *opaque)
{
	struct start *s = opaque;

	tell_done(s);
	fflush(stdout);
	vm_log_audit(s->name, "start --foreground", 0, vm_now_ms() - s->began_ms);
}

static int start_one(void *opaque, const char *operand, struct vm_err *err)
{
	struct start *s = opaque;

	s->name = operand;
	s->o->start.deadline = s->common.deadline;
	return vm_guest_start(s->host, operand, &s->o->start, s->o->if_needed, err);
}

static int check(const struct vm_common *c, const struct vm_start_cli *o, struct vm_err *err)
{
	const struct vm_start_options *s = &o->start;

	if (s->foreground && c->operands.n > 1)
		return vm_err_set(err, VM_USAGE, "--foreground takes one GUEST");
	if (o->console && c->operands.n > 1)
		return vm_err_set(err, VM_USAGE, "--console takes one GUEST");
	if (s->foreground && s->no_watch)
		return vm_err_set(err, VM_USAGE, "--foreground is a watcher: --no-watch excludes it");
	if (s->foreground && o->console)
		return vm_err_set(err, VM_USAGE, "--foreground and --console exclude each other");
	if (s->autodestroy && !s->foreground)
		return vm_err_set(err, VM_USAGE, "--autodestroy needs --foreground");
	if (o->stop_timeout_given && !s->foreground)
		return vm_err_set(err, VM_USAGE, "--stop-timeout needs --foreground");
	if (o->parallel < 1)
		return vm_err_set(err, VM_USAGE, "--parallel is at least 1");
	return 0;
}

/* --console: goes on as vm-console. */
static int become_console(const struct vm_common *c, const char *name, struct vm_err *err)
{
	VM_AUTO_FREE char *path = NULL;

	if (vm_self_sibling("vm-console", &path, err) < 0)
		return -1;
	fflush(stdout);
	if (c->connect != NULL)
		execl(path, "vm-console", "--connect", c->connect, "--", name, (char *)NULL);
	else
		execl(path, "vm-console", "--", name, (char *)NULL);
	return vm_err_sys(err, "run %s", path);
}

static int prepare(const struct vm_program *p, struct vm_common *c, struct vm_start_cli *o,
		   struct vm_host *host, struct start *ret, struct vm_err *err)
{
	if (check(c, o, err) < 0 || vm_host_open(c->connect, host, err) < 0)
		return -1;
	if (o->pass_fds.n > 0)
		return vm_driver_lacks(host->driver->name, "init that takes descriptors (--pass-fds)", err);
	if (!o->stop_timeout_given)
		o->start.stop_timeout_ms = host->state.conf.stop_timeout_ms;
	o->start.dry_run = c->dry_run;
	o->start.up = up;
	o->start.up_arg = ret;
	*ret = (struct start){
		.common = *c, .o = o, .host = host, .program = p, .began_ms = vm_now_ms()
	};
	return 0;
}

int vm_start_cli(const struct vm_program *p, struct vm_common *c, struct vm_start_cli *o,
		 struct vm_err *err)
{
	VM_AUTO(vm_host_close) struct vm_host host = VM_HOST_INIT;
	struct start s;
	int r;

	if (prepare(p, c, o, &host, &s, err) < 0)
		return -1;
	if (o->print)
		return vm_cli_each(p, &s.common, NULL, print_one, &s);
	r = vm_parallel_each(p, &s.common, "started", start_one, &s, o->parallel);
	if (r == 0 && o->console && !c->dry_run)
		return become_console(c, c->operands.v[0], err);
	return r;
}

int vm_create_cli(const struct vm_program *p, struct vm_common *c, struct vm_start_cli *o,
		  struct vm_err *err)
{
	VM_AUTO(vm_host_close) struct vm_host host = VM_HOST_INIT;
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	VM_AUTO_FREE char *name = NULL;
	struct start s;

	if (prepare(p, c, o, &host, &s, err) < 0 ||
	    vm_xml_load(c->operands.v[0], &doc, err) < 0)
		return -1;
	o->start.document = doc;
	o->start.deadline = c->deadline;
	s.name = c->operands.v[0];
	if (vm_guest_create(&host, &o->start, &name, err) < 0)
		return -1;
	s.name = name;
	if (!c->dry_run)
		tell_done(&s);
	if (o->console && !c->dry_run)
		return become_console(c, name, err);
	return 0;
}
