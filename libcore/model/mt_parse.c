/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a document into objects; every node and attribute that was understood is marked, the rest
 * refused. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/strbuf.h>

#include "mt_internal.h"

/* Namespaces below this are libvirt's: they change what a guest is, so they are never kept unread.
 */
#define LIBVIRT_SCHEMAS "http://libvirt.org/schemas/"

enum mark { SEEN = 1, TEXT_READ = 2, KEPT = 4 /* with all below it */, FOREIGN_ATTRS = 8 };

struct owner { /* a node whose rows hang on a discriminator */
	vm_node node;
	const struct mt_cases *cases;
	const struct mt_type *holder;
	int tag;
};
struct parse {
	const struct vm_xml *doc;
	struct vm_err *err;
	bool live;
	uint8_t *node_marks; /* enum mark, by node */
	bool *attr_seen;     /* by document-wide number */
	struct owner *owners;
	uint32_t n_owners;
};

struct place {	      /* where a row's path ends */
	vm_node node; /* VM_NODE_NONE = absent */
	int attr;     /* -1 = none */
	enum mt_step_kind kind;
};

static int parse_into(struct parse *p, const struct mt_type *type, vm_node n, struct mt_obj *obj);

static void mark_attr(struct parse *p, vm_node n, int attr)
{
	p->attr_seen[vm_xml_attr_number(p->doc, n, (unsigned)attr)] = true;
}

/* Follows the path, marking the elements on it. */
static struct place find(struct parse *p, vm_node n, const char *path)
{
	struct place r = {n, -1, MT_STEP_ELEMENT};
	struct mt_step step;

	while (mt_step_next(&path, &step) != MT_STEP_END) {
		r.kind = step.kind;
		if (step.kind == MT_STEP_ELEMENT) {
			r.node = mt_step_find(p->doc, r.node, &step);
			if (r.node == VM_NODE_NONE)
				return r;
			p->node_marks[r.node] |= SEEN;
		} else if (step.kind == MT_STEP_ATTR) {
			r.attr = mt_step_attr(p->doc, r.node, step.name);
			if (r.attr < 0)
				r.node = VM_NODE_NONE;
			else
				mark_attr(p, r.node, r.attr);
			return r;
		} else {
			p->node_marks[r.node] |= TEXT_READ;
			return r;
		}
	}
	return r;
}

/* "<target> attribute 'dev'", "attribute 'type'" or "<target>": what a row reads, below its
 * element. */
static void describe(const struct mt_row *row, char *to, size_t size)
{
	const char *path = row->xml;
	struct mt_step step;
	char elem[64] = "";

	while (mt_step_next(&path, &step) != MT_STEP_END) {
		if (step.kind == MT_STEP_ELEMENT) {
			snprintf(elem, sizeof(elem), "%s", step.name);
			snprintf(to, size, "<%s>", elem);
		} else if (step.kind == MT_STEP_ATTR) {
			snprintf(to, size, "%s%s%sattribute '%s'", elem[0] != '\0' ? "<" : "", elem,
				 elem[0] != '\0' ? "> " : "", step.name);
		} else if (elem[0] == '\0') {
			snprintf(to, size, "text");
		}
	}
}

static int missing(struct parse *p, const struct mt_row *row, vm_node n)
{
	char what[200] = "";

	describe(row, what, sizeof(what));
	return vm_xml_error(p->doc, n, -1, VM_BAD_INPUT, p->err, "<%s> lacks %s",
			    vm_xml_name(p->doc, n), what);
}

static int bad_value(struct parse *p, struct place at, enum vm_kind kind, const char *why)
{
	const char *name = vm_xml_name(p->doc, at.node);

	if (at.attr < 0)
		return vm_xml_error(p->doc, at.node, -1, kind, p->err, "<%s>: %s", name, why);
	return vm_xml_error(p->doc, at.node, at.attr, kind, p->err, "<%s> attribute '%s': %s", name,
			    vm_xml_attr_name(p->doc, at.node, (unsigned)at.attr), why);
}

