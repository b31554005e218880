/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Messages of D-Bus as the service's side sends them. */
#include <stdint.h>

#include "cgroup/dbus.h"

/* Appends a whole message: a reply or error (name: its name) to call reply_to, or the signal `name` of systemd's manager.
 * sig NULL: without a body; body NULL likewise. */
void dbus_peer_message(struct vm_strbuf *out, enum vm_dbus_type type, uint32_t serial, uint32_t reply_to,
		       const char *name, const char *sig, const struct vm_strbuf *body);
