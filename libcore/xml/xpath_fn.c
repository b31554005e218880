/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XPath: conversions and functions. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "xpath.h"

static void add_text(const struct vm_xml *x, vm_node n, bool deep, struct vm_strbuf *b)
{
	uint32_t at = x->nodes[n].tag_end;

	for (vm_node c = x->nodes[n].first; c != VM_NODE_NONE; c = x->nodes[c].next) {
		xml_decode(x, at, x->nodes[c].at, b);
		if (deep)
			add_text(x, c, true, b);
		at = x->nodes[c].end;
	}
	xml_decode(x, at, x->nodes[n].content_end, b);
}

int xp_text_of(struct xp_query *q, struct xp_item item, char **ret)
{
	struct vm_strbuf b = VM_STRBUF_INIT;

	if (item.kind == XP_ATTR) {
		*ret = vm_xstrdup(q->x->attrs[item.attr].value);
		return 0;
	}
	if (xp_work(q, 1 + (q->x->nodes[item.node].end - q->x->nodes[item.node].at) / 64) < 0)
		return -1;
	add_text(q->x, item.node, item.kind != XP_TEXT, &b);
	*ret = vm_strbuf_take(&b);
	return 0;
}

static char *number_text(double v)
{
	if (v != v)
		return vm_xstrdup("NaN");
	if (v - v != 0)
		return vm_xstrdup(v > 0 ? "Infinity" : "-Infinity");
	if (v == xp_floor(v) && v < 1e15 && v > -1e15)
		return vm_xasprintf("%lld", (long long)v);
	return vm_xasprintf("%.15g", v);
}

int xp_to_text(struct xp_query *q, const struct xp_value *v, char **ret)
{
	if (v->type == XP_SET && v->set.n > 0)
		return xp_text_of(q, v->set.v[0], ret);
	*ret = v->type == XP_TEXTS	? vm_xstrdup(v->text)
	       : v->type == XP_NUMBERS	? number_text(v->number)
	       : v->type == XP_BOOLEANS ? vm_xstrdup(v->truth ? "true" : "false")
					: vm_xstrdup("");
	return 0;
}

double xp_number_of(const char *text)
{
	double v = 0, unit = 1;
	bool minus, digits = false;

	while (xml_is_space(*text))
		text++;
	minus = *text == '-';
	for (text += minus; *text >= '0' && *text <= '9'; text++, digits = true)
		v = v * 10 + (*text - '0');
	if (*text == '.')
		for (text++; *text >= '0' && *text <= '9'; text++, digits = true) {
			v = v * 10 + (*text - '0');
			unit *= 10;
		}
	while (xml_is_space(*text))
		text++;
	if (!digits || *text != '\0')
		return (double)NAN;
	return (minus ? -v : v) / unit;
}

int xp_to_number(struct xp_query *q, const struct xp_value *v, double *ret)
{
	VM_AUTO_FREE char *text = NULL;

	if (v->type == XP_NUMBERS) {
		*ret = v->number;
		return 0;
	}
	if (v->type == XP_BOOLEANS) {
		*ret = v->truth;
		return 0;
	}
	if (xp_to_text(q, v, &text) < 0)
		return -1;
	*ret = xp_number_of(text);
	return 0;
}

bool xp_to_truth(const struct xp_value *v)
{
	switch (v->type) {
	case XP_SET:
		return v->set.n > 0;
	case XP_TEXTS:
		return v->text[0] != '\0';
	case XP_NUMBERS:
		return v->number == v->number && v->number != 0;
	case XP_BOOLEANS:
		break;
	}
	return v->truth;
}

double xp_floor(double v)
{
	double whole;

	if (!(v < 9e15 && v > -9e15))
		return v; /* whole, infinite or not a number */
	whole = (double)(int64_t)v;
	return whole > v ? whole - 1 : whole;
}

/* ---- functions ---- */

static int set_text(struct xp_value *ret, char *text)
{
	ret->type = XP_TEXTS;
	ret->text = text;
	return 0;
}

static int set_number(struct xp_value *ret, double v)
{
	ret->type = XP_NUMBERS;
	ret->number = v;
	return 0;
}

