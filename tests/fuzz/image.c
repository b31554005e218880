/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Headers of disk images, which guests write; the first byte says as what one is read. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>

#include "host/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const formats[] = { "qcow2", "qcow", "qed", "vmdk" };
	const char *format;
	struct vm_image image;
	uint8_t *copy;

	if (size < 2)
		return 0;
	format = formats[data[0] % 4];
	/* bytes beyond the end would be found */
	copy = vm_xmemdup(data + 1, size - 1);
	memset(&image, 'x', sizeof(image));
	if (vm_image_parse(format, copy, size - 1, &image) == VM_IMAGE_OK)
		assert(strlen(image.backing) <= VM_IMAGE_NAME_MAX && strlen(image.format) <= VM_IMAGE_FORMAT_MAX);
	free(copy);
	return 0;
}
