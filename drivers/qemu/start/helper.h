/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Programs beside QEMU, each behind one of the guest's devices: swtpm, virtiofsd, passt.
 *
 * QEMU's process forks them before it becomes QEMU: they see what it sees, run as its user, in helpers/ of the guest's group, and
 * the kernel kills them with it, whoever else is gone.  Each has one socket to QEMU.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vm/err.h>

struct vm_cgroup_entry;
struct vm_drop;

/* Programs that help QEMU, and where they are installed; some have never been in PATH. */
struct vm_helper_program {
	const char *name, *use;
	const char *paths[6]; /* relative to the root; NULL ends */
};
enum { VM_HELPER_IMG, VM_HELPER_SWTPM, VM_HELPER_VIRTIOFSD, VM_HELPER_PASST, VM_HELPER_PROGRAMS };
extern const struct vm_helper_program vm_helper_programs[VM_HELPER_PROGRAMS];
/* Absolute path of the first that can be executed; owned.  VM_NOT_FOUND. */
int vm_helper_find(unsigned program, char **ret, struct vm_err *err);

struct vm_helper {
	char *name;  /* of the device: "tpm0"; owned */
	char **argv; /* argv[0] is a path; owned */
	char *dir;   /* it works in; NULL = the root; owned */
	unsigned needs; /* enum vm_view_perms on that */
	int socket;  /* becomes its descriptor VM_HELPER_SOCKET; owned */
	int out;     /* its stdout and stderr, -1 = where QEMU's messages go; owned */
	int ready;   /* becomes its descriptor VM_HELPER_READY, -1 = none; owned */
	int ns;	     /* user namespace in which it is root, -1 = none; owned */
};
#define VM_HELPER_INIT ((struct vm_helper){ .socket = -1, .out = -1, .ready = -1, .ns = -1 })
#define VM_HELPER_SOCKET 3
#define VM_HELPER_READY	     4 /* a pipe that it writes to once it works */
void vm_helper_free(struct vm_helper *h);

/*
 * For QEMU's process before its exec: forks a helper.  0 and *ret_pid, or an errno and what failed; what fails in the helper
 * it says to `messages`.
 */
struct vm_helper_launch {
	const struct vm_drop *rights; /* of QEMU */
	const struct vm_cgroup_entry *group;
	int messages;
	char *const *env;
};
int vm_helper_fork(const struct vm_helper *h, const struct vm_helper_launch *l, pid_t *ret_pid);
