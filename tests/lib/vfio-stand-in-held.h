/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What of the stand-in lasts: a device that came by device_add, and has a name, keeps the node of its IOMMU group open until its
 * DEVICE_DELETED, or a list without it, has been sent; every edu is a vfio-pci in QEMU's lists of devices, and these have a property host.
 */
#include <stddef.h>

/* A device_add whose node can be opened; host: behind the quote. */
void held_take(const char *text, size_t len, const char *host, const char *node);
/* What is about to be read from a monitor. */
void held_asked(int fd, const char *text, size_t len);
