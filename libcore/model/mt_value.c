/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scalars: from text, to text, compared, copied. */
#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/strbuf.h>

#include "mt_internal.h"

#define CPUSET_BITS 16384u

const struct mt_bool mt_yes_no = {"yes", "no"}, mt_on_off = {"on", "off"};

struct why {
	char *text;
	size_t size;
};

__attribute__((format(printf, 3, 4))) static enum vm_kind refuse(struct why *why, enum vm_kind kind,
								 const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why->text, why->size, fmt, ap);
	va_end(ap);
	return kind;
}

int mt_word_find(const char *const *words, const char *word)
{
	for (int i = 0; words[i] != NULL; i++)
		if (words[i][0] != '\0' && words[i][0] != '!' && strcmp(words[i], word) == 0)
			return i;
	return -1;
}

static enum vm_kind parse_enum(const char *const *words, const char *text, int *ret,
			       struct why *why)
{
	int found = mt_word_find(words, text);
	struct vm_strbuf list = VM_STRBUF_INIT;

	if (found >= 0) {
		*ret = found;
		return VM_OK;
	}
	for (int i = 0; words[i] != NULL; i++) {
		if (words[i][0] == '!' && strcmp(words[i] + 1, text) == 0) {
			vm_strbuf_free(&list);
			return refuse(why, VM_UNSUPPORTED, "'%s' is not supported yet", text);
		}
		if (words[i][0] != '\0' && words[i][0] != '!')
			vm_strbuf_printf(&list, "%s%s", list.len > 0 ? ", " : "", words[i]);
	}
	refuse(why, VM_BAD_INPUT, "'%.60s' is not known (known: %.300s)", text,
	       list.len > 0 ? list.text : "none");
	vm_strbuf_free(&list);
	return VM_BAD_INPUT;
}

/* Digits in base 10, or (any) as C writes numbers: 0x1f, 017.  The whole text; no sign, no space.
 */
static bool parse_digits(const char *text, bool any, uint64_t *ret, bool *ret_overflow)
{
	unsigned base = 10, digit;
	uint64_t v = 0;

	*ret_overflow = false;
	if (any && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	} else if (any && text[0] == '0' && text[1] != '\0') {
		base = 8;
		text++;
	}
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		if (*text >= '0' && *text <= '9')
			digit = (unsigned)(*text - '0');
		else if (base == 16 && isxdigit((unsigned char)*text))
			digit = (unsigned)(tolower((unsigned char)*text) - 'a') + 10;
		else
			return false;
		if (digit >= base)
			return false;
		if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, digit, &v))
			*ret_overflow = true;
	}
	*ret = v;
	return true;
}

static enum vm_kind parse_u64(const struct mt_row *row, const char *text, uint64_t *ret,
			      struct why *why)
{
	const struct mt_range *range = row->arg;
	bool overflow;
	uint64_t v;

	if (!parse_digits(text, (row->flags & MT_HEX) != 0, &v, &overflow))
		return refuse(why, VM_BAD_INPUT, "'%.60s' is not a number", text);
	if (overflow)
		return refuse(why, VM_BAD_INPUT, "'%.60s' is too large", text);
	if (range != NULL && (v < range->min || (range->max != 0 && v > range->max))) {
		if (range->max == 0)
			return refuse(why, VM_BAD_INPUT, "%s is less than %" PRIu64, text,
				      range->min);
		return refuse(why, VM_BAD_INPUT, "%s is not within %" PRIu64 " to %" PRIu64, text,
			      range->min, range->max);
	}
	*ret = v;
	return VM_OK;
}

static enum vm_kind parse_i64(const struct mt_row *row, const char *text, int64_t *ret,
			      struct why *why)
{
	const struct mt_range *range = row->arg;
	bool minus = text[0] == '-', overflow;
	uint64_t u;
	int64_t v;

	if (!parse_digits(text + (minus || text[0] == '+'), (row->flags & MT_HEX) != 0, &u,
			  &overflow))
		return refuse(why, VM_BAD_INPUT, "'%.60s' is not a number", text);
	if (overflow || u > (uint64_t)INT64_MAX + (minus ? 1 : 0))
		return refuse(why, VM_BAD_INPUT, "'%.60s' is too %s", text,
			      minus ? "small" : "large");
	v = minus ? (int64_t)(0 - u) : (int64_t)u;
	if (range != NULL && (range->min != 0 || range->max != 0) &&
	    (v < (int64_t)range->min || v > (int64_t)range->max))
		return refuse(why, VM_BAD_INPUT, "%s is not within %" PRId64 " to %" PRId64, text,
			      (int64_t)range->min, (int64_t)range->max);
	*ret = v;
	return VM_OK;
}

