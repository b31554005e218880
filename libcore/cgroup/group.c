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

struct vm_cgroup vm_cgroup_none(void)
{
	struct vm_cgroup c = { .path = NULL };

	memset(c.at, 0xff, sizeof(c.at)); /* no descriptors */
	for (size_t i = 0; i < VM_CGROUP_HIERS_MAX; i++) {
		c.at[i].there = false;
		c.at[i].id = 0;
	}
	return c;
}

void vm_cgroup_close(struct vm_cgroup *c)
{
	for (size_t i = 0; i < VM_CGROUP_HIERS_MAX; i++)
		for (int p = 0; p < VM_CGROUP_PARTS; p++)
			vm_cleanup_fd(&c->at[i].fd[p]);
	vm_cgroup_host_close(&c->host);
	free(c->path);
	free(c->note);
	free(c->unseen);
	*c = VM_CGROUP_INIT;
}

static void add_note(struct vm_cgroup *c, const char *text)
{
	char *old = c->note;

	c->note = old == NULL ? vm_xstrdup(text) : vm_xasprintf("%s; %s", old, text);
	free(old);
}

/* Does a guest need a group there?  Without v2 systemd knows processes by a hierarchy of its own. */
static bool matters(const struct vm_cgroup_hier *hier, bool adopt)
{
	return hier->v2 || (hier->controllers & VM_CGROUP_OURS) != 0 ||
	       (adopt && strcmp(hier->name, "v1:name=systemd") == 0);
}

static bool not_ours_to_do(int e)
{
	return e == EACCES || e == EPERM || e == EROFS;
}

static int make_dir(const struct vm_cgroup_hier *hier, int parent, const char *name, int *ret,
		    struct vm_err *err)
{
	VM_AUTO_FD int fd = -1;

