/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every row there is, for the manual and the fuzzers. */
#include <stdio.h>

#include <vm/strbuf.h>

#include "mt_internal.h"

#define MAX_DEPTH 16u

struct walk {
	mt_walk_fn *fn;
	void *arg;
	struct vm_strbuf path;
	const struct mt_type *stack[MAX_DEPTH];
	unsigned depth;
};

static void cut(struct walk *w, size_t len)
{
	w->path.len = len;
	w->path.text[len] = '\0';
}

static void walk(struct walk *w, const struct mt_type *type);

static void walk_cases(struct walk *w, const struct mt_type *type, const struct mt_cases *cases)
{
	size_t len = w->path.len;

	for (int i = 0; i < cases->n; i++) {
		if (cases->by[i] == NULL)
			continue;
		vm_strbuf_printf(&w->path, "(%s=%s)", cases->tag, mt_case_word(cases, type, i));
		walk(w, cases->by[i]);
		cut(w, len);
	}
}

static void walk(struct walk *w, const struct mt_type *type)
{
	size_t len = w->path.len;

	/* A type may hold itself (a backing store its own): once is enough. */
	for (unsigned i = 0; i < w->depth; i++)
		if (w->stack[i] == type)
			return;
	if (w->depth == MAX_DEPTH)
		return;
	w->stack[w->depth++] = type;
	for (uint16_t i = 0; i < type->n; i++) {
		const struct mt_row *row = &type->rows[i];

		if (!mt_case_is_here(row))
			vm_strbuf_printf(&w->path, "/%s", row->xml);
		w->fn(w->path.text, row, w->arg);
		if (row->kind == MT_ONE || row->kind == MT_MANY)
			walk(w, row->arg);
		else if (row->kind == MT_CASE)
			walk_cases(w, type, row->arg);
		cut(w, len);
	}
	w->depth--;
}

void mt_walk(const struct mt_type *type, mt_walk_fn *fn, void *arg)
{
	struct walk w = {.fn = fn, .arg = arg};

	vm_strbuf_puts(&w.path, type->elem);
	walk(&w, type);
	vm_strbuf_free(&w.path);
}