static int set_truth(struct xp_value *ret, bool v)
{
	ret->type = XP_BOOLEANS;
	ret->truth = v;
	return 0;
}

/* Argument i as text; without it the node at hand. */
static int text_arg(const struct xp_context *c, struct xp_value *args, unsigned n, unsigned i,
		    char **ret)
{
	return i < n ? xp_to_text(c->q, &args[i], ret) : xp_text_of(c->q, c->item, ret);
}

/* Argument 0 as a set of nodes; without it the node at hand. */
static int node_arg(const struct xp_context *c, struct xp_value *args, unsigned n, bool *ret_is,
		    struct xp_item *ret)
{
	*ret_is = true;
	*ret = c->item;
	if (n == 0)
		return 0;
	if (args[0].type != XP_SET)
		return xp_fail(c->q, "a function that takes nodes is given a value");
	*ret_is = args[0].set.n > 0;
	if (*ret_is)
		*ret = args[0].set.v[0];
	return 0;
}

#define FUNCTION(fn)                                                                               \
	static int fn(const struct xp_context *c, struct xp_value *args, unsigned n,               \
		      struct xp_value *ret)
#define UNUSED (void)c, (void)args, (void)n

FUNCTION(fn_last)
{
	UNUSED;
	return set_number(ret, c->size);
}

FUNCTION(fn_position)
{
	UNUSED;
	return set_number(ret, c->position);
}

FUNCTION(fn_count)
{
	UNUSED;
	if (args[0].type != XP_SET)
		return xp_fail(c->q, "count() takes nodes");
	return set_number(ret, args[0].set.n);
}

static int name_of(const struct xp_context *c, struct xp_value *args, unsigned n,
		   struct xp_value *ret, char part)
{
	const struct vm_xml *x = c->q->x;
	struct xp_item item;
	const char *text = "";
	bool is;

	if (node_arg(c, args, n, &is, &item) < 0)
		return -1;
	if (is && (item.kind == XP_ELEMENT || item.kind == XP_ATTR)) {
		const struct xml_attr *a = &x->attrs[item.attr];
		const struct xml_node *e = &x->nodes[item.node];

		if (part == 'q')
			return set_text(ret, item.kind == XP_ATTR
						 ? vm_xstrndup(x->text + a->at, a->len)
						 : vm_xstrndup(x->text + e->at + 1, e->name_len));
		text = item.kind == XP_ATTR ? (part == 'n' ? a->ns : a->name)
					    : (part == 'n' ? e->ns : e->name);
	}
	return set_text(ret, vm_xstrdup(text));
}

FUNCTION(fn_name)
{
	return name_of(c, args, n, ret, 'q');
}

FUNCTION(fn_local_name)
{
	return name_of(c, args, n, ret, 'l');
}

FUNCTION(fn_namespace_uri)
{
	return name_of(c, args, n, ret, 'n');
}

FUNCTION(fn_string)
{
	VM_AUTO_FREE char *text = NULL;

	return text_arg(c, args, n, 0, &text) < 0 ? -1 : set_text(ret, vm_take_ptr(&text));
}

FUNCTION(fn_concat)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;

	for (unsigned i = 0; i < n; i++) {
		VM_AUTO_FREE char *text = NULL;

		if (xp_to_text(c->q, &args[i], &text) < 0 || xp_work(c->q, strlen(text) / 64) < 0)
			return -1;
		vm_strbuf_puts(&b, text);
	}
	return set_text(ret, vm_strbuf_take(&b));
}

/* Argument 0 and where argument 1 is in it, or NULL. */
static int search(const struct xp_context *c, struct xp_value *args, char **ret_text,
		  char **ret_what, const char **ret_hit)
{
	if (xp_to_text(c->q, &args[0], ret_text) < 0 || xp_to_text(c->q, &args[1], ret_what) < 0 ||
	    xp_work(c->q, strlen(*ret_text) / 64) < 0)
		return -1;
	*ret_hit = strstr(*ret_text, *ret_what);
	return 0;
}

