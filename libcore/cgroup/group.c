/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest's group: made at its start, found again by what its record holds. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/strbuf.h>
#include <vm/undo.h>

#define GROUP_MODE 0755

const char *const vm_cgroup_parts[] = { ".", "qemu", "helpers", "watch", NULL };
_Static_assert(VM_COUNT(vm_cgroup_parts) == VM_CGROUP_PARTS + 1, "parts");

const struct vm_cgroup vm_cgroup_init = {
	.at = { [0 ... VM_CGROUP_HIERS_MAX - 1] = { .fd = { -1, -1, -1, -1 } } },
};

void vm_cgroup_close(struct vm_cgroup *c)
{
	for (size_t i = 0; i < VM_CGROUP_HIERS_MAX; i++)
		for (int p = 0; p < VM_CGROUP_PARTS; p++)
			vm_cleanup_fd(&c->at[i].fd[p]);
	vm_cgroup_host_close(&c->host);
	free(c->path);
	free(c->note);
	*c = vm_cgroup_init;
}

static void add_note(struct vm_cgroup *c, const char *text)
{
	char *old = c->note;

	c->note = old == NULL ? vm_xstrdup(text) : vm_xasprintf("%s; %s", old, text);
	free(old);
}

/* Does a guest need a group there? */
static bool matters(const struct vm_cgroup_hier *hier)
{
	return hier->v2 || (hier->controllers & VM_CGROUP_OURS) != 0;
}

static bool not_ours_to_do(int e)
{
	return e == EACCES || e == EPERM || e == EROFS;
}

