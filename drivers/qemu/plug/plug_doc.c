/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a running guest becomes with more host devices: document, addresses, names, and what QEMU is told. */
#include "plug.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/json.h>
#include <vm/model.h>
#include <vm/state.h>
#include <vm/xml.h>

#include "qemu/caps/caps.h"
#include "guest/attach.h"
#include "hostdev.h"
#include "qemu/lifecycle.h"
#include "qemu/plan/plan.h"

#define ALIAS_STEM "hostdev"

/* One more than the highest that is in use: a number that is free again may still be on its way out. */
static unsigned next_number(const struct vm_domain *d)
{
	struct vm_hostdev_iter i = { 0 };
	const struct vm_hostdev *h;
	unsigned next = 0, n;

	while ((h = vm_hostdev_next(d, &i)) != NULL)
		if (h->dev.alias != NULL && sscanf(h->dev.alias, ALIAS_STEM "%u", &n) == 1 && n >= next)
			next = n + 1;
	return next;
}

static int alias_taken(enum vm_device_family family, struct vm_device *dev, void *arg)
{
	const struct vm_device *mine = arg;

	(void)family;
	return dev != mine && dev->alias != NULL && strcmp(dev->alias, mine->alias) == 0;
}

static void find_hostdev(struct vm_plug_device *v)
{
	if (v->disk != NULL)
		v->h = vm_hostdev_of_disk(v->disk, &v->store);
	else if (v->interface != NULL)
		v->h = vm_hostdev_of_interface(v->interface, &v->store);
}

static int name_devices(struct vm_plug *p, struct vm_err *err)
{
	unsigned next = next_number(p->was);

	for (size_t i = 0; i < p->n; i++) {
		struct vm_plug_device *v = &p->v[i];
		struct vm_device *dev = v->dev;

		if (v->disk != NULL || dev->alias == NULL) {
			char *alias = v->disk != NULL ? vm_qemu_alias(p->d, VM_FAMILY_DISK, dev)
						      : vm_xasprintf(ALIAS_STEM "%u", next++);

			free(dev->alias);
			dev->alias = alias;
			mt_assigned(&dev->obj, VM_DEVICE_ALIAS);
		}
		if (vm_domain_each_device(p->d, alias_taken, dev))
			return vm_err_set(err, VM_IN_USE, "has a device with the alias %s already", dev->alias);
		find_hostdev(v);
	}
	return 0;
}

static struct vm_plug_device *collect_one(struct vm_plug *p, struct vm_device *dev)
{
	struct vm_plug_device *v = &p->v[p->n++];

	*v = (struct vm_plug_device){ .dev = dev, .group = VM_NO_GROUP, .argv = VM_ARGV_INIT, .fd = -1 };
	return v;
}

/* The new ones are behind those that were there. */
static void collect(struct vm_plug *p)
{
	uint32_t hostdevs = p->was->hostdevs.n, interfaces = p->was->interfaces.n;
	uint64_t number = vm_qemu_next_number(p->was);

	p->v = vm_xcalloc((size_t)p->d->disks.n - p->was->disks.n + p->d->hostdevs.n - hostdevs + p->d->interfaces.n -
				  interfaces + 1, sizeof(*p->v));
	for (uint32_t i = p->was->disks.n; i < p->d->disks.n; i++) {
		struct vm_disk *disk = p->d->disks.v[i];
		struct vm_plug_device *v = collect_one(p, &disk->dev);

		number += vm_disk_set_index(disk, number);
		v->disk = disk;
		find_hostdev(v);
	}
	for (uint32_t i = interfaces; i < p->d->interfaces.n; i++) {
		struct vm_interface *f = p->d->interfaces.v[i];
		struct vm_plug_device *v = collect_one(p, &f->dev);

		v->interface = f;
		find_hostdev(v);
	}
	for (uint32_t i = hostdevs; i < p->d->hostdevs.n; i++) {
		struct vm_hostdev *h = p->d->hostdevs.v[i];

		collect_one(p, &h->dev)->h = h;
	}
}

static int write_down(struct vm_plug *p, struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	VM_AUTO(vm_xml_edit_freep) struct vm_xml_edit *edit = vm_xml_edit_new(p->doc);

	mt_splice(&vm_domain_type, p->d, p->doc, edit);
	if (vm_xml_edit_apply(edit, &doc, err) < 0)
		return -1;
	vm_xml_free(p->doc);
	p->doc = vm_take_ptr(&doc);
	return 0;
}

/* A port is part of the machine: it cannot be added to one that runs. */
static int check_controllers(const struct vm_plug *p, struct vm_err *err)
{
	const struct vm_controller *c;

	if (p->d->controllers.n == p->was->controllers.n)
		return 0;
	c = p->d->controllers.v[p->was->controllers.n];
	if (c->kind == VM_CONTROLLER_PCI) {
		vm_err_set(err, VM_IN_USE, "has no free PCI slot that a device could be plugged into while it runs");
		return vm_err_hint(err, "add <controller type='pci' model='pcie-root-port'/> with vm-edit, for its next start");
	}
	vm_err_set(err, VM_IN_USE, "has no %s controller, and one cannot be added while it runs",
		   vm_controller_kind_words[c->kind]);
	return vm_err_hint(err, "--config gives it the device, and the controller, at its next start");
}

