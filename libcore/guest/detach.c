/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/guest.h>
#include <vm/model.h>
#include <vm/state.h>
#include <vm/xml.h>

#include "attach_both.h"
#include "attach_internal.h"
#include "driver.h"
#include "hostdev_view.h"
#include "host/iommu.h"
#include "model/domain.h"
#include "state/hostdev.h"

#define LOCK_MS 30000u

/* What was typed, against a document: a device that has vanished from the host is still in there. */
struct wanted {
	const char *text;
	char *source;	       /* as vm_hostdev_source_text() has it; NULL = by alias or element */
	struct vm_hostdev_element file; /* if it was one */
	struct vm_usb_want usb;
	char *usb_now; /* "usb:001:004": where it is plugged in now; NULL = it is not, or no USB device */
	char *usb_key; /* "usb:1-4": its port, likewise, also of one that has left it */
};

static void wanted_free(struct wanted *w)
{
	free(w->source);
	free(w->usb_now);
	free(w->usb_key);
	vm_hostdev_element_free(&w->file);
}

static int parse_file(const char *path, struct wanted *w, struct vm_err *err)
{
	VM_AUTO(vm_hostdev_elements_free) struct vm_hostdev_elements e = VM_HOSTDEV_ELEMENTS_INIT;
	const struct vm_hostdev_how how = { 0 };

	if (vm_hostdev_elements_make(&path, 1, &how, NULL, &e, err) < 0)
		return -1;
	return vm_hostdev_element_parse(e.v[0], &w->file, err);
}

static int find_usb(struct wanted *w, const struct vm_hostdev_name *n, struct vm_err *err)
{
	VM_AUTO(vm_sys_close) struct vm_sys sys = VM_SYS_INIT;
	VM_AUTO(vm_usbs_free) struct vm_usbs all = { 0 };
	struct vm_unread unread = VM_UNREAD_NONE;
	struct vm_err ignored = VM_ERR_INIT;
	const struct vm_usb *usb;

	w->usb = n->usb;
	if (n->usb.port != NULL)
		w->usb_key = vm_xasprintf("usb:%s", n->usb.port);
	w->usb.port = w->usb.serial = NULL;
	if (n->usb.has_place)
		w->source = vm_xasprintf("usb:%03u:%03u", n->usb.bus, n->usb.device);
	if (vm_sys_open(NULL, &sys, err) < 0)
		return -1;
	vm_usbs_read(&sys, &all, &unread);
	if (vm_unread_fail(&unread, err) < 0)
		return -1;
	if (vm_usb_find(&all, &n->usb, &usb, &ignored) == 0)
		w->usb_now = vm_xasprintf("usb:%03u:%03u", usb->bus, usb->device);
	return 0;
}

static int parse_wanted(const char *text, struct wanted *w, struct vm_err *err)
{
	struct vm_hostdev_name n;
	struct vm_err why = VM_ERR_INIT;
	size_t len = strlen(text);

	w->text = text;
	/* QEMU's own path of a device without a name */
	if (strncmp(text, "/machine/peripheral-anon/", 25) == 0)
		return 0;
	if (strcmp(text, "-") == 0 || strchr(text, '/') != NULL || (len > 4 && strcmp(text + len - 4, ".xml") == 0))
		return parse_file(text, w, err);
	/* What is no name of a device may be an alias. */
	if (vm_hostdev_name_parse(text, &n, &why) < 0)
		return 0;
	switch (n.bus) {
	case VM_HOSTDEV_PCI: {
		char name[VM_PCI_NAME];

		vm_pci_name(&n.pci, name);
		w->source = vm_xstrdup(name);
		break;
	}
	case VM_HOSTDEV_USB:
		return find_usb(w, &n, err);
	case VM_HOSTDEV_SCSI:
		w->source = vm_xasprintf("scsi:%u:%u:%u:%llu", n.scsi.host, n.scsi.bus, n.scsi.target,
					 (unsigned long long)n.scsi.unit);
		break;
	case VM_HOSTDEV_MDEV:
		w->source = vm_xasprintf("mdev:%s", n.mdev);
		break;
	case VM_HOSTDEV_PARENT:
	case VM_HOSTDEV_BUSES:
		break;
	}
	return 0;
}

/* Plugged in again it has another number; the record knows what port it was taken from. */
static bool was_at(const struct vm_record *run, const char *alias, const char *key)
{
	VM_AUTO_FREE char *text = vm_xasprintf("%s %s", alias, key);
	VM_AUTO_FREE char *away = vm_xasprintf("%s " VM_HOSTDEV_MISSING "%s", alias, key + strcspn(key, ":") + 1);

	return vm_record_has(run, VM_KEY_HOSTDEV, text) || vm_record_has(run, VM_KEY_HOSTDEV, away);
}

