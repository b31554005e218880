/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cgroup.h>
#include <vm/cleanup.h>
#include <vm/sock.h>
#include <vm/state.h>

#include "child_fds.h"
#include "confine/drop.h"
#include "confine/view.h"
#include "helper.h"
#include "host/self.h"
#include "qemu/watch/watch.h"

#define WATCH_FDS  (VM_WATCH_FD_END - VM_WATCH_FD_RUN + (int)VM_WATCH_FILES)

/* What QEMU sees of our environment. */
static const char *const kept_variables[] = {
	"PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME",
	"XDG_DATA_HOME", "XDG_CACHE_HOME", "SYSTEMROOT", "PULSE_SERVER", "WAYLAND_DISPLAY",
};

static void say(int fd, const char *what, int e)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "%s: %s\n", what, strerror(e));

	if (n > 0 && write(fd, text, (size_t)n) < 0)
		return;
}

/* Into a v2 group (-1: none) at once. */
static int fork_with_pidfd(int into, pid_t *ret_pid, int *ret_pidfd)
{
	int pidfd = -1;
	struct clone_args args = {
		.flags = CLONE_PIDFD | (into >= 0 ? CLONE_INTO_CGROUP : 0u),
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = (unsigned)(into >= 0 ? into : 0),
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid < 0)
		return -1;
	*ret_pid = (pid_t)pid;
	*ret_pidfd = pidfd;
	return 0;
}

static void reset_signals(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static char **make_environment(char *const *added)
{
	size_t n = 0, more = 0;
	char **env;

	while (added != NULL && added[more] != NULL)
		more++;
	env = vm_xcalloc(VM_COUNT(kept_variables) + 2 + more, sizeof(*env));
	env[n++] = vm_xstrdup("LC_ALL=C");
	for (size_t i = 0; i < VM_COUNT(kept_variables); i++) {
		const char *value = getenv(kept_variables[i]);

		if (value != NULL)
			env[n++] = vm_xasprintf("%s=%s", kept_variables[i], value);
	}
	for (size_t i = 0; i < more; i++)
		env[n++] = added[i];
	return env;
}

/* A higher limit that somebody gave us is left to it. */
static int raise_memlock(uint64_t bytes)
{
	struct rlimit r, want = { .rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY };

	if (bytes != UINT64_MAX)
		want.rlim_cur = want.rlim_max = (rlim_t)bytes;
	if (getrlimit(RLIMIT_MEMLOCK, &r) == 0 && r.rlim_max >= want.rlim_max) {
		r.rlim_cur = r.rlim_max;
		return setrlimit(RLIMIT_MEMLOCK, &r);
	}
	return setrlimit(RLIMIT_MEMLOCK, &want);
}

static _Noreturn void give_up(int fd, const char *what, int e)
{
	char text[160];

	snprintf(text, sizeof(text), "cannot confine the process: %s", what);
	say(fd, text, e);
	_exit(127);
}

/* They die with this process: nobody has to know them for that, but to be told of. */
static void start_helpers(const struct vm_launch *l, char **env)
{
	const struct vm_helper_launch how = {
		.rights = l->rights,
		.group = l->helper_group,
		.messages = l->messages,
		.env = env,
	};
	struct vm_err err = VM_ERR_INIT;

	for (size_t i = 0; i < l->nhelpers; i++) {
		struct vm_procid id;
		char text[128];
		pid_t pid;
		int e = vm_helper_fork(&l->helpers[i], &how, &pid);

		if (e != 0)
			give_up(l->messages, l->helpers[i].name, e);
		if (vm_procid_of(pid, &id, &err) < 0)
			continue;
		snprintf(text, sizeof(text), "%.64s %d %llu", l->helpers[i].name, (int)pid,
			 (unsigned long long)id.start);
		vm_record_add(&l->guest->record, VM_KEY_HELPER, text);
	}
	if (l->nhelpers > 0 && vm_guest_record_write(l->guest, &err) < 0)
		give_up(l->messages, "write the record", err.sys);
}

static _Noreturn void qemu_child(const struct vm_launch *l, pid_t parent)
{
	struct vm_err err = VM_ERR_INIT;
	struct vm_procid self;
	char **env = make_environment(l->env);
	int null = vm_self_null(), e;
	const char *what = "";

	reset_signals();
	if (l->watch == NULL)
		setsid();
	if ((e = vm_cgroup_enter(l->qemu_group, true)) != 0) {
		say(l->messages, "cannot enter the control group", e);
		_exit(127);
	}
	if (l->die_with_parent &&
	    (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent))
		_exit(127);
	/* Before its threads are there, so that all of them have it. */
	if (l->ncpus > 0 && syscall(SYS_sched_setaffinity, 0, (l->ncpus + 63) / 64 * sizeof(*l->cpus),
				    l->cpus) < 0) {
		say(l->messages, "cannot run on the CPUs of <vcpu cpuset>", errno);
		_exit(127);
	}
	if (l->memlock > 0 && raise_memlock(l->memlock) < 0 && l->locks_memory) {
		say(l->messages, "cannot raise the limit of locked memory (RLIMIT_MEMLOCK)", errno);
		_exit(127);
	}
	if (vm_procid_self(&self, &err) == 0) {
		vm_record_set_procid(&l->guest->record, VM_KEY_PID, &self);
		vm_guest_record_write(l->guest, &err);
	}
	if (err.kind != VM_OK) {
		say(l->messages, err.msg, err.sys);
		_exit(127);
	}
	/* Its descriptors may have the numbers of the mounts. */
	if (l->view != NULL && (e = vm_view_enter(l->view, &what)) != 0)
		give_up(l->messages, what, e);
	start_helpers(l, env);
	dup2(null, 0);
	dup2(l->messages, 1);
	dup2(l->messages, 2);
	umask(077);
	if (chdir("/") < 0 || vm_child_fds_place(l->fds, l->nfds) < 0) {
		say(2, "cannot prepare the process", errno);
		_exit(127);
	}
	if ((e = vm_drop_rights(l->rights, &what)) != 0)
		give_up(2, what, e);
	/* Changing the user has taken that back. */
	if (l->die_with_parent &&
	    (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent))
		_exit(127);
	execve(l->argv[0], l->argv, env);
	say(2, l->argv[0], errno);
	_exit(127);
}

static int send_pid(int control, pid_t pid, int pidfd)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "pid %d", (int)pid);

	return vm_sock_send_fd(control, text, (size_t)n, pidfd, 0);
}

