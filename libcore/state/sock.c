/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vm/sock.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <vm/cleanup.h>

static int address(struct sockaddr_un *sa, int dirfd, const char *name, struct vm_err *err)
{
	int n;

	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	n = snprintf(sa->sun_path, sizeof(sa->sun_path), "/proc/self/fd/%d/%s", dirfd, name);
	if (n < 0 || (size_t)n >= sizeof(sa->sun_path) || strchr(name, '/') != NULL)
		return vm_err_set(err, VM_BAD_INPUT, "'%s' is no name of a socket", name);
	return 0;
}

int vm_sock_connect(int dirfd, const char *name, struct vm_deadline deadline, int *ret_fd,
		    struct vm_err *err)
{
	VM_AUTO_FD int fd = -1;
	struct sockaddr_un sa;
	int flags;

	if (address(&sa, dirfd, name, err) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return vm_err_sys(err, "socket");
	while (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		if (errno == ECONNREFUSED)
			return vm_err_sys_kind(err, VM_HYPERVISOR, "connect to %s", name);
		if (errno != EAGAIN && errno != EINTR)
			return vm_err_sys(err, "connect to %s", name);
		if (vm_deadline_passed(deadline))
			return vm_err_set(err, VM_TIMED_OUT,
					  "connect to %s: too many clients are waiting", name);
		/* The kernel tells nobody when the queue of a listener gets room again. */
		if (poll(NULL, 0, 5) < 0)
			return vm_err_sys(err, "connect to %s", name);
	}
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
		return vm_err_sys(err, "fcntl %s", name);
	*ret_fd = vm_take_fd(&fd);
	return 0;
}

int vm_sock_send_fd(int sock, const void *bytes, size_t len, int fd, int flags)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec io = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
	struct msghdr msg = {
		.msg_iov = &io,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n;

	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(int));
	n = sendmsg(sock, &msg, flags | MSG_NOSIGNAL);
	if (n >= 0 && (size_t)n < len)
		errno = EAGAIN;
	return n < 0 || (size_t)n < len ? -1 : 0;
}

int vm_sock_listen(int dirfd, const char *name, int backlog, int *ret_fd, struct vm_err *err)
{
	VM_AUTO_FD int fd = -1;
	struct sockaddr_un sa;
	struct stat st;

	if (address(&sa, dirfd, name, err) < 0)
		return -1;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return vm_err_set(err, VM_IN_USE, "%s is there and no socket", name);
		if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
			return vm_err_sys(err, "remove %s", name);
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return vm_err_sys(err, "socket");
	/* The mode of the socket file is taken from the descriptor's: no moment at which others
	 * could connect. */
	if (fchmod(fd, 0600) < 0)
		return vm_err_sys(err, "fchmod %s", name);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return vm_err_sys(err, "bind %s", name);
	if (listen(fd, backlog) < 0)
		return vm_err_sys(err, "listen on %s", name);
	*ret_fd = vm_take_fd(&fd);
	return 0;
}