/* run: the record of the running guest whose devices these are, or NULL. */
static bool is_wanted(const struct wanted *w, const struct vm_hostdev *h, const struct vm_record *run)
{
	VM_AUTO_FREE char *source = NULL;

	/* not all of a controller for one of its namespaces */
	if (w->file.h != NULL)
		return vm_hostdev_same_source(h, w->file.h) &&
		       (h->type != VM_HOSTDEV_TYPE_PCI || h->source->namespace == w->file.h->source->namespace);
	if (h->dev.alias != NULL && strcmp(h->dev.alias, w->text) == 0)
		return true;
	if (run != NULL && w->usb_key != NULL && h->dev.alias != NULL && was_at(run, h->dev.alias, w->usb_key))
		return true;
	source = vm_hostdev_source_text(h);
	if (w->source != NULL && strcmp(source, w->source) == 0)
		return true;
	if (w->usb_now != NULL && strcmp(source, w->usb_now) == 0)
		return true;
	return h->type == VM_HOSTDEV_TYPE_USB && w->usb.has_id && h->source->vendor == w->usb.vendor &&
	       h->source->product == w->usb.product;
}

struct chosen {
	struct vm_hostdev_list all;  /* of the document */
	const struct vm_hostdev **v; /* some of them; array owned */
	size_t n;
	char **others; /* owned; what the document of a running guest does not have */
	size_t n_others;
};

static void chosen_free(struct chosen *c)
{
	vm_hostdev_list_free(&c->all);
	free(c->v);
	for (size_t i = 0; i < c->n_others; i++)
		free(c->others[i]);
	free(c->others);
}

static void choose(struct chosen *c, const struct vm_hostdev *h)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i] == h)
			return;
	c->v = vm_xreallocarray(c->v, c->n + 1, sizeof(*c->v));
	c->v[c->n++] = h;
}

/* One that is gone has none. */
static int group_of(const struct vm_sys *sys, const struct vm_hostdev *h, int *ret, struct vm_err *err)
{
	VM_AUTO_FREE char *name = vm_hostdev_source_text(h);
	struct vm_err why = VM_ERR_INIT;
	struct vm_pci p = { .group = VM_NO_GROUP };

	if (h->type == VM_HOSTDEV_TYPE_PCI && vm_pci_read(sys, name, &p, &why) < 0 && why.kind != VM_NOT_FOUND) {
		*err = why;
		return -1;
	}
	*ret = p.group;
	return 0;
}

/* What is parked of their groups is of no use without them. */
static int choose_siblings(struct chosen *c, struct vm_err *err)
{
	VM_AUTO(vm_sys_close) struct vm_sys sys = VM_SYS_INIT;
	size_t named = c->n;

	if (vm_sys_open(NULL, &sys, err) < 0)
		return -1;
	for (size_t i = 0; i < named; i++) {
		int group, other;

		if (group_of(&sys, c->v[i], &group, err) < 0)
			return -1;
		for (size_t k = 0; group != VM_NO_GROUP && k < c->all.n; k++) {
			if (!vm_hostdev_parked(c->all.v[k].h))
				continue;
			if (group_of(&sys, c->all.v[k].h, &other, err) < 0)
				return -1;
			if (other == group)
				choose(c, c->all.v[k].h);
		}
	}
	return 0;
}

/* Its QEMU may have it all the same. */
static void choose_other(struct chosen *c, const struct wanted *w)
{
	c->others = vm_xreallocarray(c->others, c->n_others + 1, sizeof(*c->others));
	c->others[c->n_others++] = w->file.h != NULL	 ? vm_hostdev_source_text(w->file.h)
				   : w->usb_now != NULL	 ? vm_xstrdup(w->usb_now)
				   : w->source != NULL	 ? vm_xstrdup(w->source)
							 : vm_xstrdup(w->text);
}

static int find_all(const struct vm_hostdev_request *r, const struct vm_domain *d, const struct vm_record *run,
		    struct chosen *c, struct vm_err *err)
{
	vm_hostdev_list_read(d, &c->all);
	for (size_t i = 0; i < r->n; i++) {
		VM_AUTO(wanted_free) struct wanted w = { 0 };
		size_t before = c->n, found = 0;

		if (parse_wanted(r->devices[i], &w, err) < 0)
			return -1;
		for (size_t k = 0; k < c->all.n; k++) {
			if (!is_wanted(&w, c->all.v[k].h, run))
				continue;
			choose(c, c->all.v[k].h);
			found++;
		}
		if (found == 0 && run != NULL) {
			choose_other(c, &w);
			continue;
		}
		if (found == 0 && !r->if_needed) {
			vm_err_set(err, VM_NOT_FOUND, "has no host device %s", r->devices[i]);
			return vm_err_hint(err, "vm-info %s hostdevs lists those it has", d->name);
		}
		if (c->n > before + 1)
			return vm_err_set(err, VM_IN_USE, "%s may be several of its devices; name it by its alias, or as a file",
					  r->devices[i]);
	}
	return r->how.siblings ? choose_siblings(c, err) : 0;
}

