/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostdev.h"

#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "qemu/caps/caps.h"
#include "guest/hostdev_view.h"
#include "host/usb.h"
#include "host/vf.h"
#include "host/vfio.h"
#include "model/domain.h"
#include "model/hostdev_node.h"
#include "state/hostdev.h"

#define STUCK_MS 1000u /* for the kernel's answer about a device that was stuck */

int vm_hostdev_nodes_read(const struct vm_domain *d, struct vm_hostdev_nodes *ret, struct vm_err *err)
{
	VM_AUTO(vm_sys_close) struct vm_sys sys = VM_SYS_INIT;

	*ret = (struct vm_hostdev_nodes){ .v = vm_xcalloc(d->hostdevs.n + 1, sizeof(char *)),
					  .n = d->hostdevs.n };
	for (uint32_t i = 0; i < d->hostdevs.n; i++) {
		const struct vm_hostdev *h = d->hostdevs.v[i];
		VM_AUTO_FREE char *name = NULL;

		if (h->type != VM_HOSTDEV_TYPE_SCSI || h->source->protocol == VM_HOSTDEV_PROTOCOL_ISCSI)
			continue;
		if (sys.root < 0 && vm_sys_open(NULL, &sys, err) < 0)
			return -1;
		name = vm_hostdev_source_text(h);
		if (vm_scsi_node(&sys, name + strlen("scsi:"), &ret->v[i], err) < 0)
			return -1;
	}
	return 0;
}

void vm_hostdev_nodes_free(struct vm_hostdev_nodes *nodes)
{
	for (size_t i = 0; i < nodes->n; i++)
		free(nodes->v[i]);
	free(nodes->v);
	*nodes = (struct vm_hostdev_nodes){ 0 };
}

/* ---- where USB devices are ---- */

static void usb_want(const struct vm_hostdev_source *s, struct vm_usb_want *w)
{
	*w = (struct vm_usb_want){
		.has_id = mt_is_set(&s->obj, VM_HOSTDEV_SOURCE_VENDOR),
		.has_place = mt_is_set(&s->obj, VM_HOSTDEV_SOURCE_BUS),
		.vendor = (uint16_t)s->vendor,
		.product = (uint16_t)s->product,
		.bus = (unsigned)s->bus,
		.device = (unsigned)s->device,
		.automatic = s->auto_address == VM_SWITCH_ON,
	};
}

static bool may_be_absent(const struct vm_hostdev_source *s, bool cold)
{
	return s->startup_policy == VM_STARTUP_OPTIONAL ||
	       (s->startup_policy == VM_STARTUP_REQUISITE && !cold);
}

static int resolve_usb(struct vm_hostdev *h, const struct vm_usbs *all, bool cold, struct vm_err *err)
{
	VM_AUTO_FREE char *name = vm_hostdev_source_text(h);
	struct vm_hostdev_source *s = h->source;
	const struct vm_usb *usb = NULL;
	struct vm_usb_want want;
	int r;

	usb_want(s, &want);
	r = vm_usb_find(all, &want, &usb, err);
	if (r < 0)
		return -1;
	if (r > 0 && !may_be_absent(s, cold)) {
		vm_err_set(err, VM_NOT_FOUND, "the USB device %s is not plugged in", name);
		return vm_err_hint(err, "plug it in, or say startupPolicy='optional' in its <source>");
	}
	if (r > 0) {
		h->missing = VM_SWITCH_ON;
		mt_assigned(&h->dev.obj, VM_HOSTDEV_BIT_MISSING);
		return 0;
	}
	if (mt_is_set(&s->obj, VM_HOSTDEV_SOURCE_BUS) && s->bus == usb->bus && s->device == usb->device)
		return 0;
	s->bus = usb->bus;
	mt_assigned(&s->obj, VM_HOSTDEV_SOURCE_BUS);
	s->device = usb->device;
	mt_assigned(&s->obj, VM_HOSTDEV_SOURCE_DEVICE);
	s->auto_address = VM_SWITCH_ON;
	mt_assigned(&s->obj, VM_HOSTDEV_SOURCE_AUTO_ADDRESS);
	return 0;
}

