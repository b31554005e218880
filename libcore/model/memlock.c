/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memlock.h"

#include "domain.h"

/* How often all of the guest's memory is mapped for devices: the kernel counts a page once for each mapping that has it. */
static uint64_t mappings(const struct vm_domain *d)
{
	struct vm_hostdev_iter i = { 0 };
	const struct vm_hostdev *h;
	uint64_t devices = 0, disks = 0;

	while ((h = vm_hostdev_next(d, &i)) != NULL) {
		if (i.disk != NULL)
			disks++; /* QEMU's driver for NVMe has a mapping of its own for each */
		else
			devices += h->type == VM_HOSTDEV_TYPE_PCI || h->type == VM_HOSTDEV_TYPE_MDEV;
	}
	/* Without an IOMMU that the guest sees they share one; with iommufd it is the same. */
	if (devices > 1 && vm_domain_iommu(d) == NULL)
		devices = 1;
	return devices + disks;
}

uint64_t vm_domain_memlock(const struct vm_domain *d)
{
	uint64_t n, bytes;

	if (d->memtune != NULL && mt_is_set(&d->memtune->obj, VM_MEMTUNE_BIT_HARD))
		return d->memtune->hard >= VM_MEMTUNE_UNLIMITED ? VM_MEMLOCK_UNLIMITED : d->memtune->hard;
	if (d->memory_backing != NULL && d->memory_backing->locked)
		return VM_MEMLOCK_UNLIMITED;
	n = mappings(d);
	if (n == 0)
		return 0;
	if (__builtin_mul_overflow(d->memory, n, &bytes) || __builtin_add_overflow(bytes, VM_MEMLOCK_BEYOND, &bytes))
		return VM_MEMLOCK_UNLIMITED;
	return bytes;
}

bool vm_domain_locks_memory(const struct vm_domain *d)
{
	return mappings(d) > 0 || (d->memory_backing != NULL && d->memory_backing->locked);
}