static int parse_scalar(struct parse *p, const struct mt_row *row, vm_node n, struct mt_obj *obj)
{
	struct place at = find(p, n, row->xml);
	const char *text, *unit = NULL;
	char why[512];
	enum vm_kind kind;
	int i;

	if (at.node == VM_NODE_NONE)
		goto absent;
	if (row->kind == MT_SIZE) {
		i = mt_step_attr(p->doc, at.node, "unit");
		if (i >= 0) {
			mark_attr(p, at.node, i);
			unit = vm_xml_attr_value(p->doc, at.node, (unsigned)i);
		}
	}
	if ((row->flags & MT_LIVE_ONLY) && !p->live)
		return 0;
	if (row->flags & MT_PRESENT) {
		assert(row->kind == MT_BOOL);
		*(bool *)mt_datum(obj, row) = true;
		obj->set |= mt_bit(row);
		return 0;
	}
	text = at.kind == MT_STEP_ATTR ? vm_xml_attr_value(p->doc, at.node, (unsigned)at.attr)
				       : vm_xml_content(p->doc, at.node);
	/* <genid/>: to be made up. */
	if (at.kind != MT_STEP_ATTR && text[0] == '\0' &&
	    (row->kind == MT_STR || row->kind == MT_PATH || (row->flags & MT_ASSIGNED)))
		goto absent;
	kind = mt_value_parse(row, text, unit, mt_datum(obj, row), why, sizeof(why));
	if (kind != VM_OK)
		return bad_value(p, at, kind, why);
	obj->set |= mt_bit(row);
	return 0;
absent:
	return (row->flags & MT_REQUIRED) ? missing(p, row, n) : 0;
}

static void own(struct parse *p, struct owner owner)
{
	if ((p->n_owners & (p->n_owners - 1)) == 0)
		p->owners = vm_xreallocarray(
		    p->owners, p->n_owners == 0 ? 1 : (size_t)p->n_owners * 2, sizeof(*p->owners));
	p->owners[p->n_owners++] = owner;
}

static int parse_tag(struct parse *p, const struct mt_cases *cases, vm_node n, struct mt_obj *obj)
{
	struct mt_step step;
	const char *path = cases->tag_xml;
	struct mt_row row = {.kind = MT_ENUM, .arg = cases->words};
	struct place at = {n, -1, MT_STEP_ATTR};
	enum vm_kind kind;
	char why[512];

	mt_step_next(&path, &step);
	assert(step.kind == MT_STEP_ATTR);
	at.attr = mt_step_attr(p->doc, n, step.name);
	if (at.attr < 0)
		return 0;
	mark_attr(p, n, at.attr);
	kind = mt_value_parse(&row, vm_xml_attr_value(p->doc, n, (unsigned)at.attr), NULL,
			      (char *)obj + cases->tag_off, why, sizeof(why));
	return kind == VM_OK ? 0 : bad_value(p, at, kind, why);
}

static int parse_object(struct parse *p, const struct mt_type *holder, const struct mt_row *row,
			vm_node n, struct mt_obj *obj)
{
	struct place at = {n, -1, MT_STEP_ELEMENT};
	const struct mt_type *sub = row->arg;
	struct mt_obj *child;

	if (!mt_case_is_here(row))
		at = find(p, n, row->xml);
	if (at.node == VM_NODE_NONE)
		return (row->flags & MT_REQUIRED) ? missing(p, row, n) : 0;
	if ((row->flags & MT_LIVE_ONLY) && !p->live) {
		p->node_marks[at.node] |= KEPT;
		return 0;
	}
	if (row->kind == MT_CASE) {
		const struct mt_cases *cases = row->arg;

		if (cases->tag_xml != NULL && parse_tag(p, cases, at.node, obj) < 0)
			return -1;
		own(p, (struct owner){at.node, cases, holder, mt_case_tag(cases, obj)});
		sub = mt_case_type(cases, obj);
	}
	obj->set |= mt_bit(row);
	if (sub == NULL)
		return 0;
	child = mt_new(sub);
	*(void **)mt_datum(obj, row) = child; /* owned from here on */
	return parse_into(p, sub, at.node, child);
}

