/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
#include <stdbool.h>

struct vm_err;
struct vm_hostdev;
struct vm_sys;

/* The node that QEMU opens for a host device, as the host is now ("/dev/vfio/7", with iommufd "/dev/vfio/devices/vfio0"); *ret NULL:
 * none (iSCSI, vhost-scsi, a device that is not there, or not on VFIO yet).  Owned. */
int vm_hostdev_node(const struct vm_hostdev *h, bool iommufd, const struct vm_sys *sys, char **ret, struct vm_err *err);
/* The same by the address of a SCSI device. */
int vm_scsi_node(const struct vm_sys *sys, const char *name, char **ret, struct vm_err *err);
