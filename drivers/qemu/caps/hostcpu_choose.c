/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which model of QEMU's comes nearest to a CPU. */
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/strbuf.h>

#include "qemu/caps/hostcpu.h"

#define FEATURES_MAX 2048u

/* libvirt's names of the features that QEMU calls otherwise.  Source: x86 features of libvirt's CPU map. */
static const struct {
	const char *qemu, *libvirt;
} names[] = {
	{ "cmp-legacy", "cmp_legacy" }, { "ds-cpl", "ds_cpl" },
	{ "fxsr-opt", "fxsr_opt" },	{ "lahf-lm", "lahf_lm" },
	{ "nodeid-msr", "nodeid_msr" }, { "pclmulqdq", "pclmuldq" },
	{ "perfctr-core", "perfctr_core" }, { "perfctr-nb", "perfctr_nb" },
	{ "tsc-adjust", "tsc_adjust" },
};
/* Source: <vendor> of libvirt's CPU map. */
static const struct {
	const char *cpuid, *word;
} vendors[] = {
	{ "AuthenticAMD", "AMD" },
	{ "GenuineIntel", "Intel" },
	{ "HygonGenuine", "Hygon" },
};

static const char *libvirt_name(const char *qemu)
{
	for (size_t i = 0; i < VM_COUNT(names); i++)
		if (strcmp(names[i].qemu, qemu) == 0)
			return names[i].libvirt;
	return qemu;
}

static const char *vendor_of(const json_t *props)
{
	const char *v = json_string_value(json_object_get(props, "vendor"));

	return v != NULL ? v : "";
}

/* What KVM offers beside a processor is not part of one: QEMU turns on what is fit for the guest. */
static bool is_feature(const char *key)
{
	return strncmp(key, "kvm-", 4) != 0 && strncmp(key, "kvm_", 4) != 0;
}

static bool is_name(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n < 64 && vm_text_only(s, "-_.");
}

struct distance {
	bool other_vendor, other_signature;
	size_t changes;
};

static bool same_number(const json_t *a, const json_t *b, const char *key)
{
	const json_t *x = json_object_get(a, key), *y = json_object_get(b, key);

	return json_is_integer(x) && json_is_integer(y) &&
	       json_integer_value(x) == json_integer_value(y);
}

/* Features that are on in `a` and not in b; added to `list` if it is given. */
static size_t more(const json_t *a, const json_t *b, const char **list)
{
	const char *key;
	json_t *value;
	size_t n = 0;

	json_object_foreach((json_t *)(uintptr_t)a, key, value)
	{
		if (!json_is_true(value) || json_is_true(json_object_get(b, key)) ||
		    !is_name(key) || !is_feature(key))
			continue;
		if (list != NULL)
			list[n] = libvirt_name(key);
		n++;
	}
	return n;
}

static struct distance measure(const json_t *host, const json_t *model, bool by_signature)
{
	return (struct distance){
		.other_vendor = strcmp(vendor_of(host), vendor_of(model)) != 0,
		.other_signature = by_signature && !(same_number(host, model, "family") &&
						     same_number(host, model, "model")),
		.changes = more(host, model, NULL) + more(model, host, NULL),
	};
}

static bool nearer(const struct distance *a, const char *a_name, const struct distance *b,
		   const char *b_name)
{
	if (a->other_vendor != b->other_vendor)
		return b->other_vendor;
	if (a->other_signature != b->other_signature)
		return b->other_signature;
	if (a->changes != b->changes)
		return a->changes < b->changes;
	return strcmp(a_name, b_name) < 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void keep(struct vm_record *r, const char *key, const json_t *a, const json_t *b)
{
	size_t n = more(a, b, NULL);
	VM_AUTO_FREE const char **list = vm_xcalloc(n + 1, sizeof(*list));

	more(a, b, list);
	qsort(list, n, sizeof(*list), by_name);
	for (size_t i = 0; i < n; i++)
		if (!vm_record_has(r, VM_HOSTCPU_REQUIRE, list[i]) &&
		    !vm_record_has(r, VM_HOSTCPU_DISABLE, list[i]))
			vm_record_add(r, key, list[i]);
}

void vm_qemu_hostcpu_amend(const json_t *host, const json_t *got, struct vm_record *r)
{
	if (!json_is_object(got) || json_object_size(got) > FEATURES_MAX)
		return;
	keep(r, VM_HOSTCPU_REQUIRE, host, got);
	keep(r, VM_HOSTCPU_DISABLE, got, host);
}

int vm_qemu_hostcpu_choose(const json_t *host, const struct vm_qemu_cpu_model *models, size_t n,
			   bool by_signature, struct vm_record *ret, struct vm_err *err)
{
	const struct vm_qemu_cpu_model *best = NULL;
	struct distance least = { .changes = 0 };

	if (!json_is_object(host) || json_object_size(host) > FEATURES_MAX)
		return vm_err_set(err, VM_HYPERVISOR, "QEMU does not describe the host's CPU");
	for (size_t i = 0; i < n; i++) {
		struct distance d;

		if (!json_is_object(models[i].props) || !is_name(models[i].name) ||
		    json_object_size(models[i].props) > FEATURES_MAX)
			continue;
		d = measure(host, models[i].props, by_signature);
		if (best != NULL && !nearer(&d, models[i].name, &least, best->name))
			continue;
		best = &models[i];
		least = d;
	}
	if (best == NULL)
		return vm_err_set(err, VM_HYPERVISOR, "QEMU describes no CPU model");
	vm_record_set(ret, VM_HOSTCPU_MODEL, best->name);
	for (size_t i = 0; i < VM_COUNT(vendors); i++)
		if (strcmp(vendors[i].cpuid, vendor_of(best->props)) == 0)
			vm_record_set(ret, VM_HOSTCPU_VENDOR, vendors[i].word);
	keep(ret, VM_HOSTCPU_REQUIRE, host, best->props);
	keep(ret, VM_HOSTCPU_DISABLE, best->props, host);
	return 0;
}
