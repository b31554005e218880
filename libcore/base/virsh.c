/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* virsh's command lines, said in our words. */
#include <vm/commands.h>

#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/strbuf.h>

#include "base/cli_impl.h"

#define OPTIONS_MAX 64

/* One option of the table's text, taken apart. */
struct option {
	const char *name;
	size_t len;
	bool value, named, operand, rest, refused, alone, given;
	const char *to; /* NULL = by its own name */
	size_t to_len;
};

struct translation {
	const struct vm_command *c;
	struct option options[OPTIONS_MAX];
	size_t n;
	struct vm_words before, operands, behind; /* owned */
	bool alone;			  /* without the options of `with` */
};

static void translation_free(struct translation *t)
{
	vm_words_free(&t->before);
	vm_words_free(&t->operands);
	vm_words_free(&t->behind);
}

static void read_table(struct translation *t)
{
	const char *p = t->c->options, *end;

	for (; p && *p; p = *end ? end + 1 : end) {
		struct option *o = &t->options[t->n++];
		const char *q;

		end = p + strcspn(p, "|");
		o->name = p;
		o->len = strcspn(p, ":=>!@|");
		q = p + o->len;
		o->named = *q == ':';
		q += o->named;
		o->value = *q == '=';
		q += o->value;
		if (*q == '@') {
			o->operand = true;
			o->rest = q[1] == '*';
			if (!o->rest && end > q + 1) {
				o->to = q + 1;
				o->to_len = (size_t)(end - q - 1);
			}
		} else if (*q == '>' || *q == '!') {
			o->refused = *q == '!';
			o->alone = q[1] == '~';
			q += o->alone;
			o->to = q + 1;
			o->to_len = (size_t)(end - q - 1);
		}
	}
}

static struct option *find(struct translation *t, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->options[i].len == len && memcmp(t->options[i].name, name, len) == 0)
			return &t->options[i];
	return NULL;
}

/* Data without a name is the next option that takes a value. */
static struct option *next_positional(struct translation *t)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->options[i].value && !t->options[i].named &&
		    (!t->options[i].given || t->options[i].rest))
			return &t->options[i];
	return NULL;
}

static int take(struct translation *t, struct option *o, const char *value, struct vm_err *err)
{
	o->given = true;
	t->alone |= o->alone;
	if (o->refused) {
		vm_err_set(err, VM_UNSUPPORTED, "virsh's %s --%.*s has no counterpart", t->c->virsh,
			   (int)o->len, o->name);
		return vm_err_hint(err, "%.*s", (int)o->to_len, o->to);
	}
	if (o->operand && o->to)
		vm_words_add(&t->behind, vm_xasprintf("%.*s%s", (int)o->to_len, o->to, value));
	else if (o->operand)
		vm_words_add(&t->operands, vm_xstrdup(value));
	else if (o->to && !o->to_len)
		return 0;
	else if (o->to)
		vm_words_add(&t->before,
			     vm_xasprintf("%.*s%s", (int)o->to_len, o->to, value ? value : ""));
	else
		vm_words_add(&t->before, vm_xasprintf("--%.*s%s%s", (int)o->len, o->name,
						      value ? "=" : "", value ? value : ""));
	return 0;
}

/* Ours that every tool has may be given too: --json, --timeout ... */
static int take_common(struct translation *t, const char *name, size_t len, const char *value,
		       char *const **argv, struct vm_err *err)
{
	const struct vm_opt *o;

	for (o = vm_cli_common; o->name; o++) {
		if (strlen(o->name) != len || memcmp(o->name, name, len) != 0)
			continue;
		if (o->kind != VM_OPT_FLAG && !value) {
			if (!**argv)
				return vm_err_set(err, VM_USAGE, "--%s needs a value", o->name);
			value = *(*argv)++;
		}
		vm_words_add(&t->before, vm_xasprintf("--%s%s%s", o->name, value ? "=" : "",
						      value ? value : ""));
		return 0;
	}
	return vm_err_set(err, VM_USAGE, "virsh's %s has no option --%.*s", t->c->virsh, (int)len, name);
}

