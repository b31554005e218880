/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Records: small files of "key=value" lines behind a first line "FORMAT N" (vm-state(5)).
 *
 * Values are raw text with \xhh for control bytes and backslash.  Keys may repeat (lists).  Unknown
 * keys are kept.  Readers accept the formats N-1 and N and refuse newer ones (VM_UNSUPPORTED).
 * Needs libc alone.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vm/err.h>

struct vm_strbuf;
struct vm_record_item {
	char *key, *value;
};
struct vm_record {
	struct vm_record_item *items; /* owned, in order */
	size_t n, cap;
};
#define VM_RECORD_INIT	  ((struct vm_record){ 0 })
#define VM_RECORD_MAX (4u << 20) /* bytes in a file; more is refused */

void vm_record_free(struct vm_record *r);
/* First value of key, or NULL. */
const char *vm_record_get(const struct vm_record *r, const char *key);
/* The index-th value of a repeated key, or NULL. */
const char *vm_record_nth(const struct vm_record *r, const char *key, size_t index);
/* Is that one of the values of a repeated key?  value NULL: no. */
bool vm_record_has(const struct vm_record *r, const char *key, const char *value);
/* Number of that key, or fallback if it is absent or no number; bool: "yes" and "no". */
uint64_t vm_record_u64(const struct vm_record *r, const char *key, uint64_t fallback);
int64_t vm_record_i64(const struct vm_record *r, const char *key, int64_t fallback);
bool vm_record_bool(const struct vm_record *r, const char *key, bool fallback);
/* Replaces all values of key; value NULL removes it. */
void vm_record_set(struct vm_record *r, const char *key, const char *value);
void vm_record_setf(struct vm_record *r, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Adds one more value of key. */
void vm_record_add(struct vm_record *r, const char *key, const char *value);
/* Removes this one pair of key and value, if there. */
void vm_record_del(struct vm_record *r, const char *key, const char *value);
int vm_record_parse(struct vm_record *ret, const char *text, size_t len, const char *format,
		    unsigned version, struct vm_err *err);
/* Reads dirfd/name; VM_NOT_FOUND when absent. */
int vm_record_read(struct vm_record *ret, int dirfd, const char *name, const char *format,
		   unsigned version, struct vm_err *err);
/* Writes it whole (0644: its directory says who may look) and durable (vm_file_write()). */
int vm_record_write(const struct vm_record *r, int dirfd, const char *name, const char *format,
		    unsigned version, struct vm_err *err);
/* As vm_record_write() without fsync, for /run (vm_file_write_volatile()). */
int vm_record_write_volatile(const struct vm_record *r, int dirfd, const char *name,
			     const char *format, unsigned version, struct vm_err *err);
/* Adds the text that vm_record_write() writes. */
void vm_record_format(const struct vm_record *r, const char *format, unsigned version,
		      struct vm_strbuf *b);
/* Undoes vm_strbuf_escape(); -1 on a raw control byte or any other escape.  *ret is owned by the caller. */
int vm_record_unescape(const char *text, size_t len, char **ret);
