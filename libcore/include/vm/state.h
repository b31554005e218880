/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What is on disk about guests: definitions, runtime records, liveness, locks, claims (vm-state(5)).
 *
 * One directory per guest, no shared database.  Reading takes no lock and never fails because of one bad
 * entry.  Everything goes through directory descriptors opened once here; $VM_ROOT prefixes all places.
 * Needs libc alone (the XML of a definition is not parsed here).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vm/conf.h>
#include <vm/deadline.h>
#include <vm/err.h>
#include <vm/process.h>
#include <vm/record.h>
#include <vm/uri.h>

/* CONTRACT: STATE words, in this order; vm_life_word(). */
enum vm_life {
	VM_SHUTOFF,
	VM_RUNNING,
	VM_PAUSED,
	VM_PMSUSPENDED,
	VM_SHUTTING_DOWN,
	VM_CRASHED,
	VM_SAVED,
	VM_UNRESPONSIVE,
	VM_STALE,  /* process gone, give-back unfinished */
	VM_BROKEN, /* definition unreadable */
};
const char *vm_life_word(enum vm_life life);
/* -1: no such word. */
int vm_life_from_word(const char *word);

/* The places of one connection. */
struct vm_state {
	struct vm_uri uri;
	struct vm_conf conf;
	const char *driver; /* uri.driver */
	int etc;	    /* <sysconf>/vm/<driver>: definitions, by-uuid/, autostart/; -1 = absent */
	int run;	    /* /run/vm/<driver> */
	int lib;	    /* /var/lib/vm/<driver> */
	int log;	    /* /var/log/vm/<driver> */
	int claims;	    /* /run/vm/claims */
	char *etc_path, *run_path, *lib_path, *log_path; /* the same as text, for messages and argv */
};
#define VM_STATE_INIT                                                                              \
	((struct vm_state){ .etc = -1, .run = -1, .lib = -1, .log = -1, .claims = -1 })
enum vm_state_access {
	VM_STATE_READ,	/* nothing is made */
	VM_STATE_CHANGE /* missing directories are made: /run/vm 0750 root:vm */
};
int vm_state_open(const char *connect, enum vm_state_access access, struct vm_state *ret,
		  struct vm_err *err);
void vm_state_close(struct vm_state *s);
/* A place of the host below $VM_ROOT, e.g. "/run/libvirt/qemu". Owned. */
char *vm_state_path(const char *absolute);

/* 1-200 bytes of valid UTF-8, no '/', no leading '-' or '.', no control bytes. */
int vm_name_check(const char *name, struct vm_err *err);
int vm_uuid_parse(const char *text, uint8_t ret[16]); /* with or without dashes; -1 = none */
void vm_uuid_format(const uint8_t uuid[16], char ret[37]);
void vm_uuid_make(uint8_t ret[16]); /* random, version 4 */

/* ---- one guest ---- */
enum vm_guest_flags {
	VM_GUEST_LOCKED = 1,   /* take `lock`; reconcile what an interrupted command left */
	VM_GUEST_ACTIVE = 2,   /* VM_NOT_RUNNING if it is not */
	VM_GUEST_DEFINED = 4,  /* VM_NOT_FOUND if it has no definition */
	VM_GUEST_NEW = 8,      /* need not exist (define, create): name, not reference */
	VM_GUEST_BY_NAME = 16, /* destructive: an ambiguous reference is refused */
};
struct vm_guest {
	const struct vm_state *state; /* borrowed */
	char *name;
	uint8_t uuid[16];
	bool has_uuid;
	bool defined, active; /* has a definition; has a live process (or a stale rest: see life) */
	int run;	      /* /run/vm/<driver>/<name>, -1 if there is none */
	int lib;	      /* /var/lib/vm/<driver>/<name>, -1 if there is none */
	int lock;	      /* held `lock`, or -1 */
	struct vm_record record; /* runtime record, empty if not active */
	enum vm_life life;
};
#define VM_GUEST_INIT ((struct vm_guest){ .run = -1, .lib = -1, .lock = -1 })
/* Resolves name, then UUID, then numeric id. */
int vm_guest_open(const struct vm_state *s, const char *ref, unsigned flags,
		  struct vm_deadline deadline, struct vm_guest *ret, struct vm_err *err);
void vm_guest_close(struct vm_guest *g);
/* Takes or gives back `lock` of an open guest (never hold it while waiting for a guest). */
int vm_guest_lock(struct vm_guest *g, struct vm_deadline deadline, struct vm_err *err);
void vm_guest_unlock(struct vm_guest *g);
/* Makes (0700) and opens the run and lib directories of a guest. */
int vm_guest_make_dirs(struct vm_guest *g, struct vm_err *err);

/* Is its process alive, by the OFD lock on `alive` (DESIGN: Is it running)? */
enum vm_alive {
	VM_ALIVE_NO,	/* never started, or ended and nothing left */
	VM_ALIVE_HELD,	/* alive */
	VM_ALIVE_STALE, /* lock free but a process in its group, or a record left behind */
};
int vm_guest_alive(const struct vm_guest *g, enum vm_alive *ret, struct vm_err *err);
/* Proof before anything is released or started: kills and empties the guest's cgroup on every hierarchy and
 * makes sure the recorded pid is gone. VM_TIMED_OUT if something does not die. */
