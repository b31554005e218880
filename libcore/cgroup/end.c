/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The end of a guest's group: what is in it is killed, and it is removed. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

static int populated_but_watch(int parent, int child, const char *name, void *arg,
			       struct vm_err *err)
{
	const struct vm_cgroup_hier *hier = arg;

	(void)parent;
	if (strcmp(name, vm_cgroup_parts[VM_CGROUP_WATCH]) == 0)
		return 0;
	return vm_cgroup_ops(hier)->populated(child, err);
}

static int stop_at_first(pid_t pid, void *arg)
{
	(void)pid;
	(void)arg;
	return 1;
}

int vm_cgroup_populated(const struct vm_cgroup *c, struct vm_err *err)
{
	for (size_t i = 0; i < c->host.n; i++) {
		int main = c->at[i].fd[VM_CGROUP_MAIN], r;

		if (!c->at[i].there)
			continue;
		r = vm_cgroup_each_child(main, populated_but_watch, (void *)(uintptr_t)&c->host.v[i], err);
		if (r == 0)
			r = vm_cgroup_each_pid(main, stop_at_first, NULL, err);
		if (r != 0)
			return r;
	}
	return 0;
}

struct kill {
	const struct vm_cgroup_hier *hier;
	struct vm_deadline deadline;
};

static int kill_but_watch(int parent, int child, const char *name, void *arg, struct vm_err *err)
{
	const struct kill *k = arg;

	(void)parent;
	if (strcmp(name, vm_cgroup_parts[VM_CGROUP_WATCH]) == 0)
		return 0;
	return vm_cgroup_ops(k->hier)->kill(child, k->deadline, err);
}

static int kill_one(const struct vm_cgroup_hier *hier, int main, struct vm_deadline deadline,
		    struct vm_err *err)
{
	struct kill k = { hier, deadline };

	if (vm_cgroup_each_child(main, kill_but_watch, &k, err) < 0)
		return -1;
	/* Whoever was moved out of the parts, but not out of the guest. */
	return vm_cgroup_kill_pids(main, false, deadline, err);
}

int vm_cgroup_kill(const struct vm_cgroup *c, struct vm_deadline deadline, struct vm_err *err)
{
	/* v2 first where there is one: its kill is one write. */
	for (int v2 = 1; v2 >= 0; v2--)
		for (size_t i = 0; i < c->host.n; i++)
			if (c->at[i].there && c->host.v[i].v2 == v2 &&
			    kill_one(&c->host.v[i], c->at[i].fd[VM_CGROUP_MAIN], deadline, err) < 0)
				return vm_err_wrap(err, "kill what is in %s", c->path);
	return 0;
}

/* Is what `path` names the group or below it? */
static bool is_in(const char *path, const char *group)
{
	size_t len = strlen(group);

	return strncmp(path, group, len) == 0 && (path[len] == 0 || path[len] == '/');
}

/*
 * The watcher outlives its guest: it goes to where this process is, or (it is this process) to the group of
 * all that are nowhere else.
 */
static int empty_watch(const struct vm_cgroup_hier *hier, int main, const char *path,
		       struct vm_err *err)
{
	VM_AUTO_FD int watch = vm_cgroup_open_dir(main, vm_cgroup_parts[VM_CGROUP_WATCH]);
	VM_AUTO_FD int to = -1;
	int r;

	/* Passed over, it would be waited for in vain. */
	if (watch < 0)
		return vm_cgroup_absent(errno) ? 0 : vm_err_sys(err, "open the watcher's group");
	r = vm_cgroup_ops(hier)->populated(watch, err);
	if (r <= 0)
		return r;
	to = vm_cgroup_open_path(hier, hier->self != NULL && !is_in(hier->self, path) ? hier->self : "/");
	if (to < 0)
		vm_err_sys(err, "open the group to move it to");
	if (to < 0 || vm_cgroup_move_all(watch, to, err) < 0)
		return vm_err_wrap(err, "move the watcher out of %s%s", hier->mount, path);
	return 0;
}

struct removal {
	const struct vm_cgroup_hier *hier;
	struct vm_deadline deadline;
};

