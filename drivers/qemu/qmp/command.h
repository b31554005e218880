/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Commands as people type them, to QEMU's monitor or to the agent inside the guest. */
#include <vm/deadline.h>
#include <vm/err.h>

struct vm_guest;
struct vm_monitor_call;

struct vm_qemu_command {
	char name[128];
	char *arguments; /* JSON text of an object, owned; NULL = none */
};
/* Splits what was typed: {"execute":NAME,"arguments":{...},"id":ignored}, or NAME, or NAME {...}.
 * VM_BAD_INPUT says what is wrong with it. */
int vm_qemu_command_parse(const char *text, struct vm_qemu_command *ret, struct vm_err *err);
void vm_qemu_command_free(struct vm_qemu_command *c);

/* passthrough->monitor */
int vm_qemu_monitor(struct vm_guest *g, const struct vm_monitor_call *call,
		    struct vm_deadline deadline, char **ret_reply, struct vm_err *err);
/* passthrough->agent_call */
int vm_qemu_agent_command(struct vm_guest *g, const struct vm_monitor_call *call,
			  struct vm_deadline deadline, char **ret_reply, struct vm_err *err);
