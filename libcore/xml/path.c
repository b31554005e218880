/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Edits named by XPath: libxml2 finds the nodes in a tree of its own, their numbers lead back to
 * the text. */
#include <stdio.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "edit_internal.h"

#define MAX_OPERATIONS 20000000ul /* of libxml2's evaluator: seconds, not for ever */

struct query {
	const struct vm_xml *x;
	xmlDoc *doc;
	xmlXPathContext *context;
	char why[200];
};

static void note_error(void *arg, xmlErrorPtr e)
{
	struct query *q = arg;
	size_t len;

	if (q->why[0] != '\0' || e->message == NULL)
		return;
	snprintf(q->why, sizeof(q->why), "%s", e->message);
	len = strlen(q->why);
	while (len > 0 && xml_is_space(q->why[len - 1]))
		q->why[--len] = '\0';
}

static xmlNode *next_element(xmlNode *n)
{
	if (n->children != NULL && n->type == XML_ELEMENT_NODE) {
		n = n->children;
	} else {
		while (n != NULL && n->next == NULL)
			n = n->parent;
		if (n != NULL)
			n = n->next;
	}
	while (n != NULL && n->type != XML_ELEMENT_NODE) {
		while (n != NULL && n->next == NULL)
			n = n->parent;
		if (n != NULL)
			n = n->next;
	}
	return n;
}

static int open_query(const struct vm_xml *x, struct query *q, struct vm_err *err)
{
	xmlNode *root;
	vm_node n = 0;

	q->x = x;
	q->doc = xmlReadMemory(x->text, (int)x->len, NULL, NULL,
			       XML_PARSE_NONET | XML_PARSE_NOENT | XML_PARSE_NOERROR |
				   XML_PARSE_NOWARNING | XML_PARSE_IGNORE_ENC);
	q->context = q->doc == NULL ? NULL : xmlXPathNewContext(q->doc);
	if (q->context == NULL)
		return vm_err_set(err, VM_SYSTEM, "%s: out of memory", x->file);
	root = xmlDocGetRootElement(q->doc);
	for (xmlNode *e = root; e != NULL && n < x->n_nodes; e = next_element(e))
		e->_private = (void *)(uintptr_t)++n;
	q->context->node = root;
	q->context->opLimit = MAX_OPERATIONS;
	q->context->error = note_error;
	q->context->userData = q;
	for (xmlNs *ns = root->nsDef; ns != NULL; ns = ns->next)
		if (ns->prefix != NULL)
			xmlXPathRegisterNs(q->context, ns->prefix, ns->href);
	return 0;
}

static void close_query(struct query *q)
{
	xmlXPathFreeContext(q->context);
	xmlFreeDoc(q->doc);
}

/* The nodes a path names; *ret is NULL if it names none. */
static int evaluate(struct query *q, const char *path, xmlXPathObject **ret, struct vm_err *err)
{
	xmlXPathObject *object;

	q->why[0] = '\0';
	object = xmlXPathEval((const xmlChar *)path, q->context);
	if (object == NULL)
		return vm_err_set(err, VM_USAGE, "'%.200s' is not an XPath: %s", path,
				  q->why[0] != '\0' ? q->why : "syntax error");
	if (object->type != XPATH_NODESET) {
		xmlXPathFreeObject(object);
		return vm_err_set(err, VM_USAGE, "'%.200s' is a value, not a place in the document",
				  path);
	}
	if (object->nodesetval == NULL || object->nodesetval->nodeNr == 0) {
		xmlXPathFreeObject(object);
		object = NULL;
	}
	*ret = object;
	return 0;
}

static vm_node number_of(const xmlNode *element)
{
	return (vm_node)(uintptr_t)element->_private - 1;
}

static int not_a_place(const char *path, struct vm_err *err)
{
	return vm_err_set(err, VM_USAGE, "'%.200s' names neither elements nor attributes", path);
}

static int set_node(struct vm_xml_edit *e, xmlNode *n, const char *path, const char *value,
		    struct vm_err *err)
{
	if (n->type == XML_ATTRIBUTE_NODE && n->ns == NULL) {
		vm_xml_edit_attr(e, number_of(n->parent), (const char *)n->name, value);
		return 0;
	}
	if (n->type == XML_TEXT_NODE || n->type == XML_CDATA_SECTION_NODE)
		n = n->parent;
	if (n->type != XML_ELEMENT_NODE)
		return not_a_place(path, err);
	if (e->x->nodes[number_of(n)].first != VM_NODE_NONE)
		return vm_xml_error(e->x, number_of(n), -1, VM_USAGE, err,
				    "<%s> has elements in it: name one of them, or an attribute",
				    (const char *)n->name);
	vm_xml_edit_content(e, number_of(n), value);
	return 0;
}

/* End of the path's last step that is a plain name ("driver", "@cache"): where it begins, or NULL.
 */
static const char *last_step(const char *path, size_t len)
{
	size_t at = len;

	while (at > 0 && (strchr("-_.", path[at - 1]) != NULL ||
			  (path[at - 1] >= '0' && path[at - 1] <= '9') ||
			  (path[at - 1] >= 'a' && path[at - 1] <= 'z') ||
			  (path[at - 1] >= 'A' && path[at - 1] <= 'Z')))
		at--;
	if (at == len || strchr("-.0123456789", path[at]) != NULL)
		return NULL;
	if (at > 0 && path[at - 1] == '@')
		at--;
	return at == 0 || path[at - 1] == '/' ? path + at : NULL;
}

