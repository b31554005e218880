/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * systemd as the owner of the cgroup tree: transient scopes, their limits, their end.  Needs libc
 * alone. Source: org.freedesktop.systemd1(5), systemd.scope(5),
 * https://systemd.io/CGROUP_DELEGATION
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <vm/deadline.h>
#include <vm/err.h>

struct vm_systemd; /* a connection to a manager */

/* Does systemd run this host (run_dir "/run"), or this user's services ("$XDG_RUNTIME_DIR")?  A
 * manager that is there may still refuse us. */
bool vm_systemd_present(const char *run_dir);
/*
 * Connects to the manager of run_dir (NULL: the host's): by its private socket, else through the bus.  VM_NOT_FOUND:
 * there is none; VM_DENIED: it does not let this user in.
 */
int vm_systemd_open(const char *run_dir, struct vm_deadline deadline, struct vm_systemd **ret,
		    struct vm_err *err);
/* The same over a connected stream socket (taken over, also on failure); via_bus: a message bus is
 * between. */
int vm_systemd_open_fd(int fd, bool via_bus, struct vm_deadline deadline, struct vm_systemd **ret,
		       struct vm_err *err);
void vm_systemd_close(struct vm_systemd *s); /* NULL is accepted */
void vm_systemd_closep(struct vm_systemd **s);

/* "vm-NAME.scope" with NAME escaped by systemd's rules; a name that would be longer than a unit's
 * may be is cut and told apart by a hash.  Owned. */
char *vm_systemd_scope_name(const char *guest);
/* Text escaped as a part of a unit's name.  Owned.  Source: systemd.unit(5), "String escaping". */
char *vm_systemd_escape(const char *text);

struct vm_systemd_scope {
	const char *unit;	 /* vm_systemd_scope_name() */
	const char *slice;	 /* "machine.slice"; NULL = the manager's default */
	const char *description; /* for people; NULL = none */
	const pid_t *pids;	 /* moved into it; at least one of them must live */
	size_t npids;
	uint64_t
	    tasks_max; /* threads and processes; 0 = the manager's default, UINT64_MAX = no limit */
	bool ordered;  /* of the host: to be shut down with vm-guests.service; not of a session */
};
/*
 * Makes the scope with everything below it delegated to us and waits until it is there. *ret_cgroup
 * is its path below each hierarchy's root, "/machine.slice/vm-web1.scope"; owned.  A scope of that
 * name that has no process in it any more is waited for and replaced; one that has is VM_IN_USE.
 */
int vm_systemd_scope_create(struct vm_systemd *s, const struct vm_systemd_scope *scope,
			    struct vm_deadline deadline, char **ret_cgroup, struct vm_err *err);
/* Ends the scope with all that is in it (SIGTERM, then SIGKILL) and waits; absent is success. */
int vm_systemd_unit_stop(struct vm_systemd *s, const char *unit, struct vm_deadline deadline,
			 struct vm_err *err);
/* Where a unit's group is, as ret_cgroup above; VM_NOT_FOUND. */
int vm_systemd_unit_cgroup(struct vm_systemd *s, const char *unit, struct vm_deadline deadline,
			   char **ret_cgroup, struct vm_err *err);

/* Limits that systemd writes itself: written to the files directly it would set them back at its
 * next change. */
struct vm_systemd_limit {
	const char
	    *property;	/* "CPUWeight", "CPUShares", "IOWeight", "BlockIOWeight", "TasksMax" */
	uint64_t value; /* UINT64_MAX = the default again */
};
/* All or nothing, until the unit ends (not kept for the next one of that name). */
int vm_systemd_unit_set(struct vm_systemd *s, const char *unit,
			const struct vm_systemd_limit *limits, size_t n,
			struct vm_deadline deadline, struct vm_err *err);

/* Is this group, given by a descriptor of its directory, delegated by systemd to what runs in it?
 * Source: systemd.io/CGROUP_DELEGATION, the extended attributes user.delegate and trusted.delegate.
 */
bool vm_systemd_delegated(int group_fd);
