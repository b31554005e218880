/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/file.h>

#include "scratch.h"

static const char pattern[] = "/tmp/vm-test.XXXXXX";
char scratch_root[sizeof(pattern)];
int scratch_dir = -1;

int scratch_make(void **state)
{
	(void)state;
	memcpy(scratch_root, pattern, sizeof(pattern));
	if (mkdtemp(scratch_root) == NULL)
		return -1;
	scratch_dir = open(scratch_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return scratch_dir < 0 ? -1 : 0;
}

int scratch_remove(void **state)
{
	VM_AUTO_FD int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct vm_err err = VM_ERR_INIT;

	(void)state;
	vm_cleanup_fd(&scratch_dir);
	return vm_tree_remove(tmp, scratch_root + strlen("/tmp/"), &err);
}

void scratch_put(const char *path, const char *text)
{
	struct vm_err err = VM_ERR_INIT;
	const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
	VM_AUTO_FREE char *above = strndup(path, (size_t)(name - path));
	VM_AUTO_FD int dir = -1;

	if (vm_dir_make(scratch_dir, *above != 0 ? above : ".", 0755, &dir, &err) < 0 ||
	    (text != NULL && vm_file_write_volatile(dir, name, text, strlen(text), 0644, &err) < 0))
		fail_msg("%s", err.msg);
}
