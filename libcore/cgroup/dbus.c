/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dbus.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#define AUTH_LINE_MAX 512u

/* Source: D-Bus Specification, "org.freedesktop.DBus.Error"; systemd's bus-common-errors. */
static const struct {
	const char *name;
	enum vm_kind kind;
} error_kinds[] = {
    {"org.freedesktop.DBus.Error.AccessDenied", VM_DENIED},
    {"org.freedesktop.DBus.Error.AuthFailed", VM_DENIED},
    {"org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", VM_DENIED},
    {"org.freedesktop.systemd1.UnitExists", VM_IN_USE},
    {"org.freedesktop.systemd1.NoSuchUnit", VM_NOT_FOUND},
    {"org.freedesktop.DBus.Error.UnknownObject", VM_NOT_FOUND},
    {"org.freedesktop.DBus.Error.ServiceUnknown", VM_NOT_FOUND},
    {"org.freedesktop.DBus.Error.UnknownMethod", VM_UNSUPPORTED},
    {"org.freedesktop.DBus.Error.UnknownProperty", VM_UNSUPPORTED},
    {"org.freedesktop.DBus.Error.PropertyReadOnly", VM_UNSUPPORTED},
};

void vm_dbus_close(struct vm_dbus *d)
{
	vm_cleanup_fd(&d->fd);
	vm_cleanup_free(&d->in);
	*d = VM_DBUS_INIT;
}

static int wait_for(int fd, short what, struct vm_deadline deadline, struct vm_err *err)
{
	struct pollfd p = {.fd = fd, .events = what};

	for (;;) {
		int n = poll(&p, 1, vm_deadline_poll(deadline));

		if (n > 0)
			return 0;
		if (n == 0)
			return vm_err_set(err, VM_TIMED_OUT, "D-Bus: no answer in time");
		if (errno != EINTR || vm_wait_interrupted())
			return vm_err_sys(err, "D-Bus: poll");
	}
}

static int send_all(int fd, const void *data, size_t len, struct vm_deadline deadline,
		    struct vm_err *err)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0) {
			p += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			if (wait_for(fd, POLLOUT, deadline, err) < 0)
				return -1;
		} else if (errno != EINTR) {
			return vm_err_sys_kind(err, VM_SYSTEM, "D-Bus: write");
		}
	}
	return 0;
}

/* At least one byte. */
static int receive(int fd, void *data, size_t room, struct vm_deadline deadline, size_t *ret,
		   struct vm_err *err)
{
	for (;;) {
		ssize_t n = recv(fd, data, room, MSG_DONTWAIT);

		if (n > 0) {
			*ret = (size_t)n;
			return 0;
		}
		if (n == 0)
			return vm_err_set(err, VM_SYSTEM, "D-Bus: the other side hung up");
		if (errno == EAGAIN) {
			if (wait_for(fd, POLLIN, deadline, err) < 0)
				return -1;
		} else if (errno != EINTR) {
			return vm_err_sys_kind(err, VM_SYSTEM, "D-Bus: read");
		}
	}
}

/* The other side says nothing of its own accord before BEGIN, so that nothing follows its line. */
static int authenticate(struct vm_dbus *d, struct vm_deadline deadline, struct vm_err *err)
{
	char uid[16], line[AUTH_LINE_MAX];
	VM_AUTO(vm_strbuf_free) struct vm_strbuf text = VM_STRBUF_INIT;
	size_t have = 0, n;

	snprintf(uid, sizeof(uid), "%u", (unsigned)geteuid());
	vm_strbuf_putc(&text, 0);
	vm_strbuf_puts(&text, "AUTH EXTERNAL ");
	for (const char *p = uid; *p; p++)
		vm_strbuf_printf(&text, "%02x", (unsigned)*p);
	vm_strbuf_puts(&text, "\r\n");
	if (send_all(d->fd, text.text, text.len, deadline, err) < 0)
		return -1;
	do {
		if (have == sizeof(line))
			return vm_err_set(err, VM_BAD_INPUT,
					  "D-Bus: the authentication never ends");
		if (receive(d->fd, line + have, sizeof(line) - have, deadline, &n, err) < 0)
			return -1;
		have += n;
	} while (memchr(line, '\n', have) == NULL);
	if (have >= 8 && memcmp(line, "REJECTED", 8) == 0)
		return vm_err_set(err, VM_DENIED, "D-Bus: user %s is not let in", uid);
	if (have < 5 || memcmp(line, "OK ", 3) != 0 || memcmp(line + have - 2, "\r\n", 2) != 0 ||
	    memchr(line, '\n', have) != line + have - 1)
		return vm_err_set(err, VM_BAD_INPUT,
				  "D-Bus: the authentication breaks the protocol");
	return send_all(d->fd, "BEGIN\r\n", 7, deadline, err);
}