static int parse_many(struct parse *p, const struct mt_row *row, vm_node n, struct mt_obj *obj)
{
	struct mt_list *list = mt_datum(obj, row);
	const char *path = row->xml;
	struct mt_step step;
	vm_node c = VM_NODE_NONE;

	while (mt_step_next(&path, &step) == MT_STEP_ELEMENT) {
		c = mt_step_find(p->doc, n, &step);
		if (step.last || c == VM_NODE_NONE)
			break;
		p->node_marks[c] |= SEEN;
		n = c;
	}
	if (c == VM_NODE_NONE)
		return (row->flags & MT_REQUIRED) ? missing(p, row, n) : 0;
	for (; c != VM_NODE_NONE; c = mt_step_find_next(p->doc, vm_xml_next(p->doc, c), &step)) {
		struct mt_obj *item;

		if ((row->flags & MT_LIVE_ONLY) && !p->live) {
			p->node_marks[c] |= SEEN | KEPT;
			continue;
		}
		if (list->n == MT_MAX_ITEMS)
			return vm_xml_error(p->doc, c, -1, VM_BAD_INPUT, p->err,
					    "more than %u <%s> in <%s>", MT_MAX_ITEMS,
					    vm_xml_name(p->doc, c), vm_xml_name(p->doc, n));
		item = mt_new(row->arg);
		mt_list_add(list, item);
		obj->set |= mt_bit(row);
		if (parse_into(p, row->arg, c, item) < 0)
			return -1;
	}
	return 0;
}

static void keep(struct parse *p, vm_node n, struct vm_strbuf *b)
{
	VM_AUTO_FREE char *text = vm_xml_element_text(p->doc, n);

	p->node_marks[n] |= SEEN | KEPT;
	if (b->len > 0)
		vm_strbuf_putc(b, '\n');
	vm_strbuf_puts(b, text);
}

static void parse_keep(struct parse *p, const struct mt_row *row, vm_node n, struct mt_obj *obj)
{
	struct vm_strbuf b = VM_STRBUF_INIT;
	struct place at;

	if (strcmp(row->xml, "*:*") == 0) {
		p->node_marks[n] |= FOREIGN_ATTRS;
		for (vm_node c = vm_xml_first(p->doc, n); c != VM_NODE_NONE;
		     c = vm_xml_next(p->doc, c)) {
			const char *ns = vm_xml_ns(p->doc, c);

			if (ns[0] != '\0' && !(p->node_marks[c] & SEEN) &&
			    strncmp(ns, LIBVIRT_SCHEMAS, strlen(LIBVIRT_SCHEMAS)) != 0)
				keep(p, c, &b);
		}
	} else {
		at = find(p, n, row->xml);
		if (at.node != VM_NODE_NONE)
			keep(p, at.node, &b);
	}
	if (b.len == 0)
		return;
	*(char **)mt_datum(obj, row) = vm_strbuf_take(&b);
	obj->set |= mt_bit(row);
}

static int parse_into(struct parse *p, const struct mt_type *type, vm_node n, struct mt_obj *obj)
{
	obj->node = n;
	p->node_marks[n] |= SEEN;
	/* Discriminators are scalars: they are there before any case asks for them. */
	for (uint16_t i = 0; i < type->n; i++)
		if (mt_is_scalar(&type->rows[i]) && parse_scalar(p, &type->rows[i], n, obj) < 0)
			return -1;
	for (uint16_t i = 0; i < type->n; i++) {
		const struct mt_row *row = &type->rows[i];

		if (row->kind == MT_MANY) {
			if (parse_many(p, row, n, obj) < 0)
				return -1;
		} else if (row->kind == MT_ONE || row->kind == MT_CASE) {
			if (parse_object(p, type, row, n, obj) < 0)
				return -1;
		} else if (row->kind == MT_KEEP) {
			parse_keep(p, row, n, obj);
		}
	}
	return 0;
}

