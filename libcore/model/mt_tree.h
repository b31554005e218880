/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Elements to be written: what rows put at shared paths comes together in one element. */
#include <vm/strbuf.h>

#include "mt_internal.h"

struct mt_attr {
	char *name, *value;
};
struct mt_elem {
	char *name;	/* with prefix */
	const char *ns; /* URI, "" = none */
	struct mt_attr *attrs;
	unsigned n_attrs;
	char *text; /* NULL = none */
	char *raw;  /* kept XML instead of an element */
	bool item;  /* of a list: never shared with another row */
	vm_node
	    after; /* item: the list's last element that the document has, VM_NODE_NONE = none */
	/* The row that made it and the row's type; NULL below intermediate elements, where no row
	 * tells the order. */
	const struct mt_type *type;
	uint16_t row;
	struct mt_elem *first, *last, *next;
};
/* What goes into a tree. */
enum mt_tree_mode {
	MT_TREE_SET,  /* all that is set */
	MT_TREE_OURS, /* only what is `ours`, or in objects that have no node yet */
};
struct mt_elem *mt_elem_new(const char *name, size_t len, const char *ns);
void mt_elem_free(struct mt_elem *e);
void mt_tree_fill(const struct mt_type *type, const void *obj, enum mt_tree_mode mode,
		  unsigned flags, struct mt_elem *to);
/* ns: the namespace of the element around it. */
void mt_elem_print(const struct mt_elem *e, unsigned indent, const char *ns, struct vm_strbuf *out);
