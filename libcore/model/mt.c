/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Objects: made, freed, copied, checked; paths of rows. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "mt_internal.h"

static const struct {
	const char *prefix, *uri;
} namespaces[] = {
    {"qemu", "http://libvirt.org/schemas/domain/qemu/1.0"},
    {"vm", "urn:vm-utils:domain:1.0"},
};

static const char *namespace_of(const char *prefix, size_t len)
{
	for (size_t i = 0; i < VM_COUNT(namespaces); i++)
		if (strlen(namespaces[i].prefix) == len &&
		    memcmp(namespaces[i].prefix, prefix, len) == 0)
			return namespaces[i].uri;
	assert(false && "a namespace that rows may name");
	return "";
}

enum mt_step_kind mt_step_next(const char **path, struct mt_step *ret)
{
	const char *p = *path, *colon;
	size_t len = strcspn(p, "/");

	ret->ns = "";
	ret->name = ret->name_buf;
	ret->name_buf[0] = '\0';
	ret->last = p[len] == '\0';
	*path = p + len + (ret->last ? 0 : 1);
	if (len == 0) {
		ret->kind = MT_STEP_END;
	} else if (len == 5 && memcmp(p, "#text", 5) == 0) {
		ret->kind = MT_STEP_TEXT;
	} else {
		ret->kind = p[0] == '@' ? MT_STEP_ATTR : MT_STEP_ELEMENT;
		if (ret->kind == MT_STEP_ATTR) {
			p++;
			len--;
		}
		colon = memchr(p, ':', len);
		if (colon != NULL && p[0] != '*') {
			ret->ns = namespace_of(p, (size_t)(colon - p));
			len -= (size_t)(colon - p) + 1;
			p = colon + 1;
		}
		assert(len < sizeof(ret->name_buf));
		memcpy(ret->name_buf, p, len);
		ret->name_buf[len] = '\0';
	}
	return ret->kind;
}

vm_node mt_step_find_next(const struct vm_xml *doc, vm_node n, const struct mt_step *step)
{
	for (; n != VM_NODE_NONE; n = vm_xml_next(doc, n))
		if (strcmp(vm_xml_name(doc, n), step->name) == 0 &&
		    strcmp(vm_xml_ns(doc, n), step->ns) == 0)
			return n;
	return VM_NODE_NONE;
}

vm_node mt_step_find(const struct vm_xml *doc, vm_node n, const struct mt_step *step)
{
	return mt_step_find_next(doc, vm_xml_first(doc, n), step);
}

int mt_step_attr(const struct vm_xml *doc, vm_node n, const char *name)
{
	unsigned count = vm_xml_attr_count(doc, n);

	for (unsigned i = 0; i < count; i++)
		if (vm_xml_attr_ns(doc, n, i)[0] == '\0' &&
		    strcmp(vm_xml_attr_name(doc, n, i), name) == 0)
			return (int)i;
	return -1;
}

const struct mt_type *mt_case_type(const struct mt_cases *cases, const void *holder)
{
	int tag = mt_case_tag(cases, holder);

	return tag < 0 || tag >= cases->n ? NULL : cases->by[tag];
}

const char *mt_case_word(const struct mt_cases *cases, const struct mt_type *holder, int i)
{
	const char *const *words = cases->words;

	for (uint16_t r = 0; words == NULL && r < holder->n; r++)
		if (holder->rows[r].kind == MT_ENUM && holder->rows[r].off == cases->tag_off)
			words = holder->rows[r].arg;
	if (words == NULL)
		return "";
	for (int k = 0; k < i; k++)
		if (words[k] == NULL)
			return "";
	return words[i] != NULL ? words[i] : "";
}

const struct mt_type *mt_row_type(const struct mt_row *row, const void *obj)
{
	if (row->kind == MT_CASE)
		return mt_case_type(row->arg, obj);
	return row->kind == MT_ONE || row->kind == MT_MANY ? row->arg : NULL;
}

bool mt_present(const struct mt_row *row, const void *obj)
{
	if (row->kind == MT_MANY)
		return ((const struct mt_list *)mt_datum(obj, row))->n > 0;
	if ((row->kind == MT_ONE || row->kind == MT_CASE || row->kind == MT_KEEP) &&
	    *(void **)mt_datum(obj, row) != NULL)
		return true;
	return mt_is_set(obj, row->set);
}

void *mt_new(const struct mt_type *type)
{
	struct mt_obj *obj = vm_xcalloc(1, type->size);

	obj->node = VM_NODE_NONE;
	for (uint16_t i = 0; i < type->n; i++) {
		const struct mt_row *row = &type->rows[i];
		void *datum = mt_datum(obj, row);

		if (row->def == 0)
			continue;
		switch ((enum mt_kind)row->kind) {
		case MT_STR:
		case MT_PATH:
			*(char **)datum = vm_xstrdup((const char *)(uintptr_t)row->def);
			break;
		case MT_ENUM:
			*(int *)datum = (int)row->def;
			break;
		case MT_BOOL:
			*(bool *)datum = true;
			break;
		case MT_U64:
		case MT_I64:
		case MT_SIZE:
			*(uint64_t *)datum = row->def;
			break;
		case MT_UUID:
		case MT_MAC:
		case MT_CPUSET:
		case MT_ONE:
		case MT_MANY:
		case MT_CASE:
		case MT_KEEP:
			assert(false && "a kind that can have a default");
		}
	}
	return obj;
}

