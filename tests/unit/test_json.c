/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include <vm/cleanup.h>
#include <vm/json.h>

static void valid(void **state)
{
	static const char *const good[] = {
		"{}", "[]", " [ ] ", "null", "true", "false", "0", "-0", "-1.5e+10", "1E5", "\"\"",
		"{\"a\":[1,2,{\"b\":null}],\"c\":\"\\u00e9\\ud83d\\ude00\\n\\/\"}\r\n", "\"\xc3\xa9\"",
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
	};
	static const char *const bad[] = {
		"", " ", "{", "}", "[1,]", "[,1]", "{\"a\":1,}", "{\"a\" 1}", "{a:1}", "{1:2}", "nul",
		"nulll", "True", "01", "-", "+1", "1.", ".5", "1e", "1e+", "0x10", "NaN", "'a'", "\"",
		"\"\\\"", "\"\\x41\"", "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"",
		"\"\t\"", "\"\n\"", "\"\xff\"", "\"\xc3\"", "1 2", "{} {}", "[1 2]", "// x", "\xef\xbb\xbf{}",
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
	};
	size_t i, n;

	(void)state;
	for (i = 0; i < VM_COUNT(good); i++)
		assert_true(vm_json_valid(good[i], strlen(good[i])));
	for (i = 0; i < VM_COUNT(bad); i++)
		assert_false(vm_json_valid(bad[i], strlen(bad[i])));
	assert_false(vm_json_valid("1\0", 2));
	assert_false(vm_json_valid("\"a\0b\"", 5));
	/* no beginning of it is taken for the whole */
	for (n = 0; n < strlen(good[11]) - 2; n++)
		assert_false(vm_json_valid(good[11], n));
}

static struct vm_json_slice find(const char *text, const char *path)
{
	return vm_json_find(text, strlen(text), path);
}

static void finds_values(void **state)
{
	static const char line[] =
		" { \"event\" : \"STOP\", \"data\":{\"reason\":\"guest\\n\\u0041\",\"n\":12,\"ok\":true,"
		"\"l\":[1],\"n\":13, \"a\\u0062\": null, \"dataX\":1}, \"e\": {} }\r\n";
	char buf[16], tiny[7];
	uint64_t n = 0;

	(void)state;
	assert_true(vm_json_is(find(line, "event"), "STOP"));
	assert_false(vm_json_is(find(line, "event"), "STO"));
	assert_false(vm_json_is(find(line, "event"), "STOPS"));
	assert_true(vm_json_string(find(line, "data.reason"), buf, sizeof(buf)));
	assert_string_equal(buf, "guest\nA");
	assert_false(vm_json_string(find(line, "data.reason"), tiny, sizeof(tiny)));
	assert_true(vm_json_u64(find(line, "data.n"), &n));
	assert_int_equal(n, 13); /* the last counts */
	assert_true(vm_json_is(find(line, "data.ok"), "true"));
	assert_true(vm_json_is(find(line, "data.ab"), "null"));
	assert_int_equal(find(line, "data.l").len, 3);
	assert_memory_equal(find(line, "e").at, "{}", 2);
	assert_non_null(find(line, "data").at);
	assert_null(find(line, "dat").at);
	assert_null(find(line, "data.reason.x").at);
	assert_null(find(line, "data.l.0").at);
	assert_null(find(line, "e.x").at);
	assert_null(find(line, "none").at);
	assert_int_equal(*find(line, "").at, '{');
	assert_null(find("{\"a\":1,}", "a").at); /* not valid: nothing is in it */
}

static void scalars(void **state)
{
	struct vm_json_slice none = { 0 };
	uint64_t n = 1;
	char buf[8];

	(void)state;
	assert_false(vm_json_u64(none, &n));
	assert_false(vm_json_string(none, buf, sizeof(buf)));
	assert_false(vm_json_is(none, "null"));
	assert_false(vm_json_u64(find("-1", ""), &n));
	assert_false(vm_json_u64(find("1.0", ""), &n));
	assert_false(vm_json_u64(find("1e3", ""), &n));
	assert_false(vm_json_u64(find("18446744073709551616", ""), &n));
	assert_true(vm_json_u64(find("18446744073709551615", ""), &n));
	assert_true(n == UINT64_MAX);
	assert_true(vm_json_u64(find("0", ""), &n));
	assert_int_equal(n, 0);
	assert_false(vm_json_string(find("\"a\\u0000b\"", ""), buf, sizeof(buf)));
	assert_false(vm_json_string(find("12", ""), buf, sizeof(buf)));
	assert_true(vm_json_string(find("\"\\ud83d\\ude00\\\"\"", ""), buf, sizeof(buf)));
	assert_string_equal(buf, "\xf0\x9f\x98\x80\"");
	assert_true(vm_json_string(find("\"\"", ""), buf, 1));
	assert_false(vm_json_string(find("\"\"", ""), buf, 0));
	assert_false(vm_json_is(find("\"true\"", ""), "\"tru\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid),
		cmocka_unit_test(finds_values),
		cmocka_unit_test(scalars),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
