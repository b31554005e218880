/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Which object of one list is which of another. */
#include <vm/strbuf.h>

#include "mt_internal.h"

/* For each object of a the index of its like in b, or UINT32_MAX.  Owned. */
uint32_t *mt_match(const struct mt_type *type, const struct mt_list *a, const struct mt_list *b);
/* The object's keys as text, fields ended by US, absent ones RS. Owned. complete: none is absent.
 */
char *mt_key(const struct mt_type *type, const void *obj, bool *ret_complete);
