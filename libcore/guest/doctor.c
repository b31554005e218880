/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "doctor.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/conf.h>
#include <vm/out.h>
#include <vm/strbuf.h>

static const char *const words[] = { "ok", "note", "warn", "fail" };

const struct vm_doctor_check vm_doctor_checks[] = {
	{ "vm.conf", "the configuration", vm_doctor_config, false },
	{ "kvm", "hardware virtualization, tried", vm_doctor_kvm, false },
	{ "qemu", "the emulator and helper programs", vm_doctor_qemu, false },
	{ "iommu", "what giving devices to guests needs", vm_doctor_iommu, true },
	{ "hostdev", "devices for guests, and those that are to be made", vm_doctor_hostdev, true },
	{ "modules", "kernel modules and their nodes", vm_doctor_modules, false },
	{ "cgroup", "control groups and their controllers", vm_doctor_cgroup, false },
	{ "acl", "device rules, tried", vm_doctor_acl, true },
	{ "init", "the service manager, and the shutdown of guests with the host", vm_doctor_init, true },
	{ "ids", "the range of guests' own users", vm_doctor_ids, true },
	{ "group", "who may look", vm_doctor_group_name, true },
	{ "limits", "limits that guests inherit", vm_doctor_limits, false },
	{ "run", "the directory of running guests", vm_doctor_run, true },
	{ "lsm", "security modules", vm_doctor_lsm, true },
	{ "images", "file systems of images", vm_doctor_images, true },
	{ "guests", "guests that need help", vm_doctor_guests, false },
	{ "leftovers", "claims, ids and owners of files that nobody needs", vm_doctor_leftovers, false },
	{ 0 },
};

static bool wanted(const struct vm_common *c, const char *check)
{
	for (size_t i = 0; i < c->operands.n; i++)
		if (strcmp(c->operands.v[i], check) == 0)
			return true;
	return c->operands.n == 0;
}

static bool is_check(const char *name)
{
	for (const struct vm_doctor_check *k = vm_doctor_checks; k->name != NULL; k++)
		if (strcmp(k->name, name) == 0)
			return true;
	return false;
}

/* What is no check is a guest. */
static int check_names(const struct vm_common *c, const struct vm_state *s, struct vm_err *err)
{
	for (size_t i = 0; i < c->operands.n; i++) {
		VM_AUTO(vm_strbuf_free) struct vm_strbuf all = VM_STRBUF_INIT;
		VM_AUTO_FREE char *name = NULL;
		struct vm_err none = VM_ERR_INIT;

		if (is_check(c->operands.v[i]) ||
		    vm_guest_resolve(s, c->operands.v[i], false, &name, &none) == 0)
			continue;
		for (const struct vm_doctor_check *k = vm_doctor_checks; k->name != NULL; k++)
			vm_strbuf_printf(&all, "%s%s", all.len > 0 ? " " : "", k->name);
		return vm_err_set(err, VM_USAGE, "there is neither a guest nor a check '%s': %s",
				  c->operands.v[i], all.text);
	}
	return 0;
}

/* ---- vm-doctor config ---- */
static void print_value(struct vm_out *out, const struct vm_conf_key *k, const struct vm_conf *conf)
{
	const void *member = (const char *)conf + k->off;

	switch ((enum vm_opt_kind)k->kind) {
	case VM_OPT_FLAG:
		vm_out_bool(out, "value", *(const bool *)member);
		break;
	case VM_OPT_ENUM:
		vm_out_str(out, "value", ((const char *const *)k->words)[*(const int *)member]);
		break;
	case VM_OPT_STR:
		vm_out_str(out, "value", *(char *const *)member);
		break;
	case VM_OPT_SECONDS:
		vm_out_u64(out, "value", *(const uint64_t *)member / 1000);
		break;
	case VM_OPT_U64:
	case VM_OPT_SIZE:
	case VM_OPT_LIST:
	case VM_OPT_SET:
		vm_out_u64(out, "value", *(const uint64_t *)member);
		break;
	}
}

static int print_config(const struct vm_program *p, const struct vm_common *c, int etc,
			struct vm_err *err)
{
	static const struct vm_out_column columns[] = {
		{ "key", "KEY" }, { "value", "VALUE" }, { "from", "FROM" }
	};
	struct vm_conf conf = { 0 };
	struct vm_out *out;
	char **from = NULL;
	int r;

