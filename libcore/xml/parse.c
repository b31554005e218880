/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libxml2's one pass: well-formedness, names, namespaces and values, put beside the scanner's
 * ranges. */
#include <assert.h>
#include <limits.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/parserInternals.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/strbuf.h>

#include "xml_internal.h"

struct sax {
	struct vm_xml *x;
	xmlParserCtxt *ctxt;
	struct vm_err *err;
	bool failed;
	uint32_t next; /* node that the next start tag must be */
	vm_node open;
	unsigned depth;
	struct vm_strbuf
	    content[VM_XML_MAX_DEPTH + 1]; /* own character data of the open elements */
};

static void stop(struct sax *s)
{
	s->failed = true;
	xmlStopParser(s->ctxt);
}

/* The scanner and libxml2 read the text differently: nothing may be concluded from either. */
static void disagree(struct sax *s, size_t at)
{
	if (!s->failed)
		xml_error_at(s->x, at, s->err, "malformed XML");
	stop(s);
}

static void on_error(void *user, xmlErrorPtr e)
{
	struct sax *s = user;
	size_t n = strlen(e->message != NULL ? e->message : ""), at = s->x->len;
	long consumed = xmlByteConsumed(s->ctxt);

	if (e->level <= XML_ERR_WARNING || s->failed)
		return;
	if (e->code == XML_ERR_NO_MEMORY) {
		vm_err_set(s->err, VM_SYSTEM, "%s: out of memory", s->x->file);
		stop(s);
		return;
	}
	while (n > 0 && xml_is_space(e->message[n - 1]))
		n--;
	if (e->domain == XML_FROM_NAMESPACE && s->next < s->x->n_nodes)
		at = s->x->nodes[s->next].at;
	else if (consumed >= 0 && (size_t)consumed < at)
		at = (size_t)consumed;
	xml_error_at(s->x, at, s->err, "%.*s", n == 0 ? 13 : (int)(n < 300 ? n : 300),
		     n == 0 ? "malformed XML" : e->message);
	stop(s);
}

static const char *intern(struct sax *s, const xmlChar *text)
{
	return text == NULL ? "" : (const char *)xmlDictLookup(s->x->dict, text, -1);
}

static const char *keep(struct vm_xml *x, const char *text, size_t len)
{
	char *to = x->pool + x->pool_used;

	if (len == 0)
		return "";
	/* Resolving references only makes text shorter, and quotes or tags leave room for the NUL.
	 */
	assert(x->pool_cap - x->pool_used > len);
	memcpy(to, text, len);
	to[len] = '\0';
	x->pool_used += len + 1;
	return to;
}

/* Is `name` as written, of `len` bytes, the local name? */
static bool same_name(const char *written, uint32_t len, const xmlChar *local)
{
	size_t n = strlen((const char *)local);

	return n <= len && memcmp(written + len - n, local, n) == 0 &&
	       (n == len || written[len - n - 1] == ':');
}

static void on_start(void *user, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
		     int n_ns, const xmlChar **ns, int n_attrs, int n_defaulted,
		     const xmlChar **attrs)
{
	struct sax *s = user;
	struct vm_xml *x = s->x;
	struct xml_node *n;

	(void)prefix, (void)n_ns, (void)ns;
	if (s->failed)
		return;
	if (s->next == x->n_nodes || s->depth == VM_XML_MAX_DEPTH) {
		disagree(s, 0);
		return;
	}
	n = &x->nodes[s->next];
	if (!same_name(x->text + n->at + 1, n->name_len, name) || n->parent != s->open ||
	    n_defaulted != 0 || (uint32_t)n_attrs != n->n_attrs) {
		disagree(s, n->at);
		return;
	}
	n->name = intern(s, name);
	n->ns = intern(s, uri);
	for (int i = 0; i < n_attrs; i++) {
		const xmlChar **from = &attrs[5 * i];
		struct xml_attr *a = &x->attrs[n->attr + (uint32_t)i];

		if (!same_name(x->text + a->at, a->len, from[0])) {
			disagree(s, a->at);
			return;
		}
		a->name = intern(s, from[0]);
		a->ns = intern(s, from[2]);
		a->value = keep(x, (const char *)from[3], (size_t)(from[4] - from[3]));
	}
	s->open = s->next++;
	s->depth++;
	vm_strbuf_clear(&s->content[s->depth]);
}

static void on_end(void *user, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	struct sax *s = user;
	struct vm_strbuf *b = &s->content[s->depth];
	size_t len = b->len;

	(void)name, (void)prefix, (void)uri;
	if (s->failed)
		return;
	if (s->open == VM_NODE_NONE) {
		disagree(s, 0);
		return;
	}
	while (len > 0 && xml_is_space(b->text[len - 1]))
		len--;
	if (len > 0)
		s->x->nodes[s->open].content = keep(s->x, b->text, len);
	s->open = s->x->nodes[s->open].parent;
	s->depth--;
}

static void on_text(void *user, const xmlChar *text, int len)
{
	struct sax *s = user;
	struct vm_strbuf *b = &s->content[s->depth];
	const char *from = (const char *)text;

	if (s->failed || len <= 0)
		return;
	if (b->len == 0)
		for (; len > 0 && xml_is_space(*from); len--)
			from++;
	vm_strbuf_add(b, from, (size_t)len);
}

static void on_dtd(void *user, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
	(void)name, (void)external, (void)system;
	disagree(user, 0);
}

static xmlEntityPtr on_entity(void *user, const xmlChar *name)
{
	(void)user;
	return xmlGetPredefinedEntity(name);
}

static const xmlSAXHandler handlers = {
    .initialized = XML_SAX2_MAGIC,
    .startElementNs = on_start,
    .endElementNs = on_end,
    .characters = on_text,
    .ignorableWhitespace = on_text,
    .cdataBlock = on_text,
    .internalSubset = on_dtd,
    .externalSubset = on_dtd,
    .getEntity = on_entity,
    .serror = on_error,
};

static int parse(struct vm_xml *x, struct vm_err *err)
{
	struct sax s = {.x = x, .err = err, .open = VM_NODE_NONE};
	xmlParserCtxt *ctxt = xmlCreateMemoryParserCtxt(x->text, (int)x->len);
	bool well_formed;

	if (ctxt == NULL)
		return vm_err_set(err, VM_SYSTEM, "%s: out of memory", x->file);
	/* The declared encoding has been seen to: the text is UTF-8. */
	xmlCtxtUseOptions(ctxt, XML_PARSE_NONET | XML_PARSE_NOENT | XML_PARSE_IGNORE_ENC);
	*ctxt->sax = handlers;
	ctxt->userData = &s;
	s.ctxt = ctxt;
	x->dict = ctxt->dict;
	xmlDictReference(x->dict);
	x->pool_cap = x->len + 1;
	x->pool = vm_xmalloc(x->pool_cap);
	xmlParseDocument(ctxt);
	well_formed = ctxt->wellFormed != 0;
	xmlFreeDoc(ctxt->myDoc);
	ctxt->myDoc = NULL;
	xmlFreeParserCtxt(ctxt);
	for (size_t i = 0; i < VM_COUNT(s.content); i++)
		vm_strbuf_free(&s.content[i]);
	if (s.failed)
		return -1;
	if (!well_formed || s.next != x->n_nodes || s.open != VM_NODE_NONE)
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
