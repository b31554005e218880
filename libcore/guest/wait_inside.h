/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* One try each of what vm-wait asks inside a guest: 0 = yes; 1 = not yet, *why says what is
 * missing; -1 = it can never be (no channel for an agent). */
#include <stdbool.h>
#include <stddef.h>

#include <vm/deadline.h>
#include <vm/err.h>
#include <vm/state.h>

struct vm_passthrough;

int vm_wait_agent(const struct vm_state *s, const struct vm_passthrough *pass, const char *name,
		  struct vm_deadline deadline, struct vm_err *why, struct vm_err *err);
/* The first address that is not the loopback's or of the link only, as the agent tells it. */
int vm_wait_address(const struct vm_state *s, const struct vm_passthrough *pass, const char *name,
		    struct vm_deadline deadline, char *buf, size_t size, struct vm_err *why,
		    struct vm_err *err);
/* Does an ssh server greet at the address? */
int vm_wait_ssh(const char *address, unsigned port, struct vm_deadline deadline, struct vm_err *why,
		struct vm_err *err);
/* The address within what guest-network-get-interfaces returned; false: none. */
bool vm_wait_pick_address(const char *reply, char *buf, size_t size);
