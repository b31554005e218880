/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The proof behind an edit: the tree of the result is the tree of the source with exactly the
 * edits. */
#include <string.h>

#include <vm/alloc.h>

#include "edit_internal.h"

static bool same_attr(const struct xml_attr *a, const struct vm_xml *y, const struct xml_node *n)
{
	for (uint32_t i = n->attr; i < n->attr + n->n_attrs; i++)
		if (strcmp(y->attrs[i].name, a->name) == 0 && strcmp(y->attrs[i].ns, a->ns) == 0)
			return strcmp(y->attrs[i].value, a->value) == 0;
	return false;
}

static bool same_name(const struct xml_node *a, const struct xml_node *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->ns, b->ns) == 0;
}

/* An inserted element is in the result as it was given. */
static bool same_tree(const struct vm_xml *x, vm_node a, const struct vm_xml *y, vm_node b)
{
	const struct xml_node *m = &x->nodes[a], *n = &y->nodes[b];
	vm_node c = m->first, d = n->first;

	if (!same_name(m, n) || m->n_attrs != n->n_attrs || strcmp(m->content, n->content) != 0)
		return false;
	for (uint32_t i = m->attr; i < m->attr + m->n_attrs; i++)
		if (!same_attr(&x->attrs[i], y, n))
			return false;
	while (c != VM_NODE_NONE && d != VM_NODE_NONE) {
		if (!same_tree(x, c, y, d))
			return false;
		c = x->nodes[c].next;
		d = y->nodes[d].next;
	}
	return c == d;
}

static bool attrs_proved(const struct vm_xml_edit *e, vm_node a, const struct vm_xml *now,
			 const struct xml_node *n)
{
	const struct xml_node *m = &e->x->nodes[a];
	uint32_t expected = m->n_attrs;

	for (uint32_t i = m->attr; i < m->attr + m->n_attrs; i++) {
		const struct xml_attr *attr = &e->x->attrs[i];

		if (attr->ns[0] == '\0' && xml_edit_find(e, OP_ATTR_REMOVE, a, attr->name) != NULL)
			expected--;
		else if (!(attr->ns[0] == '\0' &&
			   xml_edit_find(e, OP_ATTR, a, attr->name) != NULL) &&
			 !same_attr(attr, now, n))
			return false;
	}
	for (size_t i = 0; i < e->n; i++) {
		struct xml_attr want = {.name = e->ops[i].name, .ns = "", .value = e->ops[i].value};

		if (e->ops[i].kind != OP_ATTR || e->ops[i].node != a)
			continue;
		if (!same_attr(&want, now, n))
			return false;
		expected += vm_xml_attr(e->x, a, want.name) == NULL;
	}
	return expected == n->n_attrs;
}

/* Elements put into or taken out of text may change its white space, and nothing else. */
static bool same_words(const char *a, const char *b)
{
	for (;; a++, b++) {
		while (xml_is_space(*a))
			a++;
		while (xml_is_space(*b))
			b++;
		if (*a != *b)
			return false;
		if (*a == '\0')
			return true;
	}
}

static bool content_proved(const struct vm_xml_edit *e, vm_node a, const struct xml_node *n)
{
	const struct op *op = xml_edit_find(e, OP_CONTENT, a, NULL);
	const char *want = op != NULL ? op->value : e->x->nodes[a].content;

	if (op != NULL) {
		size_t len = strlen(want);

		while (len > 0 && xml_is_space(*want)) {
			want++;
			len--;
		}
		while (len > 0 && xml_is_space(want[len - 1]))
			len--;
		return strlen(n->content) == len && memcmp(n->content, want, len) == 0;
	}
	return strcmp(n->content, want) == 0 ||
	       ((e->x->nodes[a].first != VM_NODE_NONE || n->first != VM_NODE_NONE) &&
		same_words(n->content, want));
}

/* Takes the insertions of one place off the front of the result's children. */
static bool inserted(const struct vm_xml_edit *e, vm_node parent, vm_node after,
		     const struct vm_xml *now, vm_node *b)
{
	for (size_t i = 0; i < e->n; i++) {
		const struct op *op = &e->ops[i];

		if (op->kind != OP_INSERT || op->node != parent || op->after != after)
			continue;
		if (*b == VM_NODE_NONE || !same_tree(op->fragment, 0, now, *b))
			return false;
		*b = now->nodes[*b].next;
	}
	return true;
}

static bool node_proved(const struct vm_xml_edit *e, vm_node a, const struct vm_xml *now, vm_node b)
{
	const struct xml_node *m = &e->x->nodes[a], *n = &now->nodes[b];
	vm_node d = n->first;

	if (!same_name(m, n) || !attrs_proved(e, a, now, n) || !content_proved(e, a, n))
		return false;
	if (!inserted(e, a, m->first == VM_NODE_NONE ? VM_NODE_NONE : VM_NODE_FIRST, now, &d))
		return false;
	for (vm_node c = m->first; c != VM_NODE_NONE; c = e->x->nodes[c].next) {
		if (!e->dead[c]) {
			if (d == VM_NODE_NONE || !node_proved(e, c, now, d))
				return false;
			d = now->nodes[d].next;
		}
		if (!inserted(e, a, c, now, &d))
			return false;
	}
	return d == VM_NODE_NONE;
}

bool xml_edit_proved(const struct vm_xml_edit *e, const struct vm_xml *now)
{
	return node_proved(e, 0, now, 0);
}
