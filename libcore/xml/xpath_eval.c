/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XPath: paths, operators, comparisons. */
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "xpath.h"

void xp_set_free(struct xp_set *s)
{
	free(s->v);
	*s = (struct xp_set){ 0 };
}

void xp_value_free(struct xp_value *v)
{
	xp_set_free(&v->set);
	free(v->text);
	*v = (struct xp_value){ 0 };
}

static int by_order(const void *a, const void *b)
{
	const struct xp_item *x = a, *y = b;

	/* Elements are numbered as they come; an element goes before its attributes and text. */
	if ((x->kind == XP_ROOT) != (y->kind == XP_ROOT))
		return x->kind == XP_ROOT ? -1 : 1;
	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->attr < y->attr ? -1 : x->attr > y->attr;
}

static void sort(struct xp_set *s)
{
	uint32_t n = 0;

	if (s->n < 2)
		return;
	qsort(s->v, s->n, sizeof(*s->v), by_order);
	for (uint32_t i = 0; i < s->n; i++)
		if (n == 0 || by_order(&s->v[n - 1], &s->v[i]) != 0)
			s->v[n++] = s->v[i];
	s->n = n;
}

/* Drops what the predicates do not hold for. */
static int filter(struct xp_query *q, const struct xp_expr *predicates, struct xp_set *s)
{
	for (const struct xp_expr *e = predicates; e != NULL; e = e->next) {
		uint32_t size = s->n, n = 0;

		for (uint32_t i = 0; i < size; i++) {
			const struct xp_context c = { q, s->v[i], i + 1, size };
			VM_AUTO(xp_value_free) struct xp_value v = { 0 };

			if (xp_work(q, 1) < 0 || xp_evaluate(&c, e, &v) < 0)
				return -1;
			if (v.type == XP_NUMBERS ? v.number == (double)c.position : xp_to_truth(&v))
				s->v[n++] = s->v[i];
		}
		s->n = n;
	}
	return 0;
}

static int take_step(struct xp_query *q, const struct xp_step *step, struct xp_set *s)
{
	VM_AUTO(xp_set_free) struct xp_set all = { 0 };

	for (uint32_t i = 0; i < s->n; i++) {
		VM_AUTO(xp_set_free) struct xp_set some = { 0 };

		if (xp_axis(q, s->v[i], step, &some) < 0 || filter(q, step->predicates, &some) < 0)
			return -1;
		for (uint32_t k = 0; k < some.n; k++)
			xp_set_add(&all, some.v[k]);
	}
	sort(&all);
	free(s->v);
	*s = all;
	all = (struct xp_set){ 0 };
	return 0;
}

static int evaluate_path(const struct xp_context *c, const struct xp_expr *e, struct xp_value *ret)
{
	if (e->a != NULL) {
		if (xp_evaluate(c, e->a, ret) < 0)
			return -1;
		if (ret->type != XP_SET)
			return xp_fail(c->q, "a path cannot go on from a value");
		if (filter(c->q, e->predicates, &ret->set) < 0)
			return -1;
	} else {
		ret->type = XP_SET;
		xp_set_add(&ret->set, e->absolute ? (struct xp_item){ XP_ROOT, 0, 0 } : c->item);
	}
	for (const struct xp_step *s = e->steps; s != NULL; s = s->next)
		if (take_step(c->q, s, &ret->set) < 0)
			return -1;
	return 0;
}

static bool compare_numbers(enum xp_op op, double a, double b)
{
	switch ((unsigned)op) {
	case XP_EQ:
		return a == b;
	case XP_NE:
		return a != b;
	case XP_LT:
		return a < b;
	case XP_LE:
		return a <= b;
	case XP_GT:
		return a > b;
	default:
		return a >= b;
	}
}

/* Two values that are no sets, `numeric`: or texts of nodes compared with a number. */
static int compare_plain(struct xp_query *q, enum xp_op op, const struct xp_value *a,
			 const struct xp_value *b, bool *ret)
{
	VM_AUTO_FREE char *s = NULL, *t = NULL;
	double m, n;

	if (op == XP_EQ || op == XP_NE) {
		if (a->type == XP_BOOLEANS || b->type == XP_BOOLEANS) {
			*ret = (xp_to_truth(a) == xp_to_truth(b)) == (op == XP_EQ);
			return 0;
		}
		if (a->type != XP_NUMBERS && b->type != XP_NUMBERS) {
			if (xp_to_text(q, a, &s) < 0 || xp_to_text(q, b, &t) < 0)
				return -1;
			*ret = (strcmp(s, t) == 0) == (op == XP_EQ);
			return 0;
		}
	}
	if (xp_to_number(q, a, &m) < 0 || xp_to_number(q, b, &n) < 0)
		return -1;
	*ret = compare_numbers(op, m, n);
	return 0;
}

/* True if it is true of any node of a set. */
static int compare(struct xp_query *q, enum xp_op op, const struct xp_value *a,
		   const struct xp_value *b, bool *ret)
{
	bool left = a->type == XP_SET && b->type != XP_BOOLEANS;
	const struct xp_set *s = left ? &a->set : &b->set;

	if (!left && (b->type != XP_SET || a->type == XP_BOOLEANS)) {
		struct xp_value truth = { .type = XP_BOOLEANS };

		if (a->type != XP_SET && b->type != XP_SET)
			return compare_plain(q, op, a, b, ret);
		truth.truth = xp_to_truth(a->type == XP_SET ? a : b);
		return a->type == XP_SET ? compare_plain(q, op, &truth, b, ret)
					 : compare_plain(q, op, a, &truth, ret);
	}
	*ret = false;
	for (uint32_t i = 0; i < s->n && !*ret; i++) {
		VM_AUTO(xp_value_free) struct xp_value one = { .type = XP_TEXTS };

		if (xp_work(q, 1) < 0 || xp_text_of(q, s->v[i], &one.text) < 0 ||
		    compare(q, op, left ? &one : a, left ? b : &one, ret) < 0)
			return -1;
	}
	return 0;
}

