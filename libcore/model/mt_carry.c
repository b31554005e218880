/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Facts that an earlier definition was given, taken over by the document that replaces it. */
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "mt_match.h"

static void carry_object(const struct mt_row *row, struct mt_obj *obj, const struct mt_obj *stored)
{
	const struct mt_cases *cases = row->kind == MT_CASE ? row->arg : NULL;
	const struct mt_type *sub = mt_row_type(row, stored);
	void **mine = mt_datum(obj, row);
	void *const *theirs = mt_datum(stored, row);

	if (!mt_present(row, stored))
		return;
	if (mt_present(row, obj)) {
		if (*mine != NULL && *theirs != NULL && sub == mt_row_type(row, obj))
			mt_carry_over(sub, *mine, *theirs);
		return;
	}
	if (!(row->flags & MT_ASSIGNED))
		return;
	if (cases != NULL && cases->tag_xml == NULL &&
	    mt_case_tag(cases, obj) != mt_case_tag(cases, stored))
		return;
	if (cases != NULL)
		memcpy((char *)obj + cases->tag_off, (const char *)stored + cases->tag_off,
		       sizeof(int));
	if (sub != NULL && *theirs != NULL) {
		*mine = mt_copy(sub, *theirs);
		mt_detach(sub, *mine);
	}
	mt_assigned(obj, row->set);
}

void mt_carry_over(const struct mt_type *type, void *obj, const void *stored)
{
	for (uint16_t i = 0; i < type->n; i++) {
		const struct mt_row *row = &type->rows[i];
		void *mine = mt_datum(obj, row);
		const void *theirs = mt_datum(stored, row);

		if (row->kind == MT_MANY) {
			const struct mt_list *list = mine, *other = theirs;
			VM_AUTO_FREE uint32_t *pair = mt_match(row->arg, list, other);

			for (uint32_t k = 0; k < list->n; k++)
				if (pair[k] != UINT32_MAX)
					mt_carry_over(row->arg, list->v[k], other->v[pair[k]]);
		} else if (row->kind == MT_ONE || row->kind == MT_CASE) {
			carry_object(row, obj, stored);
		} else if ((row->flags & MT_ASSIGNED) && !mt_is_set(obj, row->set) &&
			   mt_is_set(stored, row->set)) {
			mt_value_copy(row, mine, theirs);
			mt_assigned(obj, row->set);
		}
	}
}
