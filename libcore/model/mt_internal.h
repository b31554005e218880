/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What the parts of the table engine share. */
#include <vm/mt.h>

enum mt_step_kind { MT_STEP_END, MT_STEP_ELEMENT, MT_STEP_ATTR, MT_STEP_TEXT };
struct mt_step {
	enum mt_step_kind kind;
	const char *name, *ns; /* ns: "" or the URI behind a "prefix:" */
	char name_buf[64];
	bool last; /* nothing follows */
};
/* Takes the next step of a row's path; *path moves on. */
enum mt_step_kind mt_step_next(const char **path, struct mt_step *ret);
/* First child of n, or sibling behind `after`, that the element step names. */
vm_node mt_step_find(const struct vm_xml *doc, vm_node n, const struct mt_step *step);
vm_node mt_step_find_next(const struct vm_xml *doc, vm_node after, const struct mt_step *step);
/* Index of the step's attribute, -1 if absent. */
int mt_step_attr(const struct vm_xml *doc, vm_node n, const char *name);

static inline void *mt_datum(const void *obj, const struct mt_row *row)
{
	return (char *)(uintptr_t)obj + row->off;
}
static inline uint64_t mt_bit(const struct mt_row *row)
{
	return UINT64_C(1) << row->set;
}
static inline bool mt_is_scalar(const struct mt_row *row)
{
	return row->kind < MT_ONE;
}
static inline bool mt_case_is_here(const struct mt_row *row)
{
	return row->kind == MT_CASE && row->xml[0] == '.' && row->xml[1] == '\0';
}
/* Row holding the datum is there: bit set, or (objects) pointer, or items. */
bool mt_present(const struct mt_row *row, const void *obj);

static inline int mt_case_tag(const struct mt_cases *cases, const void *holder)
{
	return *(const int *)(const void *)((const char *)holder + cases->tag_off);
}
/* Type of the case that the holder's discriminator picks, or NULL. */
const struct mt_type *mt_case_type(const struct mt_cases *cases, const void *holder);
/* Word of case i: the cases' own, or those of the holder's MT_ENUM row; "" if there is none. */
const char *mt_case_word(const struct mt_cases *cases, const struct mt_type *holder, int i);
/* Type of what a MT_ONE, MT_MANY or MT_CASE row of obj holds, or NULL. */
const struct mt_type *mt_row_type(const struct mt_row *row, const void *obj);

/* Index of the word, -1 if it is none. */
int mt_word_find(const char *const *words, const char *word);
/* One scalar from text.  why: room for the reason when it fails (VM_BAD_INPUT or VM_UNSUPPORTED).
 */
enum vm_kind mt_value_parse(const struct mt_row *row, const char *text, const char *unit,
			    void *datum, char *why, size_t why_size);
/* Text of a scalar, owned; MT_SIZE: *ret_unit is set to its unit, or NULL. */
char *mt_value_format(const struct mt_row *row, const void *datum, const char **ret_unit);
bool mt_value_equal(const struct mt_row *row, const void *a, const void *b);
/* Is it what the row's def says? */
bool mt_value_is_default(const struct mt_row *row, const void *datum);
void mt_value_copy(const struct mt_row *row, void *to, const void *from);
void mt_value_free(const struct mt_row *row, void *datum);
