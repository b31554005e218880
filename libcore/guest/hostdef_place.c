/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which host devices are defined and marked, without their documents.  Needs libc alone. */
#include "hostdef.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>

#include "state/internal.h"

#define PLACE "hostdev"

/* Beside the guests' definitions; made when the first is written. */
static int place_open(struct vm_hostdefs *h, bool make, struct vm_err *err)
{
	VM_AUTO_FD int top = h->state.etc < 0 ? -1 : openat(h->state.etc, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t base = strlen(h->state.etc_path) - strlen(h->state.driver);

	h->places.driver = PLACE;
	h->places.etc_path = vm_xasprintf("%.*s" PLACE, (int)base, h->state.etc_path);
	if (top < 0)
		return make ? vm_err_sys(err, "open %s", h->places.etc_path) : 0;
	if (make) {
		if (vm_own_dir_make(&h->state, top, PLACE, &h->places.etc) < 0)
			return vm_err_sys(err, "make %s", h->places.etc_path);
		return 0;
	}
	h->places.etc = openat(top, PLACE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (h->places.etc < 0 && errno != ENOENT)
		return vm_err_sys(err, "open %s", h->places.etc_path);
	return 0;
}

int vm_hostdefs_open(const char *connect, enum vm_state_access access, struct vm_hostdefs *ret, struct vm_err *err)
{
	VM_AUTO(vm_hostdefs_close) struct vm_hostdefs h = VM_HOSTDEFS_INIT;

	if (vm_state_open(connect, access, &h.state, err) < 0 || vm_sys_open(NULL, &h.sys, err) < 0 ||
	    place_open(&h, access == VM_STATE_CHANGE, err) < 0)
		return -1;
	*ret = h;
	h = VM_HOSTDEFS_INIT;
	return 0;
}

void vm_hostdefs_close(struct vm_hostdefs *h)
{
	vm_cleanup_fd(&h->places.etc);
	vm_cleanup_free(&h->places.etc_path);
	vm_state_close(&h->state);
	vm_sys_close(&h->sys);
}

bool vm_hostdef_is_defined(const struct vm_hostdefs *h, const char *key)
{
	return vm_definition_exists(&h->places, key);
}

bool vm_hostdef_is_marked(const struct vm_hostdefs *h, const char *key)
{
	return vm_autostart_get(&h->places, key) > 0;
}

struct keys {
	char **v;
	size_t n;
};

static void keys_free(struct keys *k)
{
	for (size_t i = 0; i < k->n; i++)
		free(k->v[i]);
	free(k->v);
}

static int add_key(const char *name, void *arg)
{
	struct keys *k = arg;

	k->v = vm_xreallocarray(k->v, k->n + 1, sizeof(*k->v));
	k->v[k->n++] = vm_xstrdup(name);
	return 0;
}

/* A virtual function has to be there before something is made on it. */
static int rank(const char *key)
{
	return strncmp(key, "vfs:", 4) == 0 ? 0 : 1;
}

static int compare(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;

	return rank(x) != rank(y) ? rank(x) - rank(y) : strcmp(x, y);
}

static int each_key(const struct keys *k, int (*fn)(const char *key, void *arg), void *arg)
{
	int r = 0;

	if (k->n > 1)
		qsort(k->v, k->n, sizeof(*k->v), compare);
	for (size_t i = 0; i < k->n && r == 0; i++)
		r = fn(k->v[i], arg);
	return r;
}

int vm_hostdef_marked(const struct vm_hostdefs *h, int (*fn)(const char *key, void *arg), void *arg,
		      struct vm_err *err)
{
	VM_AUTO(keys_free) struct keys k = { 0 };

	if (h->places.etc >= 0 && vm_autostart_each(&h->places, add_key, &k, err) < 0)
		return -1;
	return each_key(&k, fn, arg);
}

static int collect(int dirfd, const char *file, void *arg)
{
	char key[VM_NAME_MAX + 1];

	(void)dirfd;
	return vm_definition_stem(file, key) ? add_key(key, arg) : 0;
}

int vm_hostdef_defined(const struct vm_hostdefs *h, int (*fn)(const char *key, void *arg), void *arg,
		       struct vm_err *err)
{
	VM_AUTO(keys_free) struct keys k = { 0 };

	if (h->places.etc >= 0 && vm_dir_each(h->places.etc, collect, &k, err) < 0)
		return -1;
	return each_key(&k, fn, arg);
}
