/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What differs between two objects, datum by datum. */
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "mt_match.h"

struct diff {
	mt_diff_fn *fn;
	void *arg;
	struct vm_strbuf path;
};

static void diff(struct diff *d, const struct mt_type *type, const void *a, const void *b);

/* Appends to the path; returns the length to cut it back to. */
static size_t enter(struct diff *d, const char *step)
{
	size_t len = d->path.len;

	vm_strbuf_printf(&d->path, "%s%s", len > 0 ? "/" : "", step);
	return len;
}

static void leave(struct diff *d, size_t len)
{
	d->path.len = len;
	if (d->path.text != NULL)
		d->path.text[len] = '\0';
}

static char *text_of(const struct mt_row *row, const void *obj)
{
	const char *unit;
	VM_AUTO_FREE char *text = mt_value_format(row, mt_datum(obj, row), &unit);

	return unit != NULL ? vm_xasprintf("%s %s", text, unit) : vm_take_ptr(&text);
}

static void diff_scalar(struct diff *d, const struct mt_row *row, const void *a, const void *b)
{
	bool in_a = a != NULL && mt_is_set(a, row->set), in_b = b != NULL && mt_is_set(b, row->set);
	VM_AUTO_FREE char *x = NULL, *y = NULL;
	size_t len;

	if (!in_a && !in_b)
		return;
	if (in_a && in_b && mt_value_equal(row, mt_datum(a, row), mt_datum(b, row)))
		return;
	if (in_a != in_b && mt_value_is_default(row, mt_datum(in_a ? a : b, row)))
		return;
	x = in_a ? text_of(row, a) : NULL;
	y = in_b ? text_of(row, b) : NULL;
	len = enter(d, row->xml);
	if (row->flags & MT_SECRET)
		d->fn(d->path.text, in_a ? "(secret)" : NULL, in_b ? "(secret)" : NULL, d->arg);
	else
		d->fn(d->path.text, x, y, d->arg);
	leave(d, len);
}

/* The element itself came or went. */
static void diff_presence(struct diff *d, bool in_a, bool in_b)
{
	if (in_a != in_b)
		d->fn(d->path.len > 0 ? d->path.text : "", in_a ? "" : NULL, in_b ? "" : NULL,
		      d->arg);
}

static const char *tag_word(const struct mt_type *type, const struct mt_cases *cases,
			    const void *obj)
{
	const char *word = obj == NULL ? "" : mt_case_word(cases, type, mt_case_tag(cases, obj));

	return word[0] != '\0' ? word : NULL;
}

static void diff_object(struct diff *d, const struct mt_type *type, const struct mt_row *row,
			const void *a, const void *b)
{
	const struct mt_cases *cases = row->kind == MT_CASE ? row->arg : NULL;
	bool in_a = a != NULL && mt_present(row, a), in_b = b != NULL && mt_present(row, b);
	const struct mt_type *ta = in_a ? mt_row_type(row, a) : NULL;
	const struct mt_type *tb = in_b ? mt_row_type(row, b) : NULL;
	const void *x = ta != NULL ? *(void *const *)mt_datum(a, row) : NULL;
	const void *y = tb != NULL ? *(void *const *)mt_datum(b, row) : NULL;
	size_t len = d->path.len;

	if (!mt_case_is_here(row)) {
		enter(d, row->xml);
		diff_presence(d, in_a, in_b);
	}
	if (cases != NULL && cases->tag_xml != NULL) {
		const char *v = tag_word(type, cases, in_a ? a : NULL);
		const char *w = tag_word(type, cases, in_b ? b : NULL);
		size_t inner = enter(d, cases->tag_xml);

		if ((v == NULL) != (w == NULL) || (v != NULL && strcmp(v, w) != 0))
			d->fn(d->path.text, v, w, d->arg);
		leave(d, inner);
	}
	if (ta == tb) {
		if (x != NULL || y != NULL)
			diff(d, ta, x, y);
	} else {
		if (x != NULL)
			diff(d, ta, x, NULL);
		if (y != NULL)
			diff(d, tb, NULL, y);
	}
	leave(d, len);
}

/* "devices/disk[vda]", or its number where it has no key of its own. */
static size_t enter_item(struct diff *d, const struct mt_row *row, const void *obj, uint32_t index)
{
	size_t len = enter(d, row->xml), end;
	bool complete;
	VM_AUTO_FREE char *key = mt_key(row->arg, obj, &complete);

	if (!complete) {
		vm_strbuf_printf(&d->path, "[%u]", index);
		return len;
	}
	end = strlen(key);
	if (end > 0)
		key[end - 1] = '\0';
	for (char *p = key; *p != '\0'; p++)
		if (*p == '\x1f')
			*p = ',';
	vm_strbuf_printf(&d->path, "[%s]", key);
	return len;
}

static void diff_item(struct diff *d, const struct mt_row *row, const void *a, const void *b,
		      uint32_t index)
{
	size_t len = enter_item(d, row, a != NULL ? a : b, index);

	diff_presence(d, a != NULL, b != NULL);
	diff(d, row->arg, a, b);
	leave(d, len);
}

static void diff_many(struct diff *d, const struct mt_row *row, const void *a, const void *b)
{
	static const struct mt_list none;
	const struct mt_list *x = a != NULL ? mt_datum(a, row) : &none;
	const struct mt_list *y = b != NULL ? mt_datum(b, row) : &none;
	VM_AUTO_FREE uint32_t *pair = NULL;
	VM_AUTO_FREE bool *taken = NULL;
	bool moved = false;
	uint32_t last = 0;

	if (x->n == 0 && y->n == 0)
		return;
	pair = mt_match(row->arg, x, y);
	taken = vm_xcalloc(y->n + 1, sizeof(*taken));
	for (uint32_t i = 0; i < x->n; i++) {
		diff_item(d, row, x->v[i], pair[i] != UINT32_MAX ? y->v[pair[i]] : NULL, i);
		if (pair[i] == UINT32_MAX)
			continue;
		taken[pair[i]] = true;
		moved |= pair[i] < last;
		last = pair[i];
	}
	for (uint32_t i = 0; i < y->n; i++)
		if (!taken[i])
			diff_item(d, row, NULL, y->v[i], i);
	if (moved) {
		size_t len = enter(d, row->xml);

		vm_strbuf_puts(&d->path, "/#order");
		d->fn(d->path.text, "", "", d->arg);
		leave(d, len);
	}
}

static void diff(struct diff *d, const struct mt_type *type, const void *a, const void *b)
{
	for (uint16_t i = 0; i < type->n; i++) {
		const struct mt_row *row = &type->rows[i];

		if (row->kind == MT_MANY)
			diff_many(d, row, a, b);
		else if (row->kind == MT_ONE || row->kind == MT_CASE)
			diff_object(d, type, row, a, b);
		else
			diff_scalar(d, row, a, b);
	}
}

void mt_diff(const struct mt_type *type, const void *a, const void *b, mt_diff_fn *fn, void *arg)
{
	struct diff d = {.fn = fn, .arg = arg};

	diff(&d, type, a, b);
	vm_strbuf_free(&d.path);
}

static void differs(const char *path, const char *old_value, const char *new_value, void *arg)
{
	(void)path, (void)old_value, (void)new_value;
	*(bool *)arg = true;
}

bool mt_equal(const struct mt_type *type, const void *a, const void *b)
{
	bool found = false;

	mt_diff(type, a, b, differs, &found);
	return !found;
}
