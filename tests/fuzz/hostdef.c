/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Documents and names of host devices that can be made: what is understood has a key that is a file's name, and reads the same when it is
 * written and read again. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/state.h>
#include <vm/strbuf.h>
#include <vm/xml.h>

#include "model/hostdef.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_key(const char *key)
{
	VM_AUTO_FREE char *again = NULL;
	struct vm_err err = VM_ERR_INIT;

	assert(vm_name_valid(key) && strchr(key, '/') == NULL);
	again = vm_hostdef_name(key, &err);
	assert(again != NULL && strcmp(again, key) == 0);
}

static void name(const uint8_t *data, size_t size)
{
	VM_AUTO_FREE char *text = vm_xstrndup((const char *)data, size);
	VM_AUTO_FREE char *key = NULL;
	struct vm_err err = VM_ERR_INIT;

	key = vm_hostdef_name(text, &err);
	assert((key == NULL) == (err.kind != VM_OK));
	if (key != NULL)
		check_key(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t uuid[16] = { 1, 2, 3 };
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	VM_AUTO(vm_xml_freep) struct vm_xml *again = NULL;
	VM_AUTO(vm_hostdef_freep) struct vm_hostdef *d = NULL;
	VM_AUTO(vm_hostdef_freep) struct vm_hostdef *same = NULL;
	VM_AUTO(vm_strbuf_free) struct vm_strbuf text = VM_STRBUF_INIT;
	VM_AUTO_FREE char *key = NULL;
	struct vm_err err = VM_ERR_INIT;

	name(data, size);
	if (vm_xml_parse((const char *)data, size, "t.xml", &doc, &err) < 0)
		return 0;
	if (vm_hostdef_parse(doc, &d, &err) < 0) {
		assert(err.kind == VM_BAD_INPUT || err.kind == VM_UNSUPPORTED);
		return 0;
	}
	vm_hostdef_identify(d, uuid);
	key = vm_hostdef_key(d);
	check_key(key);
	assert(vm_hostdef_check(d, &err) == 0);
	mt_format(&vm_hostdef_type, d, 0, 0, &text);
	assert(vm_xml_parse(text.text, text.len, "again.xml", &again, &err) == 0);
	assert(vm_hostdef_parse(again, &same, &err) == 0);
	assert(mt_equal(&vm_hostdef_type, d, same));
	return 0;
}
