/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line against a table of options. */
#include "base/cli_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>

#define ARGS_MAX 65536

const struct vm_opt vm_cli_common[] = {
	{ .name = "connect", .letter = 'c', .kind = VM_OPT_STR, .arg = "URI", .complete = "uri",
	  .off = offsetof(struct vm_common, connect),
	  .help = "hypervisor to use (default $VM_CONNECT, else for root\n"
		  "qemu:///system, for others qemu:///session)" },
	{ .name = "timeout", .kind = VM_OPT_SECONDS, .arg = "SECONDS",
	  .off = offsetof(struct vm_common, timeout_ms),
	  .given = offsetof(struct vm_common, timeout_given),
	  .help = "longest wait for hypervisor, lock, kernel (default 10)" },
	{ .name = "dry-run", .kind = VM_OPT_FLAG, .off = offsetof(struct vm_common, dry_run),
	  .help = "print every step and change nothing" },
	{ .name = "json", .letter = 'j', .kind = VM_OPT_FLAG,
	  .off = offsetof(struct vm_common, json), .help = "print JSON (see vm-json(7))" },
	{ .name = "quiet", .letter = 'q', .kind = VM_OPT_FLAG,
	  .off = offsetof(struct vm_common, quiet), .help = "print nothing but errors" },
	{ .name = "verbose", .letter = 'v', .kind = VM_OPT_FLAG,
	  .off = offsetof(struct vm_common, verbose),
	  .help = "name each step on standard error" },
	{ 0 },
};

/* They end parsing at once. */
static const struct {
	const char *name;
	char letter;
	enum vm_cli_want want;
} wants[] = {
	{ "help", 'h', VM_CLI_HELP },
	{ "version", 'V', VM_CLI_VERSION },
	{ "vm-options", 0, VM_CLI_DESCRIBE },
};

struct parse {
	const struct vm_program *p;
	struct vm_cli_parsed *out;
	struct vm_words typed, domains, files;
	int argc, at;
	char *const *argv;
};

bool vm_cli_common_applies(const struct vm_program *p, const struct vm_opt *opt)
{
	return p->changes || opt->off != offsetof(struct vm_common, dry_run);
}

bool vm_cli_has_operand(const struct vm_program *p, enum vm_operand kind)
{
	const struct vm_operand_spec *s;

	for (s = p->operands; s && s->name; s++)
		if (s->kind == kind)
			return true;
	return false;
}

static const struct vm_opt *find_in(const struct vm_opt *o, const char *name, size_t len,
				    char letter)
{
	for (; o && o->name; o++)
		if (letter ? o->letter == letter
			   : strlen(o->name) == len && memcmp(o->name, name, len) == 0)
			return o;
	return NULL;
}

static const struct vm_opt *find_option(const struct vm_program *p, const char *name, size_t len,
					char letter)
{
	const struct vm_opt *o = find_in(p->options, name, len, letter);

	if (o)
		return o;
	o = find_in(vm_cli_common, name, len, letter);
	return o && vm_cli_common_applies(p, o) ? o : NULL;
}

static bool takes_value(const struct vm_opt *o)
{
	return o->kind != VM_OPT_FLAG && o->kind != VM_OPT_SET;
}

/* For the other end of a +ssh connection. */
static void say_again(struct parse *s, const struct vm_opt *o, const char *value)
{
	if (o->off == offsetof(struct vm_common, connect) && o->kind == VM_OPT_STR)
		return;
	vm_words_add(&s->out->again,
		     vm_cli_own(s->out, value ? vm_xasprintf("--%s=%s", o->name, value)
					      : vm_xasprintf("--%s", o->name)));
}

static int apply(struct parse *s, const struct vm_opt *o, const char *value, struct vm_err *err)
{
	if (vm_cli_store(o, value, s->out->options, s->out, err) < 0)
		return -1;
	say_again(s, o, value);
	return 0;
}

/* --domain G and --file F are operands by another name, unless the program's own table has them. */
static struct vm_words *operand_option(struct parse *s, const char *name, size_t len)
{
	if (len == 6 && memcmp(name, "domain", len) == 0 &&
	    vm_cli_has_operand(s->p, VM_OPERAND_GUEST))
		return &s->domains;
	if (len == 4 && memcmp(name, "file", len) == 0 && vm_cli_has_operand(s->p, VM_OPERAND_FILE))
		return &s->files;
	return NULL;
}

