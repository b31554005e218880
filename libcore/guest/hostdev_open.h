/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Devices that no claim knows, and that the process of a running guest has open all the same.  Needs libc alone. */
struct vm_hostdev_view;
struct vm_state;
/*
 * Gives them that guest, and a reason "held:GUEST".  Most hosts have none that could be so: a PCI device on VFIO that is enabled, a USB
 * device that a program drives, a SCSI device with a node, a mediated device; only for these the descriptors of running guests'
 * processes are looked through, for a limited time.
 */
void vm_hostdev_find_open(struct vm_hostdev_view *v, const struct vm_state *state);
