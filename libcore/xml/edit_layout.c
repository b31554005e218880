/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where edits go in the text, so that it looks as if the admin had written them. */
#include <stdio.h>
#include <string.h>

#include <vm/alloc.h>

#include "edit_internal.h"

struct layout {
	const struct vm_xml_edit *e;
	const struct vm_xml *x;
	struct splices *out;
	const char *newline;
	struct vm_range unit; /* one level of indentation, in the text; len 0: two spaces */
};

static void splice(struct layout *l, uint32_t at, uint32_t len, char *text)
{
	struct splices *s = l->out;

	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 16;
		s->v = vm_xreallocarray(s->v, s->cap, sizeof(*s->v));
	}
	s->v[s->n] = (struct splice){at, len, text, s->n};
	s->n++;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static uint32_t line_start(const struct vm_xml *x, uint32_t at)
{
	while (at > x->bom && x->text[at - 1] != '\n')
		at--;
	return at;
}

/* The blanks before an element that begins its line. */
static bool indent_of(const struct vm_xml *x, vm_node n, struct vm_range *ret)
{
	uint32_t start = line_start(x, x->nodes[n].at), p = start;

	while (is_blank(x->text[p]))
		p++;
	*ret = (struct vm_range){start, p - start};
	return p == x->nodes[n].at;
}

static void guess_style(struct layout *l)
{
	const struct vm_xml *x = l->x;
	const char *first = memchr(x->text, '\n', x->len);
	struct vm_range outer, inner;

	l->newline = first != NULL && first > x->text && first[-1] == '\r' ? "\r\n" : "\n";
	for (vm_node n = 1; n < x->n_nodes; n++) {
		if (!indent_of(x, n, &inner) || !indent_of(x, x->nodes[n].parent, &outer) ||
		    inner.len <= outer.len ||
		    memcmp(x->text + inner.at, x->text + outer.at, outer.len) != 0)
			continue;
		l->unit = (struct vm_range){inner.at + outer.len, inner.len - outer.len};
		return;
	}
}

static void add_units(const struct layout *l, struct vm_strbuf *b, unsigned levels)
{
	while (levels-- > 0) {
		if (l->unit.len > 0)
			vm_strbuf_add(b, l->x->text + l->unit.at, l->unit.len);
		else
			vm_strbuf_puts(b, "  ");
	}
}

/* White space between elements is ours to lay out; anything else is copied as it is. */
static void add_gap(const struct layout *l, struct vm_strbuf *b, const struct vm_xml *f,
		    uint32_t from, uint32_t to, const struct vm_strbuf *indent, unsigned levels)
{
	bool lines = false;

	for (uint32_t i = from; i < to; i++) {
		if (!xml_is_space(f->text[i])) {
			vm_strbuf_add(b, f->text + from, to - from);
			return;
		}
		lines |= f->text[i] == '\n';
	}
	if (!lines || indent == NULL) {
		vm_strbuf_add(b, f->text + from, to - from);
		return;
	}
	vm_strbuf_puts(b, l->newline);
	vm_strbuf_add(b, indent->text, indent->len);
	add_units(l, b, levels);
}

static void add_fragment(const struct layout *l, struct vm_strbuf *b, const struct vm_xml *f,
			 vm_node n, const struct vm_strbuf *indent, unsigned level)
{
	const struct xml_node *e = &f->nodes[n];
	uint32_t at = e->tag_end;

	vm_strbuf_add(b, f->text + e->at, e->tag_end - e->at);
	if (e->content[0] != '\0')
		indent = NULL; /* text: its white space may mean something */
	for (vm_node c = e->first; c != VM_NODE_NONE; c = f->nodes[c].next) {
		add_gap(l, b, f, at, f->nodes[c].at, indent, level + 1);
		add_fragment(l, b, f, c, indent, level + 1);
		at = f->nodes[c].end;
	}
	if (e->first != VM_NODE_NONE)
		add_gap(l, b, f, at, e->content_end, indent, level);
	else
		vm_strbuf_add(b, f->text + at, e->content_end - at);
	vm_strbuf_add(b, f->text + e->content_end, e->end - e->content_end);
}

static bool in_group(const struct op *op, vm_node parent, vm_node after)
{
	return op->kind == OP_INSERT && op->node == parent && op->after == after;
}

/* All insertions of one place.  lines: on lines of their own, each begun by a newline and the
 * indentation (or, newline_last, ended by one). */