/* Makes the steps in `missing` below every element the rest of the path names. */
static int make_below(struct vm_xml_edit *e, const xmlNodeSet *parents, const char *path,
		      const char *missing, const char *value, struct vm_err *err)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf open = VM_STRBUF_INIT;
	VM_AUTO(vm_strbuf_free) struct vm_strbuf close = VM_STRBUF_INIT;

	while (missing[0] != '@' && missing[0] != '\0') {
		const char *name = missing;
		size_t len = strcspn(name, "/");
		VM_AUTO_FREE char *outer = vm_strbuf_take(&close);

		vm_strbuf_printf(&open, "<%.*s", (int)len, name);
		missing += len + (missing[len] == '/');
		if (missing[0] == '@') {
			vm_strbuf_printf(&open, " %s='", missing + 1);
			vm_strbuf_xml(&open, value, true);
			vm_strbuf_puts(&open, "'/>");
			vm_strbuf_puts(&close, outer);
			break;
		}
		vm_strbuf_putc(&open, '>');
		if (missing[0] == '\0')
			vm_strbuf_xml(&open, value, false);
		vm_strbuf_printf(&close, "</%.*s>%s", (int)len, name, outer);
	}
	for (int i = 0; i < parents->nodeNr; i++) {
		const xmlNode *n = parents->nodeTab[i];
		VM_AUTO_FREE char *xml = NULL;

		if (n->type != XML_ELEMENT_NODE)
			return not_a_place(path, err);
		if (open.len == 0) {
			vm_xml_edit_attr(e, number_of(n), missing + 1, value);
			continue;
		}
		xml = vm_xasprintf("%s%s", open.text, close.text);
		vm_xml_edit_insert(e, number_of(n), VM_NODE_NONE, xml);
	}
	return 0;
}

static int make(struct vm_xml_edit *e, struct query *q, const char *path, const char *value,
		struct vm_err *err)
{
	size_t len = strlen(path);
	const char *step;

	while ((step = last_step(path, len)) != NULL) {
		size_t rest = (size_t)(step - path);
		VM_AUTO_FREE char *parent = NULL;
		xmlXPathObject *found;
		int rc;

		if (rest == 1 || (rest > 1 && step[-2] == '/'))
			break; /* "/x" would be a second root, "//x" is anywhere */
		parent = rest == 0 ? vm_xstrdup(".") : vm_xstrndup(path, rest - 1);
		if (evaluate(q, parent, &found, err) < 0)
			return -1;
		if (found != NULL) {
			rc = make_below(e, found->nodesetval, path, step, value, err);
			xmlXPathFreeObject(found);
			return rc;
		}
		if (rest == 0)
			break;
		len = rest - 1;
	}
	return vm_err_set(err, VM_NOT_FOUND, "%s has nothing that '%.200s' names", e->x->file,
			  path);
}

/* The '=' that ends the path: outside of brackets and quotes. */
static const char *equals_sign(const char *text)
{
	unsigned brackets = 0;
	char quote = '\0';

	for (; *text != '\0'; text++) {
		if (quote != '\0')
			quote = *text == quote ? '\0' : quote;
		else if (*text == '"' || *text == '\'')
			quote = *text;
		else if (*text == '[' || *text == '(')
			brackets++;
		else if ((*text == ']' || *text == ')') && brackets > 0)
			brackets--;
		else if (*text == '=' && brackets == 0)
			return text;
	}
	return NULL;
}

int vm_xml_edit_set(struct vm_xml_edit *e, const char *assignment, struct vm_err *err)
{
	const char *equals = equals_sign(assignment);
	VM_AUTO_FREE char *path = NULL;
	VM_AUTO(close_query) struct query q = {0};
	xmlXPathObject *found;
	int rc = 0;

	if (equals == NULL || equals == assignment)
		return vm_err_set(err, VM_USAGE, "'%.200s' is not PATH=VALUE", assignment);
	path = vm_xstrndup(assignment, (size_t)(equals - assignment));
	if (open_query(e->x, &q, err) < 0 || evaluate(&q, path, &found, err) < 0)
		return -1;
	if (found == NULL)
		return make(e, &q, path, equals + 1, err);
	for (int i = 0; i < found->nodesetval->nodeNr && rc == 0; i++)
		rc = set_node(e, found->nodesetval->nodeTab[i], path, equals + 1, err);
	xmlXPathFreeObject(found);
	return rc;
}

static int unset_node(struct vm_xml_edit *e, xmlNode *n, const char *path, struct vm_err *err)
{
	if (n->type == XML_ATTRIBUTE_NODE && n->ns == NULL) {
		vm_xml_edit_attr_remove(e, number_of(n->parent), (const char *)n->name);
		return 0;
	}
	if (n->type != XML_ELEMENT_NODE)
		return not_a_place(path, err);
	if (number_of(n) == 0)
		return vm_err_set(err, VM_USAGE, "the root element cannot be removed");
	vm_xml_edit_remove(e, number_of(n));
	return 0;
}

int vm_xml_edit_unset(struct vm_xml_edit *e, const char *path, struct vm_err *err)
{
	VM_AUTO(close_query) struct query q = {0};
	xmlXPathObject *found;
	int rc = 0;

	if (open_query(e->x, &q, err) < 0 || evaluate(&q, path, &found, err) < 0)
		return -1;
	if (found == NULL)
		return vm_err_set(err, VM_NOT_FOUND, "%s has nothing that '%.200s' names",
				  e->x->file, path);
	for (int i = 0; i < found->nodesetval->nodeNr && rc == 0; i++)
		rc = unset_node(e, found->nodesetval->nodeTab[i], path, err);
	xmlXPathFreeObject(found);
	return rc;
}
