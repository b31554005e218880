/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Documents in other encodings become UTF-8, with their declaration rewritten, before anything
 * else. */
#include <errno.h>
#include <iconv.h>
#include <string.h>
#include <strings.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "xml_internal.h"

/* What people have; converters for the rest of the world are not exposed to whatever a document
 * asks for. */
static bool convertible(const char *name)
{
	static const char *const known[] = {
	    "UTF-16", "UTF-16LE",  "UTF-16BE", "KOI8-R", "KOI8-U",  "US-ASCII", "ASCII",
	    "EUC-JP", "SHIFT_JIS", "GB2312",   "GBK",	 "GB18030", "BIG5",	"EUC-KR"};

	if (strncasecmp(name, "ISO-8859-", 9) == 0 || strncasecmp(name, "windows-125", 11) == 0)
		return true;
	for (size_t i = 0; i < VM_COUNT(known); i++)
		if (strcasecmp(name, known[i]) == 0)
			return true;
	return false;
}

/* The value of encoding= in the XML declaration at the start of the text, which is ASCII so far. */
static bool declared(const char *text, size_t len, struct vm_range *ret)
{
	const char *end, *p, *close;

	if (len < 6 || memcmp(text, "<?xml", 5) != 0 || !xml_is_space(text[5]))
		return false;
	end = memmem(text, len, "?>", 2);
	if (end == NULL)
		return false;
	p = memmem(text, (size_t)(end - text), "encoding", 8);
	if (p == NULL)
		return false;
	for (p += 8; p < end && xml_is_space(*p); p++)
		;
	if (p == end || *p++ != '=')
		return false;
	while (p < end && xml_is_space(*p))
		p++;
	if (p == end || (*p != '"' && *p != '\''))
		return false;
	close = memchr(p + 1, *p, (size_t)(end - p - 1));
	if (close == NULL)
		return false;
	*ret = (struct vm_range){(uint32_t)(p + 1 - text), (uint32_t)(close - p - 1)};
	return true;
}

static int convert(const char *file, const char *from, const char *in, size_t len, char **ret,
		   size_t *ret_len, struct vm_err *err)
{
	size_t cap = len * 3 + 16, left = cap;
	VM_AUTO_FREE char *out = vm_xmalloc(cap);
	char *to = out, *src = (char *)(uintptr_t)in;
	iconv_t cd = iconv_open("UTF-8", from);
	size_t rest = len, rc;
	int error;

	if (cd == (iconv_t)-1)
		return vm_err_set(err, VM_UNSUPPORTED,
				  "%s: this system cannot convert the encoding %s", file, from);
	rc = iconv(cd, &src, &rest, &to, &left);
	error = errno;
	iconv_close(cd);
	if (rc == (size_t)-1 || rest != 0)
		return vm_err_set(err, VM_BAD_INPUT, "%s: byte %zu is not %s%s", file,
				  len - rest + 1, from,
				  rc == (size_t)-1 && error == E2BIG ? " (too long)" : "");
	*ret_len = cap - left;
	*ret = vm_take_ptr(&out);
	return 0;
}

int xml_to_utf8(struct vm_xml *x, struct vm_err *err)
{
	const unsigned char *t = (const unsigned char *)x->text;
	VM_AUTO_FREE char *name = NULL, *text = NULL;
	struct vm_range r;
	size_t skip = 0, len = 0;

	if (x->len >= 2 && t[0] == 0xff && t[1] == 0xfe) {
		name = vm_xstrdup("UTF-16LE");
		skip = 2;
	} else if (x->len >= 2 && t[0] == 0xfe && t[1] == 0xff) {
		name = vm_xstrdup("UTF-16BE");
		skip = 2;
	} else if (x->len >= 4 && memcmp(t, "<\0?\0", 4) == 0) {
		name = vm_xstrdup("UTF-16LE");
	} else if (x->len >= 4 && memcmp(t, "\0<\0?", 4) == 0) {
		name = vm_xstrdup("UTF-16BE");
	} else if (x->len >= 3 && memcmp(t, "\xef\xbb\xbf", 3) == 0) {
		return 0;
	} else if (declared(x->text, x->len, &r)) {
		name = vm_xstrndup(x->text + r.at, r.len);
		if (strcasecmp(name, "UTF-8") == 0 || strcasecmp(name, "UTF8") == 0)
			return 0;
		if (!convertible(name) || strncasecmp(name, "UTF-16", 6) == 0) {
			xml_error_at(x, r.at, err, "encoding '%.60s' is not supported", name);
			return vm_err_hint(err, "convert the file to UTF-8 with iconv(1)");
		}
	} else {
		return 0;
	}
	if (convert(x->file, name, x->text + skip, x->len - skip, &text, &len, err) < 0 ||
	    text == NULL)
		return -1;
	if (declared(text, len, &r)) {
		char *now = vm_xmalloc(len - r.len + 6);

		memcpy(now, text, r.at);
		memcpy(now + r.at, "UTF-8", 5);
		memcpy(now + r.at + 5, text + r.at + r.len, len - r.at - r.len);
		len = len - r.len + 5;
		now[len] = '\0';
		free(x->text);
		x->text = now;
	} else {
		free(x->text);
		x->text = vm_xmalloc(len + 1);
		memcpy(x->text, text, len);
		x->text[len] = '\0';
	}
	x->len = len;
	x->converted = vm_take_ptr(&name);
	if (x->len > VM_XML_MAX_BYTES)
		return vm_err_set(err, VM_BAD_INPUT, "%s: larger than %u MiB", x->file,
				  VM_XML_MAX_BYTES >> 20);
	return 0;
}
