/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's table of mounts, as it is and as it had better not be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "host/mounts.h"

static char *line; /* of the last parse() */

static int parse(const char *text, struct vm_mount *m)
{
	free(line);
	line = vm_xstrdup(text);
	return vm_mount_parse(line, m);
}

static int teardown(void **state)
{
	(void)state;
	free(line);
	line = NULL;
	return 0;
}

static void test_whole(void **state)
{
	struct vm_mount m;

	(void)state;
	assert_int_equal(parse("36 4294967295 98:1048575 /a\\040b /mnt\\134\\011\\012\\043 rw,noatime master:1 propagate_from:2 "
			       "- fuse.x\\040y /dev/a\\040b rw,errors=a\\040b - c",
			       &m),
			 0);
	assert_int_equal(m.id, 36);
	assert_int_equal(m.parent, UINT32_MAX);
	assert_int_equal(m.major, 98);
	assert_int_equal(m.minor, 1048575);
	assert_string_equal(m.root, "/a b");
	assert_string_equal(m.point, "/mnt\\\t\n#");
	assert_string_equal(m.options, "rw,noatime");
	assert_string_equal(m.tags, "master:1 propagate_from:2");
	assert_string_equal(m.type, "fuse.x y");
	assert_string_equal(m.source, "/dev/a b");
	assert_string_equal(m.super, "rw,errors=a\\040b - c");
	/* No optional fields; a root that is no path; a source of no bytes, as mount("", ...) makes it. */
	assert_int_equal(parse("1 2 0:4 mnt:[4026531841] / ro - nsfs  rw", &m), 0);
	assert_string_equal(m.root, "mnt:[4026531841]");
	assert_string_equal(m.tags, "");
	assert_string_equal(m.source, "");
	assert_string_equal(m.super, "rw");
	/* A mount point may be named as what splits the line. */
	assert_int_equal(parse("1 2 0:4 / /\\040-\\040 ro - tmpfs - rw", &m), 0);
	assert_string_equal(m.point, "/ - ");
	assert_string_equal(m.source, "-");
}

static void test_malformed(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		" - ",
		"x",
		"1 2 0:4 / / rw ext4 x rw",	       /* nothing that splits it */
		"1 2 0:4 / / rw - ",		       /* no type */
		"1 2 0:4 / / rw - ext4",	       /* no source */
		"1 2 0:4 / / rw - ext4 x",	       /* no options */
		"1 2 0:4 / / rw - ext4 x ",
		"1 2 0:4 / / - ext4 x rw",	       /* a field too few in front */
		"1 2 0:4 /  rw - ext4 x rw",	       /* an empty one */
		"1 2 0:4  / rw - ext4 x rw",
		"1 2 0:4 / a rw - ext4 x rw",	       /* a mount point that is no path */
		"1 2 04 / / rw - ext4 x rw",	       /* no device */
		"1 2 0: / / rw - ext4 x rw",
		"1 2 :4 / / rw - ext4 x rw",
		"1 2 -1:4 / / rw - ext4 x rw",
		"1 2 0x1:4 / / rw - ext4 x rw",
		"1 2 0:4294967296 / / rw - ext4 x rw",
		"1 2 0:18446744073709551617 / / rw - ext4 x rw",
		"99999999999999999999999999 2 0:4 / / rw - ext4 x rw",
		" 1 2 0:4 / / rw - ext4 x rw",
		"1\t2\t0:4\t/\t/\trw - ext4 x rw",
		"+1 2 0:4 / / rw - ext4 x rw",
		"1 2 0:4 / /a\\ rw - ext4 x rw",       /* escapes that are none */
		"1 2 0:4 / /a\\04 rw - ext4 x rw",
		"1 2 0:4 / /a\\0 rw - ext4 x rw",
		"1 2 0:4 / /a\\048 rw - ext4 x rw",
		"1 2 0:4 / /a\\400 rw - ext4 x rw",
		"1 2 0:4 / /a\\000b rw - ext4 x rw",
		"1 2 0:4 /\\x20 / rw - ext4 x rw",
		"1 2 0:4 / / rw\\ - ext4 x rw",
		"1 2 0:4 / / rw - ext\\4 x rw",
		"1 2 0:4 / / rw - ext4 \\ rw",
	};
	struct vm_mount m;

	(void)state;
	for (size_t i = 0; i < VM_COUNT(bad); i++) {
		print_message("# %s\n", bad[i]);
		assert_int_equal(parse(bad[i], &m), -1);
		assert_null(m.point);
		assert_null(m.super);
	}
	/* What can be told of a broken line is its type. */
	assert_int_equal(parse("1 2 / / rw - cgroup2 x rw", &m), -1);
	assert_string_equal(m.type, "cgroup2");
	assert_int_equal(parse("1 2 0:4 / / rw - cgroup", &m), -1);
	assert_string_equal(m.type, "cgroup");
	assert_int_equal(parse("1 2 0:4 / / rw", &m), -1);
	assert_null(m.type);
}

static void test_iteration(void **state)
{
	VM_AUTO(vm_mounts_end) struct vm_mounts mounts;
	struct vm_mount m;

	(void)state;
	vm_mounts_begin(vm_xstrdup("\n1 0 0:1 / / rw - a a rw\nbad\n\n2 1 0:2 / /b rw - b b rw"), &mounts);
	assert_int_equal(vm_mounts_next(&mounts, &m), 1);
	assert_int_equal(mounts.line, 2);
	assert_int_equal(vm_mounts_next(&mounts, &m), -1);
	assert_int_equal(mounts.line, 3);
	assert_int_equal(vm_mounts_next(&mounts, &m), 1);
	assert_int_equal(mounts.line, 5);
	assert_string_equal(m.point, "/b");
	assert_int_equal(vm_mounts_next(&mounts, &m), 0);
	assert_int_equal(vm_mounts_next(&mounts, &m), 0);
	vm_mounts_end(&mounts);
	vm_mounts_begin(NULL, &mounts);
	assert_int_equal(vm_mounts_next(&mounts, &m), 0);
}

/* This machine's own table has no line that is refused. */
static void test_own(void **state)
{
	VM_AUTO(vm_mounts_end) struct vm_mounts mounts = VM_MOUNTS_INIT;
	struct vm_err err = VM_ERR_INIT;
	struct vm_mount m;
	bool root = false;
	int r;

	(void)state;
	assert_int_equal(vm_mounts_self(&mounts, &err), 0);
	while ((r = vm_mounts_next(&mounts, &m)) != 0) {
		assert_int_equal(r, 1);
		root |= strcmp(m.point, "/") == 0;
	}
	assert_true(root);
	assert_int_equal(vm_mounts_read(-1, &mounts, &err), -1);
	assert_int_equal(err.kind, VM_SYSTEM);
}

static void test_options(void **state)
{
	(void)state;
	assert_true(vm_mount_option("rw,nosuid,nodev", "nodev"));
	assert_true(vm_mount_option("nodev", "nodev"));
	assert_false(vm_mount_option("rw,nodevx,xnodev,node", "nodev"));
	assert_false(vm_mount_option("", "nodev"));
	assert_false(vm_mount_option(",,", "nodev"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_whole, teardown),
		cmocka_unit_test_teardown(test_malformed, teardown),
		cmocka_unit_test(test_iteration),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
