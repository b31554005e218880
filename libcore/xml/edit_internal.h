/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Edits: what was asked for, where it goes in the text, and the proof that nothing else changed. */
#include <vm/strbuf.h>

#include "xml_internal.h"

enum op_kind { OP_ATTR, OP_ATTR_REMOVE, OP_CONTENT, OP_INSERT, OP_REMOVE };
struct op {
	enum op_kind kind;
	vm_node node;  /* OP_INSERT: parent */
	vm_node after; /* OP_INSERT: a child, VM_NODE_FIRST (there are children) or VM_NODE_NONE
			  (there are none) */
	char *name, *value;	 /* owned; OP_INSERT: value is the XML */
	struct vm_xml *fragment; /* OP_INSERT: value parsed, owned */
};
struct vm_xml_edit {
	const struct vm_xml *x;
	struct op *ops;
	size_t n, cap;
	bool *dead; /* by node: removed, or below something removed or replaced */
};
struct splice {
	uint32_t at, len; /* bytes replaced */
	char *text;	  /* owned */
	size_t order;
};
struct splices {
	struct splice *v;
	size_t n, cap;
};

/* First op of this kind (and name, unless NULL) on the node, or NULL. */
const struct op *xml_edit_find(const struct vm_xml_edit *e, enum op_kind kind, vm_node n,
			       const char *name);
/* Turns the ops into splices; the caller frees them. */
void xml_edit_layout(const struct vm_xml_edit *e, struct splices *ret);
/* Is `now` what the edits make of the source? */
bool xml_edit_proved(const struct vm_xml_edit *e, const struct vm_xml *now);
