/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * A client of D-Bus's wire protocol, as much of it as talking to systemd takes: EXTERNAL
 * authentication, method calls, replies, signals.  No descriptors are passed.  Needs libc alone.
 * Source: D-Bus Specification 0.41, "Message Protocol" and "Authentication Protocol".
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vm/deadline.h>
#include <vm/err.h>
#include <vm/strbuf.h>

/* Nothing that is asked for here has a longer answer; the protocol would allow 128 MiB. */
#define VM_DBUS_MAX (256u << 10)

/* ---- reading: a cursor over marshalled data; the first fault sticks and all further data are 0 or
 * "" ---- */
struct vm_dbus_in {
	const uint8_t *data;
	size_t len, at;
	bool swap, bad;
};
uint8_t vm_dbus_get_byte(struct vm_dbus_in *in);
uint32_t vm_dbus_get_u32(struct vm_dbus_in *in);
uint64_t vm_dbus_get_u64(struct vm_dbus_in *in);
/* A string or object path; borrowed from the message, never NULL, no NUL inside. */
const char *vm_dbus_get_str(struct vm_dbus_in *in);
const char *vm_dbus_get_sig(struct vm_dbus_in *in);

enum vm_dbus_type { VM_DBUS_CALL = 1, VM_DBUS_RETURN, VM_DBUS_ERROR, VM_DBUS_SIGNAL };
/* Strings are borrowed from the buffer parsed, "" where the header has none. */
struct vm_dbus_msg {
	uint8_t type; /* enum vm_dbus_type; others are to be ignored */
	uint32_t serial, reply_to;
	const char *path, *interface, *member, *error, *sender, *signature;
	struct vm_dbus_in body;
	size_t size; /* of the whole message */
};
/* 0 = one whole message is in *ret; 1 = more bytes are needed; -1 = it breaks the protocol, or is
 * larger than VM_DBUS_MAX (VM_BAD_INPUT). */
int vm_dbus_parse(const uint8_t *data, size_t len, struct vm_dbus_msg *ret, struct vm_err *err);

/* ---- writing: the body of a call ---- */
void vm_dbus_put_align(struct vm_strbuf *b, size_t to);
void vm_dbus_put_u32(struct vm_strbuf *b, uint32_t value);
void vm_dbus_put_u64(struct vm_strbuf *b, uint64_t value);
void vm_dbus_put_str(struct vm_strbuf *b, const char *text);
void vm_dbus_put_sig(struct vm_strbuf *b, const char *text);
/* Begins an array whose elements are aligned to `align`; end it with what this returned. */
struct vm_dbus_array {
	size_t length_at, begin;
};
struct vm_dbus_array vm_dbus_put_array(struct vm_strbuf *b, size_t align);
void vm_dbus_end_array(struct vm_strbuf *b, struct vm_dbus_array array);

struct vm_dbus_call {
	const char *destination, *path, *interface, *member;
	const char *signature; /* NULL = no body */
	struct vm_strbuf body;
};
/* The whole message. */
void vm_dbus_format(struct vm_strbuf *out, const struct vm_dbus_call *call, uint32_t serial);

/* ---- a connection ---- */
struct vm_dbus {
	int fd;
	uint32_t serial;
	uint8_t *in;	   /* owned; VM_DBUS_MAX */
	size_t have, used; /* bytes in it; those of the message handed out last */
	char error[128];   /* name of the last error reply: "org.freedesktop.systemd1.UnitExists" */
	/* Gets the signals that come while a reply is waited for. */
	void (*on_signal)(void *arg, const struct vm_dbus_msg *msg);
	void *arg;
};
#define VM_DBUS_INIT ((struct vm_dbus){.fd = -1})
/* Authenticates over a connected stream socket; takes *fd over, also on failure. */
int vm_dbus_open(int *fd, struct vm_deadline deadline, struct vm_dbus *ret, struct vm_err *err);
void vm_dbus_close(struct vm_dbus *d);
/* The next message of any kind; valid until the next call on this connection. */
int vm_dbus_next(struct vm_dbus *d, struct vm_deadline deadline, struct vm_dbus_msg *ret,
		 struct vm_err *err);
/* Calls and waits for the reply (may be NULL). An error reply is VM_DENIED, VM_IN_USE, VM_NOT_FOUND
 * or VM_SYSTEM by its name, with its text; d->error has the name, "" after any other failure. */
int vm_dbus_call(struct vm_dbus *d, const struct vm_dbus_call *call, struct vm_deadline deadline,
		 struct vm_dbus_msg *ret, struct vm_err *err);
