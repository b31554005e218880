/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* A growing string, always NUL-terminated (text is never NULL once something was added). */
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>

struct vm_strbuf {
	char *text; /* owned; NULL while empty */
	size_t len, cap;
};
#define VM_STRBUF_INIT ((struct vm_strbuf){ 0 })

void vm_strbuf_free(struct vm_strbuf *b);
void vm_strbuf_clear(struct vm_strbuf *b);
void vm_strbuf_add(struct vm_strbuf *b, const char *text, size_t len);
void vm_strbuf_puts(struct vm_strbuf *b, const char *text);
void vm_strbuf_putc(struct vm_strbuf *b, char c);
void vm_strbuf_printf(struct vm_strbuf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void vm_strbuf_vprintf(struct vm_strbuf *b, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
/* Control bytes (C1 too), TAB, newline, backslash and bytes that are no UTF-8 as \xhh (plain
 * output). */
void vm_strbuf_escape(struct vm_strbuf *b, const char *text);
/* As vm_strbuf_escape() but backslashes stay: for messages to people. */
void vm_strbuf_printable(struct vm_strbuf *b, const char *text);
/* A JSON string with its quotes; bytes that are no UTF-8 become U+FFFD.  NULL gives null. */
void vm_strbuf_json(struct vm_strbuf *b, const char *text);
/* Escaped for XML text or (quote) an attribute value in quotes of either kind. */
void vm_strbuf_xml(struct vm_strbuf *b, const char *text, bool quote);
/* One shell word, quoted only if it must be. */
void vm_strbuf_shell(struct vm_strbuf *b, const char *text);
/* Has it nothing but ASCII letters, digits and these characters? */
bool vm_text_only(const char *text, const char *chars);
/* Hands the text over ("" if nothing was added); the buffer is empty afterwards. */
char *vm_strbuf_take(struct vm_strbuf *b) __attribute__((returns_nonnull, warn_unused_result));

/* Length of the well-formed UTF-8 character at s (1-4; a NUL counts as one), 0 if there is none.
 * Source: Unicode 15, table 3-7. */
size_t vm_utf8_next(const char *s, size_t len);
bool vm_utf8_valid(const char *s, size_t len);
