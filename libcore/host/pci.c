/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pci.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#define DEVICES "sys/bus/pci/devices"

const char *const vm_pci_reset_words[] = {
	"device_specific", "acpi", "flr", "af_flr", "pm", "bus", "cxl_bus", NULL,
};

/* Up to `digits` hexadecimal digits, at least one; what follows them must be `end`. */
static const char *hex(const char *p, int digits, char end, unsigned long *ret)
{
	unsigned long v = 0;
	int n;

	for (n = 0; n < digits && isxdigit((unsigned char)*p); n++, p++)
		v = v * 16 + (unsigned long)(isdigit((unsigned char)*p)
						     ? *p - '0'
						     : tolower((unsigned char)*p) - 'a' + 10);
	if (n == 0 || *p != end)
		return NULL;
	*ret = v;
	return end != 0 ? p + 1 : p;
}

bool vm_pci_parse(const char *text, struct vm_pci_address *ret)
{
	bool virsh = strncmp(text, "pci_", 4) == 0;
	const char *p = virsh ? text + 4 : text;
	char colon = virsh ? '_' : ':', dot = virsh ? '_' : '.';
	unsigned long domain = 0, bus, slot, function;
	const char *first = strchr(p, colon);

	if (first == NULL)
		return false;
	if ((virsh || strchr(first + 1, colon) != NULL) && (p = hex(p, 8, colon, &domain)) == NULL)
		return false;
	if ((p = hex(p, 2, colon, &bus)) == NULL || (p = hex(p, 2, dot, &slot)) == NULL ||
	    hex(p, 1, 0, &function) == NULL || slot > 0x1f || function > 7)
		return false;
	*ret = (struct vm_pci_address){ (uint32_t)domain, (uint8_t)bus, (uint8_t)slot,
					(uint8_t)function };
	return true;
}

void vm_pci_name(const struct vm_pci_address *a, char buf[VM_PCI_NAME])
{
	snprintf(buf, VM_PCI_NAME, "%04x:%02x:%02x.%u", (unsigned)a->domain, (unsigned)a->bus,
		 (unsigned)a->slot, (unsigned)a->function);
}

int vm_pci_compare(const struct vm_pci_address *a, const struct vm_pci_address *b)
{
	if (a->domain != b->domain)
		return a->domain < b->domain ? -1 : 1;
	if (a->bus != b->bus)
		return a->bus < b->bus ? -1 : 1;
	if (a->slot != b->slot)
		return a->slot < b->slot ? -1 : 1;
	return a->function - b->function;
}

int vm_pci_open(const struct vm_sys *s, const char *name, int *ret_dir, struct vm_err *err)
{
	VM_AUTO_FREE char *path = vm_xasprintf(DEVICES "/%s", name);
	int dir = vm_sys_dir(s, path);

	if (dir < 0 && errno == ENOENT)
		return vm_err_set(err, VM_NOT_FOUND, "there is no PCI device %s", name);
	if (dir < 0)
		return vm_err_sys(err, "/%s", path);
	*ret_dir = dir;
	return 0;
}

/* Source: linux drivers/vfio/pci; a kernel from 6.1 on shows vfio-dev instead. */
static const char *const vfio_drivers[] = {
	"vfio-pci",	 "mlx5_vfio_pci", "hisi-acc-vfio-pci", "pds-vfio-pci",
	"virtio-vfio-pci", "nvgrace-gpu-vfio-pci", "qat_vfio_pci", "xe-vfio-pci",
};

bool vm_vfio_driver(const char *driver)
{
	for (size_t i = 0; i < VM_COUNT(vfio_drivers); i++)
		if (strcmp(vfio_drivers[i], driver) == 0)
			return true;
	return false;
}

static char plain(char c)
{
	return c == '-' ? '_' : c;
}

const char *vm_vfio_driver_of(const char *module)
{
	for (size_t i = 0; i < VM_COUNT(vfio_drivers); i++) {
		const char *name = vfio_drivers[i];
		size_t n = 0;

		while (name[n] != 0 && plain(name[n]) == plain(module[n]))
			n++;
		if (name[n] == 0 && module[n] == 0)
			return name;
	}
	return NULL;
}

