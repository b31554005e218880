/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "make.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "bounded.h"
#include "mdev.h"

#define PARENTS VM_MDEV_PARENTS
#define MDEVS	(&VM_MDEV_PLACE[1])
#define PCIS	"sys/bus/pci/devices"

static int write_one(const struct vm_sys *s, const char *path, const char *text, struct vm_deadline deadline,
		     struct vm_err *err)
{
	const struct vm_sys_write w = { path, text };
	size_t at;

	return vm_sys_write(s, &w, 1, deadline, &at, err);
}

/* ---- mediated devices ---- */

static int no_type(const struct vm_sys *s, const char *parent, const char *type, struct vm_err *err)
{
	VM_AUTO_FREE char *place = vm_xasprintf(PARENTS "/%s", parent);
	VM_AUTO_FREE struct vm_mdev_type *types = NULL;
	VM_AUTO_FD int dir = vm_sys_dir(s, place);
	char said[512];
	size_t n, len = 0;

	if (dir < 0) {
		vm_err_set(err, VM_NOT_FOUND, "there is no parent of mediated devices %s", parent);
		return vm_err_hint(err, "its driver has to offer them; vm-hostdev-list --kind=mdev-parent lists those that do");
	}
	said[0] = 0;
	n = vm_mdev_types(s, parent, &types, NULL);
	for (size_t i = 0; i < n && len < sizeof(said); i++)
		len += (size_t)snprintf(said + len, sizeof(said) - len, "%s%s", i > 0 ? ", " : "", types[i].id);
	vm_err_set(err, VM_NOT_FOUND, "%s makes no mediated devices of type '%s'", parent, type);
	return n > 0 ? vm_err_hint(err, "its types: %s", said) : -1;
}

int vm_mdev_create(const struct vm_sys *s, const char *parent, const char *type, const char *uuid,
		   struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO_FREE char *place = vm_xasprintf(PARENTS "/%s/mdev_supported_types/%s", parent, type);
	VM_AUTO_FREE char *path = vm_xasprintf("%s/create", place);
	struct vm_unread unread = VM_UNREAD_NONE;
	VM_AUTO_FD int dir = vm_sys_look(s, place, &unread);
	int64_t left;

	if (vm_unread_fail(&unread, err) < 0)
		return -1;
	if (dir < 0)
		return no_type(s, parent, type, err);
	if (write_one(s, path, uuid, deadline, err) == 0)
		return 0;
	if (err->kind == VM_TIMED_OUT)
		return vm_err_set(err, VM_TIMED_OUT, "%s does not make the mediated device", parent);
	if (vm_sys_i64(dir, "available_instances", &left, NULL) && left <= 0)
		return vm_err_set(err, VM_IN_USE, "%s can make no more devices of type '%s'", parent, type);
	return vm_err_wrap(err, "make a mediated device of type '%s'", type);
}

int vm_mdev_set(const struct vm_sys *s, const char *uuid, const char *attr, const char *value,
		struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO_FREE char *path = vm_xasprintf("%s/%s/%s", MDEVS, uuid, attr);

	if (write_one(s, path, value, deadline, err) == 0)
		return 0;
	if (err->kind == VM_NOT_FOUND)
		return vm_err_set(err, VM_NOT_FOUND, "the device has no attribute '%s'", attr);
	return vm_err_wrap(err, "set the attribute '%s' to '%s'", attr, value);
}

int vm_mdev_remove(const struct vm_sys *s, const char *uuid, struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO_FREE char *path = vm_xasprintf("%s/%s/remove", MDEVS, uuid);

	if (write_one(s, path, "1", deadline, err) == 0 || err->sys == ENOENT || err->sys == ENODEV) {
		*err = VM_ERR_INIT;
		return 0;
	}
	if (err->kind == VM_TIMED_OUT) {
		vm_err_set(err, VM_TIMED_OUT, "mdev:%s goes only when nobody has it open any more", uuid);
		return vm_err_hint(err, "vm-hostdev-info mdev:%s shows who has", uuid);
	}
	return vm_err_wrap(err, "remove mdev:%s", uuid);
}

/* ---- virtual functions ---- */

