/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XPath: the axes, walked over the node table. */
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "xpath.h"

struct walk {
	struct xp_query *q;
	const struct xp_step *step;
	struct xp_set *ret;
};

void xp_set_add(struct xp_set *s, struct xp_item item)
{
	if (s->n == s->cap) {
		s->cap = s->cap > 0 ? s->cap * 2 : 8;
		s->v = vm_xreallocarray(s->v, s->cap, sizeof(*s->v));
	}
	s->v[s->n++] = item;
}

int xp_work(struct xp_query *q, size_t amount)
{
	q->operations += amount;
	if (q->operations <= XP_MAX_OPERATIONS)
		return 0;
	return vm_err_set(q->err, VM_USAGE, "'%.200s' takes too long to look for", q->path);
}

static const struct xml_node *node(const struct walk *w, uint32_t n)
{
	return &w->q->x->nodes[n];
}

/* Is there character data of the element's own? */
static bool has_text(const struct walk *w, uint32_t n)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	uint32_t at = node(w, n)->tag_end;

	if (node(w, n)->content[0] != '\0')
		return true;
	for (vm_node c = node(w, n)->first; c != VM_NODE_NONE && b.len == 0; c = node(w, c)->next) {
		xml_decode(w->q->x, at, node(w, c)->at, &b);
		at = node(w, c)->end;
	}
	if (b.len == 0)
		xml_decode(w->q->x, at, node(w, n)->content_end, &b);
	return b.len > 0;
}

static bool passes(const struct walk *w, struct xp_item item)
{
	const struct xp_step *s = w->step;
	const struct xml_attr *a = &w->q->x->attrs[item.attr];
	const char *name, *ns;

	if (s->test == XP_TEST_NODE)
		return true;
	if (s->test == XP_TEST_TEXT)
		return item.kind == XP_TEXT;
	if (item.kind != (s->axis == XP_ATTRIBUTE ? XP_ATTR : XP_ELEMENT))
		return false;
	name = item.kind == XP_ATTR ? a->name : node(w, item.node)->name;
	ns = item.kind == XP_ATTR ? a->ns : node(w, item.node)->ns;
	if (s->test == XP_TEST_ANY)
		return s->ns == NULL || strcmp(s->ns, ns) == 0;
	return strcmp(s->name, name) == 0 && strcmp(s->ns, ns) == 0;
}

static int offer(const struct walk *w, enum xp_item_kind kind, uint32_t n, uint32_t attr)
{
	struct xp_item item = { kind, n, attr };

	if (xp_work(w->q, 1) < 0)
		return -1;
	if (passes(w, item))
		xp_set_add(w->ret, item);
	return 0;
}

/* Only where texts are asked for: looking for one costs. */
static int offer_text(const struct walk *w, uint32_t n)
{
	if (w->step->test != XP_TEST_TEXT && w->step->test != XP_TEST_NODE)
		return 0;
	if (xp_work(w->q, 1 + (node(w, n)->content_end - node(w, n)->tag_end) / 64) < 0)
		return -1;
	return has_text(w, n) ? offer(w, XP_TEXT, n, 0) : 0;
}

static int offer_self(const struct walk *w, struct xp_item from)
{
	return from.kind == XP_TEXT ? offer_text(w, from.node)
				    : offer(w, from.kind, from.node, from.attr);
}

static int children(const struct walk *w, struct xp_item from)
{
	if (from.kind == XP_ROOT)
		return offer(w, XP_ELEMENT, 0, 0);
	if (from.kind != XP_ELEMENT)
		return 0;
	if (offer_text(w, from.node) < 0)
		return -1;
	for (vm_node c = node(w, from.node)->first; c != VM_NODE_NONE; c = node(w, c)->next)
		if (offer(w, XP_ELEMENT, c, 0) < 0)
			return -1;
	return 0;
}

/* Elements from `n` on that lie before byte `end`, and their texts. */
static int range(const struct walk *w, uint32_t n, uint32_t end)
{
	for (; n < w->q->x->n_nodes && node(w, n)->at < end; n++)
		if (offer(w, XP_ELEMENT, n, 0) < 0 || offer_text(w, n) < 0)
			return -1;
	return 0;
}

static int descendants(const struct walk *w, struct xp_item from)
{
	if (from.kind == XP_ROOT)
		return range(w, 0, UINT32_MAX);
	if (from.kind != XP_ELEMENT)
		return 0;
	if (offer_text(w, from.node) < 0)
		return -1;
	return range(w, from.node + 1, node(w, from.node)->end);
}

