/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
#include <vm/strbuf.h>

/* Adds {"vm":NAME,"timestamp":...,"data":DATA} and a newline. data: JSON or NULL. */
void vm_event_add_own(struct vm_strbuf *b, const char *name, const char *data);
