/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Documents from files. */
#include <fcntl.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>

#include "xml_internal.h"

static int load_fd(int dirfd, const char *name, struct vm_xml **ret, struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *x = vm_xcalloc(1, sizeof(*x));
	VM_AUTO_FD int fd = -1;
	bool in = dirfd == AT_FDCWD && strcmp(name, "-") == 0;

	x->file = vm_xstrdup(in ? "stdin" : name);
	if (!in) {
		/* Regular files only would be too strict (process substitution); a FIFO blocks as
		 * in cat(1). */
		fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (fd < 0)
			return vm_err_sys(err, "open %s", name);
	}
	if (vm_fd_read(in ? STDIN_FILENO : fd, x->file, VM_XML_MAX_BYTES, &x->text, &x->len, err) <
	    0)
		return -1;
	if (xml_read(x, err) < 0)
		return -1;
	*ret = vm_take_ptr(&x);
	return 0;
}

int vm_xml_load(const char *path, struct vm_xml **ret, struct vm_err *err)
{
	return load_fd(AT_FDCWD, path, ret, err);
}

int vm_xml_load_at(int dirfd, const char *name, struct vm_xml **ret, struct vm_err *err)
{
	return load_fd(dirfd, name, ret, err);
}
