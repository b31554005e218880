/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Walking the tables, positions, errors. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/strbuf.h>

#include "xml_internal.h"

void vm_xml_free(struct vm_xml *x)
{
	if (x == NULL)
		return;
	free(x->file);
	free(x->converted);
	free(x->text);
	free(x->nodes);
	free(x->attrs);
	free(x->decls);
	free(x->pool);
	free(x->names.slots);
	free(x);
}

void vm_xml_freep(struct vm_xml **x)
{
	vm_xml_free(*x);
	*x = NULL;
}

const char *vm_xml_text(const struct vm_xml *x, size_t *ret_len)
{
	if (ret_len != NULL)
		*ret_len = x->len;
	return x->text;
}

const char *vm_xml_file(const struct vm_xml *x)
{
	return x->file;
}

const char *vm_xml_converted(const struct vm_xml *x)
{
	return x->converted;
}

static const struct xml_node *node(const struct vm_xml *x, vm_node n)
{
	assert(n < x->n_nodes);
	return &x->nodes[n];
}

static const struct xml_attr *attr(const struct vm_xml *x, vm_node n, unsigned i)
{
	assert(i < node(x, n)->n_attrs);
	return &x->attrs[node(x, n)->attr + i];
}

const char *vm_xml_name(const struct vm_xml *x, vm_node n)
{
	return node(x, n)->name;
}

const char *vm_xml_ns(const struct vm_xml *x, vm_node n)
{
	return node(x, n)->ns;
}

vm_node vm_xml_parent(const struct vm_xml *x, vm_node n)
{
	return node(x, n)->parent;
}

vm_node vm_xml_first(const struct vm_xml *x, vm_node n)
{
	return node(x, n)->first;
}

vm_node vm_xml_next(const struct vm_xml *x, vm_node n)
{
	return node(x, n)->next;
}

vm_node vm_xml_child(const struct vm_xml *x, vm_node n, const char *name)
{
	vm_node c;

	for (c = node(x, n)->first; c != VM_NODE_NONE; c = x->nodes[c].next)
		if (x->nodes[c].ns[0] == '\0' && strcmp(x->nodes[c].name, name) == 0)
			break;
	return c;
}

const char *vm_xml_attr(const struct vm_xml *x, vm_node n, const char *name)
{
	const struct xml_attr *a = &x->attrs[node(x, n)->attr];

	for (unsigned i = 0; i < x->nodes[n].n_attrs; i++)
		if (a[i].ns[0] == '\0' && strcmp(a[i].name, name) == 0)
			return a[i].value;
	return NULL;
}

unsigned vm_xml_attr_count(const struct vm_xml *x, vm_node n)
{
	return node(x, n)->n_attrs;
}

const char *vm_xml_attr_name(const struct vm_xml *x, vm_node n, unsigned i)
{
	return attr(x, n, i)->name;
}

const char *vm_xml_attr_ns(const struct vm_xml *x, vm_node n, unsigned i)
{
	return attr(x, n, i)->ns;
}

const char *vm_xml_attr_value(const struct vm_xml *x, vm_node n, unsigned i)
{
	return attr(x, n, i)->value;
}

uint32_t vm_xml_node_count(const struct vm_xml *x)
{
	return x->n_nodes;
}

uint32_t vm_xml_attr_total(const struct vm_xml *x)
{
	return x->n_attrs;
}

uint32_t vm_xml_attr_number(const struct vm_xml *x, vm_node n, unsigned i)
{
	assert(i < node(x, n)->n_attrs);
	return node(x, n)->attr + i;
}

const char *vm_xml_content(const struct vm_xml *x, vm_node n)
{
	return node(x, n)->content;
}

struct vm_range vm_xml_element_range(const struct vm_xml *x, vm_node n)
{
	return (struct vm_range){node(x, n)->at, node(x, n)->end - node(x, n)->at};
}

struct vm_range vm_xml_content_range(const struct vm_xml *x, vm_node n)
{
	return (struct vm_range){node(x, n)->tag_end,
				 node(x, n)->content_end - node(x, n)->tag_end};
}

struct vm_range vm_xml_attr_range(const struct vm_xml *x, vm_node n, unsigned i)
{
	return (struct vm_range){attr(x, n, i)->value_at, attr(x, n, i)->value_len};
}

void xml_locate(const struct vm_xml *x, size_t at, unsigned *ret_line, unsigned *ret_column)
{
	unsigned line = 1, column = 1;

	if (at > x->len)
		at = x->len;
	for (size_t i = x->bom; i < at; i++) {
		if (x->text[i] == '\n') {
			line++;
			column = 1;
		} else if (((unsigned char)x->text[i] & 0xc0) != 0x80) {
			column++;
		}
	}
	*ret_line = line;
	*ret_column = column;
}

