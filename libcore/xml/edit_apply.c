/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Applying edits as splices of the admin's text, and proving that nothing else changed. */
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "edit_internal.h"

/* Marks what is gone, so that edits inside it are dropped. */
static void bury(struct vm_xml_edit *e)
{
	free(e->dead);
	e->dead = vm_xcalloc(e->x->n_nodes, sizeof(*e->dead));
	for (size_t i = 0; i < e->n; i++) {
		const struct xml_node *top = &e->x->nodes[e->ops[i].node];
		vm_node n = e->ops[i].node;

		if (e->ops[i].kind == OP_REMOVE)
			e->dead[n] = true;
		if (e->ops[i].kind != OP_REMOVE && e->ops[i].kind != OP_CONTENT)
			continue;
		/* Nodes lie in the document's order: all below n follow it. */
		for (n++; n < e->x->n_nodes && e->x->nodes[n].at < top->end; n++)
			e->dead[n] = true;
	}
}

/* Has it only characters that XML can hold? */
static bool expressible(const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 && !xml_is_space(*p))
			return false;
	return vm_utf8_valid(text, strlen(text));
}

static int parse_fragments(struct vm_xml_edit *e, struct vm_err *err)
{
	for (size_t i = 0; i < e->n; i++) {
		struct op *op = &e->ops[i];

		if (op->value != NULL && !expressible(op->value))
			return vm_err_set(
			    err, VM_BAD_INPUT,
			    "%s: a value for <%s> has characters that XML cannot hold", e->x->file,
			    e->x->nodes[op->node].name);
		if (op->kind != OP_INSERT || op->fragment != NULL)
			continue;
		if (vm_xml_parse(op->value, strlen(op->value), "inserted XML", &op->fragment, err) <
		    0)
			return -1;
		if (xml_edit_find(e, OP_CONTENT, op->node, NULL) != NULL)
			return vm_err_set(
			    err, VM_SYSTEM,
			    "%s: edits contradict each other: <%s> replaced and added to",
			    e->x->file, e->x->nodes[op->node].name);
	}
	return 0;
}

static int by_place(const void *a, const void *b)
{
	const struct splice *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	/* At one place insertions come before what replaces the text there. */
	if ((x->len == 0) != (y->len == 0))
		return x->len == 0 ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static int assemble(const struct vm_xml *x, struct splices *s, struct vm_strbuf *out,
		    struct vm_err *err)
{
	uint32_t at = 0;

	if (s->n > 0)
		qsort(s->v, s->n, sizeof(*s->v), by_place);
	for (size_t i = 0; i < s->n; i++) {
		if (s->v[i].at < at)
			return vm_err_set(err, VM_SYSTEM, "%s: edits overlap", x->file);
		vm_strbuf_add(out, x->text + at, s->v[i].at - at);
		vm_strbuf_puts(out, s->v[i].text);
		at = s->v[i].at + s->v[i].len;
	}
	vm_strbuf_add(out, x->text + at, x->len - at);
	return 0;
}

int vm_xml_edit_apply(struct vm_xml_edit *e, struct vm_xml **ret, struct vm_err *err)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf out = VM_STRBUF_INIT;
	VM_AUTO(vm_xml_freep) struct vm_xml *now = NULL;
	struct splices s = {0};
	int rc;

	if (parse_fragments(e, err) < 0)
		return -1;
	bury(e);
	xml_edit_layout(e, &s);
	rc = assemble(e->x, &s, &out, err);
	for (size_t i = 0; i < s.n; i++)
		free(s.v[i].text);
	free(s.v);
	if (rc < 0 || vm_xml_parse(out.text, out.len, e->x->file, &now, err) < 0)
		return -1;
	if (!xml_edit_proved(e, now))
		return vm_err_set(err, VM_SYSTEM,
				  "%s: an edit would have changed more than was asked for",
				  e->x->file);
	now->converted = vm_xstrdup(e->x->converted);
	*ret = vm_take_ptr(&now);
	return 0;
}
