/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The driver interface: what a hypervisor can do, as five structs of function pointers (what it makes of a
 * document, how it ends a running guest, holds one, what it tells of one, what it passes through), each with its ONE
 * table of those that are linked in.  NULL = unsupported, which becomes status 3 with the name of what is missing
 * (vm_driver_lacks()).  Verbs on a guest (guest/) are the only callers.
 *
 * Listing and looking at state need no driver: every local driver keeps its guests in the same places
 * (state.h), so that vm-list loads libc alone.
 */
#include <stdbool.h>
#include <stdint.h>

#include <vm/deadline.h>
#include <vm/err.h>

struct vm_guest;   /* guest.h */
struct vm_undo_verb;
struct vm_domain;  /* model.h */
struct vm_xml;
struct vm_record;
struct vm_strbuf;
struct vm_out;
struct vm_look;
struct vm_stats;
struct vm_state;
struct vm_stats_asked; /* a driver's own */
struct vm_hostdev_elements; /* guest/attach.h */
struct vm_hostdev_results;

struct vm_start_options {
	bool paused, force_boot, bypass_cache, reset_nvram, autodestroy, foreground, no_watch;
	bool dry_run; /* check everything, change nothing */
	uint64_t stop_timeout_ms; /* foreground: SIGTERM to destroy */
	struct vm_deadline deadline;
	const struct vm_xml *document; /* a transient guest's; NULL: its definition */
	/* foreground: called when the guest is up, right before this program becomes its watcher and start does
	 * not return any more: what was to be printed is printed here. */
	void (*up)(void *arg);
	void *up_arg;
};
enum vm_shutdown_mode {
	VM_SHUTDOWN_ACPI,
	VM_SHUTDOWN_AGENT,
	VM_SHUTDOWN_INITCTL,
	VM_SHUTDOWN_SIGNAL,
	VM_SHUTDOWN_PARAVIRT,
	VM_SHUTDOWN_MODES
};
/* Tried in this order until one is delivered; none = what the driver finds best for the guest. */
struct vm_shutdown_modes {
	enum vm_shutdown_mode v[VM_SHUTDOWN_MODES];
	unsigned n;
};

struct vm_monitor_call {
	const char *command; /* {"execute":NAME,"arguments":{...}}, NAME {...}, NAME, or an HMP line */
	bool hmp;
	int fd; /* descriptor passed along (add-fd, getfd); -1 = none */
};

struct vm_driver {
	const char *name; /* "qemu": also the directory of its state */
	/* Both may give up the guest's lock: while an agent is waited for nobody holds it. */
	int (*shutdown)(struct vm_guest *g, const struct vm_shutdown_modes *modes,
			struct vm_deadline dl, struct vm_err *err);
	int (*reboot)(struct vm_guest *g, const struct vm_shutdown_modes *modes,
		      struct vm_deadline dl, struct vm_err *err);
	/* graceful: SIGTERM only. */
	int (*destroy)(struct vm_guest *g, bool graceful, struct vm_deadline dl, struct vm_err *err);
	/* Asks the running guest; fills state and reason words of state.h. */
	int (*ask_state)(struct vm_guest *g, struct vm_deadline dl, int *ret_state, int *ret_reason,
			 struct vm_err *err);
	/* A vm_guest_reap_fn (state.h): gives back what an ended or interrupted run left (idempotent). */
	int (*reap)(struct vm_guest *g, bool dead, struct vm_deadline dl, struct vm_err *err);
	/* Verbs of the journals that reap replays; the context is the struct vm_guest. */
	const struct vm_undo_verb *undo_verbs;
};

/* How a running guest is held, let go on, and reset: apart from its end, so that neither carries the other. */
struct vm_holder {
	const char *name;
	int (*suspend)(struct vm_guest *g, struct vm_deadline dl, struct vm_err *err);
	int (*resume)(struct vm_guest *g, struct vm_deadline dl, struct vm_err *err);
	int (*reset)(struct vm_guest *g, struct vm_deadline dl, struct vm_err *err);
};

/* What a hypervisor tells of a running guest.  It stands apart from what can be done to one, so that a program
 * which only suspends or ends guests does not carry it. */
struct vm_observer {
	const char *name;
	/* What the guest itself says: bits of enum vm_look_what (vm/look.h). */
	int (*look)(struct vm_guest *g, unsigned what, struct vm_deadline dl, struct vm_look *ret,
		    struct vm_err *err);
	/* Rows {key, value} of what the agent inside the guest tells (vm-info GUEST agent). */
	int (*agent)(struct vm_guest *g, struct vm_out *out, struct vm_deadline dl,
		     struct vm_err *err);
	/* Counters (vm/stats.h), in two halves, so that many guests are asked at the same time: sends the
	 * questions (what: bits of enum vm_stats_section; balloon: alias of the balloon or NULL)... */
	int (*stats_ask)(struct vm_guest *g, unsigned what, const char *balloon,
			 struct vm_stats_asked **ret, struct vm_err *err);
	/* ... and collects the answers; frees *a also on failure. */
	int (*stats_take)(struct vm_stats_asked **a, struct vm_deadline dl, struct vm_stats *ret,
			  struct vm_err *err);
};

/* What a hypervisor passes through, word for word, to its monitor and to the agent inside the guest.  For those
 * who only ask: it comes without the verbs. */