static int parse_long(struct parse *s, const char *arg, struct vm_err *err)
{
	const char *eq = strchr(arg, '='), *value = eq ? eq + 1 : NULL;
	size_t len = eq ? (size_t)(eq - arg) : strlen(arg), i;
	const struct vm_opt *o = find_option(s->p, arg, len, 0);
	struct vm_words *operands = o ? NULL : operand_option(s, arg, len);

	for (i = 0; !o && i < sizeof(wants) / sizeof(wants[0]); i++) {
		if (strlen(wants[i].name) != len || memcmp(wants[i].name, arg, len) != 0)
			continue;
		if (value)
			return vm_err_set(err, VM_USAGE, "--%.*s takes no value", (int)len, arg);
		s->out->want = wants[i].want;
		return 0;
	}
	if (!o && !operands)
		return vm_err_set(err, VM_USAGE, "unknown option --%.*s", (int)len, arg);
	if (o && !takes_value(o) && value)
		return vm_err_set(err, VM_USAGE, "--%s takes no value", o->name);
	if (!value && (operands || (takes_value(o) && !o->optional))) {
		if (s->at == s->argc)
			return vm_err_set(err, VM_USAGE, "--%.*s needs a value%s%s", (int)len, arg,
					  o && o->arg ? ": " : "", o && o->arg ? o->arg : "");
		value = s->argv[s->at++];
	}
	if (operands) {
		vm_words_add(operands, value);
		return 0;
	}
	return apply(s, o, value, err);
}

/* "-jq", "-cURI", "-c URI" */
static int parse_short(struct parse *s, const char *arg, struct vm_err *err)
{
	const struct vm_opt *o;
	const char *value;
	size_t i;

	for (; *arg && s->out->want == VM_CLI_RUN; arg++) {
		for (i = 0; i < sizeof(wants) / sizeof(wants[0]); i++)
			if (wants[i].letter == *arg)
				s->out->want = wants[i].want;
		if (s->out->want != VM_CLI_RUN)
			return 0;
		o = find_option(s->p, "", 0, *arg);
		if (!o)
			return vm_err_set(err, VM_USAGE, "unknown option -%.*s",
					  (int)vm_utf8_next(arg, strlen(arg)), arg);
		value = NULL;
		if (takes_value(o) && !o->optional) {
			if (!arg[1] && s->at == s->argc)
				return vm_err_set(err, VM_USAGE, "-%c needs a value%s%s", *arg,
						  o->arg ? ": " : "", o->arg ? o->arg : "");
			value = arg[1] ? arg + 1 : s->argv[s->at++];
			return apply(s, o, value, err);
		}
		if (apply(s, o, NULL, err) < 0)
			return -1;
	}
	return 0;
}

static int take_named(struct vm_words *from, const struct vm_operand_spec *spec,
		      const char *option, struct vm_words *to, struct vm_err *err)
{
	size_t i;

	if (from->n > 1 && !spec->many)
		return vm_err_set(err, VM_USAGE, "--%s is given twice: one %s only", option,
				  spec->name);
	for (i = 0; i < from->n; i++)
		vm_words_add(to, from->v[i]);
	return 0;
}

/* Words that are too few are the first ones; of many operands the last. */
static int missing(const struct vm_operand_spec *spec, size_t typed, struct vm_err *err)
{
	for (; typed > 0 && !spec->many && spec[1].name; spec++)
		typed -= !spec->optional;
	return vm_err_set(err, VM_USAGE, "%s is missing", spec->name);
}

/* Puts operands where the table says; operands named by options come first in their place. */
static int place_operands(struct parse *s, struct vm_words *to, struct vm_err *err)
{
	const struct vm_operand_spec *spec;
	size_t next = 0, had, left;

	for (spec = s->p->operands; spec && spec->name; spec++) {
		const struct vm_operand_spec *rest;

		had = to->n;
		if (spec->kind == VM_OPERAND_GUEST) {
			if (take_named(&s->domains, spec, "domain", to, err) < 0)
				return -1;
			s->domains.n = 0;
		} else if (spec->kind == VM_OPERAND_FILE) {
			if (take_named(&s->files, spec, "file", to, err) < 0)
				return -1;
			s->files.n = 0;
		}
		/* what later operands must have is not this one's */
		left = s->typed.n - next;
		for (rest = spec + 1; rest->name && left; rest++)
			left -= !rest->optional && !(rest->kind == VM_OPERAND_FILE && s->files.n) &&
				!(rest->kind == VM_OPERAND_GUEST && s->domains.n);
		if (to->n == had || spec->many)
			for (; left && (spec->many || to->n == had); left--)
				vm_words_add(to, s->typed.v[next++]);
		if (to->n == had && !spec->optional)
			return missing(spec, s->typed.n - next, err);
	}
	if (next < s->typed.n)
		return vm_err_set(err, VM_USAGE, "unexpected operand '%s'", s->typed.v[next]);
	return 0;
}

