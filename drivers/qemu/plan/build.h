/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Building blocks of QEMU's command line: words, key=value lists, JSON objects, tables of
 * properties. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vm/err.h>
#include <vm/strbuf.h>

#include "qemu/argv/argv.h"

void vm_argv_add(struct vm_argv *a, const char *word);
void vm_argv_addf(struct vm_argv *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Option and value. */
void vm_argv_opt(struct vm_argv *a, const char *option, const char *value);
/* Sets a variable of QEMU's environment. */
void vm_argv_env(struct vm_argv *a, const char *name, const char *value);
/* Takes the next number for a descriptor of that role; alias and path are copied and may be NULL.
 */
int vm_argv_fd(struct vm_argv *a, enum vm_fd_role role, const void *object, unsigned index,
	       const char *alias, const char *path);

/* key=value,key=value: commas in values are doubled, as QEMU's option parser wants them. */
void vm_kv_word(struct vm_strbuf *b, const char *word); /* first, or a part without a key */
void vm_kv_str(struct vm_strbuf *b, const char *key, const char *value); /* NULL: nothing */
void vm_kv_u64(struct vm_strbuf *b, const char *key, uint64_t value);
void vm_kv_on(struct vm_strbuf *b, const char *key, bool on);

/* One JSON object, written as it grows; commas are its own matter. */
struct vm_qobj {
	struct vm_strbuf text;
	unsigned depth;
	bool first;
};
#define VM_QOBJ_INIT ((struct vm_qobj){.first = true})
void vm_qobj_free(struct vm_qobj *o);
void vm_qobj_open(struct vm_qobj *o, const char *key); /* nested object; NULL key: in an array */
void vm_qobj_close(struct vm_qobj *o);
void vm_qobj_array(struct vm_qobj *o, const char *key);
void vm_qobj_array_end(struct vm_qobj *o);
void vm_qobj_str(struct vm_qobj *o, const char *key, const char *value); /* NULL: nothing */
void vm_qobj_strf(struct vm_qobj *o, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void vm_qobj_u64(struct vm_qobj *o, const char *key, uint64_t value);
void vm_qobj_i64(struct vm_qobj *o, const char *key, int64_t value);
void vm_qobj_bool(struct vm_qobj *o, const char *key, bool value);
void vm_qobj_null(struct vm_qobj *o, const char *key);
/* Closes the object and adds it as "<option> {...}"; o is empty afterwards. */
void vm_qobj_emit(struct vm_qobj *o, struct vm_argv *a, const char *option);

/*
 * Properties that follow from one datum of an object each: rows of data, one emitter.  A datum that
 * was not given says nothing, so QEMU's own default holds.
 */
enum vm_prop_kind {
	VM_PROP_BOOL,  /* bool -> true, false */
	VM_PROP_ONOFF, /* bool -> "on", "off": OnOffAuto properties */
	VM_PROP_U64,
	VM_PROP_STR,
	VM_PROP_ENUM,	    /* int: the model's word; arg = const char *const[] */
	VM_PROP_ENUM_ONOFF, /* int: words on/off -> true, false */
};
struct vm_prop {
	const char *name; /* QEMU's */
	uint16_t off,
	    set; /* datum, and the bit that says it was given (VM_PROP_ALWAYS: not asked) */
	uint8_t kind;
	const void *arg;
};
#define VM_PROP_ALWAYS UINT16_MAX
void vm_qobj_props(struct vm_qobj *o, const struct vm_prop *props, size_t n, const void *obj);
