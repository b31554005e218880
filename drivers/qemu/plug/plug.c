/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Host devices given to a running guest: the steps, and what becomes of them when one fails. */
#include "plug.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/log.h>
#include <vm/model.h>
#include <vm/state.h>
#include <vm/xml.h>

#include "qemu/caps/caps.h"
#include "guest/attach.h"
#include "guest/group.h"
#include "qemu/lifecycle.h"
#include "qemu/qmp/monitor.h"
#include "qemu/run/reap.h"

#define SETTLE_MS 15000u /* for QEMU, and for a driver of the host, when something went wrong */
#define HUNG_MS	  1000u	 /* for a QEMU that was silent before */

static void plug_close(struct vm_plug *p)
{
	vm_undo_close(&p->undo);
	for (size_t i = 0; i < p->n; i++) {
		vm_argv_free(&p->v[i].argv);
		free(p->v[i].name);
		free(p->v[i].key);
		vm_cleanup_fd(&p->v[i].fd);
	}
	free(p->v);
	vm_qmp_close(&p->qmp);
	vm_qemu_caps_free(&p->caps);
	vm_acl_free(&p->acl);
	vm_record_free(&p->record);
	vm_hostdev_view_free(&p->view);
	vm_domain_freep(&p->was);
	vm_domain_freep(&p->d);
	vm_xml_freep(&p->doc);
}

/* ---- steps ---- */

static int step_group(struct vm_plug *p, struct vm_err *err)
{
	if (vm_guest_acl_obeyed(p->g, err) == 0)
		return 0;
	/* what has ended is in no group any more */
	return err->kind == VM_IN_USE && vm_plug_ended(p->g, err) ? vm_err_set(err, VM_HYPERVISOR, "QEMU has ended") : -1;
}

/* Before anything is changed: a QEMU that does not answer would leave everybody in doubt. */
static int step_connect(struct vm_plug *p, struct vm_err *err)
{
	return p->o->dry_run ? 0 : vm_qemu_monitor_open(p->g, p->deadline, &p->qmp, err);
}

static int step_journal(struct vm_plug *p, struct vm_err *err)
{
	for (size_t i = 0; i < p->g->record.n; i++)
		vm_record_add(&p->record, p->g->record.items[i].key, p->g->record.items[i].value);
	if (p->o->instead != NULL)
		vm_unplug_forget(&p->record, p->o->instead);
	if (p->o->dry_run)
		return 0;
	return vm_undo_open(&p->undo, p->g->run, VM_RUN_UNDO_CHANGE, vm_qemu_undo_verbs, p->g, err);
}

/* What was true before the claims may have changed. */
static int step_check_again(struct vm_plug *p, struct vm_err *err)
{
	return p->o->dry_run ? 0 : vm_plug_check(p, err);
}

static void port_facts(struct vm_plug *p)
{
	VM_AUTO(vm_record_free) struct vm_record facts = VM_RECORD_INIT;

	vm_domain_facts(p->d, &facts);
	vm_record_set(&p->record, VM_FACT_PORTS_FREE, vm_record_get(&facts, VM_FACT_PORTS_FREE));
}

static void mark_one(const struct vm_plug_device *v, struct vm_record *mark)
{
	char node[VM_PLUG_NODE_SIZE];

	vm_record_add(mark, VM_KEY_ALIAS, v->dev->alias);
	for (size_t i = 0; i + 1 < v->argv.n; i += 2) {
		VM_AUTO_FREE char *text = NULL;

		if (!vm_plug_node_name(&v->argv, i, node))
			continue;
		text = vm_xasprintf("%s %s", v->dev->alias, node);
		vm_record_add(mark, VM_KEY_NODE, text);
	}
}

static int step_write(struct vm_plug *p, struct vm_err *err)
{
	VM_AUTO(vm_record_free) struct vm_record mark = VM_RECORD_INIT;
	int run = p->g->run;
	const char *text;
	size_t len;

	if (p->o->dry_run)
		return 0;
	port_facts(p);
	for (size_t i = 0; i < p->n; i++)
		if (!vm_hostdev_parked(p->v[i].h))
			mark_one(&p->v[i], &mark);
	if (vm_undo_push(&p->undo, VM_PLUG_VERB, VM_PLUG_FILES) < 0)
		return vm_err_sys(err, "write the journal");
	text = vm_xml_text(p->doc, &len);
	if (vm_file_write_volatile(run, VM_RUN_LIVE_NEW, text, len, 0640, err) < 0 ||
	    vm_record_write_volatile(&p->record, run, VM_RUN_RECORD_NEW, VM_RECORD_GUEST, VM_RECORD_GUEST_VERSION,
				     err) < 0)
		return -1;
	return vm_record_write_volatile(&mark, run, VM_RUN_PLUG, VM_RECORD_PLUG, VM_RECORD_PLUG_VERSION, err);
}

