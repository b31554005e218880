/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vm/acl.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <vm/cleanup.h>
#include <vm/nodes.h>

static unsigned perms_of(unsigned node)
{
	return ((node & VM_NODE_READ) != 0 ? VM_ACL_READ : 0u) |
	       ((node & VM_NODE_WRITE) != 0 ? VM_ACL_WRITE : 0u);
}

static int look(const struct vm_node *node, int root, struct stat *st)
{
	const char *path = node->path;

	if (root >= 0)
		path += strspn(path, "/");
	return fstatat(root >= 0 ? root : AT_FDCWD, path, st, 0);
}

static int add_node(const struct vm_node *node, int root, struct vm_acl *acl, struct vm_err *err)
{
	struct stat st;

	if (node->path == NULL) {
		vm_acl_add(acl, 'c', node->major, VM_ACL_ANY, perms_of(node->perms), node->by, NULL);
		return 0;
	}
	if (look(node, root, &st) < 0) {
		/* An image on a server that lets root see nothing is no device either. */
		if (node->optional && (errno == ENOENT || errno == ENOTDIR || errno == EACCES))
			return 0;
		return vm_err_sys(err, "%s: device node %s", node->by, node->path);
	}
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		vm_acl_add(acl, S_ISCHR(st.st_mode) ? 'c' : 'b', major(st.st_rdev),
			   minor(st.st_rdev), perms_of(node->perms), node->by, node->path);
	return 0;
}

int vm_acl_from_nodes(const struct vm_nodes *nodes, int root, struct vm_acl *ret,
		      struct vm_err *err)
{
	VM_AUTO(vm_acl_free) struct vm_acl acl = VM_ACL_INIT;

	for (size_t i = 0; i < nodes->n; i++)
		if (add_node(&nodes->v[i], root, &acl, err) < 0)
			return -1;
	*ret = acl;
	acl = VM_ACL_INIT;
	return 0;
}
