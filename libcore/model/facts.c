/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vm/model.h>

#include <vm/record.h>
#include <vm/state.h>

#include "domain.h"

void vm_domain_facts(const struct vm_domain *d, struct vm_record *facts)
{
	uint64_t max = d->max_memory > d->memory ? d->max_memory : d->memory;
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
	vm_record_setf(facts, VM_FACT_MEMORY_MAX, "%llu", (unsigned long long)max);
}
