/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Defining and undefining guests: what vm-define and vm-undefine do. */
#include <stdbool.h>

#include <vm/deadline.h>
#include <vm/err.h>
#include <vm/state.h>

struct vm_guest;
struct vm_planner;
struct vm_xml;

/* One fact that a define changes; NULL = absent. A secret's values are both "(secret)". */
typedef void vm_define_diff_fn(const char *path, const char *old_value, const char *new_value,
			       void *arg);
struct vm_define {
	const struct vm_state
	    *state; /* opened for VM_STATE_CHANGE, with dry_run for VM_STATE_READ */
	const struct vm_planner *planner;
	struct vm_deadline deadline; /* for the guest's lock */
	bool dry_run;		     /* check everything, take no lock, change nothing */
	vm_define_diff_fn
	    *diff; /* called for what differs from the stored definition; NULL = not */
	void *diff_arg;
	/* The definition must still be this, or it is VM_IN_USE: it was changed meanwhile. NULL = any. */
	const char *expected;
	size_t expected_len;
	/* Called right before the text is stored, with the lock held; not if nothing changes. -1: it is not. */
	int (*before)(void *arg, const char *text, size_t len, struct vm_err *err);
	void *before_arg;
};
struct vm_defined {
	char *name; /* owned */
	char uuid[37];
	bool was_defined;
};
void vm_defined_free(struct vm_defined *d);
/*
 * Completes the document and stores it as its guest's definition, whole or not at all.  0 = stored
 * (dry_run: would be), 1 = it is so already; -1: VM_IN_USE names the guest that has the name or the
 * UUID, or the libvirt guest that uses the UUID or an image.
 */
int vm_guest_define(const struct vm_define *o, const struct vm_xml *doc, struct vm_defined *ret,
		    struct vm_err *err);
/* The same for a guest that the caller has open, and locked unless dry_run; the document must be its. */
int vm_guest_define_open(const struct vm_define *o, struct vm_guest *g, const struct vm_xml *doc,
			 struct vm_defined *ret, struct vm_err *err);

struct vm_undefine {
	bool managed_save, snapshots,
	    checkpoints;	/* remove these, too; else their presence is refused */
	bool nvram, keep_nvram; /* likewise */
	bool keep_tpm;
	bool all_storage, wipe;
	const char *const *storage; /* targets or paths of images to remove */
	size_t n_storage;
	bool dry_run;
};
/* Removes the definition of the guest; a running guest runs on and becomes transient. */
int vm_guest_undefine(const struct vm_state *s, const char *ref, const struct vm_undefine *o,
		      struct vm_deadline deadline, struct vm_err *err);
