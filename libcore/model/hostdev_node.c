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

/* What is not there has none; what cannot be looked at is an error. */
static int none_of(const struct vm_err *why, struct vm_err *err)
{
	if (why->kind == VM_NOT_FOUND || why->kind == VM_BAD_INPUT)
		return 0;
	*err = *why;
	return -1;
}

static int pci_node(const struct vm_sys *sys, const char *name, bool iommufd, char **ret, struct vm_err *err)
{
	struct vm_err why = VM_ERR_INIT;
	struct vm_pci pci;

	if (vm_pci_read(sys, name, &pci, &why) < 0)
		return none_of(&why, err);
	if (iommufd && pci.group != VM_NO_GROUP && pci.vfio_cdev[0] != 0)
		*ret = vm_xasprintf(VM_VFIO_DEVICES "/%s", pci.vfio_cdev);
	else if (!iommufd && pci.group != VM_NO_GROUP)
		*ret = vm_xasprintf(VM_VFIO_NODES "/%d", pci.group);
	return 0;
}

static int mdev_node(const struct vm_sys *sys, const char *uuid, char **ret, struct vm_err *err)
{
	struct vm_err why = VM_ERR_INIT;
	struct vm_mdev mdev;

	if (vm_mdev_read(sys, uuid, &mdev, &why) < 0)
		return none_of(&why, err);
	if (mdev.group >= 0)
		*ret = vm_xasprintf(VM_VFIO_NODES "/%d", mdev.group);
	return 0;
}

int vm_scsi_node(const struct vm_sys *sys, const char *name, char **ret, struct vm_err *err)
{
	struct vm_err why = VM_ERR_INIT;
	struct vm_scsi scsi;

	*ret = NULL;
	if (vm_scsi_read(sys, name, &scsi, &why) < 0)
		return none_of(&why, err);
	if (scsi.sg[0] != 0)
		*ret = vm_xasprintf(VM_SCSI_NODES "/%s", scsi.sg);
	return 0;
}

int vm_hostdev_node(const struct vm_hostdev *h, bool iommufd, const struct vm_sys *sys, char **ret, struct vm_err *err)
{
	VM_AUTO_FREE char *name = vm_hostdev_source_text(h);

	*ret = NULL;
	switch ((enum vm_hostdev_type)h->type) {
	case VM_HOSTDEV_TYPE_PCI:
		return pci_node(sys, name, iommufd, ret, err);
	case VM_HOSTDEV_TYPE_MDEV:
		return mdev_node(sys, name + strlen("mdev:"), ret, err);
	case VM_HOSTDEV_TYPE_USB:
		*ret = usb_node(h);
		return 0;
	case VM_HOSTDEV_TYPE_SCSI:
		return h->source->protocol == VM_HOSTDEV_PROTOCOL_ISCSI
			       ? 0
			       : vm_scsi_node(sys, name + strlen("scsi:"), ret, err);
	case VM_HOSTDEV_TYPE_SCSI_HOST:
	case VM_HOSTDEV_TYPE_ABSENT:
	case VM_HOSTDEV_TYPE_STORAGE:
	case VM_HOSTDEV_TYPE_MISC:
	case VM_HOSTDEV_TYPE_NET:
	case VM_HOSTDEV_TYPES:
		break;
	}
	return 0;
}
