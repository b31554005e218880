/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vm/cgroup.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <vm/cleanup.h>

static int open_members(const struct vm_cgroup *c, size_t i, enum vm_cgroup_part part,
			const char *file, int *ret, struct vm_err *err)
{
	*ret = openat(c->at[i].fd[part], file, O_WRONLY | O_CLOEXEC);
	return *ret < 0 ? vm_err_sys(err, "open group %s/%s of %s", c->path, vm_cgroup_parts[part],
				     c->host.v[i].mount)
			: 0;
}

int vm_cgroup_entry_open(const struct vm_cgroup *c, enum vm_cgroup_part part,
			 struct vm_cgroup_entry *ret, struct vm_err *err)
{
	struct vm_cgroup_entry e = VM_CGROUP_ENTRY_INIT;

	for (size_t i = 0; i < c->host.n; i++) {
		int r;

		if (!c->at[i].there)
			continue;
		if (c->host.v[i].v2) {
			r = open_members(c, i, part, "cgroup.procs", &e.into_procs, err);
			e.into = fcntl(c->at[i].fd[part], F_DUPFD_CLOEXEC, 3);
			if (r == 0 && e.into < 0)
				r = vm_err_sys(err, "open group %s", c->path);
		} else {
			r = open_members(c, i, part, "tasks", &e.tasks[e.n], err);
			e.n += r == 0;
		}
		if (r < 0) {
			vm_cgroup_entry_close(&e);
			return -1;
		}
	}
	*ret = e;
	return 0;
}

void vm_cgroup_entry_close(struct vm_cgroup_entry *e)
{
	vm_cleanup_fd(&e->into);
	vm_cleanup_fd(&e->into_procs);
	while (e->n > 0)
		vm_cleanup_fd(&e->tasks[--e->n]);
}

int vm_cgroup_enter(const struct vm_cgroup_entry *e, bool in_v2)
{
	if (!in_v2 && e->into_procs >= 0 && write(e->into_procs, "0", 1) != 1)
		return errno;
	for (size_t i = 0; i < e->n; i++)
		if (write(e->tasks[i], "0", 1) != 1)
			return errno;
	return 0;
}
