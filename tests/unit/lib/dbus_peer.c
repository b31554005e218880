/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dbus_peer.h"

#include <vm/cleanup.h>

static void field(struct vm_strbuf *b, char code, const char *sig, const char *text)
{
	vm_dbus_put_align(b, 8);
	vm_strbuf_putc(b, code);
	vm_dbus_put_sig(b, sig);
	if (*sig == 'g')
		vm_dbus_put_sig(b, text);
	else
		vm_dbus_put_str(b, text);
}

void dbus_peer_message(struct vm_strbuf *out, enum vm_dbus_type type, uint32_t serial, uint32_t reply_to,
		       const char *name, const char *sig, const struct vm_strbuf *body)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	struct vm_dbus_array a;

	vm_strbuf_putc(&b, 'l');
	vm_strbuf_putc(&b, (char)type);
	vm_strbuf_putc(&b, 0);
	vm_strbuf_putc(&b, 1);
	vm_dbus_put_u32(&b, body ? (uint32_t)body->len : 0);
	vm_dbus_put_u32(&b, serial);
	a = vm_dbus_put_array(&b, 8);
	if (type == VM_DBUS_SIGNAL) {
		field(&b, 1, "o", "/org/freedesktop/systemd1");
		field(&b, 2, "s", "org.freedesktop.systemd1.Manager");
		field(&b, 3, "s", name);
	} else {
		vm_dbus_put_align(&b, 8);
		vm_strbuf_putc(&b, 5);
		vm_dbus_put_sig(&b, "u");
		vm_dbus_put_u32(&b, reply_to);
	}
	if (type == VM_DBUS_ERROR)
		field(&b, 4, "s", name);
	if (sig)
		field(&b, 8, "g", sig);
	vm_dbus_end_array(&b, a);
	vm_dbus_put_align(&b, 8);
	if (body && body->len)
		vm_strbuf_add(&b, body->text, body->len);
	vm_strbuf_add(out, b.text, b.len);
}
