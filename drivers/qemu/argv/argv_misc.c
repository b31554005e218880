/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Watchdogs, the balloon, random number generators, panic devices. */
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "qemu/plan/plan.h"

static void watchdog_device(struct vm_plan *p, const struct vm_watchdog *w)
{
	VM_AUTO_FREE char *alias = vm_qemu_alias(p->d, VM_FAMILY_WATCHDOG, &w->dev);
	struct vm_qobj o = VM_QOBJ_INIT;

	if (w->model == VM_WATCHDOG_ITCO) {
		/* Part of the q35 chipset, strapped off. */
		vm_argv_opt(p->a, "-global", "ICH9-LPC.noreboot=off");
		return;
	}
	vm_qobj_str(&o, "driver", vm_watchdog_model_words[w->model]);
	vm_qobj_str(&o, "id", alias);
	vm_plan_address(p, &o, &w->dev);
	vm_qobj_emit(&o, p->a, "-device");
}

void vm_plan_watchdogs(struct vm_plan *p)
{
	/* A dump is made from outside while the guest is paused. */
	static const char *const actions[] = {
	    [VM_WATCHDOG_ACTION_ABSENT] = "reset", [VM_WATCHDOG_RESET] = "reset",
	    [VM_WATCHDOG_SHUTDOWN] = "shutdown",   [VM_WATCHDOG_POWEROFF] = "poweroff",
	    [VM_WATCHDOG_PAUSE] = "pause",	   [VM_WATCHDOG_DUMP] = "pause",
	    [VM_WATCHDOG_NO_ACTION] = "none",	   [VM_WATCHDOG_INJECT_NMI] = "inject-nmi",
	};

	for (uint32_t i = 0; i < p->d->watchdogs.n; i++)
		watchdog_device(p, p->d->watchdogs.v[i]);
	if (p->d->watchdogs.n > 0)
		vm_argv_opt(p->a, "-watchdog-action",
			    actions[((const struct vm_watchdog *)p->d->watchdogs.v[0])->action]);
}

void vm_plan_memballoon(struct vm_plan *p)
{
	for (uint32_t i = 0; i < p->d->memballoons.n; i++) {
		const struct vm_memballoon *b = p->d->memballoons.v[i];
		VM_AUTO_FREE char *alias = vm_qemu_alias(p->d, VM_FAMILY_MEMBALLOON, &b->dev);
		struct vm_qobj o = VM_QOBJ_INIT;

		if (b->model == VM_MEMBALLOON_NONE)
			continue;
		vm_plan_virtio_driver(
		    &o, "virtio-balloon",
		    b->model == VM_MEMBALLOON_TRANSITIONAL	 ? VM_VIRTIO_MODEL_TRANSITIONAL
		    : b->model == VM_MEMBALLOON_NON_TRANSITIONAL ? VM_VIRTIO_MODEL_NON_TRANSITIONAL
								 : VM_VIRTIO_MODEL_VIRTIO);
		vm_plan_virtio(&o, &b->virtio);
		vm_qobj_str(&o, "id", alias);
		vm_qobj_switch(&o, "deflate-on-oom", b->autodeflate);
		vm_qobj_switch(&o, "free-page-reporting", b->free_page_reporting);
		vm_plan_address(p, &o, &b->dev);
		vm_qobj_emit(&o, p->a, "-device");
	}
}

void vm_plan_rngs(struct vm_plan *p)
{
	for (uint32_t i = 0; i < p->d->rngs.n; i++) {
		const struct vm_rng *r = p->d->rngs.v[i];
		VM_AUTO_FREE char *alias = vm_qemu_alias(p->d, VM_FAMILY_RNG, &r->dev);
		struct vm_qobj o = VM_QOBJ_INIT;

		vm_qobj_str(&o, "qom-type",
			    r->backend == VM_RNG_BUILTIN ? "rng-builtin" : "rng-random");
		vm_qobj_strf(&o, "id", "obj%s", alias);
		if (r->backend == VM_RNG_RANDOM)
			vm_qobj_str(&o, "filename", r->path != NULL ? r->path : "/dev/random");
		vm_qobj_emit(&o, p->a, "-object");
		vm_plan_virtio_driver(&o, "virtio-rng", r->model);
		vm_plan_virtio(&o, &r->virtio);
		vm_qobj_strf(&o, "rng", "obj%s", alias);
		vm_qobj_str(&o, "id", alias);
		if (r->rate_bytes != 0) {
			vm_qobj_u64(&o, "max-bytes", r->rate_bytes);
			vm_qobj_u64(&o, "period",
				    r->rate_period_ms != 0 ? r->rate_period_ms : 1000);
		}
		vm_plan_address(p, &o, &r->dev);
		vm_qobj_emit(&o, p->a, "-device");
	}
}

void vm_plan_panics(struct vm_plan *p)
{
	for (uint32_t i = 0; i < p->d->panics.n; i++) {
		const struct vm_panic *panic = p->d->panics.v[i];
		struct vm_qobj o = VM_QOBJ_INIT;

		/* The Hyper-V way is a register of the CPU. */
		if (panic->model == VM_PANIC_HYPERV)
			continue;
		vm_qobj_str(&o, "driver", "pvpanic");
		if (panic->dev.address_type == VM_ADDRESS_ISA && panic->dev.address != NULL &&
		    mt_is_set(&panic->dev.address->obj, VM_ADDRESS_HAS_IOBASE))
			vm_qobj_u64(&o, "ioport", panic->dev.address->iobase);
		vm_qobj_emit(&o, p->a, "-device");
	}
}
