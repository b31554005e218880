/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/conf.h>
#include <vm/file.h>

#include "scratch.h"

static const char *from_of(char **from, const char *name)
{
	size_t i;

	for (i = 0; vm_conf_keys[i].name; i++)
		if (strcmp(vm_conf_key_name(&vm_conf_keys[i]), name) == 0)
			return from[i];
	return NULL;
}

static void defaults(void **state)
{
	struct vm_conf c;
	struct vm_err err;
	char **from;

	(void)state;
	assert_int_equal(vm_conf_load(-1, &c, &from, &err), 0);
	assert_string_equal(c.group, "vm");
	assert_string_equal(c.vnc_listen, "127.0.0.1");
	assert_null(c.emulator);
	assert_null(c.cgroup_device_acl);
	assert_true(c.private_dev);
	assert_int_equal(c.stop_timeout_ms, 120000);
	assert_int_equal(c.hook_timeout_ms, 60000);
	assert_int_equal(c.log_bytes, 2 << 20);
	assert_int_equal(c.log_files, 3);
	assert_int_equal(c.acl_backend, 0);
	assert_string_equal(from_of(from, "group"), "default");
	vm_conf_from_free(from);
	vm_conf_free(&c);
	vm_conf_free(&c);
	assert_int_equal(vm_conf_load(scratch_dir, &c, NULL, &err), 0); /* nothing there is fine */
	vm_conf_free(&c);
}

static void two_places(void **state)
{
	struct vm_conf c;
	struct vm_err err;
	char **from;

	(void)state;
	scratch_put("vm.conf", "# comment = x\n\n  group =  wheel staff \r\nprivate_dev=no\nstop_timeout = 5\nemulator =\n"
		       "acl_backend = both");
	assert_int_equal(mkdirat(scratch_dir, "conf.d", 0755), 0);
	scratch_put("conf.d/20.conf", "group = b\nlog_bytes=1G\nevents_bytes=65536\n");
	scratch_put("conf.d/10.conf", "group = a\nparallel = 0x10\n");
	scratch_put("conf.d/30.conf~", "group = no\n");
	scratch_put("conf.d/.40.conf", "group = no\n");
	assert_int_equal(vm_conf_load(scratch_dir, &c, &from, &err), 0);
	assert_string_equal(c.group, "b");
	assert_false(c.private_dev);
	assert_int_equal(c.stop_timeout_ms, 5000);
	assert_int_equal(c.acl_backend, 3);
	assert_int_equal(c.parallel, 16);
	assert_int_equal(c.log_bytes, 1 << 30);
	assert_int_equal(c.events_bytes, 65536);
	assert_null(c.emulator);
	assert_string_equal(from_of(from, "group"), "conf.d/20.conf:1");
	assert_string_equal(from_of(from, "private_dev"), "vm.conf:4");
	assert_string_equal(from_of(from, "parallel"), "conf.d/10.conf:2");
	assert_string_equal(from_of(from, "log_files"), "default");
	vm_conf_from_free(from);
	vm_conf_free(&c);
	scratch_put("conf.d/20.conf", "group = b\nlog_bytes=1X\n");
	assert_int_equal(vm_conf_load(scratch_dir, &c, &from, &err), -1);
	assert_string_equal(err.msg, "conf.d/20.conf:2: log_bytes: '1X': unknown unit 'X'");
}

