/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Host devices that come and go while a guest runs.
 *
 * An attach prepares the host step by step, each with its inverse in the journal VM_RUN_UNDO_CHANGE before it; writes
 * what document and record are to be beside those that are; and then asks QEMU.  From there on QEMU is who knows: if it
 * has the devices, the new files take the places of the old ones, else the journal is undone.  Whoever finds the file
 * VM_RUN_PLUG after a command was killed asks it and does the same (vm_plug_settle()).
 *
 * A detach marks the device in the record (VM_KEY_UNPLUG) and asks.  When QEMU does not have it any more, whoever learns of
 * that, the command, the watcher's helper or the next command, gives back what it needed; each step of that may be
 * done twice.
 */
#include <stdbool.h>
#include <stddef.h>

#include <vm/acl.h>
#include <vm/deadline.h>
#include <vm/err.h>
#include <vm/record.h>
#include <vm/undo.h>

#include "qemu/argv/argv.h"
#include "driver.h"
#include "guest/hostdev_view.h"
#include "model/domain.h"
#include "qemu/qemu.h"
#include "qemu/run/reap.h"

struct vm_guest;
struct vm_qemu_caps;
struct vm_qmp;

/* VM_RUN_PLUG is a record of VM_KEY_ALIAS: what an attach has asked QEMU for, or is about to; with VM_KEY_NODE, "ALIAS NODE", for
 * each block node that a device is to have, in the order of making. */
#define VM_RECORD_PLUG	       "vm-plug"
#define VM_RECORD_PLUG_VERSION 1
#define VM_KEY_ALIAS "alias"
#define VM_KEY_NODE  "node"
#define VM_PLUG_NODE_SIZE 128 /* of a node's name */

struct vm_plug_device {
	const struct vm_hostdev *h;	      /* of the new domain, or in store */
	const struct vm_disk *disk;	      /* whose it is; */
	const struct vm_interface *interface; /* neither: a <hostdev> */
	struct vm_hostdev_iter store;
	struct vm_device *dev; /* of any of them, in the domain */
	char *name;	      /* vm_hostdev_source_text() */
	char *key;	      /* of its claim; NULL = none */
	int group;	      /* PCI: its IOMMU group, else VM_NO_GROUP */
	bool kept;	      /* the guest has released it before, but not all of its group: it is on VFIO still */
	struct vm_argv argv;  /* "-blockdev", "-device": what QEMU is told */
	int fd;		      /* vhost-scsi, for QEMU; -1 = none */
};
struct vm_plug {
	struct vm_guest *g;
	const struct vm_plug_options *o;
	struct vm_deadline deadline; /* o->deadline and the time hooks took */
	struct vm_xml *doc; /* as it is to be */
	struct vm_domain *was, *d;
	struct vm_hostdev_view view;
	struct vm_plug_device *v;
	size_t n;
	struct vm_qemu_caps *caps;
	struct vm_undo undo;
	struct vm_acl acl;	 /* rules as they are to be */
	struct vm_record record; /* likewise */
	struct vm_qmp *qmp;
	size_t asked; /* devices that QEMU may have */
	bool unknown; /* QEMU was asked and did not answer */
};

/* plug_doc.c: the document and domain to be, and what QEMU is to be told; looks at the host, changes nothing.
 * 1 = the guest has all of them. */
int vm_plug_document(struct vm_plug *p, struct vm_err *err);
int vm_plug_check(struct vm_plug *p, struct vm_err *err);
int vm_plug_words(struct vm_plug *p, struct vm_err *err);

/* plug_host.c: steps with their inverses. */
int vm_plug_open(struct vm_plug *p, struct vm_err *err);
int vm_plug_claim(struct vm_plug *p, struct vm_err *err);
int vm_plug_bind(struct vm_plug *p, struct vm_err *err);
int vm_plug_rules(struct vm_plug *p, struct vm_err *err);
int vm_plug_nodes(struct vm_plug *p, struct vm_err *err);
int vm_plug_memlock(struct vm_plug *p, struct vm_err *err);

/* plug_qmp.c */
/* Has QEMU a device of that name?  1 yes, 0 no. */
int vm_plug_there(struct vm_qmp *q, const char *alias, struct vm_deadline deadline, struct vm_err *err);
/* The node that words i and i + 1 of what QEMU is told make; false: none. */
bool vm_plug_node_name(const struct vm_argv *a, size_t i, char buf[VM_PLUG_NODE_SIZE]);
/* Takes block nodes away that were made for a device which QEMU does not have; absent is success.  As long as one is there, it
 * holds what is below. */
