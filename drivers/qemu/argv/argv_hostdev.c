/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Host devices: one -device each, with a block node or a descriptor where they need one. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "host/mdev.h"
#include "host/usb.h"
#include "qemu/plan/plan.h"

#define IOMMUFD "iommufd0"

static const char *node_of(const struct vm_plan *p, const struct vm_hostdev *h)
{
	for (uint32_t i = 0; p->env->hostdev_nodes != NULL && i < p->d->hostdevs.n; i++)
		if (p->d->hostdevs.v[i] == h)
			return p->env->hostdev_nodes[i];
	return NULL;
}

static void boot(const struct vm_plan *p, struct vm_qobj *o, const struct vm_hostdev *h)
{
	uint64_t index = vm_plan_boot_index(p, VM_FAMILY_HOSTDEV, &h->dev);

	if (index != 0)
		vm_qobj_u64(o, "bootindex", index);
}

static void pci(const struct vm_plan *p, struct vm_qobj *o, const struct vm_hostdev *h,
		const struct vm_interface *interface, const char *alias)
{
	VM_AUTO_FREE char *host = vm_hostdev_source_text(h);
	uint64_t index = interface != NULL ? vm_plan_boot_index(p, VM_FAMILY_INTERFACE, &interface->dev)
					   : vm_plan_boot_index(p, VM_FAMILY_HOSTDEV, &h->dev);

	vm_qobj_str(o, "driver", "vfio-pci");
	vm_qobj_str(o, "host", host);
	vm_qobj_str(o, "id", alias);
	if (vm_hostdev_iommufd(p->d, h))
		vm_qobj_str(o, "iommufd", IOMMUFD);
	if (index != 0)
		vm_qobj_u64(o, "bootindex", index);
	if (h->teaming != NULL)
		vm_qobj_str(o, "failover_pair_id", h->teaming->persistent);
	vm_plan_address(p, o, &h->dev);
	vm_plan_rom(o, h->dev.rom);
}

/* Where it is not known where it is plugged in, QEMU itself looks for one of that kind. */
static void usb(const struct vm_plan *p, struct vm_qobj *o, const struct vm_hostdev *h,
		const char *alias)
{
	const struct vm_hostdev_source *s = h->source;

	vm_qobj_str(o, "driver", "usb-host");
	if (h->missing == VM_SWITCH_ON) {
		/* without an identity it waits for one that is told to it later */
	} else if (mt_is_set(&s->obj, VM_HOSTDEV_SOURCE_BUS)) {
		const struct vm_usb u = { .bus = (unsigned)s->bus, .device = (unsigned)s->device };
		char node[32];

		vm_usb_node(&u, node);
		vm_qobj_strf(o, "hostdevice", "/%s", node);
	} else {
		vm_qobj_u64(o, "vendorid", s->vendor);
		vm_qobj_u64(o, "productid", s->product);
	}
	vm_qobj_str(o, "id", alias);
	switch ((enum vm_hostdev_guest_reset)s->guest_reset) {
	case VM_GUEST_RESET_OFF:
		vm_qobj_bool(o, "guest-reset", false);
		break;
	case VM_GUEST_RESET_UNINITIALIZED:
		vm_qobj_bool(o, "guest-reset", true);
		vm_qobj_bool(o, "guest-resets-all", false);
		break;
	case VM_GUEST_RESET_ON:
		vm_qobj_bool(o, "guest-reset", true);
		vm_qobj_bool(o, "guest-resets-all", true);
		break;
	case VM_GUEST_RESET_ABSENT:
		break;
	}
	boot(p, o, h);
	vm_plan_address(p, o, &h->dev);
}

