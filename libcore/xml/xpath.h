/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * XPath 1.0 over the node table.  All of it but what the table does not hold: comments, processing
 * instructions, the namespace axis, id(), lang() and variables are refused; an element's own
 * character data is one text node.  Prefixes are those that the root element declares.
 * Source: XML Path Language (XPath) Version 1.0, W3C Recommendation of 1999-11-16.
 */
#include <vm/strbuf.h>

#include "xml_internal.h"

enum xp_item_kind { XP_ROOT, XP_ELEMENT, XP_ATTR, XP_TEXT }; /* in the order of the document */
struct xp_item {
	enum xp_item_kind kind;
	uint32_t node, attr; /* the element (an attribute's or text's owner); number in x->attrs */
};
struct xp_set {
	struct xp_item *v; /* owned */
	uint32_t n, cap;
};

/* What a path names, in the order of the document.  VM_USAGE: "'PATH' is not an XPath: why", or its
 * value is no set of nodes.  The root element is where relative paths begin. */
int xml_xpath(const struct vm_xml *x, const char *path, struct xp_set *ret, struct vm_err *err);
void xp_set_free(struct xp_set *s);

/* ---- for the parts of the evaluator ---- */

#define XP_MAX_OPERATIONS 20000000u /* nodes looked at: seconds, not for ever */
#define XP_MAX_DEPTH	  50u	    /* brackets in brackets */
#define XP_MAX_TERMS	  2000u

enum xp_op {
	XP_OR, XP_AND, XP_EQ, XP_NE, XP_LT, XP_LE, XP_GT, XP_GE, XP_ADD, XP_SUB, XP_MUL, XP_DIV,
	XP_MOD, XP_UNION, XP_NEGATE, XP_NUMBER, XP_STRING, XP_CALL, XP_PATH
};
enum xp_axis {
	XP_CHILD, XP_DESCENDANT, XP_PARENT, XP_ANCESTOR, XP_FOLLOWING_SIBLING,
	XP_PRECEDING_SIBLING, XP_FOLLOWING, XP_PRECEDING, XP_ATTRIBUTE, XP_SELF,
	XP_DESCENDANT_OR_SELF, XP_ANCESTOR_OR_SELF
};
enum xp_test { XP_TEST_NAME, XP_TEST_ANY, XP_TEST_NODE, XP_TEST_TEXT };

struct xp_step {
	enum xp_axis axis;
	enum xp_test test; /* ANY with a namespace is "p:*" */
	char *name;
	char *ns; /* URI; "" = none; NULL with ANY: whichever */
	struct xp_expr *predicates;
	struct xp_step *next;
};
struct xp_expr {
	enum xp_op op;
	struct xp_expr *a, *b; /* operands; CALL: a = first argument; PATH: a = where from, or NULL */
	struct xp_expr *next;  /* next argument or predicate */
	struct xp_expr *owned; /* all of one path, for freeing */
	double number;
	char *text;
	const struct xp_function *function;
	struct xp_expr *predicates; /* PATH: of what `a` gives */
	struct xp_step *steps;
	bool absolute;
};

enum xp_type { XP_SET, XP_TEXTS, XP_NUMBERS, XP_BOOLEANS };
struct xp_value {
	enum xp_type type;
	struct xp_set set; /* owned */
	char *text;	   /* owned */
	double number;
	bool truth;
};

struct xp_query {
	const struct vm_xml *x;
	const char *path;
	struct vm_err *err;
	struct xp_expr *owned;
	unsigned terms, depth;
	uint64_t operations;
};
struct xp_context {
	struct xp_query *q;
	struct xp_item item;
	uint32_t position, size;
};
struct xp_function {
	const char *name;
	unsigned min, max; /* arguments */
	int (*run)(const struct xp_context *c, struct xp_value *args, unsigned n,
		   struct xp_value *ret);
};

/* VM_USAGE "'PATH' is not an XPath: ..."; -1. */
int xp_fail(struct xp_query *q, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Counts what is done; -1 when it is too much. */
int xp_work(struct xp_query *q, size_t amount);
/* The expression; freed by xp_free(). */
int xp_parse(struct xp_query *q, struct xp_expr **ret);
void xp_free(struct xp_query *q);
int xp_evaluate(const struct xp_context *c, const struct xp_expr *e, struct xp_value *ret);
void xp_value_free(struct xp_value *v);
void xp_set_add(struct xp_set *s, struct xp_item item);
/* Appends what of an axis passes the step's test, nearest first. */
int xp_axis(struct xp_query *q, struct xp_item from, const struct xp_step *step,
	    struct xp_set *ret);
/* NULL: there is none of that name. */
const struct xp_function *xp_function_find(const char *name, size_t len);

/* Conversions; texts are owned by the caller.  They fail only by too much work. */
int xp_text_of(struct xp_query *q, struct xp_item item, char **ret);
int xp_to_text(struct xp_query *q, const struct xp_value *v, char **ret);
int xp_to_number(struct xp_query *q, const struct xp_value *v, double *ret);
bool xp_to_truth(const struct xp_value *v);
double xp_number_of(const char *text);
double xp_floor(double v);
