/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Character data of a text that the parser has accepted. */
#include <stdlib.h>
#include <string.h>

#include "xml_internal.h"

static void add_character(struct vm_strbuf *out, unsigned long c)
{
	if (c >= 0x10000)
		vm_strbuf_putc(out, (char)(0xf0 | c >> 18));
	if (c >= 0x800)
		vm_strbuf_putc(out, (char)(c >= 0x10000 ? 0x80 | (c >> 12 & 0x3f) : 0xe0 | c >> 12));
	if (c >= 0x80)
		vm_strbuf_putc(out, (char)(c >= 0x800 ? 0x80 | (c >> 6 & 0x3f) : 0xc0 | c >> 6));
	vm_strbuf_putc(out, (char)(c >= 0x80 ? 0x80 | (c & 0x3f) : c));
}

/* The reference at p; returns what follows it. */
static const char *add_reference(struct vm_strbuf *out, const char *p)
{
	static const char names[] = "lt\0<gt\0>amp\0&quot\0\"apos\0'";
	const char *end = strchr(p, ';');

	if (p[1] == '#') {
		add_character(out, strtoul(p + (p[2] == 'x' ? 3 : 2), NULL, p[2] == 'x' ? 16 : 10));
		return end + 1;
	}
	for (const char *n = names; n < names + sizeof(names) - 1; n += strlen(n) + 2)
		if (strncmp(n, p + 1, strlen(n)) == 0 && p[1 + strlen(n)] == ';')
			vm_strbuf_putc(out, n[strlen(n) + 1]);
	return end + 1;
}

static void add_plain(struct vm_strbuf *out, const char *p, const char *end)
{
	while (p < end) {
		const char *cr = memchr(p, '\r', (size_t)(end - p));

		vm_strbuf_add(out, p, (size_t)((cr != NULL ? cr : end) - p));
		if (cr == NULL)
			return;
		vm_strbuf_putc(out, '\n');
		p = cr + 1 + (cr + 1 < end && cr[1] == '\n');
	}
}

void xml_decode(const struct vm_xml *x, uint32_t from, uint32_t to, struct vm_strbuf *out)
{
	const char *p = x->text + from, *end = x->text + to;

	while (p < end) {
		const char *mark = p, *close;

		while (mark < end && *mark != '&' && *mark != '<')
			mark++;
		add_plain(out, p, mark);
		if (mark == end)
			return;
		p = mark;
		if (*p == '&') {
			p = add_reference(out, p);
		} else if (strncmp(p, "<![CDATA[", 9) == 0) {
			close = strstr(p, "]]>");
			add_plain(out, p + 9, close);
			p = close + 3;
		} else if (strncmp(p, "<!--", 4) == 0) {
			p = strstr(p + 4, "-->") + 3;
		} else {
			p = strstr(p, "?>") + 2;
		}
	}
}