/* Without the one that gives way. */
static int load_document(const struct vm_plug *p, struct vm_xml **ret, struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	VM_AUTO(vm_domain_freep) struct vm_domain *d = NULL;

	if (vm_xml_load_at(p->g->run, VM_RUN_LIVE_XML, &doc, err) < 0)
		return -1;
	if (p->o->instead != NULL && vm_domain_parse(doc, true, &d, err) < 0)
		return -1;
	for (uint32_t i = 0; d != NULL && i < d->hostdevs.n; i++) {
		const struct vm_hostdev *h = d->hostdevs.v[i];

		if (h->dev.alias != NULL && strcmp(h->dev.alias, p->o->instead) == 0)
			return vm_hostdev_cut(doc, &h, 1, ret, err);
	}
	*ret = vm_take_ptr(&doc);
	return 0;
}

int vm_plug_document(struct vm_plug *p, struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *was = NULL, *with = NULL;
	VM_AUTO(vm_domain_freep) struct vm_domain *complete = NULL;
	size_t added;

	if (load_document(p, &was, err) < 0 || vm_domain_parse(was, true, &p->was, err) < 0 ||
	    vm_hostdev_insert(was, true, p->o->elements, p->o->skip, &with, &added, err) < 0)
		return -1;
	if (added == 0)
		return 1;
	if (vm_domain_complete(with, NULL, &vm_qemu_completer, &p->doc, &complete, err) < 0 ||
	    vm_domain_parse(p->doc, true, &p->d, err) < 0 || check_controllers(p, err) < 0)
		return -1;
	collect(p);
	if (name_devices(p, err) < 0 || vm_hostdevs_resolve(p->d, p->was->hostdevs.n, false, err) < 0)
		return -1;
	for (size_t i = 0; i < p->n; i++)
		p->v[i].name = vm_hostdev_source_text(p->v[i].h);
	return write_down(p, err);
}

/* ---- may it be? ---- */

static int check_place(const struct vm_plug *p, const struct vm_plug_device *v, struct vm_err *err)
{
	const struct vm_controller *c;
	const struct vm_address *a = v->h->dev.address;

	if (!vm_hostdev_on_pci(v->h) || !vm_device_has_address(&v->h->dev, VM_ADDRESS_PCI))
		return 0;
	c = vm_controller_find(p->d, VM_CONTROLLER_PCI, a->bus);
	if (c != NULL && c->model != VM_PCIE_ROOT && c->hotplug != VM_SWITCH_OFF)
		return 0;
	vm_err_set(err, VM_IN_USE, "cannot assign %s: nothing can be plugged into bus %llu of the guest while it runs",
		   v->name, (unsigned long long)a->bus);
	return vm_err_hint(err, "choose another --address, or give it at the next start with --config");
}

bool vm_plug_fits(const struct vm_disk *disk)
{
	static const bool buses[] = { [VM_BUS_VIRTIO] = true, [VM_BUS_SCSI] = true, [VM_BUS_USB] = true };

	return (size_t)disk->bus < VM_COUNT(buses) && buses[disk->bus];
}

static int check_kind(const struct vm_plug_device *v, struct vm_err *err)
{
	const struct vm_hostdev *h = v->h;

	if (v->disk != NULL && !vm_plug_fits(v->disk)) {
		vm_err_set(err, VM_UNSUPPORTED, "cannot assign %s: a disk of bus '%s' cannot be plugged in while the guest runs",
			   v->name, vm_disk_bus_words[v->disk->bus]);
		return vm_err_hint(err, "choose bus 'virtio', 'scsi' or 'usb', or --config, which gives it at the next start");
	}

	if (h->type == VM_HOSTDEV_TYPE_MDEV && h->ramfb == VM_SWITCH_ON) {
		vm_err_set(err, VM_UNSUPPORTED, "cannot assign %s: a device with ramfb='on' cannot be plugged in while the guest runs",
			   v->name);
		return vm_err_hint(err, "--config gives it at the next start");
	}
	return 0;
}

static int look(struct vm_plug *p, struct vm_err *err)
{
	VM_AUTO_FREE const struct vm_hostdev **all = vm_xcalloc(p->n + 1, sizeof(*all));

	for (size_t i = 0; i < p->n; i++)
		all[i] = p->v[i].h;
	vm_hostdev_view_free(&p->view);
	return vm_hostdevs_look(p->g->state, all, p->n, &p->view, err);
}

