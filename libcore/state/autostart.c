/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/file.h>

#define AUTOSTART      "autostart"
#define ORDER_NAME_MAX (sizeof(AUTOSTART) + VM_FILE_NAME_MAX + 8)

static void order_name(const char *name, char ret[ORDER_NAME_MAX])
{
	snprintf(ret, ORDER_NAME_MAX, AUTOSTART "/%.200s.order", name);
}

int vm_autostart_get(const struct vm_state *s, const char *name)
{
	char link[sizeof(AUTOSTART) + VM_FILE_NAME_MAX] = AUTOSTART "/";
	struct stat st;

	vm_definition_name(name, link + sizeof(AUTOSTART));
	return s->etc >= 0 && fstatat(s->etc, link, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISLNK(st.st_mode);
}

int vm_autostart_set(const struct vm_state *s, const char *name, bool on, struct vm_err *err)
{
	char target[VM_FILE_NAME_MAX + 8] = "../";
	char order[ORDER_NAME_MAX];
	const char *file = target + 3;
	int was = 0;
	VM_AUTO_FD int dir = -1;

	vm_definition_name(name, target + 3);
	if (!on) {
		dir = vm_etc_sub_open(s, AUTOSTART);
		if (dir < 0 && errno == ENOENT)
			return 1;
		if (dir < 0)
			return vm_err_sys(err, "open %s/%s", s->etc_path, AUTOSTART);
		order_name(name, order);
		if (unlinkat(dir, file, 0) < 0) {
			if (errno != ENOENT)
				return vm_err_sys(err, "remove %s/%s", AUTOSTART, file);
			was = 1;
		}
		if (unlinkat(s->etc, order, 0) < 0 && errno != ENOENT)
			return vm_err_sys(err, "remove %s", order);
		if (was)
			return 1;
	} else {
		if (vm_own_dir_make(s, s->etc, AUTOSTART, &dir) < 0)
			return vm_err_sys(err, "make %s/%s", s->etc_path, AUTOSTART);
		if (symlinkat(target, dir, file) < 0) {
			if (errno == EEXIST)
				return 1;
			return vm_err_sys(err, "make %s/%s", AUTOSTART, file);
		}
	}
	return vm_dir_sync(dir) < 0 ? vm_err_sys(err, "sync %s/%s", s->etc_path, AUTOSTART) : 0;
}

int vm_autostart_order_read(const struct vm_state *s, const char *name, struct vm_record *ret,
			    struct vm_err *err)
{
	char order[ORDER_NAME_MAX];

	*ret = VM_RECORD_INIT;
	order_name(name, order);
	if (s->etc < 0 || vm_record_read(ret, s->etc, order, VM_RECORD_AUTOSTART,
					 VM_RECORD_AUTOSTART_VERSION, err) == 0)
		return 0;
	return err->kind == VM_NOT_FOUND ? 0 : vm_err_wrap(err, "%s", s->etc_path);
}

int vm_autostart_order_write(const struct vm_state *s, const char *name, const struct vm_record *r,
			     struct vm_err *err)
{
	char order[ORDER_NAME_MAX];
	VM_AUTO_FD int dir = -1;

	order_name(name, order);
	if (vm_own_dir_make(s, s->etc, AUTOSTART, &dir) < 0)
		return vm_err_sys(err, "make %s/%s", s->etc_path, AUTOSTART);
	if (!r->n)
		return vm_file_remove(s->etc, order, err);
	return vm_record_write(r, s->etc, order, VM_RECORD_AUTOSTART, VM_RECORD_AUTOSTART_VERSION,
			       err);
}

struct each {
	const struct vm_state *s;
	int (*fn)(const char *name, void *arg);
	void *arg;
};

static int one(int dirfd, const char *file, void *arg)
{
	struct each *e = arg;
	char name[VM_NAME_MAX + 1];

	(void)dirfd;
	if (!vm_definition_stem(file, name) || !vm_autostart_get(e->s, name) ||
	    !vm_definition_exists(e->s, name))
		return 0;
	return e->fn(name, e->arg);
}

int vm_autostart_each(const struct vm_state *s, int (*fn)(const char *name, void *arg), void *arg,
		      struct vm_err *err)
{
	VM_AUTO_FD int dir = vm_etc_sub_open(s, AUTOSTART);
	struct each e = {s, fn, arg};

	if (dir < 0)
		return errno == ENOENT ? 0 : vm_err_sys(err, "open %s/%s", s->etc_path, AUTOSTART);
	return vm_dir_each(dir, one, &e, err);
}
