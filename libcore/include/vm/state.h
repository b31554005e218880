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

/* STATE of vm-list(1), in this order; vm_life_word(). */
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
	VM_STATE_READ,	/* nothing is made; a place that is absent is -1; vm.conf with a fault is a warning */
	VM_STATE_CHANGE /* missing directories are made: /run/vm 0750 root:vm */
};
/*
 * System places are <sysconfdir>/vm, /run/vm, /var/lib/vm and /var/log/vm; those of a session
 * $XDG_CONFIG_HOME/vm (~/.config), $XDG_RUNTIME_DIR/vm (~/.cache/vm/run), $XDG_DATA_HOME/vm (~/.local/share)
 * and $XDG_STATE_HOME/vm/log (~/.local/state).  A place of ours that belongs to somebody else than the caller
 * or root, or is a symbolic link, is VM_DENIED.  A $VM_ROOT that is not absolute is VM_BAD_INPUT, one
 * that is not the caller's VM_DENIED; a program with raised privileges ignores it (secure_getenv).
 */
int vm_state_open(const char *connect, enum vm_state_access access, struct vm_state *ret,
		  struct vm_err *err);
void vm_state_close(struct vm_state *s);
/* Is run_path the system's own, not one below $VM_ROOT or of a session? */
bool vm_state_usual(const struct vm_state *s);
/* A place of the host below $VM_ROOT, e.g. "/run/libvirt/qemu". Owned. */
char *vm_state_path(const char *absolute);

/* 1-200 bytes of valid UTF-8, no '/', no leading '-' or '.', no control bytes. */
#define VM_NAME_MAX 200u
int vm_name_check(const char *name, struct vm_err *err);
bool vm_name_valid(const char *name);
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
	VM_GUEST_AS_IS = 32,   /* with LOCKED: leave leftovers as they are (vm-repair looks first) */
};
struct vm_libvirt;
struct vm_guest {
	const struct vm_state *state; /* borrowed */
	char *name;
	uint8_t uuid[16];
	bool has_uuid;	      /* known from the record or a current index; else the definition tells */
	bool defined, active; /* has a definition; has a live process (or a stale rest: see life) */
	int run;	      /* /run/vm/<driver>/<name>, -1 if there is none */
	int lib;	      /* /var/lib/vm/<driver>/<name>, -1 if there is none */
	int lock;	      /* held `lock`, or -1 */
	struct vm_record record; /* runtime record, empty if not active */
	enum vm_life life;
	bool rest;	      /* lock: its run directory was there before, though no command was at work */
	struct vm_libvirt *libvirt; /* loaded at the first claim; owned */
};
#define VM_GUEST_INIT ((struct vm_guest){ .run = -1, .lib = -1, .lock = -1 })
/*
 * Resolves name, then UUID, then numeric id.  Without LOCKED what is found is a snapshot.  An unlocked
 * VM_GUEST_ACTIVE on a stale guest is VM_IN_USE (vm-repair), with LOCKED it was reconciled and is
 * VM_NOT_RUNNING.
 */
int vm_guest_open(const struct vm_state *s, const char *ref, unsigned flags,
		  struct vm_deadline deadline, struct vm_guest *ret, struct vm_err *err);
void vm_guest_close(struct vm_guest *g);
/* The name a reference stands for (owned), without opening the guest; VM_NOT_FOUND. */
int vm_guest_resolve(const struct vm_state *s, const char *ref, bool refuse_ambiguous,
		     char **ret_name, struct vm_err *err);
/* Takes or gives back `lock` of an open guest (never hold it while waiting for a guest).  After taking it
 * every field of *g is read anew; nothing is reconciled. */
int vm_guest_lock(struct vm_guest *g, struct vm_deadline deadline, struct vm_err *err);
/* Also removes the run directory of a guest that is not active and left nothing in it. */
void vm_guest_unlock(struct vm_guest *g);
/* Reads record, liveness and definedness anew (vm_guest_lock() does so by itself). */
int vm_guest_refresh(struct vm_guest *g, struct vm_err *err);
/* Makes (0750 root:vm; a session's 0700) and opens the run and lib directories of a guest. */
int vm_guest_make_dirs(struct vm_guest *g, struct vm_err *err);

