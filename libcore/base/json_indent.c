/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vm/json.h>

#include <string.h>

#include <vm/strbuf.h>

#define DEPTH_SHOWN 100 /* deeper levels stay at this margin */

static void new_line(struct vm_strbuf *b, size_t depth)
{
	vm_strbuf_putc(b, '\n');
	for (size_t i = 0; i < depth && i < DEPTH_SHOWN; i++)
		vm_strbuf_puts(b, "  ");
}

static size_t skip_space(const char *text, size_t len, size_t at)
{
	while (at < len && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r'))
		at++;
	return at;
}

/* Length of a string with its quotes, or of one other token. */
static size_t token(const char *text, size_t len)
{
	size_t n = 1;

	if (text[0] != '"')
		return 1;
	while (n < len && text[n] != '"')
		n += text[n] == '\\' ? 2 : 1;
	return n < len ? n + 1 : len;
}

void vm_json_indent(struct vm_strbuf *b, const char *text, size_t len)
{
	size_t depth = 0, at = 0, n;

	while ((at = skip_space(text, len, at)) < len) {
		char c = text[at];

		n = token(text + at, len - at);
		if (c == '}' || c == ']')
			new_line(b, depth -= depth > 0);
		vm_strbuf_add(b, text + at, n);
		at += n;
		if (c == '{' || c == '[') {
			size_t next = skip_space(text, len, at);

			if (next < len && (text[next] == '}' || text[next] == ']')) {
				vm_strbuf_putc(b, text[next]);
				at = next + 1;
			} else {
				new_line(b, ++depth);
			}
		} else if (c == ',') {
			new_line(b, depth);
		} else if (c == ':') {
			vm_strbuf_putc(b, ' ');
		}
	}
}