struct vm_passthrough {
	const char *name;
	/* Monitor passthrough.  *ret_reply (owned): JSON text of what the command returned, or with hmp the
	 * text that the human monitor printed. */
	int (*monitor)(struct vm_guest *g, const struct vm_monitor_call *call, struct vm_deadline dl,
		       char **ret_reply, struct vm_err *err);
	/* The same to the agent inside the guest (hmp and fd are not used). */
	int (*agent_call)(struct vm_guest *g, const struct vm_monitor_call *call, struct vm_deadline dl,
			  char **ret_reply, struct vm_err *err);
};

/* Host devices of a running guest, given or taken while it runs. */
struct vm_plug_options {
	const struct vm_hostdev_elements *elements; /* attach: <hostdev> each; detach: likewise, but aliases count too */
	const char *const *aliases; /* detach: these devices, beside the elements; NULL = none */
	size_t n_aliases;
	const char *const *others; /* detach: devices that the document does not have, by alias or name, if QEMU has them */
	size_t n_others;
	bool force;   /* also what the host uses */
	bool skip;    /* attach: what it has already is left out; detach: what it has not */
	bool siblings; /* detach: with what is parked of the same IOMMU groups */
	bool dry_run;
	uint64_t wait_ms; /* for the guest */
	struct vm_deadline deadline;
	const char *instead; /* attach: this one, which is missing and which QEMU has not, gives way to it; NULL = none */
};

/* Where a guest's own files are, or would be. */
struct vm_guest_paths {
	const char *run; /* /run/vm/<driver>/<name> */
	const char *lib; /* /var/lib/vm/<driver>/<name> */
};

/* What a driver makes of a document as such. */
struct vm_completer {
	/* Completes a parsed definition as define keeps it: machine version, controllers, addresses; marks
	 * what it assigned.  Must not look at the host's state.  doc (may be NULL) is for positions. */
	int (*complete)(struct vm_domain *d, const struct vm_xml *doc, struct vm_err *err);
	/* Refuses what this driver cannot run, by line and column. */
	int (*validate)(const struct vm_domain *d, const struct vm_xml *doc, struct vm_err *err);
};

/* What a hypervisor makes of a document.  It stands apart from what can be done to a running guest, so that a
 * program which only suspends or destroys one does not carry the model. */
struct vm_planner {
	const char *name;
	const struct vm_completer *completer; /* NULL: it keeps no definitions */
	/* Native form of a completed domain, e.g. "qemu-argv"; with "+json" behind it as an array of
	 * strings, with "+env" what is added to the environment, likewise.  Needs nothing to exist. */
	int (*export_native)(const struct vm_domain *d, const char *format,
			     const struct vm_guest_paths *paths, struct vm_strbuf *out,
			     struct vm_err *err);
	/* *ret: the document with a CPU that is a copy of the host's written out as this host would provide it;
	 * NULL if it has no such. */
	int (*update_cpu)(const struct vm_state *s, const struct vm_domain *d,
			  const struct vm_xml *doc, struct vm_deadline deadline,
			  struct vm_xml **ret, struct vm_err *err);
};

/* What it does to the host and to guests by what documents say; apart from the above, so that a program which only reads or
 * writes documents does not carry it. */
struct vm_runner {
	const char *name;
	int (*start)(struct vm_guest *g, const struct vm_start_options *o, struct vm_err *err);
	/*
	 * Gives host devices to a running guest, all or none, and takes them back; *ret has those that were.  The caller holds
	 * `lock`; detach gives it up while the guest is waited for.  1 = nothing was to be done.  VM_PENDING: the guest has not let go yet.
	 */
	int (*attach)(struct vm_guest *g, const struct vm_plug_options *o, struct vm_hostdev_results *ret,
		      struct vm_err *err);
	/* Waits until the guest has given PCI devices their places; the lock need not be held.  VM_PENDING. */
	int (*wait_taken)(struct vm_guest *g, const char *const *aliases, size_t n, struct vm_deadline dl,
			  struct vm_err *err);
	int (*detach)(struct vm_guest *g, const struct vm_plug_options *o, struct vm_hostdev_results *ret,
		      struct vm_err *err);
	/* Finishes or takes back what was begun with the host devices of a running guest, by what its hypervisor says it
	 * has.  The caller holds `lock` (perhaps through its parent).  1 = there was something. */
	int (*settle)(struct vm_guest *g, struct vm_deadline dl, struct vm_err *err);
};

/* Exact match of the URI's scheme; VM_UNSUPPORTED names those there are. */
int vm_driver_find(const char *name, const struct vm_driver **ret, struct vm_err *err);
int vm_holder_find(const char *name, const struct vm_holder **ret, struct vm_err *err);
int vm_observer_find(const char *name, const struct vm_observer **ret, struct vm_err *err);
int vm_passthrough_find(const char *name, const struct vm_passthrough **ret, struct vm_err *err);
int vm_planner_find(const char *name, const struct vm_planner **ret, struct vm_err *err);
int vm_runner_find(const char *name, const struct vm_runner **ret, struct vm_err *err);
/* VM_UNSUPPORTED "the qemu driver has no <what>"; always -1. */
int vm_driver_lacks(const char *driver, const char *what, struct vm_err *err);
