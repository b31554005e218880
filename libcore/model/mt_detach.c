// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mt_internal.h"

void mt_detach(const struct mt_type *type, void *obj)
{
	struct mt_obj *o = obj;

	o->node = VM_NODE_NONE;
	o->ours = o->set;
	for (uint16_t i = 0; i < type->n; i++) {
		const struct mt_row *row = &type->rows[i];
		const struct mt_type *sub = mt_row_type(row, obj);
		void *datum = mt_datum(obj, row);

		if (!sub)
			continue;
		if (row->kind == MT_MANY) {
			const struct mt_list *list = datum;

			for (uint32_t k = 0; k < list->n; k++)
				mt_detach(sub, list->v[k]);
		} else if (*(void **)datum) {
			mt_detach(sub, *(void **)datum);
		}
	}
}
