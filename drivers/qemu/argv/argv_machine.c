/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* -machine, -accel, memory, -smp, clock, power management, boot, firmware. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "qemu/plan/plan.h"

#define MIB (UINT64_C(1) << 20)
#define RAM "pc.ram" /* what these machines call their memory */

static const struct vm_timer *find_timer(const struct vm_domain *d, int name)
{
	if (d->clock == NULL)
		return NULL;
	for (uint32_t i = 0; i < d->clock->timers.n; i++)
		if (((const struct vm_timer *)d->clock->timers.v[i])->name == name)
			return d->clock->timers.v[i];
	return NULL;
}

static void kv_switch(struct vm_strbuf *b, const char *key, int value)
{
	if (value != VM_SWITCH_ABSENT)
		vm_kv_on(b, key, value == VM_SWITCH_ON);
}

static bool pflash(const struct vm_domain *d)
{
	return d->os->loader != NULL && d->os->loader_type == VM_LOADER_PFLASH;
}

static void accel(struct vm_plan *p)
{
	const struct vm_kvm_features *kvm = p->d->features != NULL ? p->d->features->kvm : NULL;
	struct vm_strbuf b = VM_STRBUF_INIT;

	vm_kv_word(&b, p->d->virt == VM_VIRT_KVM ? "kvm" : "tcg");
	if (p->d->virt == VM_VIRT_KVM && kvm != NULL && kvm->dirty_ring == VM_SWITCH_ON)
		vm_kv_u64(&b, "dirty-ring-size", kvm->dirty_ring_size);
	vm_argv_opt(p->a, "-accel", b.text);
	vm_strbuf_free(&b);
}

void vm_plan_machine(struct vm_plan *p)
{
	const struct vm_domain *d = p->d;
	const struct vm_features *f = d->features;
	const struct vm_timer *hpet = find_timer(d, VM_TIMER_HPET);
	struct vm_strbuf b = VM_STRBUF_INIT;

	vm_kv_word(&b, d->os->machine);
	vm_kv_on(&b, "usb", false);
	if (f != NULL) {
		kv_switch(&b, "vmport", f->vmport);
		kv_switch(&b, "smm", f->smm);
		if (f->ioapic != VM_IOAPIC_ABSENT)
			vm_kv_str(&b, "kernel_irqchip",
				  f->ioapic == VM_IOAPIC_KVM ? "on" : "split");
	}
	vm_kv_on(&b, "dump-guest-core", d->dump_core == VM_SWITCH_ON);
	if (d->memory_backing != NULL && d->memory_backing->nosharepages)
		vm_kv_on(&b, "mem-merge", false);
	if (vm_domain_cells(d) == NULL)
		vm_kv_str(&b, "memory-backend", RAM);
	if (pflash(d)) {
		vm_kv_str(&b, "pflash0", "libvirt-pflash0-format");
		if (p->nvram != NULL)
			vm_kv_str(&b, "pflash1", "libvirt-pflash1-format");
	}
	if (hpet != NULL && hpet->present == VM_SWITCH_OFF)
		vm_kv_on(&b, "hpet", false);
	vm_argv_opt(p->a, "-machine", b.text);
	vm_strbuf_free(&b);
	accel(p);
}

void vm_plan_memory(struct vm_plan *p)
{
	const struct vm_memory_backing *b = p->d->memory_backing;
	uint64_t mib = (p->d->memory + MIB - 1) / MIB;

	vm_argv_add(p->a, "-m");
	vm_argv_addf(p->a, "%" PRIu64, mib);
	if (vm_domain_cells(p->d) == NULL)
		vm_plan_backend(p, RAM, mib * MIB);
	vm_argv_opt(p->a, "-overcommit", b != NULL && b->locked ? "mem-lock=on" : "mem-lock=off");
}

void vm_plan_smp(struct vm_plan *p)
{
	const struct vm_domain *d = p->d;
	const struct vm_cpu *cpu = d->cpu;
	struct vm_strbuf b = VM_STRBUF_INIT;
	uint64_t now = d->vcpus_current != 0 ? d->vcpus_current : d->vcpus;
	bool topology = cpu != NULL && cpu->sockets != 0;

	vm_strbuf_printf(&b, "%" PRIu64, now);
	if (now != d->vcpus)
		vm_kv_u64(&b, "maxcpus", d->vcpus);
	vm_kv_u64(&b, "sockets", topology ? cpu->sockets : d->vcpus);
	if (topology)
		vm_kv_u64(&b, "dies", cpu->dies != 0 ? cpu->dies : 1);
	vm_kv_u64(&b, "cores", topology ? cpu->cores : 1);
	vm_kv_u64(&b, "threads", topology ? cpu->threads : 1);
	vm_argv_opt(p->a, "-smp", b.text);
	vm_strbuf_free(&b);
	vm_plan_iothreads(p);
	vm_plan_numa(p);
}

/* ---- clock ---- */

