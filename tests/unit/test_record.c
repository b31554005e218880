/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/record.h>
#include <vm/strbuf.h>

#define RECORD VM_AUTO(vm_record_free) struct vm_record

static void changes(void **state)
{
	RECORD r = VM_RECORD_INIT;

	(void)state;
	vm_record_add(&r, "tap", "vnet0");
	vm_record_add(&r, "pid", "12");
	vm_record_add(&r, "tap", "vnet1");
	assert_string_equal(vm_record_get(&r, "tap"), "vnet0");
	assert_string_equal(vm_record_nth(&r, "tap", 1), "vnet1");
	assert_null(vm_record_nth(&r, "tap", 2));
	assert_null(vm_record_get(&r, "ta"));
	vm_record_set(&r, "tap", vm_record_nth(&r, "tap", 1)); /* its own memory */
	assert_int_equal(r.n, 2);
	assert_string_equal(r.items[0].key, "tap");
	assert_string_equal(r.items[0].value, "vnet1");
	vm_record_setf(&r, "ms", "%d", 7);
	assert_int_equal(vm_record_u64(&r, "ms", 1), 7);
	vm_record_add(&r, "tap", "vnet2");
	vm_record_del(&r, "tap", "vnet1");
	vm_record_del(&r, "tap", "none");
	assert_string_equal(vm_record_get(&r, "tap"), "vnet2");
	vm_record_set(&r, "pid", NULL);
	assert_null(vm_record_get(&r, "pid"));
	vm_record_set(&r, "absent", NULL);
	vm_record_add(&r, "tap", "vnet3");
	vm_record_add(&r, "tap", "vnet4");
	vm_record_set(&r, r.items[r.n - 2].key, r.items[r.n - 1].value); /* its own memory once more */
	assert_string_equal(vm_record_get(&r, "tap"), "vnet4");
	assert_int_equal(r.n, 2);
}

static void numbers(void **state)
{
	RECORD r = VM_RECORD_INIT;

	(void)state;
	vm_record_set(&r, "a", "18446744073709551615");
	vm_record_set(&r, "b", "18446744073709551616");
	vm_record_set(&r, "c", "-5");
	vm_record_set(&r, "d", " 5");
	vm_record_set(&r, "e", "5x");
	vm_record_set(&r, "f", "");
	vm_record_set(&r, "g", "yes");
	vm_record_set(&r, "h", "no");
	assert_true(vm_record_u64(&r, "a", 1) == UINT64_MAX);
	assert_int_equal(vm_record_u64(&r, "b", 1), 1);
	assert_int_equal(vm_record_u64(&r, "c", 1), 1);
	assert_int_equal(vm_record_i64(&r, "c", 1), -5);
	assert_int_equal(vm_record_u64(&r, "d", 1), 1);
	assert_int_equal(vm_record_i64(&r, "d", 1), 1);
	assert_int_equal(vm_record_u64(&r, "e", 1), 1);
	assert_int_equal(vm_record_u64(&r, "f", 1), 1);
	assert_int_equal(vm_record_u64(&r, "none", 9), 9);
	assert_true(vm_record_bool(&r, "g", false));
	assert_false(vm_record_bool(&r, "h", true));
	assert_true(vm_record_bool(&r, "a", true));
}

static int parse(struct vm_record *r, const char *text, struct vm_err *err)
{
	*err = VM_ERR_INIT;
	return vm_record_parse(r, text, strlen(text), "vm-test", 3, err);
}

