/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/strbuf.h>

#include "host/mounts.h"

#define NAMES_MAX 256u

const char *const vm_cgroup_controllers[] = {
	"cpu",	   "cpuacct",	 "cpuset", "memory",  "devices", "freezer", "blkio",
	"net_cls", "perf_event", "pids",   "hugetlb", NULL,
};
_Static_assert(VM_COUNT(vm_cgroup_controllers) == VM_CGROUP_CONTROLLERS + 1, "names");

/* v2's name of a controller where it is another one. */
static int controller_of(const char *word, size_t len)
{
	if (len == 2 && memcmp(word, "io", 2) == 0)
		return VM_CGROUP_IO;
	for (int i = 0; i < VM_CGROUP_CONTROLLERS; i++)
		if (strlen(vm_cgroup_controllers[i]) == len &&
		    memcmp(vm_cgroup_controllers[i], word, len) == 0)
			return i;
	return -1;
}

unsigned vm_cgroup_bits(const char *text, const char *separators)
{
	unsigned bits = 0;

	while (*text != 0) {
		size_t len = strcspn(text, separators);
		int c = controller_of(text, len);

		if (c >= 0)
			bits |= 1u << c;
		text += len;
		text += *text != 0;
	}
	return bits;
}

void vm_cgroup_hier_free(struct vm_cgroup_hier *hier)
{
	free(hier->name);
	free(hier->mount);
	free(hier->root);
	free(hier->self);
	vm_cleanup_fd(&hier->fd);
	*hier = (struct vm_cgroup_hier){ .fd = -1 };
}

/* The option "name=..." of a v1 hierarchy without controllers, or NULL.  Owned. */
static char *named(const char *options)
{
	while (*options != 0) {
		size_t len = strcspn(options, ",");

		if (len > 5 && memcmp(options, "name=", 5) == 0)
			return vm_xstrndup(options, len);
		options += len;
		options += *options == ',';
	}
	return NULL;
}

static char *hier_name(const struct vm_cgroup_hier *hier, const char *name)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	bool first = true;

	if (hier->v2)
		return vm_xstrdup("v2");
	vm_strbuf_puts(&b, "v1:");
	for (unsigned i = 0; i < VM_CGROUP_CONTROLLERS; i++) {
		if ((hier->controllers & 1u << i) == 0)
			continue;
		vm_strbuf_printf(&b, "%s%s", first ? "" : ",", vm_cgroup_controllers[i]);
		first = false;
	}
	if (first)
		vm_strbuf_puts(&b, name);
	return vm_strbuf_take(&b);
}

/* Keeps the mount unless one that shows more of the same hierarchy is known. */
static int keep(struct vm_cgroup_host *h, struct vm_cgroup_hier *hier, struct vm_err *err)
{
	size_t i;

	for (i = 0; i < h->n && strcmp(h->v[i].name, hier->name) != 0; i++)
		;
	if (i == VM_CGROUP_HIERS_MAX) {
		vm_cgroup_hier_free(hier);
		return vm_err_set(err, VM_BAD_INPUT, "more than %u cgroup hierarchies",
				  VM_CGROUP_HIERS_MAX);
	}
	if (i < h->n && strcmp(h->v[i].root, "/") == 0 && strcmp(hier->root, "/") != 0) {
		vm_cgroup_hier_free(hier);
		return 0;
	}
	if (i == h->n)
		h->n++;
	else
		vm_cgroup_hier_free(&h->v[i]);
	h->v[i] = *hier;
	return 0;
}

static bool is_cgroup(const struct vm_mount *m, bool *ret_v2)
{
	*ret_v2 = m->type != NULL && strcmp(m->type, "cgroup2") == 0;
	return *ret_v2 || (m->type != NULL && strcmp(m->type, "cgroup") == 0);
}

static int add_mount(const struct vm_mount *m, bool v2, struct vm_cgroup_host *h, struct vm_err *err)
{
	struct vm_cgroup_hier hier = { .fd = -1, .v2 = v2 };
	VM_AUTO_FREE char *name = NULL;

	if (!v2) {
		hier.controllers = vm_cgroup_bits(m->super, ",");
		name = named(m->super);
		if (hier.controllers == 0 && name == NULL)
			return 0; /* a controller that no guest needs */
	}
	hier.name = hier_name(&hier, name);
	hier.mount = vm_xstrdup(m->point);
	hier.root = vm_xstrdup(m->root);
	return keep(h, &hier, err);
}