int vm_dbus_open(int *fd, struct vm_deadline deadline, struct vm_dbus *ret, struct vm_err *err)
{
	VM_AUTO(vm_dbus_close) struct vm_dbus d = VM_DBUS_INIT;

	d.fd = vm_take_fd(fd);
	if (authenticate(&d, deadline, err) < 0)
		return -1;
	d.in = vm_xmalloc(VM_DBUS_MAX);
	*ret = d;
	d = VM_DBUS_INIT;
	return 0;
}

int vm_dbus_next(struct vm_dbus *d, struct vm_deadline deadline, struct vm_dbus_msg *ret,
		 struct vm_err *err)
{
	size_t n;
	int r;

	memmove(d->in, d->in + d->used, d->have - d->used);
	d->have -= d->used;
	d->used = 0;
	while ((r = vm_dbus_parse(d->in, d->have, ret, err)) == 1) {
		/* a whole message fits, or vm_dbus_parse() had refused it */
		if (vm_deadline_passed(deadline))
			return vm_err_set(err, VM_TIMED_OUT, "D-Bus: no answer in time");
		if (receive(d->fd, d->in + d->have, VM_DBUS_MAX - d->have, deadline, &n, err) < 0)
			return -1;
		d->have += n;
	}
	if (r == 0)
		d->used = ret->size;
	return r;
}

static int explain(struct vm_dbus *d, const struct vm_dbus_msg *m, struct vm_err *err)
{
	struct vm_dbus_in body = m->body;
	const char *why = *m->signature == 's' ? vm_dbus_get_str(&body) : "";
	VM_AUTO(vm_strbuf_free) struct vm_strbuf shown = VM_STRBUF_INIT;
	enum vm_kind kind = VM_SYSTEM;

	snprintf(d->error, sizeof(d->error), "%s", m->error);
	for (size_t i = 0; i < VM_COUNT(error_kinds); i++)
		if (strcmp(error_kinds[i].name, m->error) == 0)
			kind = error_kinds[i].kind;
	vm_strbuf_printable(&shown, *why ? why : m->error);
	return vm_err_set(err, kind, "%s", shown.len ? shown.text : "an error without a name");
}

int vm_dbus_call(struct vm_dbus *d, const struct vm_dbus_call *call, struct vm_deadline deadline,
		 struct vm_dbus_msg *ret, struct vm_err *err)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf out = VM_STRBUF_INIT;
	uint32_t serial = ++d->serial;
	struct vm_dbus_msg m;

	d->error[0] = 0;
	vm_dbus_format(&out, call, serial);
	if (send_all(d->fd, out.text, out.len, deadline, err) < 0)
		return vm_err_wrap(err, "%s", call->member);
	for (;;) {
		/* the other side may talk without end and never answer */
		if (vm_deadline_passed(deadline))
			return vm_err_set(err, VM_TIMED_OUT, "%s: no answer in time", call->member);
		if (vm_dbus_next(d, deadline, &m, err) < 0)
			return vm_err_wrap(err, "%s", call->member);
		if (m.type == VM_DBUS_SIGNAL && d->on_signal)
			d->on_signal(d->arg, &m);
		if (m.reply_to != serial)
			continue;
		if (m.type == VM_DBUS_ERROR)
			return explain(d, &m, err);
		if (m.type == VM_DBUS_RETURN)
			break;
	}
	if (ret)
		*ret = m;
	return 0;
}
