/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vm/json.h>

#include <string.h>

#include <vm/strbuf.h>

#define DEPTH_MAX 32

struct cursor {
	const char *at, *end;
};

static void skip_space(struct cursor *c)
{
	while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r'))
		c->at++;
}

static bool take(struct cursor *c, char want)
{
	if (c->at == c->end || *c->at != want)
		return false;
	c->at++;
	return true;
}

static bool is_digit(const struct cursor *c)
{
	return c->at < c->end && *c->at >= '0' && *c->at <= '9';
}

static bool digits(struct cursor *c)
{
	if (!is_digit(c))
		return false;
	while (is_digit(c))
		c->at++;
	return true;
}

/* Source: RFC 8259, 6 */
static bool number(struct cursor *c)
{
	(void)take(c, '-');
	if (!take(c, '0') && !digits(c))
		return false;
	if (take(c, '.') && !digits(c))
		return false;
	if (take(c, 'e') || take(c, 'E')) {
		if (!take(c, '+'))
			(void)take(c, '-');
		return digits(c);
	}
	return true;
}

static int hex4(struct cursor *c)
{
	int n = 0, i;

	if (c->end - c->at < 4)
		return -1;
	for (i = 0; i < 4; i++) {
		char h = *c->at++;

		if (h >= '0' && h <= '9')
			n = n * 16 + (h - '0');
		else if (h >= 'a' && h <= 'f')
			n = n * 16 + (h - 'a' + 10);
		else if (h >= 'A' && h <= 'F')
			n = n * 16 + (h - 'A' + 10);
		else
			return -1;
	}
	return n;
}

/* Behind "\u": a code point, with the other half of a surrogate pair; -1 = malformed. */
static int code_point(struct cursor *c)
{
	int high = hex4(c), low;

	if (high < 0xd800 || high > 0xdfff)
		return high;
	if (high > 0xdbff || !take(c, '\\') || !take(c, 'u'))
		return -1;
	low = hex4(c);
	if (low < 0xdc00 || low > 0xdfff)
		return -1;
	return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static size_t put_utf8(int cp, char out[4])
{
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

/* One character of a string, as bytes; 0 = malformed. */
static size_t character(struct cursor *c, char out[4])
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *which;
	size_t n;
	int cp;

	if (c->at == c->end || (unsigned char)*c->at < 0x20)
		return 0;
	if (*c->at != '\\') {
		n = vm_utf8_next(c->at, (size_t)(c->end - c->at));
		memcpy(out, c->at, n);
		c->at += n;
		return n;
	}
	c->at++;
	if (take(c, 'u')) {
		cp = code_point(c);
		return cp < 0 ? 0 : put_utf8(cp, out);
	}
	if (c->at == c->end || !*c->at)
		return 0;
	which = strchr(from, *c->at);
	if (!which)
		return 0;
	c->at++;
	out[0] = to[which - from];
	return 1;
}

static bool string(struct cursor *c)
{
	char out[4];

	if (!take(c, '"'))
		return false;
	while (!take(c, '"'))
		if (!character(c, out))
			return false;
	return true;
}

static bool word(struct cursor *c, const char *text)
{
	size_t len = strlen(text);

	if ((size_t)(c->end - c->at) < len || memcmp(c->at, text, len) != 0)
		return false;
	c->at += len;
	return true;
}

static bool value(struct cursor *c, unsigned depth);

static bool members(struct cursor *c, char close, unsigned depth)
{
	skip_space(c);
	if (take(c, close))
		return true;
	do {
		skip_space(c);
		if (close == '}') {
			if (!string(c))
				return false;
			skip_space(c);
			if (!take(c, ':'))
				return false;
		}
		if (!value(c, depth))
			return false;
		skip_space(c);
	} while (take(c, ','));
	return take(c, close);
}

static bool value(struct cursor *c, unsigned depth)
{
	skip_space(c);
	if (c->at == c->end)
		return false;
	switch (*c->at) {
	case '{':
	case '[':
		if (depth == DEPTH_MAX)
			return false;
		return members(c, *c->at++ == '{' ? '}' : ']', depth + 1);
	case '"':
		return string(c);
	case 't':
		return word(c, "true");
	case 'f':
		return word(c, "false");
	case 'n':
		return word(c, "null");
	default:
		return number(c);
	}
}

bool vm_json_valid(const char *text, size_t len)
{
	struct cursor c = { text, text + len };

	if (!value(&c, 0))
		return false;
	skip_space(&c);
	return c.at == c.end;
}

/* Does the string at the cursor say this?  Moves behind it; it is known to be well formed. */
static bool string_is(struct cursor *c, const char *want, size_t len)
{
	bool same = true;
	char out[4];
	size_t n;

	c->at++;
	while (!take(c, '"')) {
		n = character(c, out);
		if (!n)
			return false;
		same = same && n <= len && memcmp(want, out, n) == 0;
		if (same) {
			want += n;
			len -= n;
		}
	}
	return same && !len;
}

/* The last member of that key counts, as with other parsers. */
static struct vm_json_slice member(struct vm_json_slice object, const char *key, size_t len)
{
	struct vm_json_slice found = { 0 };
	struct cursor c = { object.at, object.at + object.len };

	if (!take(&c, '{'))
		return found;
	skip_space(&c);
	if (take(&c, '}'))
		return found;
	do {
		const char *start;
		bool same;

		skip_space(&c);
		same = string_is(&c, key, len);
		skip_space(&c);
		(void)take(&c, ':');
		skip_space(&c);
		start = c.at;
		if (!value(&c, 0))
			return (struct vm_json_slice){ 0 };
		if (same)
			found = (struct vm_json_slice){ start, (size_t)(c.at - start) };
		skip_space(&c);
	} while (take(&c, ','));
	return found;
}

struct vm_json_slice vm_json_find(const char *text, size_t len, const char *path)
{
	struct vm_json_slice v = { text, len };
	size_t n;

	if (!vm_json_valid(text, len))
		return (struct vm_json_slice){ 0 };
	while (v.len && strchr(" \t\r\n", *v.at)) {
		v.at++;
		v.len--;
	}
	while (v.at && *path) {
		n = strcspn(path, ".");
		v = member(v, path, n);
		path += n + (path[n] == '.');
	}
	return v;
}

bool vm_json_string(struct vm_json_slice v, char *buf, size_t size)
{
	struct cursor c = { v.at, v.at + v.len };
	size_t n, len = 0;
	char out[4];

	if (!v.at || !take(&c, '"'))
		return false;
	while (!take(&c, '"')) {
		n = character(&c, out);
		/* \u0000 would end the text early */
		if (!n || !out[0] || n >= size - len)
			return false;
		memcpy(buf + len, out, n);
		len += n;
	}
	if (!size)
		return false;
	buf[len] = '\0';
	return true;
}

bool vm_json_u64(struct vm_json_slice v, uint64_t *ret)
{
	uint64_t n = 0;
	size_t i;

	if (!v.at || !v.len || (v.at[0] == '0' && v.len > 1))
		return false;
	for (i = 0; i < v.len; i++)
		if (v.at[i] < '0' || v.at[i] > '9' || __builtin_mul_overflow(n, 10u, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(v.at[i] - '0'), &n))
			return false;
	*ret = n;
	return true;
}

bool vm_json_is(struct vm_json_slice v, const char *literal)
{
	struct cursor c = { v.at, v.at + v.len };

	if (!v.at || !v.len)
		return false;
	if (*v.at == '"' && *literal != '"')
		return string_is(&c, literal, strlen(literal));
	return v.len == strlen(literal) && memcmp(v.at, literal, v.len) == 0;
}