/* Files of the run directory. */
#define VM_RUN_LOCK	  "lock"
#define VM_RUN_ALIVE	  "alive"
#define VM_RUN_RECORD	  "record"
#define VM_RUN_STATUS	  "status"
#define VM_RUN_WATCH_LOCK "watch.lock" /* the watcher's OFD lock, held while it lives */
#define VM_RUN_LIVE_XML	  "live.xml"
#define VM_RUN_QMP	  "qmp.sock"
#define VM_RUN_EVENTS	  "events.sock"
#define VM_RUN_SPARE	  "spare.sock"
#define VM_RUN_DEV	  "dev" /* the guest's device nodes: its own /dev */
#define VM_RUN_OWN	  "own" /* the guest's user may write here: sockets that QEMU makes itself */
/* Undo journals: of a start until its commit, and of any later change to the running guest. */
#define VM_RUN_UNDO_START  "start.undo"
#define VM_RUN_UNDO_CHANGE "change.undo"
/* Something was begun of which only the hypervisor knows whether it happened: asked before VM_RUN_UNDO_CHANGE counts. */
#define VM_RUN_PLUG "plug"
/* A definition that is to be stored when the running guest has become it, and the one that it then replaces. */
#define VM_RUN_DEFINE	  "define.xml"
#define VM_RUN_DEFINE_WAS "define.was"
/* Of the lib directory. */
#define VM_LIB_INDEX	   "index"
#define VM_LIB_LAST	   "last"
#define VM_LIB_TPM	   "tpm" /* state of an emulated TPM, its user's */
#define VM_LIB_SAVE	   "managed.save"
#define VM_LIB_NVRAM	   "nvram.fd" /* where the document names no other file */
#define VM_LIB_SNAPSHOTS   "snapshots"	 /* one NAME.xml each */
#define VM_LIB_CHECKPOINTS "checkpoints" /* one NAME.xml each */

/* Is its process alive, by the OFD lock on `alive` (vm-internals(7))? */
enum vm_alive {
	VM_ALIVE_NO,	/* never started, or ended and nothing left */
	VM_ALIVE_HELD,	/* alive */
	VM_ALIVE_STALE, /* lock free but a process in its group, or a record or journal left behind */
};
int vm_guest_alive(const struct vm_guest *g, enum vm_alive *ret, struct vm_err *err);
/*
 * Creates `alive` anew (0600) and takes its write lock: *ret_fd goes to QEMU plainly (keep it free of
 * CLOEXEC there) and is closed by everybody else.  VM_IN_USE if a process holds the present one.
 */
int vm_guest_alive_make(const struct vm_guest *g, int *ret_fd, struct vm_err *err);
/*
 * Proof before anything is released or started: kills and empties the guest's cgroup on every hierarchy,
 * kills the recorded pid and whoever holds the write lock of `alive`, and makes sure that they are gone or
 * zombies. VM_TIMED_OUT if something does not die.
 */
int vm_guest_make_dead(struct vm_guest *g, struct vm_deadline deadline, struct vm_err *err);
/* Kills and empties the groups that a record names: filled by the cgroup module.  NULL: none are made. */
typedef int vm_group_kill_fn(const struct vm_guest *g, struct vm_deadline deadline,
			     struct vm_err *err);
/* 1 = a recorded group has processes, 0 = none. */
typedef int vm_group_populated_fn(const struct vm_guest *g, struct vm_err *err);
extern vm_group_kill_fn *vm_guest_group_kill;
extern vm_group_populated_fn *vm_guest_group_populated;

/*
 * Runtime record /run/.../record, format VM_RECORD_GUEST; the caller holds `lock`.  A start writes it with
 * phase "starting" and QEMU's pid before QEMU's exec (a process that nobody knows cannot be cleared away), and
 * again with "running" as its commit: from then on the start's journal is void.
 */
