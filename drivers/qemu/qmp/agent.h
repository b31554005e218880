/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The guest agent inside a guest, over the host's end of its channel.
 *
 * Everything read comes from inside the guest and is hostile.  The socket carries no greeting and may hold
 * the answers to questions of an earlier client: guest-sync-delimited throws those away.
 * Source: docs/interop/qemu-ga-ref and qga/qapi-schema.json, QEMU 7.2.
 */
#include <jansson.h>

#include <vm/deadline.h>
#include <vm/err.h>
#include <vm/state.h>

struct vm_out;
struct vm_agent; /* opaque */

/* What the agent's channel is called. */
#define VM_AGENT_CHANNEL "org.qemu.guest_agent.0"
/* Host end of that channel where the document names none: a socket of the run directory. */
#define VM_AGENT_SOCKET "agent.sock"
/* Key of the guest's record: VM_AGENT_SOCKET, or a path; absent = no channel. */
#define VM_KEY_AGENT "agent"
#define VM_KEY_AGENT_CHARDEV "agent_chardev" /* label of its character device */

#define VM_AGENT_REPLY_MAX  (16u << 20) /* bytes */
#define VM_AGENT_DEPTH_MAX  64u
#define VM_AGENT_VALUES_MAX (1u << 18)

/* Connects and synchronises.  VM_UNSUPPORTED: the guest has no agent channel; VM_TIMED_OUT: no agent answers on
 * it (not installed, not started yet, or hung). */
int vm_agent_open(const struct vm_guest *g, struct vm_deadline deadline, struct vm_agent **ret,
		  struct vm_err *err) __attribute__((warn_unused_result));
/* VM_UNSUPPORTED: the guest has no channel for an agent, and how to give it one.  Always -1. */
int vm_agent_lacks(struct vm_err *err);
void vm_agent_close(struct vm_agent **a);
/* Calls a command; arguments may be NULL (borrowed); *ret_value (may be NULL) is owned.  A refusal is
 * VM_HYPERVISOR with the agent's words, CommandNotFound VM_UNSUPPORTED. */
int vm_agent_call(struct vm_agent *a, const char *command, json_t *arguments,
		  struct vm_deadline deadline, json_t **ret_value, struct vm_err *err)
	__attribute__((warn_unused_result));
/* observer->agent: host name, operating system, time zone, users, version, as rows {key, value}. */
int vm_qemu_agent_tell(struct vm_guest *g, struct vm_out *out, struct vm_deadline deadline,
		       struct vm_err *err);
