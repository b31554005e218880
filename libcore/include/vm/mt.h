/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Model tables: what a document may say, as rows of data, and one engine that parses, formats, validates,
 * finds unknown parts, fills defaults, compares and frees from them.  Adding an attribute is adding a row.
 *
 * Every object begins with struct mt_obj.  A row says where in the XML a datum is (relative to its element)
 * and where in the object it goes.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vm/err.h>
#include <vm/xml.h>

struct mt_obj {
	uint64_t set;	/* bit per row->set: given in the document, or assigned since */
	uint64_t ours;	/* of these: assigned by us, not in the document (to be spliced) */
	vm_node node;	/* where it was read from; VM_NODE_NONE = made by us */
};

#define MT_MAX_ITEMS 4096u /* of one list: more is no guest, and rules across a list may be quadratic */

enum mt_kind {
	MT_STR,	   /* char *, owned, NULL if absent */
	MT_ENUM,   /* int; arg = const char *const[] of words, NULL-terminated; index 0 should be "absent" ("");
		    * an entry "" matches nothing; "!spice" matches "spice" and refuses it as VM_UNSUPPORTED
		    * "... is not supported yet" (formatted without the '!', if code sets it) */
	MT_BOOL,   /* bool; arg = const struct mt_bool (yes/no, on/off); a child element alone ("acpi") with
		    * MT_PRESENT */
	MT_U64,	   /* uint64_t; arg = const struct mt_range or NULL */
	MT_I64,	   /* int64_t; as MT_U64, min and max of the range are read as int64_t */
	MT_SIZE,   /* uint64_t bytes; "#text" with @unit beside it (default unit in range->unit) */
	MT_UUID,   /* uint8_t[16] */
	MT_MAC,	   /* uint8_t[6] */
	MT_CPUSET, /* struct mt_cpuset */
	MT_PATH,   /* as MT_STR, must be absolute */
	MT_ONE,	   /* pointer to an object, or NULL; arg = const struct mt_type */
	MT_MANY,   /* struct mt_list of pointers to objects, at most MT_MAX_ITEMS; arg = const struct mt_type */
	MT_CASE,   /* pointer to an object whose type hangs on a discriminator; arg = const struct mt_cases */
	MT_KEEP,   /* char *, owned: XML text of what is kept and not looked into, standing alone (namespace
		    * declarations from above are added). "metadata" keeps that element; "*:*" keeps every
		    * child and accepts every attribute of a foreign namespace (libvirt's own ones, such as
		    * qemu:commandline, are not foreign: they are refused unless a row names them) */
};
enum mt_flags {
	MT_REQUIRED = 1,  /* absent is an error */
	MT_KEY = 2,	  /* identifies the object among its kind (diff, carry-over) */
	MT_ASSIGNED = 4,  /* a fact we may generate (uuid, mac, address): spliced at define, carried over */
	MT_LIVE_ONLY = 8, /* only in live XML: ignored in a definition */
	MT_SECRET = 16,	  /* cut unless --security-info */
	MT_HOT = 32,	  /* may change while running */
	MT_PRESENT = 64,  /* MT_BOOL: the element's presence is the value */
	MT_HEX = 128,	  /* MT_U64: read as 0x.. too, formatted 0x%0<digits>x */
};

struct mt_bool {
	const char *yes, *no;
};
extern const struct mt_bool mt_yes_no, mt_on_off;
struct mt_range {
	uint64_t min, max;
	unsigned digits;  /* MT_HEX: width */
	const char *unit; /* MT_SIZE: default unit, "KiB"; NULL = bytes */
};
struct mt_cpuset {
	uint64_t *bits; /* owned */
	uint32_t nbits;
};
/* "0-3,^2,8": numbers and ranges, ^ takes one out again; spaces are as good as none.  False: no set, or
 * an empty one; else *ret, which must be initialised, is replaced. */
bool mt_cpuset_parse(const char *text, struct mt_cpuset *ret);
/* "0-1,3,8"; owned. */
char *mt_cpuset_text(const struct mt_cpuset *set);
struct mt_list {
	void **v; /* owned pointers to owned objects */
	uint32_t n;
};

/*
 * Paths are relative to the object's element: "@bus", "target/@dev", "#text", "source", "memory/#text",
 * "devices/disk"; "qemu:x" and "vm:x" name an element of those namespaces.  Several rows may go through or
 * end at one element ("source/@index" beside an MT_CASE "source"); only MT_MANY may repeat.  MT_CASE alone
 * knows ".": the case's rows are more rows of the object's own element (<graphics type='vnc' port='1'>).
 * Elements are formatted in the order of rows.  Types may be recursive (<backingStore>): mt_walk() enters a
 * type once per path.
 */
struct mt_row {
	const char *xml;
	uint16_t off, set; /* offsetof the datum; bit number in mt_obj.set. MT_ONE, MT_CASE: the bit says
			    * that the element is there (code that makes one calls mt_assigned()) */
	uint8_t kind;
	uint16_t flags;
	const void *arg;
	uint64_t def; /* value when absent: numbers, enum index, bool; (uintptr_t)"text" for strings */
};
struct mt_ctx;
struct mt_type {
	const char *elem; /* element name, for messages and formatting */
	size_t size;
	const struct mt_row *rows;
	uint16_t n;
	/* Cross-field rules only; errors by mt_error(). May be NULL. */
	int (*check)(const void *obj, const struct mt_ctx *ctx, struct vm_err *err);
};
/*
 * The discriminator is an int of the object that *holds* the row (tag_off: its MT_ENUM is parsed first,
 * wherever it stands in the table); by[] is indexed by it; a NULL entry means "nothing more may be said".
 * With tag_xml set ("@type") the discriminator is an attribute of the child element itself instead, is
 * stored at tag_off of the holder, and words names its values.  An int of -1 or beyond n has no case.
 */
