/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Host devices taken from a running guest: it is asked, and may take its time. */
#include "plug.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/log.h>
#include <vm/model.h>
#include <vm/state.h>
#include <vm/strbuf.h>
#include <vm/xml.h>

#include "guest/attach.h"
#include "guest/hostdev_foreign.h"
#include "qemu/qmp/monitor.h"
#include "state/hostdev.h"

#define AGAIN_MS  500u	 /* a slot whose indicator blinks takes no request */
#define LOCK_MS	  30000u /* for the guest's lock, when it has let go */
#define FIRST_MS  2000u	 /* for a socket that others rarely use */
#define TRIES	  2	 /* again, when the connection to QEMU is of no use any more */

enum progress { ASKED, AGAIN, GONE, REFUSED };
struct leaving {
	const struct vm_hostdev_one *one;
	const struct vm_hostdev *h; /* its */
	enum progress at;
};
struct detach {
	struct vm_guest *g;
	const struct vm_plug_options *o;
	struct vm_xml *doc;
	struct vm_domain *d;
	struct vm_hostdev_list all; /* of d */
	struct leaving *v;
	struct vm_foreign foreign;  /* if others are asked for */
	struct vm_hostdev_one *others; /* of these; owned */
	const char **aliases; /* of v; names borrowed */
	size_t n;
	struct vm_qmp *qmp;
	bool ended; /* QEMU is gone */
};

static void detach_close(struct detach *t)
{
	vm_qmp_close(&t->qmp);
	free(t->v);
	free(t->aliases);
	vm_hostdev_list_free(&t->all);
	vm_foreign_free(&t->foreign);
	free(t->others);
	vm_domain_freep(&t->d);
	vm_xml_freep(&t->doc);
}

/* ---- which ---- */

static bool is_in(const struct detach *t, const struct vm_hostdev *h)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].h == h)
			return true;
	return false;
}

static void add(struct detach *t, const struct vm_hostdev_one *one)
{
	const struct vm_hostdev *h = one->h;

	if (is_in(t, h))
		return;
	t->v = vm_xreallocarray(t->v, t->n + 1, sizeof(*t->v));
	t->aliases = vm_xreallocarray(t->aliases, t->n + 1, sizeof(*t->aliases));
	t->aliases[t->n] = h->dev.alias;
	t->v[t->n++] = (struct leaving){ .one = one, .h = h, .at = vm_hostdev_parked(h) ? GONE : ASKED };
}

/* What no document has, but QEMU. */
static int find_foreign(struct detach *t, struct vm_err *err)
{
	if (t->o->n_others == 0)
		return 0;
	if (vm_plug_foreign(t->g, t->d, t->o->deadline, &t->foreign, err) < 0)
		return vm_err_wrap(err, "see if it has %s", t->o->others[0]);
	t->others = vm_xcalloc(t->o->n_others, sizeof(*t->others));
	for (size_t i = 0; i < t->o->n_others; i++) {
		const struct vm_foreign_one *f = vm_foreign_find(&t->foreign, t->o->others[i]);

		if (f == NULL && t->o->skip)
			continue;
		if (f == NULL) {
			vm_err_set(err, VM_NOT_FOUND, "has no host device %s", t->o->others[i]);
			return vm_err_hint(err, "vm-info %s hostdevs lists those it has", t->g->name);
		}
		if (vm_plug_check_foreign(t->g, f, err) < 0)
			return -1;
		t->others[i].h = &f->h;
		add(t, &t->others[i]);
	}
	return 0;
}

static int find_all(struct detach *t, struct vm_err *err)
{
	if (vm_xml_load_at(t->g->run, VM_RUN_LIVE_XML, &t->doc, err) < 0 ||
	    vm_domain_parse(t->doc, true, &t->d, err) < 0)
		return -1;
	vm_hostdev_list_read(t->d, &t->all);
	for (size_t i = 0; i < t->o->n_aliases; i++) {
		bool found = false;

		for (size_t k = 0; k < t->all.n; k++) {
			const struct vm_hostdev *h = t->all.v[k].h;

			if (h->dev.alias == NULL || strcmp(h->dev.alias, t->o->aliases[i]) != 0)
				continue;
			found = true;
			add(t, &t->all.v[k]);
		}
		if (!found && !t->o->skip)
			return vm_err_set(err, VM_NOT_FOUND, "has no host device %s", t->o->aliases[i]);
	}
	return find_foreign(t, err);
}

