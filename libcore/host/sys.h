/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What the kernel shows in sysfs, procfs and devtmpfs, below one root: "/", or the root of a recorded machine.
 *
 * Paths are relative to that root ("sys/bus/pci/devices"); links are followed, but never out of it.  What the
 * kernel says is taken as input like any other: capped, strictly parsed.  Needs libc alone.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vm/err.h>

#define VM_SYS_TEXT 256 /* bytes: names, drivers, words */

struct vm_sys {
	int root;      /* O_PATH descriptor */
	bool recorded; /* not this machine: what runs here says nothing about it */
};
#define VM_SYS_INIT ((struct vm_sys){ .root = -1 })
/* root NULL: $VM_SYSROOT (which a program with raised privileges ignores), else "/". */
int vm_sys_open(const char *root, struct vm_sys *ret, struct vm_err *err);
void vm_sys_close(struct vm_sys *s);

/*
 * What could not be read: errno and place of the first thing that is there, or may be, and could not be looked at (EMFILE, EIO,
 * EACCES ...).  The readers below say the same of that as of what is not there.  Who decides by what they say gives them one of
 * these, VM_UNREAD_NONE at first, and asks vm_unread_fail() before anything is changed; NULL is for who only shows it.
 */
struct vm_unread {
	int error; /* 0 = none */
	char path[256];
};
#define VM_UNREAD_NONE ((struct vm_unread){ 0 })
/* What is there is not what it has to be (EBADMSG), which is as good as unread. */
void vm_unread_malformed(struct vm_unread *u, int dir, const char *name);
/* What could not be read of a part. */
void vm_unread_add(struct vm_unread *u, const struct vm_unread *part);
/* For what nothing hangs on: what could not be read of it counts, but not that it is malformed. */
void vm_unread_lenient(struct vm_unread *u, const struct vm_unread *part);
/* 0: nothing was left unread; -1 and an error that says what. */
int vm_unread_fail(const struct vm_unread *u, struct vm_err *err);
/* The same at the end of a reading, which may have failed by itself: what is unread comes first, then *why. */
int vm_unread_end(const struct vm_unread *u, const struct vm_err *why, struct vm_err *err);
/* Notes errno unless that means that `name` below dir, or the device that dir is of, is not there. */
void vm_unread_note(struct vm_unread *u, int dir, const char *name);

/* Opens a directory below the root, or below `at` (-1: the root); -1 with errno.  With `at` no check is made that
 * links stay below the root: `at` is a directory of sysfs and `path` a name in it. */
int vm_sys_dir(const struct vm_sys *s, const char *path);
int vm_sys_dir_at(int at, const char *path);
/* The same, and an error is noted. */
int vm_sys_look(const struct vm_sys *s, const char *path, struct vm_unread *u);
int vm_sys_look_at(int at, const char *path, struct vm_unread *u);
/* A file's first line, at most size - 1 bytes, without blanks at its end; false: absent, unreadable, or malformed: longer, or with
 * bytes that are not printable. */
bool vm_sys_text(int dir, const char *name, char *buf, size_t size, struct vm_unread *u);
/* A number, decimal or 0x..., alone in its file; anything else is malformed. */
bool vm_sys_i64(int dir, const char *name, int64_t *ret, struct vm_unread *u);
/* A number of hexadecimal digits, with or without 0x in front. */
bool vm_sys_hex(int dir, const char *name, uint64_t *ret, struct vm_unread *u);
/* Last component of where a link leads to; false: no link.  One that is longer than the buffer counts as unread. */
bool vm_sys_link(int dir, const char *name, char *buf, size_t size, struct vm_unread *u);
/* The bytes of a binary attribute, at most size; how many, -1: unreadable. */
int vm_sys_bytes(int dir, const char *name, void *buf, size_t size, struct vm_unread *u);
bool vm_sys_exists(int dir, const char *name, struct vm_unread *u);
/* Absolute path of a directory of sysfs, links resolved, without the root in front ("/sys/devices/..."); owned;
 * NULL: it is gone. */
char *vm_sys_path(const struct vm_sys *s, int dir, struct vm_unread *u);

/* Names in a directory, without . and .., sorted by strverscmp(); at most VM_SYS_NAMES_MAX of them. */
#define VM_SYS_NAMES_MAX 65536u
struct vm_sys_names {
	char **v; /* owned */
	size_t n;
};
void vm_sys_names_free(struct vm_sys_names *names);
/* An absent directory (dir -1) has no names; one that cannot be read has none either, and -1 with errno is returned. */
int vm_sys_names(int dir, struct vm_sys_names *ret, struct vm_unread *u);

/*
 * A row of `size` bytes for every entry of a directory that read() fills one from, in the order of vm_sys_names(); owned,
 * NULL without a directory; top is the directory.  *ret_n: how many.
 */
void *vm_sys_rows(const struct vm_sys *s, const char *path, size_t size,
		  bool (*read)(const struct vm_sys *s, int top, const char *name, void *row, struct vm_unread *u),
		  size_t *ret_n, struct vm_unread *u);
