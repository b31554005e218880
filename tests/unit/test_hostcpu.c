/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which model comes nearest to a CPU. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <vm/cleanup.h>

#include "qemu/caps/hostcpu.h"

#define MODELS_MAX 6

/* Chooses for `host` among models given as NAME, JSON, NAME, JSON ..., NULL. */
static int choose(const char *host, const char *const *list, bool by_signature, struct vm_record *r,
		  struct vm_err *err)
{
	struct vm_qemu_cpu_model models[MODELS_MAX];
	json_t *owned[MODELS_MAX], *h = json_loads(host, JSON_DECODE_ANY, NULL);
	size_t n = 0;
	int rc;

	for (; list[2 * n] != NULL; n++) {
		owned[n] = json_loads(list[2 * n + 1], JSON_DECODE_ANY, NULL);
		assert_non_null(owned[n]);
		models[n] = (struct vm_qemu_cpu_model){ list[2 * n], owned[n] };
	}
	*err = VM_ERR_INIT;
	*r = VM_RECORD_INIT;
	rc = vm_qemu_hostcpu_choose(h, models, n, by_signature, r, err);
	while (n > 0)
		json_decref(owned[--n]);
	json_decref(h);
	return rc;
}

static void model_is(const char *host, const char *const *list, bool by_signature, const char *want)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	struct vm_err err;

	assert_int_equal(choose(host, list, by_signature, &r, &err), 0);
	assert_string_equal(vm_record_get(&r, VM_HOSTCPU_MODEL), want);
}

static void test_changes(void **state)
{
	static const char *const list[] = {
		"Small", "{\"vendor\":\"AuthenticAMD\",\"sse\":true}",
		"Right", "{\"vendor\":\"AuthenticAMD\",\"sse\":true,\"sse2\":true,\"xsavec\":true}",
		"Large", "{\"vendor\":\"AuthenticAMD\",\"sse\":true,\"a\":true,\"b\":true,\"c\":true,\"d\":true}",
		NULL,
	};
	static const char host[] = "{\"vendor\":\"AuthenticAMD\",\"sse\":true,\"sse2\":true,\"pclmulqdq\":true,"
				   "\"lahf-lm\":true,\"abm\":true,\"ht\":false,\"model\":7,\"x y\":true,\"kvm-asyncpf\":true}";
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	json_t *h, *got;
	struct vm_err err;

	(void)state;
	assert_int_equal(choose(host, list, false, &r, &err), 0);
	assert_string_equal(vm_record_get(&r, VM_HOSTCPU_MODEL), "Right");
	assert_string_equal(vm_record_get(&r, VM_HOSTCPU_VENDOR), "AMD");
	/* In order, by libvirt's names; what is no name of a feature is no feature. */
	assert_string_equal(vm_record_nth(&r, VM_HOSTCPU_REQUIRE, 0), "abm");
	assert_string_equal(vm_record_nth(&r, VM_HOSTCPU_REQUIRE, 1), "lahf_lm");
	assert_string_equal(vm_record_nth(&r, VM_HOSTCPU_REQUIRE, 2), "pclmuldq");
	assert_null(vm_record_nth(&r, VM_HOSTCPU_REQUIRE, 3));
	assert_string_equal(vm_record_nth(&r, VM_HOSTCPU_DISABLE, 0), "xsavec");
	assert_null(vm_record_nth(&r, VM_HOSTCPU_DISABLE, 1));

	/* What abm brought along is not wanted; what was asked for and did not come is not asked for twice. */
	h = json_loads(host, 0, NULL);
	got = json_loads("{\"sse\":true,\"abm\":true,\"nrip-save\":true,\"xsavec\":true}", 0, NULL);
	vm_qemu_hostcpu_amend(h, got, &r);
	json_decref(h);
	json_decref(got);
	assert_string_equal(vm_record_nth(&r, VM_HOSTCPU_DISABLE, 1), "nrip-save");
	assert_null(vm_record_nth(&r, VM_HOSTCPU_DISABLE, 2));
	assert_string_equal(vm_record_nth(&r, VM_HOSTCPU_REQUIRE, 3), "sse2");
	assert_null(vm_record_nth(&r, VM_HOSTCPU_REQUIRE, 4));
}

static void test_order(void **state)
{
	static const char *const vendors[] = {
		"Near", "{\"vendor\":\"GenuineIntel\",\"sse\":true}",
		"Far", "{\"vendor\":\"AuthenticAMD\",\"a\":true,\"b\":true}",
		NULL,
	};
	static const char *const signatures[] = {
		"Near", "{\"vendor\":\"V\",\"sse\":true,\"family\":6,\"model\":1}",
		"Same", "{\"vendor\":\"V\",\"family\":6,\"model\":94}",
		NULL,
	};
	static const char *const equal[] = {
		"B", "{\"sse\":true}", "A", "{\"sse\":true}", "C", "{\"sse\":true}", NULL,
	};

	(void)state;
	model_is("{\"vendor\":\"AuthenticAMD\",\"sse\":true}", vendors, false, "Far");
	model_is("{\"vendor\":\"V\",\"sse\":true,\"family\":6,\"model\":94}", signatures, true, "Same");
	model_is("{\"vendor\":\"V\",\"sse\":true,\"family\":6,\"model\":94}", signatures, false, "Near");
	model_is("{\"sse\":true}", equal, true, "A");
}

static void test_nonsense(void **state)
{
	static const char *const odd[] = {
		"a b", "{\"sse\":true}", "list", "[]", "it's", "{}", NULL,
	};
	static const char *const none[] = { NULL };
	struct vm_record r;
	struct vm_err err;

	(void)state;
	assert_int_equal(choose("{\"sse\":true}", odd, true, &r, &err), -1);
	assert_string_equal(err.msg, "QEMU describes no CPU model");
	assert_int_equal(choose("{}", none, true, &r, &err), -1);
	assert_int_equal(err.kind, VM_HYPERVISOR);
	assert_int_equal(choose("[1]", odd, true, &r, &err), -1);
	assert_string_equal(err.msg, "QEMU does not describe the host's CPU");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