static void refusals(void **state)
{
	static const struct {
		const char *text, *msg;
	} rows[] = {
		{ "group = a\nnonsense = 1\n", "vm.conf:2: unknown key 'nonsense'" },
		{ "= 1\n", "vm.conf:1: unknown key ''" },
		{ "stop_timeout_ms = 1\n", "vm.conf:1: unknown key 'stop_timeout_ms'" },
		{ "log_bytes = 1\n", "vm.conf:1: log_bytes: '1' is out of range" },
		{ "\n\ngroup\n", "vm.conf:3: not \"key = value\"" },
		{ "group = a\ngroup = a\n", "vm.conf:2: 'group' is set twice in this file" },
		{ "group = \"a\"\n", "vm.conf:1: group: values are written without quotes" },
		{ "group = a\xff\n", "vm.conf:1: group: the value is not UTF-8" },
		{ "private_dev = 1\n", "vm.conf:1: private_dev: '1' is none of no, yes" },
		{ "acl_backend = v3\n", "vm.conf:1: acl_backend: 'v3' is none of auto, v1, v2, both, none" },
		{ "parallel = 0\n", "vm.conf:1: parallel: '0' is out of range" },
		{ "parallel = -1\n", "vm.conf:1: parallel: '-1' is not a number" },
		{ "parallel =\n", "vm.conf:1: parallel: '' is not a number" },
		{ "stop_timeout = 0\n", "vm.conf:1: stop_timeout: '0' is not from 1 to 31622400" },
		{ "uid_first = 2147483647\n", "vm.conf: uid_first + uid_count is above 2147483647" },
		{ "migration_port_first = 65535\n",
		  "vm.conf: migration_port_first + migration_port_count is above 65535" },
	};
	struct vm_conf c;
	struct vm_err err;
	size_t i;

	(void)state;
	for (i = 0; i < VM_COUNT(rows); i++) {
		scratch_put("vm.conf", rows[i].text);
		assert_int_equal(vm_conf_load(scratch_dir, &c, NULL, &err), -1);
		assert_int_equal(err.kind, VM_BAD_INPUT);
		assert_string_equal(err.msg, rows[i].msg);
	}
	assert_int_equal(vm_file_write(scratch_dir, "vm.conf", "group = a\0b\n", 12, 0644, &err), 0);
	assert_int_equal(vm_conf_load(scratch_dir, &c, NULL, &err), -1);
	assert_string_equal(err.msg, "vm.conf:1: NUL byte");
}

static void unreadable(void **state)
{
	struct vm_conf c;
	struct vm_err err;

	(void)state;
	assert_int_equal(mkdirat(scratch_dir, "vm.conf", 0755), 0);
	assert_int_equal(vm_conf_load(scratch_dir, &c, NULL, &err), -1);
	assert_string_equal(err.msg, "read vm.conf: Is a directory");
	unlinkat(scratch_dir, "vm.conf", AT_REMOVEDIR);
	assert_int_equal(mkfifoat(scratch_dir, "vm.conf", 0600), 0);
	assert_int_equal(vm_conf_load(scratch_dir, &c, NULL, &err), 0); /* does not hang */
	vm_conf_free(&c);
}

/* Every key, with its default, is in the manual. */
static void manual(void **state)
{
	VM_AUTO_FREE char *page = NULL;
	const struct vm_conf_key *k;
	struct vm_err err;

	(void)state;
	assert_int_equal(vm_file_read(AT_FDCWD, VM_TEST_DATA "/../../man/vm.conf.5", 1 << 20, &page, NULL,
				      NULL, &err), 0);
	for (k = vm_conf_keys; k->name; k++) {
		VM_AUTO_FREE char *item = vm_xasprintf("\n.It Cm %s No = ", vm_conf_key_name(k));
		VM_AUTO_FREE char *def = vm_xasprintf("Default: %s.", k->def);
		char *at = strstr(page, item), *end;

		if (!at)
			fail_msg("vm.conf(5) lacks %s", vm_conf_key_name(k));
		end = strstr(at + 1, "\n.It ");
		if (end)
			*end = '\0';
		if (*k->def && strcmp(k->name, "hooks_path") != 0 && !strstr(at, def))
			fail_msg("vm.conf(5): %s lacks \"%s\"", vm_conf_key_name(k), def);
		if (end)
			*end = '\n';
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_make, scratch_remove)
int main(void)
{
	const struct CMUnitTest tests[] = { TEST(defaults), TEST(two_places), TEST(refusals),
					    TEST(unreadable), TEST(manual) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
