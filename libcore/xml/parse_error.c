/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is wrong with a document that expat refuses, in words, and at the very byte. */
#include <string.h>

#include <expat.h>

#include <vm/cleanup.h>
#include <vm/strbuf.h>

#include "xml_internal.h"

static bool declares(const struct vm_xml *x, vm_node n, const char *prefix, size_t len)
{
	for (uint32_t i = 0; i < x->n_decls; i++) {
		const struct xml_decl *d = &x->decls[i];

		if (d->prefix_len != len || memcmp(x->text + d->prefix_at, prefix, len) != 0)
			continue;
		for (vm_node up = n; up != VM_NODE_NONE; up = x->nodes[up].parent)
			if (up == d->node)
				return true;
	}
	return len == 3 && memcmp(prefix, "xml", 3) == 0;
}

/* expat says in which tag; the name with the prefix that nobody declared is found here. */
static int unbound_prefix(const struct vm_xml *x, vm_node node, struct vm_err *err)
{
	const struct xml_node *n = &x->nodes[node];
	size_t at = n->at + 1;
	uint32_t len = n->name_len;

	for (uint32_t i = n->attr;; i++) {
		const char *name = x->text + at, *colon = memchr(name, ':', len);
		size_t prefix = colon != NULL ? (size_t)(colon - name) : 0;

		if (colon != NULL && !declares(x, node, name, prefix))
			return xml_error_at(x, at, err, "namespace prefix '%.*s' is not declared",
					    (int)(prefix < 100 ? prefix : 100), name);
		if (i == n->attr + n->n_attrs)
			return xml_error_at(x, n->at, err, "a namespace prefix is not declared");
		at = x->attrs[i].at;
		len = x->attrs[i].len;
	}
}

/* Length of the reference at `at` ("&nbsp;", or "&nbsp" if it is not closed), as far as may be
 * shown. */
static size_t reference_len(const struct vm_xml *x, size_t at)
{
	size_t n = 1;

	while (at + n < x->len && n < 60 && strchr("; \t\r\n<>&\"'", x->text[at + n]) == NULL)
		n++;
	return n + (at + n < x->len && x->text[at + n] == ';');
}

static bool predefined(const char *reference, size_t len)
{
	static const char *const names[] = {"&lt;", "&gt;", "&amp;", "&quot;", "&apos;"};

	for (size_t i = 0; i < VM_COUNT(names); i++)
		if (len == strlen(names[i]) && memcmp(reference, names[i], len) == 0)
			return true;
	return false;
}

/* Source: XML 1.0 (fifth edition), production 2. */
static bool valid_number(const char *reference)
{
	bool hex = reference[2] == 'x';
	unsigned long c = strtoul(reference + (hex ? 3 : 2), NULL, hex ? 16 : 10);

	return c == 0x9 || c == 0xa || c == 0xd || (c >= 0x20 && c <= 0xd7ff) ||
	       (c >= 0xe000 && c <= 0xfffd) || (c >= 0x10000 && c <= 0x10ffff);
}

/* In a tag expat names the tag: finds the reference in it that cannot be resolved. */
static size_t bad_reference(const struct vm_xml *x, size_t at, bool number)
{
	size_t end = x->len;

	if (at >= x->len || x->text[at] != '<')
		return at;
	for (vm_node n = 0; n < x->n_nodes && end == x->len; n++)
		if (x->nodes[n].at == at)
			end = x->nodes[n].tag_end;
	for (size_t i = at; i < end; i++) {
		size_t len;

		if (x->text[i] != '&')
			continue;
		len = reference_len(x, i);
		if (number ? x->text[i + 1] == '#' && !valid_number(x->text + i)
			   : x->text[i + 1] != '#' && !predefined(x->text + i, len))
			return i;
	}
	return at;
}

static int bad_entity(const struct vm_xml *x, size_t at, bool number, struct vm_err *err)
{
	at = bad_reference(x, at, number);
	return xml_error_at(x, at, err,
			    number ? "'%.*s' is no character that XML allows"
				   : "entity '%.*s' is not defined",
			    (int)reference_len(x, at), x->text + at);
}

