/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What must be known of a line of QMP before a JSON decoder may see it. */
#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include <vm/err.h>

struct vm_qmp_line {
	size_t ret_at, ret_len; /* place of the value of the member "return"; length 0 = none */
	bool big;		/* has integers that the decoder would refuse */
};
/* One pass over the line, without recursion: caps nesting and the number of values (memory is
 * bounded by them), finds "return".  Whether it is JSON at all is the decoder's to say. */
int vm_qmp_line_scan(const char *line, size_t len, size_t depth_max, size_t values_max,
		     struct vm_qmp_line *ret, struct vm_err *err);
/* Decodes a line: an object, no duplicate members.  Integers from INT64_MAX + 1 to UINT64_MAX
 * become the negative number of the same bits. */
int vm_qmp_line_decode(const char *line, size_t len, struct vm_qmp_line *ret_line,
		       json_t **ret_value, struct vm_err *err);
