/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Which device nodes a guest may open: sets of rules, and what carries them out.
 *
 * What a guest should have is computed in one place, from the list of its nodes (nodes.h).  A start applies all of
 * it, a later change the difference of two such sets; nothing else writes device rules.  v1 has them in the files of its
 * devices controller, v2 in a BPF program attached to the group.  An open() that the kernel finds forbidden by
 * either version fails with EPERM.  Open descriptors are not taken away.  Needs libc alone.
 *
 * Source: Linux Documentation/admin-guide/cgroup-v1/devices.rst, cgroup-v2.rst "Device controller".
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vm/err.h>

struct vm_cgroup;
struct vm_nodes;
struct vm_record;
struct vm_strbuf;

enum vm_acl_perms { VM_ACL_READ = 1, VM_ACL_WRITE = 2, VM_ACL_MKNOD = 4 };
#define VM_ACL_ANY UINT32_MAX /* '*' */
struct vm_acl_rule {
	char type; /* 'b' or 'c' */
	uint32_t major, minor;
	unsigned perms; /* enum vm_acl_perms; never 0 in a set */
	char *by;	/* who asked, split by commas: "static", aliases; NULL = nobody is known */
	char *path;	/* the first node that asked; NULL = none */
};
struct vm_acl {
	struct vm_acl_rule *v; /* sorted by type, major, minor (ANY last), each once */
	size_t n;
	bool all; /* every node may be opened (v1 at its root; v2 without a program); no rules then */
};
#define VM_ACL_INIT  ((struct vm_acl){ .n = 0 })
#define VM_ACL_RULES_MAX 4096u /* in a set that is read */

/* ---- sets ---- */
void vm_acl_free(struct vm_acl *acl);
/* A rule of the same node gets these permissions and names in addition. */
void vm_acl_add(struct vm_acl *acl, char type, uint32_t major, uint32_t minor, unsigned perms,
		const char *by, const char *path);
/* Everything of `more` in addition. */
void vm_acl_merge(struct vm_acl *acl, const struct vm_acl *more);
/* Takes one who asked out of all rules, and the rules that nobody else has asked for.  rest: what is asked for without it,
 * whose permissions hold for the rules that stay. */
void vm_acl_forget(struct vm_acl *acl, const char *by, const struct vm_acl *rest);
/* What `to` has more than `from`: rules with the permissions that are new. */
void vm_acl_diff(const struct vm_acl *from, const struct vm_acl *to, struct vm_acl *ret);
/* Takes from *acl what `other` does not have, too.  `all` of one is no limit to the other. */
void vm_acl_keep_common(struct vm_acl *acl, const struct vm_acl *other);
/* Permissions of the very same node's rule in the set; `all`: every permission. */
unsigned vm_acl_perms_of(const struct vm_acl *acl, const struct vm_acl_rule *rule);
/* Same rules and permissions, whoever asked? */
bool vm_acl_equal(const struct vm_acl *a, const struct vm_acl *b);
/* May a node be opened so (one rule must allow all of perms)? */
bool vm_acl_allows(const struct vm_acl *acl, char type, uint32_t major, uint32_t minor,
		   unsigned perms);
/* "c 10:196 rw", as the kernel's files have it; buf has VM_ACL_TEXT bytes.  Returns buf. */
#define VM_ACL_TEXT 40
char *vm_acl_format(const struct vm_acl_rule *rule, char *buf);
/* "10:196", "136:*"; likewise. */
char *vm_acl_format_node(const struct vm_acl_rule *rule, char *buf);
/* "rw". */
char *vm_acl_format_perms(unsigned perms, char *buf);
/* The text of devices.list: rules a line.  VM_BAD_INPUT: malformed, or too many. */
int vm_acl_parse(const char *text, struct vm_acl *ret, struct vm_err *err);
/* The rules that a list of nodes asks for: each is looked at (links are followed); what is no device node asks for none.
 * root: directory that paths are below (a recorded host), -1 = the real one.  VM_NOT_FOUND: a node that must be
 * there is missing. */
int vm_acl_from_nodes(const struct vm_nodes *nodes, int root, struct vm_acl *ret,
		      struct vm_err *err);
/* Kept in a run's record under key, one rule a value: what to take away when a node is gone or has another number. */
void vm_acl_to_record(const struct vm_acl *acl, const char *key, struct vm_record *r);
int vm_acl_from_record(const struct vm_record *r, const char *key, struct vm_acl *ret,
		       struct vm_err *err);

/* ---- the kernel ---- */
enum vm_acl_side { VM_ACL_V1 = 1, VM_ACL_V2 = 2 };
#define VM_KEY_ACL "acl" /* in the record: vm_acl_side_word() */
#define VM_KEY_ACL_RULE "acl_rule"
/* "v1", "v2", "both", "none". */
const char *vm_acl_side_word(unsigned sides);
unsigned vm_acl_sides_from_word(const char *word);
/*
 * Which sides carry the rules out.  backend: vm.conf's acl_backend (its index: auto, v1, v2, both, none).  auto is v1
 * where its devices controller is mounted, else v2; where neither can be had it is none, with a note (owned)
 * that says why; a side that was asked for by name and cannot be had is VM_DENIED.
 */
int vm_acl_choose(const struct vm_cgroup *c, int backend, unsigned *ret_sides, char **ret_note,
		  struct vm_err *err);
/*
 * Makes the kernel's rules of the guest's qemu/ what `to` says.  from NULL: the first time, before anything is in
 * the group; else what is in force now.  All or nothing: after a failure `from` is in force.  A rule that
 * the parent group does not allow is VM_IN_USE and names the rule.
 */
int vm_acl_apply(const struct vm_cgroup *c, unsigned sides, const struct vm_acl *from,
		 const struct vm_acl *to, struct vm_err *err);
/* The rules in force on one side. VM_NOT_FOUND: there are none of ours (ret->all is not a set of ours). */
int vm_acl_read(const struct vm_cgroup *c, enum vm_acl_side side, struct vm_acl *ret,
		struct vm_err *err);
/*
 * Looks for what else the kernel forbids: the side that was not chosen, other programs, parent groups.  *ret_note
 * (owned; NULL = nothing): one line that names what blocks which rule.
 */
int vm_acl_blocked(const struct vm_cgroup *c, unsigned sides, const struct vm_acl *want,
		   char **ret_note, struct vm_err *err);
