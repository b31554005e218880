/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Source: the ERRORS sections of section 2 of the Linux manual. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#include "calls.h"

#define NUMBER(name) SYS_##name, #name

static const struct call table[] = {
	{ NUMBER(read), false, { EIO, EINTR } },
	{ NUMBER(pread64), false, { EIO } },
	{ NUMBER(readv), false, { EIO } },
	{ NUMBER(write), true, { ENOSPC, EIO, EINTR } },
	{ NUMBER(pwrite64), true, { ENOSPC, EIO } },
	{ NUMBER(writev), true, { ENOSPC, EIO } },
	{ NUMBER(sendfile), true, { ENOSPC, EIO } },
	{ NUMBER(copy_file_range), true, { ENOSPC, EXDEV } },
	{ NUMBER(open), true, { EMFILE, EIO } },
	{ NUMBER(openat), true, { EMFILE, ENOSPC, EIO, EACCES } },
	{ NUMBER(openat2), true, { EMFILE, ENOSPC, EIO, ENOSYS } },
	{ NUMBER(close), true, { 0 } },
	{ NUMBER(stat), false, { EIO } },
	{ NUMBER(fstat), false, { EIO } },
	{ NUMBER(newfstatat), false, { EIO, ENOMEM } },
	{ NUMBER(statx), false, { EIO, ENOMEM } },
	{ NUMBER(readlink), false, { EIO } },
	{ NUMBER(readlinkat), false, { EIO, ENOMEM } },
	{ NUMBER(getdents64), false, { EIO } },
	{ NUMBER(faccessat2), false, { EIO } },
	{ NUMBER(mmap), false, { ENOMEM } },
	{ NUMBER(brk), false, { 0 } },
	{ NUMBER(fsync), true, { EIO, ENOSPC } },
	{ NUMBER(fdatasync), true, { EIO, ENOSPC } },
	{ NUMBER(syncfs), true, { EIO } },
	{ NUMBER(ftruncate), true, { ENOSPC, EIO } },
	{ NUMBER(fallocate), true, { ENOSPC, EOPNOTSUPP } },
	{ NUMBER(rename), true, { ENOSPC, EIO } },
	{ NUMBER(renameat), true, { ENOSPC, EIO } },
	{ NUMBER(renameat2), true, { ENOSPC, EIO, EINVAL } },
	{ NUMBER(link), true, { ENOSPC } },
	{ NUMBER(linkat), true, { ENOSPC, EIO } },
	{ NUMBER(symlink), true, { ENOSPC } },
	{ NUMBER(symlinkat), true, { ENOSPC, EIO } },
	{ NUMBER(unlink), true, { EIO } },
	{ NUMBER(unlinkat), true, { EIO, EBUSY } },
	{ NUMBER(mkdir), true, { ENOSPC } },
	{ NUMBER(mkdirat), true, { ENOSPC, EIO } },
	{ NUMBER(rmdir), true, { EBUSY } },
	{ NUMBER(mknod), true, { ENOSPC, EPERM } },
	{ NUMBER(mknodat), true, { ENOSPC, EPERM } },
	{ NUMBER(chmod), true, { EPERM } },
	{ NUMBER(fchmod), true, { EPERM, EIO } },
	{ NUMBER(fchmodat), true, { EPERM, EIO } },
	{ NUMBER(chown), true, { EPERM } },
	{ NUMBER(fchown), true, { EPERM, EIO } },
	{ NUMBER(fchownat), true, { EPERM, EIO } },
	{ NUMBER(lchown), true, { EPERM } },
	{ NUMBER(utimensat), true, { EPERM } },
	{ NUMBER(setxattr), true, { ENOSPC, EOPNOTSUPP } },
	{ NUMBER(fsetxattr), true, { ENOSPC, EOPNOTSUPP } },
	{ NUMBER(mount), true, { EPERM, ENOMEM } },
	{ NUMBER(umount2), true, { EBUSY } },
	{ NUMBER(open_tree), true, { EPERM, ENOMEM } },
	{ NUMBER(move_mount), true, { EPERM, ENOMEM } },
	{ NUMBER(mount_setattr), true, { EINVAL, EPERM } },
	{ NUMBER(fsopen), true, { EPERM } },
	{ NUMBER(fsconfig), true, { EINVAL } },
	{ NUMBER(fsmount), true, { EPERM } },
	{ NUMBER(unshare), true, { EPERM, ENOSPC } },
	{ NUMBER(setns), true, { EPERM } },
	{ NUMBER(fork), true, { EAGAIN, ENOMEM } },
	{ NUMBER(vfork), true, { EAGAIN, ENOMEM } },
	{ NUMBER(clone), true, { EAGAIN, ENOMEM } },
	{ NUMBER(clone3), true, { EAGAIN, ENOMEM } },
	{ NUMBER(execve), true, { ENOENT, ENOMEM, EACCES } },
	{ NUMBER(execveat), true, { ENOENT, ENOMEM, EACCES } },
	{ NUMBER(kill), true, { EPERM } },
	{ NUMBER(pidfd_open), false, { EMFILE, ENOSYS } },
	{ NUMBER(pidfd_send_signal), true, { EPERM, ENOSYS } },
	{ NUMBER(wait4), true, { EINTR } },
	{ NUMBER(waitid), true, { EINTR } },
	{ NUMBER(exit_group), true, { 0 } },
	{ NUMBER(setsid), true, { 0 } },
	{ NUMBER(setresuid), true, { EAGAIN } },
	{ NUMBER(setresgid), true, { EPERM } },
	{ NUMBER(prctl), false, { EINVAL } },
	{ NUMBER(prlimit64), false, { EPERM } },
	{ NUMBER(sched_setaffinity), true, { EINVAL } },
	{ NUMBER(fcntl), true, { ENOLCK, EINTR } },
	{ NUMBER(flock), true, { ENOLCK, EINTR } },
	{ NUMBER(ioctl), true, { EPERM, ENOMEM } },
	{ NUMBER(bpf), true, { EPERM, ENOMEM } },
	{ NUMBER(socket), false, { EMFILE, ENOBUFS } },
	{ NUMBER(socketpair), false, { EMFILE } },
	{ NUMBER(bind), true, { EADDRINUSE, ENOSPC } },
	{ NUMBER(listen), true, { EADDRINUSE } },
	{ NUMBER(connect), true, { ECONNREFUSED, EAGAIN } },
	{ NUMBER(accept4), true, { EMFILE, EINTR } },
	{ NUMBER(sendto), true, { EPIPE, ENOBUFS, EINTR } },
	{ NUMBER(sendmsg), true, { EPIPE, ENOBUFS, EINTR } },
	{ NUMBER(recvfrom), false, { ECONNRESET, EINTR } },
	{ NUMBER(recvmsg), false, { ECONNRESET, EINTR } },
	{ NUMBER(pipe2), false, { EMFILE } },
	{ NUMBER(dup), false, { EMFILE } },
	{ NUMBER(dup3), false, { EMFILE } },
	{ NUMBER(memfd_create), false, { ENOMEM, EMFILE } },
	{ NUMBER(eventfd2), false, { EMFILE } },
	{ NUMBER(timerfd_create), false, { EMFILE } },
	{ NUMBER(signalfd4), false, { EMFILE } },
	{ NUMBER(epoll_create1), false, { EMFILE } },
	{ NUMBER(epoll_ctl), false, { ENOMEM } },
	{ NUMBER(inotify_init1), false, { EMFILE } },
	{ NUMBER(inotify_add_watch), false, { ENOSPC } },
	{ NUMBER(poll), false, { EINTR } },
	{ NUMBER(ppoll), false, { EINTR } },
	{ NUMBER(epoll_wait), false, { EINTR } },
	{ NUMBER(epoll_pwait), false, { EINTR } },
	{ NUMBER(nanosleep), false, { EINTR } },
	{ NUMBER(clock_nanosleep), false, { EINTR } },
	{ NUMBER(getrandom), false, { EINTR } },
};