static int sriov_error(const struct vm_sys *s, const char *pf, unsigned count, struct vm_err *err)
{
	struct vm_err ignored = VM_ERR_INIT;
	struct vm_pci p;

	if (vm_pci_read(s, pf, &p, &ignored) < 0)
		return vm_err_wrap(err, "%s", pf);
	if (err->kind == VM_TIMED_OUT)
		return vm_err_set(err, VM_TIMED_OUT, "%s: its driver %s does not %s virtual functions", pf,
				  p.driver[0] != 0 ? p.driver : "?", count > 0 ? "make" : "let go of its");
	/* Source: Linux, drivers/pci/iov.c, sriov_numvfs_store() */
	if (err->sys == ENOENT) {
		vm_err_set(err, VM_UNSUPPORTED, "%s: its driver (%s) makes no virtual functions", pf,
			   p.driver[0] != 0 ? p.driver : "none");
		return vm_err_hint(err, "bind it to the host's driver for it: vm-hostdev-unbind %s", pf);
	}
	return vm_err_wrap(err, "set the number of virtual functions of %s to %u", pf, count);
}

int vm_sriov_set(const struct vm_sys *s, const char *pf, unsigned count, struct vm_deadline deadline,
		 struct vm_err *err)
{
	VM_AUTO_FREE char *path = vm_xasprintf(PCIS "/%s/sriov_numvfs", pf);
	char text[16];
	struct vm_pci p;

	snprintf(text, sizeof(text), "%u", count);
	if (vm_pci_read(s, pf, &p, err) < 0)
		return -1;
	if (p.vfs == count)
		return 0;
	if (count > 0 && p.vfs > 0 && write_one(s, path, "0", deadline, err) < 0)
		return sriov_error(s, pf, 0, err);
	if (write_one(s, path, text, deadline, err) < 0)
		return sriov_error(s, pf, count, err);
	if (vm_pci_read(s, pf, &p, err) < 0)
		return -1;
	if (p.vfs != count)
		return vm_err_set(err, VM_SYSTEM, "%s has %u virtual functions instead of %u", pf, p.vfs, count);
	return 0;
}

int vm_sriov_autoprobe(const struct vm_sys *s, const char *pf, int *ret, struct vm_err *err)
{
	struct vm_unread unread = VM_UNREAD_NONE;
	VM_AUTO_FD int dir = -1;
	int64_t on;

	if (vm_pci_open(s, pf, &dir, err) < 0)
		return -1;
	*ret = vm_sys_i64(dir, "sriov_drivers_autoprobe", &on, &unread) ? on != 0 : -1;
	return vm_unread_fail(&unread, err);
}

int vm_sriov_set_autoprobe(const struct vm_sys *s, const char *pf, bool on, struct vm_deadline deadline,
			   struct vm_err *err)
{
	VM_AUTO_FREE char *path = vm_xasprintf(PCIS "/%s/sriov_drivers_autoprobe", pf);

	if (write_one(s, path, on ? "1" : "0", deadline, err) < 0)
		return vm_err_wrap(err, "say whether drivers take the virtual functions of %s", pf);
	return 0;
}

int vm_vfs_read(const struct vm_sys *s, const struct vm_pci *pf, struct vm_vfs *ret, struct vm_err *err)
{
	struct vm_unread unread = VM_UNREAD_NONE;
	VM_AUTO_FD int dir = -1;

	if (vm_pci_open(s, pf->name, &dir, err) < 0)
		return -1;
	*ret = (struct vm_vfs){ .v = vm_xcalloc(pf->vfs + 1, sizeof(*ret->v)), .n = pf->vfs };
	for (size_t i = 0; i < ret->n; i++) {
		char link[32];

		snprintf(link, sizeof(link), "virtfn%zu", i);
		if (!vm_sys_link(dir, link, ret->v[i], sizeof(ret->v[i]), &unread))
			ret->v[i][0] = 0;
	}
	return vm_unread_fail(&unread, err);
}

void vm_vfs_free(struct vm_vfs *v)
{
	free(v->v);
	*v = (struct vm_vfs){ 0 };
}

/* ---- a vendor's virtual GPU ---- */

int vm_vgpu_set(const struct vm_sys *s, const char *vf, unsigned long type, struct vm_deadline deadline,
		struct vm_err *err)
{
	VM_AUTO_FREE char *path = vm_xasprintf(PCIS "/%s/" VM_PCI_VGPU, vf);
	char text[24];
	struct vm_pci p;

	snprintf(text, sizeof(text), "%lu", type);
	if (vm_pci_read(s, vf, &p, err) < 0)
		return -1;
	if (p.vgpu < 0) {
		vm_err_set(err, VM_UNSUPPORTED, "%s can have no virtual GPU", vf);
		return vm_err_hint(err, "it must be a virtual function bound to its vendor's driver");
	}
	if (write_one(s, path, text, deadline, err) == 0)
		return 0;
	vm_err_wrap(err, "set the type of the virtual GPU on %s to %s", vf, text);
	return type != 0 ? vm_err_hint(err, "nvidia/creatable_vgpu_types in its directory lists what can be") : -1;
}
