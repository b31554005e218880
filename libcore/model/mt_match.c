/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which object of one list is which of another: by MT_KEY, else by likeness and order. */
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "mt_match.h"

/* Between objects without a complete key; more than this many comparisons only a hostile document
 * needs. */
#define MAX_TRIES 2000000u

/* Appends each key's text (or nothing) and US; false if one is absent. */
static bool collect(const struct mt_type *type, const void *obj, struct vm_strbuf *b, bool *any)
{
	bool complete = true;

	for (uint16_t i = 0; i < type->n; i++) {
		const struct mt_row *row = &type->rows[i];
		const struct mt_type *sub = mt_row_type(row, obj);
		const void *datum = mt_datum(obj, row);

		if (!(row->flags & MT_KEY) || row->kind == MT_MANY)
			continue;
		*any = true;
		if (!mt_is_scalar(row)) {
			if (row->kind == MT_CASE)
				vm_strbuf_printf(
				    b, "%s\x1f",
				    mt_case_word(row->arg, type, mt_case_tag(row->arg, obj)));
			if (sub != NULL && *(void *const *)datum != NULL)
				complete &= collect(sub, *(void *const *)datum, b, any);
			else
				complete = false;
		} else if (mt_is_set(obj, row->set) || row->def != 0) {
			const char *unit;
			VM_AUTO_FREE char *text = mt_value_format(row, datum, &unit);

			vm_strbuf_printf(b, "%s\x1f", text);
		} else {
			vm_strbuf_puts(b, "\x1e\x1f");
			complete = false;
		}
	}
	return complete;
}

char *mt_key(const struct mt_type *type, const void *obj, bool *ret_complete)
{
	struct vm_strbuf b = VM_STRBUF_INIT;
	bool any = false;

	*ret_complete = collect(type, obj, &b, &any) && any;
	return vm_strbuf_take(&b);
}

/* Do two keys agree where both say something? */
static bool agree(const char *a, const char *b)
{
	while (*a != '\0' && *b != '\0') {
		size_t m = strcspn(a, "\x1f"), n = strcspn(b, "\x1f");

		if (*a != '\x1e' && *b != '\x1e' && (m != n || memcmp(a, b, m) != 0))
			return false;
		a += m + (a[m] != '\0');
		b += n + (b[n] != '\0');
	}
	return true;
}

struct keyed {
	char *key;
	uint32_t index, next; /* next: of the first of equal keys, how many are taken */
	bool complete;
};

static int by_key(const void *a, const void *b)
{
	const struct keyed *const *x = a, *const *y = b;
	int c = strcmp((*x)->key, (*y)->key);

	return c != 0 ? c : (*x)->index < (*y)->index ? -1 : 1;
}

static struct keyed *keys_of(const struct mt_type *type, const struct mt_list *list)
{
	struct keyed *k = vm_xcalloc(list->n + 1, sizeof(*k));

	for (uint32_t i = 0; i < list->n; i++) {
		k[i].index = i;
		k[i].key = mt_key(type, list->v[i], &k[i].complete);
	}
	return k;
}

/* Is b what a becomes when facts are assigned to it? */
static bool completes(const struct mt_type *type, const void *a, const void *b)
{
	for (uint16_t i = 0; i < type->n; i++) {
		const struct mt_row *row = &type->rows[i];
		const void *x = mt_datum(a, row), *y = mt_datum(b, row);
		const struct mt_list *p = x, *q = y;
		const struct mt_type *sub = mt_row_type(row, a);

		if (row->kind == MT_MANY) {
			if (p->n != q->n)
				return false;
			for (uint32_t k = 0; k < p->n; k++)
				if (!completes(sub, p->v[k], q->v[k]))
					return false;
		} else if (!mt_present(row, a)) {
			if (mt_present(row, b) && !(row->flags & MT_ASSIGNED))
				return false;
		} else if (!mt_present(row, b)) {
			return false;
		} else if (mt_is_scalar(row)) {
			if (!mt_value_equal(row, x, y))
				return false;
		} else if (sub != mt_row_type(row, b) ||
			   (sub != NULL && *(void *const *)x != NULL &&
			    (*(void *const *)y == NULL ||
			     !completes(sub, *(void *const *)x, *(void *const *)y)))) {
			return false;
		}
	}
	return true;
}

