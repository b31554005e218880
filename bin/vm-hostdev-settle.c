/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vm-hostdev-settle CONNECT GUEST: finishes or takes back what was begun with the host devices of a running guest, by what
 * QEMU says it has.  Run with the guest's lock as descriptor 3 by whoever holds it, or without by the watcher.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/guest.h>
#include <vm/log.h>
#include <vm/process.h>
#include <vm/state.h>

#include "driver.h"
#include "guest/attach_both.h"
#include "qemu/run/reap.h"

#define SETTLE_MS 60000u

static void print(enum vm_log_level level, const char *text, void *arg)
{
	(void)arg;
	if (level == VM_LOG_WARNING)
		fprintf(stderr, "%s\n", text);
}

static int settle(const char *connect, const char *name, bool locked, struct vm_err *err)
{
	VM_AUTO(vm_host_close) struct vm_host h = VM_HOST_INIT;
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	const struct vm_planner *planner;
	const struct vm_runner *runner;
	struct vm_deadline deadline = vm_deadline_in(SETTLE_MS);
	int r;

	if (vm_host_open(connect, &h, err) < 0 || vm_planner_find(h.state.driver, &planner, err) < 0 ||
	    vm_runner_find(h.state.driver, &runner, err) < 0)
		return -1;
	if (vm_guest_open(&h.state, name, locked ? VM_GUEST_NEW : VM_GUEST_NEW | VM_GUEST_LOCKED, deadline, &g,
			  err) < 0)
		return -1;
	if (!g.active || runner->settle == NULL)
		return 0;
	if (locked)
		g.lock = VM_SETTLE_LOCK_FD;
	r = runner->settle(&g, deadline, err);
	if (r >= 0)
		vm_both_settle(&g, planner, deadline);
	/* its owner gives it up */
	if (locked)
		g.lock = -1;
	return r;
}

int main(int argc, char **argv)
{
	struct vm_err err = VM_ERR_INIT;

	vm_proc_std_fds();
	vm_log_set_sink(print, NULL);
	if (argc != 3) {
		fprintf(stderr, "Usage: vm-hostdev-settle CONNECT GUEST\n");
		return VM_USAGE;
	}
	if (settle(argv[1], argv[2], fcntl(VM_SETTLE_LOCK_FD, F_GETFD) >= 0, &err) >= 0)
		return 0;
	fprintf(stderr, "%s\n", err.msg);
	return (int)err.kind;
}
