/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * A completed guest as QEMU's command line.
 *
 * The descriptors QEMU inherits are part of the plan: each has a role and its number in the child,
 * so what vm-export and vm-start --print show is what runs.  The starter opens what each role names
 * and passes it under that number (vm_spawn's fds).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vm/err.h>

struct vm_domain;
struct vm_xml;
struct vm_qemu_caps;

/* Numbers QEMU's descriptors begin with; 0-2 are standard, 3 is left to the starter (`alive`). */
#define VM_ARGV_FIRST_FD 4

enum vm_fd_role {
	VM_FD_QMP,    /* listening socket: commands */
	VM_FD_EVENTS, /* listening socket: events */
	VM_FD_SPARE,  /* listening socket: the next tool */
	VM_FD_TAP,    /* tap of an interface, queue `index` */
	VM_FD_VHOST,  /* vhost-net of an interface, queue `index` */
	VM_FD_FILE,   /* takes a character device's output for the file `path`; index: 1 = append */
	VM_FD_VHOST_SCSI, /* vhost-scsi of a host device */
	VM_FD_HELPER, /* connected to the program behind a device */
	VM_FD_LISTEN, /* listening UNIX socket at `path` (a character device that is a server) */
	VM_FD_ROLES
};
const char *vm_fd_role_word(enum vm_fd_role role);

struct vm_argv_fd {
	enum vm_fd_role role;
	int number;	    /* in QEMU */
	const void *object; /* the model's object it belongs to, borrowed; NULL for monitors */
	unsigned index;
	char *alias; /* "net0", "serial1"; NULL for monitors; owned */
	char *path;  /* VM_FD_LISTEN, VM_FD_FILE; owned */
};
struct vm_argv {
	char **v; /* NULL-terminated once vm_qemu_argv() has returned; owned */
	size_t n, cap;
	char **
	    env; /* "TZ=Europe/Paris": to be added to QEMU's environment; NULL-terminated or NULL */
	size_t nenv;
	struct vm_argv_fd *fds; /* owned */
	size_t nfds;
	int next_fd;
};
#define VM_ARGV_INIT ((struct vm_argv){.next_fd = VM_ARGV_FIRST_FD})
void vm_argv_free(struct vm_argv *a); /* for VM_AUTO; twice is fine */

/* What is not in the document; all borrowed. */
struct vm_qemu_env {
	const char *emulator;		 /* NULL: the document's, else VM_QEMU_EMULATOR */
	const struct vm_qemu_caps *caps; /* NULL: what QEMU 7.2 can */
	bool
	    no_vhost_net; /* the host has no vhost-net: virtio interfaces go without, as they may */
	bool named_fds; /* descriptors come over the monitor, under names (VM_VHOST_FD_NAME), and are not inherited */
	bool given_files; /* files of character devices are descriptors: QEMU may not open them itself */
	/* Nodes of SCSI host devices ("/dev/sg1"), by their place in the document's list; NULL: none was looked
	 * for, an entry NULL: there is none. */
	const char *const *hostdev_nodes;
	int64_t now_s; /* seconds since the epoch for a clock relative to now; 0 = ask the clock */
	const char *run_path; /* the guest's runtime directory: sockets whose place the document leaves
			       * open */
	const char *lib_path; /* the guest's directory of what stays */
};
#define VM_VHOST_FD_NAME "vhost-" /* and the device's alias */
#define VM_QEMU_EMULATOR "/usr/bin/qemu-system-x86_64"

struct vm_strbuf;
/* As text for a shell, an option a line. */
void vm_argv_shell(const struct vm_argv *a, struct vm_strbuf *out);
/*
 * Plans the command line of a domain that went through complete and validate.  Nothing of the host
 * is looked at.  VM_UNSUPPORTED, by line and column of doc (may be NULL), for what only shows here.
 */
int vm_qemu_argv(const struct vm_domain *d, const struct vm_xml *doc, const struct vm_qemu_env *env,
		 struct vm_argv *ret, struct vm_err *err);
