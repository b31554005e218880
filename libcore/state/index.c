/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/file.h>

static int stat_definition(const struct vm_state *s, const char *name, struct stat *ret)
{
	char file[VM_FILE_NAME_MAX];

	vm_definition_name(name, file);
	if (s->etc < 0) {
		errno = ENOENT;
		return -1;
	}
	return fstatat(s->etc, file, ret, AT_SYMLINK_NOFOLLOW);
}

static uint64_t mtime_ns(const struct stat *st)
{
	return (uint64_t)st->st_mtim.tv_sec * 1000000000u + (uint64_t)st->st_mtim.tv_nsec;
}

static bool same(const struct vm_record *r, const struct stat *st)
{
	return vm_record_u64(r, "dev", 0) == st->st_dev &&
	       vm_record_u64(r, "ino", 0) == st->st_ino &&
	       vm_record_u64(r, "size", UINT64_MAX) == (uint64_t)st->st_size &&
	       vm_record_u64(r, "mtime_ns", 0) == mtime_ns(st);
}

static void index_path(const char *name, char ret[VM_FILE_NAME_MAX + 8])
{
	size_t len = strnlen(name, VM_NAME_MAX);

	memcpy(ret, name, len);
	memcpy(ret + len, "/" VM_LIB_INDEX, sizeof("/" VM_LIB_INDEX));
}

int vm_index_read(const struct vm_state *s, const char *name, struct vm_record *ret,
		  struct vm_err *err)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	char path[VM_FILE_NAME_MAX + 8];
	struct stat st;

	if (vm_name_check(name, err) < 0)
		return -1;
	if (s->lib < 0 || stat_definition(s, name, &st) < 0)
		return 1;
	index_path(name, path);
	/* A damaged one is as good as none: it is made anew. */
	if (vm_record_read(&r, s->lib, path, VM_RECORD_INDEX, VM_RECORD_INDEX_VERSION, err) < 0)
		return 1;
	if (!same(&r, &st))
		return 1;
	*ret = r;
	r = VM_RECORD_INIT;
	return 0;
}

/* The index file's own time is made that of the definition. */
bool vm_index_fresh(const struct vm_state *s, const char *name, const struct stat *definition)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	char path[VM_FILE_NAME_MAX + 8];
	struct vm_err err;
	struct stat st;

	if (s->lib < 0)
		return false;
	index_path(name, path);
	if (fstatat(s->lib, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return false;
	if (st.st_size && mtime_ns(&st) == mtime_ns(definition))
		return true;
	/* a filesystem with coarser times */
	return vm_index_read(s, name, &r, &err) == 0;
}

int vm_index_write(const struct vm_state *s, const char *name, struct vm_record *facts,
		   struct vm_err *err)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
	VM_AUTO_FD int dir = -1;
	struct stat st;

	if (vm_name_check(name, err) < 0)
		return -1;
	if (stat_definition(s, name, &st) < 0)
		return vm_err_sys(err, "look at the definition");
	vm_record_setf(facts, "dev", "%" PRIu64, (uint64_t)st.st_dev);
	vm_record_setf(facts, "ino", "%" PRIu64, (uint64_t)st.st_ino);
	vm_record_setf(facts, "size", "%" PRIu64, (uint64_t)st.st_size);
	vm_record_setf(facts, "mtime_ns", "%" PRIu64, mtime_ns(&st));
	if (vm_own_dir_make(s, s->lib, name, &dir) < 0)
		return vm_err_sys(err, "make %s/%s", s->lib_path, name);
	/* Can be made anew from the definition at any time: not worth waiting for the disk. */
	if (vm_record_write_volatile(facts, dir, VM_LIB_INDEX, VM_RECORD_INDEX,
				     VM_RECORD_INDEX_VERSION, err) < 0)
		return vm_err_wrap(err, "%s/%s", s->lib_path, name);
	times[1] = st.st_mtim;
	if (utimensat(dir, VM_LIB_INDEX, times, AT_SYMLINK_NOFOLLOW) < 0)
		return vm_err_sys(err, "set the time of %s/%s/index", s->lib_path, name);
	return 0;
}
