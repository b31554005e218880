/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * USB devices that are unplugged from the host and plugged in again: they have another number then, so QEMU needs them anew.
 * One that is away is missing in the live document, without rule, node or claim, as one that was not there when it was
 * given; when it comes it takes that one's place, by an attach.
 */
#include "plug.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/log.h>
#include <vm/model.h>
#include <vm/state.h>
#include <vm/xml.h>

#include "guest/attach.h"
#include "host/usb.h"
#include "qemu/qmp/monitor.h"
#include "state/hostdev.h"

#define USB_KEY "usb:"
#define GONE_MS 10000u

/* What stands behind an alias in the record: "usb:1-4.2", "usb:-1-4.2" (it was there), "usb:-", "-"; NULL = nothing. */
static const char *held_as(const struct vm_guest *g, const char *alias)
{
	size_t len = strlen(alias);
	const char *one;

	for (size_t i = 0; (one = vm_record_nth(&g->record, VM_KEY_HOSTDEV, i)) != NULL; i++)
		if (strncmp(one, alias, len) == 0 && one[len] == ' ')
			return one + len + 1;
	return NULL;
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* The port that the guest's device is or was in; NULL = not known. */
static const char *port_of(const struct vm_guest *g, const char *alias)
{
	const char *key = held_as(g, alias);

	if (key == NULL || !begins(key, USB_KEY))
		return NULL;
	key += begins(key, VM_HOSTDEV_MISSING) ? strlen(VM_HOSTDEV_MISSING) : strlen(USB_KEY);
	return *key != 0 ? key : NULL;
}

/* One that was named by its number alone, or by that too, is another one when it has another number. */
static bool is_looked_for(const struct vm_hostdev *h)
{
	const struct vm_hostdev_source *s = h->source;

	return s->vendor != 0 && (s->auto_address == VM_SWITCH_ON || !mt_is_set(&s->obj, VM_HOSTDEV_SOURCE_BUS));
}

static bool same_kind(const struct vm_usb *u, const struct vm_hostdev_source *s)
{
	return s->vendor == 0 || (u->vendor == s->vendor && u->product == s->product && !vm_usb_is_hub(u));
}

static bool is_free(const struct vm_state *s, const struct vm_usb *u)
{
	VM_AUTO_FREE char *key = vm_xasprintf(USB_KEY "%s", u->port);
	VM_AUTO_FREE char *user = NULL;
	struct vm_err ignored = VM_ERR_INIT;

	return vm_hostdev_claimed_by(s, key, &user, &ignored) == 0 && user == NULL;
}

/* A number that was given to another device meanwhile is not its own. */
static bool is_there(const struct vm_guest *g, const struct vm_hostdev *h, const struct vm_usbs *all)
{
	const struct vm_hostdev_source *s = h->source;
	const char *port = port_of(g, h->dev.alias);

	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].bus == s->bus && all->v[i].device == s->device && same_kind(&all->v[i], s) &&
		    (port == NULL || strcmp(all->v[i].port, port) == 0))
			return true;
	return false;
}

/* Where it was, or, if it is the only one of its kind that nobody has, elsewhere.  NULL: it is away. */
static const struct vm_usb *find_again(const struct vm_guest *g, const struct vm_hostdev *h, const struct vm_usbs *all)
{
	const char *port = port_of(g, h->dev.alias);
	const struct vm_usb *only = NULL;
	bool several = false;

	for (size_t i = 0; i < all->n; i++) {
		const struct vm_usb *u = &all->v[i];

		if (!same_kind(u, h->source) || !is_free(g->state, u))
			continue;
		if (port != NULL && strcmp(u->port, port) == 0)
			return u;
		several |= only != NULL;
		only = u;
	}
	return several ? NULL : only;
}

static int take_out(struct vm_guest *g, const char *alias, struct vm_deadline deadline, struct vm_err *err)
{
	struct vm_deadline until = vm_deadline_min(deadline, vm_deadline_in(GONE_MS));
	VM_AUTO(vm_qmp_close) struct vm_qmp *q = NULL;
	int there;

	if (vm_qemu_monitor_open(g, deadline, &q, err) < 0)
		return -1;
	there = vm_plug_there(q, alias, deadline, err);
	if (there > 0 && vm_qmp_call(q, deadline, NULL, err, "device_del", "{s:s}", "id", alias) < 0)
		return -1;
	while (there > 0 && (there = vm_plug_there(q, alias, deadline, err)) > 0) {
		struct vm_qmp_event ev;
		int r = vm_qmp_event_next(q, until, &ev, err);

		if (r < 0)
			return -1;
		if (r > 0)
			return vm_err_set(err, VM_PENDING, "the guest has not released it");
		vm_qmp_event_free(&ev);
	}
	return there;
}

/* Its element of the live document, with the place where it is now. */
static int element_of(const struct vm_xml *doc, struct vm_domain *d, struct vm_hostdev *h, const struct vm_usb *now,
		      char **ret, struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *moved = NULL;
	VM_AUTO(vm_xml_edit_freep) struct vm_xml_edit *edit = vm_xml_edit_new(doc);

	h->source->bus = now->bus;
	mt_assigned(&h->source->obj, VM_HOSTDEV_SOURCE_BUS);
	h->source->device = now->device;
	mt_assigned(&h->source->obj, VM_HOSTDEV_SOURCE_DEVICE);
	h->source->auto_address = VM_SWITCH_ON;
	mt_assigned(&h->source->obj, VM_HOSTDEV_SOURCE_AUTO_ADDRESS);
	mt_splice(&vm_domain_type, d, doc, edit);
	vm_xml_edit_attr_remove(edit, h->dev.obj.node, "missing");
	if (vm_xml_edit_apply(edit, &moved, err) < 0)
		return -1;
	/* What is put in is behind it: it has the number that it had. */
	*ret = vm_xml_element_text(moved, h->dev.obj.node);
	return 0;
}

