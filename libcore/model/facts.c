/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vm/model.h>

#include <vm/record.h>
#include <vm/state.h>

#include "domain.h"

struct bus_walk {
	uint64_t bus;
	enum vm_device_family family;
	const struct vm_device *found;
};

static int on_bus(enum vm_device_family family, struct vm_device *dev, void *arg)
{
	struct bus_walk *w = arg;

	if (!vm_device_has_address(dev, VM_ADDRESS_PCI) || dev->address->bus != w->bus)
		return 0;
	w->family = family;
	w->found = dev;
	return 1;
}

const struct vm_device *vm_domain_on_bus(const struct vm_domain *d, uint64_t bus,
					 enum vm_device_family *ret_family)
{
	struct bus_walk w = { .bus = bus };

	vm_domain_each_device(d, on_bus, &w);
	if (ret_family)
		*ret_family = w.family;
	return w.found;
}

/* Root ports into which something can be plugged while the guest runs; -1: it has no PCI Express. */
static int free_ports(const struct vm_domain *d)
{
	bool express = false;
	int n = 0;

	for (uint32_t i = 0; i < d->controllers.n; i++) {
		const struct vm_controller *c = d->controllers.v[i];

		express |= c->kind == VM_CONTROLLER_PCI && c->model == VM_PCIE_ROOT;
		if (c->kind == VM_CONTROLLER_PCI && c->model == VM_PCIE_ROOT_PORT &&
		    c->hotplug != VM_SWITCH_OFF && !vm_domain_on_bus(d, c->index, NULL))
			n++;
	}
	return express ? n : -1;
}

void vm_domain_facts(const struct vm_domain *d, struct vm_record *facts)
{
	uint64_t max = d->max_memory > d->memory ? d->max_memory : d->memory;
	int ports = free_ports(d);
	char uuid[37];

	vm_uuid_format(d->uuid, uuid);
	vm_record_set(facts, VM_KEY_UUID, mt_is_set(&d->obj, VM_DOMAIN_BIT_UUID) ? uuid : NULL);
	vm_record_set(facts, VM_KEY_TITLE, d->title);
	vm_record_set(facts, VM_FACT_OS_TYPE, d->os->type);
	vm_record_set(facts, VM_FACT_ARCH, d->os->arch);
	vm_record_set(facts, VM_FACT_MACHINE, d->os->machine);
	vm_record_set(facts, VM_FACT_EMULATOR, d->emulator);
	vm_record_setf(facts, VM_FACT_VCPUS, "%llu",
		       (unsigned long long)(d->vcpus_current ? d->vcpus_current : d->vcpus));
	vm_record_setf(facts, VM_FACT_VCPUS_MAX, "%llu", (unsigned long long)d->vcpus);
	vm_record_setf(facts, VM_FACT_MEMORY, "%llu",
		       (unsigned long long)(d->current_memory ? d->current_memory : d->memory));
	if (ports >= 0)
		vm_record_setf(facts, VM_FACT_PORTS_FREE, "%d", ports);
	vm_record_setf(facts, VM_FACT_MEMORY_MAX, "%llu", (unsigned long long)max);
}
