/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Looking into one line of JSON without building a tree: for programs that load libc alone (vm-list, the
 * watcher).  Strict: the whole line is validated (depth <= 32), else nothing is found in it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vm_strbuf;

struct vm_json_slice {
	const char *at; /* first byte of the value; NULL = absent */
	size_t len;
};
bool vm_json_valid(const char *text, size_t len);
/* Value at a path of object keys: "data.reason"; "" is the whole. */
struct vm_json_slice vm_json_find(const char *text, size_t len, const char *path);
/* Copies a string value, unescaped; false if it is no string or too long. */
bool vm_json_string(struct vm_json_slice v, char *buf, size_t size);
bool vm_json_u64(struct vm_json_slice v, uint64_t *ret);
/* Is it this literal ("true", "null", "12"), or a string with this text? */
bool vm_json_is(struct vm_json_slice v, const char *literal);
/* Adds valid JSON text laid out over lines, two blanks a level, every token as it stands. */
void vm_json_indent(struct vm_strbuf *b, const char *text, size_t len);
