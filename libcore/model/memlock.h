/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* How much memory a guest's QEMU must be able to lock: what a device may reach by DMA stays where it is. */
#include <stdbool.h>
#include <stdint.h>

struct vm_domain;

#define VM_MEMLOCK_UNLIMITED UINT64_MAX
/* Bytes a user of VFIO needs beside its guest's memory: registers of devices and QEMU's own. */
#define VM_MEMLOCK_BEYOND (UINT64_C(1) << 30)
/* Bytes; 0 = whatever it has will do.  Source: libvirt 9.0, formatdomain <hard_limit>, <locked>. */
uint64_t vm_domain_memlock(const struct vm_domain *d);
/* Does anything of the guest lock memory for certain?  Otherwise the limit is a leave, and not to get it no failure. */
bool vm_domain_locks_memory(const struct vm_domain *d);
