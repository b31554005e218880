/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What the host itself does with its devices: file systems, swap, volumes, routes, bridges, consoles, and processes
 * that have a node open.  Taking such a device away hurts the host.  Needs libc alone.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <vm/deadline.h>

#include "sys.h"

enum vm_use_kind {
	VM_USE_MOUNT,	/* holds a mounted file system */
	VM_USE_SWAP,	/* is swapped to */
	VM_USE_VOLUME,	/* part of an LVM, RAID or dm device, or of a file system on several */
	VM_USE_ROUTE,	/* packets of the host are routed through it */
	VM_USE_BRIDGE,	/* port of a bridge, bond or the like */
	VM_USE_CONSOLE, /* the kernel's console */
	VM_USE_GUEST,	/* a guest has it */
	VM_USE_KINDS
};
/* "mounted", "swap", "volume", "route", "bridge", "console", "guest-has" */
extern const char *const vm_use_words[];

struct vm_uses {
	struct vm_use {
		enum vm_use_kind kind;
		char *path; /* of the device below /sys/devices that is used */
		char *what; /* mount point, volume, interface, console, guest */
		char *by;   /* "sda1", "eth0", "usb:1-4.2" */
	} *v;		    /* owned */
	size_t n;
};
/* All uses of the host's devices. */
void vm_uses_read(const struct vm_sys *s, struct vm_uses *ret, struct vm_unread *u);
/* Is this claim one of a device that may hang on another? */
bool vm_uses_is_device(const char *key);
/* And the guest that has the device of this claim ("usb:1-4.2", "block:8:16", "pci:0000:06:10.1"), which hangs on others. */
void vm_uses_add_guest(const struct vm_sys *s, struct vm_uses *uses, const char *key, const char *guest, struct vm_unread *u);
void vm_uses_free(struct vm_uses *u);
/* The next use at or after *at of the device with this sysfs path or of something below it; NULL: no more. */
const struct vm_use *vm_uses_next(const struct vm_uses *u, const char *path, size_t *at);

/* Nodes below a device, and the processes that have one of them open. */
struct vm_dev_node {
	bool block;
	dev_t dev;
	char name[64]; /* "snd/pcmC0D0p", below /dev */
};
struct vm_openers {
	struct vm_opener {
		pid_t pid;
		char comm[32];
		char node[64]; /* "/dev/..." of the first one found */
	} *v;		       /* owned */
	size_t n;
};
/* Nodes of everything below a directory of sysfs; *ret is owned; how many. */
size_t vm_nodes_below(int dir, struct vm_dev_node **ret);
/* Looks at all processes until the deadline; those of others need privileges. */
void vm_openers_read(const struct vm_sys *s, const struct vm_dev_node *nodes, size_t n,
		     struct vm_deadline deadline, struct vm_openers *ret);
/* Has a process of this machine one of them open, under its name, unless that is ""?  1 yes, 0 no, -1 with errno: it is gone, or cannot be seen. */
int vm_opens(pid_t pid, const struct vm_dev_node *nodes, size_t n);
void vm_openers_free(struct vm_openers *o);
