/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "monitor.h"

#include <stdio.h>

#include "host/task.h"

/* Of the time there is, what the first socket may take: a healthy QEMU greets within a few milliseconds. */
#define FIRST_SHARE	4
#define FIRST_AT_LEAST 100 /* ms */

int vm_qemu_silent(const struct vm_guest *g, struct vm_err *err)
{
	struct vm_procid qemu;
	struct vm_task task;

	if (err->kind != VM_TIMED_OUT || !vm_record_get_procid(&g->record, VM_KEY_PID, &qemu))
		return -1;
	if (!vm_task_read(qemu.pid, qemu.pid, &task)) {
		vm_err_set(err, VM_NOT_RUNNING, "QEMU (pid %d) has ended", (int)qemu.pid);
		return vm_err_hint(err, "vm-repair %s clears up what it left", g->name);
	}
	if (task.state == 'T' || task.state == 't') {
		vm_err_set(err, VM_TIMED_OUT, "QEMU (pid %d) does not answer: it is stopped (SIGSTOP)",
			   (int)qemu.pid);
		return vm_err_hint(err, "kill -CONT %d lets it go on", (int)qemu.pid);
	}
	vm_err_set(err, VM_TIMED_OUT, "QEMU (pid %d) does not answer: it hangs%s, or others hold its sockets",
		   (int)qemu.pid, task.state == 'D' ? " in the kernel (state D)" : "");
	return vm_err_hint(err, "give --timeout=SECONDS to wait longer, or vm-destroy %s", g->name);
}

int vm_qemu_monitor_open(const struct vm_guest *g, struct vm_deadline deadline, struct vm_qmp **ret,
			 struct vm_err *err)
{
	int left = vm_deadline_poll(deadline);
	uint64_t share = left < 0 ? 1000 : (uint64_t)left / FIRST_SHARE;
	struct vm_deadline first;

	if (share < FIRST_AT_LEAST)
		share = FIRST_AT_LEAST;
	first = vm_deadline_min(deadline, vm_deadline_in(share));
	if (vm_qmp_connect(g->run, VM_RUN_QMP, first, ret, err) == 0)
		return 0;
	if (err->kind == VM_TIMED_OUT && !vm_deadline_passed(deadline) &&
	    vm_qmp_connect(g->run, VM_RUN_SPARE, deadline, ret, err) == 0)
		return 0;
	if (err->kind == VM_NOT_FOUND || err->kind == VM_HYPERVISOR) {
		err->kind = VM_NOT_RUNNING;
		return vm_err_wrap(err, "the monitor of QEMU is gone");
	}
	return vm_qemu_silent(g, err);
}

int vm_qemu_ask_word(struct vm_qmp *q, struct vm_deadline dl, char *buf, struct vm_err *err)
{
	json_t *reply = NULL;
	const char *word;

	if (vm_qmp_call(q, dl, &reply, err, "query-status", NULL) < 0)
		return -1;
	word = json_string_value(json_object_get(reply, "status"));
	snprintf(buf, 32, "%s", word != NULL ? word : "");
	json_decref(reply);
	return 0;
}