void vm_xml_unname(struct vm_xml *x)
{
	x->file[0] = 0;
}

int xml_error_at(const struct vm_xml *x, size_t at, struct vm_err *err, const char *fmt, ...)
{
	char what[512];
	unsigned line, column;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	xml_locate(x, at, &line, &column);
	return vm_err_set(err, VM_BAD_INPUT, "%s:%u:%u: %s", x->file, line, column, what);
}

void vm_xml_position(const struct vm_xml *x, vm_node n, int i, unsigned *ret_line,
		     unsigned *ret_column)
{
	xml_locate(x, i < 0 ? node(x, n)->at : attr(x, n, (unsigned)i)->at, ret_line, ret_column);
}

int vm_xml_error(const struct vm_xml *x, vm_node n, int i, enum vm_kind kind, struct vm_err *err,
		 const char *fmt, ...)
{
	char what[768];
	unsigned line, column;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (x->file[0] == 0)
		return vm_err_set(err, kind, "%s", what);
	vm_xml_position(x, n, i, &line, &column);
	return vm_err_set(err, kind, "%s:%u:%u: %s", x->file, line, column, what);
}

/* Is the prefix (len 0: none) used by an element or attribute of the subtree? */
static bool prefix_used(const struct vm_xml *x, vm_node top, const char *prefix, uint32_t len)
{
	for (vm_node n = top; n < x->n_nodes && x->nodes[n].at < x->nodes[top].end; n++) {
		const struct xml_node *e = &x->nodes[n];
		const char *written = x->text + e->at + 1;
		const char *colon = memchr(written, ':', e->name_len);

		if (len == 0 ? colon == NULL
			     : colon == written + len && memcmp(written, prefix, len) == 0)
			return true;
		for (uint32_t i = 0; len > 0 && i < e->n_attrs; i++) {
			const struct xml_attr *a = &x->attrs[e->attr + i];

			if (a->len > len && x->text[a->at + len] == ':' &&
			    memcmp(x->text + a->at, prefix, len) == 0)
				return true;
		}
	}
	return false;
}

static bool same_prefix(const struct vm_xml *x, const struct xml_decl *a, const struct xml_decl *b)
{
	return a->prefix_len == b->prefix_len &&
	       memcmp(x->text + a->prefix_at, x->text + b->prefix_at, a->prefix_len) == 0;
}

/* First declaration of node n, which may be none of its own; they lie in the order of nodes. */
static uint32_t first_decl(const struct vm_xml *x, vm_node n)
{
	uint32_t low = 0, high = x->n_decls;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (x->decls[mid].node < n)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Does an element between `from` and the one declaring d (exclusive) declare the same prefix? */
static bool hidden(const struct vm_xml *x, vm_node from, const struct xml_decl *d)
{
	for (vm_node n = from; n != d->node; n = x->nodes[n].parent)
		for (uint32_t i = first_decl(x, n); i < x->n_decls && x->decls[i].node == n; i++)
			if (same_prefix(x, d, &x->decls[i]))
				return true;
	return false;
}

char *vm_xml_element_text(const struct vm_xml *x, vm_node n)
{
	const struct xml_node *e = node(x, n);
	struct vm_strbuf b = VM_STRBUF_INIT;

	vm_strbuf_add(&b, x->text + e->at, e->name_len + 1);
	for (vm_node up = e->parent; up != VM_NODE_NONE; up = x->nodes[up].parent) {
		for (uint32_t i = first_decl(x, up); i < x->n_decls && x->decls[i].node == up;
		     i++) {
			const struct xml_decl *d = &x->decls[i];

			if ((d->prefix_len == 0 && d->value_len == 0) || hidden(x, n, d) ||
			    !prefix_used(x, n, x->text + d->prefix_at, d->prefix_len))
				continue;
			vm_strbuf_puts(&b, d->prefix_len > 0 ? " xmlns:" : " xmlns");
			vm_strbuf_add(&b, x->text + d->prefix_at, d->prefix_len);
			vm_strbuf_putc(&b, '=');
			vm_strbuf_add(&b, x->text + d->value_at - 1, d->value_len + 2);
		}
	}
	vm_strbuf_add(&b, x->text + e->at + 1 + e->name_len, e->end - e->at - 1 - e->name_len);
	return vm_strbuf_take(&b);
}