	if (vm_conf_load(etc, &conf, &from, err) < 0)
		return -1;
	out = vm_out_open(stdout, VM_OUT_TABLE, p->schema, c->json, false);
	vm_out_array(out, "config", columns, VM_COUNT(columns));
	for (size_t i = 0; vm_conf_keys[i].name != NULL; i++) {
		vm_out_row(out);
		vm_out_str(out, "key", vm_conf_key_name(&vm_conf_keys[i]));
		print_value(out, &vm_conf_keys[i], &conf);
		vm_out_str(out, "from", from[i]);
		vm_out_row_end(out);
	}
	vm_out_array_end(out);
	r = vm_out_close(out, err);
	vm_conf_from_free(from);
	vm_conf_free(&conf);
	return r;
}

/* ---- the report ---- */
static void print_finding(struct vm_out *out, const struct vm_finding *f)
{
	VM_AUTO_FREE char *text = f->remedy == NULL ? vm_xstrdup(f->what)
						    : vm_xasprintf("%s; %s", f->what, f->remedy);

	vm_out_row(out);
	vm_out_str(out, "result", words[f->health]);
	vm_out_str(out, "check", f->check);
	vm_out_str(out, "text", text);
	vm_out_str(out, "finding", f->what);
	vm_out_str(out, "remedy", f->remedy);
	vm_out_row_end(out);
}

static int report(const struct vm_program *p, const struct vm_common *c,
		  const struct vm_doctor_cli *o, const struct vm_doctor *d, struct vm_err *err)
{
	static const struct vm_out_column columns[] = {
		{ "result", "RESULT" }, { "check", "CHECK" }, { "text", "FINDING" }
	};
	size_t count[VM_COUNT(words)] = { 0 };
	struct vm_out *out = vm_out_open(stdout, VM_OUT_TABLE, p->schema, c->json, false);
	bool quiet = c->quiet && !c->json;

	vm_out_array(out, "findings", columns, VM_COUNT(columns));
	for (size_t i = 0; i < d->n; i++) {
		count[d->v[i].health]++;
		if (!quiet && (!o->problems || d->v[i].health >= VM_HEALTH_WARN))
			print_finding(out, &d->v[i]);
	}
	vm_out_array_end(out);
	if (c->json) {
		vm_out_u64(out, "warnings", count[VM_HEALTH_WARN]);
		vm_out_u64(out, "failures", count[VM_HEALTH_FAIL]);
	}
	if (vm_out_close(out, err) < 0)
		return -1;
	return count[VM_HEALTH_FAIL] > 0 ? VM_NO : 0;
}

static void doctor_free(struct vm_doctor *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->v[i].what);
		free(d->v[i].remedy);
	}
	free(d->v);
	vm_tree_close(&d->tree);
}

static int open_state(struct vm_doctor *d, const struct vm_common *c, struct vm_state *state,
		      struct vm_err *err)
{
	if (vm_state_open(c->connect, VM_STATE_READ, state, err) < 0)
		return -1;
	d->state = state;
	d->conf = &state->conf;
	d->session = state->uri.session;
	return 0;
}

int vm_doctor_cli(const struct vm_program *p, const struct vm_common *c,
		  const struct vm_doctor_cli *o, struct vm_err *err)
{
	VM_AUTO(vm_state_close) struct vm_state state = VM_STATE_INIT;
	VM_AUTO(doctor_free) struct vm_doctor d = { .tree = VM_TREE_INIT, .sysroot = o->sysroot, .deadline = c->deadline };
	bool config = c->operands.n > 0 && strcmp(c->operands.v[0], "config") == 0;

	/* What is ours is below it, too. */
	if (o->sysroot != NULL && setenv("VM_ROOT", o->sysroot, 1) < 0)
		return vm_err_sys(err, "--sysroot");
	if (vm_tree_open(o->sysroot, &d.tree, err) < 0 || open_state(&d, c, &state, err) < 0)
		return -1;
	if (!config && check_names(c, &state, err) < 0)
		return -1;
	if (config && c->operands.n > 1)
		return vm_err_set(err, VM_USAGE, "'config' stands alone");
	if (config) {
		VM_AUTO_FD int etc = vm_doctor_etc(&state);

		return print_config(p, c, etc, err);
	}
	for (const struct vm_doctor_check *k = vm_doctor_checks; k->name != NULL; k++) {
		if (!wanted(c, k->name) || (d.session && k->system))
			continue;
		d.check = k->name;
		k->run(&d);
	}
	for (size_t i = 0; i < c->operands.n; i++) {
		d.check = c->operands.v[i];
		if (!is_check(d.check))
			vm_doctor_guest(&d, d.check);
	}
	return report(p, c, o, &d, err);
}
