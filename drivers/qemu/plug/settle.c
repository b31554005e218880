/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Host devices that were on their way when a command ended, or when the guest let go: QEMU says what it has. */
#include "plug.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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

#include "qemu/qmp/monitor.h"
#include "qemu/run/look.h"

/* ---- an attach ---- */

static int take_place(int run, const char *from, const char *to, struct vm_err *err)
{
	if (renameat(run, from, run, to) == 0 || errno == ENOENT)
		return 0;
	return vm_err_sys(err, "rename %s", from);
}

static int drop(int run, const char *name, struct vm_err *err)
{
	if (unlinkat(run, name, 0) == 0 || errno == ENOENT)
		return 0;
	return vm_err_sys(err, "remove %s", name);
}

int vm_plug_commit(struct vm_guest *g, struct vm_err *err)
{
	/* The mark goes last: as long as it is there, this is done again. */
	if (take_place(g->run, VM_RUN_LIVE_NEW, VM_RUN_LIVE_XML, err) < 0 ||
	    take_place(g->run, VM_RUN_RECORD_NEW, VM_RUN_RECORD, err) < 0 ||
	    drop(g->run, VM_RUN_UNDO_CHANGE, err) < 0 || drop(g->run, VM_RUN_PLUG, err) < 0)
		return -1;
	return vm_guest_refresh(g, err);
}

int vm_plug_forget(const struct vm_guest *g, struct vm_err *err)
{
	if (drop(g->run, VM_RUN_LIVE_NEW, err) < 0 || drop(g->run, VM_RUN_RECORD_NEW, err) < 0)
		return -1;
	return drop(g->run, VM_RUN_PLUG, err);
}

struct names {
	const char **v; /* array owned, names borrowed */
	size_t n;
};

static void names_free(struct names *a)
{
	free(a->v);
}

static void names_of(const struct vm_record *r, const char *key, struct names *ret)
{
	const char *one;

	*ret = (struct names){ 0 };
	for (size_t i = 0; (one = vm_record_nth(r, key, i)) != NULL; i++) {
		ret->v = vm_xreallocarray(ret->v, ret->n + 1, sizeof(*ret->v));
		ret->v[ret->n++] = one;
	}
}

/* Some of them, since whoever asked was killed in between: they go again. */
static int take_back(struct vm_guest *g, const struct names *all, struct vm_err *err)
{
	if (vm_plug_commit(g, err) < 0)
		return -1;
	return vm_unplug_mark(g, all->v, all->n, true, err);
}

/* Those of one device, the last one first. */
static int drop_nodes(const struct vm_record *mark, struct vm_qmp *q, const char *alias, struct vm_deadline deadline,
		      struct vm_err *err)
{
	VM_AUTO(names_free) struct names all = { 0 };
	size_t len = strlen(alias);

	names_of(mark, VM_KEY_NODE, &all);
	for (size_t i = all.n; i-- > 0;)
		if (strncmp(all.v[i], alias, len) == 0 && all.v[i][len] == ' ' &&
		    vm_plug_drop_node(q, all.v[i] + len + 1, deadline, err) < 0)
			return -1;
	return 0;
}

/* 1 = done; 0 = there was nothing. */
static int settle_attach(struct vm_guest *g, struct vm_qmp *q, struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	VM_AUTO(names_free) struct names all = { 0 };
	size_t there = 0;

	if (vm_record_read(&r, g->run, VM_RUN_PLUG, VM_RECORD_PLUG, VM_RECORD_PLUG_VERSION, err) < 0) {
		if (err->kind != VM_NOT_FOUND)
			return -1;
		*err = VM_ERR_INIT;
		return 0;
	}
	names_of(&r, VM_KEY_ALIAS, &all);
	for (size_t i = 0; i < all.n; i++) {
		int has = vm_plug_there(q, all.v[i], deadline, err);

		if (has < 0)
			return -1;
		if (has == 0 && drop_nodes(&r, q, all.v[i], deadline, err) < 0)
			return -1;
		there += has > 0;
	}
	vm_log_step("of %zu devices that were being attached QEMU has %zu", all.n, there);
	if (there == 0)
		return vm_plug_forget(g, err) < 0 ? -1 : 1;
	return (there == all.n ? vm_plug_commit(g, err) : take_back(g, &all, err)) < 0 ? -1 : 1;
}

/* ---- a detach ---- */

/* Who asked may have been killed before it did; QEMU refuses to be asked twice. */
static void ask_again(struct vm_qmp *q, const char *alias, struct vm_deadline deadline)
{
	struct vm_err why = VM_ERR_INIT;

	if (vm_qmp_call(q, deadline, NULL, &why, "device_del", "{s:s}", "id", alias) < 0)
		vm_log_step("%s: %s", alias, why.msg);
}

/* What is missing QEMU may be without, while it is given it anew; only a detach takes it from the document. */
static bool may_lack(const struct vm_guest *g, const struct vm_hostdev *h)
{
	return h->type == VM_HOSTDEV_TYPE_USB && h->missing == VM_SWITCH_ON &&
	       !vm_record_has(&g->record, VM_KEY_UNPLUG, h->dev.alias);
}

