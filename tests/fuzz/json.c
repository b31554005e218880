/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON lines: what is valid must be valid to the library that QMP uses too, and the other way round. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <jansson.h>
#include <vm/json.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = { "", "event", "data.reason", "a.b.c", "." };
	const char *text = (const char *)data;
	json_error_t error;
	json_t *tree;
	size_t i;
	bool valid;

	if (size > 65536)
		return 0;
	valid = vm_json_valid(text, size);
	tree = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	/* jansson refuses numbers that do not fit and NUL bytes in keys */
	assert(!valid || tree || json_error_code(&error) == json_error_numeric_overflow ||
	       json_error_code(&error) == json_error_null_byte_in_key);
	json_decref(tree);
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct vm_json_slice v = vm_json_find(text, size, paths[i]);
		uint64_t n;
		char buf[32];

		assert(valid || !v.at);
		if (!v.at)
			continue;
		assert(v.at >= text && v.len && v.at + v.len <= text + size);
		assert(vm_json_valid(v.at, v.len));
		if (vm_json_string(v, buf, sizeof(buf)))
			assert(*v.at == '"' && strlen(buf) < sizeof(buf));
		if (vm_json_u64(v, &n))
			assert(*v.at >= '0' && *v.at <= '9');
		(void)vm_json_is(v, "true");
	}
	return 0;
}