/* Operands for the other end: one FILE can go over stdin. */
static void operands_again(struct parse *s, const struct vm_words *operands)
{
	const struct vm_operand_spec *spec = s->p->operands;
	size_t i;

	vm_words_add(&s->out->again, "--");
	for (i = 0; i < operands->n; i++) {
		const char *word = operands->v[i];

		if (spec && spec->name && spec->kind == VM_OPERAND_FILE && !s->out->file &&
		    strcmp(word, "-") != 0) {
			s->out->file = word;
			word = "-";
		}
		vm_words_add(&s->out->again, word);
		if (spec && spec->name && !spec->many)
			spec++;
	}
}

static int parse_all(struct parse *s, struct vm_err *err)
{
	bool only_operands = false;

	while (s->at < s->argc && s->out->want == VM_CLI_RUN) {
		const char *arg = s->argv[s->at++];
		int r = 0;

		if (only_operands || arg[0] != '-' || !arg[1])
			vm_words_add(&s->typed, arg);
		else if (strcmp(arg, "--") == 0)
			only_operands = true;
		else if (arg[1] == '-')
			r = parse_long(s, arg + 2, err);
		else
			r = parse_short(s, arg + 1, err);
		if (r < 0)
			return -1;
	}
	return 0;
}

/* A slow host, or a busy one, may need more for everything. */
static int timeout_from_env(struct vm_common *c, struct vm_cli_parsed *ret, struct vm_err *err)
{
	const char *text = secure_getenv("VM_TIMEOUT");
	const struct vm_opt *opt = vm_cli_common;

	if (text == NULL || *text == '\0' || c->timeout_given)
		return 0;
	while (strcmp(opt->name, "timeout") != 0)
		opt++;
	if (vm_cli_store(opt, text, c, ret, err) < 0)
		return vm_err_wrap(err, "VM_TIMEOUT");
	c->timeout_given = false; /* a default, not somebody's wish for this command */
	return 0;
}

int vm_cli_parse(const struct vm_program *p, int argc, char *const *argv, struct vm_cli_parsed *ret,
		 struct vm_err *err)
{
	struct parse s = { .p = p, .out = ret, .argc = argc, .at = 1, .argv = argv };
	struct vm_common *c;
	int i, r;

	assert(p->size >= sizeof(struct vm_common));
	ret->options = vm_xcalloc(1, p->size);
	if (p->defaults)
		memcpy(ret->options, p->defaults, p->size);
	c = ret->options;
	if (!c->timeout_ms)
		c->timeout_ms = VM_CLI_TIMEOUT_MS;
	vm_words_add(&ret->again, p->name);
	/* The form of errors must be known before the first of them. */
	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		ret->json |= strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "-j") == 0;
	if (argc > ARGS_MAX)
		return vm_err_set(err, VM_USAGE, "more than %d arguments", ARGS_MAX);
	r = parse_all(&s, err);
	if (r == 0 && ret->want == VM_CLI_RUN)
		r = timeout_from_env(c, ret, err);
	if (r == 0 && ret->want == VM_CLI_RUN) {
		r = place_operands(&s, &c->operands, err);
		operands_again(&s, &c->operands);
	}
	vm_cli_own(ret, c->operands.v);
	free(s.typed.v);
	free(s.domains.v);
	free(s.files.v);
	ret->json |= c->json;
	c->deadline = vm_deadline_in(c->timeout_ms);
	return r;
}

void vm_cli_parsed_free(struct vm_cli_parsed *parsed)
{
	size_t i;

	for (i = 0; i < parsed->nowned; i++)
		free(parsed->owned[i]);
	free(parsed->owned);
	free(parsed->again.v);
	free(parsed->options);
	*parsed = VM_CLI_PARSED_INIT;
}
