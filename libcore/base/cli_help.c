/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --help and --vm-options. */
#include "base/cli_impl.h"

#include <string.h>

#define HELP_COLUMN 25

static const char common_tail[] =
	"  -h, --help             print this help       -V, --version  print the version\n"
	"Exit status: vm-exit(7).  Manual: man ";

static void put_name(const struct vm_opt *o, struct vm_strbuf *b)
{
	vm_strbuf_printf(b, "--%s", o->name);
	if (o->arg)
		vm_strbuf_printf(b, o->optional ? "[=%s]" : "=%s", o->arg);
}

/* One row, or several that share a line; returns the row behind them. */
static const struct vm_opt *put_line(const struct vm_opt *o, struct vm_strbuf *b)
{
	size_t start = b->len;
	const char *help = "", *nl;

	if (o->letter)
		vm_strbuf_printf(b, "  -%c, ", o->letter);
	else
		vm_strbuf_puts(b, "      ");
	put_name(o, b);
	help = o->help;
	for (o++; o->name && (o->same_line || !o->help); o++) {
		if (!o->help)
			continue;
		vm_strbuf_printf(b, "%*s", (int)o->same_line, "");
		put_name(o, b);
		if (*o->help)
			help = o->help;
	}
	while (help && *help) {
		nl = strchr(help, '\n');
		if (nl != help) {
			do
				vm_strbuf_putc(b, ' ');
			while (b->len - start < HELP_COLUMN);
			vm_strbuf_add(b, help, nl ? (size_t)(nl - help) : strlen(help));
		}
		if (!nl)
			break;
		vm_strbuf_putc(b, '\n');
		start = b->len;
		help = nl + 1;
	}
	vm_strbuf_putc(b, '\n');
	return o;
}

void vm_cli_help(const struct vm_program *p, struct vm_strbuf *b)
{
	const struct vm_opt *o;
	const char *form = p->usage, *nl;
	bool first = true;

	for (; form; form = nl ? nl + 1 : NULL, first = false) {
		nl = strchr(form, '\n');
		vm_strbuf_printf(b, "%s %s", first ? "Usage:" : "      ", p->name);
		if (*form && *form != '\n')
			vm_strbuf_printf(b, " %.*s", nl ? (int)(nl - form) : (int)strlen(form), form);
		vm_strbuf_putc(b, '\n');
	}
	vm_strbuf_printf(b, "%s\n\n", p->summary);
	for (o = p->options; o && o->name;) {
		if (o->help)
			o = put_line(o, b);
		else
			o++;
	}
	vm_strbuf_puts(b, "Common options:\n");
	for (o = vm_cli_common; o->name;) {
		if (vm_cli_common_applies(p, o))
			o = put_line(o, b);
		else
			o++;
	}
	/* "vm help" is on vm's page */
	vm_strbuf_printf(b, "%s%.*s\n", common_tail, (int)strcspn(p->name, " "), p->name);
}

/* ---- for machines ---- */

static void put_field(struct vm_strbuf *b, const char *text)
{
	vm_strbuf_putc(b, '\t');
	if (text && *text)
		vm_strbuf_escape(b, text);
	else
		vm_strbuf_putc(b, '-');
}

static const char *completion(const struct vm_opt *o)
{
	if (o->complete)
		return o->complete;
	return o->words ? "words" : "-";
}

static void describe_option(const struct vm_opt *o, struct vm_strbuf *b)
{
	const char *const *words = o->words;
	char letter[2] = { o->letter, 0 };
	bool value = o->kind != VM_OPT_FLAG && o->kind != VM_OPT_SET;
	struct vm_strbuf text = VM_STRBUF_INIT;
	const char *p;

	vm_strbuf_printf(b, "option\t%s", o->name);
	put_field(b, letter);
	put_field(b, !value ? "none" : o->optional ? "optional" : "required");
	put_field(b, o->arg);
	put_field(b, completion(o));
	for (; words && *words; words++)
		vm_strbuf_printf(&text, "%s%s", text.len ? "," : "", *words);
	put_field(b, text.text);
	put_field(b, o->help ? "shown" : "hidden");
	vm_strbuf_clear(&text);
	for (p = o->help; p && *p; p++)
		if (*p != '\n')
			vm_strbuf_putc(&text, *p);
		else if (text.len)
			vm_strbuf_putc(&text, ' ');
	put_field(b, text.text);
	vm_strbuf_putc(b, '\n');
	vm_strbuf_free(&text);
}

void vm_cli_describe(const struct vm_program *p, struct vm_strbuf *b)
{
	static const char *const kinds[] = { "other", "guest", "file", "other" };
	/* parsed by name: they have no row */
	static const struct vm_opt help = { .name = "help", .letter = 'h', .help = "print this help" };
	static const struct vm_opt version = { .name = "version", .letter = 'V',
					       .help = "print the version" };
	const struct vm_operand_spec *s;
	const struct vm_opt *o;

	vm_strbuf_printf(b, "program\t%s\t%s\nsummary", p->name, p->changes ? "changes" : "reads");
	put_field(b, p->summary);
	vm_strbuf_putc(b, '\n');
	for (s = p->operands; s && s->name; s++) {
		vm_strbuf_puts(b, "operand");
		put_field(b, s->name);
		put_field(b, kinds[s->kind & 3]);
		put_field(b, s->many ? "many" : "one");
		put_field(b, s->optional ? "optional" : "required");
		put_field(b, s->complete		    ? s->complete
			     : s->kind == VM_OPERAND_GUEST ? "guest"
			     : s->kind == VM_OPERAND_FILE  ? "file"
							    : "-");
		vm_strbuf_putc(b, '\n');
	}
	for (o = p->options; o && o->name; o++)
		describe_option(o, b);
	for (o = vm_cli_common; o->name; o++)
		if (vm_cli_common_applies(p, o))
			describe_option(o, b);
	describe_option(&help, b);
	describe_option(&version, b);
}