static int detach_live(const struct vm_hostdev_job *j, struct vm_hostdev_results *ret, struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	VM_AUTO(vm_domain_freep) struct vm_domain *d = NULL;
	VM_AUTO(chosen_free) struct chosen c = { 0 };
	VM_AUTO_FREE const char **aliases = NULL;
	struct vm_plug_options o = { .force = j->r->force,
				     .skip = j->r->if_needed,
				     .dry_run = j->r->dry_run,
				     .wait_ms = j->r->wait_ms,
				     .deadline = j->r->deadline };

	if (vm_xml_load_at(j->g->run, VM_RUN_LIVE_XML, &doc, err) < 0 ||
	    vm_domain_parse(doc, true, &d, err) < 0 || find_all(j->r, d, &j->g->record, &c, err) < 0)
		return -1;
	aliases = vm_xcalloc(c.n + 1, sizeof(*aliases));
	for (size_t i = 0; i < c.n; i++)
		if (c.v[i]->dev.alias != NULL)
			aliases[o.n_aliases++] = c.v[i]->dev.alias;
	o.aliases = aliases;
	o.others = (const char *const *)c.others;
	o.n_others = c.n_others;
	return o.n_aliases + o.n_others == 0 ? 1 : j->runner->detach(j->g, &o, ret, err);
}

/* *ret_doc: the definition without them; NULL = it has none of them. */
static int edit_config(const struct vm_hostdev_job *j, struct vm_hostdev_results *ret, struct vm_xml **ret_doc,
		       struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *was = NULL;
	VM_AUTO(vm_domain_freep) struct vm_domain *d = NULL;
	VM_AUTO(chosen_free) struct chosen c = { 0 };

	if (vm_hostdev_job_read(j, &was, err) < 0 || vm_domain_parse(was, false, &d, err) < 0 ||
	    find_all(j->r, d, NULL, &c, err) < 0)
		return -1;
	if (c.n == 0)
		return 0;
	for (size_t i = 0; ret != NULL && i < c.n; i++)
		vm_hostdev_results_add(ret, c.v[i]);
	return vm_hostdev_cut(was, c.v, c.n, ret_doc, err);
}

static int detach_config(struct vm_hostdev_job *j, struct vm_hostdev_results *ret, struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;

	if (edit_config(j, ret, &doc, err) < 0)
		return -1;
	return doc == NULL ? 1 : vm_hostdev_job_define(j, doc, NULL, NULL, err);
}

/* What its definition becomes waits beside it while the guest is asked. */
static int begin(const struct vm_hostdev_job *j, const struct vm_xml *doc, struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *was = NULL, *whole = NULL;
	VM_AUTO(vm_domain_freep) struct vm_domain *d = NULL;
	const char *text;
	size_t len;

	if (j->r->dry_run)
		return 0;
	if (vm_hostdev_job_read(j, &was, err) < 0 ||
	    vm_domain_complete(doc, was, j->planner->completer, &whole, &d, err) < 0)
		return -1;
	text = vm_xml_text(whole, &len);
	return vm_both_begin(j->g, text, len, err);
}

/* Once the guest was asked, it is to be without them at its next start too, also while it hesitates. */
static int detach_both(struct vm_hostdev_job *j, struct vm_hostdev_results *ret, struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	/* While the guest is waited for somebody else may have settled it, and changed the definition. */
	struct vm_hostdev_request any = *j->r;
	struct vm_hostdev_job rest = *j;
	struct vm_err why = VM_ERR_INIT;
	int live, config;

	any.if_needed = true;
	rest.r = &any;
	/* What cannot be is found out before the guest is asked. */
	if (edit_config(j, NULL, &doc, err) < 0 || (doc != NULL && begin(j, doc, err) < 0))
		return -1;
	live = detach_live(j, ret, err);
	if (live < 0 && err->kind != VM_PENDING) {
		/* One that was asked and has not refused: whoever asks again decides about this, too. */
		if (doc != NULL && j->g->lock >= 0 && vm_record_get(&j->g->record, VM_KEY_UNPLUG) == NULL)
			vm_both_end(j->g);
		return -1;
	}
	if (!j->r->dry_run && j->g->lock < 0 && vm_guest_lock(j->g, vm_deadline_in(LOCK_MS), &why) < 0)
		config = -1;
	else
		config = detach_config(&rest, NULL, &why);
	if (doc != NULL && !j->r->dry_run && j->g->lock >= 0)
		vm_both_end(j->g);
	if (config < 0) {
		*err = why;
		vm_err_wrap(err, "the running guest was asked to let go, but its definition could not be changed");
		err->kind = VM_SYSTEM;
		return vm_err_hint(err, "repeat it with --config");
	}
	if (live < 0)
		return -1;
	return live == 0 || config == 0 ? 0 : 1;
}

int vm_guest_detach(struct vm_host *h, const char *ref, const struct vm_hostdev_request *r,
		    struct vm_hostdev_results *ret, struct vm_err *err)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	struct vm_hostdev_job j = { .host = h, .g = &g, .r = r };

	if (vm_guest_open(&h->state, ref, r->dry_run ? 0 : VM_GUEST_LOCKED, r->deadline, &g, err) < 0 ||
	    vm_hostdev_job_choose(&j, err) < 0)
		return -1;
	if (j.live && j.config)
		return detach_both(&j, ret, err);
	return j.live ? detach_live(&j, ret, err) : detach_config(&j, ret, err);
}
