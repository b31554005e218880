/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From objects to XML text. */
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/xml.h>

#include "mt_tree.h"

struct mt_elem *mt_elem_new(const char *name, size_t len, const char *ns)
{
	struct mt_elem *e = vm_xcalloc(1, sizeof(*e));

	e->name = vm_xstrndup(name, len);
	e->ns = ns;
	e->after = VM_NODE_NONE;
	return e;
}

void mt_elem_free(struct mt_elem *e)
{
	struct mt_elem *next;

	if (e == NULL)
		return;
	for (struct mt_elem *c = e->first; c != NULL; c = next) {
		next = c->next;
		mt_elem_free(c);
	}
	for (unsigned i = 0; i < e->n_attrs; i++) {
		free(e->attrs[i].name);
		free(e->attrs[i].value);
	}
	free(e->attrs);
	free(e->name);
	free(e->text);
	free(e->raw);
	free(e);
}

static struct mt_elem *append(struct mt_elem *to, struct mt_elem *e)
{
	if (to->last != NULL)
		to->last->next = e;
	else
		to->first = e;
	to->last = e;
	return e;
}

static void set_attr(struct mt_elem *e, const char *name, const char *value)
{
	for (unsigned i = 0; i < e->n_attrs; i++)
		if (strcmp(e->attrs[i].name, name) == 0)
			return;
	e->attrs = vm_xreallocarray(e->attrs, e->n_attrs + 1, sizeof(*e->attrs));
	e->attrs[e->n_attrs].name = vm_xstrdup(name);
	e->attrs[e->n_attrs++].value = vm_xstrdup(value);
}

/* The element where the row's path ends (items: a new one), and its last step. */
static struct mt_elem *place(struct mt_elem *e, const struct mt_type *type, uint16_t index,
			     struct mt_step *last)
{
	const struct mt_row *row = &type->rows[index];
	const char *path = row->xml, *from = path;

	while (mt_step_next(&path, last) == MT_STEP_ELEMENT) {
		size_t len = strcspn(from, "/");
		bool item = row->kind == MT_MANY && last->last;
		struct mt_elem *c = item ? NULL : e->first;

		for (; c != NULL; c = c->next)
			if (!c->item && c->raw == NULL && strlen(c->name) == len &&
			    memcmp(c->name, from, len) == 0)
				break;
		if (c == NULL) {
			c = append(e, mt_elem_new(from, len, last->ns));
			c->type = from == row->xml ? type : NULL;
			c->row = index;
			c->item = item;
		}
		e = c;
		from = path;
		if (last->last)
			break;
	}
	return e;
}

static void fill_scalar(const struct mt_type *type, uint16_t index, const void *obj,
			struct mt_elem *to)
{
	const struct mt_row *row = &type->rows[index];
	VM_AUTO_FREE char *text = NULL;
	const char *unit;
	struct mt_step last;
	struct mt_elem *e;

	if ((row->flags & MT_PRESENT) && !*(const bool *)mt_datum(obj, row))
		return;
	e = place(to, type, index, &last);
	if (row->flags & MT_PRESENT)
		return;
	text = mt_value_format(row, mt_datum(obj, row), &unit);
	if (unit != NULL)
		set_attr(e, "unit", unit);
	if (last.kind == MT_STEP_ATTR) {
		set_attr(e, last.name, text);
	} else {
		free(e->text);
		e->text = vm_take_ptr(&text);
	}
}

static bool is_new(const void *obj)
{
	return ((const struct mt_obj *)obj)->node == VM_NODE_NONE;
}

static void fill_many(const struct mt_type *type, uint16_t index, const void *obj,
		      enum mt_tree_mode mode, unsigned flags, struct mt_elem *to)
{
	const struct mt_row *row = &type->rows[index];
	const struct mt_list *list = mt_datum(obj, row);
	vm_node after = VM_NODE_NONE;
	struct mt_step last;
	struct mt_elem *e;

	for (uint32_t i = 0; i < list->n; i++) {
		const struct mt_obj *item = list->v[i];

		if (mode == MT_TREE_OURS && !is_new(item)) {
			after = item->node;
			continue;
		}
		e = place(to, type, index, &last);
		e->after = after;
		mt_tree_fill(row->arg, item, MT_TREE_SET, flags, e);
	}
}

static void fill_object(const struct mt_type *type, uint16_t index, const void *obj,
			enum mt_tree_mode mode, unsigned flags, struct mt_elem *to)
{
	const struct mt_row *row = &type->rows[index];
	const void *child = *(void *const *)mt_datum(obj, row);
	const struct mt_cases *cases = row->kind == MT_CASE ? row->arg : NULL;
	const struct mt_type *sub = mt_row_type(row, obj);
	bool here = mt_case_is_here(row);
	struct mt_step step;
	struct mt_elem *e = to;

