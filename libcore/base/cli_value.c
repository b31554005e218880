/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Values of options: text into the members of a program's options. */
#include "base/cli_impl.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#define SECONDS_MAX (366ull * 86400 * 10)

void vm_words_add(struct vm_words *w, const char *word)
{
	w->v = vm_xreallocarray(w->v, w->n + 2, sizeof(*w->v));
	w->v[w->n++] = word;
	w->v[w->n] = NULL;
}

void vm_words_free(struct vm_words *w)
{
	size_t i;

	for (i = 0; i < w->n; i++)
		free((void *)(uintptr_t)w->v[i]);
	free(w->v);
	*w = (struct vm_words){ 0 };
}

void *vm_cli_own(struct vm_cli_parsed *parsed, void *p)
{
	parsed->owned = vm_xreallocarray(parsed->owned, parsed->nowned + 1, sizeof(*parsed->owned));
	parsed->owned[parsed->nowned++] = p;
	return p;
}

static int digit(char c, unsigned base)
{
	int d = -1;

	if (c >= '0' && c <= '9')
		d = c - '0';
	else if (c >= 'a' && c <= 'f')
		d = c - 'a' + 10;
	else if (c >= 'A' && c <= 'F')
		d = c - 'A' + 10;
	return d >= 0 && (unsigned)d < base ? d : -1;
}

/* Digits only: no sign, no space.  -1 = none there or too many. */
static int scan_u64(const char **text, unsigned base, uint64_t *ret)
{
	const char *p = *text;
	uint64_t n = 0;
	int d;

	if (digit(*p, base) < 0)
		return -1;
	for (; (d = digit(*p, base)) >= 0; p++)
		if (__builtin_mul_overflow(n, (uint64_t)base, &n) ||
		    __builtin_add_overflow(n, (uint64_t)d, &n))
			return -1;
	*text = p;
	*ret = n;
	return 0;
}

int vm_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret, struct vm_err *err)
{
	const char *p = text;
	unsigned base = 10;
	uint64_t n;

	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) {
		base = 16;
		p += 2;
	}
	if (scan_u64(&p, base, &n) < 0 || *p)
		return vm_err_set(err, VM_USAGE, "'%s' is not a number", text);
	if (n < min || n > max) {
		if (max == UINT64_MAX)
			return vm_err_set(err, VM_USAGE, "'%s' is less than %" PRIu64, text, min);
		return vm_err_set(err, VM_USAGE, "'%s' is not from %" PRIu64 " to %" PRIu64, text,
				  min, max);
	}
	*ret = n;
	return 0;
}

int vm_parse_size(const char *text, uint64_t *ret_bytes, struct vm_err *err)
{
	/* Source: virsh(1), "NOTES": scaled integers; a bare number is KiB in its memory commands. */
	static const struct {
		const char *suffix;
		uint64_t unit;
	} units[] = {
		{ "", 1ull << 10 },	{ "b", 1 },		{ "bytes", 1 },
		{ "k", 1ull << 10 },	{ "kib", 1ull << 10 },	{ "kb", 1000ull },
		{ "m", 1ull << 20 },	{ "mib", 1ull << 20 },	{ "mb", 1000ull * 1000 },
		{ "g", 1ull << 30 },	{ "gib", 1ull << 30 },	{ "gb", 1000ull * 1000 * 1000 },
		{ "t", 1ull << 40 },	{ "tib", 1ull << 40 },	{ "tb", 1000000ull * 1000000 },
		{ "p", 1ull << 50 },	{ "pib", 1ull << 50 },	{ "pb", 1000000000ull * 1000000 },
	};
	const char *p = text;
	uint64_t n;
	size_t i;

	if (scan_u64(&p, 10, &n) < 0) {
		vm_err_set(err, VM_USAGE, "'%s' is not a size", text);
		return vm_err_hint(err, "write a whole number of KiB, or with a unit: 512MiB, 4G");
	}
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcasecmp(units[i].suffix, p) != 0)
			continue;
		if (__builtin_mul_overflow(n, units[i].unit, &n))
			return vm_err_set(err, VM_USAGE, "'%s' is too large", text);
		*ret_bytes = n;
		return 0;
	}
	vm_err_set(err, VM_USAGE, "'%s': unknown unit '%s'", text, p);
	return vm_err_hint(err, "units are b, KiB (or k), KB, MiB (or M), MB, GiB (or G), TiB (or T)");
}

