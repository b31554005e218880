/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's IOMMU. */
#include <vm/cleanup.h>

#include "qemu/plan/plan.h"

/* Source: "-device intel-iommu,help" of QEMU 7.2; libvirt 9.0, formatdomain "IOMMU devices". */
static const struct vm_prop intel_props[] = {
#define SWITCH(name, member, bit, kind)                                                                      \
	{ name, offsetof(struct vm_iommu, member), VM_IOMMU_BIT_##bit, kind, vm_on_off_words }
	SWITCH("intremap", intremap, INTREMAP, VM_PROP_ENUM),
	SWITCH("caching-mode", caching_mode, CACHING_MODE, VM_PROP_ENUM_ONOFF),
	SWITCH("eim", eim, EIM, VM_PROP_ENUM),
	SWITCH("device-iotlb", iotlb, IOTLB, VM_PROP_ENUM_ONOFF),
	{ "aw-bits", offsetof(struct vm_iommu, aw_bits), VM_IOMMU_BIT_AW_BITS, VM_PROP_U64, NULL },
	SWITCH("dma-translation", dma_translation, DMA_TRANSLATION, VM_PROP_ENUM_ONOFF),
#undef SWITCH
};

void vm_plan_iommu(struct vm_plan *p)
{
	const struct vm_iommu *i = vm_domain_iommu(p->d);
	VM_AUTO_FREE char *alias = i != NULL ? vm_qemu_alias(p->d, VM_FAMILY_IOMMU, &i->dev) : NULL;
	struct vm_qobj o = VM_QOBJ_INIT;

	if (i == NULL)
		return;
	vm_qobj_str(&o, "driver", i->model == VM_IOMMU_INTEL ? "intel-iommu" : "virtio-iommu-pci");
	vm_qobj_str(&o, "id", alias);
	vm_qobj_props(&o, intel_props, VM_COUNT(intel_props), i);
	vm_plan_address(p, &o, &i->dev);
	vm_qobj_emit(&o, p->a, "-device");
}
