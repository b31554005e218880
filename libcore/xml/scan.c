/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Byte ranges.  expat's events carry values but no offsets of attributes, so this scanner walks
 * the same text and finds tags and attributes; parse.c then runs expat over it in lockstep and
 * refuses the document if the two disagree anywhere.  It runs first: what is too deep, too large or
 * has a DTD never reaches expat.
 */
#include <string.h>

#include <vm/alloc.h>

#include "xml_internal.h"

/* Length of the UTF-8 character at p (end > p), 0 if it is none or XML forbids it. */
static unsigned char_len(const unsigned char *p, const unsigned char *end)
{
	unsigned n, i;
	uint32_t c;

	if (p[0] < 0x80)
		return p[0] >= 0x20 || xml_is_space((char)p[0]) ? 1 : 0;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		n = 2;
	else if ((p[0] & 0xf0) == 0xe0)
		n = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if ((size_t)(end - p) < n)
		return 0;
	c = p[0] & (0x7fu >> n);
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3fu);
	}
	if ((n == 3 && c < 0x800) || (n == 4 && (c < 0x10000 || c > 0x10ffff)))
		return 0;
	if ((c >= 0xd800 && c <= 0xdfff) || c == 0xfffe || c == 0xffff)
		return 0;
	return n;
}

int xml_check_text(const struct vm_xml *x, struct vm_err *err)
{
	const unsigned char *p = (const unsigned char *)x->text, *end = p + x->len;
	unsigned n;

	for (; p < end; p += n) {
		n = char_len(p, end);
		if (n == 0) {
			size_t at = (size_t)(p - (const unsigned char *)x->text);

			if (*p < 0x80)
				return xml_error_at(x, at, err,
						    "control character 0x%02x is not allowed", *p);
			xml_error_at(x, at, err, "invalid UTF-8 (byte 0x%02x)", *p);
			vm_err_hint(err, "save the file as UTF-8, or declare its encoding");
			return -1;
		}
	}
	return 0;
}

struct scan {
	struct vm_xml *x;
	struct vm_err *err;
	uint32_t pos, len;
	vm_node open; /* innermost open element */
	unsigned depth;
	bool root_done;
};

static bool looking_at(const struct scan *s, const char *what)
{
	size_t n = strlen(what);

	return s->len - s->pos >= n && memcmp(s->x->text + s->pos, what, n) == 0;
}

static int fail(struct scan *s, uint32_t at, const char *what)
{
	return xml_error_at(s->x, at, s->err, "%s", what);
}

static void skip_space(struct scan *s)
{
	while (s->pos < s->len && xml_is_space(s->x->text[s->pos]))
		s->pos++;
}

static int skip_to(struct scan *s, const char *open, const char *close, const char *what)
{
	size_t skip = strlen(open);
	const char *from = s->x->text + s->pos + skip, *hit;

	hit = memmem(from, s->len - s->pos - skip, close, strlen(close));
	if (hit == NULL)
		return xml_error_at(s->x, s->pos, s->err, "%s is not closed", what);
	s->pos = (uint32_t)(hit - s->x->text) + (uint32_t)strlen(close);
	return 0;
}

/* Which characters a name may have is expat's to say; here it ends where something else must
 * begin. */
static uint32_t skip_name(struct scan *s)
{
	uint32_t from = s->pos;

	while (s->pos < s->len && strchr("<>/=\"'&", s->x->text[s->pos]) == NULL &&
	       !xml_is_space(s->x->text[s->pos]))
		s->pos++;
	return s->pos - from;
}

static int add_node(struct scan *s, vm_node *ret)
{
	struct vm_xml *x = s->x;
	struct xml_node *n;

	if (s->depth == VM_XML_MAX_DEPTH)
		return xml_error_at(x, s->pos, s->err, "elements are nested more than %u deep",
				    VM_XML_MAX_DEPTH);
	if (x->n_nodes == VM_XML_MAX_NODES)
		return xml_error_at(x, s->pos, s->err, "more than %u elements", VM_XML_MAX_NODES);
	if (x->n_nodes == x->cap_nodes) {
		x->cap_nodes = x->cap_nodes ? x->cap_nodes * 2 : 128;
		x->nodes = vm_xreallocarray(x->nodes, x->cap_nodes, sizeof(*x->nodes));
	}
	n = &x->nodes[x->n_nodes];
	*n = (struct xml_node){.parent = s->open,
			       .next = VM_NODE_NONE,
			       .first = VM_NODE_NONE,
			       .last = VM_NODE_NONE,
			       .at = s->pos,
			       .attr = x->n_attrs,
			       .name = "",
			       .ns = "",
			       .content = ""};
	if (s->open != VM_NODE_NONE) {
		struct xml_node *parent = &x->nodes[s->open];

		if (parent->last != VM_NODE_NONE)
			x->nodes[parent->last].next = x->n_nodes;
		else
			parent->first = x->n_nodes;
		parent->last = x->n_nodes;
	}
	*ret = x->n_nodes++;
	return 0;
}