/* It is missing in the document until QEMU has it anew: whoever finds it so goes on from here. */
static int give_anew(struct vm_guest *g, const struct vm_xml *doc, struct vm_domain *d, struct vm_hostdev *h,
		     const struct vm_usb *now, struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO(vm_hostdev_results_free) struct vm_hostdev_results ignored = VM_HOSTDEV_RESULTS_INIT;
	VM_AUTO_FREE char *text = NULL;
	struct vm_hostdev_elements elements = { .v = &text, .n = 1 };
	const struct vm_plug_options o = { .elements = &elements, .instead = h->dev.alias, .deadline = deadline };

	if (element_of(doc, d, h, now, &text, err) < 0)
		return -1;
	vm_log_step("%s is plugged in, at " USB_KEY "%s: QEMU gets it anew", h->dev.alias, now->port);
	if (take_out(g, h->dev.alias, deadline, err) < 0)
		return -1;
	if (vm_qemu_attach(g, &o, &ignored, err) >= 0)
		return 0;
	vm_log_warning("%s: " USB_KEY "%s, which was plugged in, could not be given to it: %s", g->name, now->port,
		       err->msg);
	return -1;
}

/* 1 = something was done; the document is another one then. */
static int replug_one(struct vm_guest *g, const struct vm_xml *doc, struct vm_domain *d, struct vm_hostdev *h,
		      const struct vm_usbs *all, struct vm_deadline deadline, struct vm_err *err)
{
	const char *key = held_as(g, h->dev.alias);
	const struct vm_usb *now;
	/* killed between the document and the record */
	bool halfway = h->missing == VM_SWITCH_ON && key != NULL && begins(key, USB_KEY) &&
		       !begins(key, VM_HOSTDEV_MISSING);

	if (halfway || (h->missing != VM_SWITCH_ON && !is_there(g, h, all))) {
		vm_log_step("%s is not plugged in any more", h->dev.alias);
		return vm_unplug_missing(g, h->dev.alias, is_looked_for(h), deadline, err) < 0 ? -1 : 1;
	}
	if (h->missing != VM_SWITCH_ON || !is_looked_for(h))
		return 0;
	now = find_again(g, h, all);
	if (now == NULL)
		return 0;
	return give_anew(g, doc, d, h, now, deadline, err) < 0 ? -1 : 1;
}

/* The document is read anew after each.  One that cannot be given does not keep the others, which *at counts. */
static int replug_next(struct vm_guest *g, const struct vm_usbs *all, uint32_t *at, struct vm_deadline deadline,
		       struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	VM_AUTO(vm_domain_freep) struct vm_domain *d = NULL;

	if (vm_xml_load_at(g->run, VM_RUN_LIVE_XML, &doc, err) < 0 || vm_domain_parse(doc, true, &d, err) < 0) {
		*at = UINT32_MAX;
		return -1;
	}
	for (; *at < d->hostdevs.n; ++*at) {
		struct vm_hostdev *h = d->hostdevs.v[*at];
		int r;

		if (h->type != VM_HOSTDEV_TYPE_USB || h->dev.alias == NULL)
			continue;
		r = replug_one(g, doc, d, h, all, deadline, err);
		*at += r < 0;
		if (r != 0)
			return r;
	}
	return 0;
}

static bool exists(const struct vm_guest *g, const char *name)
{
	return faccessat(g->run, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool has_usb(const struct vm_guest *g)
{
	const char *one;

	for (size_t i = 0; (one = vm_record_nth(&g->record, VM_KEY_HOSTDEV, i)) != NULL; i++)
		if (strstr(one, " " USB_KEY) != NULL)
			return true;
	return false;
}

/* Closes what was open for USB devices that are away, and gives QEMU anew what is plugged in again.  1 = there was something. */
static int replug(struct vm_guest *g, struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO(vm_sys_close) struct vm_sys sys = VM_SYS_INIT;
	VM_AUTO(vm_usbs_free) struct vm_usbs all = { 0 };
	struct vm_unread unread = VM_UNREAD_NONE;
	struct vm_err why = VM_ERR_INIT;
	bool failed = false;
	uint32_t at = 0;
	int r, done = 0;

	/* A journal that is to be undone first must not get more of this. */
	if (!has_usb(g) || exists(g, VM_RUN_PLUG) || exists(g, VM_RUN_UNDO_CHANGE))
		return 0;
	if (vm_sys_open(NULL, &sys, err) < 0)
		return -1;
	vm_usbs_read(&sys, &all, &unread);
	/* what cannot be looked at is not away */
	if (vm_unread_fail(&unread, err) < 0)
		return -1;
	while ((r = replug_next(g, &all, &at, deadline, failed ? &why : err)) != 0) {
		done |= r > 0;
		failed |= r < 0;
		/* a step that was interrupted is undone before the next begins */
		if (at == UINT32_MAX || vm_wait_interrupted() || exists(g, VM_RUN_PLUG) || exists(g, VM_RUN_UNDO_CHANGE))
			break;
	}
	return failed ? -1 : done;
}

int vm_qemu_settle(struct vm_guest *g, struct vm_deadline deadline, struct vm_err *err)
{
	int settled = vm_plug_settle(g, deadline, err), again;

	if (settled < 0)
		return -1;
	again = replug(g, deadline, err);
	return again < 0 ? -1 : settled || again;
}