int vm_hostdevs_resolve(struct vm_domain *d, uint32_t from, bool cold, struct vm_err *err)
{
	VM_AUTO(vm_sys_close) struct vm_sys sys = VM_SYS_INIT;
	VM_AUTO(vm_usbs_free) struct vm_usbs all = { 0 };
	struct vm_unread unread = VM_UNREAD_NONE;

	for (uint32_t i = from; i < d->hostdevs.n; i++) {
		struct vm_hostdev *h = d->hostdevs.v[i];

		if (h->type != VM_HOSTDEV_TYPE_USB)
			continue;
		if (sys.root < 0) {
			if (vm_sys_open(NULL, &sys, err) < 0)
				return -1;
			vm_usbs_read(&sys, &all, &unread);
			if (vm_unread_fail(&unread, err) < 0)
				return -1;
		}
		if (resolve_usb(h, &all, cold, err) < 0)
			return -1;
	}
	return 0;
}

struct vm_vf_want vm_interface_vf(const struct vm_interface *f)
{
	struct vm_vf_want want = { 0 };

	memcpy(want.mac, f->mac, sizeof(want.mac));
	if (f->vlans.n > 0) {
		want.has_vlan = true;
		want.vlan = (uint16_t)((const struct vm_vlan_tag *)f->vlans.v[0])->id;
	}
	return want;
}

/* ---- which way to VFIO ---- */

bool vm_qemu_has_iommufd(const struct vm_qemu_caps *caps)
{
	return vm_qemu_caps_has(caps, "schema:object-iommufd") && vm_qemu_caps_has(caps, "device:vfio-pci.iommufd");
}

void vm_qemu_choose_iommufd(struct vm_domain *d, const struct vm_qemu_caps *caps, const struct vm_vfio_host *host)
{
	if (d->iommufd != VM_SWITCH_ABSENT || !vm_domain_has_pci(d) || !host->cdev || !vm_qemu_has_iommufd(caps))
		return;
	d->iommufd = VM_SWITCH_ON;
	mt_assigned(&d->obj, VM_DOMAIN_BIT_IOMMUFD);
}

/* QEMU gets the object when it is started. */
static int may_join(const struct vm_domain *d, const struct vm_hostdev *only, struct vm_err *err)
{
	struct vm_hostdev_iter i = { 0 };
	const struct vm_hostdev *h;

	if (!vm_hostdev_iommufd(d, only) || d->iommufd == VM_SWITCH_ON)
		return 0;
	while ((h = vm_hostdev_next(d, &i)) != NULL)
		if (vm_hostdev_iommufd(d, h) && !vm_hostdev_same_source(h, only))
			return 0;
	vm_err_set(err, VM_IN_USE, "the guest was started without iommufd");
	return vm_err_hint(err, "leave iommufd='yes' out, or give it the device in its definition");
}

/* ---- may the guest have them? ---- */

static const struct vm_hostdev_item *find(const struct vm_hostdev *h, const struct vm_hostdev_view *view,
					  struct vm_err *err)
{
	VM_AUTO_FREE char *name = vm_hostdev_source_text(h);
	const struct vm_hostdev_item *item;

	return vm_hostdev_view_find(view, name, &item, err) < 0 ? NULL : item;
}

char *vm_hostdev_key(const struct vm_hostdev *h, const struct vm_hostdev_view *view)
{
	struct vm_err ignored = VM_ERR_INIT;
	const struct vm_hostdev_item *item;

	if (h->type == VM_HOSTDEV_TYPE_SCSI_HOST)
		return vm_hostdev_source_text(h);
	if (h->missing == VM_SWITCH_ON ||
	    (h->type == VM_HOSTDEV_TYPE_SCSI && h->source->protocol == VM_HOSTDEV_PROTOCOL_ISCSI))
		return NULL;
	item = find(h, view, &ignored);
	return item != NULL ? vm_xstrdup(item->key) : NULL;
}

char *vm_hostdev_held(const struct vm_hostdev *h, const char *key)
{
	const char *none = h->missing == VM_SWITCH_ON ? VM_HOSTDEV_MISSING : "-";

	return vm_xasprintf("%s %s", h->dev.alias, key != NULL ? key : none);
}

/* A sibling that this guest gets too does not stand in the way. */
static bool has_pci(const struct vm_domain *d, const char *name)
{
	struct vm_hostdev_iter i = { 0 };
	const struct vm_hostdev *h;

	while ((h = vm_hostdev_next(d, &i)) != NULL) {
		VM_AUTO_FREE char *text = vm_hostdev_source_text(h);

		if (h->type == VM_HOSTDEV_TYPE_PCI && strcmp(text, name) == 0)
			return true;
	}
	return false;
}