int vm_cgroup_parse_mounts(char *text, struct vm_cgroup_host *h, struct vm_err *err)
{
	VM_AUTO(vm_mounts_end) struct vm_mounts mounts;
	struct vm_mount m;
	bool v2;
	int r;

	vm_mounts_begin(text, &mounts);
	while ((r = vm_mounts_next(&mounts, &m)) != 0) {
		/* nothing hangs on what other file systems say of themselves */
		if (!is_cgroup(&m, &v2))
			continue;
		if (r < 0 || m.root[0] != '/')
			r = vm_err_set(err, VM_BAD_INPUT, "a malformed cgroup mount");
		else
			r = add_mount(&m, v2, h, err);
		if (r < 0)
			return vm_err_wrap(err, "mountinfo:%u", mounts.line);
	}
	return 0;
}

static void names_free(char ***names)
{
	for (size_t i = 0; *names != NULL && (*names)[i] != NULL; i++)
		free((*names)[i]);
	free(*names);
}

int vm_cgroup_parse_names(const char *text, char ***ret, struct vm_err *err)
{
	VM_AUTO(names_free) char **names = vm_xcalloc(NAMES_MAX + 1, sizeof(*names));
	size_t n = 0;

	while (*text != 0) {
		size_t line = strcspn(text, "\n"), start = strspn(text, " \t");
		size_t len = strcspn(text + start, " \t\r\n");

		if (*text != '#' && start < line && len > 0) {
			if (n == NAMES_MAX)
				return vm_err_set(err, VM_BAD_INPUT, "more than %u controllers",
						  NAMES_MAX);
			names[n++] = vm_xstrndup(text + start, len);
		}
		text += line;
		text += *text == '\n';
	}
	*ret = names;
	names = NULL;
	return 0;
}

/* Is a line's list of controllers that of the hierarchy? */
static bool is_of(const struct vm_cgroup_hier *hier, const char *list)
{
	if (hier->v2)
		return *list == 0;
	if (hier->controllers != 0)
		return (vm_cgroup_bits(list, ",") & hier->controllers) != 0;
	return strcmp(list, hier->name + 3) == 0;
}

int vm_cgroup_parse_pid(const char *text, const struct vm_cgroup_hier *hier, char **ret,
			struct vm_err *err)
{
	VM_AUTO_FREE char *copy = vm_xstrdup(text);
	VM_AUTO_FREE char *found = NULL;
	char *line, *rest = copy;

	while ((line = strsep(&rest, "\n")) != NULL) {
		char *id = strsep(&line, ":"), *list = strsep(&line, ":"), *path = line;

		if (*id == 0 && list == NULL)
			continue;
		if (*id == 0 || id[strspn(id, "0123456789")] != 0 || path == NULL || *path != '/')
			return vm_err_set(err, VM_BAD_INPUT, "a malformed line in the list of cgroups "
							     "of a process");
		if (found == NULL && is_of(hier, list) && (hier->v2 == (strcmp(id, "0") == 0 && *list == 0)))
			found = vm_xstrdup(path);
	}
	*ret = vm_take_ptr(&found);
	return 0;
}

/* Has it a component ".."?  The kernel tells so of groups above the root of a cgroup namespace. */
static bool leads_up(const char *path)
{
	for (; *path != 0; path += strcspn(path, "/")) {
		path += strspn(path, "/");
		if (strncmp(path, "..", 2) == 0 && (path[2] == '/' || path[2] == 0))
			return true;
	}
	return false;
}

char *vm_cgroup_seen(const char *root, const char *path)
{
	size_t len = strlen(root);

	if (leads_up(path) || leads_up(root))
		return NULL;
	if (strcmp(root, "/") == 0)
		return vm_xstrdup(path);
	if (strncmp(path, root, len) != 0 || (path[len] != 0 && path[len] != '/'))
		return NULL;
	return vm_xstrdup(path[len] == 0 ? "/" : path + len);
}
