/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every row of the table of tunables against files as the kernel has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include <cgroup/thread_group.h>
#include <cgroup/tunable.h>
#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>

#include "scratch.h"

static struct vm_err err;
static struct vm_cgroup group;

/* A group whose one hierarchy is a plain directory. */
static void use(bool v2)
{
	group = VM_CGROUP_INIT;
	group.host.n = 1;
	group.host.v[0] = (struct vm_cgroup_hier){
		.v2 = v2,
		.controllers = 1u << VM_CGROUP_CPU | 1u << VM_CGROUP_CPUSET | 1u << VM_CGROUP_MEMORY |
			       1u << VM_CGROUP_IO,
		.mount = scratch_root,
	};
	group.path = (char *)(uintptr_t)"/g";
	group.at[0].there = true;
	mkdirat(scratch_dir, "g", 0700);
	mkdirat(scratch_dir, "g/qemu", 0700);
	group.at[0].fd[VM_CGROUP_MAIN] = openat(scratch_dir, "g", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	group.at[0].fd[VM_CGROUP_QEMU] = openat(scratch_dir, "g/qemu", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void unuse(void)
{
	vm_cleanup_fd(&group.at[0].fd[VM_CGROUP_MAIN]);
	vm_cleanup_fd(&group.at[0].fd[VM_CGROUP_QEMU]);
	assert_int_equal(vm_tree_remove(scratch_dir, "g", &err), 0);
}

static void put(const char *name, const char *text)
{
	VM_AUTO_FD int fd = openat(group.at[0].fd[VM_CGROUP_QEMU], name,
				   O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/*
 * file: as the kernel has it before; shown: what is read from it; set: what is typed; written: what goes into the
 * file for it; low, high: typed values that are just out of range ("" = there is none).
 */
static const struct row {
	bool v2;
	const char *key, *name, *file, *shown, *set, *written, *low, *high;
} rows[] = {
	/* clang-format off */
	{ false, "cpu_shares", "cpu.shares", "1024\n", "1024", "2", "2", "1", "262145" },
	{ true, "cpu_shares", "cpu.weight", "100\n", "100", "10000", "10000", "1", "10001" },
	{ false, "vcpu_period", "cpu.cfs_period_us", "100000\n", "100000", "1000", "1000", "999", "1000001" },
	{ true, "vcpu_period", "cpu.max", "max 100000\n", "100000", "1000000", "max 1000000", "999", "1000001" },
	{ false, "vcpu_quota", "cpu.cfs_quota_us", "-1\n", "max", "1000", "1000", "999", "17592186044416" },
	{ true, "vcpu_quota", "cpu.max", "50000 100000\n", "50000", "max", "max", "999", "17592186044416" },
	{ false, "emulator_period", "cpu.cfs_period_us", "100000\n", "100000", "5000", "5000", "999", "1000001" },
	{ true, "emulator_period", "cpu.max", "5000 100000\n", "100000", "6000", "5000 6000", "999", "1000001" },
	{ false, "emulator_quota", "cpu.cfs_quota_us", "9000\n", "9000", "-1", "-1", "0", "17592186044416" },
	{ true, "emulator_quota", "cpu.max", "max 100000\n", "max", "1000", "1000", "999", "17592186044416" },
	{ false, "iothread_period", "cpu.cfs_period_us", "100000\n", "100000", "5000", "5000", "999", "1000001" },
	{ true, "iothread_period", "cpu.max", "max 100000\n", "100000", "6000", "max 6000", "999", "1000001" },
	{ false, "iothread_quota", "cpu.cfs_quota_us", "-1\n", "max", "17592186044415", "17592186044415", "999", "17592186044416" },
	{ true, "iothread_quota", "cpu.max", "max 100000\n", "max", "1000", "1000", "999", "17592186044416" },
	{ false, "global_period", "cpu.cfs_period_us", "100000\n", "100000", "5000", "5000", "999", "1000001" },
	{ true, "global_period", "cpu.max", "max 100000\n", "100000", "6000", "max 6000", "999", "1000001" },
	{ false, "global_quota", "cpu.cfs_quota_us", "-1\n", "max", "2000", "2000", "999", "17592186044416" },
	{ true, "global_quota", "cpu.max", "max 100000\n", "max", "1000", "1000", "999", "17592186044416" },
	{ false, "hard_limit", "memory.limit_in_bytes", "9223372036854771712\n", "max", "1048576", "1073741824", "", "" },
	{ true, "hard_limit", "memory.max", "max\n", "max", "1G", "1073741824", "", "" },
	{ false, "hard_limit", "memory.limit_in_bytes", "1073741824\n", "1048576KiB", "9007199254740991", "-1", "", "" },
	{ true, "hard_limit", "memory.max", "1073741825\n", "1073741825b", "max", "max", "", "" },
	{ false, "soft_limit", "memory.soft_limit_in_bytes", "4096\n", "4KiB", "8", "8192", "", "" },
	{ true, "soft_limit", "memory.high", "4096\n", "4KiB", "-1", "max", "", "" },
	{ false, "swap_hard_limit", "memory.memsw.limit_in_bytes", "4096\n", "4KiB", "max", "-1", "", "" },
	{ false, "weight", "blkio.bfq.weight", "100\n", "100", "1000", "1000", "0", "1001" },
	{ false, "weight", "blkio.weight", "500\n", "500", "10", "10", "9", "1001" },
	{ true, "weight", "io.bfq.weight", "default 100\n8:0 200\n", "100", "1", "1", "0", "1001" },
	{ true, "weight", "io.weight", "default 100\n", "100", "10000", "10000", "0", "10001" },
	{ false, "device_weight", "blkio.bfq.weight_device", "7:1 300\n7:0 200\n", "200", "1000", "7:0 1000", "", "1001" },
	{ false, "device_weight", "blkio.weight_device", "7:0 200\n", "200", "0", "7:0 0", "9", "1001" },
	{ true, "device_weight", "io.bfq.weight", "default 100\n7:0 200\n", "200", "max", "7:0 default", "", "1001" },
	{ true, "device_weight", "io.weight", "default 100\n7:0 200\n", "200", "10000", "7:0 10000", "", "10001" },
	{ false, "device_read_iops_sec", "blkio.throttle.read_iops_device", "7:0 20\n", "20", "4294967295", "7:0 4294967295", "", "4294967296" },
	{ true, "device_read_iops_sec", "io.max", "7:0 rbps=max wbps=1 riops=20 wiops=max\n", "20", "0", "7:0 riops=max", "", "4294967296" },
	{ false, "device_write_iops_sec", "blkio.throttle.write_iops_device", "", "max", "1", "7:0 1", "", "4294967296" },
	{ true, "device_write_iops_sec", "io.max", "7:1 wiops=5\n", "max", "1", "7:0 wiops=1", "", "4294967296" },
	{ false, "device_read_bytes_sec", "blkio.throttle.read_bps_device", "17:0 5\n", "max", "max", "7:0 0", "", "" },
	{ true, "device_read_bytes_sec", "io.max", "7:0 rbps=18446744073709551615\n", "18446744073709551615", "1M", "7:0 rbps=1048576", "", "" },
	{ false, "device_write_bytes_sec", "blkio.throttle.write_bps_device", "7:0 0\n", "max", "18446744073709551615", "7:0 18446744073709551615", "", "" },
	{ true, "device_write_bytes_sec", "io.max", "7:0 wbps=7 riops=max\n", "7", "1", "7:0 wbps=1", "", "" },
	{ false, "numa_nodeset", "cpuset.mems", "0-1\n", "0-1", "0,2", "0,2", "", "" },
	{ true, "numa_nodeset", "cpuset.mems", "0\n", "0", "0-1", "0-1", "", "" },
	/* clang-format on */
};

static void open_place(const struct row *r, struct vm_tune_place *p)
{
	const struct vm_tunable *t = vm_tunable_find(r->key, strlen(r->key));

	assert_non_null(t);
	err = VM_ERR_INIT;
	if (vm_tune_place_open(&group, t, "qemu", makedev(7, 0), p, &err) < 0)
		fail_msg("%s: %s", r->key, err.msg);
}

static void refused(const struct row *r, const struct vm_tune_place *p, const char *typed)
{
	VM_AUTO(vm_tune_value_free) struct vm_tune_value v = VM_TUNE_VALUE_INIT;
	VM_AUTO_FREE char *text = NULL;

	if (!*typed)
		return;
	err = VM_ERR_INIT;
	if (vm_tune_value_parse(p->t, typed, &v, &err) == 0 &&
	    vm_tune_compose(p, &v, false, NULL, &text, &err) == 0)
		fail_msg("%s=%s is taken on %s", r->key, typed, r->v2 ? "v2" : "v1");
	assert_int_equal(err.kind, VM_BAD_INPUT);
	if (strstr(err.msg, "out of range") == NULL || strstr(err.msg, " to ") == NULL)
		fail_msg("'%s' names no limits", err.msg);
}

static void every_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < VM_COUNT(rows); i++) {
		const struct row *r = &rows[i];
		VM_AUTO(vm_tune_place_close) struct vm_tune_place p = VM_TUNE_PLACE_INIT;
		VM_AUTO(vm_tune_value_free) struct vm_tune_value v = VM_TUNE_VALUE_INIT;
		VM_AUTO(vm_tune_value_free) struct vm_tune_value again = VM_TUNE_VALUE_INIT;
		VM_AUTO_FREE char *shown = NULL, *text = NULL, *in_file = NULL;

		use(r->v2);
		put(r->name, r->file);
		open_place(r, &p);
		if (vm_tune_read(&p, &v, &err) != 0)
			fail_msg("%s: %s", r->key, err.msg);
		shown = vm_tune_value_text(p.t, &v);
		assert_string_equal(shown, r->shown);
		/* what is printed can be given back */
		if (vm_tune_value_parse(p.t, shown, &again, &err) < 0)
			fail_msg("%s", err.msg);
		assert_int_equal(again.unlimited, v.unlimited);
		assert_true(again.n == v.n);
		vm_tune_value_free(&v);
		if (vm_tune_value_parse(p.t, r->set, &v, &err) < 0 ||
		    vm_tune_compose(&p, &v, false, NULL, &text, &err) < 0)
			fail_msg("%s=%s: %s", r->key, r->set, err.msg);
		assert_string_equal(text, r->written);
		put(r->name, "");
		if (vm_tune_write(&p, text, &err) < 0)
			fail_msg("%s", err.msg);
		assert_int_equal(vm_file_read(group.at[0].fd[VM_CGROUP_QEMU], r->name, 4096, &in_file,
					      NULL, NULL, &err), 0);
		assert_string_equal(in_file, r->written);
		put(r->name, r->file);
		refused(r, &p, r->low);
		refused(r, &p, r->high);
		unuse();
	}
}

/* Each row of the table stands above for each version that it has a file of. */
static void no_row_is_left_out(void **state)
{
	(void)state;
	for (const struct vm_tunable *t = vm_tunables; t->key; t++)
		for (int f = 0; f < 4; f++) {
			const struct vm_tunable_file *file = f < 2 ? &t->v1[f] : &t->v2[f - 2];
			bool seen = file->name == NULL;

			for (size_t i = 0; i < VM_COUNT(rows) && !seen; i++)
				seen = strcmp(rows[i].key, t->key) == 0 &&
				       strcmp(rows[i].name, file->name) == 0 && rows[i].v2 == (f >= 2);
			/* tested by itself */
			if (!seen && !(t->kind == VM_TUNE_SWAP && f >= 2))
				fail_msg("%s %s", t->key, file->name);
		}
}

/* Version 2 counts swap by itself. */
static void swap(void **state)
{
	static const struct row r = { true, "swap_hard_limit", NULL, NULL, NULL, NULL, NULL, NULL, NULL };
	VM_AUTO(vm_tune_place_close) struct vm_tune_place p = VM_TUNE_PLACE_INIT;
	struct vm_tune_value v, hard = { .n = 3 << 20 };
	VM_AUTO_FREE char *text = NULL, *with = NULL, *max = NULL;

	(void)state;
	use(true);
	put("memory.max", "1048576\n");
	put("memory.swap.max", "4096\n");
	open_place(&r, &p);
	assert_int_equal(vm_tune_read(&p, &v, &err), 0);
	assert_true(!v.unlimited && v.n == 1048576 + 4096);
	v.n = 4 << 20;
	assert_int_equal(vm_tune_compose(&p, &v, false, NULL, &text, &err), 0);
	assert_string_equal(text, "3145728");
	assert_int_equal(vm_tune_compose(&p, &v, false, &hard, &with, &err), 0);
	assert_string_equal(with, "1048576");
	v.n = 1048575;
	assert_int_equal(vm_tune_compose(&p, &v, false, NULL, &max, &err), -1);
	assert_int_equal(err.kind, VM_BAD_INPUT);
	assert_non_null(strstr(err.msg, "memory.swap.max: 1023 KiB of memory and swap together is less than "
					"hard_limit, 1024 KiB"));
	put("memory.max", "max\n");
	assert_int_equal(vm_tune_read(&p, &v, &err), 0);
	assert_true(v.unlimited);
	v = (struct vm_tune_value){ .n = 1 };
	assert_int_equal(vm_tune_compose(&p, &v, false, NULL, &max, &err), -1);
	assert_non_null(strstr(err.msg, "unlimited hard_limit"));
	v.unlimited = true;
	assert_int_equal(vm_tune_compose(&p, &v, false, NULL, &max, &err), 0);
	assert_string_equal(max, "max");
	unuse();
}

static void shares_and_weights(void **state)
{
	(void)state;
	assert_int_equal(vm_tune_shares_to_weight(2), 1);
	assert_int_equal(vm_tune_shares_to_weight(1024), 39); /* 1 + 1022 * 9999 / 262142 */
	assert_int_equal(vm_tune_shares_to_weight(262144), 10000);
	assert_int_equal(vm_tune_weight_to_shares(1), 2);
	assert_int_equal(vm_tune_weight_to_shares(10000), 262144);
	for (uint64_t w = 1; w <= 10000; w++)
		assert_int_equal(vm_tune_shares_to_weight(vm_tune_weight_to_shares(w)), w);
}

static void converted(void **state)
{
	static const struct row r = { true, "cpu_shares", NULL, NULL, NULL, NULL, NULL, NULL, NULL };
	VM_AUTO(vm_tune_place_close) struct vm_tune_place p = VM_TUNE_PLACE_INIT;
	struct vm_tune_value v = { .n = 262144 };
	VM_AUTO_FREE char *text = NULL;

	(void)state;
	use(true);
	put("cpu.weight", "100\n");
	open_place(&r, &p);
	assert_int_equal(vm_tune_compose(&p, &v, false, NULL, &text, &err), -1);
	assert_non_null(strstr(err.hint, "--convert-shares"));
	assert_int_equal(vm_tune_compose(&p, &v, true, NULL, &text, &err), 0);
	assert_string_equal(text, "10000");
	unuse();
}

static void not_there(void **state)
{
	const struct vm_tunable *weight = vm_tunable_find("weight", 6);
	struct vm_tune_place p = VM_TUNE_PLACE_INIT;

	(void)state;
	use(false);
	err = VM_ERR_INIT;
	assert_int_equal(vm_tune_place_open(&group, weight, "qemu", 0, &p, &err), -1);
	assert_int_equal(err.kind, VM_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "weight is not available on this host: there is no "));
	assert_string_equal(err.hint, "weights need the I/O scheduler bfq");
	assert_int_equal(vm_tune_place_open(&group, weight, "qemu/vcpu0", 0, &p, &err), -1);
	assert_int_equal(err.kind, VM_NOT_FOUND);
	group.host.v[0].controllers = 1u << VM_CGROUP_CPU;
	assert_int_equal(vm_tune_place_open(&group, weight, "qemu", 0, &p, &err), -1);
	assert_int_equal(err.kind, VM_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "no group with the blkio controller"));
	unuse();
}

/* A set that is empty on version 2 is that of the group above; it is put back as that. */
static void empty_set(void **state)
{
	static const struct row r = { true, "numa_nodeset", NULL, NULL, NULL, NULL, NULL, NULL, NULL };
	VM_AUTO(vm_tune_place_close) struct vm_tune_place p = VM_TUNE_PLACE_INIT;
	VM_AUTO(vm_tune_value_free) struct vm_tune_value v = VM_TUNE_VALUE_INIT;
	VM_AUTO_FREE char *text = NULL;

	(void)state;
	use(true);
	put("cpuset.mems", "\n");
	put("cpuset.mems.effective", "0-1\n");
	open_place(&r, &p);
	assert_int_equal(vm_tune_read(&p, &v, &err), 0);
	assert_string_equal(v.text, "0-1");
	assert_int_equal(vm_tune_restore_text(&p, &text, &err), 0);
	assert_string_equal(text, "0-1");
	unuse();
}

/* What brings back what there was. */
static void restored(void **state)
{
	static const struct {
		bool v2;
		const char *key, *name, *file, *text;
	} of[] = {
		{ false, "cpu_shares", "cpu.shares", "1024\n", "1024" },
		{ true, "vcpu_quota", "cpu.max", "max 100000\n", "max 100000" },
		{ true, "weight", "io.weight", "default 100\n7:0 50\n", "100" },
		{ true, "device_weight", "io.weight", "default 100\n7:0 50\n", "7:0 50" },
		{ true, "device_weight", "io.weight", "default 100\n", "7:0 default" },
		{ false, "device_weight", "blkio.weight_device", "", "7:0 0" },
		{ false, "device_read_iops_sec", "blkio.throttle.read_iops_device", "7:0 9\n", "7:0 9" },
		{ true, "device_read_iops_sec", "io.max", "", "7:0 riops=max" },
		{ true, "hard_limit", "memory.max", "max\n", "max" },
	};

	(void)state;
	for (size_t i = 0; i < VM_COUNT(of); i++) {
		const struct row r = { of[i].v2, of[i].key, NULL, NULL, NULL, NULL, NULL, NULL, NULL };
		VM_AUTO(vm_tune_place_close) struct vm_tune_place p = VM_TUNE_PLACE_INIT;
		VM_AUTO_FREE char *text = NULL;

		use(of[i].v2);
		put(of[i].name, of[i].file);
		open_place(&r, &p);
		assert_int_equal(vm_tune_restore_text(&p, &text, &err), 0);
		assert_string_equal(text, of[i].text);
		unuse();
	}
}

/* What the kernel never writes. */
static void nonsense(void **state)
{
	static const struct {
		bool v2;
		const char *key, *file, *text;
	} bad[] = {
		{ false, "cpu_shares", "cpu.shares", "" },
		{ false, "cpu_shares", "cpu.shares", "12x\n" },
		{ false, "cpu_shares", "cpu.shares", "99999999999999999999\n" },
		{ true, "vcpu_quota", "cpu.max", "max\n" },
		{ true, "vcpu_quota", "cpu.max", "100000" },
		{ true, "vcpu_period", "cpu.max", "max max2\n" },
		{ true, "device_read_iops_sec", "io.max", "7:0 riops=\n" },
		{ true, "hard_limit", "memory.max", "maximum\n" },
	};

	(void)state;
	for (size_t i = 0; i < VM_COUNT(bad); i++) {
		const struct row r = { bad[i].v2, bad[i].key, NULL, NULL, NULL, NULL, NULL, NULL, NULL };
		VM_AUTO(vm_tune_place_close) struct vm_tune_place p = VM_TUNE_PLACE_INIT;
		struct vm_tune_value v;

		use(bad[i].v2);
		put(bad[i].file, bad[i].text);
		open_place(&r, &p);
		if (vm_tune_read(&p, &v, &err) != -1)
			fail_msg("%s '%s' was understood", bad[i].key, bad[i].text);
		assert_non_null(strstr(err.msg, "which is not understood"));
		unuse();
	}
}

static void typed(void **state)
{
	static const struct {
		const char *key, *text;
		enum vm_kind kind;
	} bad[] = {
		{ "cpu_shares", "", VM_USAGE },	     { "cpu_shares", "max", VM_USAGE },
		{ "cpu_shares", "-5", VM_USAGE },    { "vcpu_quota", "-2", VM_USAGE },
		{ "hard_limit", "12Q", VM_USAGE },   { "numa_mode", "weird", VM_USAGE },
		{ "numa_nodeset", "a", VM_USAGE },   { "numa_nodeset", "", VM_USAGE },
		{ "vcpu_period", "5", VM_BAD_INPUT }, { "weight", "0", VM_BAD_INPUT },
	};
	struct vm_tune_value v;

	(void)state;
	assert_ptr_equal(vm_tunable_find("cpu-shares", 10), &vm_tunables[0]);
	assert_null(vm_tunable_find("cpu-share", 9));
	assert_null(vm_tunable_find("cpu_sharess", 11));
	assert_null(vm_tunable_find("", 0));
	for (size_t i = 0; i < VM_COUNT(bad); i++) {
		if (vm_tune_value_parse(vm_tunable_find(bad[i].key, strlen(bad[i].key)), bad[i].text, &v,
					&err) != -1)
			fail_msg("%s=%s is taken", bad[i].key, bad[i].text);
		assert_int_equal(err.kind, bad[i].kind);
	}
	assert_int_equal(vm_tune_value_parse(vm_tunable_find("numa_mode", 9), "2", &v, &err), 0);
	assert_string_equal(v.text, "interleave");
	vm_tune_value_free(&v);
}

static void names_of_thread_groups(void **state)
{
	static const char *const good[] = { "vcpu0", "vcpu255", "emulator", "iothread1" };
	static const char *const bad[] = { "vcpu",	"vcpu0/..", "emulator0", "..", "",
					   "iothread1 ", "vcpu999999999999", "helpers" };

	(void)state;
	for (size_t i = 0; i < VM_COUNT(good); i++)
		assert_true(vm_thread_group_name_valid(good[i]));
	for (size_t i = 0; i < VM_COUNT(bad); i++)
		assert_false(vm_thread_group_name_valid(bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),	     cmocka_unit_test(no_row_is_left_out),
		cmocka_unit_test(swap),		     cmocka_unit_test(shares_and_weights),
		cmocka_unit_test(converted),	     cmocka_unit_test(not_there),
		cmocka_unit_test(nonsense),	     cmocka_unit_test(typed),
		cmocka_unit_test(names_of_thread_groups),
		cmocka_unit_test(empty_set),	     cmocka_unit_test(restored),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