static int remove_dir(int parent, int dir, const char *name, void *arg, struct vm_err *err)
{
	const struct removal *r = arg;

	if (vm_cgroup_each_child(dir, remove_dir, arg, err) < 0)
		return -1;
	while (unlinkat(parent, name, AT_REMOVEDIR) < 0) {
		if (errno == ENOENT)
			return 0;
		if (errno != EBUSY)
			return vm_err_sys(err, "remove the group %s", name);
		if (vm_cgroup_ops(r->hier)->wait_empty(dir, r->deadline, err) < 0)
			return vm_err_wrap(err, "remove the group %s", name);
		if (vm_deadline_passed(r->deadline))
			return vm_err_set(err, VM_TIMED_OUT, "the group %s stays busy", name);
		/* Empty, yet the last process is not all gone. */
		usleep(1000);
	}
	return 0;
}

static int remove_part(int main, int p, struct removal *r, struct vm_err *err)
{
	VM_AUTO_FD int part = vm_cgroup_open_dir(main, vm_cgroup_parts[p]);
	int populated = 0;

	if (part < 0 && vm_cgroup_absent(errno))
		return 0;
	if (part < 0)
		return vm_err_sys(err, "open the group %s", vm_cgroup_parts[p]);
	if (p == VM_CGROUP_WATCH)
		populated = vm_cgroup_ops(r->hier)->populated(part, err);
	if (populated < 0 ||
	    (populated == 0 && remove_dir(main, part, vm_cgroup_parts[p], r, err) < 0))
		return -1;
	return 0;
}

/* In a group that was given to us: qemu/ and helpers/ go, and watch/ if nobody is in it. */
static int remove_parts(int main, struct removal *r, struct vm_err *err)
{
	for (int p = VM_CGROUP_QEMU; p < VM_CGROUP_PARTS; p++)
		if (remove_part(main, p, r, err) < 0)
			return -1;
	return 0;
}

static int remove_main(const char *path, int main, struct removal *r, struct vm_err *err)
{
	const char *name = strrchr(path, '/') + 1;
	VM_AUTO_FREE char *above = vm_xstrndup(path, (size_t)(name - path));
	VM_AUTO_FD int parent = vm_cgroup_open_path(r->hier, above);

	if (parent < 0)
		return vm_err_sys(err, "open the group above");
	return remove_dir(parent, main, name, r, err);
}

static int end_group(const struct vm_cgroup_held *held, int main, struct removal *r, struct vm_err *err)
{
	struct vm_deadline at_once = vm_deadline_in(1);

	if (held->id != 0 && kill_one(r->hier, main, r->deadline, err) < 0)
		return -1;
	if (held->adopted)
		return remove_parts(main, r, err);
	if (held->id != 0)
		return empty_watch(r->hier, main, held->path, err) < 0
			       ? -1
			       : remove_main(held->path, main, r, err);
	/* Without an id it is ours only as long as nobody is in it. */
	r->deadline = at_once;
	if (remove_main(held->path, main, r, err) < 0) {
		if (err->kind != VM_TIMED_OUT)
			return -1;
		*err = VM_ERR_INIT;
	}
	return 0;
}

int vm_cgroup_undo(const char *arg, struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO(vm_cgroup_host_close) struct vm_cgroup_host h = VM_CGROUP_HOST_INIT;
	VM_AUTO_FD int main = -1;
	struct removal r = { .deadline = deadline };
	struct vm_cgroup_held held;
	uint64_t id;
	size_t i;

	if (vm_cgroup_parse_held(arg, &held, err) < 0 ||
	    vm_cgroup_host_open_one(held.hier, &h, err) < 0)
		return -1;
	i = vm_cgroup_find_hier(&h, held.hier);
	if (i == h.n)
		return 0; /* not mounted any more: nothing to be reached */
	r.hier = &h.v[i];
	main = vm_cgroup_open_path(r.hier, held.path);
	if (main < 0)
		return errno == ENOENT || errno == ENODEV ? 0
							  : vm_err_sys(err, "open the group %s%s",
								       r.hier->mount, held.path);
	id = vm_cgroup_group_id(main);
	if (id == 0)
		return vm_err_sys(err, "look at the group %s%s", r.hier->mount, held.path);
	if (held.id != 0 && id != held.id)
		return 0;
	if (end_group(&held, main, &r, err) < 0)
		return vm_err_wrap(err, "%s%s", r.hier->mount, held.path);
	return 0;
}
