/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "drop.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILES_MAX 65536u /* descriptors: disks, queues, clients of displays */
#define SET_IDS	  06000u

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
#define ARCH AUDIT_ARCH_PPC64LE
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH AUDIT_ARCH_RISCV64
#endif

#ifdef ARCH
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#define X32_BIT 0x40000000u
#define MAKES_FILE (uint32_t)(O_CREAT | (O_TMPFILE & ~O_DIRECTORY))
#define AT(member) (uint32_t) offsetof(struct seccomp_data, member)
#define ARG(n)	   (AT(args) + (uint32_t)(n) * 8u) /* its low half: little-endian */
#define LOAD(off)  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, off)
#define REFUSE	   BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
#define ALLOW	   BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
/* A call whose n-th argument is a mode. */
#define MODE_AT(call, n)                                                                           \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (call), 0, 4), LOAD(ARG(n)),                           \
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, SET_IDS, 0, 1), REFUSE, ALLOW

/* The same if its flags, the f-th, make a file; without, nobody has said a mode. */
#define OPENS_AT(call, f, n)                                                                       \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (call), 0, 6), LOAD(ARG(f)),                           \
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAKES_FILE, 0, 3), LOAD(ARG(n)),              \
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, SET_IDS, 0, 1), REFUSE, ALLOW

/* Source: Linux Documentation/userspace-api/seccomp_filter.rst.  Another architecture's calls have other numbers: none. */
static const struct sock_filter no_set_ids[] = {
	LOAD(AT(arch)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
	REFUSE,
	LOAD(AT(nr)),
#ifdef __x86_64__
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1),
	REFUSE,
#endif
#ifdef SYS_chmod
	MODE_AT(SYS_chmod, 1),
#endif
	MODE_AT(SYS_fchmod, 1),
	MODE_AT(SYS_fchmodat, 2),
	MODE_AT(SYS_fchmodat2, 2),
#ifdef SYS_open
	OPENS_AT(SYS_open, 1, 2),
#endif
#ifdef SYS_creat
	MODE_AT(SYS_creat, 1),
#endif
#ifdef SYS_mknod
	MODE_AT(SYS_mknod, 1),
#endif
	OPENS_AT(SYS_openat, 2, 3),
	MODE_AT(SYS_mknodat, 2),
	/* Its mode is in memory, which a filter cannot read; those who use it know kernels without. */
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	ALLOW,
};
#endif

static int add_filter(void)
{
#ifdef ARCH
	const struct sock_fprog program = {
		.len = sizeof(no_set_ids) / sizeof(no_set_ids[0]),
		.filter = (struct sock_filter *)(uintptr_t)no_set_ids,
	};

	/* A kernel without filters has no -sandbox either, which says so. */
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 && errno != EINVAL)
		return -1;
#endif
	return 0;
}

static int set_limits(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return -1;
	if (l.rlim_cur < FILES_MAX) {
		struct rlimit more = { FILES_MAX, l.rlim_max > FILES_MAX ? l.rlim_max : FILES_MAX };

		l.rlim_cur = l.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &more) < 0 && setrlimit(RLIMIT_NOFILE, &l) < 0)
			return -1;
	}
	/* A dump has the guest's memory in it; vm-dump makes one on purpose. */
	if (getrlimit(RLIMIT_CORE, &l) < 0)
		return -1;
	l.rlim_cur = 0;
	return setrlimit(RLIMIT_CORE, &l);
}

static int set_label(const struct vm_drop *d)
{
	int fd, r, saved;

	if (d->exec_label == NULL)
		return 0;
	fd = open(d->exec_file, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	r = write(fd, d->exec_label, strlen(d->exec_label)) < 0 ? -1 : 0;
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}

static int change_user(const struct vm_drop *d)
{
	if (!d->change_user)
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(d->gid, d->gid, d->gid) < 0)
		return -1;
	return setresuid(d->uid, d->uid, d->uid);
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0, 0, 0 } };

	return (int)syscall(SYS_capset, &head, none);
}

/* Best effort of those who have not got the right to: they have nothing to bound either. */
static void drop_bounding_set(void)
{
	for (unsigned long cap = 0; cap < 64; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			break;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

int vm_drop_rights(const struct vm_drop *d, const char **ret_what)
{
	*ret_what = "set limits";
	if (set_limits() < 0)
		return errno;
	*ret_what = "set the security label";
	if (set_label(d) < 0)
		return errno;
	if (!d->keep_capabilities)
		drop_bounding_set();
	*ret_what = "become the guest's user";
	if (change_user(d) < 0)
		return errno;
	*ret_what = "drop capabilities";
	if ((!d->keep_capabilities && drop_capabilities() < 0) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return errno;
	*ret_what = "filter system calls";
	return add_filter() < 0 ? errno : 0;
}
