/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names and directories of what is kept. */
#include "state/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/file.h>

void vm_definition_name(const char *name, char ret[VM_FILE_NAME_MAX])
{
	/* by hand: this is done for each of ten thousand guests */
	size_t len = strnlen(name, VM_NAME_MAX);

	memcpy(ret, name, len);
	memcpy(ret + len, ".xml", sizeof(".xml"));
}

bool vm_definition_stem(const char *file, char ret[VM_NAME_MAX + 1])
{
	size_t len = strlen(file);

	if (len < 5 || len - 4 > VM_NAME_MAX || strcmp(file + len - 4, ".xml") != 0)
		return false;
	memcpy(ret, file, len - 4);
	ret[len - 4] = '\0';
	return vm_name_valid(ret);
}

bool vm_definition_exists(const struct vm_state *s, const char *name)
{
	char file[VM_FILE_NAME_MAX];
	struct stat st;

	vm_definition_name(name, file);
	return s->etc >= 0 && fstatat(s->etc, file, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int vm_dir_at(int at, const char *name)
{
	if (at < 0) {
		errno = ENOENT;
		return -1;
	}
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int vm_etc_sub_open(const struct vm_state *s, const char *sub)
{
	return vm_dir_at(s->etc, sub);
}

int vm_dir_sync(int dirfd)
{
	vm_fsync_count++;
	return fsync(dirfd) < 0 && errno != EINVAL && errno != EROFS ? -1 : 0;
}

/* Opens it and gives it the mode and group it is to have. */
static int own_dir_open(const struct vm_state *s, int at, const char *name, int *ret_fd)
{
	VM_AUTO_FD int fd = vm_dir_at(at, name);
	struct stat st, parent;
	mode_t mode;

	if (fd < 0 || fstat(fd, &st) < 0 || fstat(at, &parent) < 0)
		return -1;
	mode = s->uri.session ? 0700 : 0750;
	if ((st.st_mode & 07777) == 0700 && mode != 0700) {
		if (st.st_gid != parent.st_gid && geteuid() == 0 &&
		    fchown(fd, (uid_t)-1, parent.st_gid) < 0)
			return -1;
		if (fchmod(fd, mode) < 0)
			return -1;
	}
	*ret_fd = vm_take_fd(&fd);
	return 0;
}

int vm_own_dir_make(const struct vm_state *s, int at, const char *name, int *ret_fd)
{
	bool made = mkdirat(at, name, 0700) == 0;
	int saved;

	if (!made && errno != EEXIST)
		return -1;
	if (own_dir_open(s, at, name, ret_fd) == 0)
		return 0;
	saved = errno;
	if (made)
		unlinkat(at, name, AT_REMOVEDIR);
	errno = saved;
	return -1;
}

bool vm_disk_full(int sys)
{
	return sys == ENOSPC || sys == EDQUOT;
}

bool vm_entry_exists(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

bool vm_run_exists(const struct vm_state *s, const char *name)
{
	return s->run >= 0 && vm_entry_exists(s->run, name);
}

int vm_guest_make_dirs(struct vm_guest *g, struct vm_err *err)
{
	const struct vm_state *s = g->state;
	int fd;

	if (g->run < 0) {
		if (vm_own_dir_make(s, s->run, g->name, &fd) < 0)
			return vm_err_sys(err, "make %s/%s", s->run_path, g->name);
		g->run = fd;
	}
	if (g->lib < 0) {
		if (vm_own_dir_make(s, s->lib, g->name, &fd) < 0)
			return vm_err_sys(err, "make %s/%s", s->lib_path, g->name);
		g->lib = fd;
	}
	return 0;
}
