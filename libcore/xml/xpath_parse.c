/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XPath: from text to a tree. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "xpath.h"

struct parser {
	struct xp_query *q;
	const char *p;
};

#define LEVELS 7 /* of binary operators, weakest first */
static const struct {
	const char *text;
	uint8_t level;
	uint8_t op;
} operators[] = {
	{ "or", 0, XP_OR },  { "and", 1, XP_AND }, { "!=", 2, XP_NE },	{ "=", 2, XP_EQ },
	{ "<=", 3, XP_LE },  { ">=", 3, XP_GE },   { "<", 3, XP_LT },	{ ">", 3, XP_GT },
	{ "+", 4, XP_ADD },  { "-", 4, XP_SUB },   { "*", 5, XP_MUL },	{ "div", 5, XP_DIV },
	{ "mod", 5, XP_MOD }, { "|", 6, XP_UNION },
};
static const struct {
	const char *name;
	enum xp_axis axis;
} axes[] = {
	{ "child", XP_CHILD },
	{ "descendant", XP_DESCENDANT },
	{ "parent", XP_PARENT },
	{ "ancestor", XP_ANCESTOR },
	{ "following-sibling", XP_FOLLOWING_SIBLING },
	{ "preceding-sibling", XP_PRECEDING_SIBLING },
	{ "following", XP_FOLLOWING },
	{ "preceding", XP_PRECEDING },
	{ "attribute", XP_ATTRIBUTE },
	{ "self", XP_SELF },
	{ "descendant-or-self", XP_DESCENDANT_OR_SELF },
	{ "ancestor-or-self", XP_ANCESTOR_OR_SELF },
};

static int expression(struct parser *p, unsigned level, struct xp_expr **ret);

int xp_fail(struct xp_query *q, const char *fmt, ...)
{
	char why[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return vm_err_set(q->err, VM_USAGE, "'%.200s' is not an XPath: %s", q->path, why);
}

static int unexpected(struct parser *p, const char *wanted)
{
	if (*p->p == '\0')
		return xp_fail(p->q, "%s is missing at its end", wanted);
	return xp_fail(p->q, "%s is expected where '%.40s' begins", wanted, p->p);
}

static void blanks(struct parser *p)
{
	while (xml_is_space(*p->p))
		p->p++;
}

static bool take(struct parser *p, const char *token)
{
	size_t n = strlen(token);

	blanks(p);
	if (strncmp(p->p, token, n) != 0)
		return false;
	p->p += n;
	return true;
}

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool begins_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       (unsigned char)c >= 0x80;
}

/* Length of the name (without colon) here; 0 if there is none. */
static size_t name_len(const char *s)
{
	size_t n = 0;

	if (!begins_name(*s))
		return 0;
	while (begins_name(s[n]) || digit(s[n]) || s[n] == '-' || s[n] == '.')
		n++;
	return n;
}

static int make(struct parser *p, enum xp_op op, struct xp_expr **ret)
{
	if (++p->q->terms > XP_MAX_TERMS)
		return xp_fail(p->q, "it has more than %u terms", XP_MAX_TERMS);
	*ret = vm_xcalloc(1, sizeof(**ret));
	(*ret)->op = op;
	(*ret)->owned = p->q->owned;
	p->q->owned = *ret;
	return 0;
}

void xp_free(struct xp_query *q)
{
	while (q->owned != NULL) {
		struct xp_expr *e = q->owned;

		q->owned = e->owned;
		while (e->steps != NULL) {
			struct xp_step *s = e->steps;

			e->steps = s->next;
			free(s->name);
			free(s->ns);
			free(s);
		}
		free(e->text);
		free(e);
	}
}

static int predicates(struct parser *p, struct xp_expr **ret)
{
	while (take(p, "[")) {
		if (expression(p, 0, ret) < 0)
			return -1;
		if (!take(p, "]"))
			return unexpected(p, "']'");
		ret = &(*ret)->next;
	}
	return 0;
}

/* The URI behind a prefix that the root element declares. */
static int namespace_of(struct parser *p, const char *prefix, size_t len, char **ret)
{
	const struct vm_xml *x = p->q->x;
	struct vm_strbuf uri = VM_STRBUF_INIT;

	for (uint32_t i = 0; i < x->n_decls && x->decls[i].node == 0; i++) {
		const struct xml_decl *d = &x->decls[i];

		if (d->prefix_len != len || memcmp(x->text + d->prefix_at, prefix, len) != 0)
			continue;
		xml_decode(x, d->value_at, d->value_at + d->value_len, &uri);
		*ret = vm_strbuf_take(&uri);
		return 0;
	}
	return xp_fail(p->q, "the document's root does not declare the prefix '%.*s'",
		       (int)(len < 100 ? len : 100), prefix);
}