static void exec_watcher(const char *path, const struct vm_watch_options *o, const int *fds)
{
	struct vm_spawn_fd to[WATCH_FDS];
	char **argv = vm_watch_format(o);
	int null = vm_self_null();
	size_t n = 0;

	/* The numbers are fixed; one that is not there (-1) stays closed. */
	for (int i = 0; i < VM_WATCH_FD_END - VM_WATCH_FD_RUN + (int)o->nfiles; i++)
		if (fds[i] >= 0)
			to[n++] = (struct vm_spawn_fd){ fds[i], VM_WATCH_FD_RUN + i };
	if (!o->foreground) {
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		if (chdir("/") < 0)
			return;
	}
	reset_signals();
	if (vm_child_fds_place(to, n) < 0)
		return;
	execv(path, argv);
}

static _Noreturn void watcher_child(const struct vm_launch *l, const char *path, int control)
{
	struct vm_watch_options o = *l->watch;
	int fds[WATCH_FDS], pidfd = -1, e;
	char text[128];

	setsid();
	if (fork_with_pidfd(l->qemu_group->into, &o.pid, &pidfd) < 0) {
		e = errno;
		goto failed;
	}
	if (o.pid == 0)
		qemu_child(l, 0);
	if ((e = vm_cgroup_enter(l->watch_group, true)) != 0)
		goto kill_qemu;
	close(l->alive);
	if (send_pid(control, o.pid, pidfd) == 0) {
		memcpy(fds, l->watch_fds, sizeof(fds));
		fds[VM_WATCH_FD_CONTROL - VM_WATCH_FD_RUN] = control;
		exec_watcher(path, &o, fds);
	}
	e = errno;
kill_qemu:
	syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
failed:
	snprintf(text, sizeof(text), "error %s", strerror(e));
	send(control, text, strlen(text), MSG_NOSIGNAL);
	_exit(127);
}