/* ---- what nobody understood ---- */

static const char *below(const char *path, const char *prefix)
{
	size_t n = strlen(prefix);

	if (strncmp(path, prefix, n) != 0)
		return NULL;
	return path[n] == '\0' ? path + n : path[n] == '/' ? path + n + 1 : NULL;
}

/* Has the type (with what hangs below it) a row for this path, or one that goes through it? */
static bool names(const struct mt_type *type, const char *path, unsigned depth)
{
	const char *rest;

	for (uint16_t i = 0; depth < 8 && i < type->n; i++) {
		const struct mt_row *row = &type->rows[i];
		const struct mt_cases *cases = row->arg;

		if (below(row->xml, path) != NULL)
			return true;
		rest = mt_case_is_here(row) ? path : below(path, row->xml);
		if (rest == NULL)
			continue;
		if ((row->kind == MT_ONE || row->kind == MT_MANY) &&
		    names(row->arg, rest, depth + 1))
			return true;
		for (uint8_t k = 0; row->kind == MT_CASE && k < cases->n; k++)
			if (cases->by[k] != NULL && names(cases->by[k], rest, depth + 1))
				return true;
	}
	return false;
}

/* "only with type='network'" into `to`, if some other case of an element above owns the name. */
static bool other_cases(const struct owner *o, const char *path, char *to, size_t size)
{
	struct vm_strbuf b = VM_STRBUF_INIT;
	bool any = false;

	for (int i = 0; i < o->cases->n; i++) {
		if (i == o->tag || o->cases->by[i] == NULL || !names(o->cases->by[i], path, 0))
			continue;
		if (any)
			vm_strbuf_puts(&b, " or ");
		else
			vm_strbuf_printf(&b, "only with %s=", o->cases->tag);
		vm_strbuf_printf(&b, "'%s'", mt_case_word(o->cases, o->holder, i));
		any = true;
	}
	if (any)
		snprintf(to, size, "%s", b.text);
	vm_strbuf_free(&b);
	return any;
}

/* attr < 0: the element n itself. */
static int unknown(struct parse *p, vm_node n, int attr)
{
	const char *name = vm_xml_name(p->doc, n);
	vm_node parent = vm_xml_parent(p->doc, n), up;
	VM_AUTO_FREE char *path = NULL;
	char only[512];

	path = vm_xasprintf("%s%s", attr < 0 ? "" : "@",
			    attr < 0 ? name : vm_xml_attr_name(p->doc, n, (unsigned)attr));
	for (up = attr < 0 ? parent : n; up != VM_NODE_NONE; up = vm_xml_parent(p->doc, up)) {
		char *longer;

		for (uint32_t i = 0; i < p->n_owners; i++) {
			if (p->owners[i].node != up ||
			    !other_cases(&p->owners[i], path, only, sizeof(only)))
				continue;
			if (attr < 0)
				return vm_xml_error(p->doc, n, attr, VM_BAD_INPUT, p->err,
						    "<%s> in <%s> %s", name,
						    vm_xml_name(p->doc, parent), only);
			return vm_xml_error(p->doc, n, attr, VM_BAD_INPUT, p->err,
					    "<%s> attribute '%s' %s", name,
					    vm_xml_attr_name(p->doc, n, (unsigned)attr), only);
		}
		longer = vm_xasprintf("%s/%s", vm_xml_name(p->doc, up), path);
		free(path);
		path = longer;
	}
	if (attr >= 0) {
		const char *ns = vm_xml_attr_ns(p->doc, n, (unsigned)attr);

		return vm_xml_error(p->doc, n, attr, VM_UNSUPPORTED, p->err,
				    "<%s> attribute '%s'%s%s%s is not supported yet", name,
				    vm_xml_attr_name(p->doc, n, (unsigned)attr),
				    ns[0] != '\0' ? " (namespace " : "", ns,
				    ns[0] != '\0' ? ")" : "");
	}
	return vm_xml_error(
	    p->doc, n, -1, VM_UNSUPPORTED, p->err, "<%s>%s%s%s in <%s> is not supported yet", name,
	    vm_xml_ns(p->doc, n)[0] != '\0' ? " (namespace " : "", vm_xml_ns(p->doc, n),
	    vm_xml_ns(p->doc, n)[0] != '\0' ? ")" : "", vm_xml_name(p->doc, parent));
}

