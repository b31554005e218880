/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostdev_foreign.h"

#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/state.h>

#include "hostdev_view.h"
#include "model/disk.h"
#include "model/domain.h"

#define NODE "nvme"

static void set_source(struct vm_foreign_one *one, const char *device)
{
	static const char vhost[] = "vhost:";
	struct vm_err ignored = VM_ERR_INIT;
	struct vm_hostdev *h = &one->h;
	struct vm_hostdev_source *s = &one->source;
	struct vm_hostdev_name n;

	h->managed = VM_SWITCH_OFF;
	h->source = s;
	if (device == NULL)
		return;
	if (strncmp(device, vhost, sizeof(vhost) - 1) == 0) {
		h->type = VM_HOSTDEV_TYPE_SCSI_HOST;
		one->text = vm_xstrdup(device + sizeof(vhost) - 1);
		s->wwpn = one->text;
		return;
	}
	if (vm_hostdev_name_parse(device, &n, &ignored) < 0)
		return;
	switch (n.bus) {
	case VM_HOSTDEV_PCI:
		h->type = VM_HOSTDEV_TYPE_PCI;
		s->domain = n.pci.domain;
		s->bus = n.pci.bus;
		s->slot = n.pci.slot;
		s->function = n.pci.function;
		break;
	case VM_HOSTDEV_USB:
		if (!n.usb.has_place)
			break;
		h->type = VM_HOSTDEV_TYPE_USB;
		mt_assigned(&s->obj, VM_HOSTDEV_SOURCE_BUS);
		s->bus = n.usb.bus;
		s->device = n.usb.device;
		break;
	case VM_HOSTDEV_SCSI:
		h->type = VM_HOSTDEV_TYPE_SCSI;
		one->text = vm_xasprintf("scsi_host%u", n.scsi.host);
		s->adapter = one->text;
		s->bus = n.scsi.bus;
		s->target = n.scsi.target;
		s->unit = n.scsi.unit;
		break;
	case VM_HOSTDEV_MDEV:
		h->type = VM_HOSTDEV_TYPE_MDEV;
		vm_uuid_parse(n.mdev, s->uuid);
		break;
	case VM_HOSTDEV_PARENT:
	case VM_HOSTDEV_BUSES:
		break;
	}
}

/* Where both can be told: not a USB device that is known by its port, or that the document has by
 * what it is. */
static bool differs(const struct vm_hostdev *h, const struct vm_look_hostdev *q)
{
	bool usb = h->type == VM_HOSTDEV_TYPE_USB;
	VM_AUTO_FREE char *name = NULL;

	if (h->missing == VM_SWITCH_ON || q->device == NULL ||
	    (usb && (strchr(q->device, '-') != NULL ||
		     !mt_is_set(&h->source->obj, VM_HOSTDEV_SOURCE_BUS))))
		return false;
	name = vm_hostdev_source_text(h);
	return strcmp(name, q->device) != 0;
}

static const char *alias_of(const struct vm_hostdev *h, const struct vm_disk *disk)
{
	return disk != NULL ? disk->dev.alias : h->dev.alias;
}

static bool is_same(const struct vm_hostdev *h, const struct vm_disk *disk,
		    const struct vm_look_hostdev *q)
{
	const char *alias = alias_of(h, disk);
	VM_AUTO_FREE char *name = NULL;

	if (strcmp(q->type, NODE) == 0) {
		name = vm_hostdev_source_text(h);
		return disk != NULL && q->device != NULL && strcmp(name, q->device) == 0;
	}
	return disk == NULL && alias != NULL && strcmp(alias, q->alias) == 0 && !differs(h, q);
}

static bool is_known(const struct vm_domain *d, const struct vm_look_hostdev *q)
{
	struct vm_hostdev_iter i = {0};
	const struct vm_hostdev *h;

	while ((h = vm_hostdev_next(d, &i)) != NULL)
		if (is_same(h, i.disk, q))
			return true;
	return false;
}

bool vm_look_lost(const struct vm_look *l, const struct vm_hostdev *h, const struct vm_disk *disk)
{
	const char *alias = alias_of(h, disk);

	/* what waits for its partner QEMU hides */
	if (!l->has_hostdevs || alias == NULL || vm_hostdev_parked(h) || h->teaming != NULL ||
	    h->missing == VM_SWITCH_ON)
		return false;
	for (size_t i = 0; disk == NULL && i < l->n_hostdevs; i++)
		if (strcmp(l->hostdevs[i].alias, alias) == 0)
			return differs(h, &l->hostdevs[i]);
	for (size_t i = 0; i < l->n_aliases; i++)
		if (strcmp(l->aliases[i], alias) == 0)
			return false;
	return true;
}

void vm_foreign_read(const struct vm_domain *d, const struct vm_look *l, struct vm_foreign *ret)
{
	*ret = (struct vm_foreign){.v = vm_xcalloc(l->n_hostdevs + 1, sizeof(*ret->v))};
	for (size_t i = 0; i < l->n_hostdevs; i++) {
		const struct vm_look_hostdev *q = &l->hostdevs[i];
		struct vm_foreign_one *one = &ret->v[ret->n];

		if (is_known(d, q))
			continue;
		ret->n++;
		one->alias = vm_xstrdup(q->alias);
		one->type = vm_xstrdup(q->type);
		one->device = vm_xstrdup(q->device);
		one->name = one->device != NULL ? one->device : one->alias;
		one->node = strcmp(q->type, NODE) == 0;
		set_source(one, q->device);
		one->h.dev.alias = one->alias;
	}
}

void vm_foreign_free(struct vm_foreign *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->v[i].alias);
		free(f->v[i].type);
		free(f->v[i].device);
		free(f->v[i].text);
	}
	free(f->v);
	*f = VM_FOREIGN_NONE;
}

const struct vm_foreign_one *vm_foreign_find(const struct vm_foreign *f, const char *text)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->v[i].alias, text) == 0 || strcmp(f->v[i].name, text) == 0)
			return &f->v[i];
	return NULL;
}