static struct xp_item parent_of(const struct walk *w, struct xp_item from)
{
	if (from.kind == XP_ATTR || from.kind == XP_TEXT)
		return (struct xp_item){ XP_ELEMENT, from.node, 0 };
	if (node(w, from.node)->parent == VM_NODE_NONE)
		return (struct xp_item){ XP_ROOT, 0, 0 };
	return (struct xp_item){ XP_ELEMENT, node(w, from.node)->parent, 0 };
}

static int parents(const struct walk *w, struct xp_item from, bool all)
{
	while (from.kind != XP_ROOT) {
		from = parent_of(w, from);
		if (offer(w, from.kind, from.node, 0) < 0)
			return -1;
		if (!all)
			break;
	}
	return 0;
}

static int siblings_before(const struct walk *w, uint32_t n)
{
	VM_AUTO(xp_set_free) struct xp_set before = { 0 };
	uint32_t up = node(w, n)->parent;

	if (up == VM_NODE_NONE)
		return 0;
	for (vm_node c = node(w, up)->first; c != n; c = node(w, c)->next) {
		if (xp_work(w->q, 1) < 0)
			return -1;
		xp_set_add(&before, (struct xp_item){ XP_ELEMENT, c, 0 });
	}
	while (before.n > 0)
		if (offer(w, XP_ELEMENT, before.v[--before.n].node, 0) < 0)
			return -1;
	return 0;
}

static int siblings(const struct walk *w, struct xp_item from, bool after)
{
	if (from.kind != XP_ELEMENT)
		return 0;
	if (!after)
		return siblings_before(w, from.node);
	for (vm_node c = node(w, from.node)->next; c != VM_NODE_NONE; c = node(w, c)->next)
		if (offer(w, XP_ELEMENT, c, 0) < 0)
			return -1;
	return 0;
}

static int following(const struct walk *w, struct xp_item from)
{
	uint32_t n = from.node + 1;

	if (from.kind == XP_ROOT)
		return 0;
	/* What is below an element is not behind it, but it is behind its attributes. */
	if (from.kind == XP_ELEMENT)
		while (n < w->q->x->n_nodes && node(w, n)->at < node(w, from.node)->end)
			n++;
	return range(w, n, UINT32_MAX);
}

static int preceding(const struct walk *w, struct xp_item from)
{
	if (from.kind == XP_ROOT)
		return 0;
	for (uint32_t n = from.node; n-- > 0;) {
		if (node(w, n)->end > node(w, from.node)->at) {
			if (xp_work(w->q, 1) < 0)
				return -1;
			continue; /* an ancestor */
		}
		if (offer_text(w, n) < 0 || offer(w, XP_ELEMENT, n, 0) < 0)
			return -1;
	}
	return 0;
}

static int attributes(const struct walk *w, struct xp_item from)
{
	const struct xml_node *n = node(w, from.node);

	if (from.kind != XP_ELEMENT)
		return 0;
	for (uint32_t i = n->attr; i < n->attr + n->n_attrs; i++)
		if (offer(w, XP_ATTR, from.node, i) < 0)
			return -1;
	return 0;
}

int xp_axis(struct xp_query *q, struct xp_item from, const struct xp_step *step,
	    struct xp_set *ret)
{
	const struct walk w = { q, step, ret };

	switch (step->axis) {
	case XP_CHILD:
		return children(&w, from);
	case XP_DESCENDANT_OR_SELF:
		return offer_self(&w, from) < 0 ? -1 : descendants(&w, from);
	case XP_DESCENDANT:
		return descendants(&w, from);
	case XP_PARENT:
		return parents(&w, from, false);
	case XP_ANCESTOR_OR_SELF:
		return offer_self(&w, from) < 0 ? -1 : parents(&w, from, true);
	case XP_ANCESTOR:
		return parents(&w, from, true);
	case XP_FOLLOWING_SIBLING:
	case XP_PRECEDING_SIBLING:
		return siblings(&w, from, step->axis == XP_FOLLOWING_SIBLING);
	case XP_FOLLOWING:
		return following(&w, from);
	case XP_PRECEDING:
		return preceding(&w, from);
	case XP_ATTRIBUTE:
		return attributes(&w, from);
	case XP_SELF:
		return offer_self(&w, from);
	}
	return 0;
}
