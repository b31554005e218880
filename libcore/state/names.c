/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vm/state.h>

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include <vm/cleanup.h>
#include <vm/strbuf.h>

static const char *const life_words[] = {
    [VM_SHUTOFF] = "shutoff",
    [VM_RUNNING] = "running",
    [VM_PAUSED] = "paused",
    [VM_PMSUSPENDED] = "pmsuspended",
    [VM_SHUTTING_DOWN] = "shutting-down",
    [VM_CRASHED] = "crashed",
    [VM_SAVED] = "saved",
    [VM_UNRESPONSIVE] = "unresponsive",
    [VM_STALE] = "stale",
    [VM_BROKEN] = "broken",
};

const char *vm_life_word(enum vm_life life)
{
	return (unsigned)life < VM_COUNT(life_words) ? life_words[life] : "?";
}

int vm_life_from_word(const char *word)
{
	size_t i;

	for (i = 0; i < VM_COUNT(life_words); i++)
		if (strcmp(life_words[i], word) == 0)
			return (int)i;
	return -1;
}

/* NULL: fine; else what is wrong with it. */
static const char *name_fault(const char *name)
{
	size_t len = strnlen(name, VM_NAME_MAX + 1), i;

	if (len == 0)
		return "is empty";
	if (len > VM_NAME_MAX)
		return "is longer than 200 bytes";
	if (name[0] == '-' || name[0] == '.')
		return "begins with '-' or '.'";
	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c == '/')
			return "contains '/'";
		if (c < 0x20 || c == 0x7f)
			return "contains a control byte";
		/* C1 controls: U+0080 to U+009F */
		if (c == 0xc2 && (unsigned char)name[i + 1] >= 0x80 &&
		    (unsigned char)name[i + 1] <= 0x9f)
			return "contains a control character";
	}
	if (!vm_utf8_valid(name, len))
		return "is not valid UTF-8";
	return NULL;
}

bool vm_name_valid(const char *name)
{
	return !name_fault(name);
}

int vm_name_check(const char *name, struct vm_err *err)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf shown = VM_STRBUF_INIT;
	const char *fault = name_fault(name);

	if (!fault)
		return 0;
	vm_strbuf_escape(&shown, name);
	return vm_err_set(err, VM_BAD_INPUT, "guest name '%.220s' %s", shown.text ? shown.text : "",
			  fault);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int vm_uuid_parse(const char *text, uint8_t ret[16])
{
	bool dashes = strnlen(text, 37) == 36;
	uint8_t uuid[16];
	size_t i;
	int hi, lo;

	for (i = 0; i < 16; i++) {
		if (dashes && (i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
			return -1;
		hi = hex_digit(text[0]);
		lo = hi < 0 ? -1 : hex_digit(text[1]);
		if (lo < 0)
			return -1;
		uuid[i] = (uint8_t)(hi * 16 + lo);
		text += 2;
	}
	if (*text)
		return -1;
	memcpy(ret, uuid, sizeof(uuid));
	return 0;
}

void vm_uuid_format(const uint8_t uuid[16], char ret[37])
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*ret++ = '-';
		*ret++ = digits[uuid[i] >> 4];
		*ret++ = digits[uuid[i] & 15];
	}
	*ret = '\0';
}

void vm_uuid_make(uint8_t ret[16])
{
	size_t got = 0;
	ssize_t n;

	while (got < 16) {
		n = getrandom(ret + got, 16 - got, 0);
		if (n > 0)
			got += (size_t)n;
	}
	/* RFC 4122, 4.4: version 4, variant 1 */
	ret[6] = (uint8_t)((ret[6] & 0x0f) | 0x40);
	ret[8] = (uint8_t)((ret[8] & 0x3f) | 0x80);
}