/* alike: only where b is a completion of a, so that of several with one key each finds its own. */
static void match_keys(const struct mt_type *type, const struct mt_list *la,
		       const struct mt_list *lb, const struct keyed *a, struct keyed *const *sorted,
		       uint32_t n, bool alike, uint32_t *pair, bool *taken)
{
	uint32_t tries = 0;

	for (uint32_t i = 0; i < la->n; i++) {
		uint32_t low = 0, high = n, k;

		while (low < high) {
			uint32_t mid = low + (high - low) / 2;

			if (strcmp(sorted[mid]->key, a[i].key) < 0)
				low = mid + 1;
			else
				high = mid;
		}
		if (!a[i].complete || pair[i] != UINT32_MAX || low == n)
			continue;
		/* Those at its beginning that are taken need not be asked again. */
		k = low + sorted[low]->next;
		for (; k < n && strcmp(sorted[k]->key, a[i].key) == 0; k++) {
			uint32_t index = sorted[k]->index;

			if (taken[index] && k == low + sorted[low]->next)
				sorted[low]->next++;
			if (taken[index] || (alike && (tries++ > MAX_TRIES ||
						       !completes(type, la->v[i], lb->v[index]))))
				continue;
			pair[i] = index;
			taken[index] = true;
			break;
		}
	}
}

/* Those of the list whose key is complete, in order of the keys. Owned. */
static struct keyed **sort_keys(struct keyed *k, uint32_t n, uint32_t *ret_n)
{
	struct keyed **sorted = vm_xcalloc(n + 1, sizeof(struct keyed *));

	*ret_n = 0;
	for (uint32_t i = 0; i < n; i++)
		if (k[i].complete)
			sorted[(*ret_n)++] = &k[i];
	if (*ret_n > 0)
		qsort(sorted, *ret_n, sizeof(struct keyed *), by_key);
	return sorted;
}

/* What has no complete key is first sought among its own completions, so that one that is gone does
 * not give its facts to the next. */
static void match_completions(const struct mt_type *type, const struct mt_list *a,
			      const struct mt_list *b, const struct keyed *keys, uint32_t *pair,
			      bool *taken)
{
	uint32_t first = 0, tries = 0;

	for (uint32_t i = 0; i < a->n; i++) {
		while (first < b->n && taken[first])
			first++;
		for (uint32_t k = first; !keys[i].complete && k < b->n && tries < MAX_TRIES; k++) {
			tries++;
			if (taken[k] || !completes(type, a->v[i], b->v[k]))
				continue;
			pair[i] = k;
			taken[k] = true;
			break;
		}
	}
}

uint32_t *mt_match(const struct mt_type *type, const struct mt_list *a, const struct mt_list *b)
{
	uint32_t *pair = vm_xcalloc(a->n + 1, sizeof(*pair));
	VM_AUTO_FREE bool *taken = vm_xcalloc(b->n + 1, sizeof(*taken));
	struct keyed *ka = keys_of(type, a), *kb = keys_of(type, b);
	uint32_t first = 0, tries = 0, n;
	VM_AUTO_FREE struct keyed **sorted = sort_keys(kb, b->n, &n);

	for (uint32_t i = 0; i < a->n; i++)
		pair[i] = UINT32_MAX;
	match_keys(type, a, b, ka, sorted, n, true, pair, taken);
	match_keys(type, a, b, ka, sorted, n, false, pair, taken);
	match_completions(type, a, b, ka, pair, taken);
	for (uint32_t i = 0; i < a->n; i++) {
		while (first < b->n && taken[first])
			first++;
		for (uint32_t k = first;
		     !ka[i].complete && pair[i] == UINT32_MAX && k < b->n && tries < MAX_TRIES;
		     k++) {
			tries++;
			if (taken[k] || !agree(ka[i].key, kb[k].key))
				continue;
			pair[i] = k;
			taken[k] = true;
			break;
		}
	}
	for (uint32_t i = 0; i < a->n; i++)
		free(ka[i].key);
	for (uint32_t i = 0; i < b->n; i++)
		free(kb[i].key);
	free(ka);
	free(kb);
	return pair;
}
