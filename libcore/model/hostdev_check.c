/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Host devices of one guest beside each other. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "domain.h"
#include "rows.h"

static bool same_controller(const struct vm_disk *x, const struct vm_disk *y)
{
	const struct vm_disk_source *a = x->source, *b = y->source;

	return a->domain == b->domain && a->bus == b->bus && a->slot == b->slot && a->function == b->function;
}

static bool is_nvme(const struct vm_disk *disk)
{
	return disk->type == VM_DISK_NVME && disk->source != NULL;
}

const struct vm_hostdev *vm_hostdev_of_disk(const struct vm_disk *disk, struct vm_hostdev_iter *store)
{
	const struct vm_disk_source *s = disk->source;

	store->disk = disk;
	store->source = (struct vm_hostdev_source){ .obj.node = s->obj.node,
						    .domain = s->domain,
						    .bus = s->bus,
						    .slot = s->slot,
						    .function = s->function,
						    .namespace = s->namespace };
	store->inner = (struct vm_hostdev){ .dev = disk->dev, .type = VM_HOSTDEV_TYPE_PCI, .managed = s->managed,
					    .source = &store->source, .iommufd = VM_SWITCH_OFF };
	return &store->inner;
}

const struct vm_hostdev *vm_hostdev_of_interface(const struct vm_interface *f, struct vm_hostdev_iter *store)
{
	store->interface = f;
	store->inner = (struct vm_hostdev){ .dev = f->dev,
					    .type = VM_HOSTDEV_TYPE_PCI,
					    .managed = f->managed,
					    .source = f->pci,
					    .teaming = f->teaming };
	return &store->inner;
}

const struct vm_hostdev *vm_hostdev_next(const struct vm_domain *d, struct vm_hostdev_iter *iter)
{
	uint32_t first = d->disks.n, second = first + d->interfaces.n;

	iter->disk = NULL;
	iter->interface = NULL;
	while (iter->at < first) {
		const struct vm_disk *disk = d->disks.v[iter->at++];

		if (is_nvme(disk))
			return vm_hostdev_of_disk(disk, iter);
	}
	while (iter->at < second) {
		const struct vm_interface *f = d->interfaces.v[iter->at++ - first];

		if (f->kind == VM_INTERFACE_HOSTDEV && f->pci != NULL)
			return vm_hostdev_of_interface(f, iter);
	}
	return iter->at - second < d->hostdevs.n ? d->hostdevs.v[iter->at++ - second] : NULL;
}

void vm_hostdev_list_read(const struct vm_domain *d, struct vm_hostdev_list *ret)
{
	struct vm_hostdev_iter i = { 0 };
	const struct vm_hostdev *h;

	*ret = (struct vm_hostdev_list){
		.v = vm_xcalloc((size_t)d->disks.n + d->interfaces.n + d->hostdevs.n + 1, sizeof(*ret->v)),
	};
	while ((h = vm_hostdev_next(d, &i)) != NULL) {
		struct vm_hostdev_one *one = &ret->v[ret->n++];

		one->disk = i.disk;
		one->interface = i.interface;
		one->h = i.disk != NULL	       ? vm_hostdev_of_disk(i.disk, &one->store)
			 : i.interface != NULL ? vm_hostdev_of_interface(i.interface, &one->store)
					       : h;
	}
}

void vm_hostdev_list_free(struct vm_hostdev_list *l)
{
	free(l->v);
	*l = VM_HOSTDEV_LIST_INIT;
}

bool vm_domain_has_hostdevs(const struct vm_domain *d)
{
	struct vm_hostdev_iter iter = { 0 };

	return vm_hostdev_next(d, &iter) != NULL;
}

bool vm_hostdev_iommufd(const struct vm_domain *d, const struct vm_hostdev *h)
{
	return h->type == VM_HOSTDEV_TYPE_PCI &&
	       (h->iommufd != VM_SWITCH_ABSENT ? h->iommufd == VM_SWITCH_ON : d->iommufd == VM_SWITCH_ON);
}

bool vm_domain_has_pci(const struct vm_domain *d)
{
	struct vm_hostdev_iter iter = { 0 };
	const struct vm_hostdev *h;

	while ((h = vm_hostdev_next(d, &iter)) != NULL)
		if (h->type == VM_HOSTDEV_TYPE_PCI && iter.disk == NULL)
			return true;
	return false;
}

bool vm_domain_has_iommufd(const struct vm_domain *d)
{
	struct vm_hostdev_iter iter = { 0 };
	const struct vm_hostdev *h;

	/* devices may come later, which are to find it */
	if (d->iommufd == VM_SWITCH_ON)
		return true;
	while ((h = vm_hostdev_next(d, &iter)) != NULL)
		if (vm_hostdev_iommufd(d, h))
			return true;
	return false;
}

