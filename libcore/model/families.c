// SPDX-License-Identifier: LGPL-2.1-or-later
// The families of devices, and walking over them.
#include "domain.h"

#include <string.h>

#define FAMILY(word, member)                                                                       \
	{                                                                                          \
#word, offsetof(struct vm_domain, member), &vm_##word##_type                       \
	}
const struct vm_family vm_families[VM_FAMILIES] = {
    [VM_FAMILY_DISK] = FAMILY(disk, disks),
    [VM_FAMILY_CONTROLLER] = FAMILY(controller, controllers),
    [VM_FAMILY_INTERFACE] = FAMILY(interface, interfaces),
    [VM_FAMILY_SERIAL] = FAMILY(serial, serials),
    [VM_FAMILY_PARALLEL] = FAMILY(parallel, parallels),
    [VM_FAMILY_CONSOLE] = FAMILY(console, consoles),
    [VM_FAMILY_CHANNEL] = FAMILY(channel, channels),
    [VM_FAMILY_INPUT] = FAMILY(input, inputs),
    [VM_FAMILY_GRAPHICS] = FAMILY(graphics, graphics),
    [VM_FAMILY_VIDEO] = FAMILY(video, videos),
    [VM_FAMILY_MEMBALLOON] = FAMILY(memballoon, memballoons),
    [VM_FAMILY_RNG] = FAMILY(rng, rngs),
    [VM_FAMILY_WATCHDOG] = FAMILY(watchdog, watchdogs),
    [VM_FAMILY_PANIC] = FAMILY(panic, panics),
    [VM_FAMILY_AUDIO] = FAMILY(audio, audios),
    [VM_FAMILY_HOSTDEV] = FAMILY(hostdev, hostdevs),
    [VM_FAMILY_TPM] = FAMILY(tpm, tpms),
    [VM_FAMILY_FILESYSTEM] = FAMILY(filesystem, filesystems),
    [VM_FAMILY_IOMMU] = FAMILY(iommu, iommus),
};

bool vm_domain_is_q35(const struct vm_domain *d)
{
	const char *m = d->os ? d->os->machine : NULL;

	return m && (strcmp(m, "q35") == 0 || strncmp(m, "pc-q35-", 7) == 0);
}

const struct vm_iommu *vm_domain_iommu(const struct vm_domain *d)
{
	return d->iommus.n > 0 ? d->iommus.v[0] : NULL;
}

int vm_domain_each_device(const struct vm_domain *d,
			  int (*fn)(enum vm_device_family family, struct vm_device *dev, void *arg),
			  void *arg)
{
	for (unsigned family = 0; family < VM_FAMILIES; family++) {
		const struct mt_list *list = vm_domain_list(d, family);

		for (uint32_t i = 0; i < list->n; i++) {
			int ret = fn(family, list->v[i], arg);

			if (ret)
				return ret;
		}
	}
	return 0;
}

void *vm_domain_add_device(struct vm_domain *d, enum vm_device_family family)
{
	void *dev = mt_new(vm_families[family].type);

	mt_list_add(vm_domain_list(d, family), dev);
	return dev;
}
