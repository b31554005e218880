/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How D-Bus messages are laid out in bytes. */
#include "dbus.h"

#include <assert.h>
#include <byteswap.h>
#include <string.h>

enum field {
	FIELD_PATH = 1,
	FIELD_INTERFACE,
	FIELD_MEMBER,
	FIELD_ERROR,
	FIELD_REPLY_TO,
	FIELD_DESTINATION,
	FIELD_SENDER,
	FIELD_SIGNATURE,
	FIELD_FDS,
};
#define HEADER_FIXED 16u /* up to the header fields */
#define PROTOCOL     1u
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ENDIAN_OURS  'l'
#define ENDIAN_OTHER 'B'
#else
#define ENDIAN_OURS  'B'
#define ENDIAN_OTHER 'l'
#endif

/* ---- reading ---- */

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

/* n bytes at the next multiple of align; the padding must be zeros. */
static const uint8_t *take(struct vm_dbus_in *in, size_t align, size_t n)
{
	size_t at = round_up(in->at, align);

	if (in->bad || at > in->len || in->len - at < n) {
		in->bad = true;
		return NULL;
	}
	for (size_t i = in->at; i < at; i++)
		in->bad |= in->data[i] != 0;
	in->at = at + n;
	return in->bad ? NULL : in->data + at;
}

uint8_t vm_dbus_get_byte(struct vm_dbus_in *in)
{
	const uint8_t *p = take(in, 1, 1);

	return p ? *p : 0;
}

uint32_t vm_dbus_get_u32(struct vm_dbus_in *in)
{
	const uint8_t *p = take(in, 4, 4);
	uint32_t v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return in->swap ? bswap_32(v) : v;
}

uint64_t vm_dbus_get_u64(struct vm_dbus_in *in)
{
	const uint8_t *p = take(in, 8, 8);
	uint64_t v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return in->swap ? bswap_64(v) : v;
}

static const char *text(struct vm_dbus_in *in, size_t len)
{
	const char *p;

	if (len >= in->len) {
		in->bad = true;
		return "";
	}
	p = (const char *)take(in, 1, len + 1);
	if (!p || memchr(p, 0, len + 1) != p + len || !vm_utf8_valid(p, len)) {
		in->bad = true;
		return "";
	}
	return p;
}

const char *vm_dbus_get_str(struct vm_dbus_in *in)
{
	return text(in, vm_dbus_get_u32(in));
}

const char *vm_dbus_get_sig(struct vm_dbus_in *in)
{
	return text(in, vm_dbus_get_byte(in));
}

/* One field of the header.  The specification wants unknown ones ignored. */
static void read_field(struct vm_dbus_in *in, struct vm_dbus_msg *m)
{
	const char **const strings[] = {
	    [FIELD_PATH] = &m->path,	 [FIELD_INTERFACE] = &m->interface,
	    [FIELD_MEMBER] = &m->member, [FIELD_ERROR] = &m->error,
	    [FIELD_SENDER] = &m->sender, [FIELD_FDS] = NULL,
	};
	const char *sig, *string = "";
	uint32_t number = 0;
	uint8_t code;

	take(in, 8, 0);
	code = vm_dbus_get_byte(in);
	sig = vm_dbus_get_sig(in);
	if (strcmp(sig, "s") == 0 || strcmp(sig, "o") == 0)
		string = vm_dbus_get_str(in);
	else if (strcmp(sig, "g") == 0)
		string = vm_dbus_get_sig(in);
	else if (strcmp(sig, "u") == 0)
		number = vm_dbus_get_u32(in);
	else
		in->bad = true; /* no message has such a field today */
	if (code == FIELD_REPLY_TO) {
		in->bad |= *sig != 'u';
		m->reply_to = number;
	} else if (code == FIELD_SIGNATURE) {
		in->bad |= *sig != 'g';
		m->signature = string;
	} else if (code < sizeof(strings) / sizeof(strings[0]) && strings[code]) {
		in->bad |= *sig != (code == FIELD_PATH ? 'o' : 's');
		*strings[code] = string;
	}
}

