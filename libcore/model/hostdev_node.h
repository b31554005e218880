/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
struct vm_hostdev;
struct vm_sys;

/* The node that QEMU opens for a host device, as the host is now ("/dev/vfio/7"); NULL: none (iSCSI, vhost-scsi,
 * a device that is not there).  Owned. */
char *vm_hostdev_node(const struct vm_hostdev *h, const struct vm_sys *sys);
