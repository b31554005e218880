/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vm/record.h>

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/strbuf.h>

#define ITEMS_MAX 65536
#define KEY_MAX	  255

void vm_record_free(struct vm_record *r)
{
	size_t i;

	for (i = 0; i < r->n; i++) {
		free(r->items[i].key);
		free(r->items[i].value);
	}
	free(r->items);
	*r = VM_RECORD_INIT;
}

const char *vm_record_nth(const struct vm_record *r, const char *key, size_t index)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (strcmp(r->items[i].key, key) == 0 && index-- == 0)
			return r->items[i].value;
	return NULL;
}

const char *vm_record_get(const struct vm_record *r, const char *key)
{
	return vm_record_nth(r, key, 0);
}

bool vm_record_has(const struct vm_record *r, const char *key, const char *value)
{
	for (size_t i = 0; value != NULL && i < r->n; i++)
		if (strcmp(r->items[i].key, key) == 0 && strcmp(r->items[i].value, value) == 0)
			return true;
	return false;
}

uint64_t vm_record_u64(const struct vm_record *r, const char *key, uint64_t fallback)
{
	const char *v = vm_record_get(r, key);
	unsigned long long n;
	char *end;

	if (!v || *v < '0' || *v > '9')
		return fallback;
	errno = 0;
	n = strtoull(v, &end, 10);
	return errno || *end ? fallback : n;
}

int64_t vm_record_i64(const struct vm_record *r, const char *key, int64_t fallback)
{
	const char *v = vm_record_get(r, key);
	long long n;
	char *end;

	if (!v || ((*v < '0' || *v > '9') && (*v != '-' || v[1] < '0' || v[1] > '9')))
		return fallback;
	errno = 0;
	n = strtoll(v, &end, 10);
	return errno || *end ? fallback : n;
}

bool vm_record_bool(const struct vm_record *r, const char *key, bool fallback)
{
	const char *v = vm_record_get(r, key);

	if (v && strcmp(v, "yes") == 0)
		return true;
	if (v && strcmp(v, "no") == 0)
		return false;
	return fallback;
}

static bool good_key(const char *key, size_t len)
{
	size_t i;

	if (!len || len > KEY_MAX)
		return false;
	for (i = 0; i < len; i++)
		if ((unsigned char)key[i] <= 0x20 || key[i] == 0x7f || key[i] == '=' ||
		    key[i] == '\\')
			return false;
	return true;
}

/* Takes value over. */
static void append(struct vm_record *r, char *key, char *value)
{
	if (r->n == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 16;
		r->items = vm_xreallocarray(r->items, r->cap, sizeof(*r->items));
	}
	r->items[r->n++] = (struct vm_record_item){ key, value };
}

static void remove_at(struct vm_record *r, size_t i)
{
	free(r->items[i].key);
	free(r->items[i].value);
	memmove(&r->items[i], &r->items[i + 1], (r->n - i - 1) * sizeof(*r->items));
	r->n--;
}

void vm_record_add(struct vm_record *r, const char *key, const char *value)
{
	assert(good_key(key, strlen(key)));
	append(r, vm_xstrdup(key), vm_xstrdup(value));
}

void vm_record_set(struct vm_record *r, const char *key, const char *value)
{
	/* both may be of this record */
	VM_AUTO_FREE char *name = vm_xstrdup(key);
	char *copy = vm_xstrdup(value);
	size_t i;

	assert(good_key(name, strlen(name)));
	for (i = 0; i < r->n;) {
		if (strcmp(r->items[i].key, name) != 0) {
			i++;
		} else if (copy) {
			free(r->items[i].value);
			r->items[i++].value = vm_take_ptr(&copy);
		} else {
			remove_at(r, i);
		}
	}
	if (copy)
		append(r, vm_take_ptr(&name), copy);
}

void vm_record_setf(struct vm_record *r, const char *key, const char *fmt, ...)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	vm_strbuf_vprintf(&b, fmt, ap);
	va_end(ap);
	vm_record_set(r, key, b.text);
}

void vm_record_del(struct vm_record *r, const char *key, const char *value)
{
	size_t i;

	for (i = 0; i < r->n; i++) {
		if (strcmp(r->items[i].key, key) == 0 && strcmp(r->items[i].value, value) == 0) {
			remove_at(r, i);
			return;
		}
	}
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int vm_record_unescape(const char *text, size_t len, char **ret)
{
	VM_AUTO_FREE char *out = vm_xmalloc(len + 1);
	size_t i, n = 0;
	int h, l;

	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x20 || c == 0x7f)
			return -1;
		if (c != '\\') {
			out[n++] = text[i];
			continue;
		}
		if (len - i < 4 || text[i + 1] != 'x')
			return -1;
		h = hex(text[i + 2]);
		l = hex(text[i + 3]);
		if (h < 0 || l < 0 || h + l == 0)
			return -1;
		out[n++] = (char)(h * 16 + l);
		i += 3;
	}
	out[n] = '\0';
	*ret = vm_take_ptr(&out);
	return 0;
}

