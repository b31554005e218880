/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* expat's one pass: well-formedness, names, namespaces and values, put beside the scanner's
 * ranges. */
#include <string.h>

#include <expat.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/strbuf.h>

#include "xml_internal.h"

/* Between URI and name in what expat hands over: a byte that is in no UTF-8 text. */
#define SEPARATOR '\xff'
/* expat knows one URI that need not be in the text, that of the prefix "xml". */
#define IMPLICIT_URI sizeof("http://www.w3.org/XML/1998/namespace")

struct sax {
	struct vm_xml *x;
	XML_Parser parser;
	struct vm_err *err;
	bool failed;
	uint32_t next; /* node that the next start tag must be */
	vm_node open;
	unsigned depth;
	struct vm_strbuf
	    content[VM_XML_MAX_DEPTH + 1]; /* own character data of the open elements */
};

/* The byte of the text that expat is at. */
static size_t position(const struct sax *s)
{
	XML_Index at = XML_GetCurrentByteIndex(s->parser);

	return at < 0 ? s->x->len : (size_t)at + s->x->bom;
}

/* The scanner and expat read the text differently: nothing may be concluded from either. */
static void disagree(struct sax *s, size_t at)
{
	if (!s->failed)
		xml_error_at(s->x, at, s->err, "malformed XML");
	s->failed = true;
	XML_StopParser(s->parser, XML_FALSE);
}

/* Takes "URI<SEPARATOR>name" or "name" apart; false if it is not what is written in the text. */
static bool take_name(struct sax *s, const char *full, size_t at, uint32_t len,
		      const char **ret_name, const char **ret_ns)
{
	const char *separator = strchr(full, SEPARATOR);
	const char *name = separator != NULL ? separator + 1 : full;
	const char *written = s->x->text + at;
	size_t n = strlen(name);

	if (n > len || memcmp(written + len - n, name, n) != 0 ||
	    (n != len && written[len - n - 1] != ':'))
		return false;
	*ret_name = xml_intern(s->x, name, n);
	*ret_ns = xml_intern(s->x, full, separator != NULL ? (size_t)(separator - full) : 0);
	return true;
}

static void on_start(void *user, const char *name, const char **attrs)
{
	struct sax *s = user;
	struct vm_xml *x = s->x;
	struct xml_node *n;

	if (s->failed)
		return;
	if (s->next == x->n_nodes || s->depth == VM_XML_MAX_DEPTH) {
		disagree(s, position(s));
		return;
	}
	n = &x->nodes[s->next];
	if (position(s) != n->at || n->parent != s->open ||
	    !take_name(s, name, n->at + 1, n->name_len, &n->name, &n->ns)) {
		disagree(s, n->at);
		return;
	}
	for (uint32_t i = 0; i < n->n_attrs; i++, attrs += 2) {
		struct xml_attr *a = &x->attrs[n->attr + i];

		if (attrs[0] == NULL || !take_name(s, attrs[0], a->at, a->len, &a->name, &a->ns)) {
			disagree(s, a->at);
			return;
		}
		a->value = xml_keep(x, attrs[1], strlen(attrs[1]));
	}
	if (attrs[0] != NULL) {
		disagree(s, n->at);
		return;
	}
	s->open = s->next++;
	s->depth++;
	vm_strbuf_clear(&s->content[s->depth]);
}

static void on_end(void *user, const char *name)
{
	struct sax *s = user;
	struct vm_strbuf *b = &s->content[s->depth];
	size_t len = b->len;

	(void)name;
	if (s->failed)
		return;
	if (s->open == VM_NODE_NONE) {
		disagree(s, position(s));
		return;
	}
	while (len > 0 && xml_is_space(b->text[len - 1]))
		len--;
	if (len > 0)
		s->x->nodes[s->open].content = xml_keep(s->x, b->text, len);
	s->open = s->x->nodes[s->open].parent;
	s->depth--;
}

static void on_text(void *user, const char *text, int len)
{
	struct sax *s = user;
	struct vm_strbuf *b = &s->content[s->depth];

	if (s->failed)
		return;
	if (b->len == 0)
		for (; len > 0 && xml_is_space(*text); len--)
			text++;
	if (len > 0)
		vm_strbuf_add(b, text, (size_t)len);
}

static void on_dtd(void *user, const char *name, const char *system, const char *public, int internal)
{
	struct sax *s = user;

	(void)name, (void)system, (void)public, (void)internal;
	disagree(s, position(s));
}

static int parse(struct vm_xml *x, struct vm_err *err)
{
	struct sax s = {.x = x, .err = err, .open = VM_NODE_NONE};
	enum XML_Status status;

	/* The declared encoding has been seen to: the text is UTF-8. */
	s.parser = XML_ParserCreateNS("UTF-8", SEPARATOR);
	if (s.parser == NULL)
		return vm_err_set(err, VM_SYSTEM, "%s: out of memory", x->file);
	XML_SetUserData(s.parser, &s);
	XML_SetElementHandler(s.parser, on_start, on_end);
	XML_SetCharacterDataHandler(s.parser, on_text);
	XML_SetStartDoctypeDeclHandler(s.parser, on_dtd);
	x->pool_cap = x->len + IMPLICIT_URI + 1;
	x->pool = vm_xmalloc(x->pool_cap);
	status = XML_Parse(s.parser, x->text + x->bom, (int)(x->len - x->bom), XML_TRUE);
	if (status != XML_STATUS_OK && !s.failed) {
		s.failed = true;
		xml_refuse(x, s.next, s.parser, err);
	}
	XML_ParserFree(s.parser);
	for (size_t i = 0; i < VM_COUNT(s.content); i++)
		vm_strbuf_free(&s.content[i]);
	if (s.failed)
		return -1;
	if (s.next != x->n_nodes || s.open != VM_NODE_NONE)
		return xml_error_at(x, s.next < x->n_nodes ? x->nodes[s.next].at : x->bom, err,
				    "malformed XML");
	return 0;
}

int xml_read(struct vm_xml *x, struct vm_err *err)
{
	if (x->len > VM_XML_MAX_BYTES)
		return vm_err_set(err, VM_BAD_INPUT, "%s: larger than %u MiB", x->file,
				  VM_XML_MAX_BYTES >> 20);
	if (xml_to_utf8(x, err) < 0)
		return -1;
	if (x->len >= 3 && memcmp(x->text, "\xef\xbb\xbf", 3) == 0)
		x->bom = 3;
	if (xml_check_text(x, err) < 0 || xml_scan(x, err) < 0)
		return -1;
	return parse(x, err);
}

int vm_xml_parse(const char *text, size_t len, const char *file, struct vm_xml **ret,
		 struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *x = vm_xcalloc(1, sizeof(*x));

	x->file = vm_xstrdup(file);
	if (len > VM_XML_MAX_BYTES)
		return vm_err_set(err, VM_BAD_INPUT, "%s: larger than %u MiB", file,
				  VM_XML_MAX_BYTES >> 20);
	x->text = vm_xmalloc(len + 1);
	memcpy(x->text, text, len);
	x->text[len] = '\0';
	x->len = len;
	if (xml_read(x, err) < 0)
		return -1;
	*ret = vm_take_ptr(&x);
	return 0;
}
