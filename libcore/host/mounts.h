/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The kernel's table of mounts, line by line.  Needs libc alone.
 * Source: proc(5), /proc/PID/mountinfo; Linux fs/proc_namespace.c (show_mountinfo).
 */
#include <stdbool.h>
#include <stddef.h>

#include <vm/err.h>

#define VM_MOUNTS_MAX (16u << 20) /* bytes of the table: hosts of many containers have thousands of lines */

struct vm_mount { /* texts are in the line; octal escapes are decoded where nothing else is said */
	unsigned id, parent;
	unsigned major, minor; /* of the file system; major 0: one without a block device, or with several */
	const char *root;      /* what of the file system is seen: "/", "/subvolume", "net:[4026531840]" */
	const char *point;     /* begins with '/' */
	const char *options;   /* of the mount, "rw,nosuid,nodev" */
	const char *tags;      /* optional fields, "shared:1 master:2"; "" = none */
	const char *type;      /* "ext4", "fuse.sshfs" */
	const char *source;    /* may be anything, also "" */
	const char *super;     /* options of the file system as they stand, escapes and all */
};
/*
 * Takes a line, without its newline, apart.  0, or -1: it is malformed, and nothing of *ret counts but type, which is NULL if
 * not even that can be told.
 */
int vm_mount_parse(char *line, struct vm_mount *ret);
/* Is a word one of a list that is split by ','? */
bool vm_mount_option(const char *options, const char *word);

struct vm_mounts {
	char *text, *rest;
	unsigned line; /* the one given last, from 1 */
};
#define VM_MOUNTS_INIT ((struct vm_mounts){ 0 })
/* Begins with a text, which becomes the iterator's own; NULL is an empty one. */
void vm_mounts_begin(char *text, struct vm_mounts *ret);
/* The same with what a descriptor of such a file says. */
int vm_mounts_read(int fd, struct vm_mounts *ret, struct vm_err *err);
/* The same with the mounts that this process sees. */
int vm_mounts_self(struct vm_mounts *ret, struct vm_err *err);
void vm_mounts_end(struct vm_mounts *m);
/* 1: the next mount, in the order of the table, whose texts live as long as *m; 0: no more; -1: a malformed line, as
 * vm_mount_parse() leaves it: it is for the caller to say whether that matters, and the next call goes on behind it. */
int vm_mounts_next(struct vm_mounts *m, struct vm_mount *ret);
