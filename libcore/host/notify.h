/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Tells the service manager, if there is one, how a service is.  Source: sd_notify(3), the protocol part. */
#include <vm/err.h>

/* Lines "KEY=VALUE" in one datagram to $NOTIFY_SOCKET; without that, or on failure, nothing happens. */
void vm_notify(const char *text) __attribute__((nonnull(1)));