/* Source: libvirt's documentation of <memory>: b/bytes, KB = 1000, k/KiB = 1024 and so on, in any
 * case. */
static bool unit_factor(const char *unit, uint64_t *ret)
{
	static const char letters[] = "kmgtpe";
	const char *at;
	uint64_t base, factor = 1;

	if (unit == NULL || strcasecmp(unit, "b") == 0 || strcasecmp(unit, "byte") == 0 ||
	    strcasecmp(unit, "bytes") == 0) {
		*ret = 1;
		return true;
	}
	if (unit[0] == '\0')
		return false;
	at = strchr(letters, tolower((unsigned char)unit[0]));
	if (at == NULL)
		return false;
	if (unit[1] == '\0' || strcasecmp(unit + 1, "iB") == 0)
		base = 1024;
	else if (strcasecmp(unit + 1, "B") == 0)
		base = 1000;
	else
		return false;
	for (const char *p = letters; p <= at; p++)
		factor *= base;
	*ret = factor;
	return true;
}

static enum vm_kind parse_size(const struct mt_row *row, const char *text, const char *unit,
			       uint64_t *ret, struct why *why)
{
	const struct mt_range *range = row->arg;
	uint64_t v, factor;
	bool overflow;

	if (unit == NULL && range != NULL)
		unit = range->unit;
	if (!parse_digits(text, false, &v, &overflow))
		return refuse(why, VM_BAD_INPUT, "'%.60s' is not a number", text);
	if (!unit_factor(unit, &factor))
		return refuse(why, VM_BAD_INPUT, "unknown unit '%.60s'", unit);
	if (overflow || __builtin_mul_overflow(v, factor, &v))
		return refuse(why, VM_BAD_INPUT, "'%.60s' is too large", text);
	if (range != NULL && (v < range->min || (range->max != 0 && v > range->max)))
		return refuse(why, VM_BAD_INPUT, "%" PRIu64 " bytes is %s %" PRIu64, v,
			      v < range->min ? "less than" : "more than",
			      v < range->min ? range->min : range->max);
	*ret = v;
	return VM_OK;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 32 hexadecimal digits, dashes between bytes do not count. */
static bool parse_uuid(const char *text, uint8_t ret[16])
{
	uint8_t v[16];

	for (unsigned i = 0; i < 16; i++) {
		int high, low;

		while (i > 0 && *text == '-')
			text++;
		high = hex_digit(text[0]);
		low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0)
			return false;
		v[i] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	if (*text != '\0')
		return false;
	memcpy(ret, v, sizeof(v));
	return true;
}

/* Six bytes of one or two digits, colons between them. */
static bool parse_mac(const char *text, uint8_t ret[6])
{
	uint8_t v[6];

	for (unsigned i = 0; i < 6; i++) {
		int digit = hex_digit(*text), byte = digit;

		if (digit < 0)
			return false;
		digit = hex_digit(*++text);
		if (digit >= 0) {
			byte = byte << 4 | digit;
			text++;
		}
		v[i] = (uint8_t)byte;
		if (*text++ != (i < 5 ? ':' : '\0'))
			return false;
	}
	memcpy(ret, v, sizeof(v));
	return true;
}

static const char *cpu_number(const char *p, uint32_t *ret)
{
	uint32_t v = 0;

	if (!isdigit((unsigned char)*p))
		return NULL;
	for (; isdigit((unsigned char)*p); p++) {
		v = v * 10 + (uint32_t)(*p - '0');
		if (v >= CPUSET_BITS)
			return NULL;
	}
	*ret = v;
	return p;
}

static const char *skip_space(const char *p)
{
	while (isspace((unsigned char)*p))
		p++;
	return p;
}

/* "0-3,^2,8": numbers and ranges, ^ takes one out again. */
bool mt_cpuset_parse(const char *text, struct mt_cpuset *ret)
{
	VM_AUTO_FREE uint64_t *bits = vm_xcalloc(CPUSET_BITS / 64, sizeof(*bits));
	const char *p = skip_space(text);
	uint32_t from, to, top = 0;

	for (;;) {
		bool out = *p == '^';

		p = cpu_number(p + out, &from);
		if (p == NULL)
			return false;
		p = skip_space(p);
		to = from;
		if (*p == '-' && !out) {
			p = cpu_number(skip_space(p + 1), &to);
			if (p == NULL || to < from)
				return false;
			p = skip_space(p);
		}
		for (uint32_t i = from; i <= to; i++) {
			if (out)
				bits[i / 64] &= ~(UINT64_C(1) << i % 64);
			else
				bits[i / 64] |= UINT64_C(1) << i % 64;
		}
		if (*p == '\0')
			break;
		if (*p != ',')
			return false;
		p = skip_space(p + 1);
	}
	for (uint32_t i = 0; i < CPUSET_BITS; i++)
		if (bits[i / 64] >> i % 64 & 1)
			top = i + 1;
	if (top == 0)
		return false;
	free(ret->bits);
	ret->bits = vm_xmemdup(bits, (top + 63) / 64 * sizeof(*bits));
	ret->nbits = top;
	return true;
}

enum vm_kind mt_value_parse(const struct mt_row *row, const char *text, const char *unit,
			    void *datum, char *why_text, size_t why_size)
{
	struct why why = {why_text, why_size};
	const struct mt_bool *words = row->arg;

	switch ((enum mt_kind)row->kind) {
	case MT_PATH:
		if (text[0] != '/')
			return refuse(&why, VM_BAD_INPUT, "'%.200s' is not an absolute path", text);
		/* fall through */
	case MT_STR:
		free(*(char **)datum);
		*(char **)datum = vm_xstrdup(text);
		return VM_OK;
	case MT_ENUM:
		return parse_enum(row->arg, text, datum, &why);
	case MT_BOOL:
		if (strcmp(text, words->yes) != 0 && strcmp(text, words->no) != 0)
			return refuse(&why, VM_BAD_INPUT, "'%.60s' is neither '%s' nor '%s'", text,
				      words->yes, words->no);
		*(bool *)datum = strcmp(text, words->yes) == 0;
		return VM_OK;
	case MT_U64:
		return parse_u64(row, text, datum, &why);
	case MT_I64:
		return parse_i64(row, text, datum, &why);
	case MT_SIZE:
		return parse_size(row, text, unit, datum, &why);
	case MT_UUID:
		if (!parse_uuid(text, datum))
			return refuse(&why, VM_BAD_INPUT, "'%.60s' is not a UUID", text);
		return VM_OK;
	case MT_MAC:
		if (!parse_mac(text, datum))
			return refuse(&why, VM_BAD_INPUT, "'%.60s' is not a MAC address", text);
		return VM_OK;
	case MT_CPUSET:
		if (!mt_cpuset_parse(text, datum))
			return refuse(&why, VM_BAD_INPUT, "'%.60s' is not a set of CPUs", text);
		return VM_OK;
	case MT_ONE:
	case MT_MANY:
	case MT_CASE:
	case MT_KEEP:
		break;
	}
	assert(false && "a scalar");
	return VM_SYSTEM;
}

static char *format_size(const struct mt_row *row, uint64_t v, const char **ret_unit)
{
	const struct mt_range *range = row->arg;
	const char *unit = range != NULL ? range->unit : NULL;
	uint64_t factor;

	if (!unit_factor(unit, &factor) || v % factor != 0) {
		unit = "b";
		factor = 1;
	}
	*ret_unit = unit;
	return vm_xasprintf("%" PRIu64, v / factor);
}

char *mt_cpuset_text(const struct mt_cpuset *set)
{
	struct vm_strbuf b = VM_STRBUF_INIT;

	for (uint32_t i = 0; i < set->nbits; i++) {
		uint32_t from = i;

		if ((set->bits[i / 64] >> i % 64 & 1) == 0)
			continue;
		while (i + 1 < set->nbits && (set->bits[(i + 1) / 64] >> (i + 1) % 64 & 1) != 0)
			i++;
		vm_strbuf_printf(&b, i > from ? "%s%u-%u" : "%s%u", b.len > 0 ? "," : "", from, i);
	}
	return vm_strbuf_take(&b);
}

char *mt_value_format(const struct mt_row *row, const void *datum, const char **ret_unit)
{
	const struct mt_range *range = row->arg;
	const struct mt_bool *words = row->arg;
	const char *const *list = row->arg;
	const uint8_t *u = datum;
	struct vm_strbuf b = VM_STRBUF_INIT;

	*ret_unit = NULL;
	switch ((enum mt_kind)row->kind) {
	case MT_STR:
	case MT_PATH:
	case MT_KEEP:
		return vm_xstrdup(*(char *const *)datum != NULL ? *(char *const *)datum : "");
	case MT_ENUM:
		return vm_xstrdup(list[*(const int *)datum]);
	case MT_BOOL:
		if (row->flags & MT_PRESENT)
			words = &mt_yes_no;
		return vm_xstrdup(*(const bool *)datum ? words->yes : words->no);
	case MT_U64:
		if (row->flags & MT_HEX)
			return vm_xasprintf("0x%0*" PRIx64, range != NULL ? (int)range->digits : 1,
					    *(const uint64_t *)datum);
		return vm_xasprintf("%" PRIu64, *(const uint64_t *)datum);
	case MT_I64:
		return vm_xasprintf("%" PRId64, *(const int64_t *)datum);
	case MT_SIZE:
		return format_size(row, *(const uint64_t *)datum, ret_unit);
	case MT_UUID:
		for (unsigned i = 0; i < 16; i++)
			vm_strbuf_printf(
			    &b, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", u[i]);
		return vm_strbuf_take(&b);
	case MT_MAC:
		for (unsigned i = 0; i < 6; i++)
			vm_strbuf_printf(&b, i > 0 ? ":%02x" : "%02x", u[i]);
		return vm_strbuf_take(&b);
	case MT_CPUSET:
		return mt_cpuset_text(datum);
	case MT_ONE:
	case MT_MANY:
	case MT_CASE:
		break;
	}
	assert(false && "a scalar");
	return vm_xstrdup("");
}

bool mt_value_equal(const struct mt_row *row, const void *a, const void *b)
{
	const char *unit;
	VM_AUTO_FREE char *x = mt_value_format(row, a, &unit);
	VM_AUTO_FREE char *y = mt_value_format(row, b, &unit);

	return strcmp(x, y) == 0;
}

bool mt_value_is_default(const struct mt_row *row, const void *datum)
{
	switch ((enum mt_kind)row->kind) {
	case MT_STR:
	case MT_PATH:
		return row->def != 0 && *(char *const *)datum != NULL &&
		       strcmp(*(char *const *)datum, (const char *)(uintptr_t)row->def) == 0;
	case MT_ENUM:
		return (uint64_t) * (const int *)datum == row->def;
	case MT_BOOL:
		return *(const bool *)datum == (row->def != 0) && !(row->flags & MT_PRESENT);
	case MT_U64:
	case MT_SIZE:
		return row->def != 0 && *(const uint64_t *)datum == row->def;
	case MT_I64:
		return row->def != 0 && *(const int64_t *)datum == (int64_t)row->def;
	case MT_UUID:
	case MT_MAC:
	case MT_CPUSET:
	case MT_ONE:
	case MT_MANY:
	case MT_CASE:
	case MT_KEEP:
		break;
	}
	return false;
}

void mt_value_free(const struct mt_row *row, void *datum)
{
	struct mt_cpuset *set = datum;

	if (row->kind == MT_STR || row->kind == MT_PATH || row->kind == MT_KEEP) {
		free(*(char **)datum);
		*(char **)datum = NULL;
	} else if (row->kind == MT_CPUSET) {
		free(set->bits);
		*set = (struct mt_cpuset){0};
	}
}

static size_t value_size(const struct mt_row *row)
{
	switch ((enum mt_kind)row->kind) {
	case MT_ENUM:
		return sizeof(int);
	case MT_BOOL:
		return sizeof(bool);
	case MT_U64:
	case MT_I64:
	case MT_SIZE:
		return sizeof(uint64_t);
	case MT_UUID:
		return 16;
	case MT_MAC:
		return 6;
	case MT_STR:
	case MT_PATH:
	case MT_KEEP:
	case MT_CPUSET:
	case MT_ONE:
	case MT_MANY:
	case MT_CASE:
		break;
	}
	return 0;
}

void mt_value_copy(const struct mt_row *row, void *to, const void *from)
{
	mt_value_free(row, to);
	if (row->kind == MT_STR || row->kind == MT_PATH || row->kind == MT_KEEP) {
		*(char **)to = vm_xstrdup(*(char *const *)from);
	} else if (row->kind == MT_CPUSET) {
		const struct mt_cpuset *set = from;

		if (set->bits != NULL)
			*(struct mt_cpuset *)to = (struct mt_cpuset){
			    vm_xmemdup(set->bits, (set->nbits + 63) / 64 * sizeof(*set->bits)),
			    set->nbits};
	} else {
		memcpy(to, from, value_size(row));
	}
}
