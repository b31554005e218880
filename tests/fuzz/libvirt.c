/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The light scan of libvirt's runtime files. */
#include <stddef.h>
#include <stdint.h>

#include <vm/cleanup.h>

#include "state/libvirt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VM_AUTO(vm_libvirt_freep) struct vm_libvirt *l = vm_libvirt_new();
	/* exactly as long as it is: a read behind it shows */
	VM_AUTO_FREE char *text = malloc(size ? size : 1);
	static const uint8_t uuid[16] = { 0x11 };
	struct vm_err err = VM_ERR_INIT;

	for (size_t i = 0; i < size; i++)
		text[i] = (char)data[i];
	vm_libvirt_add(l, "fuzz", text, size);
	(void)vm_libvirt_check_uuid(l, uuid, &err);
	(void)vm_libvirt_check_key(l, "file:1:1", VM_CLAIM_READ, &err);
	return 0;
}