#define VM_RECORD_GUEST		"vm-guest"
#define VM_RECORD_GUEST_VERSION 1
#define VM_KEY_NAME	  "name"
#define VM_KEY_UUID	  "uuid"
#define VM_KEY_DRIVER	  "driver"
#define VM_KEY_PHASE	  "phase"      /* starting, running, ending */
#define VM_KEY_PID	  "pid"	       /* with pid_start, pid_boot: vm_record_set_procid() */
#define VM_KEY_WATCHER	  "watcher"    /* likewise; absent = none */
#define VM_KEY_STARTED_MS "started_ms" /* CLOCK_REALTIME */
#define VM_KEY_PERSISTENT "persistent" /* yes, no: had a definition when it was started */
#define VM_KEY_TITLE	  "title"
#define VM_KEY_CGROUP	  "cgroup"     /* repeated, one a hierarchy */
#define VM_KEY_UID	  "uid"	       /* of its processes; absent = its starter's */
#define VM_KEY_HELPER	  "helper"     /* repeated: "ALIAS PID START", a program behind a device */
#define VM_KEY_GID	  "gid"	       /* likewise */
#define VM_KEY_OWN_DEV	  "own_dev"    /* yes: VM_RUN_DEV is its whole /dev; no: single nodes of it are mounted */
#define VM_KEY_HOSTDEV	  "hostdev"    /* repeated: "ALIAS KEY", a host device it has and the key of its claim ("-" = none; "usb:-PORT" = it was there) */
#define VM_KEY_UNPLUG	  "unplug"     /* repeated: alias of one that the guest was asked to let go of */
#define VM_KEY_FOREIGN	  "foreign"    /* repeated: id in QEMU of a host device that no document has, and that holds back what others left */
#define VM_KEY_MEMLOCK	  "memlock"    /* "SOFT HARD": RLIMIT_MEMLOCK before it was raised for host devices */
#define VM_KEY_UNIT	  "unit"       /* systemd's unit of the run, a scope or a service; absent = none */
#define VM_KEY_HELD "held" /* repeated: "VERB ARGUMENT", what the driver gives back at the end */
int vm_guest_record_write(const struct vm_guest *g, struct vm_err *err);
/* A process under KEY, KEY_start, KEY_boot. id NULL removes it. */
void vm_record_set_procid(struct vm_record *r, const char *key, const struct vm_procid *id);
/* False: absent or malformed. */
bool vm_record_get_procid(const struct vm_record *r, const char *key, struct vm_procid *ret);
/* The i-th program behind a device; false: there is none, or it makes no sense. */
#define VM_HELPERS_MAX	   16u /* of a guest */
#define VM_HELPER_NAME_MAX 80u
bool vm_record_get_helper(const struct vm_record *r, size_t i, char name[VM_HELPER_NAME_MAX],
			  struct vm_procid *ret);

/* Run-time status, written by the watcher (or by the command when there is none): state, reason, since. */
struct vm_status {
	enum vm_life life;
	char reason[32];      /* word: booted, user, crashed, destroyed ... (vm-info --reason) */
	uint64_t since_ms;    /* CLOCK_REALTIME; 0 = unknown */
	uint64_t event_us;    /* QEMU's timestamp of the event behind it; 0 = none */
	const char *from;     /* "event", "asked", "record" */
};
#define VM_RECORD_STATUS	 "vm-status"
#define VM_RECORD_STATUS_VERSION 1
int vm_status_read(int run_fd, struct vm_status *ret, struct vm_err *err);
int vm_status_write(int run_fd, const struct vm_status *status, struct vm_err *err);
/* Does a watcher live (it holds watch.lock)? 1 yes, 0 no. */
int vm_guest_watched(int run_fd);
/*
 * After a command changed the guest's state: waits (at most 1 s) until the watcher has noted an event not
 * older than status->event_us; without a watcher, or when it does not come, writes status itself.
 */
int vm_status_settle(int run_fd, const struct vm_status *status, struct vm_err *err);
/* The last run's end, kept in lib/<name>/last after the run directory is gone (vm-info: reason of shutoff).
 * On a full disk the old one is removed rather than kept wrong. */
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
/* Adds the identity of the definition as it is now to *facts and stores them. */
int vm_index_write(const struct vm_state *s, const char *name, struct vm_record *facts,
		   struct vm_err *err);

/* ---- definitions ---- */
#define VM_DEFINITION_MAX (16u << 20) /* bytes */
/*
 * Stores text as NAME.xml with its by-uuid link (EEXIST names the holder: VM_IN_USE).  replace: the guest
 * is defined already under that name and UUID.  The caller holds `lock`; a failure leaves all as it was.
 * A UUID that a running libvirt guest uses is VM_IN_USE.
 */
int vm_definition_write(const struct vm_guest *g, const char *text, size_t len, bool replace,
			struct vm_err *err);
int vm_definition_read(const struct vm_state *s, const char *name, char **ret_text, size_t *ret_len,
		       struct vm_err *err);