/* expat finds this too, but cannot say where. */
static bool has_attr(const struct vm_xml *x, vm_node n, uint32_t at, uint32_t len)
{
	for (uint32_t i = x->nodes[n].attr; i < x->n_attrs; i++)
		if (x->attrs[i].len == len &&
		    memcmp(x->text + x->attrs[i].at, x->text + at, len) == 0)
			return true;
	return false;
}

static int add_attr(struct scan *s, vm_node n, uint32_t at, uint32_t len, uint32_t value_at)
{
	struct vm_xml *x = s->x;
	const char *name = x->text + at;
	uint32_t value_len = s->pos - value_at;

	if ((len == 5 && memcmp(name, "xmlns", 5) == 0) ||
	    (len > 6 && memcmp(name, "xmlns:", 6) == 0)) {
		if (x->n_decls == x->cap_decls) {
			x->cap_decls = x->cap_decls ? x->cap_decls * 2 : 8;
			x->decls = vm_xreallocarray(x->decls, x->cap_decls, sizeof(*x->decls));
		}
		x->decls[x->n_decls++] = (struct xml_decl){
		    n, len > 6 ? at + 6 : at, len > 6 ? len - 6 : 0, value_at, value_len};
		return 0;
	}
	if (has_attr(x, n, at, len))
		return xml_error_at(x, at, s->err, "attribute '%.*s' is given twice",
				    (int)(len < 100 ? len : 100), name);
	if (x->n_attrs == x->cap_attrs) {
		x->cap_attrs *= 2;
		x->attrs = vm_xreallocarray(x->attrs, x->cap_attrs, sizeof(*x->attrs));
	}
	x->attrs[x->n_attrs++] = (struct xml_attr){.node = n,
						   .at = at,
						   .len = len,
						   .value_at = value_at,
						   .value_len = value_len,
						   .name = "",
						   .ns = "",
						   .value = ""};
	x->nodes[n].n_attrs++;
	return 0;
}

static int scan_attr(struct scan *s, vm_node n)
{
	const char *text = s->x->text, *hit, *less;
	uint32_t at = s->pos, len = skip_name(s), value_at;

	if (len == 0)
		return fail(s, at, "an attribute name is expected here");
	skip_space(s);
	if (s->pos == s->len || text[s->pos] != '=')
		return xml_error_at(s->x, at, s->err, "attribute '%.*s' has no value",
				    (int)(len < 100 ? len : 100), text + at);
	s->pos++;
	skip_space(s);
	if (s->pos == s->len || (text[s->pos] != '"' && text[s->pos] != '\''))
		return fail(s, s->pos, "an attribute's value must be in quotes");
	value_at = s->pos + 1;
	hit = memchr(text + value_at, text[s->pos], s->len - value_at);
	if (hit == NULL)
		return fail(s, s->pos, "the attribute's value is not closed");
	less = memchr(text + value_at, '<', (size_t)(hit - text) - value_at);
	if (less != NULL)
		return fail(s, (uint32_t)(less - text), "'<' in an attribute's value");
	s->pos = (uint32_t)(hit - text);
	if (add_attr(s, n, at, len, value_at) < 0)
		return -1;
	s->pos++;
	s->x->nodes[n].attrs_end = s->pos;
	return 0;
}

