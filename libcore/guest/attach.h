/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Giving host devices to a guest and taking them back: the running guest, its definition, or both.
 *
 * Several devices are one change: all of them or none.  Where both are asked for, the definition's rename comes right
 * after the running guest has them; only that can fail alone, and says so.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vm/deadline.h>
#include <vm/err.h>

struct vm_domain;
struct vm_hostdev;
struct vm_hostdev_view;
struct vm_host;
struct vm_strbuf;
struct vm_xml;

/* <hostdev>, <interface type='hostdev'> and <disk type='nvme'>, each standing alone. */
struct vm_hostdev_elements {
	char **v; /* owned */
	size_t n;
};
#define VM_HOSTDEV_ELEMENTS_INIT ((struct vm_hostdev_elements){ 0 })
void vm_hostdev_elements_free(struct vm_hostdev_elements *e);

/* How devices are given that are named on the command line; what is not said of them is left out. */
struct vm_hostdev_how {
	int managed; /* 0 = not said, 1 = yes, 2 = no */
	const char *address, *alias, *rom; /* rom: "off" or a file */
	uint64_t boot_order;
	bool siblings; /* the rest of each IOMMU group is parked */
};
/*
 * What vm_hostdev_name_parse() takes, also FILE.xml and "-", as elements.  view: the devices of this host.  VM_NOT_FOUND;
 * VM_BAD_INPUT (also: several USB devices); VM_USAGE: no name of a device, or what is said of one device is said of
 * several, or of a kind that has none.
 */
int vm_hostdev_elements_make(const char *const *devices, size_t n, const struct vm_hostdev_how *how,
			     const struct vm_hostdev_view *view, struct vm_hostdev_elements *ret,
			     struct vm_err *err);
/* Has the guest the same device of the host, as whatever? */
bool vm_hostdev_in(const struct vm_domain *d, const struct vm_hostdev *like);
/*
 * The document with these elements behind others of their name; those that it has already are left out if skip, else
 * VM_IN_USE.  *ret_added: how many were put in.
 */
int vm_hostdev_insert(const struct vm_xml *doc, bool live, const struct vm_hostdev_elements *e, bool skip,
		      struct vm_xml **ret, size_t *ret_added, struct vm_err *err);
/* The document without these devices (the interfaces and disks that they are), which are of the domain parsed from it. */
int vm_hostdev_cut(const struct vm_xml *doc, const struct vm_hostdev *const *v, size_t n, struct vm_xml **ret,
		   struct vm_err *err);

/* ---- the verbs ---- */
struct vm_hostdev_request {
	const char *const *devices;
	size_t n;
	struct vm_hostdev_how how;
	bool live, config, persistent; /* none: live if it runs, else the definition */
	bool force, if_needed, dry_run;
	uint64_t wait_ms; /* detach: for the guest to let go; attach: for it to take them, 0 = not at all */
	struct vm_deadline deadline;
};
/* One device that was given or taken. */
struct vm_hostdev_result {
	char *device, *alias, *address; /* owned; NULL = none */
};
struct vm_hostdev_results {
	struct vm_hostdev_result *v; /* owned */
	size_t n;
};
#define VM_HOSTDEV_RESULTS_INIT ((struct vm_hostdev_results){ 0 })
void vm_hostdev_results_add(struct vm_hostdev_results *r, const struct vm_hostdev *h);
void vm_hostdev_results_free(struct vm_hostdev_results *r);
/* 0 = done, 1 = it was so already (if_needed). */
int vm_guest_attach(struct vm_host *h, const char *ref, const struct vm_hostdev_request *r,
		    struct vm_hostdev_results *ret, struct vm_err *err);
/* As vm_guest_attach(); VM_PENDING: the guest has not let go yet, and the rest happens when it does. */
int vm_guest_detach(struct vm_host *h, const char *ref, const struct vm_hostdev_request *r,
		    struct vm_hostdev_results *ret, struct vm_err *err);
