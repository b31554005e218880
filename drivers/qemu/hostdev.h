/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* A guest's host devices on this host. */
#include <stdbool.h>
#include <stddef.h>

#include <vm/err.h>

struct vm_domain;
struct vm_xml;

/* Nodes of SCSI devices, by the place of their <hostdev> in the document; NULL: it has none, or is not there. */
struct vm_hostdev_nodes {
	char **v; /* owned */
	size_t n;
};
void vm_hostdev_nodes_read(const struct vm_domain *d, struct vm_hostdev_nodes *ret);
void vm_hostdev_nodes_free(struct vm_hostdev_nodes *nodes);