FUNCTION(fn_starts_with)
{
	VM_AUTO_FREE char *text = NULL, *what = NULL;
	const char *hit;

	(void)n;
	if (search(c, args, &text, &what, &hit) < 0)
		return -1;
	return set_truth(ret, strncmp(text, what, strlen(what)) == 0);
}

FUNCTION(fn_contains)
{
	VM_AUTO_FREE char *text = NULL, *what = NULL;
	const char *hit;

	(void)n;
	return search(c, args, &text, &what, &hit) < 0 ? -1 : set_truth(ret, hit != NULL);
}

FUNCTION(fn_substring_before)
{
	VM_AUTO_FREE char *text = NULL, *what = NULL;
	const char *hit;

	(void)n;
	if (search(c, args, &text, &what, &hit) < 0)
		return -1;
	return set_text(ret, vm_xstrndup(text, hit != NULL ? (size_t)(hit - text) : 0));
}

FUNCTION(fn_substring_after)
{
	VM_AUTO_FREE char *text = NULL, *what = NULL;
	const char *hit;

	(void)n;
	if (search(c, args, &text, &what, &hit) < 0)
		return -1;
	return set_text(ret, vm_xstrdup(hit != NULL ? hit + strlen(what) : ""));
}

static double rounded(double v)
{
	return xp_floor(v + 0.5);
}

FUNCTION(fn_substring)
{
	VM_AUTO_FREE char *text = NULL;
	struct vm_strbuf b = VM_STRBUF_INIT;
	double first, count = HUGE_VAL, position = 1;

	if (xp_to_text(c->q, &args[0], &text) < 0 || xp_to_number(c->q, &args[1], &first) < 0 ||
	    (n > 2 && xp_to_number(c->q, &args[2], &count) < 0) ||
	    xp_work(c->q, strlen(text) / 64) < 0)
		return -1;
	first = rounded(first);
	count = rounded(count);
	for (const char *p = text; *p != '\0'; position++) {
		size_t len = vm_utf8_next(p, strlen(p) < 4 ? strlen(p) : 4);

		len = len > 0 ? len : 1;
		if (position >= first && position < first + count)
			vm_strbuf_add(&b, p, len);
		p += len;
	}
	return set_text(ret, vm_strbuf_take(&b));
}

FUNCTION(fn_string_length)
{
	VM_AUTO_FREE char *text = NULL;
	size_t length = 0;

	if (text_arg(c, args, n, 0, &text) < 0)
		return -1;
	for (const char *p = text; *p != '\0'; p++)
		length += ((unsigned char)*p & 0xc0) != 0x80;
	return set_number(ret, (double)length);
}

FUNCTION(fn_normalize_space)
{
	VM_AUTO_FREE char *text = NULL;
	struct vm_strbuf b = VM_STRBUF_INIT;

	if (text_arg(c, args, n, 0, &text) < 0)
		return -1;
	for (const char *p = text; *p != '\0'; p++) {
		if (!xml_is_space(*p))
			vm_strbuf_putc(&b, *p);
		else if (b.len > 0 && !xml_is_space(p[1]) && p[1] != '\0')
			vm_strbuf_putc(&b, ' ');
	}
	return set_text(ret, vm_strbuf_take(&b));
}

/* The index-th character of a text, "" behind its end. */
static const char *character(const char *text, size_t index, size_t *ret_len)
{
	for (;; index--) {
		size_t left = strlen(text), len = left > 0 ? vm_utf8_next(text, left) : 0;

		*ret_len = left > 0 && len == 0 ? 1 : len;
		if (index == 0 || left == 0)
			return text;
		text += *ret_len;
	}
}

FUNCTION(fn_translate)
{
	VM_AUTO_FREE char *text = NULL, *from = NULL, *to = NULL;
	struct vm_strbuf b = VM_STRBUF_INIT;

	(void)n;
	if (xp_to_text(c->q, &args[0], &text) < 0 || xp_to_text(c->q, &args[1], &from) < 0 ||
	    xp_to_text(c->q, &args[2], &to) < 0 ||
	    xp_work(c->q, strlen(text) * (1 + (strlen(from) + strlen(to)) / 16)) < 0)
		return -1;
	for (const char *p = text; *p != '\0';) {
		size_t len, known, index = 0;
		const char *f;

		character(p, 0, &len);
		for (f = character(from, 0, &known);
		     *f != '\0' && (known != len || memcmp(f, p, len) != 0);
		     f += known, index++, character(f, 0, &known))
			;
		if (*f == '\0') {
			vm_strbuf_add(&b, p, len);
		} else {
			const char *now = character(to, index, &known);

			vm_strbuf_add(&b, now, *now != '\0' ? known : 0);
		}
		p += len;
	}
	return set_text(ret, vm_strbuf_take(&b));
}