void mt_free(const struct mt_type *type, void *obj)
{
	if (obj == NULL)
		return;
	for (uint16_t i = 0; i < type->n; i++) {
		const struct mt_row *row = &type->rows[i];
		void *datum = mt_datum(obj, row);
		struct mt_list *list = datum;

		if (row->kind == MT_MANY) {
			for (uint32_t k = 0; k < list->n; k++)
				mt_free(row->arg, list->v[k]);
			free(list->v);
		} else if (row->kind == MT_ONE) {
			mt_free(row->arg, *(void **)datum);
		} else if (row->kind == MT_CASE) {
			const struct mt_type *sub = mt_case_type(row->arg, obj);

			assert(sub != NULL || *(void **)datum == NULL);
			if (sub != NULL)
				mt_free(sub, *(void **)datum);
		} else {
			mt_value_free(row, datum);
		}
	}
	free(obj);
}

void *mt_copy(const struct mt_type *type, const void *obj)
{
	struct mt_obj *to = vm_xcalloc(1, type->size);

	*to = *(const struct mt_obj *)obj;
	for (uint16_t i = 0; i < type->n; i++) {
		const struct mt_row *row = &type->rows[i];
		const void *from = mt_datum(obj, row);
		void *datum = mt_datum(to, row);

		if (row->kind == MT_MANY) {
			const struct mt_list *list = from;

			for (uint32_t k = 0; k < list->n; k++)
				mt_list_add(datum, mt_copy(row->arg, list->v[k]));
		} else if (row->kind == MT_ONE || row->kind == MT_CASE) {
			const struct mt_type *sub = mt_row_type(row, obj);
			const struct mt_cases *cases = row->arg;

			if (row->kind == MT_CASE)
				memcpy((char *)to + cases->tag_off,
				       (const char *)obj + cases->tag_off, sizeof(int));
			if (sub != NULL && *(void *const *)from != NULL)
				*(void **)datum = mt_copy(sub, *(void *const *)from);
		} else {
			mt_value_copy(row, datum, from);
		}
	}
	return to;
}

void mt_list_add(struct mt_list *list, void *obj)
{
	/* Grows by doubling without a member for the capacity: at powers of two. */
	if ((list->n & (list->n - 1)) == 0)
		list->v = vm_xreallocarray(list->v, list->n == 0 ? 1 : (size_t)list->n * 2,
					   sizeof(*list->v));
	list->v[list->n++] = obj;
}

void mt_list_remove(struct mt_list *list, uint32_t index)
{
	assert(index < list->n);
	memmove(&list->v[index], &list->v[index + 1], (list->n - index - 1) * sizeof(*list->v));
	list->n--;
}

int mt_check(const struct mt_type *type, const void *obj, const struct mt_ctx *ctx,
	     struct vm_err *err)
{
	for (uint16_t i = 0; i < type->n; i++) {
		const struct mt_row *row = &type->rows[i];
		const void *datum = mt_datum(obj, row);
		const struct mt_list *list = datum;
		const struct mt_type *sub = mt_row_type(row, obj);

		if (row->kind == MT_MANY) {
			for (uint32_t k = 0; k < list->n; k++)
				if (mt_check(sub, list->v[k], ctx, err) < 0)
					return -1;
		} else if (sub != NULL && *(void *const *)datum != NULL &&
			   mt_check(sub, *(void *const *)datum, ctx, err) < 0) {
			return -1;
		}
	}
	return type->check == NULL ? 0 : type->check(obj, ctx, err);
}

int mt_error(const struct mt_ctx *ctx, const void *obj, const char *xml, enum vm_kind kind,
	     struct vm_err *err, const char *fmt, ...)
{
	const struct mt_obj *o = obj;
	vm_node n = o != NULL ? o->node : VM_NODE_NONE, child;
	struct mt_step step;
	char what[768];
	int attr = -1;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (ctx == NULL || ctx->doc == NULL)
		return vm_err_set(err, kind, "%s", what);
	if (n == VM_NODE_NONE && *vm_xml_file(ctx->doc) != 0) /* something we made: no place of its own */
		return vm_err_set(err, kind, "%s: %s", vm_xml_file(ctx->doc), what);
	if (n == VM_NODE_NONE)
		return vm_err_set(err, kind, "%s", what);
	while (xml != NULL && xml[0] != '.' && mt_step_next(&xml, &step) != MT_STEP_END) {
		if (step.kind == MT_STEP_ATTR)
			attr = mt_step_attr(ctx->doc, n, step.name);
		if (step.kind != MT_STEP_ELEMENT)
			break;
		child = mt_step_find(ctx->doc, n, &step);
		if (child == VM_NODE_NONE)
			break;
		n = child;
	}
	return vm_xml_error(ctx->doc, n, attr, kind, err, "%s", what);
}
