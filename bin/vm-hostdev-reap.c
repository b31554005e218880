/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vm-hostdev-reap CONNECT DRIVER/GUEST ADDRESS|owner:KEY: gives back a PCI device that a guest had, or a file whose owner was
 * changed for it.  Run by whatever ends a guest, so
 * that these programs need not carry what few guests use.
 */
#include <stdio.h>
#include <string.h>

#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/log.h>
#include <vm/process.h>
#include <vm/state.h>

#include "guest/hostdev_bind.h"
#include "host/pci.h"

static int give_back(const char *connect, const char *user, const char *name, struct vm_err *err)
{
	VM_AUTO(vm_state_close) struct vm_state state = VM_STATE_INIT;
	VM_AUTO(vm_sys_close) struct vm_sys sys = VM_SYS_INIT;
	struct vm_pci_address address;

	if (strncmp(name, "owner:", 6) == 0)
		return vm_state_open(connect, VM_STATE_CHANGE, &state, err) < 0
			       ? -1
			       : vm_owner_restore(&state, user, name + 6, err);
	if (!vm_pci_parse(name, &address))
		return vm_err_set(err, VM_BAD_INPUT, "'%.80s' is no PCI address", name);
	if (vm_state_open(connect, VM_STATE_CHANGE, &state, err) < 0 || vm_sys_open(NULL, &sys, err) < 0)
		return -1;
	return vm_hostdev_give_back(&state, &sys, name, user, vm_deadline_in(VM_HOSTDEV_UNBIND_MS), err);
}

int main(int argc, char **argv)
{
	struct vm_err err = VM_ERR_INIT;

	vm_proc_std_fds();
	if (argc != 4) {
		fprintf(stderr, "Usage: vm-hostdev-reap CONNECT DRIVER/GUEST ADDRESS|owner:KEY\n");
		return VM_USAGE;
	}
	if (give_back(argv[1], argv[2], argv[3], &err) >= 0)
		return 0;
	fprintf(stderr, "%s\n", err.msg);
	return (int)err.kind;
}