/* ---- may it be? ---- */

struct slot {
	const struct detach *t;
	const struct vm_device *dev;
	struct vm_strbuf others;
};

/* Those that stay. */
static int same_slot(enum vm_device_family family, struct vm_device *dev, void *arg)
{
	struct slot *s = arg;
	const struct vm_device *mine = s->dev;

	(void)family;
	if (dev->alias == NULL || !vm_device_has_address(dev, VM_ADDRESS_PCI) ||
	    dev->address->domain != mine->address->domain || dev->address->bus != mine->address->bus ||
	    dev->address->slot != mine->address->slot)
		return 0;
	for (size_t i = 0; i < s->t->n; i++)
		if (strcmp(s->t->aliases[i], dev->alias) == 0)
			return 0;
	vm_strbuf_printf(&s->others, " %s", dev->alias);
	return 0;
}

/* The guest has a switch for all of a slot. */
static int check_slot(const struct detach *t, const struct vm_hostdev *h, const char *name, struct vm_err *err)
{
	struct slot slot = { .t = t, .dev = &h->dev, .others = VM_STRBUF_INIT };
	int r = 0;

	vm_domain_each_device(t->d, same_slot, &slot);
	if (slot.others.len > 0) {
		r = vm_err_set(err, VM_IN_USE, "cannot take %s back: other functions of its slot of the guest cannot go alone",
			       name);
		vm_err_hint(err, "take all of them at once: %s and%s", h->dev.alias, slot.others.text);
	}
	vm_strbuf_free(&slot.others);
	return r;
}

static int sits_fast(const char *name, struct vm_err *err)
{
	vm_err_set(err, VM_IN_USE, "cannot take %s back: it sits where nothing can be unplugged while the guest runs", name);
	return vm_err_hint(err, "--config takes it away for the next start");
}

static int check_one(const struct detach *t, const struct leaving *l, struct vm_err *err)
{
	const struct vm_hostdev *h = l->h;
	VM_AUTO_FREE char *name = vm_hostdev_source_text(h);
	const struct vm_controller *c;

	if (l->one->disk != NULL && !vm_plug_fits(l->one->disk))
		return sits_fast(name, err);
	if (vm_hostdev_parked(h) || !vm_device_has_address(&h->dev, VM_ADDRESS_PCI))
		return 0;
	c = vm_controller_find(t->d, VM_CONTROLLER_PCI, h->dev.address->bus);
	if (c != NULL && (c->model == VM_PCIE_ROOT || c->hotplug == VM_SWITCH_OFF))
		return sits_fast(name, err);
	return check_slot(t, h, name, err);
}

/* ---- asking ---- */

static int connect(struct detach *t, struct vm_err *err)
{
	struct vm_deadline first = vm_deadline_min(t->o->deadline, vm_deadline_in(FIRST_MS));
	struct vm_err ignored = VM_ERR_INIT;

	/* This connection stays open while the guest is waited for: not the one that everybody tries first. */
	if (vm_qmp_connect(t->g->run, VM_RUN_SPARE, first, &t->qmp, &ignored) == 0)
		return 0;
	return vm_qemu_monitor_open(t->g, t->o->deadline, &t->qmp, err);
}

/* Source: qdev_unplug() and device_del of QEMU 7.2: classes and texts. */
static int ask_one(struct detach *t, struct leaving *l, struct vm_err *err)
{
	const char *refused;

	vm_log_step("QMP device_del %s", l->h->dev.alias);
	if (vm_qmp_call(t->qmp, t->o->deadline, NULL, err, "device_del", "{s:s}", "id", l->h->dev.alias) == 0) {
		l->at = ASKED;
		return 0;
	}
	refused = vm_qmp_refused(t->qmp);
	if (refused == NULL)
		return -1;
	if (strcmp(refused, "DeviceNotFound") == 0) {
		l->at = GONE;
	} else if (strstr(err->msg, "in the process of unplug") != NULL) {
		l->at = ASKED;
	} else if (strstr(err->msg, "busy") != NULL) {
		l->at = AGAIN;
	} else {
		l->at = REFUSED;
		return vm_err_wrap(err, "QEMU refuses to take %s out", l->h->dev.alias);
	}
	*err = VM_ERR_INIT;
	return 0;
}

