/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The IOMMU that a guest sees, of which there is one at most. */
#include "device.h"

enum vm_iommu_model {
	VM_IOMMU_NONE,
	VM_IOMMU_INTEL,	 /* of q35 machines; has no address */
	VM_IOMMU_SMMUV3,
	VM_IOMMU_VIRTIO, /* a PCI device of the root bus */
	VM_IOMMU_AMD
};
extern const char *const vm_iommu_model_words[];
struct vm_iommu {
	struct vm_device dev;
	int model;
	/* enum vm_switch; of model intel only */
	int intremap, caching_mode, eim, iotlb, dma_translation;
	uint64_t aw_bits; /* width of its addresses; 0 = absent; of model intel only */
};
enum vm_iommu_bit {
	VM_IOMMU_BIT_MODEL,
	VM_IOMMU_BIT_INTREMAP,
	VM_IOMMU_BIT_CACHING_MODE,
	VM_IOMMU_BIT_EIM,
	VM_IOMMU_BIT_IOTLB,
	VM_IOMMU_BIT_AW_BITS,
	VM_IOMMU_BIT_DMA_TRANSLATION
};
extern const struct mt_type vm_iommu_type;
