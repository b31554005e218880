/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostdev_node.h"

#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "host/iommu.h"
#include "host/mdev.h"
#include "host/pci.h"
#include "host/scsi.h"
#include "host/usb.h"
#include "hostdev.h"

static char *usb_node(const struct vm_hostdev *h)
{
	const struct vm_usb u = { .bus = (unsigned)h->source->bus, .device = (unsigned)h->source->device };
	char node[32];

	if (h->missing == VM_SWITCH_ON || !mt_is_set(&h->source->obj, VM_HOSTDEV_SOURCE_BUS))
		return NULL;
	vm_usb_node(&u, node);
	return vm_xasprintf("/%s", node);
}

char *vm_hostdev_node(const struct vm_hostdev *h, bool iommufd, const struct vm_sys *sys)
{
	VM_AUTO_FREE char *name = vm_hostdev_source_text(h);
	struct vm_err ignored = VM_ERR_INIT;
	struct vm_scsi scsi;
	struct vm_mdev mdev;
	struct vm_pci pci;

	switch ((enum vm_hostdev_type)h->type) {
	case VM_HOSTDEV_TYPE_PCI:
		if (vm_pci_read(sys, name, &pci, &ignored) < 0 || pci.group == VM_NO_GROUP)
			return NULL;
		if (iommufd)
			return pci.vfio_cdev[0] != 0 ? vm_xasprintf(VM_VFIO_DEVICES "/%s", pci.vfio_cdev) : NULL;
		return vm_xasprintf(VM_VFIO_NODES "/%d", pci.group);
	case VM_HOSTDEV_TYPE_MDEV:
		if (vm_mdev_read(sys, name + strlen("mdev:"), &mdev, &ignored) < 0 || mdev.group < 0)
			return NULL;
		return vm_xasprintf(VM_VFIO_NODES "/%d", mdev.group);
	case VM_HOSTDEV_TYPE_USB:
		return usb_node(h);
	case VM_HOSTDEV_TYPE_SCSI:
		if (h->source->protocol == VM_HOSTDEV_PROTOCOL_ISCSI ||
		    vm_scsi_read(sys, name + strlen("scsi:"), &scsi, &ignored) < 0 || scsi.sg[0] == 0)
			return NULL;
		return vm_xasprintf(VM_SCSI_NODES "/%s", scsi.sg);
	case VM_HOSTDEV_TYPE_SCSI_HOST:
	case VM_HOSTDEV_TYPE_ABSENT:
	case VM_HOSTDEV_TYPE_STORAGE:
	case VM_HOSTDEV_TYPE_MISC:
	case VM_HOSTDEV_TYPE_NET:
	case VM_HOSTDEV_TYPES:
		break;
	}
	return NULL;
}
