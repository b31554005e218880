/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm.conf: any text is read or refused by line. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/conf.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VM_AUTO_FREE char *text = vm_xmalloc(size + 1);
	struct vm_conf c = { 0 };
	struct vm_err err = VM_ERR_INIT;

	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	if (vm_conf_parse(text, size, &c, &err) < 0) {
		assert(err.kind == VM_BAD_INPUT);
		assert(strncmp(err.msg, "vm.conf:", 8) == 0);
		return 0;
	}
	assert(c.parallel <= 1024 && c.log_files <= 100 && c.acl_backend >= 0 && c.acl_backend <= 4);
	vm_conf_free(&c);
	return 0;
}
