/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What the files of libcore/state share. */
#include <sys/stat.h>

#include <vm/state.h>

/* NAME.xml; names are at most VM_NAME_MAX bytes. */
#define VM_FILE_NAME_MAX (VM_NAME_MAX + 8)
void vm_definition_name(const char *name, char ret[VM_FILE_NAME_MAX]);
/* "NAME.xml" without its end into ret; false: not a definition's file name. */
bool vm_definition_stem(const char *file, char ret[VM_NAME_MAX + 1]);
/*
 * The links by-uuid/UUID, which lead to "../NAME.xml".
 * Read: 0 and the name it gives, which may have no definition any more; 1 = no such link.  Take, into the open directory
 * VM_BY_UUID: 1 = made, 0 = was there; VM_IN_USE names the guest that has it (vm_uuid_held_by() says so).  Drop: the one
 * of that guest, or what leads to its name.
 */
#define VM_BY_UUID "by-uuid"
int vm_uuid_held_by(const char *uuid, const char *holder, struct vm_err *err);
int vm_uuid_link_take(const struct vm_guest *g, int by_uuid, const char *uuid, struct vm_err *err);
int vm_uuid_link_drop(const struct vm_guest *g, struct vm_err *err);
int vm_uuid_link_read(const struct vm_state *s, const uint8_t uuid[16], char ret[VM_NAME_MAX + 1]);

/* What the run directory of a guest says, without judging. */
struct vm_run_facts {
	enum vm_alive alive;
	struct vm_record record; /* empty if there is none or it cannot be read */
	bool record_bad;	 /* there is one, but it cannot be read */
	bool abandoned;		 /* alive, but the start that made it is gone before its commit */
	bool busy;		 /* being started, its process not known yet; or being cleared away */
	struct vm_err problem;	 /* set if record_bad */
};
#define VM_RUN_FACTS_INIT ((struct vm_run_facts){ .alive = VM_ALIVE_NO })
/* own_lock: the caller holds `lock`. Never fails: what cannot be read is said in the facts. */
void vm_run_facts_read(int run_fd, bool own_lock, struct vm_run_facts *ret);
void vm_run_facts_free(struct vm_run_facts *f);
/* 1 = a write lock is held on run_fd/name, 0 = not or no such file, -1 = cannot be asked (errno). */
int vm_run_lock_held(int run_fd, const char *name);
/* The state letter of /proc/PID/stat of exactly that process, 0 = gone or unknown. */
char vm_proc_state(const struct vm_procid *id);
/* State of a guest whose process is alive: the status file's, and whether it is stopped (SIGSTOP). */
void vm_run_status(int run_fd, const struct vm_record *record, struct vm_status *ret);

/* Waits (at most 1 s) for the watcher, if one lives, to have noted the end of QEMU, which is gone: what QEMU said
 * last comes before it. */
void vm_status_wait_end(int run_fd);

/* Makes and opens a directory that whoever may look into its parent may look into; -1 with errno. */
int vm_own_dir_make(const struct vm_state *s, int at, const char *name, int *ret_fd);
/* A guest's run directory with its `lock` held. */
struct vm_run_locked {
	int run, lock;
	bool rest; /* the directory was there before */
};
#define VM_RUN_LOCKED_INIT ((struct vm_run_locked){.run = -1, .lock = -1})
/*
 * Makes the run directory if need be and takes `lock` in it, however often others remove it meanwhile.
 * deadline NULL: only if it is free; 1 = somebody has it (who: in *err).
 */
int vm_run_lock(const struct vm_state *s, const char *name, const struct vm_deadline *deadline,
		struct vm_run_locked *ret, struct vm_err *err);
void vm_run_locked_close(struct vm_run_locked *l);
/* Is run_fd still what the name leads to? */
bool vm_run_is_current(const struct vm_state *s, const char *name, int run);
bool vm_disk_full(int sys);
/* Is the index of that definition current, at the price of one system call where possible? */
bool vm_index_fresh(const struct vm_state *s, const char *name, const struct stat *definition);
/* Removes links in by-uuid that lead to name, which has no definition; 1 = there were some. */
int vm_uuid_links_sweep(const struct vm_state *s, const char *name, struct vm_err *err);
/* fsync, where the filesystem can; -1 with errno. */
int vm_dir_sync(int dirfd);
/* A directory, of one component; -1 with errno. */
int vm_dir_at(int at, const char *name);
bool vm_entry_exists(int dirfd, const char *name);
/* A directory below etc; -1 with errno. */
int vm_etc_sub_open(const struct vm_state *s, const char *sub);
/* Claims of guests that are gone, and claims that cannot be read. */
int vm_claims_repair(const struct vm_repair *r, struct vm_err *err);
/* Files whose owner was changed for guests that are gone. */
int vm_owners_repair(const struct vm_repair *r, struct vm_err *err);
/* The directory of ids, beside the drivers' own: one pool for all of them; -1 with errno, ENOENT also where guests run as
 * the user who starts them. */
int vm_uids_open(const struct vm_state *s);
/* Ids of guests that are gone. */
int vm_uids_repair(const struct vm_repair *r, struct vm_err *err);
