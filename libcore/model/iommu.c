// SPDX-License-Identifier: LGPL-2.1-or-later
#include "iommu.h"

#include "rows.h"

const char *const vm_iommu_model_words[] = { "", "intel", "!smmuv3", "virtio", "!amd", NULL };

#define I(xml, member, bit, kind, ...) MT_ROW(struct vm_iommu, xml, member, VM_IOMMU_BIT_##bit, kind, __VA_ARGS__)
#define I_SWITCH(xml, member, bit)     I(xml, member, bit, MT_ENUM, .arg = vm_on_off_words)

/* Source: libvirt 9.0, formatdomain "IOMMU devices"; dma_translation: the same of libvirt 10.7. */
static const struct mt_range aw_bits_range = { .min = 1, .max = 64 };
static const struct mt_row iommu_rows[] = {
	I("@model", model, MODEL, MT_ENUM, .flags = MT_REQUIRED | MT_KEY, .arg = vm_iommu_model_words),
	I_SWITCH("driver/@intremap", intremap, INTREMAP),
	I_SWITCH("driver/@caching_mode", caching_mode, CACHING_MODE),
	I_SWITCH("driver/@eim", eim, EIM),
	I_SWITCH("driver/@iotlb", iotlb, IOTLB),
	I("driver/@aw_bits", aw_bits, AW_BITS, MT_U64, .arg = &aw_bits_range),
	I_SWITCH("driver/@dma_translation", dma_translation, DMA_TRANSLATION),
	VM_DEVICE_ROWS(struct vm_iommu),
};

static int check_iommu(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	static const struct vm_only table[] = {
#define INTEL(bit, xml) { VM_IOMMU_BIT_##bit, xml, VM_ONE(VM_IOMMU_INTEL), "model='intel'" }
		INTEL(INTREMAP, "driver/@intremap"),
		INTEL(CACHING_MODE, "driver/@caching_mode"),
		INTEL(EIM, "driver/@eim"),
		INTEL(IOTLB, "driver/@iotlb"),
		INTEL(AW_BITS, "driver/@aw_bits"),
		INTEL(DMA_TRANSLATION, "driver/@dma_translation"),
#undef INTEL
		{ VM_DEVICE_ACPI_INDEX, "acpi/@index", VM_ONE(VM_IOMMU_VIRTIO), "model='virtio'" },
	};
	const struct vm_iommu *i = obj;

	if (vm_check_only(ctx, &i->dev.obj, table, VM_COUNT(table), i->model, err) < 0)
		return -1;
	if (i->eim == VM_SWITCH_ON && i->intremap != VM_SWITCH_ON)
		return mt_error(ctx, i, "driver/@eim", VM_BAD_INPUT, err,
				"extended interrupt mode needs interrupt remapping: intremap='on'");
	return 0;
}
const struct mt_type vm_iommu_type = {
	.elem = "iommu",
	.size = sizeof(struct vm_iommu),
	.rows = iommu_rows,
	.n = VM_COUNT(iommu_rows),
	.check = check_iommu,
};