/* A guest may let go by itself, too.  What is parked QEMU never had, what waits for its partner not yet. */
static int find_gone(struct vm_guest *g, struct vm_qmp *q, const struct vm_hostdev_list *all,
		     struct vm_deadline deadline, struct names *gone, struct vm_err *err)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct vm_hostdev *h = all->v[i].h;
		int has;

		if (h->dev.alias == NULL || vm_hostdev_parked(h) || h->teaming != NULL || may_lack(g, h))
			continue;
		has = vm_plug_there(q, h->dev.alias, deadline, err);
		if (has < 0)
			return -1;
		if (has == 0)
			gone->v[gone->n++] = h->dev.alias;
		else if (vm_record_has(&g->record, VM_KEY_UNPLUG, h->dev.alias))
			ask_again(q, h->dev.alias, deadline);
	}
	return 0;
}

/* Killed between the document and the record, or parked: then QEMU has none of that name.  It has one that was no document's. */
static int find_marked(const struct vm_guest *g, struct vm_qmp *q, const struct vm_hostdev_list *all,
		       struct vm_deadline deadline, struct names *gone, struct vm_err *err)
{
	const char *one;

	for (size_t k = 0; (one = vm_record_nth(&g->record, VM_KEY_UNPLUG, k)) != NULL; k++) {
		bool asked = false;

		for (size_t i = 0; i < all->n; i++) {
			const struct vm_hostdev *h = all->v[i].h;

			asked |= h->dev.alias != NULL && strcmp(h->dev.alias, one) == 0 && !vm_hostdev_parked(h);
		}
		if (asked)
			continue;
		switch (vm_plug_there(q, one, deadline, err)) {
		case 0:
			gone->v[gone->n++] = one;
			break;
		case 1:
			ask_again(q, one, deadline);
			break;
		default:
			return -1;
		}
	}
	return 0;
}

/* No document's, and something was left as it is for their sake. */
static int find_foreign(const struct vm_guest *g, struct vm_qmp *q, struct vm_deadline deadline, struct names *gone,
			struct vm_err *err)
{
	VM_AUTO(vm_look_free) struct vm_look look = VM_LOOK_INIT;
	const char *one;

	if (vm_record_get(&g->record, VM_KEY_FOREIGN) == NULL)
		return 0;
	if (vm_qemu_look_on(q, VM_LOOK_HOSTDEVS, deadline, &look, err) < 0)
		return -1;
	for (size_t k = 0; (one = vm_record_nth(&g->record, VM_KEY_FOREIGN, k)) != NULL; k++) {
		bool has = vm_record_has(&g->record, VM_KEY_UNPLUG, one);

		for (size_t i = 0; i < look.n_hostdevs; i++)
			has |= strcmp(look.hostdevs[i].alias, one) == 0;
		if (!has)
			gone->v[gone->n++] = one;
	}
	return 0;
}

/* Those that the guest let go of by itself: giving them back may be interrupted, too. */
static int mark_gone(struct vm_guest *g, const struct names *gone, struct vm_err *err)
{
	bool all = true;

	for (size_t i = 0; i < gone->n; i++)
		all &= vm_record_has(&g->record, VM_KEY_UNPLUG, gone->v[i]);
	return all ? 0 : vm_unplug_mark(g, gone->v, gone->n, true, err);
}

static int settle_detach(struct vm_guest *g, struct vm_qmp **q, struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	VM_AUTO(vm_domain_freep) struct vm_domain *d = NULL;
	VM_AUTO(vm_hostdev_list_free) struct vm_hostdev_list all = VM_HOSTDEV_LIST_INIT;
	VM_AUTO(names_free) struct names gone = { 0 };
	size_t marked = 0;

	while (vm_record_nth(&g->record, VM_KEY_UNPLUG, marked) != NULL)
		marked++;
	for (size_t i = 0; vm_record_nth(&g->record, VM_KEY_FOREIGN, i) != NULL; i++)
		marked++;
	if (vm_xml_load_at(g->run, VM_RUN_LIVE_XML, &doc, err) < 0 || vm_domain_parse(doc, true, &d, err) < 0)
		return -1;
	vm_hostdev_list_read(d, &all);
	gone.v = vm_xcalloc(all.n + marked + 1, sizeof(*gone.v));
	/* the marks are the record's, and borrowed from it after these are made */
	if (find_gone(g, *q, &all, deadline, &gone, err) < 0 || mark_gone(g, &gone, err) < 0 ||
	    find_marked(g, *q, &all, deadline, &gone, err) < 0 || find_foreign(g, *q, deadline, &gone, err) < 0)
		return -1;
	vm_qmp_close(q);
	if (gone.n == 0)
		return 0;
	return vm_unplug_finish(g, gone.v, gone.n, deadline, err) < 0 ? -1 : 1;
}

int vm_plug_settle(struct vm_guest *g, struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO(vm_qmp_close) struct vm_qmp *q = NULL;
	int attached, detached;

	if (vm_qemu_monitor_open(g, deadline, &q, err) < 0)
		return -1;
	attached = settle_attach(g, q, deadline, err);
	if (attached < 0)
		return -1;
	detached = settle_detach(g, &q, deadline, err);
	return detached < 0 ? -1 : attached || detached;
}