static bool matters(const struct vm_domain *d, const struct vm_hostdev_block *b, const char *guest,
		    bool force)
{
	if (b->force)
		return !force;
	if (strncmp(b->word, "sibling:", 8) == 0)
		return !has_pci(d, b->word + 8);
	return strncmp(b->word, "guest:", 6) != 0 || strcmp(b->word + 6, guest) != 0;
}

/* One whose driver has let go meanwhile is put back by whoever takes it next. */
static bool is_held(const struct vm_sys *sys, const char *name)
{
	struct vm_vfio_was ignored;
	struct vm_err why = VM_ERR_INIT;

	return vm_vfio_look(sys, name, vm_deadline_in(STUCK_MS), &ignored, &why) < 0 && why.kind == VM_TIMED_OUT;
}

static int may_item(const struct vm_domain *d, const struct vm_hostdev *h, const struct vm_sys *sys,
		    const struct vm_vfio_host *host,
		    const struct vm_hostdev_item *item, const char *guest, bool force, struct vm_err *err)
{
	/* documents say vfio-pci, or are refused */
	if (h->type == VM_HOSTDEV_TYPE_MDEV && item->mdev->api[0] != 0 && strcmp(item->mdev->api, VM_MDEV_API_PCI) != 0)
		return vm_err_set(err, VM_NOT_FOUND, "%s is for model='%s', not '%s'", item->name, item->mdev->api,
				  vm_hostdev_model_words[h->model]);
	for (size_t n = 0; n < item->n_blocks; n++) {
		const struct vm_hostdev_block *b = &item->blocks[n];

		if (strcmp(b->word, VM_HOSTDEV_BLOCK_STUCK) == 0 && !is_held(sys, item->name))
			continue;
		/* what is on VFIO already the host does not use */
		if (!matters(d, b, guest, force))
			continue;
		vm_err_set(err, vm_hostdev_block_kind(b), "cannot assign %s: %s", item->name, b->text);
		return b->hint != NULL ? vm_err_hint(err, "%s", b->hint) : -1;
	}
	if (h->type == VM_HOSTDEV_TYPE_PCI && h->managed != VM_SWITCH_ON && !item->pci->vfio) {
		vm_err_set(err, VM_IN_USE, "cannot assign %s: it has the driver %s, and managed='no'", item->name,
			   item->pci->driver[0] != 0 ? item->pci->driver : "none");
		return vm_err_hint(err, "vm-hostdev-bind %s first, or say managed='yes'", item->name);
	}
	/* one that is not loaded yet shows it when it is */
	if (vm_hostdev_iommufd(d, h) && vm_vfio_host_foresee(sys, host) == 0) {
		vm_err_set(err, VM_UNSUPPORTED, "cannot assign %s by iommufd: %s", item->name,
			   host->iommufd ? "this kernel's VFIO has no nodes of devices" : "there is no " VM_IOMMUFD_NODE);
		return vm_err_hint(err, "leave iommufd='yes' out, or boot a kernel with CONFIG_IOMMUFD and CONFIG_VFIO_DEVICE_CDEV");
	}
	return 0;
}

static int may_one(const struct vm_domain *d, const struct vm_hostdev *h, const struct vm_hostdev_view *view,
		   const char *guest, bool force, struct vm_err *err)
{
	VM_AUTO_FREE char *name = vm_hostdev_source_text(h);
	const struct vm_hostdev_item *item;

	if (h->type == VM_HOSTDEV_TYPE_SCSI_HOST)
		return vm_vhost_scsi_check(&view->sys, h->source->wwpn, err);
	if (h->type == VM_HOSTDEV_TYPE_SCSI && h->managed == VM_SWITCH_ON)
		return vm_err_set(err, VM_BAD_INPUT, "%s: managed='yes' is for PCI devices", name);
	if (h->missing == VM_SWITCH_ON ||
	    (h->type == VM_HOSTDEV_TYPE_SCSI && h->source->protocol == VM_HOSTDEV_PROTOCOL_ISCSI))
		return 0;
	item = find(h, view, err);
	return item == NULL ? -1 : may_item(d, h, &view->sys, &view->vfio, item, guest, force, err);
}

