/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>

#include "host/mounts.h"

#define SMALL_MAX (1u << 20) /* bytes of /proc/cgroups, /proc/PID/cgroup and cgroup.controllers */

static int real_root(int *ret, struct vm_err *err)
{
	*ret = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return *ret < 0 ? vm_err_sys(err, "open /") : 0;
}

/* Is it what it was mounted as, not something mounted over it?  1, 0 or -1 with errno. */
static int is_cgroupfs(int fd, bool v2)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return -1;
	return fs.f_type == (v2 ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC);
}

static int open_mount(int root, struct vm_cgroup_hier *hier)
{
	const char *path = hier->mount + strspn(hier->mount, "/");

	return openat(root, *path != 0 ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* /proc/self is a link, and recorded hosts may have some too. */
static int read_at(int root, const char *path, size_t cap, char **ret, struct vm_err *err)
{
	VM_AUTO_FD int fd = openat(root, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return vm_err_sys(err, "read /%s", path);
	return vm_fd_read(fd, path, cap, ret, NULL, err);
}

static int read_controllers(struct vm_cgroup_hier *hier, struct vm_err *err)
{
	VM_AUTO_FREE char *text = NULL;

	if (!hier->v2)
		return 0;
	if (vm_file_read(hier->fd, "cgroup.controllers", SMALL_MAX, &text, NULL, NULL, err) < 0)
		return err->kind == VM_NOT_FOUND ? 0 : vm_err_wrap(err, "%s", hier->mount);
	hier->controllers = vm_cgroup_bits(text, " \n");
	return 0;
}

static int read_self(int root, struct vm_cgroup_host *h, struct vm_err *err)
{
	VM_AUTO_FREE char *text = NULL;

	if (read_at(root, "proc/self/cgroup", SMALL_MAX, &text, err) < 0)
		return -1;
	for (size_t i = 0; i < h->n; i++) {
		VM_AUTO_FREE char *path = NULL;

		if (vm_cgroup_parse_pid(text, &h->v[i], &path, err) < 0)
			return vm_err_wrap(err, "/proc/self/cgroup");
		if (path != NULL)
			h->v[i].self = vm_cgroup_seen(h->v[i].root, path);
	}
	return 0;
}

/* A kernel without v1 has no such table, and nothing to be escaped. */
static int read_names(int root, struct vm_cgroup_host *h, struct vm_err *err)
{
	VM_AUTO_FREE char *text = NULL;

	if (read_at(root, "proc/cgroups", SMALL_MAX, &text, err) < 0) {
		if (err->kind != VM_NOT_FOUND)
			return -1;
		*err = VM_ERR_INIT;
	}
	return vm_cgroup_parse_names(text != NULL ? text : "", &h->names, err);
}

/* only: the name of the one hierarchy that is looked at, or NULL. */
static int look(int root, bool recorded, const char *only, struct vm_cgroup_host *h,
		struct vm_err *err)
{
	char *text = NULL;
	size_t n = 0;

	if (read_at(root, "proc/self/mountinfo", VM_MOUNTS_MAX, &text, err) < 0 ||
	    vm_cgroup_parse_mounts(text, h, err) < 0)
		return -1;
	for (size_t i = 0; i < h->n; i++) {
		struct vm_cgroup_hier *hier = &h->v[i];
		int real;

		if (only == NULL || strcmp(hier->name, only) == 0) {
			hier->fd = open_mount(root, hier);
			/* Among all, those out of sight do not count; the one asked for does. */
			if (hier->fd < 0 && !vm_cgroup_absent(errno) &&
			    (only != NULL || (errno != EACCES && errno != EPERM)))
				return vm_err_sys(err, "open %s", hier->mount);
		}
		real = hier->fd < 0 ? 0 : recorded ? 1 : is_cgroupfs(hier->fd, hier->v2);
		if (real < 0)
			return vm_err_sys(err, "look at %s", hier->mount);
		if (real == 0) {
			vm_cgroup_hier_free(hier);
			continue;
		}
		if (n != i) {
			h->v[n] = *hier;
			*hier = (struct vm_cgroup_hier){ .fd = -1 };
		}
		n++;
	}
	h->n = n;
	for (size_t i = 0; i < h->n; i++)
		if (read_controllers(&h->v[i], err) < 0)
			return -1;
	if (only == NULL && read_names(root, h, err) < 0)
		return -1;
	return h->n > 0 ? read_self(root, h, err) : 0;
}

static int open_host(int root, const char *only, struct vm_cgroup_host *ret, struct vm_err *err)
{
	VM_AUTO(vm_cgroup_host_close) struct vm_cgroup_host h = VM_CGROUP_HOST_INIT;
	VM_AUTO_FD int own = -1;

	if (root < 0 && real_root(&own, err) < 0)
		return -1;
	if (look(root < 0 ? own : root, root >= 0, only, &h, err) < 0)
		return vm_err_wrap(err, "look at the control groups");
	*ret = h;
	h = VM_CGROUP_HOST_INIT;
	return 0;
}

int vm_cgroup_host_open(int root, struct vm_cgroup_host *ret, struct vm_err *err)
{
	return open_host(root, NULL, ret, err);
}

int vm_cgroup_host_open_one(const char *name, struct vm_cgroup_host *ret, struct vm_err *err)
{
	return open_host(-1, name, ret, err);
}

void vm_cgroup_host_close(struct vm_cgroup_host *h)
{
	for (size_t i = 0; i < h->n; i++)
		vm_cgroup_hier_free(&h->v[i]);
	for (size_t i = 0; h->names != NULL && h->names[i] != NULL; i++)
		free(h->names[i]);
	free(h->names);
	*h = VM_CGROUP_HOST_INIT;
}

const struct vm_cgroup_hier *vm_cgroup_host_v2(const struct vm_cgroup_host *h)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->v[i].v2)
			return &h->v[i];
	return NULL;
}

const struct vm_cgroup_hier *vm_cgroup_host_find(const struct vm_cgroup_host *h,
						 enum vm_cgroup_controller c)
{
	const struct vm_cgroup_hier *v2 = vm_cgroup_host_v2(h);

	if (v2 != NULL && (v2->controllers & 1u << c) != 0)
		return v2;
	for (size_t i = 0; i < h->n; i++)
		if (!h->v[i].v2 && (h->v[i].controllers & 1u << c) != 0)
			return &h->v[i];
	/* Source: cgroup-v2.rst: cpu.stat and cgroup.freeze are there without a controller. */
	return c == VM_CGROUP_CPUACCT || c == VM_CGROUP_FREEZER ? v2 : NULL;
}

const char *vm_cgroup_host_kind(const struct vm_cgroup_host *h)
{
	bool v1 = false;

	for (size_t i = 0; i < h->n; i++)
		v1 |= !h->v[i].v2 && h->v[i].controllers != 0;
	if (vm_cgroup_host_v2(h) != NULL)
		return v1 ? "hybrid" : "v2";
	return v1 ? "v1" : "none";
}

int vm_cgroup_of_pid(const struct vm_cgroup_hier *hier, pid_t pid, char **ret, struct vm_err *err)
{
	VM_AUTO_FREE char *text = NULL;
	VM_AUTO_FREE char *path = NULL;
	char file[48];

	snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid);
	if (vm_file_read(AT_FDCWD, file, SMALL_MAX, &text, NULL, NULL, err) < 0)
		return -1;
	if (vm_cgroup_parse_pid(text, hier, &path, err) < 0)
		return vm_err_wrap(err, "%s", file);
	*ret = path != NULL ? vm_cgroup_seen(hier->root, path) : NULL;
	return 0;
}
