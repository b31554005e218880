/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The device nodes that a guest's QEMU opens itself: one list, which feeds the device rules of its group (acl.h) and its
 * private /dev.  What the tools open and pass on (taps, vhost) is not in it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vm_conf;
struct vm_domain;
struct vm_err;

enum vm_node_perms { VM_NODE_READ = 1, VM_NODE_WRITE = 2 };
struct vm_node {
	char *path;	/* absolute; may turn out to be no device node.  NULL: all minors of `major` */
	uint32_t major; /* of character devices, with path NULL */
	unsigned perms; /* enum vm_node_perms */
	bool optional;	/* may be missing */
	char *by;	/* who asked: "static" or a device's alias */
};
struct vm_nodes {
	struct vm_node *v; /* in the order of the document; a path may be there for each who asked */
	size_t n;
};
#define VM_NODES_INIT ((struct vm_nodes){ .n = 0 })
void vm_nodes_free(struct vm_nodes *nodes);
void vm_nodes_add(struct vm_nodes *nodes, const char *path, unsigned perms, bool optional,
		  const char *by);
void vm_nodes_add_major(struct vm_nodes *nodes, uint32_t major, unsigned perms, const char *by);

#define VM_NODES_STATIC "static"
/* What every guest may use when vm.conf's cgroup_device_acl does not say; NULL ends.
 * Source: libvirt 9.0, docs/drvqemu.rst (its list), and VFIO's container node. */
extern const char *const vm_nodes_static[];
/* All nodes of a guest.  conf: whose cgroup_device_acl replaces the built-in list; NULL = built-in.  Fails when a host device cannot be looked
 * at; one that is not there has no node. */
int vm_domain_nodes(const struct vm_domain *d, const struct vm_conf *conf, struct vm_nodes *ret, struct vm_err *err);
