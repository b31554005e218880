/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Source: National Semiconductor PC16550D data sheet. */
#include <stddef.h>

#include "guest.h"

#define COM1 0x3f8

static bool present;
static char line[256];
static unsigned line_len;
static bool overlong;

void serial_init(void)
{
	outb(COM1 + 7, 0x5a);
	present = inb(COM1 + 7) == 0x5a;
	outb(COM1 + 1, 0x00);
	outb(COM1 + 3, 0x80);
	outb(COM1 + 0, 0x01);
	outb(COM1 + 1, 0x00);
	outb(COM1 + 3, 0x03);
	outb(COM1 + 2, 0x07);
	outb(COM1 + 4, 0x0b);
	outb(COM1 + 1, 0x01);
}

static void put(char c)
{
	if (!present)
		return;
	while (!(inb(COM1 + 5) & 0x20))
		;
	outb(COM1, (uint8_t)c);
}

void serial_puts(const char *s)
{
	for (; *s; s++) {
		if (*s == '\n')
			put('\r');
		put(*s);
	}
}

void serial_hex(uint32_t value, unsigned digits)
{
	while (digits--)
		put("0123456789abcdef"[(value >> (digits * 4)) & 15]);
}

void serial_dec(uint32_t value)
{
	char buf[12];
	unsigned n = sizeof(buf);

	buf[--n] = '\0';
	do
		buf[--n] = (char)('0' + value % 10);
	while (value /= 10);
	serial_puts(buf + n);
}

const char *serial_line(void)
{
	if (!present)
		return NULL;
	while (inb(COM1 + 5) & 0x01) {
		char c = (char)inb(COM1);

		if (c == '\r' || c == '\n') {
			bool usable = line_len > 0 && !overlong;

			line[line_len] = '\0';
			line_len = 0;
			overlong = false;
			if (usable)
				return line;
		} else if (line_len < sizeof(line) - 1) {
			line[line_len++] = c;
		} else {
			overlong = true;
		}
	}
	return NULL;
}
