/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A device behind a port whose power is cut (D3cold) may not come back in the state in which a guest can use it, so that
 * is not allowed while one has it.  Source: Linux ABI/testing/sysfs-bus-pci, d3cold_allowed.
 */
#include <vm/cleanup.h>
#include <vm/log.h>

#include "host/vfio.h"
#include "hostdev_bind.h"
#include "hostdev_record.h"

void vm_hostdev_power_save(const struct vm_hostdev_take *t, const struct vm_pci *p, struct vm_record *r)
{
	/* a virtual function has its card's power, and on a root bus there is no port to switch off */
	if (t->user != NULL && p->d3cold == 1 && p->pf[0] == 0 && !vm_pci_on_root_bus(t->sys, t->name))
		vm_record_set(r, VM_HOSTDEV_D3COLD, "1");
}

/* Nobody comes after a restore to do it again, so it is tried twice. */
#define TRIES 2

static void set(const struct vm_hostdev_take *t, bool on)
{
	struct vm_err why = VM_ERR_INIT;

	vm_log_step("write %d to d3cold_allowed of %s", on, t->name);
	for (unsigned n = 0; n < TRIES && !t->dry_run; n++) {
		why = VM_ERR_INIT;
		if (vm_pci_set_d3cold(t->sys, t->name, on, t->deadline, &why) == 0)
			return;
	}
	if (!t->dry_run)
		vm_log_warning("%s", why.msg);
}

void vm_hostdev_power_keep(const struct vm_hostdev_take *t, const struct vm_record *r)
{
	if (vm_record_get(r, VM_HOSTDEV_D3COLD) != NULL)
		set(t, false);
}

void vm_hostdev_power_restore(const struct vm_hostdev_take *t, const struct vm_record *r)
{
	if (vm_record_get(r, VM_HOSTDEV_D3COLD) != NULL)
		set(t, true);
}
