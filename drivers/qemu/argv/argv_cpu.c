/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* -cpu: model, features, enlightenments. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "qemu/plan/plan.h"

/* QEMU's name of a feature: libvirt's database has underscores where QEMU has dashes, and a slip.
 */
static void feature(struct vm_strbuf *b, const char *name, bool on)
{
	VM_AUTO_FREE char *key = vm_xstrdup(strcmp(name, "pclmuldq") == 0 ? "pclmulqdq" : name);

	for (char *c = key; *c != '\0'; c++)
		if (*c == '_')
			*c = '-';
	vm_kv_on(b, key, on);
}

static void feature_switch(struct vm_strbuf *b, const char *name, int value)
{
	if (value != VM_SWITCH_ABSENT)
		vm_kv_on(b, name, value == VM_SWITCH_ON);
}

static void custom(struct vm_strbuf *b, const struct vm_cpu *cpu)
{
	for (uint32_t i = 0; i < cpu->features.n; i++) {
		const struct vm_cpu_feature *f = cpu->features.v[i];

		switch ((enum vm_cpu_policy)f->policy) {
		case VM_CPU_POLICY_ABSENT: /* require */
		case VM_CPU_FORCE:
		case VM_CPU_REQUIRE:
		case VM_CPU_OPTIONAL: /* QEMU drops, with a warning, what the host lacks */
			feature(b, f->name, true);
			break;
		case VM_CPU_DISABLE:
		case VM_CPU_FORBID:
			feature(b, f->name, false);
			break;
		}
	}
}

/* The machines' own default is that of the program: qemu-system-i386 has a smaller one. */
static const char *default_model(const struct vm_plan *p)
{
	const char *emulator = p->a->v[0];
	size_t len = strlen(emulator);

	return len >= 4 && strcmp(emulator + len - 4, "i386") == 0 ? "qemu32" : "qemu64";
}

static void model(struct vm_strbuf *b, const struct vm_plan *p)
{
	const struct vm_domain *d = p->d;
	const struct vm_cpu *cpu = d->cpu;
	bool kvm = d->virt == VM_VIRT_KVM;

	switch (cpu != NULL ? (enum vm_cpu_mode)cpu->mode : VM_CPU_MODE_ABSENT) {
	case VM_CPU_HOST_PASSTHROUGH:
	case VM_CPU_HOST_MODEL:
		vm_kv_word(b, kvm ? "host" : "max");
		if (kvm)
			vm_kv_on(b, "migratable", cpu->migratable != VM_SWITCH_OFF);
		break;
	case VM_CPU_MAXIMUM:
		vm_kv_word(b, "max");
		if (kvm)
			vm_kv_on(b, "migratable", cpu->migratable != VM_SWITCH_OFF);
		break;
	case VM_CPU_MODE_ABSENT:
	case VM_CPU_CUSTOM:
		vm_kv_word(b, cpu != NULL && cpu->model != NULL ? cpu->model : default_model(p));
		if (cpu != NULL)
			vm_kv_str(b, "vendor", cpu->vendor_id);
		break;
	}
	if (cpu != NULL)
		custom(b, cpu);
}

static void caches_and_bits(struct vm_strbuf *b, const struct vm_cpu *cpu)
{
	/* Only a CPU that copies the host's may have the host's caches, and does by default. */
	const bool host = cpu->mode == VM_CPU_HOST_PASSTHROUGH || cpu->mode == VM_CPU_MAXIMUM;

	if (cpu->cache_mode == VM_CPU_CACHE_EMULATE)
		vm_kv_on(b, "l3-cache", true);
	else if (cpu->cache_mode == VM_CPU_CACHE_PASSTHROUGH)
		vm_kv_on(b, "host-cache-info", true);
	if (host && (cpu->cache_mode == VM_CPU_CACHE_EMULATE ||
		     cpu->cache_mode == VM_CPU_CACHE_DISABLE))
		vm_kv_on(b, "host-cache-info", false);
	if (cpu->cache_mode == VM_CPU_CACHE_PASSTHROUGH || cpu->cache_mode == VM_CPU_CACHE_DISABLE)
		vm_kv_on(b, "l3-cache", false);
	if (cpu->phys_mode == VM_CPU_PHYS_EMULATE && cpu->phys_bits != 0) {
		vm_kv_u64(b, "phys-bits", cpu->phys_bits);
	} else if (cpu->phys_mode == VM_CPU_PHYS_PASSTHROUGH) {
		vm_kv_on(b, "host-phys-bits", true);
		if (cpu->phys_limit != 0)
			vm_kv_u64(b, "host-phys-bits-limit", cpu->phys_limit);
	}
}