int vm_plug_drop_node(struct vm_qmp *q, const char *node, struct vm_deadline deadline, struct vm_err *err);
/* All that these words make, the last one first. */
int vm_plug_drop_nodes(struct vm_qmp *q, const struct vm_argv *a, struct vm_deadline deadline, struct vm_err *err);
/* Gives QEMU a device.  1 = it refused, and *err says why: it does not have it; -1: it may. */
int vm_plug_tell(struct vm_plug *p, const struct vm_plug_device *v, struct vm_err *err);

/* Is it gone?  One that has closed its monitor (why) is given the time to die. */
bool vm_plug_ended(const struct vm_guest *g, const struct vm_err *why);

/* plug_doc.c */
/* Can one like this come and go while the guest runs? */
bool vm_plug_fits(const struct vm_disk *disk);
/* What made the block nodes of one that the guest has; the caller frees it. */
void vm_plug_nodes_of(const struct vm_domain *d, const struct vm_hostdev_one *one, struct vm_argv *ret);

/* foreign.c: what QEMU has of the host and the document has not (guest/hostdev_foreign.h). */
struct vm_foreign;
struct vm_foreign_one;
struct vm_nodes;
struct vm_sys;
int vm_plug_foreign(struct vm_guest *g, const struct vm_domain *d, struct vm_deadline deadline, struct vm_foreign *ret,
		    struct vm_err *err);
/* Has QEMU a node of one of these devices open?  Where that cannot be seen it may. */
int vm_plug_open_nodes(const struct vm_guest *g, const struct vm_hostdev *const *v, size_t n, const struct vm_sys *sys,
		       bool *ret, struct vm_err *err);
/* The nodes they need, each by its alias. */
int vm_plug_foreign_nodes(const struct vm_foreign *f, const struct vm_sys *sys, struct vm_nodes *ret, struct vm_err *err);
/* Puts those who need them into those of the rules that are the same as theirs. */
void vm_plug_foreign_rules(const struct vm_acl *theirs, struct vm_acl *rules);
/* Can it be unplugged as a device of the document is?  VM_UNSUPPORTED says how else. */
int vm_plug_check_foreign(const struct vm_guest *g, const struct vm_foreign_one *f, struct vm_err *err);

/* unplug.c */
/* Gives back what these devices needed, QEMU not having them any more; those that are not there count as done. */
int vm_unplug_finish(struct vm_guest *g, const char *const *aliases, size_t n, struct vm_deadline deadline,
		     struct vm_err *err);
/* Names the steps of that and takes none; the record that is in memory is not the guest's any more then. */
int vm_unplug_name(struct vm_guest *g, const char *const *aliases, size_t n, struct vm_err *err);
/* A USB device was unplugged from the host: what it needed is given back, and it is missing from now on; looked_for: until
 * one of its kind is plugged in. */
int vm_unplug_missing(struct vm_guest *g, const char *alias, bool looked_for, struct vm_deadline deadline,
		      struct vm_err *err);
/* Takes the value of VM_KEY_HOSTDEV of that device out of a record. */
void vm_unplug_forget(struct vm_record *r, const char *alias);
/* Puts the mark of those that the guest was asked for into the record. */
int vm_unplug_mark(struct vm_guest *g, const char *const *aliases, size_t n, bool on, struct vm_err *err);

/* settle.c */
/* QEMU has all of it: the new files take their places. */
int vm_plug_commit(struct vm_guest *g, struct vm_err *err);
/* It has nothing of it: the new files go; the journal is the caller's to undo. */
int vm_plug_forget(const struct vm_guest *g, struct vm_err *err);
/* What was begun is finished or taken back, and what is gone from QEMU given back.  1 = there was something. */
int vm_plug_settle(struct vm_guest *g, struct vm_deadline deadline, struct vm_err *err);

/* vm_runner.attach, .wait_taken, .detach, .settle */
int vm_qemu_attach(struct vm_guest *g, const struct vm_plug_options *o, struct vm_hostdev_results *ret,
		   struct vm_err *err);
int vm_qemu_detach(struct vm_guest *g, const struct vm_plug_options *o, struct vm_hostdev_results *ret,
		   struct vm_err *err);
int vm_qemu_settle(struct vm_guest *g, struct vm_deadline deadline, struct vm_err *err);
int vm_qemu_wait_taken(struct vm_guest *g, const char *const *aliases, size_t n, struct vm_deadline deadline,
		       struct vm_err *err);
