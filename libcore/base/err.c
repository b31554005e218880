/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vm/err.h>

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <vm/strbuf.h>

/* A text that was cut must not end in half a character: JSON and terminals would choke on it. */
static void trim_cut(char *buf, size_t size, int wanted)
{
	size_t len, i;

	if (wanted < 0 || (size_t)wanted < size)
		return;
	len = size - 1;
	for (i = len; i > 0 && len - i < 3; i--)
		if (((unsigned char)buf[i - 1] & 0xc0) != 0x80)
			break;
	if (i > 0 && !vm_utf8_next(buf + i - 1, len - i + 1) && ((unsigned char)buf[i - 1] & 0x80))
		buf[i - 1] = '\0';
}

__attribute__((format(printf, 3, 0))) static void format(char *buf, size_t size, const char *fmt,
							 va_list ap)
{
	trim_cut(buf, size, vsnprintf(buf, size, fmt, ap));
}

/* The arguments may point into *err, so everything is formatted aside first. */
static void put(struct vm_err *err, enum vm_kind kind, int sys, const char *text)
{
	err->kind = kind;
	err->sys = sys;
	err->hint[0] = '\0';
	memcpy(err->msg, text, strlen(text) + 1);
}

int vm_err_set(struct vm_err *err, enum vm_kind kind, const char *fmt, ...)
{
	int saved = errno;
	char text[sizeof(err->msg)];
	va_list ap;

	assert(kind != VM_OK);
	va_start(ap, fmt);
	format(text, sizeof(text), fmt, ap);
	va_end(ap);
	put(err, kind, 0, text);
	errno = saved;
	return -1;
}

static enum vm_kind kind_of(int sys)
{
	switch (sys) {
	case ENOENT:
	case ENOTDIR:
		return VM_NOT_FOUND;
	case EACCES:
	case EPERM:
	case EROFS:
		return VM_DENIED;
	case ETIMEDOUT:
		return VM_TIMED_OUT;
	case EEXIST:
	case EBUSY:
		return VM_IN_USE;
	case ENOSYS:
	case EOPNOTSUPP:
		return VM_UNSUPPORTED;
	default:
		return VM_SYSTEM;
	}
}

__attribute__((format(printf, 4, 0))) static void set_sys(struct vm_err *err, enum vm_kind kind,
							  int sys, const char *fmt, va_list ap)
{
	char what[sizeof(err->msg)], text[sizeof(err->msg)];
	const char *why = sys == ETIMEDOUT ? "timed out" /* not "Connection timed out" */
			  : sys == EINTR   ? "interrupted"
					   : strerrordesc_np(sys);

	format(what, sizeof(what), fmt, ap);
	trim_cut(text, sizeof(text),
		 snprintf(text, sizeof(text), "%s: %s", what, why ? why : "unknown error"));
	put(err, kind, sys, text);
}

int vm_err_sys(struct vm_err *err, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	set_sys(err, kind_of(saved), saved, fmt, ap);
	va_end(ap);
	errno = saved;
	return -1;
}

int vm_err_sys_kind(struct vm_err *err, enum vm_kind kind, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	assert(kind != VM_OK);
	va_start(ap, fmt);
	set_sys(err, kind, saved, fmt, ap);
	va_end(ap);
	errno = saved;
	return -1;
}

int vm_err_wrap(struct vm_err *err, const char *fmt, ...)
{
	int saved = errno;
	char outer[sizeof(err->msg)], text[sizeof(err->msg)];
	va_list ap;

	va_start(ap, fmt);
	format(outer, sizeof(outer), fmt, ap);
	va_end(ap);
	trim_cut(text, sizeof(text), snprintf(text, sizeof(text), "%s: %s", outer, err->msg));
	memcpy(err->msg, text, sizeof(text));
	errno = saved;
	return -1;
}

int vm_err_hint(struct vm_err *err, const char *fmt, ...)
{
	int saved = errno;
	char text[sizeof(err->hint)];
	va_list ap;

	va_start(ap, fmt);
	format(text, sizeof(text), fmt, ap);
	va_end(ap);
	memcpy(err->hint, text, strlen(text) + 1);
	errno = saved;
	return -1;
}

int vm_err_object(struct vm_err *err, const char *object)
{
	int saved = errno;

	if (!err->object[0])
		trim_cut(err->object, sizeof(err->object),
			 snprintf(err->object, sizeof(err->object), "%s", object));
	errno = saved;
	return -1;
}

const char *vm_kind_name(enum vm_kind kind)
{
	switch (kind) {
	case VM_OK:
		return "ok";
	case VM_NO:
		return "no";
	case VM_USAGE:
		return "usage";
	case VM_UNSUPPORTED:
		return "unsupported";
	case VM_DENIED:
		return "denied";
	case VM_NOT_FOUND:
		return "not-found";
	case VM_BAD_INPUT:
		return "bad-input";
	case VM_NOT_RUNNING:
		return "not-running";
	case VM_IN_USE:
		return "in-use";
	case VM_PENDING:
		return "pending";
	case VM_TIMED_OUT:
		return "timed-out";
	case VM_HYPERVISOR:
		return "hypervisor";
	case VM_SYSTEM:
		return "system";
	}
	return "system";
}
