/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Starting a guest: what the steps share.  The sequence is the table in start.c. */
#include <stddef.h>

#include <jansson.h>

#include <vm/cgroup.h>
#include <vm/err.h>
#include <vm/process.h>
#include <vm/undo.h>

#include "cgroup/scope.h"
#include "driver.h"
#include "qemu/argv/argv.h"
#include "confine/drop.h"
#include "confine/view.h"
#include "helper.h"
#include "qemu/plug/hostdev.h"
#include "launch.h"
#include "qemu/watch/watch.h"

struct vm_domain;
struct vm_interface;
struct vm_qemu_caps;
struct vm_qmp;
struct vm_xml;

struct vm_start {
	struct vm_guest *g;
	const struct vm_start_options *o;
	bool as_written; /* doc is the admin's own text: positions in it mean something */
	struct vm_xml *doc; /* complete: what runs */
	struct vm_domain *d;
	struct vm_qemu_caps *caps;
	char *emulator;
	struct vm_hostdev_nodes hostdev_nodes;
	struct vm_argv argv;
	struct vm_undo undo;
	struct vm_deadline deadline; /* o->deadline and the time hooks took */
	bool hooks;		     /* there are hook programs */
	bool launching; /* QEMU may run */
	bool changed; /* something of the host may have been changed */
	/* Descriptors QEMU inherits; `from` is ours until the launch. */
	struct vm_spawn_fd *fds;
	size_t nfds;
	int alive, messages, messages_write, watch_lock, events;
	struct vm_scope scope;
	struct vm_drop rights;	/* as whom QEMU runs */
	struct vm_view view;	/* what it sees, if it runs as a user of its own */
	int dev;		/* VM_RUN_DEV */
	char *label_file, *label_text;
	struct vm_cgroup group;
	struct vm_cgroup_entry qemu_group, helper_group, watch_group;
	struct vm_helper helpers[VM_HELPERS_MAX];
	int helper_ready[VM_HELPERS_MAX]; /* where those write that say when they work; -1 = others */
	size_t nhelpers;
	struct vm_qmp *qmp;
	struct vm_launched launched;
	struct vm_watch_options watch;
	int watch_fds[VM_WATCH_FD_END - VM_WATCH_FD_RUN + VM_WATCH_FILES]; /* for it; those of files are
									   * ours, -1 = none */
	char *watch_files[VM_WATCH_FILES]; /* where they lead to; owned */
};
/* Gives QEMU a descriptor; `from` is owned by *s from here on. */
void vm_start_inherit(struct vm_start *s, int from, int to);
/* Closes what QEMU was to inherit: it has it now, or never will. */
void vm_start_close_fds(struct vm_start *s);
/* Records a step that holds something for the whole run: in the journal before it, in the record at commit. */
int vm_start_hold(struct vm_start *s, const char *verb, const char *arg, struct vm_err *err);

/* Plans the command line anew from s->d. */
int vm_start_plan(struct vm_start *s, struct vm_err *err);
/* Gives graphics that want one a TCP port that is free now and at least `from`. */
int vm_start_ports(struct vm_start *s, unsigned from, struct vm_err *err);

/* start_check.c: everything that can be known before something is changed. */
int vm_start_check(struct vm_start *s, struct vm_err *err);
/* start_hooks.c */
int vm_start_hook_prepare(struct vm_start *s, struct vm_err *err);
int vm_start_hook_start(struct vm_start *s, struct vm_err *err);
int vm_start_hook_started(struct vm_start *s, struct vm_err *err);
/* start_host.c */
int vm_start_claims(struct vm_start *s, struct vm_err *err);
int vm_start_claim_ports(struct vm_start *s, struct vm_err *err);
/* start_hostdev.c */
int vm_start_hostdevs_check(struct vm_start *s, struct vm_err *err);
int vm_start_hostdevs(struct vm_start *s, struct vm_err *err);
/* Its variables: made from the template, or anew; what they were is kept until the start has succeeded. */
int vm_start_nvram(struct vm_start *s, struct vm_err *err);
void vm_start_nvram_done(const struct vm_start *s);
int vm_start_network(struct vm_start *s, struct vm_err *err);
int vm_start_sockets(struct vm_start *s, struct vm_err *err);
/* start_confine.c: as whom QEMU runs, and what it sees. */
int vm_start_user(struct vm_start *s, struct vm_err *err);
int vm_start_view(struct vm_start *s, struct vm_err *err);
/* start_helpers.c: are the programs there; what is to run beside QEMU; what of the host those see; they run, and the record says so. */
int vm_start_helpers_check(const struct vm_start *s, struct vm_err *err);
int vm_start_helpers(struct vm_start *s, struct vm_err *err);
int vm_start_helpers_view(struct vm_start *s, struct vm_err *err);
/* What QEMU and those beside it have said last, at most three lines in one; owned. Waits a moment for it. */
char *vm_start_last_words(struct vm_start *s);
int vm_start_helpers_take(struct vm_start *s, struct vm_err *err);
/* start_cgroup.c: group and device rules. */
int vm_start_cgroup(struct vm_start *s, struct vm_err *err);
/* start_tune.c: limits of the groups before QEMU runs; its threads before its vCPUs do. */
int vm_start_limits(struct vm_start *s, struct vm_err *err);
/* May QEMU be let lock what it has to?  VM_DENIED, with both numbers, if not. */
int vm_start_memlock_check(const struct vm_start *s, struct vm_err *err);
int vm_start_threads(struct vm_start *s, struct vm_err *err);
/* start_qemu.c */
int vm_start_launch(struct vm_start *s, struct vm_err *err);
int vm_start_ready(struct vm_start *s, struct vm_err *err);
/* Tells the watcher that the guest is up: from now on it acts on its own. */
int vm_start_hand_over(struct vm_start *s, struct vm_err *err);
/* Ends what vm_start_launch() began. */
void vm_start_kill(struct vm_start *s);
/* start_live.c: live.xml from the document and query-chardev's answer, which may be NULL. */
/* live.xml as far as it is known before QEMU runs, for the hooks. */
int vm_start_early_xml(struct vm_start *s, struct vm_err *err);
int vm_start_live_xml(struct vm_start *s, const json_t *chardevs, struct vm_err *err);

/* What d's on_poweroff, on_reboot and on_crash ask of the watcher. */
void vm_start_policies(const struct vm_domain *d, struct vm_watch_options *ret);