static bool in_comment(const struct vm_xml *x, size_t at)
{
	for (; at >= 4; at--) {
		if (memcmp(x->text + at - 4, "<!--", 4) == 0)
			return true;
		if (memcmp(x->text + at - 3, "-->", 3) == 0)
			return false;
	}
	return false;
}

static int invalid_token(const struct vm_xml *x, size_t at, struct vm_err *err)
{
	size_t from = at;

	while (from > 0 && at - from < 60 &&
	       strchr("; \t\r\n<>&\"'=", x->text[from - 1]) == NULL)
		from--;
	if (from > 0 && x->text[from - 1] == '&' && from == at)
		return xml_error_at(x, from - 1, err,
				    "'&' without an entity name (write &amp; for the character)");
	if (from > 0 && x->text[from - 1] == '&')
		return xml_error_at(x, from - 1, err,
				    "'%.*s' does not end with ';' (write &amp; for the character "
				    "'&')",
				    (int)(at - from + 1), x->text + from - 1);
	if (at >= 2 && memcmp(x->text + at - 2, "]]>", 3) == 0)
		return xml_error_at(x, at - 2, err, "']]>' in text (write ]]&gt;)");
	if (at >= 2 && memcmp(x->text + at - 2, "--", 2) == 0 && in_comment(x, at - 2))
		return xml_error_at(x, at - 2, err, "'--' inside a comment");
	if (at >= x->len)
		return xml_error_at(x, at, err, "malformed XML");
	if (xml_is_space(x->text[at]))
		return xml_error_at(x, at, err, "malformed XML: white space is not allowed here");
	return xml_error_at(x, at, err, "malformed XML: '%.*s' is not allowed here",
			    (int)vm_utf8_next(x->text + at, x->len - at), x->text + at);
}

int xml_refuse(const struct vm_xml *x, vm_node next, XML_Parser parser, struct vm_err *err)
{
	static const struct {
		enum XML_Error code;
		const char *what;
	} words[] = {
	    {XML_ERROR_UNDECLARING_PREFIX, "a namespace prefix is declared as nothing"},
	    {XML_ERROR_RESERVED_PREFIX_XML, "the prefix 'xml' cannot be declared as another"},
	    {XML_ERROR_RESERVED_PREFIX_XMLNS, "the prefix 'xmlns' cannot be declared"},
	    {XML_ERROR_RESERVED_NAMESPACE_URI, "this namespace belongs to 'xml' or 'xmlns'"},
	    {XML_ERROR_MISPLACED_XML_PI, "'<?xml' is allowed only where the document begins"},
	    {XML_ERROR_XML_DECL, "malformed XML declaration"},
	    {XML_ERROR_DUPLICATE_ATTRIBUTE,
	     "two attributes with the same name in the same namespace"},
	};
	enum XML_Error code = XML_GetErrorCode(parser);
	XML_Index index = XML_GetCurrentByteIndex(parser);
	size_t at = index < 0 ? x->len : (size_t)index + x->bom;

	if (at > x->len)
		at = x->len;
	if (code == XML_ERROR_NO_MEMORY)
		return vm_err_set(err, VM_SYSTEM, "%s: out of memory", x->file);
	if (code == XML_ERROR_UNBOUND_PREFIX && next < x->n_nodes)
		return unbound_prefix(x, next, err);
	if (code == XML_ERROR_INVALID_TOKEN)
		return invalid_token(x, at, err);
	if (code == XML_ERROR_UNDEFINED_ENTITY || code == XML_ERROR_BAD_CHAR_REF)
		return bad_entity(x, at, code == XML_ERROR_BAD_CHAR_REF, err);
	for (size_t i = 0; i < VM_COUNT(words); i++)
		if (words[i].code == code)
			return xml_error_at(x, at, err, "%s", words[i].what);
	return xml_error_at(x, at, err, "malformed XML: %s", XML_ErrorString(code));
}