/* Removes definition, autostart link, by-uuid link, index; works on a full disk. */
int vm_definition_remove(const struct vm_guest *g, struct vm_err *err);
/* 1 = marked, 0 = not. */
int vm_autostart_get(const struct vm_state *s, const char *name);
/* 1 = was so already, 0 = changed.  Taking the mark away also forgets the order. */
int vm_autostart_set(const struct vm_state *s, const char *name, bool on, struct vm_err *err);
/* When it is started among the marked ones (vm-autostart): record VM_RECORD_AUTOSTART with "after" (repeated, names)
 * and "delay_ms".  0 = *ret is set, empty if nothing is written. */
#define VM_RECORD_AUTOSTART	    "vm-autostart"
#define VM_RECORD_AUTOSTART_VERSION 1
int vm_autostart_order_read(const struct vm_state *s, const char *name, struct vm_record *ret,
			    struct vm_err *err);
int vm_autostart_order_write(const struct vm_state *s, const char *name, const struct vm_record *r,
			     struct vm_err *err);
/* Calls fn for the name of every marked guest that has a definition, in no order. */
int vm_autostart_each(const struct vm_state *s, int (*fn)(const char *name, void *arg), void *arg,
		      struct vm_err *err);
/* Name of the guest, defined or running, that has the UUID; VM_NOT_FOUND. Owned. */
int vm_uuid_owner(const struct vm_state *s, const uint8_t uuid[16], char **ret_name,
		  struct vm_err *err);

/* ---- all guests ---- */
struct vm_entry {
	char *name;
	bool defined, active, autostart;
	pid_t id; /* 0 = inactive */
	struct vm_status status;
	char *problem; /* why broken, stale or unresponsive; NULL = nothing */
	/* With `facts` only: */
	bool has_uuid, managed_save;
	uint8_t uuid[16];
	uint64_t snapshots, checkpoints;
	char *title; /* NULL = none */
};
struct vm_entries {
	struct vm_entry *v; /* sorted: active by id, then inactive by name */
	size_t n;
};
struct vm_entries_want {
	const char *const *names; /* these guests (n_names; none that does not exist), or NULL = all */
	size_t n_names;
	bool inactive;	 /* inactive ones too */
	bool facts;	 /* fill what is in the index and lib directories */
	uint64_t ask_ms; /* how long to ask guests without watcher, all together (0 = do not ask) */
	bool ask_all;	 /* ask also those whose watcher lives */
	/* Definitions whose index is missing or stale are read by vm-index until then. */
	struct vm_deadline deadline;
};
int vm_entries_read(const struct vm_state *s, const struct vm_entries_want *want,
		    struct vm_entries *ret, struct vm_err *err);
void vm_entries_free(struct vm_entries *e);
/* Only the names of the active guests, sorted, NULL-terminated; both owned. */
int vm_active_names(const struct vm_state *s, char ***ret, size_t *ret_n, struct vm_err *err);

/* ---- claims: who uses a host device or a disk image (/run/vm/claims) ---- */
enum vm_claim_mode {
	VM_CLAIM_EXCLUSIVE,
	VM_CLAIM_SHARED, /* all users share */
	VM_CLAIM_READ	 /* many readers */
};
/*
 * key: "file:DEV:INODE", "block:MAJOR:MINOR" (vm_claim_key_file()), "pci:0000:01:00.0", "net:vnet0".  what: the
 * object as people know it (a path).  One critical section under a short lock.  A conflicting claim is
 * VM_IN_USE and names the guest; a claim of a dead guest is reconciled first; a file that a running libvirt
 * guest uses is VM_IN_USE.  One guest has one claim on a key: taking it again is VM_IN_USE when one of the
 * two is exclusive, else nothing changes.  The caller holds `lock` and the run directory exists.
 */
int vm_claim_take(struct vm_guest *g, const char *key, enum vm_claim_mode mode, const char *what,
		  struct vm_err *err);
/* Removes this guest's claim on key; absent is success. */
int vm_claim_drop(const struct vm_guest *g, const char *key, struct vm_err *err);
/* Removes all claims of a guest. */
int vm_claim_drop_all(const struct vm_guest *g, struct vm_err *err);
/* The key of an image: links are followed, since what counts is the inode.  Owned. */
int vm_claim_key_file(const char *path, char **ret_key, struct vm_err *err);
/* "DRIVER/NAME" of the users of a key, one a value of "user", mode words under "mode"; empty if none. */
int vm_claim_read(const struct vm_state *s, const char *key, struct vm_record *ret,
		  struct vm_err *err);

