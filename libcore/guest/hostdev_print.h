/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What vm-hostdev-list and vm-hostdev-info print in the same way. */
struct vm_hostdev_item;
struct vm_out;

/* NULL: none. */
const char *vm_hostdev_driver(const struct vm_hostdev_item *i);
/* The memory node it is near to; -1 = unknown. */
int vm_hostdev_numa(const struct vm_hostdev_item *i);
/* vendor, product, class */
void vm_hostdev_ids(struct vm_out *out, const struct vm_hostdev_item *i);
/* reset: a list of the kernel's words */
void vm_hostdev_resets(struct vm_out *out, const struct vm_hostdev_item *i);
/* A negative value is unknown. */
void vm_hostdev_number(struct vm_out *out, const char *key, int value);