/* "2", "0.5": to milliseconds, rounded up, never 0. */
static int parse_seconds(const char *text, uint64_t *ret_ms, struct vm_err *err)
{
	const char *p = text;
	uint64_t s, ms = 0, unit = 100;
	bool more = false;

	if (scan_u64(&p, 10, &s) < 0 || s > SECONDS_MAX)
		return vm_err_set(err, VM_USAGE, "'%s' is not a number of seconds", text);
	if (*p == '.') {
		for (p++; digit(*p, 10) >= 0; p++, unit /= 10) {
			ms += (uint64_t)digit(*p, 10) * unit;
			more |= !unit && *p != '0';
		}
		if (p[-1] == '.')
			return vm_err_set(err, VM_USAGE, "'%s' is not a number of seconds", text);
	}
	if (*p)
		return vm_err_set(err, VM_USAGE, "'%s' is not a number of seconds", text);
	ms += s * 1000 + more;
	if (!ms)
		return vm_err_set(err, VM_USAGE, "'%s': nothing waits for ever or not at all", text);
	*ret_ms = ms;
	return 0;
}

static int find_word(const char *const *words, const char *text, size_t *ret, struct vm_err *err)
{
	struct vm_strbuf all = VM_STRBUF_INIT;
	size_t i;

	for (i = 0; words[i]; i++) {
		if (strcmp(words[i], text) == 0) {
			vm_strbuf_free(&all);
			*ret = i;
			return 0;
		}
		vm_strbuf_printf(&all, "%s%s", i ? ", " : "", words[i]);
	}
	vm_err_set(err, VM_USAGE, "'%s' is none of %s", text, all.text ? all.text : "");
	vm_strbuf_free(&all);
	return -1;
}

static int store_list(const struct vm_opt *opt, const char *text, struct vm_words *list,
		      struct vm_cli_parsed *parsed, struct vm_err *err)
{
	char *rest = vm_cli_own(parsed, vm_xstrdup(text)), *word;
	size_t ignored, i;

	/* The array may have been moved by growing: parsed frees what the option last pointed to. */
	for (i = 0; i < parsed->nowned; i++)
		if (list->v && parsed->owned[i] == list->v)
			parsed->owned[i] = NULL;
	while ((word = opt->value ? vm_take_ptr(&rest) : strsep(&rest, ","))) {
		if (!*word || (opt->words && find_word(opt->words, word, &ignored, err) < 0)) {
			vm_cli_own(parsed, list->v);
			return *word ? -1 : vm_err_set(err, VM_USAGE, "'%s' has an empty part", text);
		}
		vm_words_add(list, word);
	}
	vm_cli_own(parsed, list->v);
	return 0;
}

static int store_value(const struct vm_opt *opt, const char *text, void *member,
		       struct vm_cli_parsed *parsed, struct vm_err *err)
{
	size_t index;

	switch ((enum vm_opt_kind)opt->kind) {
	case VM_OPT_FLAG:
	case VM_OPT_SET:
		break;
	case VM_OPT_STR:
		*(const char **)member = vm_cli_own(parsed, vm_xstrdup(text));
		return 0;
	case VM_OPT_U64:
		return vm_parse_u64(text, 0, UINT64_MAX, member, err);
	case VM_OPT_SECONDS:
		return parse_seconds(text, member, err);
	case VM_OPT_SIZE:
		return vm_parse_size(text, member, err);
	case VM_OPT_ENUM:
		if (find_word(opt->words, text, &index, err) < 0)
			return -1;
		*(int *)member = (int)index;
		return 0;
	case VM_OPT_LIST:
		return store_list(opt, text, member, parsed, err);
	}
	assert(false && "option kinds with a value");
	return -1;
}

static void store_none(const struct vm_opt *opt, void *member)
{
	switch ((enum vm_opt_kind)opt->kind) {
	case VM_OPT_FLAG:
		*(bool *)member = true;
		break;
	case VM_OPT_SET:
		*(uint64_t *)member |= opt->value;
		break;
	case VM_OPT_STR:
		*(const char **)member = "";
		break;
	case VM_OPT_U64:
	case VM_OPT_SECONDS:
	case VM_OPT_SIZE:
		*(uint64_t *)member = opt->value;
		break;
	case VM_OPT_ENUM:
		*(int *)member = (int)opt->value;
		break;
	case VM_OPT_LIST:
		break;
	}
}

int vm_cli_store(const struct vm_opt *opt, const char *text, void *options,
		 struct vm_cli_parsed *parsed, struct vm_err *err)
{
	char *base = options;

	if (text) {
		if (store_value(opt, text, base + opt->off, parsed, err) < 0)
			return vm_err_wrap(err, "--%s", opt->name);
	} else {
		store_none(opt, base + opt->off);
	}
	if (opt->given)
		*(bool *)(base + opt->given) = true;
	return 0;
}
