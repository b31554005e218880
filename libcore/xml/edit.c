/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Collecting edits. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>

#include "edit_internal.h"

struct vm_xml_edit *vm_xml_edit_new(const struct vm_xml *x)
{
	struct vm_xml_edit *e = vm_xcalloc(1, sizeof(*e));

	e->x = x;
	return e;
}

void vm_xml_edit_free(struct vm_xml_edit *e)
{
	if (e == NULL)
		return;
	for (size_t i = 0; i < e->n; i++) {
		free(e->ops[i].name);
		free(e->ops[i].value);
		vm_xml_free(e->ops[i].fragment);
	}
	free(e->ops);
	free(e->dead);
	free(e);
}

void vm_xml_edit_freep(struct vm_xml_edit **e)
{
	vm_xml_edit_free(*e);
	*e = NULL;
}

const struct op *xml_edit_find(const struct vm_xml_edit *e, enum op_kind kind, vm_node n,
			       const char *name)
{
	for (size_t i = 0; i < e->n; i++)
		if (e->ops[i].kind == kind && e->ops[i].node == n &&
		    (name == NULL || strcmp(e->ops[i].name, name) == 0))
			return &e->ops[i];
	return NULL;
}

static struct op *add(struct vm_xml_edit *e, enum op_kind kind, vm_node n)
{
	assert(n < e->x->n_nodes);
	if (e->n == e->cap) {
		e->cap = e->cap ? e->cap * 2 : 16;
		e->ops = vm_xreallocarray(e->ops, e->cap, sizeof(*e->ops));
	}
	e->ops[e->n] = (struct op){.kind = kind, .node = n, .after = VM_NODE_NONE};
	return &e->ops[e->n++];
}

/* The last word on an attribute or on a content counts. */
static void forget(struct vm_xml_edit *e, enum op_kind kind, vm_node n, const char *name)
{
	struct op *op = (struct op *)(uintptr_t)xml_edit_find(e, kind, n, name);

	if (op == NULL)
		return;
	free(op->name);
	free(op->value);
	e->n--;
	memmove(op, op + 1, (size_t)(&e->ops[e->n] - op) * sizeof(*op));
}

void vm_xml_edit_attr(struct vm_xml_edit *e, vm_node n, const char *name, const char *value)
{
	struct op *op;

	forget(e, OP_ATTR, n, name);
	forget(e, OP_ATTR_REMOVE, n, name);
	op = add(e, OP_ATTR, n);
	op->name = vm_xstrdup(name);
	op->value = vm_xstrdup(value);
}

void vm_xml_edit_attr_remove(struct vm_xml_edit *e, vm_node n, const char *name)
{
	forget(e, OP_ATTR, n, name);
	forget(e, OP_ATTR_REMOVE, n, name);
	if (vm_xml_attr(e->x, n, name) != NULL)
		add(e, OP_ATTR_REMOVE, n)->name = vm_xstrdup(name);
}

void vm_xml_edit_content(struct vm_xml_edit *e, vm_node n, const char *text)
{
	forget(e, OP_CONTENT, n, NULL);
	add(e, OP_CONTENT, n)->value = vm_xstrdup(text);
}

void vm_xml_edit_insert(struct vm_xml_edit *e, vm_node parent, vm_node after, const char *xml)
{
	const struct xml_node *p = &e->x->nodes[parent];
	struct op *op = add(e, OP_INSERT, parent);

	assert(after == VM_NODE_NONE || after == VM_NODE_FIRST ||
	       (after < e->x->n_nodes && e->x->nodes[after].parent == parent));
	if (p->first == VM_NODE_NONE)
		after = VM_NODE_NONE;
	else if (after == VM_NODE_NONE)
		after = p->last;
	op->after = after;
	op->value = vm_xstrdup(xml);
}

void vm_xml_edit_remove(struct vm_xml_edit *e, vm_node n)
{
	assert(n != 0);
	if (xml_edit_find(e, OP_REMOVE, n, NULL) == NULL)
		add(e, OP_REMOVE, n);
}

bool vm_xml_edit_empty(const struct vm_xml_edit *e)
{
	return e->n == 0;
}
