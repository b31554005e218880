/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/process.h>

#define KVM_NODE "/dev/kvm"

/* What the child was doing when it failed; also its exit status. */
enum step {
	STEP_DONE,
	STEP_OPEN,
	STEP_VERSION,
	STEP_VM,
	STEP_MEMORY,
	STEP_VCPU,
	STEP_RUN,
	STEP_RESULT,
	STEP_COUNT
};
static const char *const step_text[STEP_COUNT] = {
    [STEP_OPEN] = "open " KVM_NODE,
    [STEP_VERSION] = "ask " KVM_NODE " for its version",
    [STEP_VM] = "create a VM",
    [STEP_MEMORY] = "give a VM memory",
    [STEP_VCPU] = "create a virtual CPU",
    [STEP_RUN] = "run a virtual CPU",
    [STEP_RESULT] = "run a virtual CPU: it did not do what it was told",
};

unsigned long long vm_kvm_identity(void)
{
	struct stat st;

	if (stat(KVM_NODE, &st) < 0)
		return 0;
	return ((unsigned long long)st.st_ctim.tv_sec * 1000000000u +
		(unsigned long long)st.st_ctim.tv_nsec) |
	       1u;
}

#ifdef __x86_64__
/* mov $0x2a, %al; out %al, $0x10; hlt, in real mode */
static const uint8_t guest_code[] = {0xb0, 0x2a, 0xe6, 0x10, 0xf4};

#define GUEST_AT 0x1000u

static enum step run_guest(int vm, int vcpu, size_t run_size)
{
	struct kvm_userspace_memory_region region = {.guest_phys_addr = GUEST_AT,
						     .memory_size = 0x1000};
	struct kvm_regs regs = {.rip = GUEST_AT, .rflags = 2};
	struct kvm_sregs sregs;
	struct kvm_run *run;
	void *memory;

	memory = mmap(NULL, 0x1000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (memory == MAP_FAILED || run == MAP_FAILED)
		return STEP_MEMORY;
	memcpy(memory, guest_code, sizeof(guest_code));
	region.userspace_addr = (uintptr_t)memory;
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return STEP_MEMORY;
	if (ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)
		return STEP_VCPU;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0 || ioctl(vcpu, KVM_SET_REGS, &regs) < 0)
		return STEP_VCPU;
	if (ioctl(vcpu, KVM_RUN, 0) < 0)
		return STEP_RUN;
	errno = 0;
	if (run->exit_reason != KVM_EXIT_IO || run->io.port != 0x10 ||
	    ((uint8_t *)run)[run->io.data_offset] != 0x2a)
		return STEP_RESULT;
	if (ioctl(vcpu, KVM_RUN, 0) < 0)
		return STEP_RUN;
	errno = 0;
	return run->exit_reason == KVM_EXIT_HLT ? STEP_DONE : STEP_RESULT;
}
#else
static enum step run_guest(int vm, int vcpu, size_t run_size)
{
	(void)vm, (void)vcpu, (void)run_size;
	return STEP_DONE;
}
#endif

static enum step try_all(void)
{
	int kvm, vm, vcpu, size;

	kvm = open(KVM_NODE, O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		return STEP_OPEN;
	if (ioctl(kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		return STEP_VERSION;
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		return STEP_VM;
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0)
		return STEP_VCPU;
	size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < (int)sizeof(struct kvm_run))
		return STEP_VCPU;
	return run_guest(vm, vcpu, (size_t)size);
}

static _Noreturn void child(int out)
{
	enum step step;
	int why;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	errno = 0;
	step = try_all();
	why = errno;
	if (write(out, &why, sizeof(why)) != (ssize_t)sizeof(why))
		_exit(STEP_COUNT);
	_exit((int)step);
}

static int explain(enum step step, int why, struct vm_err *err)
{
	errno = why;
	if (step == STEP_OPEN) {
		vm_err_sys(err, "open %s", KVM_NODE);
		if (why == ENODEV || why == ENXIO)
			err->kind = VM_NOT_FOUND;
	} else if (why != 0) {
		vm_err_sys_kind(err, VM_UNSUPPORTED, "KVM does not work here: cannot %s",
				step_text[step]);
	} else {
		vm_err_set(err, VM_UNSUPPORTED, "KVM does not work here: cannot %s",
			   step_text[step]);
	}
	return -1;
}

int vm_kvm_try(struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO_FD int in = -1, out = -1, pidfd = -1;
	int fds[2], status, why = 0;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return vm_err_sys(err, "pipe");
	in = fds[0];
	out = fds[1];
	pid = fork();
	if (pid < 0)
		return vm_err_sys(err, "fork");
	if (pid == 0)
		child(out);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0 || vm_child_wait(pid, pidfd, deadline, &status, err) < 0) {
		bool late = pidfd >= 0 && err->kind == VM_TIMED_OUT;

		/* One that hangs inside the kernel dies later or never; nobody waits for it. */
		kill(pid, SIGKILL);
		waitpid(pid, NULL, late ? WNOHANG : 0);
		if (!late)
			return pidfd < 0 ? vm_err_sys(err, "pidfd_open") : -1;
		return vm_err_set(err, VM_TIMED_OUT,
				  "KVM does not work here: a virtual CPU does not come back");
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == STEP_DONE)
		return 0;
	if (!WIFEXITED(status) || WEXITSTATUS(status) >= STEP_COUNT ||
	    read(in, &why, sizeof(why)) != (ssize_t)sizeof(why))
		return vm_err_set(err, VM_UNSUPPORTED,
				  "KVM does not work here: trying it ended with status %#x",
				  status);
	return explain((enum step)WEXITSTATUS(status), why, err);
}
