/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * XML as the admin wrote it: one pass of expat over the text builds a flat table of nodes with byte ranges;
 * edits are splices on that text, parsed again and compared before anyone sees them.
 *
 * Hostile input: no network, no DTD, no external entity; caps on size, depth, nodes and attributes, each a
 * VM_BAD_INPUT "FILE:LINE:COL: what".  Nothing of expat shows here.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vm/err.h>

#define VM_XML_MAX_BYTES (16u << 20)
#define VM_XML_MAX_DEPTH 64u
#define VM_XML_MAX_NODES 200000u
#define VM_XML_MAX_ATTRS 256u /* of one element */
#define VM_XML_MAX_ALL_ATTRS 500000u

typedef uint32_t vm_node; /* index of an element; VM_NODE_NONE = none; the root is 0 */
#define VM_NODE_NONE UINT32_MAX
#define VM_NODE_FIRST (UINT32_MAX - 1) /* vm_xml_edit_insert(): before the first child */

struct vm_range {
	uint32_t at, len; /* bytes of the text */
};
struct vm_xml; /* opaque; owns text and tables */

/* Takes UTF-8 (other declared encodings are converted: vm_xml_converted()).  `file` names it in errors. */
int vm_xml_parse(const char *text, size_t len, const char *file, struct vm_xml **ret,
		 struct vm_err *err);
/* File name, or "-" for stdin; capped. */
int vm_xml_load(const char *path, struct vm_xml **ret, struct vm_err *err);
int vm_xml_load_at(int dirfd, const char *name, struct vm_xml **ret, struct vm_err *err);
void vm_xml_free(struct vm_xml *x);
void vm_xml_freep(struct vm_xml **x); /* for VM_AUTO */

const char *vm_xml_text(const struct vm_xml *x, size_t *ret_len); /* borrowed */
const char *vm_xml_file(const struct vm_xml *x);
/* What we put together ourselves: errors name no place in it, since nobody could look there. */
void vm_xml_unname(struct vm_xml *x);
/* Encoding the document was converted from, or NULL. */
const char *vm_xml_converted(const struct vm_xml *x);

/* Walking; names are local names, `ns` the namespace URI ("" = none). All strings are borrowed. */
const char *vm_xml_name(const struct vm_xml *x, vm_node n);
const char *vm_xml_ns(const struct vm_xml *x, vm_node n);
vm_node vm_xml_parent(const struct vm_xml *x, vm_node n);
vm_node vm_xml_first(const struct vm_xml *x, vm_node n);
vm_node vm_xml_next(const struct vm_xml *x, vm_node n); /* sibling */
/* First child of that name without namespace. */
vm_node vm_xml_child(const struct vm_xml *x, vm_node n, const char *name);
/* Attribute without namespace, entities resolved; NULL = absent. */
const char *vm_xml_attr(const struct vm_xml *x, vm_node n, const char *name);
unsigned vm_xml_attr_count(const struct vm_xml *x, vm_node n);
const char *vm_xml_attr_name(const struct vm_xml *x, vm_node n, unsigned i);
const char *vm_xml_attr_ns(const struct vm_xml *x, vm_node n, unsigned i);
const char *vm_xml_attr_value(const struct vm_xml *x, vm_node n, unsigned i);
/* Sizes and document-wide number of an attribute, for callers that keep a mark for each. */
uint32_t vm_xml_node_count(const struct vm_xml *x);
uint32_t vm_xml_attr_total(const struct vm_xml *x);
uint32_t vm_xml_attr_number(const struct vm_xml *x, vm_node n, unsigned i);
/* Own character data, entities resolved, trimmed of surrounding white space; "" if none. */
const char *vm_xml_content(const struct vm_xml *x, vm_node n);

/* The element's text so that it stands alone: namespace declarations it needs from above are added. Owned. */
char *vm_xml_element_text(const struct vm_xml *x, vm_node n);

/* Ranges in the text: whole element, its start tag, its content, one attribute's value without quotes. */
struct vm_range vm_xml_element_range(const struct vm_xml *x, vm_node n);
struct vm_range vm_xml_content_range(const struct vm_xml *x, vm_node n);
struct vm_range vm_xml_attr_range(const struct vm_xml *x, vm_node n, unsigned i);
/* 1-based line and column (columns count characters) of an element or of its attribute i (-1: element). */
void vm_xml_position(const struct vm_xml *x, vm_node n, int attr, unsigned *ret_line,
		     unsigned *ret_column);
/* VM_BAD_INPUT "FILE:LINE:COL: <fmt>" (kind as given); returns -1. attr -1 = the element. */
int vm_xml_error(const struct vm_xml *x, vm_node n, int attr, enum vm_kind kind,
		 struct vm_err *err, const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* Edits are collected and applied together; positions always refer to the unedited text. */
struct vm_xml_edit; /* opaque */
struct vm_xml_edit *vm_xml_edit_new(const struct vm_xml *x);
void vm_xml_edit_free(struct vm_xml_edit *e);
void vm_xml_edit_freep(struct vm_xml_edit **e); /* for VM_AUTO */
/* Adds or replaces an attribute (value is plain text and is escaped). */
void vm_xml_edit_attr(struct vm_xml_edit *e, vm_node n, const char *name, const char *value);
void vm_xml_edit_attr_remove(struct vm_xml_edit *e, vm_node n, const char *name);
/* Replaces the content by plain text (escaped). */
void vm_xml_edit_content(struct vm_xml_edit *e, vm_node n, const char *text);
/* Inserts an element given as XML text (it must stand alone), on a line of its own, indented as its neighbours:
 * right after sibling `after` (VM_NODE_NONE: as last child, VM_NODE_FIRST: as first child of parent).  Several
 * at one place keep the order of the calls.  Turns <x/> into <x>..</x>. */
void vm_xml_edit_insert(struct vm_xml_edit *e, vm_node parent, vm_node after, const char *xml);
/* Removes an element with its line if nothing else is on it. */
void vm_xml_edit_remove(struct vm_xml_edit *e, vm_node n);
/*
 * Edits by XPath 1.0, from the root element or absolute.  set: "PATH=VALUE" sets every attribute or element text
 * that PATH names; where it names none, the steps at its end that are plain names are made.  unset removes
 * attributes and elements.  VM_USAGE: not an XPath; VM_NOT_FOUND: it names nothing.
 */
int vm_xml_edit_set(struct vm_xml_edit *e, const char *assignment, struct vm_err *err);
int vm_xml_edit_unset(struct vm_xml_edit *e, const char *path, struct vm_err *err);
bool vm_xml_edit_empty(const struct vm_xml_edit *e);
/* Applies them, parses the result, checks that nothing but the edits changed; *ret is a new document. */
int vm_xml_edit_apply(struct vm_xml_edit *e, struct vm_xml **ret, struct vm_err *err);