/* What is not known before QEMU is asked: which of its block drivers are modules of their own, and whether a program that is none
 * of ours has a group open.  Source: vfio_group_fops_open() of Linux 6.1; vfio_get_group() and qemu_vfio_init_pci() of QEMU 7.2,
 * and its text since 10.1. */
static const struct refusal {
	const char *said, *too; /* both are in QEMU's text */
	enum vm_kind kind;
	const char *why, *hint;
} refusals[] = {
	{ "Unknown driver 'iscsi'", "", VM_UNSUPPORTED, "this QEMU has no block driver 'iscsi'",
	  "it may be a package of its own, such as qemu-block-extra" },
	{ "Namespace has unsupported block size", "", VM_HYPERVISOR,
	  "QEMU finds no such namespace of it, or one with blocks of a size that it does not know",
	  "'nvme list', while the host has it, shows its namespaces" },
	{ "/dev/vfio/", "Device or resource busy", VM_IN_USE,
	  "another program has its IOMMU group open, and the kernel lets it be opened once",
	  "fuser(1), as root, names those that have the group's node open" },
};

static int refused(const struct vm_plug_device *v, struct vm_err *err)
{
	for (size_t i = 0; i < VM_COUNT(refusals); i++) {
		const struct refusal *r = &refusals[i];

		if (strstr(err->msg, r->said) == NULL || strstr(err->msg, r->too) == NULL)
			continue;
		vm_err_set(err, r->kind, "cannot assign %s: %s", v->name, r->why);
		return vm_err_hint(err, "%s", r->hint);
	}
	return vm_err_wrap(err, "QEMU refuses %s", v->name);
}

static int step_tell(struct vm_plug *p, struct vm_err *err)
{
	for (size_t i = 0; i < p->n; i++) {
		int r;

		if (vm_hostdev_parked(p->v[i].h))
			continue;
		/* Set before: once it was asked only QEMU knows. */
		p->unknown = true;
		r = vm_plug_tell(p, &p->v[i], err);
		if (r < 0)
			return -1;
		p->unknown = false;
		if (r > 0)
			return refused(&p->v[i], err);
		p->asked++;
	}
	return 0;
}

static int step_commit(struct vm_plug *p, struct vm_err *err)
{
	if (p->o->dry_run)
		return 0;
	/* From here on there is no way back but by a detach. */
	p->asked = p->n;
	return vm_plug_commit(p->g, err);
}

static const struct step {
	const char *name;
	int (*run)(struct vm_plug *p, struct vm_err *err);
} steps[] = {
	{ "look for it in its group", step_group },
	{ "check the host", vm_plug_check },
	{ "plan what QEMU is told", vm_plug_words },
	{ "connect to QEMU", step_connect },
	{ "begin the journal", step_journal },
	{ "claim the devices", vm_plug_claim },
	{ "check the host again", step_check_again },
	{ "bind them to VFIO", vm_plug_bind },
	{ "let QEMU open their nodes", vm_plug_rules },
	{ "put the nodes into its /dev", vm_plug_nodes },
	{ "let it lock the guest's memory", vm_plug_memlock },
	{ "open what it gets as descriptors", vm_plug_open },
	{ "write what is to be", step_write },
	{ "give QEMU the devices", step_tell },
	{ "commit", step_commit },
};

/* ---- failure ---- */

/* The steps stay in the journal, for whoever asks QEMU next. */
static void leave(struct vm_plug *p)
{
	vm_undo_leave(&p->undo);
}

/* Some it has: they become the guest's, and are taken away from it again as by a detach. */
static void take_back(struct vm_plug *p)
{
	struct vm_plug_options o = { .aliases = NULL, .wait_ms = SETTLE_MS, .deadline = vm_deadline_in(SETTLE_MS) };
	VM_AUTO(vm_hostdev_results_free) struct vm_hostdev_results ignored = VM_HOSTDEV_RESULTS_INIT;
	VM_AUTO_FREE const char **aliases = vm_xcalloc(p->n + 1, sizeof(*aliases));
	struct vm_err err = VM_ERR_INIT;

	leave(p);
	for (size_t i = 0; i < p->n; i++)
		aliases[o.n_aliases++] = p->v[i].h->dev.alias;
	o.aliases = aliases;
	vm_qmp_close(&p->qmp);
	if (vm_plug_commit(p->g, &err) < 0 || vm_qemu_detach(p->g, &o, &ignored, &err) < 0)
		vm_log_warning("%s: %s", p->g->name, err.msg);
}

