/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Tuning a guest: limits by the table of cgroup/tunable.h, pinning of its threads, their schedulers; in its
 * document, in the kernel, or both at once.
 *
 * A change of a running guest is all or nothing: the inverse of each step is in the journal VM_RUN_UNDO_CHANGE before
 * the step.  Where the definition is changed too, its rename is the moment from which on the change counts: the
 * journal's steps carry a mark of the text to be (`guard`), and undo nothing once that is the definition.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>

#include <vm/deadline.h>
#include <vm/err.h>
#include <vm/mt.h>
#include <vm/undo.h>

#include "cgroup/thread_group.h"
#include "cgroup/tunable.h"

struct vm_cputune;
struct vm_domain;
struct vm_guest;
struct vm_host;
struct vm_look;
struct vm_out;
struct vm_state;
struct vm_xml;

/* ---- settings ---- */
struct vm_tune_setting {
	const struct vm_tunable *t;
	char *device; /* of a per_device row: its path; owned */
	struct vm_tune_value v;
	bool given; /* KEY=VALUE; else KEY alone */
};
struct vm_tune_list {
	struct vm_tune_setting *v;
	size_t n;
};
#define VM_TUNE_LIST_INIT ((struct vm_tune_list){ 0 })
void vm_tune_list_free(struct vm_tune_list *l);
/* Takes over v. */
void vm_tune_list_add(struct vm_tune_list *l, const struct vm_tunable *t, const char *device,
		      struct vm_tune_value v, bool given);
/* NULL: not in it. */
const struct vm_tune_setting *vm_tune_list_find(const struct vm_tune_list *l,
						const struct vm_tunable *t, const char *device);
/* KEY[:PATH][=VALUE] each; KEY=PATH,N,PATH,N,... too, as virsh has it for devices. VM_USAGE. */
int vm_tune_list_parse(const char *const *words, size_t n, struct vm_tune_list *ret,
		       struct vm_err *err);
/* What a document says. */
void vm_tune_list_of(const struct vm_domain *d, struct vm_tune_list *ret);

/* ---- threads ---- */
enum vm_tune_class { VM_TUNE_VCPU, VM_TUNE_EMULATOR, VM_TUNE_IOTHREAD };
struct vm_tune_thread {
	int class;	/* enum vm_tune_class */
	uint64_t id;	/* of the vCPU or I/O thread; 0 of the emulator */
	pid_t tid;	/* emulator: QEMU's main thread, which stands for all that are neither */
	char name[VM_THREAD_GROUP_NAME]; /* of its group: "vcpu0" */
};
struct vm_tune_threads {
	pid_t pid;
	struct vm_tune_thread *v; /* vCPUs, the emulator, I/O threads */
	size_t n;
};
void vm_tune_threads_free(struct vm_tune_threads *t);
/* From what QEMU said; a thread that is none of its process is VM_HYPERVISOR. */
int vm_tune_threads_of(pid_t pid, const struct vm_look *look, struct vm_tune_threads *ret,
		       struct vm_err *err);

/* "vcpu0", "emulator", "iothread1"; "vcpus" and "iothreads": all of them. */
struct vm_tune_pin {
	int class; /* enum vm_tune_class */
	bool all;  /* of the class */
	uint64_t id;
	bool given, anywhere;	/* THREAD=CPUS; "all" */
	struct mt_cpuset cpus;	/* given and not anywhere; owned */
};
struct vm_tune_pins {
	struct vm_tune_pin *v;
	size_t n;
};
void vm_tune_pins_free(struct vm_tune_pins *p);
int vm_tune_pins_parse(const char *const *words, size_t n, struct vm_tune_pins *ret,
		       struct vm_err *err);
/* Which of the host's CPUs a document gives to a thread; NULL = any. */
const struct mt_cpuset *vm_tune_pin_of(const struct vm_domain *d, int class, uint64_t id);

/* ---- documents ---- */
/* Brings one setting into the document, which is replaced. */
int vm_tune_edit(struct vm_xml **doc, const struct vm_tune_setting *s, struct vm_err *err);
int vm_tune_edit_pin(struct vm_xml **doc, const struct vm_domain *d, const struct vm_tune_pin *p,
		     struct vm_err *err);

