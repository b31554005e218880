/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What we assigned, back into the admin's document; and secrets out of it. */
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "mt_tree.h"

struct splicing {
	const struct vm_xml *doc;
	struct vm_xml_edit *edit;
};

/* The last element of the document below n that rows before `row` of the type read, in the rows'
 * order. */
static vm_node place_after(const struct splicing *s, const struct mt_type *type, uint16_t row,
			   vm_node n)
{
	for (uint16_t i = row; i-- > 0;) {
		const char *path = type->rows[i].xml;
		struct mt_step step;
		vm_node found = VM_NODE_NONE;

		if (mt_step_next(&path, &step) != MT_STEP_ELEMENT || step.name[0] == '*' ||
		    mt_case_is_here(&type->rows[i]))
			continue;
		for (vm_node c = mt_step_find(s->doc, n, &step); c != VM_NODE_NONE;
		     c = mt_step_find_next(s->doc, vm_xml_next(s->doc, c), &step))
			found = c;
		if (found != VM_NODE_NONE)
			return found;
	}
	return VM_NODE_FIRST;
}

static vm_node find_child(const struct splicing *s, const struct mt_elem *e, vm_node n)
{
	const char *colon = strchr(e->name, ':');
	struct mt_step step = {
	    .kind = MT_STEP_ELEMENT, .name = colon != NULL ? colon + 1 : e->name, .ns = e->ns};

	return mt_step_find(s->doc, n, &step);
}

/* Brings the tree into element n of the document. */
static void merge(const struct splicing *s, const struct mt_elem *e, vm_node n)
{
	for (unsigned i = 0; i < e->n_attrs; i++)
		vm_xml_edit_attr(s->edit, n, e->attrs[i].name, e->attrs[i].value);
	if (e->text != NULL)
		vm_xml_edit_content(s->edit, n, e->text);
	for (const struct mt_elem *c = e->first; c != NULL; c = c->next) {
		struct vm_strbuf b = VM_STRBUF_INIT;
		vm_node child = VM_NODE_NONE, after = c->after;

		if (!c->item)
			child = find_child(s, c, n);
		if (child != VM_NODE_NONE) {
			merge(s, c, child);
			continue;
		}
		if (after == VM_NODE_NONE && c->type != NULL)
			after = place_after(s, c->type, c->row, n);
		mt_elem_print(c, 0, "", &b);
		vm_xml_edit_insert(s->edit, n, after, b.text);
		vm_strbuf_free(&b);
	}
}

static void splice(const struct splicing *s, const struct mt_type *type, const struct mt_obj *obj)
{
	struct mt_elem *e;

	for (uint16_t i = 0; i < type->n; i++) {
		const struct mt_row *row = &type->rows[i];
		const void *datum = mt_datum(obj, row);
		const struct mt_list *list = datum;
		const struct mt_type *sub = mt_row_type(row, obj);
		const struct mt_obj *child;

		if (row->kind == MT_MANY) {
			for (uint32_t k = 0; k < list->n; k++) {
				child = list->v[k];
				if (child->node != VM_NODE_NONE)
					splice(s, sub, child);
			}
		} else if (sub != NULL && !mt_case_is_here(row)) {
			child = *(void *const *)datum;
			if (child != NULL && child->node != VM_NODE_NONE)
				splice(s, sub, child);
		}
	}
	e = mt_elem_new(type->elem, strlen(type->elem), "");
	mt_tree_fill(type, obj, MT_TREE_OURS, MT_FORMAT_SECRETS, e);
	merge(s, e, obj->node);
	mt_elem_free(e);
}

void mt_splice(const struct mt_type *type, const void *obj, const struct vm_xml *doc,
	       struct vm_xml_edit *edit)
{
	const struct splicing s = {doc, edit};

	splice(&s, type, obj);
}

static void redact_row(const struct mt_row *row, const struct mt_obj *obj, const struct vm_xml *doc,
		       struct vm_xml_edit *edit)
{
	const char *path = row->xml;
	vm_node n = obj->node;
	struct mt_step step;

	while (mt_step_next(&path, &step) == MT_STEP_ELEMENT) {
		n = mt_step_find(doc, n, &step);
		if (n == VM_NODE_NONE)
			return;
		if (step.last)
			break;
	}
	if (step.kind == MT_STEP_ATTR)
		vm_xml_edit_attr_remove(edit, n, step.name);
	else if (step.kind == MT_STEP_TEXT)
		vm_xml_edit_content(edit, n, "");
	else if (n != obj->node)
		vm_xml_edit_remove(edit, n);
}

void mt_redact(const struct mt_type *type, const void *obj, const struct vm_xml *doc,
	       struct vm_xml_edit *edit)
{
	for (uint16_t i = 0; i < type->n; i++) {
		const struct mt_row *row = &type->rows[i];
		const void *datum = mt_datum(obj, row);
		const struct mt_list *list = datum;
		const struct mt_type *sub = mt_row_type(row, obj);
		const struct mt_obj *child;

		if (row->flags & MT_SECRET) {
			redact_row(row, obj, doc, edit);
		} else if (row->kind == MT_MANY) {
			for (uint32_t k = 0; k < list->n; k++) {
				child = list->v[k];
				if (child->node != VM_NODE_NONE)
					mt_redact(sub, child, doc, edit);
			}
		} else if (sub != NULL) {
			child = *(void *const *)datum;
			if (child != NULL && child->node != VM_NODE_NONE)
				mt_redact(sub, child, doc, edit);
		}
	}
}