static void put_back(struct vm_plug *p)
{
	struct vm_err why = VM_ERR_INIT;

	if (p->asked > 0) {
		take_back(p);
	} else if (vm_plug_forget(p->g, &why) < 0) {
		leave(p);
		vm_log_warning("%s: %s", p->g->name, why.msg);
	} else if (vm_undo_run(&p->undo, &why) < 0) {
		vm_log_warning("%s: not all was put back: %s; run vm-repair %s", p->g->name, why.msg, p->g->name);
	}
}

/* How many of those that it is to have QEMU has; *ret_all of them.  -1: it does not say. */
static int ask_again(struct vm_plug *p, struct vm_deadline deadline, size_t *ret_all, struct vm_err *err)
{
	int there = 0;

	/* On the same socket: there QEMU is done with what it was asked before. */
	vm_qmp_close(&p->qmp);
	if (vm_qemu_monitor_open(p->g, deadline, &p->qmp, err) < 0)
		return -1;
	*ret_all = 0;
	for (size_t i = 0; i < p->n; i++) {
		int has;

		if (vm_hostdev_parked(p->v[i].h))
			continue;
		has = vm_plug_there(p->qmp, p->v[i].dev->alias, deadline, err);
		if (has < 0)
			return -1;
		if (has == 0 && vm_plug_drop_nodes(p->qmp, &p->v[i].argv, deadline, err) < 0)
			return -1;
		there += has;
		++*ret_all;
	}
	vm_log_step("of %zu devices that it was asked for QEMU has %d", *ret_all, there);
	return there;
}

/*
 * QEMU did not answer.  If it has ended, all it held is given back.  If it answers another question, it has the devices
 * (0) or it is as if it had refused them.  If it is hung nobody knows, and the next command asks again.
 */
static int in_doubt(struct vm_plug *p, struct vm_err *err)
{
	struct vm_deadline deadline = vm_deadline_in(err->kind == VM_TIMED_OUT ? HUNG_MS : SETTLE_MS);
	struct vm_err why = VM_ERR_INIT;
	size_t all;
	int there;

	if (vm_plug_ended(p->g, err)) {
		leave(p);
		if (vm_guest_reconcile(p->g, vm_deadline_in(SETTLE_MS), &why) < 0)
			vm_log_warning("%s: %s", p->g->name, why.msg);
		return vm_err_set(err, VM_HYPERVISOR, "QEMU ended meanwhile");
	}
	there = ask_again(p, deadline, &all, &why);
	if (there >= 0 && (size_t)there == all && vm_plug_commit(p->g, &why) == 0) {
		*err = VM_ERR_INIT;
		return 0;
	}
	if (there >= 0 && (size_t)there < all) {
		p->asked = (size_t)there;
		put_back(p);
		return -1;
	}
	leave(p);
	vm_err_wrap(err, "it is not known whether QEMU took the devices");
	err->kind = VM_TIMED_OUT;
	return vm_err_hint(err, "vm-repair %s asks it again", p->g->name);
}

static int fail(struct vm_plug *p, struct vm_err *err)
{
	int r = -1;

	if (p->o->dry_run)
		return -1;
	vm_wait_shield();
	if (p->unknown)
		r = in_doubt(p, err);
	else
		put_back(p);
	vm_wait_unshield();
	return r;
}

int vm_qemu_attach(struct vm_guest *g, const struct vm_plug_options *o, struct vm_hostdev_results *ret,
		   struct vm_err *err)
{
	VM_AUTO(plug_close)
	struct vm_plug p = { .g = g, .o = o, .deadline = o->deadline, .view = VM_HOSTDEV_VIEW_INIT, .undo = VM_UNDO_INIT };
	int r = vm_plug_document(&p, err);

	if (r != 0)
		return r;
	for (size_t i = 0; r == 0 && i < VM_COUNT(steps); i++) {
		r = steps[i].run(&p, err);
		if (r == 0 && i + 1 < VM_COUNT(steps) && vm_wait_interrupted()) {
			errno = EINTR;
			r = vm_err_sys(err, "attach");
		}
	}
	if (r < 0 && fail(&p, err) < 0)
		return -1;
	vm_undo_leave(&p.undo);
	for (size_t i = 0; i < p.n; i++)
		vm_hostdev_results_add(ret, p.v[i].h);
	return 0;
}
