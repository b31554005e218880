/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* How device rules are carried out by each version of cgroups. */
#include <vm/acl.h>

struct bpf_insn;
struct vm_cgroup_hier;

struct vm_acl_ops {
	/* As vm_acl_apply(), for one side; dir: the group. */
	int (*apply)(int dir, const struct vm_acl *from, const struct vm_acl *to,
		     struct vm_err *err);
	/* As vm_acl_read(). */
	int (*read)(int dir, struct vm_acl *ret, struct vm_err *err);
	/* Could it be applied here?  VM_DENIED, VM_UNSUPPORTED say why not. */
	int (*usable)(int dir, struct vm_err *err);
};
extern const struct vm_acl_ops vm_acl_v1, vm_acl_v2;

/* ---- acl_bpf.c ---- */
#define VM_ACL_PROGRAM "vm_acl" /* name of our programs and maps */
#define VM_ACL_INSNS   64u
/* The key of our map: everything a device is known by, so that "c 1:3" and "b 1:3" are two. */
struct vm_acl_key {
	uint32_t type; /* BPF_DEVCG_DEV_... */
	uint32_t major, minor;
};
/* Writes the program that looks up map_fd to insns (VM_ACL_INSNS of them); returns how many it has. */
size_t vm_acl_program(int map_fd, struct bpf_insn *insns);
void vm_acl_to_key(const struct vm_acl_rule *rule, struct vm_acl_key *ret_key, uint32_t *ret_value);
/* -1: none of our keys. */
int vm_acl_from_key(const struct vm_acl_key *key, uint32_t value, struct vm_acl *acl);

/* A program that decides about devices of a group. */
struct vm_acl_other {
	uint32_t id;
	char name[16]; /* "" = none, or not to be known */
};
/*
 * Programs that are not ours among those attached to the group, or (effective) in force for it; at most max.
 * Returns their number, -1 on error (VM_DENIED: may not look).
 */
int vm_acl_others(int dir, bool effective, struct vm_acl_other *ret, size_t max,
		  struct vm_err *err);
