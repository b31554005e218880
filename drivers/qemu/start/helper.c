/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cgroup.h>
#include <vm/cleanup.h>
#include <vm/process.h>

#include "child_fds.h"
#include "confine/drop.h"
#include "host/self.h"

const struct vm_helper_program vm_helper_programs[VM_HELPER_PROGRAMS] = {
	[VM_HELPER_IMG] = { "qemu-img",
			    "making and checking images",
			    { "usr/bin/qemu-img", "usr/local/bin/qemu-img", NULL } },
	[VM_HELPER_SWTPM] = { "swtpm", "guests with a TPM", { "usr/bin/swtpm", "usr/local/bin/swtpm", NULL } },
	[VM_HELPER_VIRTIOFSD] = { "virtiofsd",
				  "sharing directories with guests",
				  { "usr/libexec/virtiofsd", "usr/lib/qemu/virtiofsd", "usr/lib/virtiofsd",
				    "usr/bin/virtiofsd", "usr/local/libexec/virtiofsd", NULL } },
	[VM_HELPER_PASST] = { "passt",
			      "guests' networking without privileges",
			      { "usr/bin/passt", "usr/local/bin/passt", NULL } },
};

int vm_helper_find(unsigned program, char **ret, struct vm_err *err)
{
	const struct vm_helper_program *p = &vm_helper_programs[program];

	for (size_t i = 0; p->paths[i] != NULL; i++) {
		char *path = vm_xasprintf("/%s", p->paths[i]);

		if (access(path, X_OK) == 0) {
			*ret = path;
			return 0;
		}
		free(path);
	}
	vm_err_set(err, VM_NOT_FOUND, "there is no %s, for %s", p->name, p->use);
	return vm_err_hint(err, "install %s", p->name);
}

void vm_helper_free(struct vm_helper *h)
{
	for (size_t i = 0; h->argv != NULL && h->argv[i] != NULL; i++)
		free(h->argv[i]);
	free(h->argv);
	free(h->name);
	free(h->dir);
	vm_cleanup_fd(&h->socket);
	vm_cleanup_fd(&h->out);
	vm_cleanup_fd(&h->ready);
	vm_cleanup_fd(&h->ns);
	*h = VM_HELPER_INIT;
}

static _Noreturn void give_up(const struct vm_helper *h, int fd, const char *what, int e)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "%s: cannot start %s: %s: %s\n", h->name, h->argv[0], what,
			 strerror(e));

	if (n > 0 && write(fd, text, (size_t)n) < 0)
		_exit(126);
	_exit(127);
}

/* Changing the user takes it back. */
static void die_with(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(127);
}

/* Root of a namespace in which nobody else is: rights over its own mounts and files, on the host none. */
static int enter_namespace(int ns, const char **ret_what)
{
	*ret_what = "enter its user namespace";
	if ((geteuid() == 0 && setgroups(0, NULL) < 0) || setns(ns, CLONE_NEWUSER) < 0 ||
	    setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return errno;
	return 0;
}

static _Noreturn void child(const struct vm_helper *h, const struct vm_helper_launch *l, pid_t parent)
{
	const struct vm_spawn_fd its[] = { { h->socket, VM_HELPER_SOCKET }, { h->ready, VM_HELPER_READY } };
	struct vm_drop rights = *l->rights;
	const char *what = "";
	int null = vm_self_null(), e;

	die_with(parent);
	setsid();
	if ((e = vm_cgroup_enter(l->group, false)) != 0)
		give_up(h, l->messages, "enter the control group", e);
	dup2(null, 0);
	dup2(h->out >= 0 ? h->out : l->messages, 1);
	dup2(1, 2);
	umask(077);
	if (chdir(h->dir != NULL ? h->dir : "/") < 0)
		give_up(h, 2, h->dir, errno);
	/* Its limit of descriptors is raised while that may be done. */
	if (h->ns >= 0) {
		rights.change_user = false;
		rights.keep_capabilities = true;
		if ((e = enter_namespace(h->ns, &what)) != 0)
			give_up(h, 2, what, e);
	}
	if (vm_child_fds_place(its, h->ready >= 0 ? 2 : 1) < 0)
		give_up(h, 2, "give it its socket", errno);
	if ((e = vm_drop_rights(&rights, &what)) != 0)
		give_up(h, 2, what, e);
	die_with(parent);
	execve(h->argv[0], h->argv, l->env);
	give_up(h, 2, "exec", errno);
}

int vm_helper_fork(const struct vm_helper *h, const struct vm_helper_launch *l, pid_t *ret_pid)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0)
		child(h, l, parent);
	if (pid < 0)
		return errno;
	*ret_pid = pid;
	return 0;
}
