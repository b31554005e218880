/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/strbuf.h>

#define AUTOBUF VM_AUTO(vm_strbuf_free) struct vm_strbuf

static void grows(void **state)
{
	AUTOBUF b = VM_STRBUF_INIT;
	VM_AUTO_FREE char *taken = NULL;
	int i;

	(void)state;
	vm_strbuf_puts(&b, "");
	assert_string_equal(b.text, "");
	for (i = 0; i < 1000; i++)
		vm_strbuf_printf(&b, "%03d,", i);
	assert_int_equal(b.len, 4000);
	assert_memory_equal(b.text + 3992, "998,999,", 9);
	taken = vm_strbuf_take(&b);
	assert_null(b.text);
	assert_int_equal(strlen(taken), 4000);
	free(vm_take_ptr(&taken));
	taken = vm_strbuf_take(&b);
	assert_string_equal(taken, "");
	vm_strbuf_putc(&b, 'x');
	vm_strbuf_clear(&b);
	assert_string_equal(b.text, "");
}

static void utf8(void **state)
{
	static const struct {
		const char *text;
		size_t n;
	} rows[] = {
		{ "a", 1 },
		{ "\xc3\xa9", 2 },
		{ "\xe2\x82\xac", 3 },
		{ "\xf4\x8f\xbf\xbf", 4 },
		{ "\xf4\x90\x80\x80", 0 }, /* above U+10FFFF */
		{ "\xc0\xaf", 0 },	   /* overlong */
		{ "\xe0\x80\xaf", 0 },
		{ "\xf0\x80\x80\xaf", 0 },
		{ "\xed\xa0\x80", 0 }, /* surrogate */
		{ "\xed\x9f\xbf", 3 },
		{ "\x80", 0 },
		{ "\xc3", 0 },
		{ "\xe2\x82", 0 },
		{ "\xe2\x28\xa1", 0 },
		{ "\xf5\x80\x80\x80", 0 },
		{ "\xff", 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < VM_COUNT(rows); i++)
		assert_int_equal(vm_utf8_next(rows[i].text, strlen(rows[i].text)), rows[i].n);
	assert_int_equal(vm_utf8_next("", 0), 0);
	assert_int_equal(vm_utf8_next("\xe2\x82\xac", 2), 0);
	assert_true(vm_utf8_valid("caf\xc3\xa9", 5));
	assert_false(vm_utf8_valid("caf\xc3", 4));
}

static void escapes(void **state)
{
	static const struct {
		const char *in, *escaped, *printable, *json, *text, *attr;
	} rows[] = {
		{ "", "", "", "\"\"", "", "" },
		{ "a\tb\nc\\d", "a\\x09b\\x0ac\\x5cd", "a\\x09b\\x0ac\\d", "\"a\\tb\\nc\\\\d\"",
		  "a\tb\nc\\d", "a&#9;b&#10;c\\d" },
		{ "\x1b[31m\x7f", "\\x1b[31m\\x7f", "\\x1b[31m\\x7f", "\"\\u001b[31m\\u007f\"",
		  "\xef\xbf\xbd[31m\x7f", "\xef\xbf\xbd[31m\x7f" },
		{ "\xc2\x9b\xc2\xa0", "\\xc2\\x9b\xc2\xa0", "\\xc2\\x9b\xc2\xa0",
		  "\"\xc2\x9b\xc2\xa0\"", "\xc2\x9b\xc2\xa0", "\xc2\x9b\xc2\xa0" },
		{ "\xff" "e", "\\xffe", "\\xffe", "\"\xef\xbf\xbd" "e\"", "\xef\xbf\xbd" "e",
		  "\xef\xbf\xbd" "e" },
		{ "<a b=\"c\">&\r", "<a b=\"c\">&\\x0d", "<a b=\"c\">&\\x0d",
		  "\"<a b=\\\"c\\\">&\\u000d\"", "&lt;a b=\"c\"&gt;&amp;&#13;",
		  "&lt;a b=&quot;c&quot;&gt;&amp;&#13;" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < VM_COUNT(rows); i++) {
		AUTOBUF b = VM_STRBUF_INIT;

		vm_strbuf_escape(&b, rows[i].in);
		assert_string_equal(b.text, rows[i].escaped);
		vm_strbuf_clear(&b);
		vm_strbuf_printable(&b, rows[i].in);
		assert_string_equal(b.text, rows[i].printable);
		vm_strbuf_clear(&b);
		vm_strbuf_json(&b, rows[i].in);
		assert_string_equal(b.text, rows[i].json);
		vm_strbuf_clear(&b);
		vm_strbuf_xml(&b, rows[i].in, false);
		assert_string_equal(b.text, rows[i].text);
		vm_strbuf_clear(&b);
		vm_strbuf_xml(&b, rows[i].in, true);
		assert_string_equal(b.text, rows[i].attr);
	}
}

static void json_null(void **state)
{
	AUTOBUF b = VM_STRBUF_INIT;

	(void)state;
	vm_strbuf_json(&b, NULL);
	assert_string_equal(b.text, "null");
}

/* The shell itself is the judge. */
static void shell_words(void **state)
{
	static const char *const words[] = { "plain", "a b", "", "it's", "$(id)", "`x`", "\"q\"", "a\\b",
					     "*",     "~",   "-n", "new\nline", "!x", "a=b", "#c" };
	size_t i;

	(void)state;
	for (i = 0; i < VM_COUNT(words); i++) {
		AUTOBUF b = VM_STRBUF_INIT;
		char got[64] = "";
		FILE *p;

		vm_strbuf_puts(&b, "printf '%s.' ");
		vm_strbuf_shell(&b, words[i]);
		p = popen(b.text, "r");
		assert_non_null(p);
		assert_true(fread(got, 1, sizeof(got) - 1, p) > 0);
		assert_int_equal(pclose(p), 0);
		assert_int_equal(strlen(got), strlen(words[i]) + 1);
		assert_memory_equal(got, words[i], strlen(words[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows),     cmocka_unit_test(utf8),	    cmocka_unit_test(escapes),
		cmocka_unit_test(json_null), cmocka_unit_test(shell_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