static void timers(struct vm_strbuf *b, const struct vm_domain *d)
{
	if (d->clock == NULL)
		return;
	for (uint32_t i = 0; i < d->clock->timers.n; i++) {
		const struct vm_timer *t = d->clock->timers.v[i];

		if (t->name == VM_TIMER_KVMCLOCK)
			feature_switch(b, "kvmclock", t->present);
		else if (t->name == VM_TIMER_HYPERVCLOCK)
			feature_switch(b, "hv-time", t->present);
		else if (t->name == VM_TIMER_TSC && t->frequency_hz != 0)
			vm_kv_u64(b, "tsc-frequency", t->frequency_hz);
	}
}

static void hyperv(struct vm_strbuf *b, const struct vm_hyperv *h)
{
	/* A feature that is off says nothing: QEMU's default is off, but for passthrough. */
	const struct {
		const char *name;
		int value;
	} of[] = {
	    {"hv-relaxed", h->relaxed},
	    {"hv-vapic", h->vapic},
	    {"hv-spinlocks", h->spinlocks},
	    {"hv-vpindex", h->vpindex},
	    {"hv-runtime", h->runtime},
	    {"hv-synic", h->synic},
	    {"hv-stimer", h->stimer},
	    {"hv-stimer-direct", h->stimer == VM_SWITCH_ON ? h->stimer_direct : VM_SWITCH_ABSENT},
	    {"hv-reset", h->reset},
	    {"hv-vendor-id", h->vendor_id},
	    {"hv-frequencies", h->frequencies},
	    {"hv-reenlightenment", h->reenlightenment},
	    {"hv-tlbflush", h->tlbflush},
	    {"hv-ipi", h->ipi},
	    {"hv-evmcs", h->evmcs},
	    {"hv-avic", h->avic},
	};

	if (h->mode == 2) {
		vm_kv_on(b, "hv-passthrough", true);
		return;
	}
	for (size_t i = 0; i < VM_COUNT(of); i++) {
		if (of[i].value != VM_SWITCH_ON)
			continue;
		if (strcmp(of[i].name, "hv-spinlocks") == 0) {
			VM_AUTO_FREE char *retries =
			    vm_xasprintf("0x%" PRIx64, h->spinlocks_retries);

			vm_kv_str(b, of[i].name, retries);
		} else if (strcmp(of[i].name, "hv-vendor-id") == 0) {
			vm_kv_str(b, of[i].name, h->vendor_id_value);
		} else {
			vm_kv_on(b, of[i].name, true);
		}
	}
}

static void features(struct vm_strbuf *b, const struct vm_features *f)
{
	if (f->apic)
		feature_switch(b, "kvm-pv-eoi", f->apic_eoi);
	feature_switch(b, "kvm-pv-unhalt", f->pvspinlock);
	if (f->hyperv != NULL)
		hyperv(b, f->hyperv);
	if (f->kvm != NULL) {
		if (f->kvm->hidden == VM_SWITCH_ON)
			vm_kv_on(b, "kvm", false);
		if (f->kvm->hint_dedicated == VM_SWITCH_ON)
			vm_kv_on(b, "kvm-hint-dedicated", true);
		if (f->kvm->poll_control == VM_SWITCH_ON)
			vm_kv_on(b, "kvm-poll-control", true);
		if (f->kvm->pv_ipi == VM_SWITCH_OFF)
			vm_kv_on(b, "kvm-pv-ipi", false);
	}
	feature_switch(b, "pmu", f->pmu);
}

void vm_plan_cpu(struct vm_plan *p)
{
	const struct vm_domain *d = p->d;
	struct vm_strbuf b = VM_STRBUF_INIT;

	model(&b, p);
	timers(&b, d);
	if (d->features != NULL)
		features(&b, d->features);
	for (uint32_t i = 0; i < d->panics.n; i++)
		if (((const struct vm_panic *)d->panics.v[i])->model == VM_PANIC_HYPERV) {
			vm_kv_word(&b, "hv-crash");
			break;
		}
	if (d->cpu != NULL)
		caches_and_bits(&b, d->cpu);
	vm_argv_opt(p->a, "-cpu", b.text);
	vm_strbuf_free(&b);
}