/* One that was taken out and plugged in again: what the guest has of it is of no use, but is there. */
static int check_again(const struct vm_plug *p, const struct vm_plug_device *v, struct vm_err *err)
{
	const char *one;

	if (v->h->type != VM_HOSTDEV_TYPE_USB || v->key == NULL)
		return 0;
	for (size_t i = 0; (one = vm_record_nth(&p->g->record, VM_KEY_HOSTDEV, i)) != NULL; i++) {
		int len = (int)strcspn(one, " ");

		if (one[len] == 0 || strcmp(one + len + 1, v->key) != 0)
			continue;
		vm_err_set(err, VM_IN_USE, "has %s as %.*s, from before it was plugged in again", v->key, len, one);
		return vm_err_hint(err, "vm-detach-hostdev %s %.*s first", p->g->name, len, one);
	}
	return 0;
}

int vm_plug_check(struct vm_plug *p, struct vm_err *err)
{
	if (look(p, err) < 0)
		return -1;
	for (size_t i = 0; i < p->n; i++) {
		struct vm_plug_device *v = &p->v[i];
		const struct vm_hostdev_item *item;

		if (check_place(p, v, err) < 0 || check_kind(v, err) < 0 ||
		    vm_hostdevs_may(p->d, v->h, &p->view, p->g->name, p->o->force, err) < 0)
			return -1;
		free(v->key);
		v->key = vm_hostdev_key(v->h, &p->view);
		if (check_again(p, v, err) < 0)
			return -1;
		if (v->h->type == VM_HOSTDEV_TYPE_PCI) {
			if (vm_hostdev_view_find(&p->view, v->name, &item, err) < 0)
				return -1;
			v->group = item->group;
		}
	}
	return 0;
}

/* ---- in QEMU's words ---- */

/* What is not said here QEMU says when it is asked. */
static const struct {
	const char *option, *driver; /* NULL: any */
	const char *what;	     /* and the driver */
} needs[] = {
	{ "-device", NULL, "type:" },
	{ "-blockdev", "nvme", "schema:blockdev-" },
};

static int check_able(const struct vm_plug *p, const struct vm_argv *a, struct vm_err *err)
{
	for (size_t i = 0; i + 1 < a->n; i += 2) {
		char driver[80], what[128];

		if (!vm_json_string(vm_json_find(a->v[i + 1], strlen(a->v[i + 1]), "driver"), driver, sizeof(driver)))
			continue;
		for (size_t k = 0; k < VM_COUNT(needs); k++) {
			if (strcmp(a->v[i], needs[k].option) != 0 ||
			    (needs[k].driver != NULL && strcmp(driver, needs[k].driver) != 0))
				continue;
			snprintf(what, sizeof(what), "%s%s", needs[k].what, driver);
			if (vm_qemu_caps_need(p->caps, what, err) < 0)
				return -1;
		}
	}
	return 0;
}

static void plan_one(struct vm_plan *plan, const struct vm_plug_device *v)
{
	bool ordered = plan->ordered;

	if (vm_hostdev_parked(v->h))
		return;
	if (v->disk == NULL) {
		vm_plan_one_hostdev(plan, v->h, v->interface);
		return;
	}
	/* <os><boot> was for those that were there */
	plan->ordered = true;
	vm_plan_one_disk(plan, v->disk);
	plan->ordered = ordered;
}

void vm_plug_nodes_of(const struct vm_domain *d, const struct vm_hostdev_one *one, struct vm_argv *ret)
{
	const struct vm_qemu_env env = { .named_fds = true };
	struct vm_plan plan = { .d = d, .ctx = { .root = d, .live = true }, .env = &env, .a = ret, .disks = vm_disks_of(d) };

	*ret = VM_ARGV_INIT;
	vm_plan_hostdev_nodes(&plan, one);
	free(plan.disks);
}

int vm_plug_words(struct vm_plug *p, struct vm_err *err)
{
	VM_AUTO(vm_hostdev_nodes_free) struct vm_hostdev_nodes nodes = { 0 };
	struct vm_qemu_env env = { .named_fds = true };
	struct vm_plan plan = {
		.d = p->d,
		.ctx = { .doc = p->doc, .root = p->d, .live = true },
		.env = &env,
		.ordered = vm_plan_is_ordered(p->d),
	};
	int r = 0;

	if (p->caps == NULL && vm_qemu_caps_load(p->g->run, VM_KEY_RUN_CAPS, &p->caps, err) < 0)
		return -1;
	env.caps = p->caps;
	if (vm_hostdev_nodes_read(p->d, &nodes, err) < 0)
		return -1;
	env.hostdev_nodes = (const char *const *)nodes.v;
	plan.disks = vm_disks_of(p->d);
	r = vm_plan_hostdevs_check(&plan, err);
	for (size_t i = 0; r == 0 && i < p->n; i++) {
		plan.a = &p->v[i].argv;
		plan_one(&plan, &p->v[i]);
		r = check_able(p, plan.a, err);
	}
	free(plan.disks);
	return r;
}
