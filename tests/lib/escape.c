/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * escape PID WHAT [ARG]: becomes a process like PID, a guest's QEMU: its mount namespace, control groups, user,
 * groups and (none of the) capabilities, then tries something.  Prints "may" or "cannot".
 *
 * It shares no code with the programs whose walls it tries.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/ptrace.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(2);
}

/* Of the line "NAME: a b c" the first number. */
static unsigned long status_of(const char *pid, const char *name)
{
	char path[64], line[256];
	unsigned long n = ~0ul;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, name, strlen(name)) == 0)
			n = strtoul(line + strlen(name), NULL, 10);
	if (!f || n == ~0ul)
		die(path);
	fclose(f);
	return n;
}

/* v1's device rules are those of a group; v2's too. */
static void enter_groups(const char *pid)
{
	static const struct {
		const char *prefix, *mount;
	} trees[] = {
		{ "devices:", "/sys/fs/cgroup/devices" },
		{ ":", "/sys/fs/cgroup/unified" },
		{ ":", "/sys/fs/cgroup" },
	};
	char path[4096], line[4096];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/cgroup", pid);
	f = fopen(path, "re");
	if (!f)
		die(path);
	while (fgets(line, sizeof(line), f)) {
		char *controllers = strchr(line, ':');

		if (!controllers)
			continue;
		controllers++;
		line[strcspn(line, "\n")] = 0;
		for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
			int fd;

			if (strncmp(controllers, trees[i].prefix, strlen(trees[i].prefix)) != 0)
				continue;
			snprintf(path, sizeof(path), "%s%.3000s/cgroup.procs", trees[i].mount,
				 strchr(controllers, ':') + 1);
			fd = open(path, O_WRONLY | O_CLOEXEC);
			if (fd >= 0 && write(fd, "0", 1) != 1)
				die(path);
			if (fd >= 0)
				close(fd);
		}
	}
	fclose(f);
}

/*
 * The filter that was there before QEMU's own: number 0.  QEMU's own kills, which would tell nothing of
 * the other walls.  Source: ptrace(2), PTRACE_SECCOMP_GET_FILTER.
 */
static struct sock_fprog oldest_filter(pid_t pid)
{
	struct sock_fprog program = { 0, NULL };
	long n;

	if (syscall(SYS_ptrace, PTRACE_SEIZE, pid, NULL, NULL) < 0)
		die("look at its filters");
	syscall(SYS_ptrace, PTRACE_INTERRUPT, pid, NULL, NULL);
	if (waitpid(pid, NULL, __WALL) < 0)
		die("look at its filters");
	n = syscall(SYS_ptrace, PTRACE_SECCOMP_GET_FILTER, pid, 0L, NULL);
	if (n > 0) {
		program.len = (unsigned short)n;
		program.filter = calloc((size_t)n, sizeof(*program.filter));
		if (!program.filter ||
		    syscall(SYS_ptrace, PTRACE_SECCOMP_GET_FILTER, pid, 0L, program.filter) < 0)
			die("read its filter");
	}
	syscall(SYS_ptrace, PTRACE_DETACH, pid, NULL, NULL);
	return program;
}

static void become(const char *pid)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
	unsigned uid = (unsigned)status_of(pid, "Uid:"), gid = (unsigned)status_of(pid, "Gid:");
	char path[64];
	struct sock_fprog filter = oldest_filter((pid_t)atoi(pid));
	int ns;

	enter_groups(pid);
	snprintf(path, sizeof(path), "/proc/%s/ns/mnt", pid);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWNS) < 0)
		die(path);
	for (int cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		;
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0 ||
	    syscall(SYS_capset, &head, none) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		die("become the guest");
	if (filter.len > 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
		die("install its filter");
	free(filter.filter);
}

static int connects(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int dir, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char *copy = strdup(path), *slash = strrchr(copy, '/');

	/* Names of sockets are short; the way to them is not. */
	*slash = 0;
	dir = open(copy, O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(at.sun_path, sizeof(at.sun_path), "/proc/self/fd/%d/%.60s", dir, slash + 1);
	free(copy);
	return dir >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
}

/* The open file that PID itself has, which no other process of its user could get. */
static int opened_by(const char *pid, const char *path)
{
	int pidfd = (int)syscall(SYS_pidfd_open, (pid_t)atoi(pid), 0);
	char link[64], target[4096];

	for (int fd = 0; pidfd >= 0 && fd < 1024; fd++) {
		ssize_t n;

		snprintf(link, sizeof(link), "/proc/%s/fd/%d", pid, fd);
		n = readlink(link, target, sizeof(target) - 1);
		if (n <= 0)
			continue;
		target[n] = 0;
		if (strcmp(target, path) == 0)
			return (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	}
	fprintf(stderr, "escape: %s does not have %s open\n", pid, path);
	exit(2);
}

static int unlocks(int fd)
{
	struct flock all = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &all) == 0;
}

static int attempt(const char *what, const char *arg, int theirs)
{
	if (strcmp(what, "read") == 0)
		return open(arg, O_RDONLY | O_NONBLOCK | O_CLOEXEC) >= 0;
	if (strcmp(what, "write") == 0)
		return open(arg, O_WRONLY | O_NONBLOCK | O_CLOEXEC) >= 0;
	if (strcmp(what, "list") == 0)
		return open(arg, O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0;
	if (strcmp(what, "signal") == 0)
		return kill(atoi(arg), 0) == 0;
	if (strcmp(what, "connect") == 0)
		return connects(arg);
	if (strcmp(what, "mknod") == 0)
		return mknod(arg, S_IFCHR | 0600, makedev(1, 1)) == 0;
	if (strcmp(what, "mount") == 0)
		return mount("none", arg, "tmpfs", 0, NULL) == 0;
	if (strcmp(what, "become") == 0)
		return setresuid((uid_t)atol(arg), (uid_t)-1, (uid_t)-1) == 0;
	if (strcmp(what, "setuid") == 0)
		return chmod(arg, 04755) == 0;
	if (strcmp(what, "create") == 0)
		return open(arg, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0;
	if (strcmp(what, "create-setuid") == 0)
		return open(arg, O_WRONLY | O_CREAT | O_CLOEXEC, 04755) >= 0 || creat(arg, 02755) >= 0 ||
		       mknod(arg, S_IFREG | 04755, 0) == 0;
	if (strcmp(what, "openat2") == 0) {
		struct open_how how = { .flags = O_WRONLY | O_CREAT, .mode = 04755 };

		return syscall(SYS_openat2, AT_FDCWD, arg, &how, sizeof(how)) >= 0;
	}
	if (strcmp(what, "unlock") == 0)
		return unlocks(theirs);
	fprintf(stderr, "escape: no attempt '%s'\n", what);
	exit(2);
}

int main(int argc, char **argv)
{
	int theirs = -1;

	if (argc != 4) {
		fprintf(stderr, "usage: escape PID WHAT ARG\n");
		return 2;
	}
	if (strcmp(argv[2], "unlock") == 0)
		theirs = opened_by(argv[1], argv[3]);
	become(argv[1]);
	puts(attempt(argv[2], argv[3], theirs) ? "may" : "cannot");
	return 0;
}
