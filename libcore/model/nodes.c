/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vm/nodes.h>

#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/conf.h>

#include "domain.h"
#include "host/iommu.h"
#include "host/sys.h"
#include "hostdev_node.h"

#define READ  VM_NODE_READ
#define WRITE (VM_NODE_READ | VM_NODE_WRITE)

/* Source: Linux Documentation/admin-guide/devices.txt. */
#define MAJOR_PTY 136u

const char *const vm_nodes_static[] = {
	"/dev/null",	"/dev/full", "/dev/zero", "/dev/random",
	"/dev/urandom", "/dev/ptmx", "/dev/kvm",  "/dev/vfio/vfio",
	NULL,
};

void vm_nodes_free(struct vm_nodes *nodes)
{
	for (size_t i = 0; i < nodes->n; i++) {
		free(nodes->v[i].path);
		free(nodes->v[i].by);
	}
	free(nodes->v);
	*nodes = VM_NODES_INIT;
}

static void add(struct vm_nodes *nodes, struct vm_node node)
{
	nodes->v = vm_xreallocarray(nodes->v, nodes->n + 1, sizeof(*nodes->v));
	nodes->v[nodes->n++] = node;
}

void vm_nodes_add(struct vm_nodes *nodes, const char *path, unsigned perms, bool optional,
		  const char *by)
{
	add(nodes, (struct vm_node){ .path = vm_xstrdup(path),
				     .perms = perms,
				     .optional = optional,
				     .by = vm_xstrdup(by) });
}

void vm_nodes_add_major(struct vm_nodes *nodes, uint32_t major, unsigned perms, const char *by)
{
	add(nodes, (struct vm_node){ .major = major, .perms = perms, .by = vm_xstrdup(by) });
}

/* A definition's devices have no alias yet. */
static const char *who(const struct vm_device *dev, const char *family)
{
	return dev->alias != NULL ? dev->alias : family;
}

static void from_static(const struct vm_domain *d, const struct vm_conf *conf,
			struct vm_nodes *nodes)
{
	VM_AUTO_FREE char *copy = NULL;
	char *path, *rest;

	(void)d;
	vm_nodes_add_major(nodes, MAJOR_PTY, WRITE, VM_NODES_STATIC);
	if (conf == NULL || conf->cgroup_device_acl == NULL) {
		for (size_t i = 0; vm_nodes_static[i] != NULL; i++)
			vm_nodes_add(nodes, vm_nodes_static[i], WRITE, true, VM_NODES_STATIC);
		return;
	}
	rest = copy = vm_xstrdup(conf->cgroup_device_acl);
	while ((path = strsep(&rest, ", \t")) != NULL)
		if (*path == '/')
			vm_nodes_add(nodes, path, WRITE, true, VM_NODES_STATIC);
}

/*
 * Only the top layer is written to.  The devices below a device-mapper node are opened by the kernel, not by
 * QEMU, and hold other people's data too.
 */
static void from_disks(const struct vm_domain *d, const struct vm_conf *conf, struct vm_nodes *nodes)
{
	(void)conf;
	for (uint32_t i = 0; i < d->disks.n; i++) {
		const struct vm_disk *disk = d->disks.v[i];
		const char *by = who(&disk->dev, disk->target);
		bool reads = disk->readonly || disk->device == VM_DISK_CDROM;

		if (disk->source != NULL && disk->source->path != NULL)
			vm_nodes_add(nodes, disk->source->path, reads ? READ : WRITE, true, by);
		for (const struct vm_backing_store *b = disk->backing; b != NULL; b = b->backing)
			if (b->source != NULL && b->source->path != NULL)
				vm_nodes_add(nodes, b->source->path, READ, true, by);
	}
}

static void from_firmware(const struct vm_domain *d, const struct vm_conf *conf,
			  struct vm_nodes *nodes)
{
	(void)conf;
	if (d->os->loader != NULL)
		vm_nodes_add(nodes, d->os->loader,
			     d->os->loader_readonly == VM_SWITCH_OFF ? WRITE : READ, true, "loader");
	if (d->os->nvram != NULL)
		vm_nodes_add(nodes, d->os->nvram, WRITE, true, "nvram");
}

