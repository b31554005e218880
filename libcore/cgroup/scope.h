/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The group that the service manager makes for a guest: where there is one, nobody else may make groups.
 * Source: https://systemd.io/CGROUP_DELEGATION */
#include <stdbool.h>
#include <sys/types.h>

#include <vm/deadline.h>
#include <vm/err.h>

struct vm_scope_want {
	const char *name;      /* the guest's */
	const char *tag;       /* vm_cgroup_want.tag */
	const char *partition; /* <resource><partition>, becomes a slice; NULL = "/machine" */
	bool session;	       /* of this user's own manager */
	bool service;	       /* we are the guest's service ourselves: its group is taken, if it is delegated */
};
struct vm_scope {
	char *unit;   /* "vm-web1.scope", or the service that we are; NULL = there is no manager */
	char *cgroup; /* vm_cgroup_want.base; NULL = make groups without it */
	pid_t holder; /* keeps the scope until the guest is in it; it dies with us */
	int pidfd;
};
#define VM_SCOPE_INIT ((struct vm_scope){ .pidfd = -1 })
/*
 * A host without systemd, one whose systemd does not let us in or does not answer, gives VM_SCOPE_INIT; *ret_note (owned)
 * says why if that is of interest.  VM_IN_USE: there is such a scope with processes in it.
 */
int vm_scope_make(const struct vm_scope_want *want, struct vm_deadline deadline,
		  struct vm_scope *ret, char **ret_note, struct vm_err *err);
/* The guest is in it (or never will be): the scope lasts as long as a process of its own. */
void vm_scope_release(struct vm_scope *s);
/* A partition as a slice: "/machine/prod" is "machine-prod.slice".  VM_BAD_INPUT: not absolute.  Owned. */
int vm_scope_slice(const char *partition, char **ret, struct vm_err *err);