static int evaluate_logic(const struct xp_context *c, const struct xp_expr *e, struct xp_value *ret)
{
	VM_AUTO(xp_value_free) struct xp_value a = { 0 }, b = { 0 };

	ret->type = XP_BOOLEANS;
	if (xp_evaluate(c, e->a, &a) < 0)
		return -1;
	if (e->op == XP_OR || e->op == XP_AND) {
		ret->truth = xp_to_truth(&a);
		if (ret->truth == (e->op == XP_OR))
			return 0;
		if (xp_evaluate(c, e->b, &b) < 0)
			return -1;
		ret->truth = xp_to_truth(&b);
		return 0;
	}
	return xp_evaluate(c, e->b, &b) < 0 ? -1 : compare(c->q, e->op, &a, &b, &ret->truth);
}

static int evaluate_number(const struct xp_context *c, const struct xp_expr *e,
			   struct xp_value *ret)
{
	VM_AUTO(xp_value_free) struct xp_value a = { 0 }, b = { 0 };
	double m, n = 0, whole;

	ret->type = XP_NUMBERS;
	if (xp_evaluate(c, e->a, &a) < 0 || xp_to_number(c->q, &a, &m) < 0 ||
	    (e->b != NULL &&
	     (xp_evaluate(c, e->b, &b) < 0 || xp_to_number(c->q, &b, &n) < 0)))
		return -1;
	switch ((unsigned)e->op) {
	case XP_NEGATE:
		ret->number = -m;
		break;
	case XP_ADD:
		ret->number = m + n;
		break;
	case XP_SUB:
		ret->number = m - n;
		break;
	case XP_MUL:
		ret->number = m * n;
		break;
	case XP_DIV:
		ret->number = m / n;
		break;
	default:
		whole = xp_floor(m / n < 0 ? -(m / n) : m / n);
		ret->number = m - (m / n < 0 ? -whole : whole) * n;
	}
	return 0;
}

static int evaluate_union(const struct xp_context *c, const struct xp_expr *e, struct xp_value *ret)
{
	VM_AUTO(xp_value_free) struct xp_value b = { 0 };

	if (xp_evaluate(c, e->a, ret) < 0 || xp_evaluate(c, e->b, &b) < 0)
		return -1;
	if (ret->type != XP_SET || b.type != XP_SET)
		return xp_fail(c->q, "'|' stands between two sets of nodes");
	if (xp_work(c->q, b.set.n) < 0)
		return -1;
	for (uint32_t i = 0; i < b.set.n; i++)
		xp_set_add(&ret->set, b.set.v[i]);
	sort(&ret->set);
	return 0;
}

static int evaluate_call(const struct xp_context *c, const struct xp_expr *e, struct xp_value *ret)
{
	struct xp_value *args = NULL;
	unsigned n = 0, i = 0;
	int rc = 0;

	for (const struct xp_expr *a = e->a; a != NULL; a = a->next)
		n++;
	args = vm_xcalloc(n + 1, sizeof(*args));
	for (const struct xp_expr *a = e->a; a != NULL && rc == 0; a = a->next)
		rc = xp_evaluate(c, a, &args[i++]);
	if (rc == 0)
		rc = e->function->run(c, args, n, ret);
	for (i = 0; i < n; i++)
		xp_value_free(&args[i]);
	free(args);
	return rc;
}

int xp_evaluate(const struct xp_context *c, const struct xp_expr *e, struct xp_value *ret)
{
	if (xp_work(c->q, 1) < 0)
		return -1;
	switch (e->op) {
	case XP_PATH:
		return evaluate_path(c, e, ret);
	case XP_CALL:
		return evaluate_call(c, e, ret);
	case XP_UNION:
		return evaluate_union(c, e, ret);
	case XP_NUMBER:
		ret->type = XP_NUMBERS;
		ret->number = e->number;
		return 0;
	case XP_STRING:
		ret->type = XP_TEXTS;
		ret->text = vm_xstrdup(e->text);
		return 0;
	case XP_OR:
	case XP_AND:
	case XP_EQ:
	case XP_NE:
	case XP_LT:
	case XP_LE:
	case XP_GT:
	case XP_GE:
		return evaluate_logic(c, e, ret);
	case XP_ADD:
	case XP_SUB:
	case XP_MUL:
	case XP_DIV:
	case XP_MOD:
	case XP_NEGATE:
		return evaluate_number(c, e, ret);
	}
	return -1;
}

int xml_xpath(const struct vm_xml *x, const char *path, struct xp_set *ret, struct vm_err *err)
{
	struct xp_query q = { .x = x, .path = path, .err = err };
	const struct xp_context c = { &q, { XP_ELEMENT, 0, 0 }, 1, 1 };
	VM_AUTO(xp_value_free) struct xp_value v = { 0 };
	struct xp_expr *e = NULL;
	int rc = xp_parse(&q, &e);

	if (rc == 0)
		rc = xp_evaluate(&c, e, &v);
	xp_free(&q);
	if (rc < 0)
		return -1;
	if (v.type != XP_SET)
		return vm_err_set(err, VM_USAGE, "'%.200s' is a value, not a place in the document",
				  path);
	*ret = v.set;
	v.set = (struct xp_set){ 0 };
	return 0;
}