/* ---- beside libvirtd ---- */
/* VM_IN_USE if a running libvirt guest of this host has the guest's UUID (start and define). */
int vm_guest_libvirt_check(struct vm_guest *g, struct vm_err *err);

/* ---- ids: each guest of the system runs as a user and group of its own ---- */
/* The guest's id. 0 = *ret, 1 = it has none (yet; guests of a session never have). */
int vm_guest_uid(const struct vm_guest *g, uint32_t *ret);
/*
 * Finds the guest's id, or takes one from vm.conf's range; it is the guest's until it is undefined.  The caller
 * holds `lock`; has_uuid.  0 = *ret; 1 = guests of a session run as their user.  VM_IN_USE: all are taken;
 * VM_BAD_INPUT: the range is somebody else's.
 */
int vm_guest_uid_take(struct vm_guest *g, uint32_t *ret, struct vm_err *err);
/* Gives it back: 1 = it had one, 0 = none.  Needs no room on the disk. */
int vm_guest_uid_drop(const struct vm_guest *g, struct vm_err *err);

/* ---- owners: files of filesystems that cannot map them are given to the guest's user while it runs ---- */
#define VM_OWNER_KEY_MAX 48u
struct stat;
/* What a file's record is called, and what vm_owner_restore() takes. */
void vm_owner_key(const struct stat *st, char key[VM_OWNER_KEY_MAX]);
/*
 * Records the owner of the file behind fd (O_PATH; path: without links), then changes it.  VM_IN_USE: another user's
 * guest has it so.  Whatever happens, vm_owner_restore() is to follow.
 */
int vm_owner_change(const struct vm_guest *g, const char *path, int fd, uint32_t uid, uint32_t gid,
		    struct vm_err *err);
/* The guest (user: "DRIVER/NAME") does not need the file any more: its last user's end gives it back.  Absent is
 * success. */
int vm_owner_restore(const struct vm_state *s, const char *user, const char *key, struct vm_err *err);
/* Is there a record of the file? */
bool vm_owner_is_changed(const struct vm_state *s, const struct stat *st);
/* What a run of it that ended with the host has left; for its next start. */
int vm_owner_restore_all(const struct vm_guest *g, struct vm_err *err);

/* ---- repair ---- */
/*
 * Gives back what a driver took for a run or a change: replays the journals, stops helpers.  Programs that link
 * the drivers set it; without it a guest that has a journal stays as it is (VM_IN_USE, "run vm-repair").
 * dead: QEMU is proved to be gone; else it runs on and only VM_RUN_UNDO_CHANGE is to be undone.
 */
typedef int vm_guest_reap_fn(struct vm_guest *g, bool dead, struct vm_deadline deadline,
			     struct vm_err *err);
extern vm_guest_reap_fn *vm_guest_reap;
/*
 * What an interrupted command left of this guest, finished or undone; the caller holds `lock`.
 * 1 = there was something, 0 = nothing.
 */
int vm_guest_reconcile(struct vm_guest *g, struct vm_deadline deadline, struct vm_err *err);
/* The orderly end of a run, by the watcher's reaping or vm-destroy, QEMU being dead: reap, claims, `last`
 * (NULL: from the status there is), and the run directory but `lock`.  Works on a full disk. */
int vm_guest_finish(struct vm_guest *g, const struct vm_status *last, struct vm_deadline deadline,
		    struct vm_err *err);

/* Is there a definition, readable or not; a run directory, with a guest in it or not? */
bool vm_definition_exists(const struct vm_state *s, const char *name);
bool vm_run_exists(const struct vm_state *s, const char *name);
/* What vm-repair does, each thing it did (dry_run: would do) and each failure told as it happens. */
struct vm_repair {
	const struct vm_state *state;
	bool dry_run;
	uint64_t timeout_ms; /* for one guest */
	void (*did)(const char *object, const char *what, void *arg);
	void (*failed)(const char *object, const struct vm_err *err, void *arg);
	void *arg;
};
/* One guest: its run directory. name: also that of a directory that is no guest's any more. */
void vm_repair_guest(const struct vm_repair *r, const char *name);
/* All run directories. */
int vm_repair_guests(const struct vm_repair *r, struct vm_err *err);
/* by-uuid links, marks for autostart, claims, and temporaries of writers that are gone. */
int vm_repair_places(const struct vm_repair *r, struct vm_err *err);