static int node_type(struct parser *p, struct xp_step *s)
{
	if (take(p, "node"))
		s->test = XP_TEST_NODE;
	else if (take(p, "text"))
		s->test = XP_TEST_TEXT;
	else
		return xp_fail(p->q, "'%.40s' names neither elements nor attributes", p->p);
	return take(p, "(") && take(p, ")") ? 0 : unexpected(p, "'()'");
}

static int node_test(struct parser *p, struct xp_step *s)
{
	size_t len, at;

	blanks(p);
	if (*p->p == '*') {
		p->p++;
		s->test = XP_TEST_ANY;
		return 0;
	}
	len = name_len(p->p);
	if (len == 0)
		return unexpected(p, "a name");
	at = len + strspn(p->p + len, " \t\r\n");
	if (p->p[at] == '(')
		return node_type(p, s);
	if (p->p[len] == ':' && p->p[len + 1] != ':') {
		if (namespace_of(p, p->p, len, &s->ns) < 0)
			return -1;
		p->p += len + 1;
		if (*p->p == '*') {
			p->p++;
			s->test = XP_TEST_ANY;
			return 0;
		}
		len = name_len(p->p);
		if (len == 0)
			return unexpected(p, "a name");
	} else {
		s->ns = vm_xstrdup("");
	}
	s->name = vm_xstrndup(p->p, len);
	p->p += len;
	return 0;
}

static int axis(struct parser *p, struct xp_step *s)
{
	size_t len, at;

	if (take(p, "@")) {
		s->axis = XP_ATTRIBUTE;
		return 0;
	}
	len = name_len(p->p);
	at = len + strspn(p->p + len, " \t\r\n");
	if (len == 0 || strncmp(p->p + at, "::", 2) != 0)
		return 0;
	for (size_t i = 0; i < VM_COUNT(axes); i++)
		if (strlen(axes[i].name) == len && memcmp(axes[i].name, p->p, len) == 0) {
			s->axis = axes[i].axis;
			p->p += at + 2;
			return 0;
		}
	return xp_fail(p->q, "there is no axis '%.*s'", (int)(len < 100 ? len : 100), p->p);
}

static struct xp_step *add_step(struct xp_step ***tail)
{
	struct xp_step *s = vm_xcalloc(1, sizeof(*s));

	**tail = s;
	*tail = &s->next;
	return s;
}

static int step(struct parser *p, struct xp_step ***tail)
{
	struct xp_step *s;

	if (++p->q->terms > XP_MAX_TERMS)
		return xp_fail(p->q, "it has more than %u terms", XP_MAX_TERMS);
	s = add_step(tail);
	if (take(p, "..")) {
		s->axis = XP_PARENT;
		s->test = XP_TEST_NODE;
		return 0;
	}
	if (take(p, ".")) {
		s->axis = XP_SELF;
		s->test = XP_TEST_NODE;
		return 0;
	}
	if (axis(p, s) < 0 || node_test(p, s) < 0)
		return -1;
	return predicates(p, &s->predicates);
}

static int steps(struct parser *p, struct xp_step ***tail)
{
	do {
		if (*p->p == '/') { /* the second of "//" */
			struct xp_step *s = add_step(tail);

			p->p++;
			s->axis = XP_DESCENDANT_OR_SELF;
			s->test = XP_TEST_NODE;
		}
		if (step(p, tail) < 0)
			return -1;
	} while (take(p, "/"));
	return 0;
}

static int literal(struct parser *p, struct xp_expr **ret)
{
	char quote = *p->p;
	const char *end = strchr(p->p + 1, quote);

	if (end == NULL)
		return xp_fail(p->q, "a string is not closed");
	if (make(p, XP_STRING, ret) < 0)
		return -1;
	(*ret)->text = vm_xstrndup(p->p + 1, (size_t)(end - p->p - 1));
	p->p = end + 1;
	return 0;
}

static int number(struct parser *p, struct xp_expr **ret)
{
	VM_AUTO_FREE char *text = NULL;
	size_t n = 0;

	while (digit(p->p[n]))
		n++;
	if (p->p[n] == '.')
		for (n++; digit(p->p[n]);)
			n++;
	if (make(p, XP_NUMBER, ret) < 0)
		return -1;
	text = vm_xstrndup(p->p, n);
	(*ret)->number = xp_number_of(text);
	p->p += n;
	return 0;
}

static int call(struct parser *p, size_t len, struct xp_expr **ret)
{
	const struct xp_function *f = xp_function_find(p->p, len);
	struct xp_expr **tail;
	unsigned n = 0;

	if (f == NULL)
		return xp_fail(p->q, "there is no function '%.*s'", (int)(len < 100 ? len : 100),
			       p->p);
	if (make(p, XP_CALL, ret) < 0)
		return -1;
	(*ret)->function = f;
	tail = &(*ret)->a;
	p->p += len;
	take(p, "(");
	while (!take(p, ")")) {
		if (n > 0 && !take(p, ","))
			return unexpected(p, "',' or ')'");
		if (++n > f->max || expression(p, 0, tail) < 0)
			return n > f->max ? xp_fail(p->q, "%s() takes fewer arguments", f->name)
					  : -1;
		tail = &(*tail)->next;
	}
	return n >= f->min ? 0 : xp_fail(p->q, "%s() takes more arguments", f->name);
}