static bool is_about(const json_t *data, const char *alias)
{
	const char *device = json_string_value(json_object_get(data, "device"));
	const char *path = json_string_value(json_object_get(data, "path"));
	VM_AUTO_FREE char *whole = vm_xasprintf("/machine/peripheral/%s", alias);

	return device != NULL ? strcmp(device, alias) == 0 : path != NULL && strcmp(path, whole) == 0;
}

static void on_event(struct detach *t, const struct vm_qmp_event *ev)
{
	bool deleted = strcmp(ev->name, "DEVICE_DELETED") == 0;

	if (!deleted && strcmp(ev->name, "DEVICE_UNPLUG_GUEST_ERROR") != 0)
		return;
	for (size_t i = 0; i < t->n; i++) {
		/* Parts of a device are told of by their path alone. */
		if (!is_about(ev->data, t->aliases[i]) ||
		    (deleted && json_object_get(ev->data, "device") == NULL))
			continue;
		t->v[i].at = deleted ? GONE : REFUSED;
	}
}

static bool waits(const struct detach *t, bool again)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].at == AGAIN || (!again && t->v[i].at == ASKED))
			return true;
	return false;
}

static int wait_all(struct detach *t, struct vm_deadline until, struct vm_err *err)
{
	while (waits(t, false) && !vm_deadline_passed(until)) {
		bool again = waits(t, true);
		struct vm_qmp_event ev;
		int r = vm_qmp_event_next(t->qmp, again ? vm_deadline_min(until, vm_deadline_in(AGAIN_MS)) : until, &ev,
					  err);

		if (r < 0)
			return -1;
		if (r == 0) {
			on_event(t, &ev);
			vm_qmp_event_free(&ev);
			continue;
		}
		for (size_t i = 0; i < t->n; i++)
			if (t->v[i].at == AGAIN && ask_one(t, &t->v[i], err) < 0)
				return -1;
	}
	return 0;
}

/* A guest that ends while it is asked has let go of everything. */
static int check_ended(struct detach *t, struct vm_err *err)
{
	if (!vm_plug_ended(t->g, err))
		return -1;
	*err = VM_ERR_INIT;
	t->ended = true;
	return 0;
}

/* 1 = QEMU refuses. */
static int try_once(struct detach *t, struct vm_deadline until, struct vm_err *err)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].at == ASKED && ask_one(t, &t->v[i], err) < 0)
			return vm_qmp_refused(t->qmp) != NULL ? 1 : -1;
	if (!waits(t, false))
		return 0;
	/* The mark is in the record: whoever has the lock may go on with it. */
	vm_guest_unlock(t->g);
	if (wait_all(t, until, err) == 0)
		return 0;
	return vm_qmp_refused(t->qmp) != NULL ? 1 : -1;
}

/* Asking twice does no harm, and tells what became of the first time: where an answer was lost it is asked again. */
static int ask_and_wait(struct detach *t, struct vm_err *err)
{
	struct vm_deadline until = vm_deadline_in(t->o->wait_ms);

	for (unsigned n = 0;; n++) {
		struct vm_err why = VM_ERR_INIT;
		int r = try_once(t, until, err);

		if (r >= 0 || check_ended(t, err) == 0)
			return r > 0 ? -1 : 0;
		if (n == TRIES || vm_wait_interrupted())
			return -1;
		vm_qmp_close(&t->qmp);
		if (connect(t, &why) < 0)
			return -1;
		vm_log_step("QEMU's answer was lost (%s): it is asked again", err->msg);
		*err = VM_ERR_INIT;
	}
}

/* ---- what came of it ---- */