	if (mkdirat(parent, name, GROUP_MODE) < 0)
		return vm_err_sys(err, "make the group %s in %s", name, hier->mount);
	fd = vm_cgroup_open_dir(parent, name);
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

static int no_partition(const struct vm_cgroup_hier *hier, const char *partition,
			struct vm_err *err)
{
	vm_err_sys(err, "partition %s in %s", partition, hier->mount);
	return vm_err_hint(err, "only /machine is made by itself; make this one in every hierarchy (mkdir %s%s "
				"...) or change <resource><partition>",
			   hier->mount, partition);
}

/* A group on the way to the guest's, made if that may be.  1 = this user may not. */
static int open_step(const struct vm_cgroup_hier *hier, int at, const char *name, bool make,
		     int *ret, struct vm_err *err)
{
	struct vm_err failed = VM_ERR_INIT;

	*ret = vm_cgroup_open_dir(at, name);
	if (*ret >= 0 || errno != ENOENT || !make)
		return *ret < 0 && not_ours_to_do(errno) ? 1 : 0;
	if (make_dir(hier, at, name, ret, &failed) == 0)
		return 0;
	if (failed.sys == EEXIST) { /* by a start beside us */
		*ret = vm_cgroup_open_dir(at, name);
		return 0;
	}
	*err = failed;
	return not_ours_to_do(failed.sys) ? 1 : -1;
}

/*
 * The directory above the guest's.  Of a partition /machine alone is made.  adopt: these groups are systemd's and left
 * alone; what it has not made on a v1 hierarchy is made.  1 = this user may not.
 */
static int open_parent(struct vm_cgroup *c, const struct vm_cgroup_hier *hier, const char *path,
		       bool adopt, int *ret, struct vm_err *err)
{
	VM_AUTO_FREE char *copy = vm_xstrdup(path);
	VM_AUTO_FD int at = vm_cgroup_open_path(hier, "/");
	char *name, *rest = copy;
	bool first = true;

	if (at < 0)
		return vm_err_sys(err, "open %s", hier->mount);
	while ((name = strsep(&rest, "/")) != NULL) {
		int next, r;

		if (*name == 0)
			continue;
		if (!adopt && enable(c, hier, at, err) < 0)
			return -1;
		r = open_step(hier, at, name,
			      adopt ? !hier->v2 : first && strcmp(name, "machine") == 0, &next, err);
		if (r != 0)
			return r;
		if (next < 0)
			return no_partition(hier, path, err);
		close(at);
		at = next;
		first = false;
	}
	if (!adopt && enable(c, hier, at, err) < 0)
		return -1;
	*ret = vm_take_fd(&at);
	return 0;
}

uint64_t vm_cgroup_group_id(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

bool vm_cgroup_held(const struct vm_cgroup *c, size_t i, char *buf, size_t size)
{
	if (i >= c->host.n || !c->at[i].there)
		return false;
	snprintf(buf, size, "%s %s%" PRIu64 " %s", c->host.v[i].name,
		 c->at[i].adopted ? "@" : "", c->at[i].id, c->path);
	return true;
}

/* One of qemu/, helpers/ and watch/; in a group that was given to us an earlier guest's may be left. */
static int make_part(const struct vm_cgroup_hier *hier, struct vm_cgroup_at *at, enum vm_cgroup_part p,
		     struct vm_err *err)
{
	const char *name = vm_cgroup_parts[p];
	int main = at->fd[VM_CGROUP_MAIN];
	int r;

	if (make_dir(hier, main, name, &at->fd[p], err) == 0)
		return 0;
	if (!at->adopted || err->sys != EEXIST)
		return -1;
	*err = VM_ERR_INIT;
	at->fd[p] = vm_cgroup_open_dir(main, name);
	if (at->fd[p] < 0)
		return vm_err_sys(err, "open the group %s in %s", name, hier->mount);
	r = p == VM_CGROUP_WATCH ? 0 : vm_cgroup_ops(hier)->populated(at->fd[p], err);
	if (r > 0)
		return vm_err_set(err, VM_IN_USE, "processes run in the group %s in %s already", name,
				  hier->mount);
	return r;
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

int vm_cgroup_move_all(int from, int to, struct vm_err *err)
{
	VM_AUTO_FD int procs = openat(to, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	struct vm_err failed = VM_ERR_INIT;

	if (procs < 0)
		return vm_err_sys(err, "open cgroup.procs");
	if (vm_cgroup_each_pid(from, move_pid, &procs, &failed) < 0) {
		if (failed.kind == VM_OK)
			return vm_err_sys(err, "move processes");
		*err = failed;
		return -1;
	}
	return 0;
}

static int make_parts(struct vm_cgroup *c, size_t i, struct vm_err *err)
{
	const struct vm_cgroup_hier *hier = &c->host.v[i];
	struct vm_cgroup_at *at = &c->at[i];

	for (int p = VM_CGROUP_QEMU; p < VM_CGROUP_PARTS; p++)
		if (make_part(hier, at, (enum vm_cgroup_part)p, err) < 0)
			return -1;
	/* v2 gives no controllers to the parts while processes are beside them: those who brought the group. */
	if (at->adopted && hier->v2 &&
	    vm_cgroup_move_all(at->fd[VM_CGROUP_MAIN], at->fd[VM_CGROUP_WATCH], err) < 0)
		return vm_err_wrap(err, "%s%s", hier->mount, c->path);
	return enable(c, hier, at->fd[VM_CGROUP_MAIN], err);
}

static int push(struct vm_cgroup *c, size_t i, struct vm_undo *undo, struct vm_err *err)
{
	char held[4096];

	if (vm_cgroup_held(c, i, held, sizeof(held)) && undo != NULL &&
	    vm_undo_push(undo, VM_CGROUP_VERB, "%s", held) < 0)
		return vm_err_sys(err, "write the journal");
	return 0;
}

static int already_there(const struct vm_cgroup *c, const struct vm_cgroup_hier *hier, struct vm_err *err)
{
	vm_err_set(err, VM_IN_USE, "the group %s in %s exists already and is not this guest's", c->path,
		   hier->mount);
	return vm_err_hint(err, "if nobody needs it: rmdir %s%s", hier->mount, c->path);
}

/* The guest's own group, or with `adopt` the one that is there.  1 = this user may make none here. */
static int make_one(struct vm_cgroup *c, size_t i, bool adopt, struct vm_undo *undo,
		    struct vm_err *err)
{
	const struct vm_cgroup_hier *hier = &c->host.v[i];
	const char *name = strrchr(c->path, '/') + 1;
	VM_AUTO_FREE char *above = vm_xstrndup(c->path, (size_t)(name - c->path));
	struct vm_cgroup_at *at = &c->at[i];
	int *main = &at->fd[VM_CGROUP_MAIN];
	VM_AUTO_FD int parent = -1;
	int r;

	r = open_parent(c, hier, above, adopt, &parent, err);
	if (r != 0)
		return r;
	*main = vm_cgroup_open_dir(parent, name);
	if (*main < 0 && errno != ENOENT)
		return vm_err_sys(err, "open the group %s in %s", c->path, hier->mount);
	if (*main >= 0 && !adopt)
		return already_there(c, hier, err);
	if (*main < 0 && adopt && hier->v2)
		return vm_err_sys(err, "the group %s in %s", c->path, hier->mount);
	at->adopted = *main >= 0;
	if (!at->adopted) {
		if (undo != NULL && vm_undo_push(undo, VM_CGROUP_VERB, "%s 0 %s", hier->name, c->path) < 0)
			return vm_err_sys(err, "write the journal");
		if (make_dir(hier, parent, name, main, err) < 0)
			return not_ours_to_do(err->sys) ? 1 : -1;
	}
	at->id = vm_cgroup_group_id(*main);
	if (at->id == 0)
		return vm_err_sys(err, "look at the group %s in %s", name, hier->mount);
	at->there = true;
	return push(c, i, undo, err) < 0 ? -1 : make_parts(c, i, err);
}

static int choose_path(struct vm_cgroup *c, const struct vm_cgroup_want *want, struct vm_err *err)
{
	const char *partition = want->partition != NULL ? want->partition : "/machine";
	VM_AUTO_FREE char *path = NULL;
	VM_AUTO_FREE char *dir = NULL;

	if (want->base != NULL) {
		if (want->base[0] != '/' || want->base[1] == 0)
			return vm_err_set(err, VM_BAD_INPUT, "'%s' is no group that a guest may have",
					  want->base);
		c->path = vm_xstrdup(want->base);
		return 0;
	}
	if (vm_cgroup_partition_path(&c->host, partition, &path, err) < 0)
		return -1;
	dir = vm_cgroup_guest_dir(&c->host, want->name, want->driver, want->tag);
	c->path = vm_xasprintf("%s/%s", strcmp(path, "/") == 0 ? "" : path, dir);
	return 0;
}

static void note_left_out(struct vm_cgroup *c, const char *names)
{
	VM_AUTO_FREE char *text = vm_xasprintf("no right to make a control group (%s)", names);

	add_note(c, text);
}

int vm_cgroup_make(const struct vm_cgroup_want *want, struct vm_undo *undo, struct vm_cgroup *ret,
		   struct vm_err *err)
{
	VM_AUTO(vm_cgroup_close) struct vm_cgroup c = VM_CGROUP_INIT;
	VM_AUTO(vm_strbuf_free) struct vm_strbuf left_out = VM_STRBUF_INIT;
	bool any = false;

	if (vm_cgroup_host_open(-1, &c.host, err) < 0 || choose_path(&c, want, err) < 0)
		return -1;
	for (size_t i = 0; i < c.host.n; i++) {
		const struct vm_cgroup_hier *hier = &c.host.v[i];
		int r = matters(hier, want->base != NULL) ? make_one(&c, i, want->base != NULL, undo, err) : 0;

		if (r < 0)
			return -1;
		if (r > 0) {
			vm_strbuf_printf(&left_out, "%s%s", left_out.len > 0 ? " " : "", hier->name);
			*err = VM_ERR_INIT;
		}
		any |= c.at[i].there;
	}
	if (left_out.len > 0)
		note_left_out(&c, left_out.text);
	if (!any) {
		free(c.path);
		c.path = NULL;
		if (c.note == NULL)
			add_note(&c, "no control groups are mounted");
	}
	*ret = c;
	c = VM_CGROUP_INIT;
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
int vm_cgroup_parse_held(const char *text, struct vm_cgroup_held *ret, struct vm_err *err)
{
	size_t len = strcspn(text, " ");
	const char *at = text + len;
	char *end = NULL;

	ret->adopted = at[0] == ' ' && at[1] == '@';
	at += ret->adopted ? 2 : *at == ' ';
	if (len > 0 && len < sizeof(ret->hier) && *at >= '0' && *at <= '9') {
		memcpy(ret->hier, text, len);
		ret->hier[len] = 0;
		ret->id = strtoull(at, &end, 10);
		ret->path = end + 1;
	}
	/* Nothing but what we have written: a path that leads elsewhere is never removed. */
	if (end == NULL || end[0] != ' ' || end[1] != '/' || end[2] == 0 || strstr(end, "/../") != NULL ||
	    strcmp(end + strlen(end) - 3, "/..") == 0 || strchr(end, '\n') != NULL)
		return vm_err_set(err, VM_BAD_INPUT, "'%.200s' names no control group", text);
	return 0;
}

size_t vm_cgroup_find_hier(const struct vm_cgroup_host *h, const char *name)
{
	size_t i;

	for (i = 0; i < h->n && strcmp(h->v[i].name, name) != 0; i++)
		;
	return i;
}

static int cannot_see(struct vm_cgroup *c, const struct vm_cgroup_held *held)
{
	if (c->unseen == NULL)
		c->unseen = vm_xstrdup(held->hier);
	return 0;
}

static int open_held(struct vm_cgroup *c, const struct vm_cgroup_held *held, struct vm_err *err)
{
	size_t i = vm_cgroup_find_hier(&c->host, held->hier);
	uint64_t id = 0;
	int *fd;

	if (held->id == 0)
		return 0;
	if (i == c->host.n)
		return cannot_see(c, held);
	if (c->path != NULL && strcmp(c->path, held->path) != 0)
		return vm_err_set(err, VM_BAD_INPUT, "the record names groups %s and %s", c->path, held->path);
	if (c->path == NULL)
		c->path = vm_xstrdup(held->path);
	fd = c->at[i].fd;
	fd[VM_CGROUP_MAIN] = vm_cgroup_open_path(&c->host.v[i], held->path);
	if (fd[VM_CGROUP_MAIN] >= 0)
		id = vm_cgroup_group_id(fd[VM_CGROUP_MAIN]);
	if (id == 0 && (errno == EACCES || errno == EPERM)) {
		vm_cleanup_fd(&fd[VM_CGROUP_MAIN]);
		return cannot_see(c, held);
	}
	if (id == 0 && !vm_cgroup_absent(errno))
		return vm_err_sys(err, "open the group %s in %s", held->path, c->host.v[i].mount);
	if (id != held->id) {
		VM_AUTO_FREE char *text = vm_xasprintf("its group %s in %s is gone", held->path,
						       c->host.v[i].mount);

		vm_cleanup_fd(&fd[VM_CGROUP_MAIN]);
		add_note(c, text);
		return 0;
	}
	for (int p = VM_CGROUP_QEMU; p < VM_CGROUP_PARTS; p++) {
		fd[p] = vm_cgroup_open_dir(fd[VM_CGROUP_MAIN], vm_cgroup_parts[p]);
		if (fd[p] < 0 && !vm_cgroup_absent(errno))
			return vm_err_sys(err, "open %s of the group %s in %s", vm_cgroup_parts[p], held->path,
					  c->host.v[i].mount);
	}
	c->at[i].id = held->id;
	c->at[i].adopted = held->adopted;
	c->at[i].there = true;
	return 0;
}

int vm_cgroup_open(const char *const *held, size_t n, struct vm_cgroup *ret, struct vm_err *err)
{
	VM_AUTO(vm_cgroup_close) struct vm_cgroup c = VM_CGROUP_INIT;

	if (n > 0 && vm_cgroup_host_open(-1, &c.host, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct vm_cgroup_held one;

		if (vm_cgroup_parse_held(held[i], &one, err) < 0 || open_held(&c, &one, err) < 0)
			return -1;
	}
	*ret = c;
	c = VM_CGROUP_INIT;
	return 0;
}
