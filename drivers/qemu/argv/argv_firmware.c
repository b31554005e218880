/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Firmware and the variables it keeps. */
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/state.h>

#include "qemu/plan/plan.h"

char *vm_qemu_nvram(const struct vm_domain *d, const char *lib_path)
{
	const struct vm_os *os = d->os;

	if (os->nvram != NULL)
		return vm_xstrdup(os->nvram);
	/* A loader that can be written keeps its variables itself. */
	if (os->loader == NULL || os->loader_type != VM_LOADER_PFLASH ||
	    os->loader_readonly != VM_SWITCH_ON || os->loader_stateless == VM_SWITCH_ON)
		return NULL;
	return vm_xasprintf("%s/" VM_LIB_NVRAM, lib_path);
}

char *vm_qemu_nvram_template(const struct vm_domain *d)
{
	const struct vm_os *os = d->os;
	const char *base, *code, *rest;

	if (os->nvram_template != NULL)
		return vm_xstrdup(os->nvram_template);
	if (os->loader == NULL || (base = strrchr(os->loader, '/')) == NULL ||
	    (code = strstr(base, "_CODE")) == NULL)
		return NULL;
	rest = code + strlen("_CODE");
	/* One set of variables serves the builds with and without SMM. */
	if (strcmp(rest, ".secboot.fd") == 0)
		rest = ".fd";
	else if (strcmp(rest, "_4M.secboot.fd") == 0)
		rest = "_4M.fd";
	return vm_xasprintf("%.*s_VARS%s", (int)(code - os->loader), os->loader, rest);
}

static void pflash_nodes(struct vm_plan *p, unsigned n, const char *path, bool readonly)
{
	struct vm_qobj o = VM_QOBJ_INIT;

	vm_qobj_str(&o, "driver", "file");
	vm_qobj_str(&o, "filename", path);
	vm_qobj_strf(&o, "node-name", "libvirt-pflash%u-storage", n);
	vm_qobj_bool(&o, "auto-read-only", true);
	vm_qobj_str(&o, "discard", "unmap");
	vm_qobj_emit(&o, p->a, "-blockdev");
	vm_qobj_strf(&o, "node-name", "libvirt-pflash%u-format", n);
	vm_qobj_bool(&o, "read-only", readonly);
	vm_qobj_str(&o, "driver", "raw");
	vm_qobj_strf(&o, "file", "libvirt-pflash%u-storage", n);
	vm_qobj_emit(&o, p->a, "-blockdev");
}

void vm_plan_firmware(struct vm_plan *p)
{
	const struct vm_os *os = p->d->os;

	if (os->loader == NULL)
		return;
	if (os->loader_type != VM_LOADER_PFLASH) {
		vm_argv_opt(p->a, "-bios", os->loader);
		return;
	}
	if (os->loader_secure == VM_SWITCH_ON)
		vm_argv_opt(p->a, "-global", "driver=cfi.pflash01,property=secure,value=on");
	pflash_nodes(p, 0, os->loader, os->loader_readonly == VM_SWITCH_ON);
	if (p->nvram != NULL)
		pflash_nodes(p, 1, p->nvram, false);
}
