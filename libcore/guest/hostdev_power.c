/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A device behind a port whose power is cut (D3cold) may not come back in the state in which a guest can use it, so that
 * is not allowed while one has it.  VFIO lets the device sleep while nobody uses it, and forbids that when it lets go of it,
 * whatever it was before.  Source: Linux ABI/testing/sysfs-bus-pci, d3cold_allowed; drivers/vfio/pci/vfio_pci_core.c, from 5.19 on.
 */
#include <string.h>

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

int vm_hostdev_control_save(const struct vm_hostdev_take *t, struct vm_record *r, struct vm_err *err)
{
	char now[8];

	if (vm_pci_control(t->sys, t->name, now, err) < 0)
		return -1;
	vm_record_set(r, VM_HOSTDEV_CONTROL, now[0] != 0 ? now : NULL);
	return 0;
}

void vm_hostdev_control_restore(const struct vm_hostdev_take *t, const struct vm_record *r)
{
	const char *was = vm_record_get(r, VM_HOSTDEV_CONTROL);
	struct vm_err why = VM_ERR_INIT;
	char now[8];

	if (was == NULL || (vm_pci_control(t->sys, t->name, now, &why) == 0 && strcmp(now, was) == 0))
		return;
	vm_log_step("write %s to power/control of %s", was, t->name);
	for (unsigned n = 0; n < TRIES; n++) {
		why = VM_ERR_INIT;
		if (vm_pci_set_control(t->sys, t->name, was, t->deadline, &why) == 0)
			return;
	}
	vm_log_warning("%s", why.msg);
}