/* A driver of VFIO registers its device below vfio-dev; its name tells on older kernels. */
static void read_vfio(int dir, struct vm_pci *p, struct vm_unread *u)
{
	VM_AUTO(vm_sys_names_free) struct vm_sys_names names = { 0 };
	VM_AUTO_FD int below = p->driver[0] != 0 ? vm_sys_look_at(dir, "vfio-dev", u) : -1;

	if (below >= 0)
		vm_sys_names(below, &names, u);
	if (names.n > 0 && strlen(names.v[0]) < sizeof(p->vfio_cdev))
		memcpy(p->vfio_cdev, names.v[0], strlen(names.v[0]) + 1);
	p->vfio = names.n > 0 || vm_vfio_driver(p->driver);
}

static void read_group(int dir, struct vm_pci *p, struct vm_unread *u)
{
	char link[32], *end;
	VM_AUTO_FD int group = -1;
	long n;

	p->group = VM_NO_GROUP;
	if (!vm_sys_link(dir, "iommu_group", link, sizeof(link), u))
		return;
	errno = 0;
	n = strtol(link, &end, 10);
	if (!isdigit((unsigned char)link[0]) || *end != 0 || errno != 0 || n > INT32_MAX) {
		vm_unread_malformed(u, dir, "iommu_group");
		return;
	}
	p->group = (int)n;
	group = vm_sys_look_at(dir, "iommu_group", u);
	if (group >= 0 && vm_sys_text(group, "name", link, sizeof(link), u))
		p->noiommu = strcmp(link, "vfio-noiommu") == 0;
}

static void read_resets(int dir, struct vm_pci *p, struct vm_unread *u)
{
	char text[VM_SYS_TEXT], *word, *save = NULL;
	struct vm_unread part = VM_UNREAD_NONE;
	bool told = vm_sys_text(dir, "reset_method", text, sizeof(text), &part);

	p->can_reset = vm_sys_exists(dir, "reset", u);
	vm_unread_lenient(u, &part);
	if (told) {
		for (word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save))
			for (unsigned i = 0; i < VM_RESETS; i++)
				if (strcmp(word, vm_pci_reset_words[i]) == 0)
					p->resets |= 1u << i;
		return;
	}
	if (!p->has_config || !p->config.caps_known)
		return;
	/* every virtual function has to have it, says its specification */
	if (p->config.flr || p->pf[0] != 0)
		p->resets |= 1u << VM_RESET_FLR;
	if (p->config.af_flr)
		p->resets |= 1u << VM_RESET_AF_FLR;
	if (p->config.pm_reset)
		p->resets |= 1u << VM_RESET_PM;
}

static int vf_index(int dir, const char *name, struct vm_unread *u)
{
	VM_AUTO_FD int pf = vm_sys_look_at(dir, "physfn", u);
	VM_AUTO(vm_sys_names_free) struct vm_sys_names names = { 0 };
	char target[VM_PCI_NAME], *end;

	if (pf < 0)
		return -1;
	vm_sys_names(pf, &names, u);
	for (size_t i = 0; i < names.n; i++) {
		if (strncmp(names.v[i], "virtfn", 6) != 0 ||
		    !vm_sys_link(pf, names.v[i], target, sizeof(target), u) ||
		    strcmp(target, name) != 0)
			continue;
		long n = strtol(names.v[i] + 6, &end, 10);

		return *end == 0 && n >= 0 && n <= UINT16_MAX ? (int)n : -1;
	}
	return -1;
}

/* A number that something is decided by, from 0 to `most`. */
static bool read_number(int dir, const char *name, int64_t most, int64_t *ret, struct vm_unread *u)
{
	int64_t n;

	if (!vm_sys_i64(dir, name, &n, u))
		return false;
	if (n < 0 || n > most) {
		vm_unread_malformed(u, dir, name);
		return false;
	}
	*ret = n;
	return true;
}

static void read_sriov(int dir, struct vm_pci *p, struct vm_unread *u)
{
	int64_t n;

	p->vf_index = -1;
	p->vgpu = -1;
	if (vm_sys_link(dir, "physfn", p->pf, sizeof(p->pf), u)) {
		p->vf_index = vf_index(dir, p->name, u);
		if (read_number(dir, VM_PCI_VGPU, INT32_MAX, &n, u))
			p->vgpu = (long)n;
		/* its vendor's driver is a driver of VFIO then, and must stay */
		p->vfio |= p->vgpu > 0;
	}
	if (read_number(dir, "sriov_totalvfs", UINT16_MAX, &n, u))
		p->vfs_max = (unsigned)n;
	if (read_number(dir, "sriov_numvfs", UINT16_MAX, &n, u))
		p->vfs = (unsigned)n;
}