/* ---- the kernel ---- */
/* Groups of threads that were made before their threads are there; each is filled by what first needs it. */
struct vm_tune_premade {
	char (*v)[VM_THREAD_GROUP_NAME]; /* "" = has been filled */
	size_t n;
};
static inline void vm_tune_premade_free(struct vm_tune_premade *p)
{
	free(p->v);
	*p = (struct vm_tune_premade){ 0 };
}
/* Makes those that the settings and pins of a document ask for, for the threads that its QEMU will have.  *ret must be
 * initialised, and holds those that were made also after a failure. */
int vm_tune_premake(const struct vm_cgroup *group, const struct vm_domain *d, const struct vm_tune_list *l,
		    struct vm_tune_premade *ret, struct vm_err *err);
struct vm_tune_change {
	const struct vm_cgroup *group; /* without a path: the guest has none */
	const struct vm_tune_threads *threads; /* NULL: before QEMU runs, what concerns threads is left out */
	struct vm_tune_premade *premade; /* may be NULL */
	struct vm_undo *undo; /* NULL: whoever made the groups removes them after a failure */
	const char *guard;    /* "-", or vm_tune_guard() of the definition to be */
	bool convert;	      /* --convert-shares */
	bool dry_run;	      /* check, log each step, change nothing */
};
int vm_tune_apply(const struct vm_tune_change *c, const struct vm_tune_list *l, struct vm_err *err);
int vm_tune_apply_pins(const struct vm_tune_change *c, const struct vm_tune_pins *p,
		       struct vm_err *err);
/* <memnode mode='restrictive'> of the cells that vCPUs are in; at the start. */
int vm_tune_apply_memnodes(const struct vm_tune_change *c, const struct vm_domain *d,
			   struct vm_err *err);
/* Schedulers of <vcpusched> and its like; they are set at the start and stay. */
int vm_tune_apply_schedulers(const struct vm_tune_change *c, const struct vm_domain *d,
			     struct vm_err *err);
/* Where systemd has made the guest's group, it is told what now holds for the group as a whole, so that it does not
 * write its own over it.  Best effort: failures are warnings. */
void vm_tune_tell_systemd(const struct vm_guest *g, const struct vm_cgroup *group,
			  const struct vm_tune_list *l, struct vm_deadline deadline);
/* A mark of a definition's text. */
void vm_tune_guard(const char *text, size_t len, char ret[17]);

/* tune_undo.c: inverses, for the driver's table of verbs; ctx is the struct vm_guest.  Need libc alone. */
#define VM_TUNE_VERB_FILE     "tunable"	      /* GUARD CONTROLLER GROUP FILE TEXT */
#define VM_TUNE_VERB_THREADS  "thread-group"  /* GUARD NAME */
#define VM_TUNE_VERB_AFFINITY "affinity"      /* GUARD TID CPUS */
#define VM_TUNE_VERB_LIVE     "live-document" /* GUARD */
#define VM_TUNE_LIVE_OLD      "live.xml.old"
int vm_tune_undo_file(void *ctx, const char *arg, struct vm_err *err);
int vm_tune_undo_threads(void *ctx, const char *arg, struct vm_err *err);
int vm_tune_undo_affinity(void *ctx, const char *arg, struct vm_err *err);
int vm_tune_undo_live(void *ctx, const char *arg, struct vm_err *err);
/* The CPUs of a group of threads: a row that is no key of vm-cgroup. */
extern const struct vm_tunable vm_tune_cpus;

/* ---- the verbs ---- */
struct vm_tune_request {
	const struct vm_tune_list *settings; /* may be NULL */
	const struct vm_tune_pins *pins;     /* may be NULL */
	bool live, config;		     /* neither: live if it runs, else the definition */
	bool convert, dry_run;
	struct vm_deadline deadline;
};
/* 0 = changed, 1 = it was so already. */
int vm_tune_set(struct vm_host *h, const char *ref, const struct vm_tune_request *r,
		struct vm_err *err);
