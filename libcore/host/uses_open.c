/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who has a node of a device open. */
#include "uses.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/process.h>

#define WALK_DEPTH  12
#define NODES_MAX   4096u
#define ENTRIES_MAX 65536u

struct walk {
	struct vm_dev_node *v;
	size_t n, entries;
};

/* The node's name stands in the uevent, or its directory's does. */
static void node_name(int dir, const char *name, char buf[64])
{
	char text[1024], *at;
	int n = vm_sys_bytes(dir, "uevent", text, sizeof(text) - 1, NULL);

	text[n > 0 ? n : 0] = 0;
	at = strstr(text, "DEVNAME=");
	if (at != NULL) {
		at += 8;
		at[strcspn(at, "\n")] = 0;
		name = at;
	}
	snprintf(buf, 64, "%s", name);
}

static void add_node(struct walk *w, int dir, const char *name)
{
	char text[32], link[32];
	unsigned maj, min;

	if (w->n >= NODES_MAX || !vm_sys_text(dir, "dev", text, sizeof(text), NULL) ||
	    sscanf(text, "%u:%u", &maj, &min) != 2)
		return;
	if (w->n % 32 == 0)
		w->v = vm_xreallocarray(w->v, w->n + 32, sizeof(*w->v));
	w->v[w->n] = (struct vm_dev_node){
	    .block = vm_sys_link(dir, "subsystem", link, sizeof(link), NULL) &&
		     strcmp(link, "block") == 0,
	    .dev = makedev(maj, min),
	};
	node_name(dir, name, w->v[w->n++].name);
}

/* Functions of a device behind a bridge are devices of their own. */
static void walk(struct walk *w, int dir, const char *name, int depth)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *e;

	if (d == NULL) {
		vm_cleanup_fd(&copy);
		return;
	}
	add_node(w, dir, name);
	while ((e = readdir(d)) != NULL && w->entries++ < ENTRIES_MAX) {
		VM_AUTO_FD int below = -1;

		if (e->d_name[0] == '.' || (e->d_type != DT_DIR && e->d_type != DT_UNKNOWN) ||
		    depth >= WALK_DEPTH || strcmp(e->d_name, "power") == 0 ||
		    strcmp(e->d_name, "msi_irqs") == 0)
			continue;
		below = openat(dir, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below >= 0)
			walk(w, below, e->d_name, depth + 1);
	}
	closedir(d);
}

size_t vm_nodes_below(int dir, struct vm_dev_node **ret)
{
	struct walk w = {0};

	walk(&w, dir, "?", 0);
	*ret = w.v;
	return w.n;
}

/* Nodes of some drivers share a number: then it is by its last name that one is told from the
 * other. */
static bool is_named(int dir, const char *fd, const struct vm_dev_node *node)
{
	static const char gone[] = " (deleted)";
	const char *want = strrchr(node->name, '/'), *last;
	char path[512];
	ssize_t n = node->name[0] == 0 ? 0 : readlinkat(dir, fd, path, sizeof(path) - 1);
	size_t len;

	if (n <= 0)
		return n == 0;
	path[n] = 0;
	last = strrchr(path, '/');
	last = last != NULL ? last + 1 : path;
	len = strlen(last);
	if (len > sizeof(gone) - 1 && strcmp(last + len - (sizeof(gone) - 1), gone) == 0)
		len -= sizeof(gone) - 1;
	want = want != NULL ? want + 1 : node->name;
	return strlen(want) == len && strncmp(want, last, len) == 0;
}

static const struct vm_dev_node *match(const struct vm_dev_node *nodes, size_t n,
				       const struct statx *st)
{
	for (size_t i = 0; i < n; i++)
		if (makedev(st->stx_rdev_major, st->stx_rdev_minor) == nodes[i].dev &&
		    (nodes[i].block ? S_ISBLK(st->stx_mode) : S_ISCHR(st->stx_mode)))
			return &nodes[i];
	return NULL;
}

/* 1 = *ret is one of the nodes. */
static int look_in(int dir, bool named, const struct vm_dev_node *nodes, size_t n,
		   const struct vm_dev_node **ret)
{
	VM_AUTO(vm_sys_names_free) struct vm_sys_names fds = {0};
	struct statx st;

	if (vm_sys_names(dir, &fds, NULL) < 0)
		return -1;
	for (size_t i = 0; i < fds.n; i++)
		/* a file on a server that does not answer must not hold us up */
		if (statx(dir, fds.v[i], AT_STATX_DONT_SYNC, STATX_TYPE, &st) == 0)
			for (size_t k = 0; k < n && (*ret = match(nodes + k, n - k, &st)) != NULL;
			     k = (size_t)(*ret - nodes) + 1)
				if (!named || is_named(dir, fds.v[i], *ret))
					return 1;
	return 0;
}

int vm_opens(pid_t pid, const struct vm_dev_node *nodes, size_t n)
{
	const struct vm_dev_node *node;
	char path[48];
	VM_AUTO_FD int dir = -1;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -1 : look_in(dir, true, nodes, n, &node);
}

static void look_at(int proc, const char *pid, const struct vm_dev_node *nodes, size_t n,
		    struct vm_openers *ret)
{
	VM_AUTO_FREE char *path = vm_xasprintf("%s/fd", pid);
	VM_AUTO_FD int dir = vm_sys_dir_at(proc, path);
	const struct vm_dev_node *node;
	struct vm_opener *o;

	if (dir < 0 || look_in(dir, false, nodes, n, &node) <= 0)
		return;
	ret->v = vm_xreallocarray(ret->v, ret->n + 1, sizeof(*ret->v));
	o = &ret->v[ret->n++];
	*o = (struct vm_opener){.pid = (pid_t)atol(pid)};
	vm_proc_comm(o->pid, o->comm, sizeof(o->comm));
	snprintf(o->node, sizeof(o->node), "/dev/%.58s", node->name);
}

void vm_openers_read(const struct vm_sys *s, const struct vm_dev_node *nodes, size_t n,
		     struct vm_deadline deadline, struct vm_openers *ret)
{
	VM_AUTO(vm_sys_names_free) struct vm_sys_names pids = {0};
	VM_AUTO_FD int proc = vm_sys_dir(s, "proc");

	*ret = (struct vm_openers){0};
	/* numbers of a recorded machine's devices are others' here */
	if (proc < 0 || n == 0 || s->recorded)
		return;
	vm_sys_names(proc, &pids, NULL);
	for (size_t i = 0; i < pids.n && !vm_deadline_passed(deadline); i++)
		if (isdigit((unsigned char)pids.v[i][0]))
			look_at(proc, pids.v[i], nodes, n, ret);
}

void vm_openers_free(struct vm_openers *o)
{
	free(o->v);
	*o = (struct vm_openers){0};
}
