/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a virtual function of a network card was set to, in the record of its device: written before it is set to something else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <string.h>

#include <vm/cleanup.h>
#include <vm/log.h>

#include "host/vf.h"
#include "hostdev_bind.h"
#include "hostdev_record.h"

#define SERVICE "802.1ad"

int vm_hostdev_vf_save(const struct vm_hostdev_take *t, struct vm_record *r, struct vm_err *err)
{
	struct vm_vf_config was;
	struct vm_vf vf;
	char mac[VM_MAC_TEXT];

	if (t->vf == NULL)
		return 0;
	if (vm_vf_find(t->sys, t->name, &vf, err) < 0 || vm_vf_check(t->sys, &vf, err) < 0 ||
	    vm_vf_read(t->sys, &vf, &was, err) < 0)
		return -1;
	vm_mac_format(was.mac, mac);
	vm_record_set(r, VM_HOSTDEV_VF_MAC, mac);
	vm_record_setf(r, VM_HOSTDEV_VF_VLAN, "%u %u%s", was.vlan, was.qos, was.service ? " " SERVICE : "");
	vm_mac_format(was.own, mac);
	vm_record_set(r, VM_HOSTDEV_VF_OWN, was.has_own ? mac : NULL);
	return 0;
}

int vm_hostdev_vf_set(const struct vm_hostdev_take *t, struct vm_err *err)
{
	char mac[VM_MAC_TEXT];
	struct vm_vf vf;

	if (t->vf == NULL)
		return 0;
	if (vm_vf_find(t->sys, t->name, &vf, err) < 0)
		return -1;
	vm_mac_format(t->vf->mac, mac);
	vm_log_step("set the MAC of virtual function %u of %s to %s, its VLAN to %u", vf.index, vf.pf, mac,
		    t->vf->has_vlan ? t->vf->vlan : 0u);
	return t->dry_run ? 0 : vm_vf_set(t->sys, &vf, t->vf, err);
}

/* False: there is nothing to restore, or what is recorded makes no sense. */
static bool was(const char *name, const struct vm_record *r, struct vm_vf_config *ret)
{
	const char *mac = vm_record_get(r, VM_HOSTDEV_VF_MAC), *vlan = vm_record_get(r, VM_HOSTDEV_VF_VLAN);
	const char *own = vm_record_get(r, VM_HOSTDEV_VF_OWN);
	unsigned id = 0, qos = 0;
	char protocol[16] = "";
	int n;

	if (mac == NULL)
		return false;
	*ret = (struct vm_vf_config){ .has_own = own != NULL };
	n = vlan != NULL ? sscanf(vlan, "%u %u %15s", &id, &qos, protocol) : 0;
	if (!vm_mac_parse(mac, ret->mac) || (own != NULL && !vm_mac_parse(own, ret->own)) || n < 2 || id > 4095 || qos > 7 ||
	    (n > 2 && strcmp(protocol, SERVICE) != 0)) {
		vm_log_warning("%s: what its record says of its MAC and VLAN cannot be read: they stay", name);
		return false;
	}
	ret->vlan = (uint16_t)id;
	ret->qos = (uint8_t)qos;
	ret->service = n > 2;
	return true;
}

static int restore(const struct vm_sys *sys, const char *name, const struct vm_vf_config *config, struct vm_err *err)
{
	struct vm_vf vf;

	if (vm_vf_find(sys, name, &vf, err) == 0)
		return vm_vf_restore(sys, &vf, config, err);
	/* its card's functions were unmade, and it with them */
	return err->kind == VM_NOT_FOUND ? 0 : -1;
}

static int restore_own(const struct vm_sys *sys, const char *name, const struct vm_vf_config *config, struct vm_err *err)
{
	return config->has_own ? vm_vf_restore_own(sys, name, config->own, err) : 0;
}

/* Nobody tries again later: what fails for want of a descriptor, or of memory, may succeed the next time. */
static void try_twice(const struct vm_sys *sys, const char *name, const struct vm_vf_config *config,
		      int (*restores)(const struct vm_sys *, const char *, const struct vm_vf_config *, struct vm_err *))
{
	struct vm_err first = VM_ERR_INIT, second = VM_ERR_INIT;

	if (restores(sys, name, config, &first) < 0 && restores(sys, name, config, &second) < 0)
		vm_log_warning("%s", second.msg);
}

void vm_hostdev_vf_restore(const struct vm_sys *sys, const char *name, const struct vm_record *r)
{
	struct vm_vf_config config;

	if (!was(name, r, &config))
		return;
	vm_log_step("give the MAC and VLAN of %s back", name);
	try_twice(sys, name, &config, restore);
}

void vm_hostdev_vf_restore_own(const struct vm_sys *sys, const char *name, const struct vm_record *r)
{
	struct vm_vf_config config;

	if (was(name, r, &config))
		try_twice(sys, name, &config, restore_own);
}

void vm_hostdev_vf_forget(struct vm_record *r)
{
	vm_record_set(r, VM_HOSTDEV_VF_MAC, NULL);
	vm_record_set(r, VM_HOSTDEV_VF_VLAN, NULL);
	vm_record_set(r, VM_HOSTDEV_VF_OWN, NULL);
}