static void add_group(const struct layout *l, struct vm_strbuf *b, const struct op *first,
		      bool lines, bool newline_last, const struct vm_strbuf *indent)
{
	const struct op *end = l->e->ops + l->e->n;

	for (const struct op *op = first; op < end; op++) {
		if (!in_group(op, first->node, first->after))
			continue;
		if (lines && !newline_last)
			vm_strbuf_puts(b, l->newline);
		if (lines)
			vm_strbuf_add(b, indent->text, indent->len);
		add_fragment(l, b, op->fragment, 0, lines ? indent : NULL, 0);
		if (lines && newline_last)
			vm_strbuf_puts(b, l->newline);
	}
}

/* Behind an element, and behind comments that follow it on its line. */
static uint32_t end_of_line(const struct vm_xml *x, uint32_t at)
{
	uint32_t p = at;

	for (;;) {
		const char *close;

		while (p < x->len && is_blank(x->text[p]))
			p++;
		if (p == x->len || x->text[p] == '\n' || x->text[p] == '\r')
			break;
		if (x->len - p < 4 || memcmp(x->text + p, "<!--", 4) != 0)
			return at;
		close = memmem(x->text + p + 4, x->len - p - 4, "-->", 3);
		if (close == NULL ||
		    memchr(x->text + p, '\n', (size_t)(close - x->text) - p) != NULL)
			return at;
		p = (uint32_t)(close + 3 - x->text);
	}
	while (p > at && is_blank(x->text[p - 1]))
		p--;
	return p;
}

/* What removing the element takes away: its whole lines, if it is alone on them. */
static struct vm_range removal(const struct vm_xml *x, vm_node n, bool *ret_lines)
{
	struct vm_range indent, r = vm_xml_element_range(x, n);
	uint32_t end = r.at + r.len;

	*ret_lines = false;
	if (!indent_of(x, n, &indent))
		return r;
	while (end < x->len && (is_blank(x->text[end]) || x->text[end] == '\r'))
		end++;
	if (end == x->len || x->text[end] != '\n')
		return r;
	*ret_lines = true;
	return (struct vm_range){indent.at, end + 1 - indent.at};
}

static void insert_after(struct layout *l, const struct op *op, vm_node after)
{
	struct vm_strbuf b = VM_STRBUF_INIT, indent = VM_STRBUF_INIT;
	const struct vm_xml *x = l->x;
	struct vm_range blanks, gone;
	bool lines = indent_of(x, after, &blanks), whole;
	uint32_t at = x->nodes[after].end;

	if (lines)
		vm_strbuf_add(&indent, x->text + blanks.at, blanks.len);
	if (l->e->dead[after]) {
		gone = removal(x, after, &whole);
		at = gone.at + gone.len;
		add_group(l, &b, op, whole, true, &indent);
	} else {
		if (lines)
			at = end_of_line(x, at);
		add_group(l, &b, op, lines, false, &indent);
	}
	splice(l, at, 0, vm_strbuf_take(&b));
	vm_strbuf_free(&indent);
}

static void insert_first(struct layout *l, const struct op *op)
{
	struct vm_strbuf b = VM_STRBUF_INIT, indent = VM_STRBUF_INIT;
	const struct xml_node *p = &l->x->nodes[op->node];
	struct vm_range blanks;
	bool lines = indent_of(l->x, p->first, &blanks);

	vm_strbuf_add(&indent, l->x->text + blanks.at, blanks.len);
	add_group(l, &b, op, lines, false, &indent);
	splice(l, p->tag_end, 0, vm_strbuf_take(&b));
	vm_strbuf_free(&indent);
}

/* Into an element without child elements: empty, white space, a comment, or text. */
static void insert_into(struct layout *l, const struct op *op)
{
	struct vm_strbuf b = VM_STRBUF_INIT, indent = VM_STRBUF_INIT;
	const struct vm_xml *x = l->x;
	const struct xml_node *p = &x->nodes[op->node];
	struct vm_range blanks;
	bool lines = indent_of(x, op->node, &blanks);
	uint32_t end = p->content_end;

	while (end > p->tag_end && xml_is_space(x->text[end - 1]))
		end--;
	vm_strbuf_add(&indent, x->text + blanks.at, blanks.len);
	add_units(l, &indent, 1);
	if (p->empty)
		vm_strbuf_putc(&b, '>');
	add_group(l, &b, op, lines, false, &indent);
	if (lines && memchr(x->text + end, '\n', p->content_end - end) == NULL) {
		vm_strbuf_puts(&b, l->newline);
		vm_strbuf_add(&b, x->text + blanks.at, blanks.len);
		if (!p->empty) { /* blanks that were before the end tag */
			splice(l, end, p->content_end - end, vm_strbuf_take(&b));
			vm_strbuf_free(&indent);
			return;
		}
	}
	if (p->empty) {
		vm_strbuf_puts(&b, "</");
		vm_strbuf_add(&b, x->text + p->at + 1, p->name_len);
		vm_strbuf_putc(&b, '>');
		splice(l, p->attrs_end, p->tag_end - p->attrs_end, vm_strbuf_take(&b));
	} else {
		splice(l, end, 0, vm_strbuf_take(&b));
	}
	vm_strbuf_free(&indent);
}