static void refusals(void **state)
{
	static const struct {
		const char *text;
		enum vm_kind kind;
		const char *msg;
	} rows[] = {
		{ "", VM_BAD_INPUT, "line 1: empty" },
		{ "vm-test 3", VM_BAD_INPUT, "line 1: cut off" },
		{ "vm-other 3\n", VM_BAD_INPUT, "line 1: not a \"vm-test\" record" },
		{ "vm-test x\n", VM_BAD_INPUT, "line 1: not a \"vm-test\" record" },
		{ "vm-test 03\n", VM_BAD_INPUT, "line 1: not a \"vm-test\" record" },
		{ "vm-test 3 \n", VM_BAD_INPUT, "line 1: not a \"vm-test\" record" },
		{ "vm-test 99999999999999999999\n", VM_BAD_INPUT, "line 1: not a \"vm-test\" record" },
		{ "vm-test 4\n", VM_UNSUPPORTED, "format 4 is newer than this program's 3" },
		{ "vm-test 1\n", VM_UNSUPPORTED, "format 1 is older than what is still read (2)" },
		{ "vm-test 3\na=b", VM_BAD_INPUT, "line 2: cut off" },
		{ "vm-test 3\nab\n", VM_BAD_INPUT, "line 2: not key=value" },
		{ "vm-test 3\n=b\n", VM_BAD_INPUT, "line 2: not key=value" },
		{ "vm-test 3\na=b\n\n", VM_BAD_INPUT, "line 3: not key=value" },
		{ "vm-test 3\na b=c\n", VM_BAD_INPUT, "line 2: not key=value" },
		{ "vm-test 3\na=\\q\n", VM_BAD_INPUT, "line 2: bad byte or escape" },
		{ "vm-test 3\na=\\x0\n", VM_BAD_INPUT, "line 2: bad byte or escape" },
		{ "vm-test 3\na=\\x00\n", VM_BAD_INPUT, "line 2: bad byte or escape" },
		{ "vm-test 3\na=\\x0A\n", VM_BAD_INPUT, "line 2: bad byte or escape" },
		{ "vm-test 3\na=b\tc\n", VM_BAD_INPUT, "line 2: bad byte or escape" },
	};
	RECORD r = VM_RECORD_INIT;
	struct vm_err err;
	size_t i;

	(void)state;
	for (i = 0; i < VM_COUNT(rows); i++) {
		assert_int_equal(parse(&r, rows[i].text, &err), -1);
		assert_int_equal(err.kind, rows[i].kind);
		assert_string_equal(err.msg, rows[i].msg);
		assert_int_equal(r.n, 0);
	}
	assert_int_equal(vm_record_parse(&r, "vm-test 3\na\0=b\n", 15, "vm-test", 3, &err), -1);
	assert_int_equal(vm_record_parse(&r, "vm-test 3\na=\0b\n", 15, "vm-test", 3, &err), -1);
}

static void old_and_new(void **state)
{
	RECORD r = VM_RECORD_INIT;
	struct vm_err err;

	(void)state;
	assert_int_equal(parse(&r, "vm-test 2\nfuture.key/1=x=y\n", &err), 0);
	assert_string_equal(vm_record_get(&r, "future.key/1"), "x=y");
}

static void there_and_back(void **state)
{
	char dir[] = "/tmp/vmt-record-XXXXXX";
	RECORD r = VM_RECORD_INIT;
	RECORD s = VM_RECORD_INIT;
	struct vm_err err = VM_ERR_INIT;
	char value[300];
	int fd, i;

	(void)state;
	for (i = 1; i < 256; i++)
		value[i - 1] = (char)i;
	value[255] = '\0';
	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	vm_record_add(&r, "all", value);
	vm_record_add(&r, "empty", "");
	vm_record_add(&r, "n\xc3\xa4me", "\xe2\x82\xac");
	vm_record_add(&r, "empty", "second");
	assert_true(vm_record_has(&r, "empty", "") && vm_record_has(&r, "empty", "second"));
	assert_false(vm_record_has(&r, "empty", "sec") || vm_record_has(&r, "all", "") || vm_record_has(&r, "none", "") ||
		     vm_record_has(&r, "empty", NULL));
	vm_record_del(&r, "empty", "second");
	assert_int_equal(vm_record_write(&r, fd, "r", "vm-test", 3, &err), 0);
	assert_int_equal(vm_record_read(&s, fd, "r", "vm-test", 3, &err), 0);
	assert_int_equal(s.n, 3);
	for (i = 0; i < 3; i++) {
		assert_string_equal(s.items[i].key, r.items[i].key);
		assert_string_equal(s.items[i].value, r.items[i].value);
	}
	vm_record_free(&s);
	assert_int_equal(vm_record_read(&s, fd, "none", "vm-test", 3, &err), -1);
	assert_int_equal(err.kind, VM_NOT_FOUND);
	assert_int_equal(vm_record_read(&s, fd, "r", "vm-other", 3, &err), -1);
	assert_string_equal(err.msg, "r: line 1: not a \"vm-other\" record");
	assert_int_equal(vm_record_write_volatile(&r, fd, "r", "vm-other", 1, &err), 0);
	assert_int_equal(vm_record_read(&s, fd, "r", "vm-other", 1, &err), 0);
	unlinkat(fd, "r", 0);
	close(fd);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes),     cmocka_unit_test(numbers),	 cmocka_unit_test(refusals),
		cmocka_unit_test(old_and_new), cmocka_unit_test(there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