int vm_guest_make_dead(struct vm_guest *g, struct vm_deadline deadline, struct vm_err *err);

/* Runtime record /run/.../record, format VM_RECORD_GUEST.  Keys: vm-state(5). Caller holds `lock`. */
#define VM_RECORD_GUEST		"vm-guest"
#define VM_RECORD_GUEST_VERSION 1
int vm_guest_record_write(const struct vm_guest *g, struct vm_err *err);

/* Run-time status, written by the watcher (or by the command when there is none): state, reason, since. */
struct vm_status {
	enum vm_life life;
	char reason[32];      /* word: booted, user, crashed, destroyed ... (vm-info --reason) */
	uint64_t since_ms;    /* CLOCK_REALTIME */
	uint64_t event_us;    /* QEMU's timestamp of the event behind it; 0 = none */
	const char *from;     /* "event", "asked", "record" */
};
#define VM_RECORD_STATUS	 "vm-status"
#define VM_RECORD_STATUS_VERSION 1
int vm_status_read(int run_fd, struct vm_status *ret, struct vm_err *err);
int vm_status_write(int run_fd, const struct vm_status *status, struct vm_err *err);
/* The last run's end, kept in lib/<name>/last after the run directory is gone (vm-info: reason of shutoff). */
int vm_status_read_last(int lib_fd, struct vm_status *ret, struct vm_err *err);
int vm_status_write_last(int lib_fd, const struct vm_status *status, struct vm_err *err);

/* ---- the index: facts of a definition that vm-list and vm-start need without parsing XML ---- */
/* lib/<name>/index, format VM_RECORD_INDEX: uuid, title, stat identity of the definition (dev, ino, size,
 * mtime_ns), machine, os_type, memory_bytes, vcpus ... Stale identity = not to be trusted. */
#define VM_RECORD_INDEX		"vm-index"
#define VM_RECORD_INDEX_VERSION 1
/* 0 = *ret is current; 1 = missing or stale. */
int vm_index_read(const struct vm_state *s, const char *name, struct vm_record *ret,
		  struct vm_err *err);
int vm_index_write(const struct vm_state *s, const char *name, struct vm_record *facts,
		   struct vm_err *err);

/* ---- definitions ---- */
/* Stores text as NAME.xml with its by-uuid link (EEXIST names the holder: VM_IN_USE).  replace: the guest
 * is defined already under that name and UUID. */
int vm_definition_write(const struct vm_guest *g, const char *text, size_t len, bool replace,
			struct vm_err *err);
int vm_definition_read(const struct vm_state *s, const char *name, char **ret_text, size_t *ret_len,
		       struct vm_err *err);
/* Removes definition, autostart link, by-uuid link, index; works on a full disk. */
int vm_definition_remove(const struct vm_guest *g, struct vm_err *err);
int vm_autostart_get(const struct vm_state *s, const char *name);
int vm_autostart_set(const struct vm_state *s, const char *name, bool on, struct vm_err *err);
/* Name of the guest (any driver's of this root) that owns the UUID; VM_NOT_FOUND. Owned. */
int vm_uuid_owner(const struct vm_state *s, const uint8_t uuid[16], char **ret_name,
		  struct vm_err *err);

/* ---- all guests ---- */
struct vm_entry {
	char *name;
	bool defined, active, autostart;
	pid_t id; /* 0 = inactive */
	struct vm_status status;
	char *problem; /* why broken or stale; NULL = nothing */
};
struct vm_entries {
	struct vm_entry *v; /* sorted: active by id, then inactive by name */
	size_t n;
};
/* check_ms: how long to ask guests without watcher, all together (0 = do not ask). */
int vm_entries_read(const struct vm_state *s, bool inactive, uint64_t check_ms, bool check_all,
		    struct vm_entries *ret, struct vm_err *err);
void vm_entries_free(struct vm_entries *e);

/* ---- claims: who uses a host device or a disk image (/run/vm/claims) ---- */
enum vm_claim_mode { VM_CLAIM_EXCLUSIVE, VM_CLAIM_SHARED /* all users share */, VM_CLAIM_READ /* many readers */ };
/* key: "file:DEV:INODE", "pci:0000:01:00.0", "net:vnet0".  One critical section under a short lock.
 * A conflicting claim is VM_IN_USE and names the guest; a claim of a dead guest is reconciled first. */
int vm_claim_take(const struct vm_guest *g, const char *key, enum vm_claim_mode mode,
		  const char *what, struct vm_err *err);
/* Removes this guest's claim on key; absent is success. */
int vm_claim_drop(const struct vm_guest *g, const char *key, struct vm_err *err);
/* Removes all claims of a guest. */
int vm_claim_drop_all(const struct vm_guest *g, struct vm_err *err);

/* ---- repair ---- */
/* What an interrupted command left of this guest, finished or undone; the caller holds `lock`.
 * 1 = there was something, 0 = nothing. */
int vm_guest_reconcile(struct vm_guest *g, struct vm_deadline deadline, struct vm_err *err);
