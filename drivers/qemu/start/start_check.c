/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What can be known before anything is changed: each missing or unreadable thing by its name. */
#include "start_step.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/log.h>
#include <vm/state.h>

#include "qemu/caps/caps.h"
#include "host/link.h"
#include "qemu/caps/kvm.h"
#include "model/domain.h"

/* mode: of access(2). 0 = fine, and *ret_st (may be NULL) is filled. */
static int check_path(const char *what, const char *path, int mode, struct stat *ret_st,
		      struct vm_err *err)
{
	VM_AUTO_FREE char *blocked = NULL;
	struct stat st;

	if (stat(path, &st) == 0 && faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0) {
		if (ret_st != NULL)
			*ret_st = st;
		return 0;
	}
	if (errno == EACCES)
		blocked = vm_path_blocked(path);
	if (blocked != NULL)
		return vm_err_set(err, VM_DENIED, "%s %s: the directory %s cannot be searched (x)",
				  what, path, blocked);
	vm_err_sys(err, "%s %s", what, path);
	if (err->kind == VM_NOT_FOUND)
		vm_err_hint(err, "make it, or correct its path with vm-edit");
	return -1;
}

static int check_disk(struct vm_start *s, struct vm_disk *disk, struct vm_err *err)
{
	const char *path = disk->source != NULL ? disk->source->path : NULL;
	bool writes = !disk->readonly && disk->device != VM_DISK_CDROM;
	VM_AUTO_FREE char *what = NULL;
	struct stat st;

	(void)s;
	if (path == NULL)
		return 0;
	what = vm_xasprintf("disk %s: image", disk->target);
	if (check_path(what, path, writes ? R_OK | W_OK : R_OK, &st, err) < 0) {
		if (err->kind != VM_NOT_FOUND || disk->source->startup_policy != VM_STARTUP_OPTIONAL)
			return -1;
		vm_log_warning("disk %s: %s is missing; started with an empty drive", disk->target,
			       path);
		free(disk->source->path);
		disk->source->path = NULL;
		*err = VM_ERR_INIT;
		return 0;
	}
	if (disk->type == VM_DISK_BLOCK && !S_ISBLK(st.st_mode))
		return vm_err_set(err, VM_BAD_INPUT, "%s %s is no block device", what, path);
	if (disk->type == VM_DISK_FILE && S_ISDIR(st.st_mode))
		return vm_err_set(err, VM_BAD_INPUT, "%s %s is a directory", what, path);
	return 0;
}

static int check_interface(const struct vm_interface *i, struct vm_err *err)
{
	struct vm_link_info info;

	if (i->kind == VM_INTERFACE_BRIDGE) {
		if (vm_link_get(i->source->bridge, &info, err) < 0) {
			if (err->kind == VM_NOT_FOUND) {
				vm_err_set(err, VM_NOT_FOUND, "there is no bridge %s",
					   i->source->bridge);
				vm_err_hint(err, "make it (ip link add %s type bridge), or use "
						 "another with vm-edit",
					    i->source->bridge);
			}
			return -1;
		}
		if (!info.bridge)
			return vm_err_set(err, VM_BAD_INPUT, "%s is no bridge", i->source->bridge);
	}
	if (i->target == NULL ||
	    (i->kind != VM_INTERFACE_BRIDGE && i->kind != VM_INTERFACE_ETHERNET))
		return 0;
	if (vm_link_get(i->target, &info, err) == 0) {
		if (i->target_managed == VM_SWITCH_OFF)
			return 0;
		return vm_err_set(err, VM_IN_USE, "the network interface %s exists already",
				  i->target);
	}
	if (err->kind != VM_NOT_FOUND || i->target_managed == VM_SWITCH_OFF)
		return -1;
	*err = VM_ERR_INIT;
	return 0;
}

static int check_os(const struct vm_os *os, bool reset_nvram, struct vm_err *err)
{
	const struct {
		const char *what, *path;
	} files[] = {
		{ "kernel", os->kernel },
		{ "initrd", os->initrd },
		{ "dtb", os->dtb },
		{ "loader", os->loader },
	};
	bool template;

	for (size_t i = 0; i < VM_COUNT(files); i++)
		if (files[i].path != NULL &&
		    check_path(files[i].what, files[i].path, R_OK, NULL, err) < 0)
			return -1;
	if (os->nvram == NULL)
		return 0;
	template = os->nvram_template != NULL &&
		   (reset_nvram || faccessat(AT_FDCWD, os->nvram, F_OK, AT_EACCESS) < 0);
	return template ? check_path("nvram template", os->nvram_template, R_OK, NULL, err)
			: check_path("nvram", os->nvram, R_OK | W_OK, NULL, err);
}

int vm_start_check(struct vm_start *s, struct vm_err *err)
{
	const struct vm_domain *d = s->d;

	if (check_os(d->os, s->o->reset_nvram, err) < 0)
		return -1;
	for (uint32_t i = 0; i < d->disks.n; i++)
		if (check_disk(s, d->disks.v[i], err) < 0)
			return -1;
	for (uint32_t i = 0; i < d->interfaces.n; i++)
		if (check_interface(d->interfaces.v[i], err) < 0)
			return -1;
	for (uint32_t i = 0; i < d->rngs.n; i++) {
		const struct vm_rng *rng = d->rngs.v[i];

		if (rng->backend == VM_RNG_RANDOM && rng->path != NULL &&
		    check_path("rng", rng->path, R_OK, NULL, err) < 0)
			return -1;
	}
	if (vm_start_helpers_check(s, err) < 0 || vm_start_hostdevs_check(s, err) < 0 ||
	    vm_start_memlock_check(s, err) < 0)
		return -1;
	if (d->virt == VM_VIRT_KVM && vm_qemu_kvm_check(s->g->state, s->deadline, err) < 0)
		return -1;
	return vm_guest_libvirt_check(s->g, err);
}