static bool same_pci(const struct vm_hostdev_source *a, const struct vm_hostdev_source *b)
{
	return a->domain == b->domain && a->bus == b->bus && a->slot == b->slot && a->function == b->function &&
	       (a->namespace == 0 || b->namespace == 0 || a->namespace == b->namespace);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_usb(const struct vm_hostdev_source *a, const struct vm_hostdev_source *b)
{
	if (mt_is_set(&a->obj, VM_HOSTDEV_SOURCE_BUS) && mt_is_set(&b->obj, VM_HOSTDEV_SOURCE_BUS))
		return a->bus == b->bus && a->device == b->device;
	return a->vendor != 0 && a->vendor == b->vendor && a->product == b->product;
}

static bool same_scsi(const struct vm_hostdev_source *a, const struct vm_hostdev_source *b)
{
	const struct vm_hostdev_portal *p, *q;

	if (a->protocol != b->protocol)
		return false;
	if (a->protocol != VM_HOSTDEV_PROTOCOL_ISCSI)
		return same_text(a->adapter, b->adapter) && a->bus == b->bus &&
		       a->target == b->target && a->unit == b->unit;
	if (!a->hosts.n || !b->hosts.n || !same_text(a->name, b->name))
		return false;
	p = a->hosts.v[0];
	q = b->hosts.v[0];
	return same_text(p->name, q->name) && p->port == q->port;
}

bool vm_hostdev_same_source(const struct vm_hostdev *x, const struct vm_hostdev *y)
{
	const struct vm_hostdev_source *a = x->source, *b = y->source;

	if (x->type != y->type || !a || !b)
		return false;
	switch ((enum vm_hostdev_type)x->type) {
	case VM_HOSTDEV_TYPE_PCI:
		return same_pci(a, b);
	case VM_HOSTDEV_TYPE_USB:
		return same_usb(a, b);
	case VM_HOSTDEV_TYPE_SCSI:
		return same_scsi(a, b);
	case VM_HOSTDEV_TYPE_SCSI_HOST:
		return same_text(a->wwpn, b->wwpn);
	case VM_HOSTDEV_TYPE_MDEV:
		return memcmp(a->uuid, b->uuid, sizeof(a->uuid)) == 0;
	case VM_HOSTDEV_TYPE_ABSENT:
	case VM_HOSTDEV_TYPE_STORAGE:
	case VM_HOSTDEV_TYPE_MISC:
	case VM_HOSTDEV_TYPE_NET:
	case VM_HOSTDEV_TYPES:
		break;
	}
	return false;
}

char *vm_hostdev_source_text(const struct vm_hostdev *h)
{
	const struct vm_hostdev_source *s = h->source;
	const uint8_t *u = s->uuid;

	switch ((enum vm_hostdev_type)h->type) {
	case VM_HOSTDEV_TYPE_PCI:
		return vm_xasprintf("%04x:%02x:%02x.%x", (unsigned)s->domain, (unsigned)s->bus,
				    (unsigned)s->slot, (unsigned)s->function);
	case VM_HOSTDEV_TYPE_USB:
		if (mt_is_set(&s->obj, VM_HOSTDEV_SOURCE_BUS))
			return vm_xasprintf("usb:%03u:%03u", (unsigned)s->bus, (unsigned)s->device);
		return vm_xasprintf("usb:%04x:%04x", (unsigned)s->vendor, (unsigned)s->product);
	case VM_HOSTDEV_TYPE_SCSI:
		if (s->protocol == VM_HOSTDEV_PROTOCOL_ISCSI)
			return vm_xasprintf("iscsi:%s", s->name);
		return vm_xasprintf("scsi:%s:%" PRIu64 ":%" PRIu64 ":%" PRIu64,
				    s->adapter + strlen("scsi_host"), s->bus, s->target, s->unit);
	case VM_HOSTDEV_TYPE_SCSI_HOST:
		return vm_xasprintf("vhost:%s", s->wwpn);
	case VM_HOSTDEV_TYPE_MDEV:
		return vm_xasprintf("mdev:%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
				    u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11],
				    u[12], u[13], u[14], u[15]);
	case VM_HOSTDEV_TYPE_ABSENT:
	case VM_HOSTDEV_TYPE_STORAGE:
	case VM_HOSTDEV_TYPE_MISC:
	case VM_HOSTDEV_TYPE_NET:
	case VM_HOSTDEV_TYPES:
		break;
	}
	return vm_xstrdup(h->dev.alias != NULL ? h->dev.alias : "?");
}

/* Same place on a guest's SCSI controller? */
static bool same_drive(const struct vm_device *a, const struct vm_device *b)
{
	const struct vm_address *x = a->address, *y = b->address;

	return vm_device_has_address(a, VM_ADDRESS_DRIVE) && vm_device_has_address(b, VM_ADDRESS_DRIVE) &&
	       x->controller == y->controller && x->bus == y->bus && x->target == y->target &&
	       x->unit == y->unit;
}

