/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* vm-doctor: what of the host keeps guests from running well, and what to do about it. */
#include <stdbool.h>

#include <vm/cli.h>
#include <vm/state.h>

#include "host/tree.h"

enum vm_health {
	VM_HEALTH_OK,
	VM_HEALTH_NOTE, /* nothing wrong, but worth knowing */
	VM_HEALTH_WARN, /* something will not work, or badly */
	VM_HEALTH_FAIL, /* guests cannot run as they should */
};
struct vm_finding {
	const char *check; /* name of the check */
	enum vm_health health;
	char *what, *remedy; /* remedy NULL: none is needed */
};
struct vm_doctor {
	struct vm_tree tree;
	const char *sysroot; /* NULL: this host */
	const struct vm_state *state;
	const struct vm_conf *conf; /* the state's; the defaults where vm.conf is wrong */
	bool session;
	struct vm_deadline deadline;
	const char *check; /* the one at work */
	struct vm_finding *v;
	size_t n;
};
/* Tells a finding of the check at work. */
void vm_doctor_say(struct vm_doctor *d, enum vm_health health, const char *remedy, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Tells an error: its message, its hint as the remedy. */
void vm_doctor_say_err(struct vm_doctor *d, enum vm_health health, const struct vm_err *err);

struct vm_doctor_check {
	const char *name, *what;
	void (*run)(struct vm_doctor *d);
	bool system; /* not for a session's own guests */
};
extern const struct vm_doctor_check vm_doctor_checks[]; /* ends with a NULL name */

/* The directory of vm.conf, owned; -1 = there is none. */
int vm_doctor_etc(const struct vm_state *s);

/* doctor_kernel.c */
void vm_doctor_kvm(struct vm_doctor *d);
void vm_doctor_iommu(struct vm_doctor *d);
void vm_doctor_modules(struct vm_doctor *d);
void vm_doctor_lsm(struct vm_doctor *d);
/* doctor_group.c */
void vm_doctor_cgroup(struct vm_doctor *d);
void vm_doctor_acl(struct vm_doctor *d);
void vm_doctor_init(struct vm_doctor *d);
/* doctor_users.c */
void vm_doctor_ids(struct vm_doctor *d);
void vm_doctor_group_name(struct vm_doctor *d);
void vm_doctor_limits(struct vm_doctor *d);
void vm_doctor_run(struct vm_doctor *d);
/* doctor_guests.c */
void vm_doctor_config(struct vm_doctor *d);
void vm_doctor_images(struct vm_doctor *d);
void vm_doctor_guests(struct vm_doctor *d);
void vm_doctor_leftovers(struct vm_doctor *d);
/* doctor_guest.c: one guest; its name is the check's. */
void vm_doctor_guest(struct vm_doctor *d, const char *ref);
/* doctor_guest_hostdev.c: what a running guest has of the host against what it was given. */
struct vm_guest;
void vm_doctor_guest_hostdevs(struct vm_doctor *d, struct vm_guest *g);
/* doctor_hostdev.c */
void vm_doctor_hostdev(struct vm_doctor *d);
/* doctor_qemu.c */
void vm_doctor_qemu(struct vm_doctor *d);

/* The program. */
struct vm_doctor_cli {
	const char *sysroot;
	bool problems;
};
int vm_doctor_cli(const struct vm_program *p, const struct vm_common *c,
		  const struct vm_doctor_cli *o, struct vm_err *err);