static const struct {
	const char *name;
	int number;
} errnos[] = {
#define ERRNO(e) { #e, e }
	ERRNO(EPERM),	 ERRNO(ENOENT),	    ERRNO(EINTR),	ERRNO(EIO),	ERRNO(EAGAIN),
	ERRNO(ENOMEM),	 ERRNO(EACCES),	    ERRNO(EBUSY),	ERRNO(EEXIST),	ERRNO(EXDEV),
	ERRNO(EINVAL),	 ERRNO(ENFILE),	    ERRNO(EMFILE),	ERRNO(EFBIG),	ERRNO(ENOSPC),
	ERRNO(EROFS),	 ERRNO(EPIPE),	    ERRNO(ENOLCK),	ERRNO(ENOSYS),	ERRNO(EOPNOTSUPP),
	ERRNO(ENOBUFS),	 ERRNO(EADDRINUSE), ERRNO(ECONNREFUSED), ERRNO(ECONNRESET), ERRNO(ETIMEDOUT),
	ERRNO(EDQUOT),
};

const struct call *call_find(uint64_t nr)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if ((uint64_t)table[i].nr == nr)
			return &table[i];
	}
	return NULL;
}

bool call_changes(const struct call *call, const uint64_t args[6])
{
	if (!call || !call->changes)
		return false;
	switch (call->nr) {
	case SYS_open:
		return args[1] & (O_CREAT | O_TRUNC | O_WRONLY | O_RDWR);
	case SYS_openat:
	case SYS_openat2: /* args[2]: open_how.flags */
		return args[2] & (O_CREAT | O_TRUNC | O_WRONLY | O_RDWR);
	case SYS_close:
		return false;
	case SYS_fcntl:
		return args[1] == F_SETLK || args[1] == F_SETLKW || args[1] == F_OFD_SETLK ||
		       args[1] == F_OFD_SETLKW;
	default:
		return true;
	}
}

bool call_can_fail(const struct call *call, const uint64_t args[6])
{
	if (!call || !call->errnos[0])
		return false;
	/* of fcntl() only the locks fail when all else is well */
	return call->nr != SYS_fcntl || call_changes(call, args);
}

int call_errno(const char *name)
{
	for (size_t i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++) {
		if (strcmp(errnos[i].name, name) == 0)
			return errnos[i].number;
	}
	return -1;
}

const char *call_errno_name(int number)
{
	for (size_t i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++) {
		if (errnos[i].number == number)
			return errnos[i].name;
	}
	return "?";
}