#define VENDOR_AND_DEVICE  0x00
#define COMMAND_AND_STATUS 0x04
#define HEADER		   0x0e
#define PCI_HEADER	   64 /* bytes */

static bool answers(const uint8_t config[PCI_HEADER], bool vf)
{
	uint32_t ones;

	memcpy(&ones, config + (vf ? COMMAND_AND_STATUS : VENDOR_AND_DEVICE), sizeof(ones));
	return ones != UINT32_MAX;
}

static void read_ids(int dir, struct vm_pci *p, struct vm_unread *u)
{
	uint8_t config[VM_PCI_CONFIG_MAX];
	int n = vm_sys_bytes(dir, "config", config, sizeof(config), u);
	uint32_t revision = 0, ids[4] = { 0 };
	const struct {
		const char *file;
		uint32_t *to, most;
	} numbers[] = {
		{ "vendor", &ids[0], UINT16_MAX },	     { "device", &ids[1], UINT16_MAX },
		{ "subsystem_vendor", &ids[2], UINT16_MAX }, { "subsystem_device", &ids[3], UINT16_MAX },
		{ "class", &p->class, 0xffffff },	     { "revision", &revision, UINT8_MAX },
	};
	uint64_t v;

	for (size_t i = 0; i < VM_COUNT(numbers); i++) {
		if (!vm_sys_hex(dir, numbers[i].file, &v, u))
			continue;
		if (v > numbers[i].most)
			vm_unread_malformed(u, dir, numbers[i].file);
		else
			*numbers[i].to = (uint32_t)v;
	}
	p->vendor = (uint16_t)ids[0];
	p->device = (uint16_t)ids[1];
	p->subvendor = (uint16_t)ids[2];
	p->subdevice = (uint16_t)ids[3];
	p->revision = (uint8_t)revision;
	p->has_config = n >= 0 && vm_pci_config_parse(config, (size_t)n, &p->config) == 0;
	/* a part of it says nothing about the header's type */
	if (n >= 0 && n < PCI_HEADER)
		vm_unread_malformed(u, dir, "config");
	p->dead = n >= PCI_HEADER && !answers(config, vm_sys_exists(dir, "physfn", u));
}

static void read_all(int dir, struct vm_pci *p, struct vm_unread *u)
{
	struct vm_unread part = VM_UNREAD_NONE;
	int64_t n;

	read_ids(dir, p, u);
	if (!vm_sys_link(dir, "driver", p->driver, sizeof(p->driver), u))
		p->driver[0] = 0;
	read_vfio(dir, p, u);
	read_group(dir, p, u);
	p->numa = vm_sys_i64(dir, "numa_node", &n, &part) && n >= 0 && n < 65536 ? (int)n : -1;
	vm_unread_lenient(u, &part);
	p->d3cold = vm_sys_i64(dir, "d3cold_allowed", &n, u) ? n != 0 : -1;
	p->boot_vga = vm_sys_i64(dir, "boot_vga", &n, u) && n == 1;
	read_sriov(dir, p, u);
	read_resets(dir, p, u);
}

static int read_one(const struct vm_sys *s, const char *name, struct vm_pci *ret, struct vm_unread *u, struct vm_err *err)
{
	VM_AUTO_FD int dir = -1;
	struct vm_pci p = { .unread = VM_UNREAD_NONE };

	if (!vm_pci_parse(name, &p.address))
		return vm_err_set(err, VM_BAD_INPUT, "'%.80s' is no PCI address", name);
	vm_pci_name(&p.address, p.name);
	if (vm_pci_open(s, p.name, &dir, err) < 0)
		return -1;
	read_all(dir, &p, &p.unread);
	vm_unread_add(u, &p.unread);
	*ret = p;
	return 0;
}

int vm_pci_read(const struct vm_sys *s, const char *name, struct vm_pci *ret, struct vm_err *err)
{
	struct vm_unread unread = VM_UNREAD_NONE;
	struct vm_pci p;

	if (read_one(s, name, &p, &unread, err) < 0 || vm_unread_fail(&unread, err) < 0)
		return -1;
	*ret = p;
	return 0;
}