static int receive_pid(int control, struct vm_launched *ret, struct vm_err *err)
{
	char text[160] = "";
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} fds = { 0 };
	struct iovec io = { .iov_base = text, .iov_len = sizeof(text) - 1 };
	struct msghdr msg = {
		.msg_iov = &io,
		.msg_iovlen = 1,
		.msg_control = fds.bytes,
		.msg_controllen = sizeof(fds.bytes),
	};
	int pid = 0;

	/* The other end is our own child, which has nothing to wait for. */
	while (recvmsg(control, &msg, MSG_CMSG_CLOEXEC) < 0)
		if (errno != EINTR)
			return vm_err_sys(err, "start the watcher");
	if (strncmp(text, "error ", 6) == 0)
		return vm_err_set(err, VM_SYSTEM, "cannot start the watcher: %s", text + 6);
	if (sscanf(text, "pid %d", &pid) != 1 || fds.head.cmsg_len != CMSG_LEN(sizeof(int)))
		return vm_err_set(err, VM_SYSTEM, "the watcher ended at once");
	ret->qemu.pid = pid;
	memcpy(&ret->pidfd, CMSG_DATA(&fds.head), sizeof(int));
	return 0;
}

static int launch_watched(const struct vm_launch *l, struct vm_launched *ret, struct vm_err *err)
{
	VM_AUTO_FREE char *path = NULL;
	VM_AUTO_FD int ours = -1;
	VM_AUTO_FD int pidfd = -1;
	int pair[2];
	pid_t pid;

	if (vm_self_helper("vm-watch", &path, err) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return vm_err_sys(err, "socketpair");
	ours = pair[0];
	if (fork_with_pidfd(l->watch_group->into, &pid, &pidfd) < 0) {
		vm_err_sys(err, "fork");
		close(pair[1]);
		return -1;
	}
	if (pid == 0) {
		close(pair[0]);
		watcher_child(l, path, pair[1]);
	}
	close(pair[1]);
	ret->watcher.pid = pid;
	ret->control = vm_take_fd(&ours);
	if (receive_pid(ret->control, ret, err) < 0)
		return -1;
	return vm_procid_of(pid, &ret->watcher, err);
}

int vm_qemu_launch(const struct vm_launch *l, struct vm_launched *ret, struct vm_err *err)
{
	struct vm_err why = VM_ERR_INIT;
	pid_t pid, self = getpid();

	*ret = VM_LAUNCHED_INIT;
	if (l->watch != NULL) {
		if (launch_watched(l, ret, err) < 0)
			return -1;
	} else {
		if (fork_with_pidfd(l->qemu_group->into, &ret->qemu.pid, &ret->pidfd) < 0)
			return vm_err_sys(err, "fork");
		if (ret->qemu.pid == 0)
			qemu_child(l, self);
		fcntl(ret->pidfd, F_SETFD, FD_CLOEXEC);
	}
	/* Gone already: the first thing asked of it fails, and its last words say why. */
	pid = ret->qemu.pid;
	if (vm_procid_of(pid, &ret->qemu, &why) == 0)
		return 0;
	ret->qemu = (struct vm_procid){ .pid = pid };
	if (why.kind == VM_NOT_FOUND)
		return 0;
	/* It runs, and nobody could be told later which process it is. */
	*err = why;
	return -1;
}

void vm_launched_close(struct vm_launched *l)
{
	vm_cleanup_fd(&l->pidfd);
	vm_cleanup_fd(&l->control);
}

int vm_watch_become(const struct vm_watch_options *o, const int *fds, struct vm_err *err)
{
	VM_AUTO_FREE char *path = NULL;

	if (vm_self_helper("vm-watch", &path, err) < 0)
		return -1;
	exec_watcher(path, o, fds);
	return vm_err_sys(err, "become the watcher");
}