static void from_chars(const struct vm_domain *d, const struct vm_conf *conf, struct vm_nodes *nodes)
{
	static const enum vm_device_family families[] = { VM_FAMILY_SERIAL, VM_FAMILY_PARALLEL,
							  VM_FAMILY_CONSOLE, VM_FAMILY_CHANNEL };

	(void)conf;
	for (size_t f = 0; f < VM_COUNT(families); f++) {
		const struct mt_list *list = vm_domain_list(d, families[f]);

		for (uint32_t i = 0; i < list->n; i++) {
			const struct vm_char *c = list->v[i];

			if (c->type == VM_CHARDEV_DEV && c->backend != NULL &&
			    c->backend->path != NULL)
				vm_nodes_add(nodes, c->backend->path, WRITE, false,
					     who(&c->dev, vm_families[families[f]].name));
		}
	}
}

static void from_rngs(const struct vm_domain *d, const struct vm_conf *conf, struct vm_nodes *nodes)
{
	(void)conf;
	for (uint32_t i = 0; i < d->rngs.n; i++) {
		const struct vm_rng *r = d->rngs.v[i];

		if (r->backend == VM_RNG_RANDOM)
			vm_nodes_add(nodes, r->path != NULL ? r->path : "/dev/urandom", WRITE, false,
				     who(&r->dev, "rng"));
	}
}

static bool is_static(const struct vm_nodes *nodes, const char *path)
{
	for (size_t i = 0; i < nodes->n; i++)
		if (nodes->v[i].path != NULL && strcmp(nodes->v[i].by, VM_NODES_STATIC) == 0 &&
		    strcmp(nodes->v[i].path, path) == 0)
			return true;
	return false;
}

/* Their nodes are there once they are bound; what is missing was refused before that. */
static int from_hostdevs(const struct vm_domain *d, struct vm_nodes *nodes, struct vm_err *err)
{
	VM_AUTO(vm_sys_close) struct vm_sys sys = VM_SYS_INIT;
	struct vm_hostdev_iter i = { 0 };
	const struct vm_hostdev *h;

	if (!vm_domain_has_hostdevs(d))
		return 0;
	if (vm_sys_open(NULL, &sys, err) < 0)
		return -1;
	while ((h = vm_hostdev_next(d, &i)) != NULL) {
		bool iommufd = vm_hostdev_iommufd(d, h);
		VM_AUTO_FREE char *path = NULL;

		if (vm_hostdev_node(h, iommufd, &sys, &path, err) < 0)
			return -1;
		if (path == NULL)
			continue;
		vm_nodes_add(nodes, path, h->readonly ? READ : WRITE, false, who(&h->dev, "hostdev"));
		/* Each asks for what they share, so that it stays as long as one of them does. */
		if (iommufd)
			vm_nodes_add(nodes, VM_IOMMUFD_NODE, WRITE, false, who(&h->dev, "hostdev"));
		else if ((h->type == VM_HOSTDEV_TYPE_PCI || h->type == VM_HOSTDEV_TYPE_MDEV) &&
		    !is_static(nodes, VM_VFIO_NODES "/vfio"))
			vm_nodes_add(nodes, VM_VFIO_NODES "/vfio", WRITE, false, who(&h->dev, "hostdev"));
	}
	return 0;
}

/* Whatever else QEMU is to open is one more row. */
static void (*const contributors[])(const struct vm_domain *d, const struct vm_conf *conf,
				    struct vm_nodes *nodes) = {
	from_static, from_disks, from_firmware, from_chars, from_rngs,
};

int vm_domain_nodes(const struct vm_domain *d, const struct vm_conf *conf, struct vm_nodes *ret, struct vm_err *err)
{
	struct vm_nodes nodes = VM_NODES_INIT;

	for (size_t i = 0; i < VM_COUNT(contributors); i++)
		contributors[i](d, conf, &nodes);
	if (from_hostdevs(d, &nodes, err) < 0) {
		vm_nodes_free(&nodes);
		return -1;
	}
	*ret = nodes;
	return 0;
}