static int drive_error(const struct vm_hostdev *h, const struct mt_ctx *ctx, const char *other,
		       struct vm_err *err)
{
	const struct vm_address *a = h->dev.address;

	return mt_error(ctx, h, "address", VM_BAD_INPUT, err,
			"SCSI address %" PRIu64 ":%" PRIu64 ":%" PRIu64 ":%" PRIu64 " is also that of %s",
			a->controller, a->bus, a->target, a->unit, other);
}

static int check_scsi(const struct vm_domain *d, uint32_t i, const struct mt_ctx *ctx,
		      struct vm_err *err)
{
	const struct vm_hostdev *h = d->hostdevs.v[i];

	if (h->type != VM_HOSTDEV_TYPE_SCSI)
		return 0;
	for (uint32_t n = 0; n < d->disks.n; n++) {
		const struct vm_disk *disk = d->disks.v[n];
		VM_AUTO_FREE char *what = NULL;

		if (disk->bus != VM_BUS_SCSI || !same_drive(&h->dev, &disk->dev))
			continue;
		what = vm_xasprintf("disk %s", disk->target);
		return drive_error(h, ctx, what, err);
	}
	for (uint32_t n = 0; n < i; n++) {
		const struct vm_hostdev *other = d->hostdevs.v[n];
		VM_AUTO_FREE char *what = NULL;

		if (other->type != VM_HOSTDEV_TYPE_SCSI || !same_drive(&h->dev, &other->dev))
			continue;
		what = vm_hostdev_source_text(other);
		return drive_error(h, ctx, what, err);
	}
	return 0;
}

static bool has_alias(const struct vm_domain *d, const char *alias)
{
	for (uint32_t i = 0; i < d->interfaces.n; i++) {
		const struct vm_interface *n = d->interfaces.v[i];

		if (n->dev.alias && strcmp(n->dev.alias, alias) == 0)
			return true;
	}
	return false;
}

static int check_twice(const struct vm_domain *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	struct vm_hostdev_iter i = { 0 };
	const struct vm_hostdev *h, *other;

	while ((h = vm_hostdev_next(d, &i)) != NULL) {
		struct vm_hostdev_iter n = { 0 };

		while ((other = vm_hostdev_next(d, &n)) != NULL && n.at < i.at)
			if (vm_hostdev_same_source(h, other)) {
				VM_AUTO_FREE char *text = vm_hostdev_source_text(h);

				return mt_error(ctx, h, NULL, VM_BAD_INPUT, err,
						"host device %s is given to this guest twice", text);
			}
		if (i.interface != NULL && h->teaming != NULL && !has_alias(d, h->teaming->persistent))
			return mt_error(ctx, h->teaming, "@persistent", VM_BAD_INPUT, err,
					"there is no interface with alias '%s'", h->teaming->persistent);
	}
	return 0;
}

static int check_namespaces(const struct vm_domain *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	for (uint32_t i = 0; i < d->disks.n; i++)
		for (uint32_t n = 0; n < i; n++) {
			const struct vm_disk *x = d->disks.v[i], *y = d->disks.v[n];

			if (is_nvme(x) && is_nvme(y) && same_controller(x, y) &&
			    x->source->namespace == y->source->namespace)
				return mt_error(ctx, x, "source", VM_BAD_INPUT, err,
						"disk '%s' has this namespace, too", y->target);
		}
	return 0;
}

int vm_hostdevs_check(const struct vm_domain *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_hostdev *ramfb = NULL;

	if (check_namespaces(d, ctx, err) < 0 || check_twice(d, ctx, err) < 0)
		return -1;
	for (uint32_t i = 0; i < d->hostdevs.n; i++) {
		const struct vm_hostdev *h = d->hostdevs.v[i];

		if (h->ramfb == VM_SWITCH_ON && ramfb)
			return mt_error(ctx, h, "@ramfb", VM_BAD_INPUT, err,
					"one mediated device alone can have ramfb='on'");
		if (h->ramfb == VM_SWITCH_ON)
			ramfb = h;
		if (h->display == VM_SWITCH_ON && !d->graphics.n)
			return mt_error(ctx, h, "@display", VM_BAD_INPUT, err,
					"display='on' needs a <graphics>");
		if (h->teaming && !has_alias(d, h->teaming->persistent))
			return mt_error(ctx, h->teaming, "@persistent", VM_BAD_INPUT, err,
					"there is no interface with alias '%s'", h->teaming->persistent);
		if (check_scsi(d, i, ctx, err) < 0)
			return -1;
	}
	return 0;
}
