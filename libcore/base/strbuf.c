/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vm/strbuf.h>

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>

size_t vm_utf8_next(const char *s, size_t len)
{
	const unsigned char *u = (const unsigned char *)s;
	unsigned char low = 0x80, high = 0xbf;
	size_t n, i;

	if (!len)
		return 0;
	if (u[0] < 0x80)
		return 1;
	if (u[0] >= 0xc2 && u[0] <= 0xdf)
		n = 2;
	else if (u[0] >= 0xe0 && u[0] <= 0xef)
		n = 3;
	else if (u[0] >= 0xf0 && u[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (u[0] == 0xe0)
		low = 0xa0; /* overlong */
	else if (u[0] == 0xed)
		high = 0x9f; /* surrogates */
	else if (u[0] == 0xf0)
		low = 0x90; /* overlong */
	else if (u[0] == 0xf4)
		high = 0x8f; /* above U+10FFFF */
	if (len < n || u[1] < low || u[1] > high)
		return 0;
	for (i = 2; i < n; i++)
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

bool vm_utf8_valid(const char *s, size_t len)
{
	size_t i, n;

	for (i = 0; i < len; i += n) {
		n = vm_utf8_next(s + i, len - i);
		if (!n)
			return false;
	}
	return true;
}

void vm_strbuf_free(struct vm_strbuf *b)
{
	free(b->text);
	*b = VM_STRBUF_INIT;
}

void vm_strbuf_clear(struct vm_strbuf *b)
{
	b->len = 0;
	if (b->text)
		b->text[0] = '\0';
}

static void reserve(struct vm_strbuf *b, size_t more)
{
	size_t need;

	assert(more < SIZE_MAX / 4 && b->len < SIZE_MAX / 4);
	need = b->len + more + 1;
	if (need <= b->cap)
		return;
	b->cap = b->cap * 2 > need ? b->cap * 2 : need < 64 ? 64 : need;
	b->text = vm_xreallocarray(b->text, b->cap, 1);
}

void vm_strbuf_add(struct vm_strbuf *b, const char *text, size_t len)
{
	reserve(b, len);
	if (len)
		memcpy(b->text + b->len, text, len);
	b->len += len;
	b->text[b->len] = '\0';
}

void vm_strbuf_puts(struct vm_strbuf *b, const char *text)
{
	vm_strbuf_add(b, text, strlen(text));
}

void vm_strbuf_putc(struct vm_strbuf *b, char c)
{
	vm_strbuf_add(b, &c, 1);
}

void vm_strbuf_vprintf(struct vm_strbuf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	reserve(b, 0);
	n = vsnprintf(b->text + b->len, b->cap - b->len, fmt, ap);
	assert(n >= 0);
	if ((size_t)n >= b->cap - b->len) {
		reserve(b, (size_t)n);
		n = vsnprintf(b->text + b->len, b->cap - b->len, fmt, again);
		assert(n >= 0 && (size_t)n < b->cap - b->len);
	}
	va_end(again);
	b->len += (size_t)n;
}

void vm_strbuf_printf(struct vm_strbuf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vm_strbuf_vprintf(b, fmt, ap);
	va_end(ap);
}

/* Bytes that must never reach a terminal or a line of fields: C0, DEL, C1 (CSI as one character), stray
 * bytes.  Returns how many bytes at s are such, else 0 with *ret_good = length of the good character. */
static size_t control_at(const char *s, size_t len, size_t *ret_good)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t n = vm_utf8_next(s, len);

	*ret_good = n;
	if (!n)
		return 1;
	if (n == 1 && (u[0] < 0x20 || u[0] == 0x7f))
		return 1;
	if (n == 2 && u[0] == 0xc2 && u[1] < 0xa0)
		return 2;
	return 0;
}

static void escape(struct vm_strbuf *b, const char *text, bool backslash)
{
	size_t len = strlen(text), i = 0, good, bad, k;

	while (i < len) {
		bad = control_at(text + i, len - i, &good);
		if (!bad && backslash && text[i] == '\\')
			bad = 1;
		for (k = 0; k < bad; k++)
			vm_strbuf_printf(b, "\\x%02x", (unsigned char)text[i + k]);
		if (!bad)
			vm_strbuf_add(b, text + i, good);
		i += bad ? bad : good;
	}
	reserve(b, 0);
	b->text[b->len] = '\0';
}

void vm_strbuf_escape(struct vm_strbuf *b, const char *text)
{
	escape(b, text, true);
}

void vm_strbuf_printable(struct vm_strbuf *b, const char *text)
{
	escape(b, text, false);
}

void vm_strbuf_json(struct vm_strbuf *b, const char *text)
{
	size_t len, i, n;

	if (!text) {
		vm_strbuf_puts(b, "null");
		return;
	}
	len = strlen(text);
	vm_strbuf_putc(b, '"');
	for (i = 0; i < len; i += n) {
		unsigned char c = (unsigned char)text[i];

		n = vm_utf8_next(text + i, len - i);
		if (!n) {
			vm_strbuf_puts(b, "\xef\xbf\xbd");
			n = 1;
		} else if (c == '"' || c == '\\') {
			vm_strbuf_putc(b, '\\');
			vm_strbuf_putc(b, (char)c);
		} else if (c == '\n') {
			vm_strbuf_puts(b, "\\n");
		} else if (c == '\t') {
			vm_strbuf_puts(b, "\\t");
		} else if (c < 0x20 || c == 0x7f) {
			vm_strbuf_printf(b, "\\u%04x", c);
		} else {
			vm_strbuf_add(b, text + i, n);
		}
	}
	vm_strbuf_putc(b, '"');
}

void vm_strbuf_xml(struct vm_strbuf *b, const char *text, bool quote)
{
	size_t len = strlen(text), i, n;

	reserve(b, len);
	b->text[b->len] = '\0';
	for (i = 0; i < len; i += n) {
		unsigned char c = (unsigned char)text[i];

		n = vm_utf8_next(text + i, len - i);
		if (!n || (c < 0x20 && c != '\t' && c != '\n' && c != '\r')) {
			/* XML 1.0 has no form at all for these */
			vm_strbuf_puts(b, "\xef\xbf\xbd");
			n = 1;
		} else if (c == '&') {
			vm_strbuf_puts(b, "&amp;");
		} else if (c == '<') {
			vm_strbuf_puts(b, "&lt;");
		} else if (c == '>') {
			vm_strbuf_puts(b, "&gt;");
		} else if (quote && c == '"') {
			vm_strbuf_puts(b, "&quot;");
		} else if (quote && c == '\'') {
			vm_strbuf_puts(b, "&apos;");
		} else if (c == '\r' || (quote && c < 0x20)) {
			vm_strbuf_printf(b, "&#%u;", c);
		} else {
			vm_strbuf_add(b, text + i, n);
		}
	}
}

bool vm_text_only(const char *text, const char *chars)
{
	for (; *text; text++)
		if (!(*text >= '0' && *text <= '9') &&
		    !((*text | 0x20) >= 'a' && (*text | 0x20) <= 'z') && !strchr(chars, *text))
			return false;
	return true;
}

void vm_strbuf_shell(struct vm_strbuf *b, const char *text)
{
	const char *p;

	if (*text && vm_text_only(text, "@%+=:,./_-")) {
		vm_strbuf_puts(b, text);
		return;
	}
	vm_strbuf_putc(b, '\'');
	for (p = text; *p; p++) {
		if (*p == '\'')
			vm_strbuf_puts(b, "'\\''");
		else
			vm_strbuf_putc(b, *p);
	}
	vm_strbuf_putc(b, '\'');
}

char *vm_strbuf_take(struct vm_strbuf *b)
{
	char *text;

	reserve(b, 0);
	b->text[b->len] = '\0';
	text = b->text;
	*b = VM_STRBUF_INIT;
	return text;
}