FUNCTION(fn_boolean)
{
	UNUSED;
	return set_truth(ret, xp_to_truth(&args[0]));
}

FUNCTION(fn_not)
{
	UNUSED;
	return set_truth(ret, !xp_to_truth(&args[0]));
}

FUNCTION(fn_true)
{
	UNUSED;
	return set_truth(ret, true);
}

FUNCTION(fn_false)
{
	UNUSED;
	return set_truth(ret, false);
}

FUNCTION(fn_number)
{
	VM_AUTO_FREE char *text = NULL;

	if (n > 0)
		return xp_to_number(c->q, &args[0], &ret->number) < 0
			   ? -1
			   : set_number(ret, ret->number);
	return xp_text_of(c->q, c->item, &text) < 0 ? -1 : set_number(ret, xp_number_of(text));
}

FUNCTION(fn_sum)
{
	double sum = 0;

	(void)n;
	if (args[0].type != XP_SET)
		return xp_fail(c->q, "sum() takes nodes");
	for (uint32_t i = 0; i < args[0].set.n; i++) {
		VM_AUTO_FREE char *text = NULL;

		if (xp_text_of(c->q, args[0].set.v[i], &text) < 0)
			return -1;
		sum += xp_number_of(text);
	}
	return set_number(ret, sum);
}

FUNCTION(fn_floor)
{
	(void)n;
	if (xp_to_number(c->q, &args[0], &ret->number) < 0)
		return -1;
	return set_number(ret, xp_floor(ret->number));
}

FUNCTION(fn_ceiling)
{
	(void)n;
	if (xp_to_number(c->q, &args[0], &ret->number) < 0)
		return -1;
	return set_number(ret, -xp_floor(-ret->number));
}

FUNCTION(fn_round)
{
	(void)n;
	if (xp_to_number(c->q, &args[0], &ret->number) < 0)
		return -1;
	return set_number(ret, rounded(ret->number));
}

const struct xp_function *xp_function_find(const char *name, size_t len)
{
	static const struct xp_function functions[] = {
		{ "last", 0, 0, fn_last },
		{ "position", 0, 0, fn_position },
		{ "count", 1, 1, fn_count },
		{ "name", 0, 1, fn_name },
		{ "local-name", 0, 1, fn_local_name },
		{ "namespace-uri", 0, 1, fn_namespace_uri },
		{ "string", 0, 1, fn_string },
		{ "concat", 2, 64, fn_concat },
		{ "starts-with", 2, 2, fn_starts_with },
		{ "contains", 2, 2, fn_contains },
		{ "substring-before", 2, 2, fn_substring_before },
		{ "substring-after", 2, 2, fn_substring_after },
		{ "substring", 2, 3, fn_substring },
		{ "string-length", 0, 1, fn_string_length },
		{ "normalize-space", 0, 1, fn_normalize_space },
		{ "translate", 3, 3, fn_translate },
		{ "boolean", 1, 1, fn_boolean },
		{ "not", 1, 1, fn_not },
		{ "true", 0, 0, fn_true },
		{ "false", 0, 0, fn_false },
		{ "number", 0, 1, fn_number },
		{ "sum", 1, 1, fn_sum },
		{ "floor", 1, 1, fn_floor },
		{ "ceiling", 1, 1, fn_ceiling },
		{ "round", 1, 1, fn_round },
	};

	for (size_t i = 0; i < VM_COUNT(functions); i++)
		if (strlen(functions[i].name) == len && memcmp(functions[i].name, name, len) == 0)
			return &functions[i];
	return NULL;
}