/* Is a function called here?  Its name's length. */
static size_t called(const char *s)
{
	static const char *const types[] = { "node", "text", "comment", "processing-instruction" };
	size_t len = name_len(s), at = len + strspn(s + len, " \t\r\n");

	if (len == 0 || s[at] != '(')
		return 0;
	for (size_t i = 0; i < VM_COUNT(types); i++)
		if (strlen(types[i]) == len && memcmp(types[i], s, len) == 0)
			return 0;
	return len;
}

static int primary(struct parser *p, bool *ret_is, struct xp_expr **ret)
{
	size_t len;

	blanks(p);
	*ret_is = true;
	if (*p->p == '"' || *p->p == '\'')
		return literal(p, ret);
	if (digit(*p->p) || (*p->p == '.' && digit(p->p[1])))
		return number(p, ret);
	if (*p->p == '$')
		return xp_fail(p->q, "there are no variables");
	if (take(p, "(")) {
		if (expression(p, 0, ret) < 0)
			return -1;
		return take(p, ")") ? 0 : unexpected(p, "')'");
	}
	len = called(p->p);
	if (len > 0)
		return call(p, len, ret);
	*ret_is = false;
	return 0;
}

static int path(struct parser *p, struct xp_expr **ret)
{
	struct xp_expr *from = NULL, *filters = NULL;
	struct xp_step **tail;
	bool is;

	if (primary(p, &is, &from) < 0)
		return -1;
	blanks(p);
	if (is && *p->p != '[' && *p->p != '/') {
		*ret = from;
		return 0;
	}
	if (is && predicates(p, &filters) < 0)
		return -1;
	if (make(p, XP_PATH, ret) < 0)
		return -1;
	(*ret)->a = from;
	(*ret)->predicates = filters;
	tail = &(*ret)->steps;
	if (is)
		return take(p, "/") ? steps(p, &tail) : 0;
	if (take(p, "/")) {
		(*ret)->absolute = true;
		/* "/" alone is the document. */
		if (*p->p != '/')
			blanks(p);
		if (*p->p != '/' && *p->p != '@' && *p->p != '*' && *p->p != '.' &&
		    !begins_name(*p->p))
			return 0;
	}
	return steps(p, &tail);
}

static bool operator_here(struct parser *p, unsigned level, enum xp_op *ret)
{
	blanks(p);
	for (size_t i = 0; i < VM_COUNT(operators); i++) {
		size_t n = strlen(operators[i].text);

		if (operators[i].level != level || strncmp(p->p, operators[i].text, n) != 0 ||
		    (begins_name(*p->p) && name_len(p->p) != n))
			continue;
		p->p += n;
		*ret = operators[i].op;
		return true;
	}
	return false;
}

static int unary(struct parser *p, struct xp_expr **ret)
{
	if (!take(p, "-"))
		return expression(p, LEVELS - 1, ret);
	if (make(p, XP_NEGATE, ret) < 0)
		return -1;
	if (++p->q->depth > XP_MAX_DEPTH)
		return xp_fail(p->q, "it is nested more than %u deep", XP_MAX_DEPTH);
	if (unary(p, &(*ret)->a) < 0)
		return -1;
	p->q->depth--;
	return 0;
}

static int expression(struct parser *p, unsigned level, struct xp_expr **ret)
{
	struct xp_expr *left = NULL, *both;
	enum xp_op op = XP_OR;

	if (level == 0 && ++p->q->depth > XP_MAX_DEPTH)
		return xp_fail(p->q, "it is nested more than %u deep", XP_MAX_DEPTH);
	for (;;) {
		struct xp_expr *one = NULL;

		if ((level == LEVELS - 1   ? path(p, &one)
		     : level == LEVELS - 2 ? unary(p, &one)
					   : expression(p, level + 1, &one)) < 0)
			return -1;
		if (left == NULL) {
			left = one;
		} else {
			if (make(p, op, &both) < 0)
				return -1;
			both->a = left;
			both->b = one;
			left = both;
		}
		if (!operator_here(p, level, &op))
			break;
	}
	if (level == 0)
		p->q->depth--;
	*ret = left;
	return 0;
}

int xp_parse(struct xp_query *q, struct xp_expr **ret)
{
	struct parser p = { .q = q, .p = q->path };

	if (expression(&p, 0, ret) < 0)
		return -1;
	blanks(&p);
	return *p.p == '\0' ? 0 : unexpected(&p, "an operator or the end");
}
