/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The names of the guests that run, for those who need nothing else of them. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>

#include "state/internal.h"

struct active {
	char **names;
	size_t n, cap;
};

static int look(int dirfd, const char *name, void *arg)
{
	VM_AUTO(vm_run_facts_free) struct vm_run_facts f = VM_RUN_FACTS_INIT;
	struct active *a = arg;
	VM_AUTO_FD int run = -1;

	if (*name == '.' || !vm_name_valid(name))
		return 0;
	run = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (run < 0)
		return 0;
	vm_run_facts_read(run, false, &f);
	/* Being started or given back by somebody: no guest yet, or none any more. */
	if (f.alive == VM_ALIVE_NO || f.busy)
		return 0;
	if (a->n + 1 >= a->cap) {
		a->cap = a->cap > 0 ? a->cap * 2 : 16;
		a->names = vm_xreallocarray(a->names, a->cap, sizeof(*a->names));
	}
	a->names[a->n++] = vm_xstrdup(name);
	a->names[a->n] = NULL;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int vm_active_names(const struct vm_state *s, char ***ret, size_t *ret_n, struct vm_err *err)
{
	struct active a = { .names = vm_xcalloc(1, sizeof(*a.names)) };

	if (s->run >= 0 && vm_dir_each(s->run, look, &a, err) < 0) {
		while (a.n > 0)
			free(a.names[--a.n]);
		free(a.names);
		return vm_err_wrap(err, "%s", s->run_path);
	}
	qsort(a.names, a.n, sizeof(*a.names), by_name);
	*ret = a.names;
	*ret_n = a.n;
	return 0;
}
