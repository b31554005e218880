/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tune_cli.h"

#include <stdio.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/guest.h>
#include <vm/log.h>
#include <vm/out.h>

#include "driver.h"
#include "group.h"
#include "model/domain.h"
#include "tune_cli_internal.h"

int vm_tune_cli_check(const struct vm_tune_cli *o, struct vm_err *err)
{
	if (o->current && (o->live || o->config))
		return vm_err_set(err, VM_USAGE, "--current and --live or --config exclude each other");
	return 0;
}

int vm_tune_cli_set(const struct vm_program *p, const struct vm_common *c, const struct vm_tune_cli *o,
	       const struct vm_tune_list *settings, const struct vm_tune_pins *pins, struct vm_err *err)
{
	VM_AUTO(vm_host_close) struct vm_host h = VM_HOST_INIT;
	const struct vm_tune_request r = { .settings = settings, .pins = pins, .live = o->live,
					   .config = o->config, .convert = o->convert,
					   .dry_run = c->dry_run, .deadline = c->deadline };
	struct vm_out *out;
	int changed;

	if ((c->dry_run ? vm_host_look : vm_host_open)(c->connect, &h, err) < 0)
		return -1;
	changed = vm_tune_set(&h, c->operands.v[0], &r, err);
	if (changed < 0)
		return vm_err_object(err, c->operands.v[0]);
	out = vm_out_open(stdout, VM_OUT_QUIET, p->schema, c->json, false);
	vm_out_str(out, "name", c->operands.v[0]);
	vm_out_bool(out, "changed", changed == 0 && !c->dry_run);
	if (!c->quiet && !c->dry_run)
		vm_out_text(out, "%s: %s", c->operands.v[0], changed == 0 ? "changed" : "unchanged");
	return vm_out_close(out, err);
}

int vm_tune_cli_mixed(const char *what, struct vm_err *err)
{
	return vm_err_set(err, VM_USAGE, "either show %s or set them", what);
}

int vm_tune_cli_view(const struct vm_state *s, const struct vm_common *c, const struct vm_tune_cli *o,
		     struct vm_tune_view *v, struct vm_err *err)
{
	bool both = o->live && o->config;

	if (vm_tune_view_open(s, c->operands.v[0], o->live && !both, o->config && !both, c->deadline, v,
			      err) < 0)
		return vm_err_object(err, c->operands.v[0]);
	if (o->current && v->live != NULL) {
		vm_domain_freep(&v->config);
		vm_tune_list_free(&v->config_list);
	}
	v->convert = o->convert || s->conf.convert_shares;
	return 0;
}

/* ---- devices ---- */

static const struct vm_out_column device_columns[] = {
	{ "type", "TYPE" }, { "node", "NODE" }, { "perms", "PERMS" },
	{ "check", "CHECK" }, { "by", "BY" },   { "path", "PATH" },
};

static void print_number(struct vm_out *out, const char *key, uint32_t n)
{
	if (n == VM_ACL_ANY)
		vm_out_null(out, key);
	else
		vm_out_u64(out, key, n);
}

static void print_rule(struct vm_out *out, const struct vm_acl_row *row, bool json)
{
	const char type[2] = { row->rule.type, 0 };
	char text[VM_ACL_TEXT];

	vm_out_row(out);
	vm_out_str(out, "type", type);
	if (json) {
		print_number(out, "major", row->rule.major);
		print_number(out, "minor", row->rule.minor);
	} else {
		vm_out_str(out, "node", vm_acl_format_node(&row->rule, text));
	}
	vm_out_str(out, "perms", vm_acl_format_perms(row->rule.perms, text));
	vm_out_str(out, "check", row->check);
	if (json && row->rule.by != NULL) {
		VM_AUTO_FREE char *copy = vm_xstrdup(row->rule.by);
		char *rest = copy, *name;

		vm_out_list(out, "by");
		while ((name = strsep(&rest, ",")) != NULL)
			vm_out_str(out, NULL, name);
		vm_out_list_end(out);
	} else {
		vm_out_str(out, "by", row->rule.by);
	}
	vm_out_str(out, "path", row->rule.path);
	vm_out_row_end(out);
}

static int show_devices(const struct vm_common *c, struct vm_err *err)
{
	VM_AUTO(vm_state_close) struct vm_state state = VM_STATE_INIT;
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	VM_AUTO(vm_acl_check_free) struct vm_acl_check check = VM_ACL_CHECK_INIT;
	struct vm_out *out;

	if (vm_state_open(c->connect, VM_STATE_READ, &state, err) < 0)
		return -1;
	if (vm_guest_open(&state, c->operands.v[0], VM_GUEST_ACTIVE, c->deadline, &g, err) < 0 ||
	    vm_guest_acl_check(&g, &check, err) < 0)
		return vm_err_object(err, c->operands.v[0]);
	if (check.note != NULL)
		vm_log_warning("%s: %s", g.name, check.note);
	out = vm_out_open(stdout, VM_OUT_TABLE, "vm-cgroup-devices/1", c->json, false);
	vm_out_str(out, "guest", g.name);
	vm_out_str(out, "backend", check.backend);
	vm_out_str(out, "cgroup", check.path);
	vm_out_array(out, "rules", device_columns, VM_COUNT(device_columns));
	for (size_t i = 0; i < check.n; i++)
		print_rule(out, &check.rows[i], c->json);
	vm_out_array_end(out);
	return vm_out_close(out, err);
}

int vm_cgroup_cli(const struct vm_program *p, struct vm_common *c, const struct vm_tune_cli *o,
		  struct vm_err *err)
{
	VM_AUTO(vm_tune_list_free) struct vm_tune_list l = VM_TUNE_LIST_INIT;
	VM_AUTO(vm_state_close) struct vm_state state = VM_STATE_INIT;
	VM_AUTO(vm_tune_view_close) struct vm_tune_view v = VM_TUNE_VIEW_INIT;
	struct vm_out *out;
	size_t given = 0;

	if (vm_tune_cli_check(o, err) < 0)
		return -1;
	if (c->operands.n == 2 && strcmp(c->operands.v[1], "devices") == 0) {
		c->only_looked = true;
		return show_devices(c, err);
	}
	if (vm_tune_list_parse(c->operands.v + 1, c->operands.n - 1, &l, err) < 0)
		return -1;
	for (size_t i = 0; i < l.n; i++)
		given += l.v[i].given;
	if (given > 0 && (given < l.n || o->raw))
		return vm_tune_cli_mixed("keys", err);
	if (given > 0)
		return vm_tune_cli_set(p, c, o, &l, NULL, err);
	c->only_looked = true;
	if (vm_state_open(c->connect, VM_STATE_READ, &state, err) < 0 ||
	    vm_tune_cli_view(&state, c, o, &v, err) < 0)
		return -1;
	if (o->raw && v.live == NULL) {
		vm_err_set(err, VM_NOT_RUNNING, "is not running");
		return vm_err_object(err, v.guest.name);
	}
	out = vm_out_open(stdout, VM_OUT_TABLE, p->schema, c->json, false);
	vm_out_str(out, "name", v.guest.name);
	if ((o->raw ? vm_tune_show_raw(out, &v, &l, err) : vm_tune_show(out, &v, &l, err)) < 0) {
		vm_out_drop(out);
		return vm_err_object(err, v.guest.name);
	}
	return vm_out_close(out, err);
}
