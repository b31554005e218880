/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "iommu.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>

#define GROUPS	    "sys/kernel/iommu_groups"
#define CONF_MAX    (1u << 20) /* bytes of one file of modprobe's configuration */
#define MODULES_MAX (8u << 20)

static bool there(const struct vm_sys *s, const char *dir, const char *name, struct vm_unread *u)
{
	VM_AUTO_FD int fd = vm_sys_look(s, dir, u);

	return fd >= 0 && vm_sys_exists(fd, name, u);
}

static char *read_text(int dir, const char *name, size_t cap)
{
	VM_AUTO_FD int fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct vm_err ignored = VM_ERR_INIT;
	char *text = NULL;

	if (fd < 0 || vm_fd_read(fd, name, cap, &text, NULL, &ignored) < 0)
		return NULL;
	return text;
}

/* "install vfio-pci /bin/true" or "blacklist" with "install ... false": only an install line keeps modprobe from it. */
static bool forbids(const char *text)
{
	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += strspn(line, " \t\n");
		if (strncmp(line, "install", 7) != 0)
			continue;
		line += 7 + strspn(line + 7, " \t");
		if (strncmp(line, "vfio-pci", 8) != 0 && strncmp(line, "vfio_pci", 8) != 0)
			continue;
		line += 8 + strspn(line + 8, " \t");
		if (strncmp(line, "/bin/false", 10) == 0 || strncmp(line, "/bin/true", 9) == 0 ||
		    strncmp(line, "/usr/bin/false", 14) == 0 ||
		    strncmp(line, "/usr/bin/true", 13) == 0)
			return true;
	}
	return false;
}

static bool module_blocked(const struct vm_sys *s)
{
	static const char *const dirs[] = { "etc/modprobe.d", "run/modprobe.d", "usr/lib/modprobe.d",
					    "lib/modprobe.d" };

	for (size_t i = 0; i < VM_COUNT(dirs); i++) {
		VM_AUTO_FD int dir = vm_sys_dir(s, dirs[i]);
		VM_AUTO(vm_sys_names_free) struct vm_sys_names names = { 0 };

		if (dir < 0)
			continue;
		vm_sys_names(dir, &names, NULL);
		for (size_t n = 0; n < names.n; n++) {
			VM_AUTO_FREE char *text = read_text(dir, names.v[n], CONF_MAX);

			if (text != NULL && forbids(text))
				return true;
		}
	}
	return false;
}

/* Directory of the running kernel's modules; -1: none, or not known. */
static int modules_open(const struct vm_sys *s, char ret_release[VM_SYS_TEXT])
{
	VM_AUTO_FREE char *path = NULL;
	VM_AUTO_FD int kernel = vm_sys_dir(s, "proc/sys/kernel");

	if (kernel < 0 || !vm_sys_text(kernel, "osrelease", ret_release, VM_SYS_TEXT, NULL) || strchr(ret_release, '/') != NULL)
		return -1;
	path = vm_xasprintf("lib/modules/%s", ret_release);
	return vm_sys_dir(s, path);
}

/* Is the module among those of the running kernel? */
static bool module_there(const struct vm_sys *s)
{
	static const char *const lists[] = { "modules.dep", "modules.builtin" };
	char release[VM_SYS_TEXT];
	VM_AUTO_FD int dir = modules_open(s, release);

	for (size_t i = 0; dir >= 0 && i < VM_COUNT(lists); i++) {
		VM_AUTO_FREE char *text = read_text(dir, lists[i], MODULES_MAX);

		if (text != NULL && strstr(text, "/vfio-pci.ko") != NULL)
			return true;
	}
	return false;
}

/* Source: Linux, drivers/vfio/device_cdev.c: the numbers are taken, by this name, when the module is loaded. */
static bool has_cdevs(const struct vm_sys *s, struct vm_unread *u)
{
	VM_AUTO_FD int dir = vm_sys_look(s, "proc", u);
	VM_AUTO_FREE char *text = dir < 0 ? NULL : read_text(dir, "devices", 1u << 16);
	size_t n;

	if (dir >= 0 && text == NULL)
		vm_unread_note(u, dir, "devices");
	for (const char *line = text; line != NULL && *line != 0; line += n + (line[n] == '\n')) {
		const char *name = line + strspn(line, " 0123456789");

		n = strcspn(line, "\n");
		if (strncmp(name, "vfio-dev", 8) == 0 && name + 8 == line + n)
			return true;
		if (strncmp(line, "Block devices:", 14) == 0)
			break;
	}
	return false;
}