/* A card that has no settings of a virtual function cannot be made to have the guest's. */
static int may_interface(const struct vm_hostdev *h, const struct vm_hostdev_view *view, struct vm_err *err)
{
	VM_AUTO_FREE char *name = vm_hostdev_source_text(h);
	struct vm_vf vf;

	return vm_vf_find(&view->sys, name, &vf, err) < 0 ? -1 : vm_vf_check(&view->sys, &vf, err);
}

/*
 * QEMU opens the IOMMU group of an NVMe disk for that disk alone, and the kernel lets a group be opened once: no other device of
 * it can be open beside.  Source: vfio_group_fops_open() of Linux 6.1, qemu_vfio_init_pci() of QEMU 7.2 to 10.1.
 */
static int may_open(const struct vm_domain *d, const struct vm_hostdev *h, const struct vm_hostdev_view *view, bool running,
		    struct vm_err *err)
{
	const struct vm_hostdev_item *mine = find(h, view, err), *item;
	struct vm_err ignored = VM_ERR_INIT;
	struct vm_hostdev_iter i = { 0 };
	const struct vm_hostdev *other;

	if (mine == NULL)
		return -1;
	while ((other = vm_hostdev_next(d, &i)) != NULL) {
		if (other->type != VM_HOSTDEV_TYPE_PCI || vm_hostdev_parked(other) || vm_hostdev_same_source(h, other) ||
		    (h->source->namespace == 0 && other->source->namespace == 0))
			continue;
		/* what is not in the view is not of a group that is */
		item = find(other, view, &ignored);
		if (item == NULL || item->group != mine->group)
			continue;
		vm_err_set(err, running ? VM_IN_USE : VM_UNSUPPORTED,
			   "cannot assign %s: QEMU opens the IOMMU group of each NVMe disk anew, group %d can be opened once, and %s%s is of it",
			   mine->name, mine->group, i.disk != NULL ? "the disk " : "", i.disk != NULL ? i.disk->target : item->name);
		return vm_err_hint(err, "take that one away first, or give the guest the whole controller as a <hostdev>: it has all "
					"its namespaces then");
	}
	return 0;
}

int vm_hostdevs_look(const struct vm_state *state, const struct vm_hostdev *const *v, size_t n, struct vm_hostdev_view *ret,
		     struct vm_err *err)
{
	static const unsigned buses[VM_HOSTDEV_TYPES] = {
		[VM_HOSTDEV_TYPE_PCI] = 1u << VM_HOSTDEV_PCI,
		[VM_HOSTDEV_TYPE_USB] = 1u << VM_HOSTDEV_USB,
		[VM_HOSTDEV_TYPE_SCSI] = 1u << VM_HOSTDEV_SCSI,
		[VM_HOSTDEV_TYPE_MDEV] = 1u << VM_HOSTDEV_MDEV,
	};
	VM_AUTO_FREE char **pcis = vm_xcalloc(n + 1, sizeof(*pcis));
	unsigned all = 0;
	size_t n_pcis = 0;
	int r;

	for (size_t i = 0; i < n; i++) {
		all |= buses[v[i]->type];
		if (v[i]->type == VM_HOSTDEV_TYPE_PCI)
			pcis[n_pcis++] = vm_hostdev_source_text(v[i]);
	}
	r = vm_hostdev_view_read_some(state, all, (const char *const *)pcis, n_pcis, ret, err);
	for (size_t i = 0; i < n_pcis; i++)
		free(pcis[i]);
	return r;
}

int vm_hostdevs_may(const struct vm_domain *d, const struct vm_hostdev *only,
		    const struct vm_hostdev_view *view, const char *guest, bool force, struct vm_err *err)
{
	struct vm_hostdev_iter i = { 0 };
	const struct vm_hostdev *h;

	if (only != NULL && may_join(d, only, err) < 0)
		return -1;
	while ((h = vm_hostdev_next(d, &i)) != NULL)
		if ((only == NULL || vm_hostdev_same_source(h, only)) &&
		    ((i.interface != NULL && may_interface(h, view, err) < 0) ||
		     may_one(d, h, view, guest, force, err) < 0 ||
		     (h->type == VM_HOSTDEV_TYPE_PCI && !vm_hostdev_parked(h) && may_open(d, h, view, only != NULL, err) < 0)))
			return -1;
	return 0;
}