int vm_dbus_parse(const uint8_t *data, size_t len, struct vm_dbus_msg *ret, struct vm_err *err)
{
	struct vm_dbus_msg m = {
	    .path = "", .interface = "", .member = "", .error = "", .sender = "", .signature = ""};
	struct vm_dbus_in in = {.data = data, .len = HEADER_FIXED};
	size_t fields, body;

	if (len < HEADER_FIXED)
		return 1;
	if (data[0] != ENDIAN_OURS && data[0] != ENDIAN_OTHER)
		return vm_err_set(err, VM_BAD_INPUT, "D-Bus: not a message");
	if (data[3] != PROTOCOL || data[1] == 0)
		return vm_err_set(err, VM_BAD_INPUT, "D-Bus: a message of version %u, type %u",
				  data[3], data[1]);
	in.swap = data[0] == ENDIAN_OTHER;
	in.at = 4;
	m.type = data[1];
	body = vm_dbus_get_u32(&in);
	m.serial = vm_dbus_get_u32(&in);
	fields = vm_dbus_get_u32(&in);
	if (fields > VM_DBUS_MAX || body > VM_DBUS_MAX ||
	    round_up(HEADER_FIXED + fields, 8) + body > VM_DBUS_MAX)
		return vm_err_set(err, VM_BAD_INPUT, "D-Bus: a message of more than %u bytes",
				  VM_DBUS_MAX);
	m.size = round_up(HEADER_FIXED + fields, 8) + body;
	if (len < m.size)
		return 1;
	in.len = HEADER_FIXED + fields;
	while (!in.bad && in.at < in.len)
		read_field(&in, &m);
	in.len = m.size - body;
	take(&in, 8, 0);
	if (in.bad || m.serial == 0)
		return vm_err_set(err, VM_BAD_INPUT, "D-Bus: a malformed message");
	m.body = (struct vm_dbus_in){.data = data + in.at, .len = body, .swap = in.swap};
	*ret = m;
	return 0;
}

/* ---- writing ---- */

void vm_dbus_put_align(struct vm_strbuf *b, size_t to)
{
	static const char zeros[8];

	assert(to <= sizeof(zeros));
	vm_strbuf_add(b, zeros, round_up(b->len, to) - b->len);
}

void vm_dbus_put_u32(struct vm_strbuf *b, uint32_t value)
{
	vm_dbus_put_align(b, sizeof(value));
	vm_strbuf_add(b, (const char *)&value, sizeof(value));
}

void vm_dbus_put_u64(struct vm_strbuf *b, uint64_t value)
{
	vm_dbus_put_align(b, sizeof(value));
	vm_strbuf_add(b, (const char *)&value, sizeof(value));
}

void vm_dbus_put_str(struct vm_strbuf *b, const char *string)
{
	size_t len = strlen(string);

	assert(len < VM_DBUS_MAX);
	vm_dbus_put_u32(b, (uint32_t)len);
	vm_strbuf_add(b, string, len + 1);
}

void vm_dbus_put_sig(struct vm_strbuf *b, const char *string)
{
	size_t len = strlen(string);

	assert(len <= UINT8_MAX);
	vm_strbuf_putc(b, (char)len);
	vm_strbuf_add(b, string, len + 1);
}

struct vm_dbus_array vm_dbus_put_array(struct vm_strbuf *b, size_t align)
{
	struct vm_dbus_array a;

	vm_dbus_put_u32(b, 0);
	a.length_at = b->len - sizeof(uint32_t);
	vm_dbus_put_align(b, align);
	a.begin = b->len;
	return a;
}

void vm_dbus_end_array(struct vm_strbuf *b, struct vm_dbus_array array)
{
	uint32_t len = (uint32_t)(b->len - array.begin);

	memcpy(b->text + array.length_at, &len, sizeof(len));
}

static void put_field(struct vm_strbuf *b, enum field code, const char *sig, const char *value)
{
	vm_dbus_put_align(b, 8);
	vm_strbuf_putc(b, (char)code);
	vm_dbus_put_sig(b, sig);
	if (*sig == 'g')
		vm_dbus_put_sig(b, value);
	else
		vm_dbus_put_str(b, value);
}

void vm_dbus_format(struct vm_strbuf *out, const struct vm_dbus_call *call, uint32_t serial)
{
	struct vm_dbus_array fields;

	assert(out->len == 0);
	vm_strbuf_putc(out, ENDIAN_OURS);
	vm_strbuf_putc(out, VM_DBUS_CALL);
	vm_strbuf_putc(out, 0);
	vm_strbuf_putc(out, PROTOCOL);
	vm_dbus_put_u32(out, (uint32_t)call->body.len);
	vm_dbus_put_u32(out, serial);
	fields = vm_dbus_put_array(out, 8);
	put_field(out, FIELD_PATH, "o", call->path);
	put_field(out, FIELD_DESTINATION, "s", call->destination);
	put_field(out, FIELD_INTERFACE, "s", call->interface);
	put_field(out, FIELD_MEMBER, "s", call->member);
	if (call->signature)
		put_field(out, FIELD_SIGNATURE, "g", call->signature);
	vm_dbus_end_array(out, fields);
	vm_dbus_put_align(out, 8);
	if (call->body.len)
		vm_strbuf_add(out, call->body.text, call->body.len);
}
