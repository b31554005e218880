/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages of D-Bus: nothing outside of one is read, and what is parsed can be read by its signature. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <vm/strbuf.h>

#include "cgroup/dbus.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const struct vm_dbus_msg *m, const uint8_t *data, const char *text)
{
	const uint8_t *at = (const uint8_t *)text;

	assert(vm_utf8_valid(text, strlen(text)));
	if (*text)
		assert(at > data && at + strlen(text) < data + m->size);
}

static void read_body(const struct vm_dbus_msg *m, const uint8_t *data)
{
	struct vm_dbus_in body = m->body;

	for (const char *sig = m->signature; *sig && !body.bad; sig++) {
		if (*sig == 's' || *sig == 'o')
			check_text(m, data, vm_dbus_get_str(&body));
		else if (*sig == 'g' || *sig == 'v')
			check_text(m, data, vm_dbus_get_sig(&body));
		else if (*sig == 't')
			vm_dbus_get_u64(&body);
		else if (*sig == 'y')
			vm_dbus_get_byte(&body);
		else
			vm_dbus_get_u32(&body);
		assert(body.at <= body.len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vm_err err = VM_ERR_INIT;
	struct vm_dbus_msg m;

	for (size_t at = 0; at < size; at += m.size) {
		int r = vm_dbus_parse(data + at, size - at, &m, &err);

		assert((r == -1) == (err.kind != VM_OK));
		if (r != 0)
			break;
		assert(m.size >= 16 && m.size <= size - at && m.size <= VM_DBUS_MAX);
		check_text(&m, data + at, m.path);
		check_text(&m, data + at, m.interface);
		check_text(&m, data + at, m.member);
		check_text(&m, data + at, m.error);
		check_text(&m, data + at, m.sender);
		check_text(&m, data + at, m.signature);
		read_body(&m, data + at);
	}
	return 0;
}
