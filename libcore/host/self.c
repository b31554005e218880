/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "self.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

void vm_self_oom_score_adj(int score)
{
	VM_AUTO_FD int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	char text[16];
	int n = snprintf(text, sizeof(text), "%d\n", score);

	if (fd >= 0 && write(fd, text, (size_t)n) < 0)
		return;
}

int vm_self_helper(const char *name, char **ret_path, struct vm_err *err)
{
	const char *dir = secure_getenv("VM_LIBEXEC");
	VM_AUTO_FREE char *path = NULL;
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (dir != NULL) {
		path = vm_xasprintf("%s/%s", dir, name);
	} else if (n > 0) {
		self[n] = 0;
		*(strrchr(self, '/') + 1) = 0;
		path = vm_xasprintf("%s%s", self, name);
	}
	if (path == NULL || access(path, X_OK) < 0) {
		free(path);
		path = vm_xasprintf("%s/%s", VM_LIBEXECDIR, name);
		if (access(path, X_OK) < 0)
			return vm_err_sys(err, "helper program %s", path);
	}
	*ret_path = vm_take_ptr(&path);
	return 0;
}

int vm_self_sibling(const char *name, char **ret_path, struct vm_err *err)
{
	VM_AUTO_FREE char *path = NULL;
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return vm_err_sys(err, "find %s", name);
	self[n] = 0;
	*(strrchr(self, '/') + 1) = 0;
	path = vm_xasprintf("%s%s", self, name);
	if (access(path, X_OK) < 0)
		return vm_err_sys(err, "program %s", path);
	*ret_path = vm_take_ptr(&path);
	return 0;
}

bool vm_self_exec_label(const char *model, const char *label, char **ret_file, char **ret_text)
{
	bool apparmor = strcmp(model, "apparmor") == 0;
	const char *used = apparmor ? "/sys/kernel/security/apparmor" : "/sys/fs/selinux/enforce";
	const char *file = apparmor ? "/proc/self/attr/apparmor/exec" : "/proc/self/attr/exec";

	if (access(used, F_OK) < 0 || access(file, W_OK) < 0)
		return false;
	*ret_file = vm_xstrdup(file);
	*ret_text = vm_xasprintf("%s%s", apparmor ? "exec " : "", label);
	return true;
}

char *vm_self_fd_path(int number)
{
	return vm_xasprintf("/proc/self/fd/%d", number);
}

const char *const vm_self_fd_links[][2] = {
	{ "fd", "/proc/self/fd" },
	{ "stdin", "/proc/self/fd/0" },
	{ "stdout", "/proc/self/fd/1" },
	{ "stderr", "/proc/self/fd/2" },
	{ NULL, NULL },
};

int vm_self_null(void)
{
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}
