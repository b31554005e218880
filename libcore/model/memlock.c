/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memlock.h"

#include "domain.h"

/* Users of VFIO: each may reach all of the guest's memory, and one mapping is enough without a virtual IOMMU. */
static unsigned vfio_users(const struct vm_domain *d)
{
	struct vm_hostdev_iter i = { 0 };
	const struct vm_hostdev *h;
	unsigned n = 0;

	/* iommufd counts its pages for the user, in the same limit, and each once */
	while ((h = vm_hostdev_next(d, &i)) != NULL)
		n += h->type == VM_HOSTDEV_TYPE_PCI || h->type == VM_HOSTDEV_TYPE_MDEV;
	return n;
}

uint64_t vm_domain_memlock(const struct vm_domain *d)
{
	if (d->memtune != NULL && mt_is_set(&d->memtune->obj, VM_MEMTUNE_BIT_HARD))
		return d->memtune->hard >= VM_MEMTUNE_UNLIMITED ? VM_MEMLOCK_UNLIMITED : d->memtune->hard;
	if (d->memory_backing != NULL && d->memory_backing->locked)
		return VM_MEMLOCK_UNLIMITED;
	return vfio_users(d) > 0 ? d->memory + VM_MEMLOCK_BEYOND : 0;
}

bool vm_domain_locks_memory(const struct vm_domain *d)
{
	return vfio_users(d) > 0 || (d->memory_backing != NULL && d->memory_backing->locked);
}
