/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Output: one call per datum gives text or JSON, so the two cannot drift; vm-json(7).
 *
 * A program opens one object with vm_out_open(), adds data, arrays of rows and nested objects, and closes
 * it with vm_out_close(), which flushes and reports a failed write (VM_SYSTEM; EPIPE kills by SIGPIPE).
 *
 * Plain forms:
 *   VM_OUT_TABLE  rows of the array are lines; only the columns listed are printed, in that order,
 *                 TAB-separated in a pipe, padded under a header on a terminal (or with ->table);
 *   VM_OUT_KEYS   top-level data are lines "key TAB value"; rows of arrays are lines as in a table;
 *   VM_OUT_QUIET  plain prints nothing but vm_out_text() and vm_out_raw().
 * Unknown data (NULL, vm_out_null()) are "-" and null.  Text is escaped in both.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <vm/err.h>

enum vm_out_form { VM_OUT_TABLE, VM_OUT_KEYS, VM_OUT_QUIET };

struct vm_out_column {
	const char *key;    /* JSON key of the datum */
	const char *header; /* "ID"; on a terminal; NULL in the first column: bare, never a header */
};
struct vm_out; /* opaque */
struct vm_words;

/* schema: "vm-list/1".  json and table come from the command line.  fp is stdout in programs. */
struct vm_out *vm_out_open(FILE *fp, enum vm_out_form form, const char *schema, bool json,
			   bool table);
/* VM_OUT_KEYS: print only these keys' values, bare, in the order asked (vm-info --get=KEY,...); JSON is
 * not affected.  keys: comma-separated.  The check that all were met is vm_out_close()'s (VM_USAGE). */
void vm_out_only(struct vm_out *o, const char *keys);
/* This key may come any number of times, each value a line, or never; in JSON it may be an array of another name. */
void vm_out_repeats(struct vm_out *o, const char *key);

/* Data; key may be NULL inside a list of scalars (vm_out_list()). */
void vm_out_str(struct vm_out *o, const char *key, const char *value);
void vm_out_u64(struct vm_out *o, const char *key, uint64_t value);
void vm_out_i64(struct vm_out *o, const char *key, int64_t value);
void vm_out_bool(struct vm_out *o, const char *key, bool value); /* plain: yes, no */
void vm_out_null(struct vm_out *o, const char *key);
/* Plain and JSON differ in form only: plain "4194304KiB", JSON 4294967296. */
void vm_out_u64_as(struct vm_out *o, const char *key, uint64_t value, const char *plain);
/* Text that is JSON already (a QMP reply); plain prints it as it is, behind "key TAB" in VM_OUT_KEYS. */
void vm_out_raw(struct vm_out *o, const char *key, const char *json);

/* An array of rows with their plain columns (NULL, 0: JSON only). */
void vm_out_array(struct vm_out *o, const char *key, const struct vm_out_column *columns, size_t n);
void vm_out_row(struct vm_out *o);
void vm_out_row_end(struct vm_out *o);
void vm_out_array_end(struct vm_out *o);
/* A list of scalars; plain: joined by commas ("-" if empty). */
void vm_out_list(struct vm_out *o, const char *key);
void vm_out_list_end(struct vm_out *o);
/* JSON that is closed from now on has these, a list "steps": what a dry run would have done.  Borrowed; NULL = no more. */
void vm_out_steps(const struct vm_words *steps);
/* A nested object; plain: its data are "key.sub". */
void vm_out_object(struct vm_out *o, const char *key);
void vm_out_object_end(struct vm_out *o);
/* A line for people (its newline is added), control bytes escaped; nothing in JSON or behind
 * vm_out_only(). */
void vm_out_text(struct vm_out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Writes out, frees; o is gone afterwards also on failure. NULL is accepted. */
int vm_out_close(struct vm_out *o, struct vm_err *err);
/* Throws away what was not written yet (an error is reported instead). */
void vm_out_drop(struct vm_out *o);
/* JSON lines (vm-events): ends this object with a newline and begins the next. */
void vm_out_next(struct vm_out *o);
/* Has a write failed already (so that --follow can end)? vm_out_close() says why. */
bool vm_out_failed(const struct vm_out *o);
/* Writes what a program gave to stdio; a reader that has gone kills us by SIGPIPE, silently; any other failure
 * is VM_SYSTEM. */
int vm_out_flush(FILE *fp, struct vm_err *err);
