/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cgroup.h>
#include <vm/cleanup.h>
#include <vm/strbuf.h>

#include "systemd.h"

#define SYSTEM_RUN "/run"
#define SESSION_RUN "XDG_RUNTIME_DIR"

int vm_scope_slice(const char *partition, char **ret, struct vm_err *err)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	VM_AUTO_FREE char *copy = vm_xstrdup(partition);
	char *name, *rest = copy;

	if (*partition != '/')
		return vm_err_set(err, VM_BAD_INPUT, "partition '%s' is not absolute", partition);
	while ((name = strsep(&rest, "/")) != NULL) {
		VM_AUTO_FREE char *escaped = vm_systemd_escape(name);

		if (*name != 0)
			vm_strbuf_printf(&b, "%s%s", b.len > 0 ? "-" : "", escaped);
	}
	if (b.len == 0)
		vm_strbuf_puts(&b, "-"); /* the root slice */
	vm_strbuf_puts(&b, ".slice");
	*ret = vm_strbuf_take(&b);
	return 0;
}

void vm_scope_release(struct vm_scope *s)
{
	if (s->holder > 0) {
		kill(s->holder, SIGKILL);
		waitpid(s->holder, NULL, 0);
	}
	vm_cleanup_fd(&s->pidfd);
	free(s->unit);
	free(s->cgroup);
	*s = VM_SCOPE_INIT;
}

/* A scope is made around processes that exist. */
static int start_holder(struct vm_scope *s, struct vm_err *err)
{
	pid_t parent = getpid();

	s->holder = fork();
	if (s->holder < 0) {
		s->holder = 0;
		return vm_err_sys(err, "fork");
	}
	if (s->holder > 0)
		return 0;
	/* Nothing of ours stays open in it: locks, the ends of pipes. */
	close_range(0, ~0u, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	for (;;)
		poll(NULL, 0, -1);
}

/* The group of the service that we are, if systemd has left it to us. */
static int own_service(char **ret, struct vm_err *err)
{
	VM_AUTO(vm_cgroup_host_close) struct vm_cgroup_host h = VM_CGROUP_HOST_INIT;

	if (vm_cgroup_host_open(-1, &h, err) < 0)
		return -1;
	for (size_t i = 0; i < h.n; i++) {
		VM_AUTO_FD int fd = -1;
		const char *self = h.v[i].self;
		size_t len = self != NULL ? strlen(self) : 0;

		if (len < 9 || strcmp(self + len - 8, ".service") != 0)
			continue;
		fd = openat(h.v[i].fd, self + 1, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || !vm_systemd_delegated(fd))
			continue;
		*ret = vm_xstrdup(self);
		return 0;
	}
	return 0;
}

/*
 * What a run before this one had systemd told about the service (systemd keeps it until the host restarts) is not
 * this run's.
 */
static int forget_limits(struct vm_systemd *manager, const char *unit, struct vm_deadline deadline,
			 struct vm_err *err)
{
	static const struct vm_systemd_limit limits[] = { { "CPUWeight", UINT64_MAX },
							  { "CPUShares", UINT64_MAX },
							  { "CPUQuotaPerSecUSec", UINT64_MAX } };

	return vm_systemd_unit_set(manager, unit, limits, VM_COUNT(limits), deadline, err);
}

static int make_scope(const struct vm_scope_want *want, struct vm_systemd *manager,
		      struct vm_deadline deadline, struct vm_scope *s, struct vm_err *err)
{
	VM_AUTO_FREE char *slice = NULL;
	VM_AUTO_FREE char *description = vm_xasprintf("Virtual machine %s", want->name);
	VM_AUTO_FREE char *name = want->tag == NULL ? vm_xstrdup(want->name)
						    : vm_xasprintf("%s.%s", want->name, want->tag);
	struct vm_systemd_scope scope = {
		.description = description, .npids = 1, .ordered = !want->session
	};
	pid_t pid;

	if (!want->session &&
	    vm_scope_slice(want->partition != NULL ? want->partition : "/machine", &slice, err) < 0)
		return -1;
	/*
	 * A user may clone processes into a group only from one that is below the same delegated group, so that in
	 * a session this very process has to go there.
	 */
	if (!want->session && start_holder(s, err) < 0)
		return -1;
	pid = want->session ? getpid() : s->holder;
	s->unit = vm_systemd_scope_name(name);
	scope.unit = s->unit;
	scope.slice = slice;
	scope.pids = &pid;
	return vm_systemd_scope_create(manager, &scope, deadline, &s->cgroup, err);
}

/* One that cannot be talked to is as good as none: the guest then has groups that we make. */
static bool is_absent(enum vm_kind kind)
{
	return kind == VM_NOT_FOUND || kind == VM_DENIED || kind == VM_HYPERVISOR ||
	       kind == VM_TIMED_OUT;
}

/* A systemd that is silent must leave time for the start itself, which can do without. */
static struct vm_deadline its_share(struct vm_deadline d)
{
	int left = vm_deadline_poll(d);

	return left > 0 ? vm_deadline_min(d, vm_deadline_in((uint64_t)left / 2)) : d;
}

int vm_scope_make(const struct vm_scope_want *want, struct vm_deadline deadline,
		  struct vm_scope *ret, char **ret_note, struct vm_err *err)
{
	const char *run = want->session ? secure_getenv(SESSION_RUN) : SYSTEM_RUN;
	VM_AUTO(vm_systemd_closep) struct vm_systemd *manager = NULL;
	VM_AUTO(vm_scope_release) struct vm_scope s = VM_SCOPE_INIT;

	if (run == NULL || *run != '/' || !vm_systemd_present(run))
		return 0;
	deadline = its_share(deadline);
	if (want->service && own_service(&s.cgroup, err) < 0)
		return -1;
	if (vm_systemd_open(run, deadline, &manager, err) < 0) {
		if (!is_absent(err->kind))
			return -1;
		*ret_note = vm_xasprintf("no %s: %s", s.cgroup != NULL ? "limits by systemd" : "scope of its own",
					 err->msg);
		*err = VM_ERR_INIT;
	} else if (s.cgroup != NULL) {
		s.unit = vm_xstrdup(strrchr(s.cgroup, '/') + 1);
		if (forget_limits(manager, s.unit, deadline, err) < 0) {
			*ret_note = vm_xasprintf("no limits by systemd: %s", err->msg);
			*err = VM_ERR_INIT;
			vm_cleanup_free(&s.unit);
			s.unit = NULL;
		}
	} else if (make_scope(want, manager, deadline, &s, err) < 0) {
		/* An ordinary user's guest runs as well without. */
		if (!want->session || vm_wait_interrupted())
			return -1;
		*ret_note = vm_xasprintf("no scope of its own: %s", err->msg);
		*err = VM_ERR_INIT;
		vm_scope_release(&s);
	}
	*ret = s;
	s = VM_SCOPE_INIT;
	return 0;
}