struct mt_cases {
	const char *tag; /* "type": for "only with type='network'" */
	uint16_t tag_off;
	uint8_t n;
	const struct mt_type *const *by;
	const char *tag_xml;
	const char *const *words;
};
/* Document being checked: for positions in messages, and the whole for rules across objects. */
struct mt_ctx {
	const struct vm_xml *doc;
	const void *root;
	bool live; /* MT_LIVE_ONLY rows are read */
};

/* Convenience for tables: ROW(struct disk, "@bus", bus, 3, MT_ENUM, ...) */
#define MT_ROW(type, xml_, member, set_, kind_, ...)                                               \
	{                                                                                          \
		.xml = (xml_), .off = offsetof(type, member), .set = (set_), .kind = (kind_),      \
		__VA_ARGS__                                                                        \
	}

/*
 * Parses the element into a new object.  Discriminators first; each visited node and attribute is marked;
 * what stays unmarked is refused: VM_UNSUPPORTED "FILE:LINE:COL: <x> ... is not supported yet" for a name,
 * VM_BAD_INPUT for a bad value; a name another case owns reads "only with type='network'".
 */
int mt_parse(const struct mt_type *type, const struct vm_xml *doc, vm_node node, bool live,
	     void **ret, struct vm_err *err);
/* Runs type->check of the object and of everything below (mt_parse() does it; again after filling). */
int mt_check(const struct mt_type *type, const void *obj, const struct mt_ctx *ctx,
	     struct vm_err *err);
void mt_free(const struct mt_type *type, void *obj);
void *mt_new(const struct mt_type *type); /* zeroed, defaults filled, node = VM_NODE_NONE */
/* Appends; the list owns obj. */
void mt_list_add(struct mt_list *list, void *obj);
void mt_list_remove(struct mt_list *list, uint32_t index);

static inline bool mt_is_set(const struct mt_obj *o, unsigned bit)
{
	return (o->set >> bit & 1) != 0;
}
/* Marks a datum as assigned by us: it will be spliced into the document. */
static inline void mt_assigned(struct mt_obj *o, unsigned bit)
{
	o->set |= UINT64_C(1) << bit;
	o->ours |= UINT64_C(1) << bit;
}
/* "FILE:LINE:COL: ..." at the place a row's datum was read (or its object's element); returns -1. */
int mt_error(const struct mt_ctx *ctx, const void *obj, const char *xml, enum vm_kind kind,
	     struct vm_err *err, const char *fmt, ...) __attribute__((format(printf, 6, 7)));

struct vm_strbuf;
enum mt_format_flags {
	MT_FORMAT_SECRETS = 1, /* MT_SECRET data too (--security-info) */
};
/* Formats the object as XML text: what is set, two spaces per level, starting at `indent` levels, a newline
 * at its end. */
void mt_format(const struct mt_type *type, const void *obj, unsigned indent, unsigned flags,
	       struct vm_strbuf *out);
/* Collects the edits that bring everything `ours` of the object tree into the document. */
void mt_splice(const struct mt_type *type, const void *obj, const struct vm_xml *doc,
	       struct vm_xml_edit *edit);
/* Collects the edits that cut everything MT_SECRET out of the document (vm-dumpxml). */
void mt_redact(const struct mt_type *type, const void *obj, const struct vm_xml *doc,
	       struct vm_xml_edit *edit);
/* Takes ASSIGNED facts that `obj` lacks from `stored`, matched by each family's KEY (else by order). */
void mt_carry_over(const struct mt_type *type, void *obj, const void *stored);
/* Deep copy; positions are kept if `doc` stays the same document (node), `ours` too. */
void *mt_copy(const struct mt_type *type, const void *obj);
/* Makes an object and all below it ours: without a place in any document, all that is set to be written. */
void mt_detach(const struct mt_type *type, void *obj);
/* Calls fn(path, old, new) for each difference ("devices/disk[vda]/source/@file"); NULL = absent. What is
 * absent and what says its row's default are the same; MT_MANY are matched by KEY, else by order, and a
 * different order reads "devices/disk/#order"; the values of MT_SECRET both read "(secret)". */
typedef void mt_diff_fn(const char *path, const char *old_value, const char *new_value, void *arg);
void mt_diff(const struct mt_type *type, const void *a, const void *b, mt_diff_fn *fn, void *arg);
bool mt_equal(const struct mt_type *type, const void *a, const void *b);
/* Walks all rows reachable from type (manual listing, fuzz dictionary). */
/* Rows of a case are reached as "devices/disk/source(type=file)/@file". */
typedef void mt_walk_fn(const char *path, const struct mt_row *row, void *arg);
void mt_walk(const struct mt_type *type, mt_walk_fn *fn, void *arg);