/* "iqn.../4": the target, and the unit behind its last slash (0 without one). */
static void iscsi(struct vm_qobj *o, const struct vm_hostdev_source *s)
{
	const struct vm_hostdev_portal *host = s->hosts.v[0];
	const char *slash = strrchr(s->name, '/');
	VM_AUTO_FREE char *target =
		slash != NULL ? vm_xstrndup(s->name, (size_t)(slash - s->name)) : vm_xstrdup(s->name);

	vm_qobj_str(o, "driver", "iscsi");
	vm_qobj_strf(o, "portal", "%s:%" PRIu64, host->name, host->port != 0 ? host->port : 3260);
	vm_qobj_str(o, "target", target);
	vm_qobj_u64(o, "lun", slash != NULL ? strtoull(slash + 1, NULL, 10) : 0);
	vm_qobj_str(o, "transport", "tcp");
	vm_qobj_str(o, "initiator-name", s->initiator);
}

static void scsi_block(struct vm_plan *p, const struct vm_hostdev *h, const char *alias)
{
	struct vm_qobj o = VM_QOBJ_INIT;

	if (h->source->protocol == VM_HOSTDEV_PROTOCOL_ISCSI) {
		iscsi(&o, h->source);
	} else {
		vm_qobj_str(&o, "driver", "host_device");
		vm_qobj_str(&o, "filename", node_of(p, h));
	}
	vm_qobj_strf(&o, "node-name", "libvirt-%s-backend", alias);
	vm_qobj_bool(&o, "read-only", h->readonly);
	vm_qobj_emit(&o, p->a, "-blockdev");
}

static void scsi(const struct vm_plan *p, struct vm_qobj *o, const struct vm_hostdev *h,
		 const char *alias)
{
	const struct vm_address *a = h->dev.address;
	const struct vm_controller *c = vm_controller_find(p->d, VM_CONTROLLER_SCSI, a->controller);
	VM_AUTO_FREE char *bus = vm_qemu_bus(p->d, VM_CONTROLLER_SCSI, a->controller);

	vm_qobj_str(o, "driver", "scsi-generic");
	vm_qobj_str(o, "bus", bus);
	if (c != NULL && c->model == VM_SCSI_LSILOGIC) {
		vm_qobj_u64(o, "scsi-id", a->unit);
	} else {
		vm_qobj_u64(o, "channel", a->bus);
		vm_qobj_u64(o, "scsi-id", a->target);
		vm_qobj_u64(o, "lun", a->unit);
	}
	vm_qobj_strf(o, "drive", "libvirt-%s-backend", alias);
	vm_qobj_str(o, "id", alias);
	boot(p, o, h);
}

static void vhost(struct vm_plan *p, struct vm_qobj *o, const struct vm_hostdev *h,
		  const char *alias)
{
	vm_plan_virtio_driver(o, "vhost-scsi",
			      h->model == VM_HOSTDEV_MODEL_VIRTIO_TRANSITIONAL
				      ? VM_VIRTIO_MODEL_TRANSITIONAL
			      : h->model == VM_HOSTDEV_MODEL_VIRTIO_NON_TRANSITIONAL
				      ? VM_VIRTIO_MODEL_NON_TRANSITIONAL
				      : VM_VIRTIO_MODEL_VIRTIO);
	vm_qobj_str(o, "wwpn", h->source->wwpn);
	if (p->env->named_fds)
		vm_qobj_strf(o, "vhostfd", VM_VHOST_FD_NAME "%s", alias);
	else
		vm_qobj_strf(o, "vhostfd", "%d", vm_argv_fd(p->a, VM_FD_VHOST_SCSI, h, 0, alias, NULL));
	vm_qobj_str(o, "id", alias);
	vm_plan_address(p, o, &h->dev);
}

static void mdev(const struct vm_plan *p, struct vm_qobj *o, const struct vm_hostdev *h,
		 const char *alias)
{
	VM_AUTO_FREE char *name = vm_hostdev_source_text(h);

	vm_qobj_str(o, "driver", h->ramfb == VM_SWITCH_ON ? "vfio-pci-nohotplug" : "vfio-pci");
	vm_qobj_str(o, "id", alias);
	vm_qobj_strf(o, "sysfsdev", VM_MDEV_PLACE "/%s", name + strlen("mdev:"));
	/* QEMU's own default depends on whether there is a display */
	vm_qobj_str(o, "display", vm_on_off_words[h->display != VM_SWITCH_ABSENT ? h->display : VM_SWITCH_OFF]);
	if (h->ramfb == VM_SWITCH_ON)
		vm_qobj_bool(o, "ramfb", true);
	vm_plan_address(p, o, &h->dev);
	vm_plan_rom(o, h->dev.rom);
}

