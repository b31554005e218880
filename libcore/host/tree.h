/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Small files of the host by their path below its root, or below the root of a recorded one. */
#include <stdbool.h>
#include <stddef.h>

#include <vm/err.h>

struct vm_tree {
	int root;
	bool recorded; /* not this host: what only system calls tell is not known */
};
#define VM_TREE_INIT ((struct vm_tree){ .root = -1 })
/* sysroot NULL: this host. */
int vm_tree_open(const char *sysroot, struct vm_tree *ret, struct vm_err *err);
void vm_tree_close(struct vm_tree *t);
/* Paths have no leading '/'; in a recorded tree links do not lead out of it. */
int vm_tree_fd(const struct vm_tree *t, const char *path, int flags); /* -1 with errno */
bool vm_tree_has(const struct vm_tree *t, const char *path);
/* The whole text (at most 16 MiB), owned; NULL = cannot be read. */
char *vm_tree_text(const struct vm_tree *t, const char *path);
/* Its first line without the newline; likewise. */
char *vm_tree_line(const struct vm_tree *t, const char *path);
/* Its first line as a decimal number; false: there is none. */
bool vm_tree_number(const struct vm_tree *t, const char *path, unsigned long long *ret);
/* Entries of a directory; 0 = none, or no directory. */
size_t vm_tree_count(const struct vm_tree *t, const char *path);