static void lay_insert(struct layout *l, const struct op *op)
{
	for (const struct op *o = l->e->ops; o < op; o++)
		if (in_group(o, op->node, op->after))
			return; /* done with the first of its group */
	if (op->after == VM_NODE_NONE)
		insert_into(l, op);
	else if (op->after == VM_NODE_FIRST)
		insert_first(l, op);
	else
		insert_after(l, op, op->after);
}

static void lay_attr(struct layout *l, const struct op *op)
{
	struct vm_strbuf b = VM_STRBUF_INIT;
	const struct vm_xml *x = l->x;
	const struct xml_node *n = &x->nodes[op->node];
	char quote = x->text[n->attrs_end - 1];

	for (uint32_t i = n->attr; i < n->attr + n->n_attrs; i++) {
		const struct xml_attr *a = &x->attrs[i];

		if (a->ns[0] != '\0' || strcmp(a->name, op->name) != 0)
			continue;
		if (strcmp(a->value, op->value) == 0)
			return;
		vm_strbuf_xml(&b, op->value, true);
		splice(l, a->value_at, a->value_len, vm_strbuf_take(&b));
		return;
	}
	if (quote != '"' && quote != '\'')
		quote = x->n_attrs > 0 ? x->text[x->attrs[0].value_at - 1] : '\'';
	vm_strbuf_printf(&b, " %s=%c", op->name, quote);
	vm_strbuf_xml(&b, op->value, true);
	vm_strbuf_putc(&b, quote);
	splice(l, n->attrs_end, 0, vm_strbuf_take(&b));
}

static void lay_attr_remove(struct layout *l, const struct op *op)
{
	const struct vm_xml *x = l->x;
	const struct xml_node *n = &x->nodes[op->node];

	for (uint32_t i = n->attr; i < n->attr + n->n_attrs; i++) {
		const struct xml_attr *a = &x->attrs[i];
		uint32_t from = a->at;

		if (a->ns[0] != '\0' || strcmp(a->name, op->name) != 0)
			continue;
		while (xml_is_space(x->text[from - 1]))
			from--;
		splice(l, from, a->value_at + a->value_len + 1 - from, vm_xstrdup(""));
	}
}

static void lay_content(struct layout *l, const struct op *op)
{
	struct vm_strbuf b = VM_STRBUF_INIT;
	const struct xml_node *n = &l->x->nodes[op->node];

	if (n->first == VM_NODE_NONE && strcmp(n->content, op->value) == 0)
		return;
	if (!n->empty) {
		vm_strbuf_xml(&b, op->value, false);
		splice(l, n->tag_end, n->content_end - n->tag_end, vm_strbuf_take(&b));
		return;
	}
	vm_strbuf_putc(&b, '>');
	vm_strbuf_xml(&b, op->value, false);
	vm_strbuf_puts(&b, "</");
	vm_strbuf_add(&b, l->x->text + n->at + 1, n->name_len);
	vm_strbuf_putc(&b, '>');
	splice(l, n->attrs_end, n->tag_end - n->attrs_end, vm_strbuf_take(&b));
}

void xml_edit_layout(const struct vm_xml_edit *e, struct splices *ret)
{
	struct layout l = {.e = e, .x = e->x, .out = ret};

	guess_style(&l);
	for (size_t i = 0; i < e->n; i++) {
		const struct op *op = &e->ops[i];
		vm_node parent = e->x->nodes[op->node].parent;
		struct vm_range gone;
		bool lines;

		if (op->kind == OP_REMOVE) {
			if (parent != VM_NODE_NONE && e->dead[parent])
				continue;
			if (parent != VM_NODE_NONE &&
			    xml_edit_find(e, OP_CONTENT, parent, NULL) != NULL)
				continue;
			gone = removal(e->x, op->node, &lines);
			splice(&l, gone.at, gone.len, vm_xstrdup(""));
			continue;
		}
		if (e->dead[op->node])
			continue;
		if (op->kind == OP_ATTR)
			lay_attr(&l, op);
		else if (op->kind == OP_ATTR_REMOVE)
			lay_attr_remove(&l, op);
		else if (op->kind == OP_CONTENT)
			lay_content(&l, op);
		else
			lay_insert(&l, op);
	}
}
