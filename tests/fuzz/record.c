/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records: what can be read is written back as it was, and read the same. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <vm/cleanup.h>
#include <vm/record.h>
#include <vm/strbuf.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	VM_AUTO(vm_record_free) struct vm_record s = VM_RECORD_INIT;
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	struct vm_err err = VM_ERR_INIT;
	size_t i;

	if (vm_record_parse(&r, (const char *)data, size, "vm-test", 2, &err) < 0) {
		assert(err.kind == VM_BAD_INPUT || err.kind == VM_UNSUPPORTED);
		assert(err.msg[0] && r.n == 0);
		return 0;
	}
	vm_record_format(&r, "vm-test", 2, &b);
	assert(vm_record_parse(&s, b.text, b.len, "vm-test", 2, &err) == 0);
	assert(s.n == r.n);
	for (i = 0; i < r.n; i++)
		assert(strcmp(r.items[i].key, s.items[i].key) == 0 &&
		       strcmp(r.items[i].value, s.items[i].value) == 0);
	(void)vm_record_u64(&r, "a", 0);
	(void)vm_record_i64(&r, "a", 0);
	(void)vm_record_bool(&r, "a", false);
	if (r.n) {
		vm_record_set(&r, r.items[r.n / 2].key, r.items[0].value);
		vm_record_del(&r, r.items[0].key, r.items[0].value);
	}
	return 0;
}