	if (mode == MT_TREE_OURS) {
		bool given = child != NULL ? !is_new(child)
					   : !(((const struct mt_obj *)obj)->ours & mt_bit(row));

		if (given && !here)
			return; /* spliced at its own element */
		if (!given)
			mode = MT_TREE_SET;
	}
	if (!here)
		e = place(to, type, index, &step);
	if (cases != NULL && cases->tag_xml != NULL) {
		const char *path = cases->tag_xml;
		const char *word = mt_case_word(cases, type, mt_case_tag(cases, obj));

		mt_step_next(&path, &step);
		if (word[0] != '\0')
			set_attr(e, step.name, word);
	}
	if (child != NULL && sub != NULL)
		mt_tree_fill(sub, child, mode, flags, e);
}

void mt_tree_fill(const struct mt_type *type, const void *obj, enum mt_tree_mode mode,
		  unsigned flags, struct mt_elem *to)
{
	for (uint16_t i = 0; i < type->n; i++) {
		const struct mt_row *row = &type->rows[i];
		bool ours = (((const struct mt_obj *)obj)->ours & mt_bit(row)) != 0;
		struct mt_elem *e;

		if (!mt_present(row, obj) ||
		    ((row->flags & MT_SECRET) && !(flags & MT_FORMAT_SECRETS)))
			continue;
		if (row->kind == MT_MANY) {
			fill_many(type, i, obj, mode, flags, to);
		} else if (row->kind == MT_ONE || row->kind == MT_CASE) {
			fill_object(type, i, obj, mode, flags, to);
		} else if (mode == MT_TREE_OURS && !ours) {
			continue;
		} else if (row->kind == MT_KEEP) {
			e = append(to, mt_elem_new("", 0, ""));
			e->raw = vm_xstrdup(*(char *const *)mt_datum(obj, row));
			e->type = type;
			e->row = i;
			e->item = true;
		} else {
			fill_scalar(type, i, obj, to);
		}
	}
}

static void print_indent(struct vm_strbuf *out, unsigned indent)
{
	while (indent-- > 0)
		vm_strbuf_puts(out, "  ");
}

static void print_namespace(const struct mt_elem *e, struct vm_strbuf *out)
{
	const char *colon = strchr(e->name, ':');

	vm_strbuf_puts(out, " xmlns");
	if (colon != NULL) {
		vm_strbuf_putc(out, ':');
		vm_strbuf_add(out, e->name, (size_t)(colon - e->name));
	}
	vm_strbuf_puts(out, "='");
	vm_strbuf_xml(out, e->ns, true);
	vm_strbuf_putc(out, '\'');
}

void mt_elem_print(const struct mt_elem *e, unsigned indent, const char *ns, struct vm_strbuf *out)
{
	print_indent(out, indent);
	if (e->raw != NULL) {
		vm_strbuf_puts(out, e->raw);
		vm_strbuf_putc(out, '\n');
		return;
	}
	vm_strbuf_putc(out, '<');
	vm_strbuf_puts(out, e->name);
	if (e->ns[0] != '\0' && strcmp(e->ns, ns) != 0)
		print_namespace(e, out);
	for (unsigned i = 0; i < e->n_attrs; i++) {
		vm_strbuf_printf(out, " %s='", e->attrs[i].name);
		vm_strbuf_xml(out, e->attrs[i].value, true);
		vm_strbuf_putc(out, '\'');
	}
	if (e->first == NULL && (e->text == NULL || e->text[0] == '\0')) {
		vm_strbuf_puts(out, "/>\n");
		return;
	}
	vm_strbuf_putc(out, '>');
	if (e->text != NULL)
		vm_strbuf_xml(out, e->text, false);
	if (e->first != NULL) {
		vm_strbuf_putc(out, '\n');
		for (const struct mt_elem *c = e->first; c != NULL; c = c->next)
			mt_elem_print(c, indent + 1, e->ns, out);
		print_indent(out, indent);
	}
	vm_strbuf_printf(out, "</%s>\n", e->name);
}

void mt_format(const struct mt_type *type, const void *obj, unsigned indent, unsigned flags,
	       struct vm_strbuf *out)
{
	struct mt_elem *e = mt_elem_new(type->elem, strlen(type->elem), "");

	mt_tree_fill(type, obj, MT_TREE_SET, flags, e);
	mt_elem_print(e, indent, "", out);
	mt_elem_free(e);
}