/* With the lock. */
static int conclude(struct detach *t, struct vm_err *err)
{
	VM_AUTO_FREE const char **gone = vm_xcalloc(t->n + 1, sizeof(*gone));
	VM_AUTO_FREE const char **stay = vm_xcalloc(t->n + 1, sizeof(*stay));
	size_t n_gone = 0, n_stay = 0;

	for (size_t i = 0; i < t->n; i++) {
		/* Somebody else may have been quicker. */
		if (t->v[i].at == GONE && vm_record_has(&t->g->record, VM_KEY_UNPLUG, t->aliases[i]))
			gone[n_gone++] = t->aliases[i];
		if (t->v[i].at == REFUSED)
			stay[n_stay++] = t->aliases[i];
	}
	if (n_gone > 0 && vm_unplug_finish(t->g, gone, n_gone, vm_deadline_in(LOCK_MS), err) < 0)
		return -1;
	return n_stay > 0 ? vm_unplug_mark(t->g, stay, n_stay, false, err) : 0;
}

static int report(const struct detach *t, struct vm_hostdev_results *ret, struct vm_err *err)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->ended || t->v[i].at == GONE)
			vm_hostdev_results_add(ret, t->v[i].h);
	for (size_t i = 0; !t->ended && i < t->n; i++) {
		VM_AUTO_FREE char *name = vm_hostdev_source_text(t->v[i].h);

		if (t->v[i].at == REFUSED)
			return vm_err_set(err, VM_HYPERVISOR, "the guest refuses to release %s", name);
		if (t->v[i].at == GONE)
			continue;
		vm_err_set(err, VM_PENDING, "the guest has not released %s yet", name);
		return vm_err_hint(err, "it is given back when it does; vm-wait --device-gone=%s %s waits for that",
				   t->aliases[i], t->g->name);
	}
	return 0;
}

static void name_nodes(const struct detach *t, const struct vm_hostdev_one *one)
{
	VM_AUTO(vm_argv_free) struct vm_argv nodes = VM_ARGV_INIT;
	char node[VM_PLUG_NODE_SIZE];

	vm_plug_nodes_of(t->d, one, &nodes);
	for (size_t k = nodes.n; k >= 2; k -= 2)
		if (vm_plug_node_name(&nodes, k - 2, node))
			vm_log_step("QMP blockdev-del {\"node-name\":\"%s\"}", node);
}

static int name_steps(const struct detach *t, struct vm_err *err)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].at != GONE)
			vm_log_step("QMP device_del {\"id\":\"%s\"}", t->aliases[i]);
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].at != GONE)
			vm_log_step("wait until the guest has released %s", t->aliases[i]);
	for (size_t i = 0; i < t->n; i++)
		name_nodes(t, t->v[i].one);
	return vm_unplug_name(t->g, t->aliases, t->n, err);
}

int vm_qemu_detach(struct vm_guest *g, const struct vm_plug_options *o, struct vm_hostdev_results *ret,
		   struct vm_err *err)
{
	VM_AUTO(detach_close) struct detach t = { .g = g, .o = o };
	struct vm_err why = VM_ERR_INIT;
	bool asks = false;
	int r;

	if (find_all(&t, err) < 0)
		return -1;
	for (size_t i = 0; i < t.n; i++) {
		if (check_one(&t, &t.v[i], err) < 0)
			return -1;
		asks |= t.v[i].at != GONE;
	}
	if (t.n == 0)
		return 1;
	if (o->dry_run) {
		for (size_t i = 0; i < t.n; i++)
			vm_hostdev_results_add(ret, t.v[i].h);
		return name_steps(&t, err);
	}
	if ((asks && connect(&t, err) < 0) || vm_unplug_mark(g, t.aliases, t.n, true, err) < 0)
		return -1;
	r = asks ? ask_and_wait(&t, err) : 0;
	vm_qmp_close(&t.qmp);
	if (g->lock < 0 && vm_guest_lock(g, vm_deadline_in(LOCK_MS), r < 0 ? &why : err) < 0)
		return -1;
	if (t.ended)
		r = vm_guest_reconcile(g, vm_deadline_in(LOCK_MS), err) < 0 ? -1 : 0;
	else if (conclude(&t, r < 0 ? &why : err) < 0)
		r = -1;
	return r < 0 ? -1 : report(&t, ret, err);
}
