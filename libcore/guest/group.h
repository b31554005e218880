/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* A guest's control group by what its record says.  Needs libc alone. */
#include <vm/acl.h>
#include <vm/cgroup.h>
#include <vm/state.h>
#include <vm/undo.h>

/* Opens it; a guest without groups gives one with path NULL. */
int vm_guest_group_open(const struct vm_guest *g, struct vm_cgroup *ret, struct vm_err *err);
/* Has somebody moved QEMU out of it?  *ret_note (owned; NULL = no) says where to. */
int vm_guest_group_moved(const struct vm_guest *g, const struct vm_cgroup *group, char **ret_note,
			 struct vm_err *err);
/* Keeps guests of different $VM_ROOTs apart on one host: vm_cgroup_want.tag; owned, NULL = the ordinary places. */
char *vm_guest_group_tag(const struct vm_state *s);
/* A vm_group_kill_fn and a vm_group_populated_fn (state.h). */
int vm_guest_group_kill_all(const struct vm_guest *g, struct vm_deadline deadline,
			    struct vm_err *err);
int vm_guest_group_has_any(const struct vm_guest *g, struct vm_err *err);

/*
 * Changes the device rules of a running guest from those of its record to `to`.  The caller holds `lock`; the change is
 * pushed to undo first (verb VM_ACL_VERB, whose inverse is vm_guest_acl_restore()).  The record is the caller's to change, with vm_acl_to_record(), once all
 * that belongs to the change has succeeded: until then undoing it is making the rules those of the record.
 */
#define VM_ACL_VERB "acl"
int vm_guest_acl_apply(const struct vm_guest *g, const struct vm_acl *to, struct vm_undo *undo,
		       struct vm_err *err);
/* Is QEMU where its device rules count?  VM_IN_USE: somebody moved it away, or removed its group. */
int vm_guest_acl_obeyed(const struct vm_guest *g, struct vm_err *err);
/* Makes the kernel's rules those of the record, whatever they are now. */
int vm_guest_acl_restore(const struct vm_guest *g, struct vm_err *err);

/* Device rules of a running guest, those wanted (its record) beside those in force. */
struct vm_acl_row {
	struct vm_acl_rule rule; /* borrowed names; perms: of this check */
	const char *check;	 /* "ok", "missing" (wanted, not in the kernel), "extra" (the reverse) */
};
struct vm_acl_check {
	struct vm_acl wanted, actual; /* actual: what every side in force allows */
	struct vm_acl_row *rows;      /* sorted as the sets */
	size_t n;
	const char *backend; /* "v1", "v2", "both", "none": then nothing is checked and no row is there */
	char *path;	     /* group */
	char *note;	     /* what else forbids, or moved; NULL = nothing */
};
#define VM_ACL_CHECK_INIT ((struct vm_acl_check){ .n = 0 })
int vm_guest_acl_check(const struct vm_guest *g, struct vm_acl_check *ret, struct vm_err *err);
void vm_acl_check_free(struct vm_acl_check *c);