static void rtc_date(struct vm_strbuf *b, time_t at)
{
	struct tm tm;
	char text[64];

	if (gmtime_r(&at, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		return;
	vm_kv_str(b, "base", text);
}

static void rtc_base(struct vm_plan *p, struct vm_strbuf *b)
{
	const struct vm_clock *c = p->d->clock;

	switch (c != NULL ? (enum vm_clock_offset)c->offset : VM_CLOCK_UTC) {
	case VM_CLOCK_LOCALTIME:
		vm_kv_str(b, "base", "localtime");
		break;
	case VM_CLOCK_TIMEZONE:
		vm_argv_env(p->a, "TZ", c->timezone);
		vm_kv_str(b, "base", "localtime");
		break;
	case VM_CLOCK_VARIABLE: {
		time_t at = p->env->now_s != 0 ? p->env->now_s : time(NULL);
		struct tm tm;

		if (c->basis == VM_CLOCK_LOCALTIME && localtime_r(&at, &tm) != NULL)
			at += tm.tm_gmtoff;
		if (c->adjustment != NULL)
			at += strtoll(c->adjustment, NULL, 10);
		rtc_date(b, at);
		break;
	}
	case VM_CLOCK_ABSOLUTE:
		rtc_date(b, (time_t)c->start_s);
		break;
	case VM_CLOCK_ABSENT:
	case VM_CLOCK_UTC:
		/* A clock that was adjusted once and reset starts at UTC again. */
		vm_kv_str(b, "base", "utc");
		break;
	}
}

void vm_plan_clock(struct vm_plan *p)
{
	static const char *const tracks[] = {
	    [VM_TRACK_GUEST] = "vm", [VM_TRACK_WALL] = "host", [VM_TRACK_REALTIME] = "rt"};
	const struct vm_timer *rtc = find_timer(p->d, VM_TIMER_RTC);
	const struct vm_timer *pit = find_timer(p->d, VM_TIMER_PIT);
	struct vm_strbuf b = VM_STRBUF_INIT;

	rtc_base(p, &b);
	if (rtc != NULL) {
		if ((size_t)rtc->track < VM_COUNT(tracks))
			vm_kv_str(&b, "clock", tracks[rtc->track]);
		if (rtc->tick == VM_TICK_CATCHUP)
			vm_kv_str(&b, "driftfix", "slew");
	}
	vm_argv_opt(p->a, "-rtc", b.text);
	vm_strbuf_free(&b);
	if (pit == NULL)
		return;
	if (pit->tick == VM_TICK_ABSENT || pit->tick == VM_TICK_DELAY)
		vm_argv_opt(p->a, "-global", "kvm-pit.lost_tick_policy=delay");
	else if (pit->tick == VM_TICK_DISCARD)
		vm_argv_opt(p->a, "-global", "kvm-pit.lost_tick_policy=discard");
}

/* ---- power, boot ---- */

static void sleep_state(struct vm_plan *p, const char *state, int enabled)
{
	if (enabled == VM_SWITCH_ABSENT)
		return;
	vm_argv_add(p->a, "-global");
	vm_argv_addf(p->a, "%s.disable_%s=%d", vm_qemu_is_q35(p->d) ? "ICH9-LPC" : "PIIX4_PM",
		     state, enabled == VM_SWITCH_OFF);
}

void vm_plan_power(struct vm_plan *p)
{
	const struct vm_domain *d = p->d;
	const struct vm_controller *root = vm_controller_find(d, VM_CONTROLLER_PCI, 0);

	vm_argv_add(p->a, "-no-shutdown");
	if (d->features == NULL || !d->features->acpi)
		vm_argv_add(p->a, "-no-acpi");
	sleep_state(p, "s3", d->suspend_to_mem);
	sleep_state(p, "s4", d->suspend_to_disk);
	if (root != NULL && root->model == VM_PCI_ROOT && root->hotplug != VM_SWITCH_ABSENT) {
		vm_argv_add(p->a, "-global");
		vm_argv_addf(p->a, "PIIX4_PM.acpi-root-pci-hotplug=%s",
			     root->hotplug == VM_SWITCH_ON ? "on" : "off");
	}
	if (root != NULL && mt_is_set(&root->dev.obj, VM_CONTROLLER_BIT_PCIHOLE64)) {
		vm_argv_add(p->a, "-global");
		vm_argv_addf(p->a, "%s-pcihost.pci-hole64-size=%" PRIu64 "K",
			     root->model == VM_PCIE_ROOT ? "q35" : "i440FX",
			     root->pcihole64 / 1024);
	}
}

void vm_plan_boot(struct vm_plan *p)
{
	const struct vm_os *os = p->d->os;
	struct vm_strbuf b = VM_STRBUF_INIT;

	kv_switch(&b, "menu", os->bootmenu);
	if (os->bootmenu == VM_SWITCH_ON && mt_is_set(&os->obj, VM_OS_BIT_BOOTMENU_TIMEOUT))
		vm_kv_u64(&b, "splash-time", os->bootmenu_timeout_ms);
	if (mt_is_set(&os->obj, VM_OS_BIT_REBOOT_TIMEOUT)) {
		VM_AUTO_FREE char *ms = vm_xasprintf("%" PRId64, os->reboot_timeout_ms);

		vm_kv_str(&b, "reboot-timeout", ms);
	}
	vm_kv_on(&b, "strict", true);
	vm_argv_opt(p->a, "-boot", b.text);
	vm_strbuf_free(&b);
}

void vm_plan_kernel(struct vm_plan *p)
{
	const struct vm_os *os = p->d->os;

	if (os->kernel != NULL)
		vm_argv_opt(p->a, "-kernel", os->kernel);
	if (os->initrd != NULL)
		vm_argv_opt(p->a, "-initrd", os->initrd);
	if (os->cmdline != NULL)
		vm_argv_opt(p->a, "-append", os->cmdline);
	if (os->dtb != NULL)
		vm_argv_opt(p->a, "-dtb", os->dtb);
}