/* ---- is it still one? ---- */

/* Its registers' beginning: 1; 0: it is gone; -1: they cannot be read. */
static int read_header(const struct vm_sys *s, const char *name, uint8_t config[PCI_HEADER], bool *ret_vf, struct vm_err *err)
{
	VM_AUTO_FD int dir = -1;
	struct vm_unread unread = VM_UNREAD_NONE;
	struct vm_err why = VM_ERR_INIT;
	int n;

	if (vm_pci_open(s, name, &dir, &why) < 0) {
		if (why.kind == VM_NOT_FOUND)
			return 0;
		*err = why;
		return -1;
	}
	*ret_vf = vm_sys_exists(dir, "physfn", &unread);
	n = vm_sys_bytes(dir, "config", config, PCI_HEADER, &unread);
	if (n >= 0 && n < PCI_HEADER)
		vm_unread_malformed(&unread, dir, "config");
	if (vm_unread_fail(&unread, err) < 0)
		return -1;
	return n == PCI_HEADER;
}

int vm_pci_answers(const struct vm_sys *s, const char *name, struct vm_err *err)
{
	uint8_t config[PCI_HEADER];
	bool vf;
	int r = read_header(s, name, config, &vf, err);

	return r <= 0 ? r : answers(config, vf) ? 1 : 2;
}

int vm_pci_sane(const struct vm_sys *s, const char *name, struct vm_err *err)
{
	uint8_t config[PCI_HEADER];
	struct vm_err why = VM_ERR_INIT;
	bool vf;
	int r = read_header(s, name, config, &vf, &why);

	/* what is short for a moment, descriptors or memory, says nothing about the device */
	if (r < 0)
		r = read_header(s, name, config, &vf, err);
	if (r == 0)
		return 0;
	if (r < 0)
		vm_err_wrap(err, "whether it answers cannot be seen");
	else if (!answers(config, vf))
		vm_err_set(err, VM_SYSTEM, "it does not answer any more");
	else if ((config[HEADER] & 0x7f) != VM_PCI_HEADER_ENDPOINT)
		vm_err_set(err, VM_SYSTEM, "it answers wrongly: its header type is 0x%02x", config[HEADER]);
	else
		return 0;
	return vm_err_hint(err, "vm-hostdev-reset %s, or boot the host again", name);
}

/* ---- all of them ---- */

static int compare(const void *a, const void *b)
{
	return vm_pci_compare(&((const struct vm_pci *)a)->address,
			      &((const struct vm_pci *)b)->address);
}

static bool read_row(const struct vm_sys *s, int top, const char *name, void *row, struct vm_unread *u)
{
	struct vm_err why = VM_ERR_INIT;

	if (read_one(s, name, row, u, &why) == 0)
		return true;
	errno = why.sys;
	if (why.sys != 0)
		vm_unread_note(u, top, name);
	return false;
}

void vm_pcis_read(const struct vm_sys *s, struct vm_pcis *ret, struct vm_unread *u)
{
	ret->v = vm_sys_rows(s, DEVICES, sizeof(*ret->v), read_row, &ret->n, u);
	if (ret->n > 1)
		qsort(ret->v, ret->n, sizeof(*ret->v), compare);
}

void vm_pcis_free(struct vm_pcis *p)
{
	free(p->v);
	*p = (struct vm_pcis){ 0 };
}

const struct vm_pci *vm_pcis_find(const struct vm_pcis *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->v[i].name, name) == 0)
			return &p->v[i];
	return NULL;
}

bool vm_pci_on_root_bus(const struct vm_sys *s, const char *name)
{
	VM_AUTO_FD int dir = -1;
	VM_AUTO_FREE char *path = NULL;
	struct vm_err ignored = VM_ERR_INIT;
	struct vm_pci_address parent;
	char *slash;

	if (vm_pci_open(s, name, &dir, &ignored) < 0 || (path = vm_sys_path(s, dir, NULL)) == NULL)
		return false;
	if ((slash = strrchr(path, '/')) != NULL)
		*slash = 0;
	slash = strrchr(path, '/');
	return slash == NULL || !vm_pci_parse(slash + 1, &parent);
}
