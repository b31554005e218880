/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* USB devices that were unplugged from the host and plugged in again: they have another number, so QEMU needs them anew. */
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

/* The port that the record says the guest's device was in; NULL = not known. */
static const char *port_of(const struct vm_guest *g, const char *alias)
{
	size_t len = strlen(alias);
	const char *one;

	for (size_t i = 0; (one = vm_record_nth(&g->record, VM_KEY_HOSTDEV, i)) != NULL; i++)
		if (strncmp(one, alias, len) == 0 && strncmp(one + len, " " USB_KEY, sizeof(USB_KEY)) == 0)
			return one + len + sizeof(USB_KEY);
	return NULL;
}

static bool same_kind(const struct vm_usb *u, const struct vm_hostdev_source *s)
{
	return u->vendor == s->vendor && u->product == s->product && !vm_usb_is_hub(u);
}

static bool is_free(const struct vm_state *s, const struct vm_usb *u)
{
	VM_AUTO_FREE char *key = vm_xasprintf(USB_KEY "%s", u->port);
	VM_AUTO_FREE char *user = NULL;
	struct vm_err ignored = VM_ERR_INIT;

	return vm_hostdev_claimed_by(s, key, &user, &ignored) == 0 && user == NULL;
}

/* Where it was, or, if it is the only one of its kind that nobody has, elsewhere.  NULL: it is where it was, or away. */
static const struct vm_usb *find_again(const struct vm_guest *g, const struct vm_hostdev *h, const struct vm_usbs *all)
{
	const struct vm_hostdev_source *s = h->source;
	const char *port = port_of(g, h->dev.alias);
	const struct vm_usb *only = NULL;
	bool several = false;

	for (size_t i = 0; h->missing != VM_SWITCH_ON && i < all->n; i++)
		if (all->v[i].bus == s->bus && all->v[i].device == s->device && same_kind(&all->v[i], s))
			return NULL;
	for (size_t i = 0; i < all->n; i++) {
		const struct vm_usb *u = &all->v[i];

		if (!same_kind(u, s))
			continue;
		if (port != NULL && strcmp(u->port, port) == 0)
			return u;
		if (!is_free(g->state, u))
			continue;
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

	if (vm_qemu_monitor_open(g, deadline, &q, err) < 0 ||
	    vm_qmp_call(q, deadline, NULL, err, "device_del", "{s:s}", "id", alias) < 0)
		return -1;
	while ((there = vm_plug_there(q, alias, deadline, err)) > 0) {
		struct vm_qmp_event ev;
		int r = vm_qmp_event_next(q, until, &ev, err);

		if (r < 0)
			return -1;
		if (r > 0)
			return vm_err_set(err, VM_PENDING, "the guest has not released it");
		vm_qmp_event_free(&ev);
	}
	return there < 0 ? -1 : vm_unplug_finish(g, &alias, 1, deadline, err);
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
	if (h->missing == VM_SWITCH_ON)
		vm_xml_edit_attr_remove(edit, h->dev.obj.node, "missing");
	if (vm_xml_edit_apply(edit, &moved, err) < 0)
		return -1;
	/* What is put in is behind it: it has the number that it had. */
	*ret = vm_xml_element_text(moved, h->dev.obj.node);
	return 0;
}

static int replug_one(struct vm_guest *g, const struct vm_xml *doc, struct vm_domain *d, struct vm_hostdev *h,
		      const struct vm_usb *now, struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO(vm_hostdev_results_free) struct vm_hostdev_results ignored = VM_HOSTDEV_RESULTS_INIT;
	VM_AUTO_FREE char *text = NULL;
	struct vm_hostdev_elements elements = { .v = &text, .n = 1 };
	const struct vm_plug_options o = { .elements = &elements, .deadline = deadline };

	if (element_of(doc, d, h, now, &text, err) < 0)
		return -1;
	vm_log_step("%s was plugged in again, at " USB_KEY "%s: QEMU gets it anew", h->dev.alias, now->port);
	if (take_out(g, h->dev.alias, deadline, err) < 0)
		return -1;
	if (vm_qemu_attach(g, &o, &ignored, err) >= 0)
		return 0;
	vm_log_warning("%s: " USB_KEY "%s, which was plugged in again, could not be given to it: %s", g->name,
		       now->port, err->msg);
	return -1;
}

/* Another one may be behind it: the document is read anew after each. */
static int replug_next(struct vm_guest *g, const struct vm_usbs *all, struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	VM_AUTO(vm_domain_freep) struct vm_domain *d = NULL;

	if (vm_xml_load_at(g->run, VM_RUN_LIVE_XML, &doc, err) < 0 || vm_domain_parse(doc, true, &d, err) < 0)
		return -1;
	for (uint32_t i = 0; i < d->hostdevs.n; i++) {
		struct vm_hostdev *h = d->hostdevs.v[i];
		const struct vm_usb *now;

		/* One that was named by its number alone is another one now. */
		if (h->type != VM_HOSTDEV_TYPE_USB || h->dev.alias == NULL || h->source->vendor == 0 ||
		    (h->source->auto_address != VM_SWITCH_ON && h->missing != VM_SWITCH_ON))
			continue;
		now = find_again(g, h, all);
		if (now != NULL)
			return replug_one(g, doc, d, h, now, deadline, err) < 0 ? -1 : 1;
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

/* Gives QEMU anew what is plugged into the host at another place, or has another number there, than when it was given.
 * 1 = there was something. */
static int replug(struct vm_guest *g, struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO(vm_sys_close) struct vm_sys sys = VM_SYS_INIT;
	VM_AUTO(vm_usbs_free) struct vm_usbs all = { 0 };
	struct vm_unread unread = VM_UNREAD_NONE;
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
	while ((r = replug_next(g, &all, deadline, err)) > 0)
		done = 1;
	return r < 0 ? -1 : done;
}

int vm_qemu_settle(struct vm_guest *g, struct vm_deadline deadline, struct vm_err *err)
{
	int settled = vm_plug_settle(g, deadline, err), again;

	if (settled < 0)
		return -1;
	again = replug(g, deadline, err);
	return again < 0 ? -1 : settled || again;
}