static int check_element(struct parse *p, vm_node n)
{
	unsigned count = vm_xml_attr_count(p->doc, n);

	for (unsigned i = 0; i < count; i++) {
		bool foreign = vm_xml_attr_ns(p->doc, n, i)[0] != '\0';

		if (!p->attr_seen[vm_xml_attr_number(p->doc, n, i)] &&
		    !(foreign && (p->node_marks[n] & FOREIGN_ATTRS)))
			return unknown(p, n, (int)i);
	}
	if (!(p->node_marks[n] & TEXT_READ) && vm_xml_content(p->doc, n)[0] != '\0')
		return vm_xml_error(p->doc, n, -1, VM_BAD_INPUT, p->err,
				    "the text '%.60s' in <%s> means nothing",
				    vm_xml_content(p->doc, n), vm_xml_name(p->doc, n));
	return 0;
}

static int refuse_child(struct parse *p, vm_node n)
{
	vm_node parent = vm_xml_parent(p->doc, n);

	for (vm_node c = vm_xml_first(p->doc, parent); c != n; c = vm_xml_next(p->doc, c))
		if ((p->node_marks[c] & SEEN) &&
		    strcmp(vm_xml_name(p->doc, c), vm_xml_name(p->doc, n)) == 0 &&
		    strcmp(vm_xml_ns(p->doc, c), vm_xml_ns(p->doc, n)) == 0)
			return vm_xml_error(p->doc, n, -1, VM_BAD_INPUT, p->err,
					    "<%s> is given twice in <%s>", vm_xml_name(p->doc, n),
					    vm_xml_name(p->doc, parent));
	return unknown(p, n, -1);
}

/* In the document's order, so that the first thing reported is the first thing written. */
static int sweep(struct parse *p, vm_node top)
{
	vm_node n = top;

	for (;;) {
		vm_node next;

		if (!(p->node_marks[n] & SEEN))
			return refuse_child(p, n);
		if (!(p->node_marks[n] & KEPT) && check_element(p, n) < 0)
			return -1;
		next = (p->node_marks[n] & KEPT) ? VM_NODE_NONE : vm_xml_first(p->doc, n);
		while (next == VM_NODE_NONE) {
			if (n == top)
				return 0;
			next = vm_xml_next(p->doc, n);
			if (next == VM_NODE_NONE)
				n = vm_xml_parent(p->doc, n);
		}
		n = next;
	}
}

int mt_parse(const struct mt_type *type, const struct vm_xml *doc, vm_node node, bool live,
	     void **ret, struct vm_err *err)
{
	struct parse p = {.doc = doc, .err = err, .live = live};
	struct mt_ctx ctx = {.doc = doc, .live = live};
	struct mt_obj *obj;
	int rc;

	if (strcmp(vm_xml_name(doc, node), type->elem) != 0 || vm_xml_ns(doc, node)[0] != '\0')
		return vm_xml_error(doc, node, -1, VM_BAD_INPUT, err, "<%s> where <%s> is expected",
				    vm_xml_name(doc, node), type->elem);
	p.node_marks = vm_xcalloc(vm_xml_node_count(doc), sizeof(*p.node_marks));
	p.attr_seen = vm_xcalloc(vm_xml_attr_total(doc) + 1, sizeof(*p.attr_seen));
	obj = mt_new(type);
	rc = parse_into(&p, type, node, obj);
	if (rc == 0)
		rc = sweep(&p, node);
	free(p.node_marks);
	free(p.attr_seen);
	free(p.owners);
	ctx.root = obj;
	if (rc == 0)
		rc = mt_check(type, obj, &ctx, err);
	if (rc < 0) {
		mt_free(type, obj);
		return -1;
	}
	*ret = obj;
	return 0;
}