static int scan_start(struct scan *s)
{
	struct vm_xml *x = s->x;
	uint32_t at = s->pos, count = 0;
	vm_node n = VM_NODE_NONE;

	if (s->open == VM_NODE_NONE && s->root_done)
		return fail(s, at, "a second element outside the root element");
	if (add_node(s, &n) < 0)
		return -1;
	s->pos++;
	x->nodes[n].name_len = skip_name(s);
	if (x->nodes[n].name_len == 0)
		return fail(s, at, "'<' without an element name (write &lt; for the character)");
	x->nodes[n].attrs_end = s->pos;
	for (;;) {
		uint32_t before = s->pos;

		skip_space(s);
		if (s->pos == s->len)
			return fail(s, at, "the tag is not closed");
		if (x->text[s->pos] == '>' || looking_at(s, "/>"))
			break;
		if (s->pos == before)
			return fail(s, s->pos, "white space is expected here");
		if (++count > VM_XML_MAX_ATTRS || x->n_attrs + x->n_decls >= VM_XML_MAX_ALL_ATTRS)
			return xml_error_at(x, s->pos, s->err, "more than %u attributes",
					    count > VM_XML_MAX_ATTRS ? VM_XML_MAX_ATTRS
								     : VM_XML_MAX_ALL_ATTRS);
		if (scan_attr(s, n) < 0)
			return -1;
	}
	x->nodes[n].empty = x->text[s->pos] == '/';
	s->pos += x->nodes[n].empty ? 2 : 1;
	x->nodes[n].tag_end = x->nodes[n].content_end = x->nodes[n].end = s->pos;
	if (!x->nodes[n].empty) {
		s->open = n;
		s->depth++;
	} else if (s->open == VM_NODE_NONE) {
		s->root_done = true;
	}
	return 0;
}

static int scan_end(struct scan *s)
{
	struct vm_xml *x = s->x;
	uint32_t at = s->pos, name, len;
	struct xml_node *n;

	s->pos += 2;
	name = s->pos;
	len = skip_name(s);
	skip_space(s);
	if (s->pos == s->len || x->text[s->pos] != '>' || len == 0)
		return fail(s, at, "malformed end tag");
	s->pos++;
	if (s->open == VM_NODE_NONE)
		return xml_error_at(x, at, s->err, "</%.*s> closes nothing",
				    (int)(len < 100 ? len : 100), x->text + name);
	n = &x->nodes[s->open];
	if (len != n->name_len || memcmp(x->text + name, x->text + n->at + 1, len) != 0) {
		unsigned line, column;

		xml_locate(x, n->at, &line, &column);
		return xml_error_at(x, at, s->err, "</%.*s> instead of </%.*s> (opened on line %u)",
				    (int)(len < 100 ? len : 100), x->text + name,
				    (int)(n->name_len < 100 ? n->name_len : 100),
				    x->text + n->at + 1, line);
	}
	n->content_end = at;
	n->end = s->pos;
	s->open = n->parent;
	s->depth--;
	s->root_done = s->open == VM_NODE_NONE;
	return 0;
}

static int scan_text(struct scan *s)
{
	const char *text = s->x->text, *hit;
	uint32_t at = s->pos, end;

	hit = memchr(text + s->pos, '<', s->len - s->pos);
	end = hit == NULL ? s->len : (uint32_t)(hit - text);
	s->pos = end;
	if (s->open != VM_NODE_NONE)
		return 0;
	for (; at < end; at++)
		if (!xml_is_space(text[at]))
			return fail(s, at, "text outside the root element");
	return 0;
}

static int scan_markup(struct scan *s)
{
	if (looking_at(s, "<!--"))
		return skip_to(s, "<!--", "-->", "the comment");
	if (looking_at(s, "<![CDATA[")) {
		if (s->open == VM_NODE_NONE)
			return fail(s, s->pos, "text outside the root element");
		return skip_to(s, "<![CDATA[", "]]>", "the CDATA section");
	}
	if (looking_at(s, "<!"))
		return fail(s, s->pos,
			    "a document type (DTD) or entity declaration is not allowed here");
	if (looking_at(s, "<?"))
		return skip_to(s, "<?", "?>", "the processing instruction");
	if (looking_at(s, "</"))
		return scan_end(s);
	return scan_start(s);
}

int xml_scan(struct vm_xml *x, struct vm_err *err)
{
	struct scan s = {.x = x,
			 .err = err,
			 .pos = (uint32_t)x->bom,
			 .len = (uint32_t)x->len,
			 .open = VM_NODE_NONE};

	x->cap_attrs = 64;
	x->attrs = vm_xreallocarray(NULL, x->cap_attrs, sizeof(*x->attrs));
	while (s.pos < s.len)
		if ((x->text[s.pos] == '<' ? scan_markup(&s) : scan_text(&s)) < 0)
			return -1;
	if (s.open != VM_NODE_NONE)
		return xml_error_at(
		    x, x->nodes[s.open].at, err, "<%.*s> is not closed",
		    (int)(x->nodes[s.open].name_len < 100 ? x->nodes[s.open].name_len : 100),
		    x->text + x->nodes[s.open].at + 1);
	if (x->n_nodes == 0)
		return xml_error_at(x, x->bom, err, "no element: this is not an XML document");
	return 0;
}