/* "FORMAT N": ours is accepted in this version and the one before. */
static int check_head(const char *line, size_t len, const char *format, unsigned version,
		      struct vm_err *err)
{
	size_t flen = strlen(format), i;
	uint64_t n = 0;

	if (len < flen + 2 || len > flen + 10 || memcmp(line, format, flen) != 0 ||
	    line[flen] != ' ' || line[flen + 1] == '0')
		return vm_err_set(err, VM_BAD_INPUT, "line 1: not a \"%s\" record", format);
	for (i = flen + 1; i < len; i++) {
		if (line[i] < '0' || line[i] > '9')
			return vm_err_set(err, VM_BAD_INPUT, "line 1: not a \"%s\" record", format);
		n = n * 10 + (uint64_t)(line[i] - '0');
	}
	if (n > version) {
		vm_err_set(err, VM_UNSUPPORTED, "format %" PRIu64 " is newer than this program's %u",
			   n, version);
		return vm_err_hint(err, "use the vm-utils that wrote it, or a newer one");
	}
	if (n + 1 < version)
		return vm_err_set(err, VM_UNSUPPORTED,
				  "format %" PRIu64 " is older than what is still read (%u)", n,
				  version - 1);
	return 0;
}

int vm_record_parse(struct vm_record *ret, const char *text, size_t len, const char *format,
		    unsigned version, struct vm_err *err)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	const char *p = text, *end = text + len, *nl, *eq;
	char *value;
	unsigned line;

	if (len > VM_RECORD_MAX)
		return vm_err_set(err, VM_BAD_INPUT, "larger than %u bytes", VM_RECORD_MAX);
	for (line = 1; p < end; line++, p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (!nl)
			return vm_err_set(err, VM_BAD_INPUT, "line %u: cut off", line);
		if (line == 1) {
			if (check_head(p, (size_t)(nl - p), format, version, err) < 0)
				return -1;
			continue;
		}
		eq = memchr(p, '=', (size_t)(nl - p));
		if (!eq || !good_key(p, (size_t)(eq - p)) || memchr(p, '\0', (size_t)(eq - p)))
			return vm_err_set(err, VM_BAD_INPUT, "line %u: not key=value", line);
		if (vm_record_unescape(eq + 1, (size_t)(nl - eq - 1), &value) < 0)
			return vm_err_set(err, VM_BAD_INPUT, "line %u: bad byte or escape", line);
		append(&r, vm_xstrndup(p, (size_t)(eq - p)), value);
		if (r.n > ITEMS_MAX)
			return vm_err_set(err, VM_BAD_INPUT, "more than %d lines", ITEMS_MAX);
	}
	if (line == 1)
		return vm_err_set(err, VM_BAD_INPUT, "line 1: empty");
	*ret = r;
	r = VM_RECORD_INIT;
	return 0;
}

int vm_record_read(struct vm_record *ret, int dirfd, const char *name, const char *format,
		   unsigned version, struct vm_err *err)
{
	VM_AUTO_FREE char *text = NULL;
	size_t len;

	if (vm_file_read(dirfd, name, VM_RECORD_MAX, &text, &len, NULL, err) < 0)
		return -1;
	if (vm_record_parse(ret, text, len, format, version, err) < 0)
		return vm_err_wrap(err, "%s", name);
	return 0;
}

void vm_record_format(const struct vm_record *r, const char *format, unsigned version,
		      struct vm_strbuf *b)
{
	size_t i;

	vm_strbuf_printf(b, "%s %u\n", format, version);
	for (i = 0; i < r->n; i++) {
		vm_strbuf_puts(b, r->items[i].key);
		vm_strbuf_putc(b, '=');
		vm_strbuf_escape(b, r->items[i].value);
		vm_strbuf_putc(b, '\n');
	}
}

int vm_record_write(const struct vm_record *r, int dirfd, const char *name, const char *format,
		    unsigned version, struct vm_err *err)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;

	vm_record_format(r, format, version, &b);
	return vm_file_write(dirfd, name, b.text, b.len, 0644, err);
}

int vm_record_write_volatile(const struct vm_record *r, int dirfd, const char *name,
			     const char *format, unsigned version, struct vm_err *err)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;

	vm_record_format(r, format, version, &b);
	return vm_file_write_volatile(dirfd, name, b.text, b.len, 0644, err);
}
