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

/* Opens a directory below the root, or below `at` (-1: the root); -1 with errno.  With `at` no check is made that
 * links stay below the root: `at` is a directory of sysfs and `path` a name in it. */
int vm_sys_dir(const struct vm_sys *s, const char *path);
int vm_sys_dir_at(int at, const char *path);
/* A file's first line, at most size - 1 bytes, without blanks at its end; false: absent, unreadable, longer, or with
 * bytes that are not printable. */
bool vm_sys_text(int dir, const char *name, char *buf, size_t size);
/* A number, decimal or 0x..., alone in its file. */
bool vm_sys_i64(int dir, const char *name, int64_t *ret);
/* A number of hexadecimal digits, with or without 0x in front. */
bool vm_sys_hex(int dir, const char *name, uint64_t *ret);
/* Last component of where a link leads to; false: no link. */
bool vm_sys_link(int dir, const char *name, char *buf, size_t size);
/* The bytes of a binary attribute, at most size; how many, -1: unreadable. */
int vm_sys_bytes(int dir, const char *name, void *buf, size_t size);
bool vm_sys_exists(int dir, const char *name);
/* Absolute path of a directory of sysfs, links resolved, without the root in front ("/sys/devices/..."); owned;
 * NULL: it is gone. */
char *vm_sys_path(const struct vm_sys *s, int dir);

/* Names in a directory, without . and .., sorted by strverscmp(); at most VM_SYS_NAMES_MAX of them. */
#define VM_SYS_NAMES_MAX 65536u
struct vm_sys_names {
	char **v; /* owned */
	size_t n;
};
void vm_sys_names_free(struct vm_sys_names *names);
/* An absent directory (dir -1) has no names; one that cannot be read has none either, and -1 with errno is returned. */
int vm_sys_names(int dir, struct vm_sys_names *ret);

/*
 * A row of `size` bytes for every entry of a directory that read() fills one from, in the order of vm_sys_names(); owned,
 * NULL without a directory; top is the directory.  *ret_n: how many.
 */
void *vm_sys_rows(const struct vm_sys *s, const char *path, size_t size,
		  bool (*read)(const struct vm_sys *s, int top, const char *name, void *row), size_t *ret_n);
