/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vm-hostdev-reap CONNECT DRIVER/GUEST DEVICE|WHAT:ARGUMENT: gives back a host device that a guest had, a file whose owner was
 * changed for it ("owner:KEY"), or undoes a step of an attach.  Run by whatever ends a guest, so
 * that these programs need not carry what few guests use.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/log.h>
#include <vm/process.h>
#include <vm/state.h>

#include "guest/hostdev_bind.h"
#include "host/pci.h"
#include "host/self.h"
#include "qemu/run/reap.h"
#include "state/hostdev.h"

static int undo_plug(const struct vm_state *state, const char *user, const char *what, struct vm_err *err)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;

	if (vm_guest_open(state, vm_hostdev_guest(user), VM_GUEST_NEW, VM_DEADLINE_NEVER, &g, err) < 0)
		return -1;
	return vm_qemu_plug_undo(&g, what, err);
}

/* A descriptor of whoever runs us, with the lock that it has. */
static int take_lock(const char *number, struct vm_err *err)
{
	VM_AUTO_FD int parent = (int)syscall(SYS_pidfd_open, getppid(), 0);
	int fd = parent < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, parent, atoi(number), 0);

	/* Where looking into other processes is not allowed the caller holds it all the same. */
	if (fd < 0 && errno != EPERM)
		return vm_err_sys(err, "the guest's lock");
	if (fd < 0)
		fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dup2(fd, VM_SETTLE_LOCK_FD) < 0)
		return vm_err_sys(err, "the guest's lock");
	return 0;
}

static int settle(const char *connect, const char *user, const char *number, struct vm_err *err)
{
	VM_AUTO_FREE char *path = NULL;

	if (take_lock(number, err) < 0 || vm_self_helper("vm-hostdev-settle", &path, err) < 0)
		return -1;
	execl(path, path, connect, vm_hostdev_guest(user), (char *)NULL);
	return vm_err_sys(err, "%s", path);
}

static int give_back(const char *connect, const char *user, const char *name, struct vm_err *err)
{
	VM_AUTO(vm_state_close) struct vm_state state = VM_STATE_INIT;
	VM_AUTO(vm_sys_close) struct vm_sys sys = VM_SYS_INIT;
	const struct vm_hostdev_take other = { .state = &state, .sys = &sys, .name = name, .user = user,
					       .deadline = vm_deadline_in(VM_HOSTDEV_UNBIND_MS) };
	struct vm_pci_address address;
	int r;

	if (vm_state_open(connect, VM_STATE_CHANGE, &state, err) < 0)
		return -1;
	if (strncmp(name, VM_PLUG_SETTLE, strlen(VM_PLUG_SETTLE)) == 0)
		return settle(connect, user, name + strlen(VM_PLUG_SETTLE), err);
	if (strncmp(name, "owner:", 6) == 0)
		return vm_owner_restore(&state, user, name + 6, err);
	if (vm_hostdev_is_other(name))
		return vm_sys_open(NULL, &sys, err) < 0 ? -1 : vm_hostdev_hook_give(&other, err);
	if (!vm_pci_parse(name, &address)) {
		r = undo_plug(&state, user, name, err);
		return r > 0 ? vm_err_set(err, VM_BAD_INPUT, "'%.80s' is no PCI address", name) : r;
	}
	if (vm_sys_open(NULL, &sys, err) < 0)
		return -1;
	return vm_hostdev_give_back(&state, &sys, name, user, vm_deadline_in(VM_HOSTDEV_UNBIND_MS), err);
}

static void print(enum vm_log_level level, const char *text, void *arg)
{
	(void)arg;
	if (level == VM_LOG_WARNING)
		fprintf(stderr, "%s\n", text);
}

int main(int argc, char **argv)
{
	struct vm_err err = VM_ERR_INIT;

	vm_proc_std_fds();
	vm_log_set_sink(print, NULL);
	if (argc != 4) {
		fprintf(stderr, "Usage: vm-hostdev-reap CONNECT DRIVER/GUEST DEVICE|WHAT:ARGUMENT\n");
		return VM_USAGE;
	}
	if (give_back(argv[1], argv[2], argv[3], &err) >= 0)
		return 0;
	fprintf(stderr, "%s\n", err.msg);
	return (int)err.kind;
}
