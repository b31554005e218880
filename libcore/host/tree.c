/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>

#define TEXT_MAX (16u << 20)

int vm_tree_open(const char *sysroot, struct vm_tree *ret, struct vm_err *err)
{
	int fd = open(sysroot != NULL ? sysroot : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return vm_err_sys(err, "open %s", sysroot != NULL ? sysroot : "/");
	*ret = (struct vm_tree){ .root = fd, .recorded = sysroot != NULL };
	return 0;
}

void vm_tree_close(struct vm_tree *t)
{
	vm_cleanup_fd(&t->root);
}

int vm_tree_fd(const struct vm_tree *t, const char *path, int flags)
{
	struct open_how how = { .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
				.resolve = RESOLVE_IN_ROOT };

	if (!t->recorded)
		return openat(t->root, path, flags | O_CLOEXEC);
	return (int)syscall(SYS_openat2, t->root, path, &how, sizeof(how));
}

bool vm_tree_has(const struct vm_tree *t, const char *path)
{
	VM_AUTO_FD int fd = vm_tree_fd(t, path, O_PATH);

	return fd >= 0;
}

char *vm_tree_text(const struct vm_tree *t, const char *path)
{
	VM_AUTO_FD int fd = vm_tree_fd(t, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	struct vm_err ignored = VM_ERR_INIT;
	char *text = NULL;

	if (fd < 0 || vm_fd_read(fd, path, TEXT_MAX, &text, NULL, &ignored) < 0)
		return NULL;
	return text;
}

char *vm_tree_line(const struct vm_tree *t, const char *path)
{
	char *text = vm_tree_text(t, path);

	if (text != NULL)
		text[strcspn(text, "\n")] = 0;
	return text;
}

bool vm_tree_number(const struct vm_tree *t, const char *path, unsigned long long *ret)
{
	VM_AUTO_FREE char *line = vm_tree_line(t, path);
	char *end;

	if (line == NULL || *line < '0' || *line > '9')
		return false;
	*ret = strtoull(line, &end, 10);
	return end != line;
}

static int count_one(int dirfd, const char *name, void *arg)
{
	size_t *n = arg;

	(void)dirfd;
	(void)name;
	*n += 1;
	return 0;
}

size_t vm_tree_count(const struct vm_tree *t, const char *path)
{
	VM_AUTO_FD int fd = vm_tree_fd(t, path, O_RDONLY | O_DIRECTORY);
	struct vm_err ignored = VM_ERR_INIT;
	size_t n = 0;

	if (fd < 0 || vm_dir_each(fd, count_one, &n, &ignored) < 0)
		return 0;
	return n;
}