static void device(struct vm_plan *p, struct vm_qobj *o, const struct vm_hostdev *h,
		   const struct vm_interface *interface, const char *alias)
{
	switch ((enum vm_hostdev_type)h->type) {
	case VM_HOSTDEV_TYPE_PCI:
		pci(p, o, h, interface, alias);
		break;
	case VM_HOSTDEV_TYPE_USB:
		usb(p, o, h, alias);
		break;
	case VM_HOSTDEV_TYPE_SCSI:
		scsi(p, o, h, alias);
		break;
	case VM_HOSTDEV_TYPE_SCSI_HOST:
		vhost(p, o, h, alias);
		break;
	case VM_HOSTDEV_TYPE_MDEV:
		mdev(p, o, h, alias);
		break;
	case VM_HOSTDEV_TYPE_ABSENT:
	case VM_HOSTDEV_TYPE_STORAGE:
	case VM_HOSTDEV_TYPE_MISC:
	case VM_HOSTDEV_TYPE_NET:
	case VM_HOSTDEV_TYPES:
		break;
	}
}

void vm_plan_hostdev_nodes(struct vm_plan *p, const struct vm_hostdev_one *one)
{
	if (one->disk != NULL)
		vm_plan_disk_nodes(p, one->disk);
	else if (one->h->type == VM_HOSTDEV_TYPE_SCSI)
		scsi_block(p, one->h, one->h->dev.alias);
}

void vm_plan_one_hostdev(struct vm_plan *p, const struct vm_hostdev *h, const struct vm_interface *interface)
{
	VM_AUTO_FREE char *alias = h->dev.alias != NULL ? vm_xstrdup(h->dev.alias)
				   : interface != NULL	 ? vm_qemu_alias(p->d, VM_FAMILY_INTERFACE, &interface->dev)
							 : vm_qemu_alias(p->d, VM_FAMILY_HOSTDEV, &h->dev);
	struct vm_qobj o = VM_QOBJ_INIT;

	if (h->type == VM_HOSTDEV_TYPE_SCSI)
		scsi_block(p, h, alias);
	device(p, &o, h, interface, alias);
	vm_qobj_emit(&o, p->a, "-device");
}

void vm_plan_hostdevs(struct vm_plan *p)
{
	struct vm_hostdev_iter i = { 0 };
	const struct vm_hostdev *h;
	struct vm_qobj o = VM_QOBJ_INIT;

	/* QEMU opens /dev/iommu; all of them share what is mapped there. Source: QAPI IommufdProperties, QEMU 9.0 */
	if (vm_domain_has_iommufd(p->d)) {
		vm_qobj_str(&o, "qom-type", "iommufd");
		vm_qobj_str(&o, "id", IOMMUFD);
		vm_qobj_emit(&o, p->a, "-object");
	}
	while ((h = vm_hostdev_next(p->d, &i)) != NULL)
		if (i.disk == NULL && !vm_hostdev_parked(h))
			vm_plan_one_hostdev(p, h, i.interface);
}

int vm_plan_hostdevs_check(const struct vm_plan *p, struct vm_err *err)
{
	for (uint32_t i = 0; i < p->d->hostdevs.n; i++) {
		const struct vm_hostdev *h = p->d->hostdevs.v[i];
		VM_AUTO_FREE char *name = NULL;

		if (h->type != VM_HOSTDEV_TYPE_SCSI || h->source->protocol == VM_HOSTDEV_PROTOCOL_ISCSI ||
		    node_of(p, h) != NULL)
			continue;
		name = vm_hostdev_source_text(h);
		mt_error(&p->ctx, h, NULL, VM_NOT_FOUND, err, "the host has no %s, or no sg node of it", name);
		return vm_err_hint(err, "vm-hostdev-info %s tells; nodes need the module sg", name);
	}
	return 0;
}