/* ---- what loading VFIO would give ---- */

/* A line of modules.dep, "updates/vfio.ko: updates/iommufd.ko": *ret_path is the module's, the rest what it needs. */
static bool find_vfio(char *text, char **ret_path, char **ret_needs)
{
	char *line, *rest = text;

	while ((line = strsep(&rest, "\n")) != NULL) {
		char *colon = strchr(line, ':'), *name;

		if (colon == NULL)
			continue;
		*colon = 0;
		name = strrchr(line, '/');
		if (name == NULL || strncmp(name, "/vfio.ko", 8) != 0 || (name[8] != 0 && name[8] != '.'))
			continue;
		*ret_path = line;
		*ret_needs = colon + 1;
		return true;
	}
	return false;
}

/* A function that VFIO has with nodes of devices only, by the module's own table of symbols.  Source: Linux,
 * drivers/vfio/device_cdev.c, which is compiled with CONFIG_VFIO_DEVICE_CDEV. */
static int module_has_cdevs(int modules, const char *path)
{
	static const char symbol[] = "vfio_df_ioctl_bind_iommufd";
	VM_AUTO_FD int fd = openat(modules, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct vm_err ignored = VM_ERR_INIT;
	VM_AUTO_FREE char *bytes = NULL;
	size_t len;

	if (fd < 0 || vm_fd_read(fd, path, MODULES_MAX, &bytes, &len, &ignored) < 0)
		return -1;
	return memmem(bytes, len, symbol, strlen(symbol)) != NULL;
}

/* As distributions keep it. */
static int config_has_cdevs(const struct vm_sys *s, int modules, const char *release)
{
	static const char line[] = "\nCONFIG_VFIO_DEVICE_CDEV=y\n";
	VM_AUTO_FREE char *name = vm_xasprintf("config-%s", release);
	VM_AUTO_FD int boot = vm_sys_dir(s, "boot");
	VM_AUTO_FREE char *text = boot >= 0 ? read_text(boot, name, CONF_MAX) : NULL;

	if (text == NULL)
		text = read_text(modules, "config", CONF_MAX);
	return text == NULL ? -1 : strstr(text, line) != NULL;
}

int vm_vfio_host_foresee(const struct vm_sys *s, const struct vm_vfio_host *h)
{
	char release[VM_SYS_TEXT], *path, *needs;
	VM_AUTO_FD int modules = h->loaded ? -1 : modules_open(s, release);
	VM_AUTO_FREE char *builtin = modules >= 0 ? read_text(modules, "modules.builtin", MODULES_MAX) : NULL;
	VM_AUTO_FREE char *dep = modules >= 0 ? read_text(modules, "modules.dep", MODULES_MAX) : NULL;
	size_t len;

	if (h->loaded || (builtin != NULL && strstr(builtin, "/vfio.ko") != NULL))
		return h->cdev;
	if (builtin == NULL || dep == NULL || !find_vfio(dep, &path, &needs))
		return -1;
	if (strstr(needs, "/iommufd.ko") == NULL && strstr(builtin, "/iommufd.ko") == NULL)
		return 0;
	len = strlen(path);
	if (strcmp(path + len - 3, ".ko") == 0)
		return module_has_cdevs(modules, path);
	/* one that came later is not of the kernel's configuration */
	return strncmp(path, "kernel/", 7) == 0 ? config_has_cdevs(s, modules, release) : -1;
}

void vm_vfio_host_read(const struct vm_sys *s, struct vm_vfio_host *ret, struct vm_unread *u)
{
	VM_AUTO(vm_sys_names_free) struct vm_sys_names groups = { 0 };
	VM_AUTO_FD int dir = vm_sys_look(s, GROUPS, u);
	struct vm_vfio_host h = { 0 };

	if (dir >= 0)
		vm_sys_names(dir, &groups, u);
	h.iommu = groups.n > 0;
	h.container = there(s, "dev/vfio", "vfio", u);
	h.iommufd = there(s, "dev", "iommu", u);
	h.cdev = h.iommufd && has_cdevs(s, u);
	h.driver = there(s, "sys/bus/pci/drivers", "vfio-pci", u);
	h.loaded = h.driver || there(s, "sys/module", "vfio", u);
	h.module = h.driver || module_there(s);
	h.blocked = !h.driver && module_blocked(s);
	*ret = h;
}

static bool command_line_has(const struct vm_sys *s, const char *word)
{
	VM_AUTO_FD int dir = vm_sys_dir(s, "proc");
	VM_AUTO_FREE char *text = dir < 0 ? NULL : read_text(dir, "cmdline", 1u << 16);

	return text != NULL && strstr(text, word) != NULL;
}

/* The firmware's table of its IOMMU is what tells "off" from "not there". */
static const char *iommu_hint(const struct vm_sys *s)
{
	bool intel = there(s, "sys/firmware/acpi/tables", "DMAR", NULL);

	if (intel && !command_line_has(s, "intel_iommu=on"))
		return "boot the host with intel_iommu=on (and iommu=pt) on the kernel's command line";
	if (intel || there(s, "sys/firmware/acpi/tables", "IVRS", NULL))
		return "the firmware has an IOMMU, but the kernel does not use it: see its boot messages "
		       "(dmesg | grep -e DMAR -e AMD-Vi)";
	return "enable the IOMMU in the firmware (VT-d, AMD-Vi, SMMU), and boot with intel_iommu=on on "
	       "Intel";
}

int vm_vfio_host_check(const struct vm_sys *s, const struct vm_vfio_host *h, struct vm_err *err)
{
	if (!h->iommu) {
		vm_err_set(err, VM_UNSUPPORTED, "this host has no IOMMU that is in use");
		return vm_err_hint(err, "%s", iommu_hint(s));
	}
	if (h->blocked) {
		vm_err_set(err, VM_UNSUPPORTED,
			   "the driver vfio-pci is forbidden by modprobe's configuration");
		return vm_err_hint(err, "remove the line 'install vfio-pci' from /etc/modprobe.d");
	}
	if (!h->driver && !h->module) {
		vm_err_set(err, VM_UNSUPPORTED, "this kernel has no driver vfio-pci");
		return vm_err_hint(err, "install the kernel's modules, or load vfio-pci by hand");
	}
	if (h->driver && !h->container && !h->iommufd) {
		vm_err_set(err, VM_UNSUPPORTED, "there is no /dev/vfio/vfio");
		return vm_err_hint(err, "load the module vfio");
	}
	return 0;
}

enum vm_group_role vm_group_role(const struct vm_pci *m)
{
	if (!vm_pci_is_endpoint(m))
		return m->driver[0] == 0 || strcmp(m->driver, "pcieport") == 0 || m->vfio
			       ? VM_GROUP_BRIDGE
			       : VM_GROUP_BLOCKS;
	if (m->driver[0] == 0 || m->vfio || strcmp(m->driver, "pci-stub") == 0)
		return VM_GROUP_FREE;
	return VM_GROUP_BLOCKS;
}

/* 1 = it is there now, at the end of *to; 0 = it was, or it is gone. */
static int add_pci(const struct vm_sys *s, const char *name, struct vm_pcis *to, struct vm_err *err)
{
	struct vm_err why = VM_ERR_INIT;
	struct vm_pci p;

	if (vm_pcis_find(to, name) != NULL)
		return 0;
	if (vm_pci_read(s, name, &p, &why) < 0) {
		if (why.kind == VM_NOT_FOUND || why.kind == VM_BAD_INPUT)
			return 0;
		*err = why;
		return -1;
	}
	to->v = vm_xreallocarray(to->v, to->n + 1, sizeof(*to->v));
	to->v[to->n++] = p;
	return 1;
}

static int add_group(const struct vm_sys *s, int group, struct vm_pcis *to, struct vm_err *err)
{
	VM_AUTO(vm_sys_names_free) struct vm_sys_names members = { 0 };
	VM_AUTO_FREE char *path = vm_xasprintf(GROUPS "/%d/devices", group);
	struct vm_unread unread = VM_UNREAD_NONE;
	VM_AUTO_FD int dir = vm_sys_look(s, path, &unread);

	vm_sys_names(dir, &members, &unread);
	if (vm_unread_fail(&unread, err) < 0)
		return vm_err_wrap(err, "see who is in IOMMU group %d", group);
	for (size_t i = 0; i < members.n; i++)
		if (add_pci(s, members.v[i], to, err) < 0)
			return -1;
	return 0;
}

int vm_group_pcis(const struct vm_sys *s, const char *const *names, size_t n, struct vm_pcis *ret, struct vm_err *err)
{
	*ret = (struct vm_pcis){ 0 };
	for (size_t i = 0; i < n; i++) {
		int r = add_pci(s, names[i], ret, err);

		if (r > 0 && ret->v[ret->n - 1].group != VM_NO_GROUP)
			r = add_group(s, ret->v[ret->n - 1].group, ret, err);
		if (r < 0)
			return -1;
	}
	return 0;
}
