/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Edits named by XPath. */
#include <stdio.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "edit_internal.h"
#include "xpath.h"

static int not_a_place(const char *path, struct vm_err *err)
{
	return vm_err_set(err, VM_USAGE, "'%.200s' names neither elements nor attributes", path);
}

static int set_item(struct vm_xml_edit *e, struct xp_item item, const char *path,
		    const char *value, struct vm_err *err)
{
	if (item.kind == XP_ATTR && e->x->attrs[item.attr].ns[0] == '\0') {
		vm_xml_edit_attr(e, item.node, e->x->attrs[item.attr].name, value);
		return 0;
	}
	if (item.kind != XP_ELEMENT && item.kind != XP_TEXT)
		return not_a_place(path, err);
	if (e->x->nodes[item.node].first != VM_NODE_NONE)
		return vm_xml_error(e->x, item.node, -1, VM_USAGE, err,
				    "<%s> has elements in it: name one of them, or an attribute",
				    e->x->nodes[item.node].name);
	vm_xml_edit_content(e, item.node, value);
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
static int make_below(struct vm_xml_edit *e, const struct xp_set *parents, const char *path,
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
	for (uint32_t i = 0; i < parents->n; i++) {
		VM_AUTO_FREE char *xml = NULL;

		if (parents->v[i].kind != XP_ELEMENT)
			return not_a_place(path, err);
		if (open.len == 0) {
			vm_xml_edit_attr(e, parents->v[i].node, missing + 1, value);
			continue;
		}
		xml = vm_xasprintf("%s%s", open.text, close.text);
		vm_xml_edit_insert(e, parents->v[i].node, VM_NODE_NONE, xml);
	}
	return 0;
}

static int make(struct vm_xml_edit *e, const char *path, const char *value, struct vm_err *err)
{
	size_t len = strlen(path);
	const char *step;

	while ((step = last_step(path, len)) != NULL) {
		VM_AUTO(xp_set_free) struct xp_set found = { 0 };
		size_t rest = (size_t)(step - path);
		VM_AUTO_FREE char *parent = NULL;

		if (rest == 1 || (rest > 1 && step[-2] == '/'))
			break; /* "/x" would be a second root, "//x" is anywhere */
		parent = rest == 0 ? vm_xstrdup(".") : vm_xstrndup(path, rest - 1);
		if (xml_xpath(e->x, parent, &found, err) < 0)
			return -1;
		if (found.n > 0)
			return make_below(e, &found, path, step, value, err);
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
	VM_AUTO(xp_set_free) struct xp_set found = { 0 };
	const char *equals = equals_sign(assignment);
	VM_AUTO_FREE char *path = NULL;

	if (equals == NULL || equals == assignment)
		return vm_err_set(err, VM_USAGE, "'%.200s' is not PATH=VALUE", assignment);
	path = vm_xstrndup(assignment, (size_t)(equals - assignment));
	if (xml_xpath(e->x, path, &found, err) < 0)
		return -1;
	if (found.n == 0)
		return make(e, path, equals + 1, err);
	for (uint32_t i = 0; i < found.n; i++)
		if (set_item(e, found.v[i], path, equals + 1, err) < 0)
			return -1;
	return 0;
}

static int unset_item(struct vm_xml_edit *e, struct xp_item item, const char *path,
		      struct vm_err *err)
{
	if (item.kind == XP_ATTR && e->x->attrs[item.attr].ns[0] == '\0') {
		vm_xml_edit_attr_remove(e, item.node, e->x->attrs[item.attr].name);
		return 0;
	}
	if (item.kind != XP_ELEMENT)
		return not_a_place(path, err);
	if (item.node == 0)
		return vm_err_set(err, VM_USAGE, "the root element cannot be removed");
	vm_xml_edit_remove(e, item.node);
	return 0;
}

int vm_xml_edit_unset(struct vm_xml_edit *e, const char *path, struct vm_err *err)
{
	VM_AUTO(xp_set_free) struct xp_set found = { 0 };

	if (xml_xpath(e->x, path, &found, err) < 0)
		return -1;
	if (found.n == 0)
		return vm_err_set(err, VM_NOT_FOUND, "%s has nothing that '%.200s' names",
				  e->x->file, path);
	for (uint32_t i = 0; i < found.n; i++)
		if (unset_item(e, found.v[i], path, err) < 0)
			return -1;
	return 0;
}