static int open_dir(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Opens a path below the mount point, link by link: there are none in a cgroup filesystem. */
static int open_path(const struct vm_cgroup_hier *hier, const char *path)
{
	const char *below = path + strspn(path, "/");

	return openat(hier->fd, *below != 0 ? below : ".",
		      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int make_dir(const struct vm_cgroup_hier *hier, int parent, const char *name, int *ret,
		    struct vm_err *err)
{
	VM_AUTO_FD int fd = -1;

	if (mkdirat(parent, name, GROUP_MODE) < 0)
		return vm_err_sys(err, "make the group %s in %s", name, hier->mount);
	fd = open_dir(parent, name);
	if (fd < 0)
		return vm_err_sys(err, "open the group %s in %s", name, hier->mount);
	if (vm_cgroup_ops(hier)->settle(hier, parent, fd, err) < 0)
		return vm_err_wrap(err, "set up the group %s in %s", name, hier->mount);
	*ret = vm_take_fd(&fd);
	return 0;
}

static int enable(struct vm_cgroup *c, const struct vm_cgroup_hier *hier, int dir, struct vm_err *err)
{
	VM_AUTO_FREE char *note = NULL;

	if (vm_cgroup_ops(hier)->enable(hier, dir, &note, err) < 0)
		return vm_err_wrap(err, "%s", hier->mount);
	/* What a parent refuses is not there to be refused further down. */
	if (note != NULL)
		add_note(c, note);
	return 0;
}

/* The partition's directory; /machine alone is made.  1 = this user may not. */
static int open_partition(struct vm_cgroup *c, const struct vm_cgroup_hier *hier,
			  const char *partition, int *ret, struct vm_err *err)
{
	VM_AUTO_FREE char *copy = vm_xstrdup(partition);
	VM_AUTO_FD int at = open_path(hier, "/");
	char *name, *rest = copy;
	bool first = true;

	if (at < 0)
		return vm_err_sys(err, "open %s", hier->mount);
	while ((name = strsep(&rest, "/")) != NULL) {
		int next;

		if (*name == 0)
			continue;
		if (faccessat(at, "cgroup.procs", W_OK, AT_EACCESS) < 0 && not_ours_to_do(errno))
			return 1;
		if (enable(c, hier, at, err) < 0)
			return -1;
		next = open_dir(at, name);
		if (next < 0 && errno == ENOENT && first && strcmp(name, "machine") == 0 &&
		    make_dir(hier, at, name, &next, err) < 0 && err->sys != EEXIST)
			return not_ours_to_do(err->sys) ? 1 : -1;
		if (next < 0 && err->sys == EEXIST) /* made by a start beside us */
			next = open_dir(at, name);
		if (next < 0) {
			vm_err_sys(err, "partition %s in %s", partition, hier->mount);
			return vm_err_hint(err, "only /machine is made by itself; make this one in every hierarchy "
						"(mkdir %s%s ...) or change <resource><partition>",
					   hier->mount, partition);
		}
		close(at);
		at = next;
		first = false;
	}
	if (enable(c, hier, at, err) < 0)
		return -1;
	*ret = vm_take_fd(&at);
	return 0;
}

static uint64_t group_id(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

bool vm_cgroup_held(const struct vm_cgroup *c, size_t i, char *buf, size_t size)
{
	if (i >= c->host.n || !c->at[i].there)
		return false;
	snprintf(buf, size, "%s %" PRIu64 " %s", c->host.v[i].name, c->at[i].id, c->path);
	return true;
}

/* qemu/, helpers/ and watch/ of a main group that is there. */
static int make_parts(struct vm_cgroup *c, size_t i, struct vm_err *err)
{
	const struct vm_cgroup_hier *hier = &c->host.v[i];
	int *fd = c->at[i].fd;

	if (enable(c, hier, fd[VM_CGROUP_MAIN], err) < 0)
		return -1;
	for (int p = VM_CGROUP_QEMU; p < VM_CGROUP_PARTS; p++)
		if (make_dir(hier, fd[VM_CGROUP_MAIN], vm_cgroup_parts[p], &fd[p], err) < 0)
			return -1;
	return 0;
}

/* 1 = this user may make none here. */
static int make_one(struct vm_cgroup *c, size_t i, const char *partition, struct vm_undo *undo,
		    struct vm_err *err)
{
	const struct vm_cgroup_hier *hier = &c->host.v[i];
	const char *name = strrchr(c->path, '/') + 1;
	VM_AUTO_FD int parent = -1;
	struct stat st;
	char held[4096];
	int r = open_partition(c, hier, partition, &parent, err);

	if (r != 0)
		return r;
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		vm_err_set(err, VM_IN_USE, "the group %s in %s exists already and is not this guest's",
			   c->path, hier->mount);
		return vm_err_hint(err, "if nobody needs it: rmdir %s%s", hier->mount, c->path);
	}
	if (undo != NULL && vm_undo_push(undo, VM_CGROUP_VERB, "%s 0 %s", hier->name, c->path) < 0)
		return vm_err_sys(err, "write the journal");
	if (make_dir(hier, parent, name, &c->at[i].fd[VM_CGROUP_MAIN], err) < 0)
		return not_ours_to_do(err->sys) ? 1 : -1;
	c->at[i].id = group_id(c->at[i].fd[VM_CGROUP_MAIN]);
	c->at[i].there = true;
	vm_cgroup_held(c, i, held, sizeof(held));
	if (undo != NULL && vm_undo_push(undo, VM_CGROUP_VERB, "%s", held) < 0)
		return vm_err_sys(err, "write the journal");
	return make_parts(c, i, err);
}

int vm_cgroup_make(const struct vm_cgroup_want *want, struct vm_undo *undo, struct vm_cgroup *ret,
		   struct vm_err *err)
{
	VM_AUTO(vm_cgroup_close) struct vm_cgroup c = vm_cgroup_init;
	VM_AUTO_FREE char *partition = NULL;
	VM_AUTO_FREE char *dir = NULL;
	bool any = false;

	if (vm_cgroup_host_open(-1, &c.host, err) < 0 ||
	    vm_cgroup_partition_path(&c.host, want->partition != NULL ? want->partition : "/machine",
				     &partition, err) < 0)
		return -1;
	dir = vm_cgroup_guest_dir(&c.host, want->name, want->driver, want->tag);
	c.path = vm_xasprintf("%s/%s", strcmp(partition, "/") == 0 ? "" : partition, dir);
	for (size_t i = 0; i < c.host.n; i++) {
		int r = matters(&c.host.v[i]) ? make_one(&c, i, partition, undo, err) : 0;

		if (r < 0)
			return -1;
		if (r > 0) {
			VM_AUTO_FREE char *text = vm_xasprintf("no group may be made in %s",
							       c.host.v[i].mount);

			*err = VM_ERR_INIT;
			add_note(&c, text);
		}
		any |= c.at[i].there;
	}
	if (!any) {
		free(c.path);
		c.path = NULL;
		if (c.note == NULL)
			add_note(&c, "no control groups are mounted");
	}
	*ret = c;
	c = vm_cgroup_init;
	return 0;
}

int vm_cgroup_index(const struct vm_cgroup *c, enum vm_cgroup_controller controller)
{
	const struct vm_cgroup_hier *hier = vm_cgroup_host_find(&c->host, controller);
	size_t i = hier != NULL ? (size_t)(hier - c->host.v) : VM_CGROUP_HIERS_MAX;

	return i < c->host.n && c->at[i].there ? (int)i : -1;
}

bool vm_cgroup_is_v2(const struct vm_cgroup *c, enum vm_cgroup_controller controller)
{
	int i = vm_cgroup_index(c, controller);

	return i >= 0 && c->host.v[i].v2;
}

int vm_cgroup_dir(const struct vm_cgroup *c, enum vm_cgroup_controller controller,
		  enum vm_cgroup_part part)
{
	int i = vm_cgroup_index(c, controller);

	return i >= 0 ? c->at[i].fd[part] : -1;
}

char *vm_cgroup_dir_path(const struct vm_cgroup *c, size_t hier, enum vm_cgroup_part part)
{
	const char *mount = c->host.v[hier].mount;

	return vm_xasprintf("%s%s%s%s", strcmp(mount, "/") == 0 ? "" : mount, c->path,
			    part == VM_CGROUP_MAIN ? "" : "/", part == VM_CGROUP_MAIN ? "" : vm_cgroup_parts[part]);
}

/* ---- found again ---- */
struct held {
	char hier[256];
	uint64_t id;
	const char *path;
};

static int parse_held(const char *text, struct held *ret, struct vm_err *err)
{
	size_t len = strcspn(text, " ");
	char *end = NULL;

	if (len > 0 && len < sizeof(ret->hier) && text[len] == ' ' && text[len + 1] >= '0' &&
	    text[len + 1] <= '9') {
		memcpy(ret->hier, text, len);
		ret->hier[len] = 0;
		ret->id = strtoull(text + len + 1, &end, 10);
		ret->path = end + 1;
	}
	/* Nothing but what we have written: a path that leads elsewhere is never removed. */
	if (end == NULL || end[0] != ' ' || end[1] != '/' || strstr(end, "/../") != NULL ||
	    strchr(end, '\n') != NULL)
		return vm_err_set(err, VM_BAD_INPUT, "'%.200s' names no control group", text);
	return 0;
}

static size_t find_hier(const struct vm_cgroup_host *h, const char *name)
{
	size_t i;

	for (i = 0; i < h->n && strcmp(h->v[i].name, name) != 0; i++)
		;
	return i;
}

static int open_held(struct vm_cgroup *c, const struct held *held, struct vm_err *err)
{
	size_t i = find_hier(&c->host, held->hier);
	int *fd;

	if (i == c->host.n || held->id == 0)
		return 0;
	if (c->path != NULL && strcmp(c->path, held->path) != 0)
		return vm_err_set(err, VM_BAD_INPUT, "the record names groups %s and %s", c->path, held->path);
	if (c->path == NULL)
		c->path = vm_xstrdup(held->path);
	fd = c->at[i].fd;
	fd[VM_CGROUP_MAIN] = open_path(&c->host.v[i], held->path);
	if (fd[VM_CGROUP_MAIN] < 0 || group_id(fd[VM_CGROUP_MAIN]) != held->id) {
		VM_AUTO_FREE char *text = vm_xasprintf("its group %s in %s is gone", held->path,
						       c->host.v[i].mount);

		vm_cleanup_fd(&fd[VM_CGROUP_MAIN]);
		add_note(c, text);
		return 0;
	}
	for (int p = VM_CGROUP_QEMU; p < VM_CGROUP_PARTS; p++)
		fd[p] = open_dir(fd[VM_CGROUP_MAIN], vm_cgroup_parts[p]);
	c->at[i].id = held->id;
	c->at[i].there = true;
	return 0;
}

int vm_cgroup_open(const char *const *held, size_t n, struct vm_cgroup *ret, struct vm_err *err)
{
	VM_AUTO(vm_cgroup_close) struct vm_cgroup c = vm_cgroup_init;

	if (n > 0 && vm_cgroup_host_open(-1, &c.host, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct held one;

		if (parse_held(held[i], &one, err) < 0 || open_held(&c, &one, err) < 0)
			return -1;
	}
	*ret = c;
	c = vm_cgroup_init;
	return 0;
}

/* ---- the end ---- */
static int populated_but_watch(int parent, int child, const char *name, void *arg,
			       struct vm_err *err)
{
	const struct vm_cgroup_hier *hier = arg;

	(void)parent;
	if (strcmp(name, vm_cgroup_parts[VM_CGROUP_WATCH]) == 0)
		return 0;
	return vm_cgroup_ops(hier)->populated(child, err);
}

int vm_cgroup_populated(const struct vm_cgroup *c, struct vm_err *err)
{
	for (size_t i = 0; i < c->host.n; i++) {
		int r = !c->at[i].there ? 0
					: vm_cgroup_each_child(c->at[i].fd[VM_CGROUP_MAIN],
							       populated_but_watch,
							       (void *)(uintptr_t)&c->host.v[i], err);

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

	return vm_cgroup_each_child(main, kill_but_watch, &k, err);
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

static int move_pid(pid_t pid, void *arg)
{
	const int *procs = arg;
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", (int)pid);

	if (pid > 0 && write(*procs, text, (size_t)n) < 0 && errno != ESRCH)
		return -1;
	return 0;
}

/*
 * The watcher outlives its guest: it goes to where this process is, or (it is this process) to the group of
 * all that are nowhere else.
 */
static int empty_watch(const struct vm_cgroup_hier *hier, int main, const char *path,
		       struct vm_err *err)
{
	VM_AUTO_FD int watch = open_dir(main, vm_cgroup_parts[VM_CGROUP_WATCH]);
	VM_AUTO_FD int to = -1;
	VM_AUTO_FD int procs = -1;
	int r;

	if (watch < 0)
		return 0;
	r = vm_cgroup_ops(hier)->populated(watch, err);
	if (r <= 0)
		return r;
	to = open_path(hier, hier->self != NULL && !is_in(hier->self, path) ? hier->self : "/");
	if (to >= 0)
		procs = openat(to, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	if (procs < 0)
		return vm_err_sys(err, "move the watcher out of %s%s", hier->mount, path);
	r = vm_cgroup_each_pid(watch, move_pid, &procs, err);
	if (r < 0 && err->kind == VM_OK)
		return vm_err_sys(err, "move the watcher out of %s%s", hier->mount, path);
	return r;
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

int vm_cgroup_undo(const char *arg, struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO(vm_cgroup_host_close) struct vm_cgroup_host h = VM_CGROUP_HOST_INIT;
	VM_AUTO_FREE char *above = NULL;
	VM_AUTO_FD int parent = -1;
	VM_AUTO_FD int main = -1;
	struct removal r = { .deadline = deadline };
	struct held held;
	size_t i;

	if (parse_held(arg, &held, err) < 0 || vm_cgroup_host_open(-1, &h, err) < 0)
		return -1;
	i = find_hier(&h, held.hier);
	if (i == h.n)
		return 0; /* not mounted any more: nothing to be reached */
	main = open_path(&h.v[i], held.path);
	if (main < 0 && (errno == ENOENT || errno == ENODEV))
		return 0;
	if (main < 0)
		return vm_err_sys(err, "open the group %s", held.path);
	if (held.id != 0 && group_id(main) != held.id)
		return 0;
	r.hier = &h.v[i];
	if (held.id != 0 && (kill_one(r.hier, main, deadline, err) < 0 ||
			     empty_watch(r.hier, main, held.path, err) < 0))
		return vm_err_wrap(err, "%s%s", r.hier->mount, held.path);
	above = vm_xstrndup(held.path, (size_t)(strrchr(held.path, '/') - held.path));
	parent = open_path(r.hier, above);
	if (parent < 0)
		return vm_err_sys(err, "open the group above %s", held.path);
	if (held.id == 0)
		r.deadline = vm_deadline_in(1);
	if (remove_dir(parent, main, strrchr(held.path, '/') + 1, &r, err) < 0) {
		/* Without an id it is ours only as long as nobody is in it. */
		if (held.id != 0 || err->kind != VM_TIMED_OUT)
			return vm_err_wrap(err, "%s%s", r.hier->mount, held.path);
		*err = VM_ERR_INIT;
	}
	return 0;
}
