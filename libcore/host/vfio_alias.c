/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Drivers of VFIO that are made for certain devices.  Their modules have aliases of their own kind, which nothing loads by itself.
 * Source: Linux Documentation/driver-api/vfio-pci-device-specific-driver-acceptance.rst; scripts/mod/file2alias.c ("vfio_pci:v*d*...").
 */
#include <errno.h>
#include <fnmatch.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/log.h>
#include <vm/process.h>

#include "vfio.h"

#define ALIASES_MAX (16u << 20) /* bytes of modules.alias */
#define KIND	    "alias vfio_pci:"
#define GENERAL	    "vfio_pci"

static char *read_aliases(const struct vm_sys *s, struct vm_unread *u)
{
	VM_AUTO_FD int kernel = vm_sys_look(s, "proc/sys/kernel", u);
	VM_AUTO_FREE char *path = NULL;
	VM_AUTO_FD int dir = -1;
	VM_AUTO_FD int fd = -1;
	struct vm_err why = VM_ERR_INIT;
	char release[VM_SYS_TEXT], *text = NULL;

	if (kernel < 0 || !vm_sys_text(kernel, "osrelease", release, sizeof(release), u) || strchr(release, '/') != NULL)
		return NULL;
	path = vm_xasprintf("lib/modules/%s", release);
	dir = vm_sys_look(s, path, u);
	fd = dir < 0 ? -1 : openat(dir, "modules.alias", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && dir >= 0)
		vm_unread_note(u, dir, "modules.alias");
	if (fd >= 0 && vm_fd_read(fd, "modules.alias", ALIASES_MAX, &text, NULL, &why) < 0) {
		errno = why.sys != 0 ? why.sys : EFBIG;
		vm_unread_note(u, dir, "modules.alias");
	}
	return text;
}

static unsigned stars(const char *pattern)
{
	unsigned n = 0;

	for (; *pattern != 0; pattern++)
		n += *pattern == '*';
	return n;
}

/* The one that leaves the least open. */
static bool choose(char *text, const char *ids, char ret[64])
{
	unsigned least = ~0u;
	char *line, *rest = text;

	while ((line = strsep(&rest, "\n")) != NULL) {
		char *module;

		if (strncmp(line, KIND, strlen(KIND)) != 0 || (module = strrchr(line, ' ')) == line + 5)
			continue;
		*module++ = 0;
		line += strlen(KIND);
		if (strcmp(module, GENERAL) == 0 || strlen(module) >= 64 || *module == 0 || *module == '.' ||
		    strchr(module, '/') != NULL || stars(line) >= least || fnmatch(line, ids, 0) != 0)
			continue;
		least = stars(line);
		snprintf(ret, 64, "%s", module);
	}
	return least != ~0u;
}

/* A module's driver has a name of its own: hisi_acc_vfio_pci is hisi-acc-vfio-pci. */
static bool driver_of(const struct vm_sys *s, const char *module, char ret[64])
{
	VM_AUTO_FREE char *place = vm_xasprintf("sys/module/%s/drivers", module);
	VM_AUTO(vm_sys_names_free) struct vm_sys_names names = { 0 };
	VM_AUTO_FD int dir = vm_sys_dir(s, place);

	if (dir < 0)
		return false;
	vm_sys_names(dir, &names, NULL);
	for (size_t i = 0; i < names.n; i++)
		if (strncmp(names.v[i], "pci:", 4) == 0 && strlen(names.v[i] + 4) < 64) {
			snprintf(ret, 64, "%s", names.v[i] + 4);
			return true;
		}
	return false;
}

bool vm_vfio_variant(const struct vm_sys *s, const char *name, char ret[64], struct vm_unread *u)
{
	VM_AUTO_FREE char *path = vm_xasprintf("sys/bus/pci/devices/%s", name);
	VM_AUTO_FD int dir = vm_sys_look(s, path, u);
	VM_AUTO_FREE char *text = NULL;
	char ids[VM_SYS_TEXT];

	if (dir < 0 || !vm_sys_text(dir, "modalias", ids, sizeof(ids), u) ||
	    strncmp(ids, "pci:", 4) != 0 || (text = read_aliases(s, u)) == NULL)
		return false;
	return choose(text, ids + 4, ret);
}

bool vm_vfio_variant_name(const struct vm_sys *s, const char *module, char ret[64])
{
	const char *known = vm_vfio_driver_of(module);

	if (driver_of(s, module, ret))
		return true;
	snprintf(ret, 64, "%s", known != NULL ? known : module);
	return false;
}

int vm_vfio_variant_load(const struct vm_sys *s, const char *module, struct vm_deadline deadline, char ret[64],
			 struct vm_err *err)
{
	const char *const argv[] = { "modprobe", module, NULL };
	VM_AUTO_FREE char *said = NULL;
	int status = 0;

	if (driver_of(s, module, ret))
		return 0;
	vm_log_step("load the module %s", module);
	/* modprobe acts on this machine */
	if (!s->recorded && vm_run(argv, NULL, 4096, deadline, NULL, &said, &status, err) < 0)
		return vm_err_wrap(err, "load %s", module);
	if (driver_of(s, module, ret))
		return 0;
	if (said != NULL)
		said[strcspn(said, "\n")] = 0;
	return vm_err_set(err, VM_UNSUPPORTED, "cannot load the module %s%s%s", module,
			  said != NULL && *said != 0 ? ": " : "", said != NULL ? said : "");
}