static int take_option(struct translation *t, const char *arg, char *const **argv, struct vm_err *err)
{
	const char *eq = strchr(arg, '='), *value = eq ? eq + 1 : NULL;
	size_t len = eq ? (size_t)(eq - arg) : strlen(arg);
	struct option *o = find(t, arg, len);

	if (!o)
		return take_common(t, arg, len, value, argv, err);
	if (!o->value && value)
		return vm_err_set(err, VM_USAGE, "--%.*s takes no value", (int)len, arg);
	if (o->value && !value) {
		if (!**argv)
			return vm_err_set(err, VM_USAGE, "--%.*s needs a value", (int)len, arg);
		value = *(*argv)++;
	}
	if (o->given && !o->rest)
		return vm_err_set(err, VM_USAGE, "--%.*s is given twice", (int)len, arg);
	return take(t, o, value, err);
}

static int take_all(struct translation *t, char *const *argv, struct vm_err *err)
{
	bool only_data = false;

	while (*argv) {
		const char *arg = *argv++;
		struct option *o;

		if (!only_data && strcmp(arg, "--") == 0) {
			only_data = true;
			continue;
		}
		if (!only_data && strncmp(arg, "--", 2) == 0) {
			if (take_option(t, arg + 2, &argv, err) < 0)
				return -1;
			continue;
		}
		o = next_positional(t);
		if (!o)
			return vm_err_set(err, VM_USAGE, "virsh's %s does not take '%s'", t->c->virsh, arg);
		if (take(t, o, arg, err) < 0)
			return -1;
	}
	return 0;
}

static void move(struct vm_words *from, struct vm_words *to)
{
	size_t i;

	for (i = 0; i < from->n; i++)
		vm_words_add(to, from->v[i]);
	from->n = 0;
}

/* The words that are always given. */
static void add_fixed(const char *with, bool options, struct vm_words *to)
{
	size_t len;

	for (; with && *with; with += len + (with[len] == ' ')) {
		len = strcspn(with, " ");
		if ((*with == '-') == options)
			vm_words_add(to, vm_xstrndup(with, len));
	}
}

int vm_command_translate(const struct vm_command *c, char *const *argv, struct vm_words *ret,
			 struct vm_err *err)
{
	VM_AUTO(translation_free) struct translation t = { .c = c };
	struct vm_words words = { 0 };

	read_table(&t);
	if (c->options && take_all(&t, argv, err) < 0)
		return -1;
	vm_words_add(&words, vm_xstrdup(c->tool));
	if (!t.alone)
		add_fixed(c->with, true, &words);
	move(&t.before, &words);
	if (t.operands.n)
		vm_words_add(&words, vm_xstrdup("--"));
	move(&t.operands, &words);
	move(&t.behind, &words);
	for (; !c->options && *argv; argv++)
		vm_words_add(&words, vm_xstrdup(*argv));
	add_fixed(c->with, false, &words);
	*ret = words;
	return 0;
}

/* ---- did you mean ---- */

#define NAME_MAX_LEN 40

/* Source: V. I. Levenshtein's edit distance, the two-row form; too long a name is far from all. */
static unsigned distance(const char *a, const char *b)
{
	unsigned rows[2][NAME_MAX_LEN + 1];
	size_t la = strlen(a), lb = strlen(b), i, k;

	if (la > NAME_MAX_LEN || lb > NAME_MAX_LEN)
		return NAME_MAX_LEN;
	for (k = 0; k <= lb; k++)
		rows[0][k] = (unsigned)k;
	for (i = 1; i <= la; i++) {
		unsigned *now = rows[i & 1], *before = rows[!(i & 1)];

		now[0] = (unsigned)i;
		for (k = 1; k <= lb; k++) {
			unsigned best = before[k - 1] + (a[i - 1] != b[k - 1]);

			best = before[k] + 1 < best ? before[k] + 1 : best;
			now[k] = now[k - 1] + 1 < best ? now[k - 1] + 1 : best;
		}
	}
	return rows[la & 1][lb];
}

const char *vm_nearest(const char *typed, const char *(*next)(size_t index))
{
	const char *name, *best = NULL;
	unsigned best_at = 1 + (unsigned)(strlen(typed) > 3) + (unsigned)(strlen(typed) > 6), d;
	size_t i;

	for (i = 0; (name = next(i)); i++) {
		d = distance(typed, name);
		if (d < best_at || (d == best_at && !best)) {
			best = name;
			best_at = d;
		}
	}
	return best;
}
