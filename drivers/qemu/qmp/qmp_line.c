/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/qmp/qmp_line.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "qemu/qmp/qmp.h"

struct scan {
	const char *line;
	size_t len, at, depth, values;
	size_t key_at, key_len; /* last string on the outermost level */
	size_t value_at;	/* of the member "return", 0 = not inside it */
	struct vm_qmp_line *out;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void scan_string(struct scan *s)
{
	size_t start = ++s->at;

	while (s->at < s->len && s->line[s->at] != '"')
		s->at += s->line[s->at] == '\\' ? 2 : 1;
	if (s->at > s->len)
		s->at = s->len;
	if (s->depth == 1) {
		s->key_at = start;
		s->key_len = s->at - start;
	}
	if (s->at < s->len)
		s->at++;
}

/* A run of number characters; returns its length and whether it is an integer beyond INT64_MAX. */
static size_t number_run(const char *p, size_t len, bool *big)
{
	size_t n = 0, digits = 0;

	while (n < len && (is_digit(p[n]) || strchr("+-.eE", p[n]) != NULL) && p[n] != '\0') {
		digits += is_digit(p[n]);
		n++;
	}
	/* Leading zeros are no JSON: left for the decoder to refuse. */
	*big = n == digits && p[0] != '0' &&
	       (n > 19 || (n == 19 && memcmp(p, "9223372036854775807", 19) > 0));
	return n;
}

static void end_value(struct scan *s)
{
	size_t end = s->at;

	if (s->value_at == 0)
		return;
	while (end > s->value_at && strchr(" \t\r\n", s->line[end - 1]) != NULL)
		end--;
	s->out->ret_at = s->value_at;
	s->out->ret_len = end - s->value_at;
	s->value_at = 0;
}

static void begin_value(struct scan *s)
{
	static const char name[] = "return";

	s->at++;
	if (s->key_len != sizeof(name) - 1 || memcmp(s->line + s->key_at, name, s->key_len) != 0)
		return;
	while (s->at < s->len && strchr(" \t\r\n", s->line[s->at]) != NULL &&
	       s->line[s->at] != '\0')
		s->at++;
	s->value_at = s->at;
}

/* One token of the line. */
static void scan_token(struct scan *s)
{
	bool big = false;
	char c = s->line[s->at];

	if (c == '"') {
		scan_string(s);
		return;
	}
	if (is_digit(c) || c == '-') {
		s->at += number_run(s->line + s->at, s->len - s->at, &big);
		s->out->big |= big;
		return;
	}
	if (c == ':' && s->depth == 1) {
		begin_value(s);
		return;
	}
	if (c == ',' || c == '[' || c == '{')
		s->values++;
	if (c == '[' || c == '{') {
		s->depth++;
	} else if (c == ']' || c == '}') {
		if (s->depth == 1)
			end_value(s);
		s->depth -= s->depth > 0;
	} else if (c == ',' && s->depth == 1) {
		end_value(s);
	}
	s->at++;
}

int vm_qmp_line_scan(const char *line, size_t len, size_t depth_max, size_t values_max,
		     struct vm_qmp_line *ret, struct vm_err *err)
{
	struct vm_qmp_line out = {0};
	struct scan s = {.line = line, .len = len, .out = &out};

	while (s.at < s.len) {
		scan_token(&s);
		if (s.depth > depth_max)
			return vm_err_set(err, VM_HYPERVISOR,
					  "QEMU sent a line nested deeper than %zu levels",
					  depth_max);
		if (s.values > values_max)
			return vm_err_set(err, VM_HYPERVISOR,
					  "QEMU sent a line of more than %zu values", values_max);
	}
	*ret = out;
	return 0;
}

/* A copy in which integers that need 64 unsigned bits are signed. What does not fit at all is left
 * for the decoder to refuse. */
static char *fold_big(const char *line, size_t len, size_t *ret_len)
{
	/* -9223372036854775808 is one byte longer than the number it stands for. */
	char *out = vm_xmalloc(len + len / 19 + 2);
	size_t at = 0, n, used = 0;
	bool big;

	for (; at < len; at += n) {
		char digits[21];

		big = false;
		n = 1;
		if (line[at] == '"') {
			while (at + n < len && line[at + n] != '"')
				n += line[at + n] == '\\' ? 2 : 1;
			n = at + n < len ? n + 1 : len - at;
		} else if (is_digit(line[at]) || line[at] == '-') {
			n = number_run(line + at, len - at, &big);
		}
		memcpy(out + used, line + at, n);
		if (big && n < sizeof(digits)) {
			uint64_t value;

			memcpy(digits, line + at, n);
			digits[n] = '\0';
			errno = 0;
			value = strtoull(digits, NULL, 10);
			if (errno == 0) {
				used +=
				    (size_t)snprintf(out + used, 21, "%" PRId64, (int64_t)value);
				continue;
			}
		}
		used += n;
	}
	*ret_len = used;
	return out;
}

int vm_qmp_line_decode(const char *line, size_t len, struct vm_qmp_line *ret_line,
		       json_t **ret_value, struct vm_err *err)
{
	VM_AUTO_FREE char *copy = NULL;
	struct vm_qmp_line scan;
	json_error_t why;
	json_t *value;

	if (vm_qmp_line_scan(line, len, VM_QMP_DEPTH_MAX, VM_QMP_VALUES_MAX, &scan, err) < 0)
		return -1;
	if (scan.big)
		line = copy = fold_big(line, len, &len);
	value = json_loadb(line, len, JSON_REJECT_DUPLICATES, &why);
	if (value == NULL)
		return vm_err_set(err, VM_HYPERVISOR, "QEMU sent a line that is no JSON object: %s",
				  why.text);
	if (!json_is_object(value)) {
		json_decref(value);
		return vm_err_set(err, VM_HYPERVISOR,
				  "QEMU sent a line that is no JSON object: '[' instead of '{'");
	}
	if (ret_line != NULL)
		*ret_line = scan;
	*ret_value = value;
	return 0;
}
