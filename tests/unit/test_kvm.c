/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/process.h>
#include <vm/record.h>
#include <vm/state.h>

#include "host/kvm.h"
#include "qemu/caps/kvm.h"

#include "scratch.h"

static struct vm_state places = VM_STATE_INIT;

static int setup(void **state)
{
	if (scratch_make(state) < 0)
		return -1;
	scratch_put("qemu/", NULL);
	places.run = openat(scratch_dir, "qemu", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return 0;
}

static int teardown(void **state)
{
	close(places.run);
	return scratch_remove(state);
}

/* Puts an answer into the place where a check keeps it. */
static void keep(const char *works, const char *why, uint64_t age_ms, const char *boot,
		 unsigned long long identity)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	struct vm_err err = VM_ERR_INIT;
	struct vm_procid self;

	assert_int_equal(vm_procid_self(&self, &err), 0);
	vm_record_set(&r, "boot", boot != NULL ? boot : self.boot);
	vm_record_setf(&r, "identity", "%llu", identity);
	vm_record_set(&r, "works", works);
	vm_record_setf(&r, "at_ms", "%llu", (unsigned long long)(vm_now_ms() - age_ms));
	if (why != NULL)
		vm_record_set(&r, "why", why);
	assert_int_equal(vm_record_write(&r, scratch_dir, "kvm", "vm-kvm", 1, &err), 0);
}

/* Is "planted" what the check says? */
static bool is_planted(void)
{
	struct vm_err err = VM_ERR_INIT;

	return vm_qemu_kvm_check(&places, vm_deadline_in(5000), &err) < 0 &&
	       strcmp(err.msg, "planted") == 0;
}

static void test_try(void **state)
{
	struct vm_err err = VM_ERR_INIT;
	uint64_t before = vm_now_ms();
	int rc = vm_kvm_try(vm_deadline_in(3000), &err);

	(void)state;
	assert_true(rc == 0 || err.kind == VM_NOT_FOUND || err.kind == VM_DENIED ||
		    err.kind == VM_UNSUPPORTED || err.kind == VM_TIMED_OUT);
	assert_in_range(vm_now_ms() - before, 0, 15000);
	if (vm_kvm_identity() == 0)
		assert_int_equal(err.kind, VM_NOT_FOUND);
}

static void test_kept(void **state)
{
	unsigned long long identity = vm_kvm_identity();
	struct vm_err err = VM_ERR_INIT;
	struct stat st;
	int rc;

	(void)state;
	rc = vm_qemu_kvm_check(&places, vm_deadline_in(5000), &err);
	if (rc == 0 || err.kind == VM_UNSUPPORTED)
		assert_int_equal(fstatat(scratch_dir, "kvm", &st, 0), 0);
	if (rc < 0)
		assert_true(err.hint[0] != '\0');
	keep("no", "planted", 1000, NULL, identity);
	assert_true(is_planted());
	/* Another boot, another node, too long ago: it is tried anew. */
	keep("no", "planted", 1000, "1e26e614-0000-0000-0000-000000000000", identity);
	assert_false(is_planted());
	keep("no", "planted", 1000, NULL, identity + 2);
	assert_false(is_planted());
	keep("no", "planted", 61000, NULL, identity);
	assert_false(is_planted());
	keep("perhaps", NULL, 0, NULL, identity);
	assert_false(is_planted());
	keep("yes", NULL, 0, NULL, identity);
	assert_int_equal(vm_qemu_kvm_check(&places, vm_deadline_in(5000), &err), 0);
	unlinkat(scratch_dir, "kvm", 0);
	assert_false(is_planted());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_try),
	    cmocka_unit_test(test_kept),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
