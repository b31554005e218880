/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Source: Linux Documentation/admin-guide/cgroup-v1/devices.rst, security/device_cgroup.c. */
#include "acl_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/deadline.h>
#include <vm/file.h>

#define LIST_MAX (1u << 20)
/* A group that was removed below this one counts as its child for a while. */
#define CHILD_MS 2000u

static int read_list(int dir, struct vm_acl *ret, struct vm_err *err)
{
	VM_AUTO_FREE char *text = NULL;

	if (vm_file_read(dir, "devices.list", LIST_MAX, &text, NULL, NULL, err) < 0)
		return -1;
	if (vm_acl_parse(text, ret, err) < 0)
		return vm_err_wrap(err, "devices.list");
	return 0;
}

static int deny_all(int dir, struct vm_err *err)
{
	struct vm_deadline end = vm_deadline_in(CHILD_MS);

	while (vm_kfile_write(dir, "devices.deny", "a", err) < 0) {
		if (err->sys == EPERM || err->sys == EACCES) {
			vm_err_set(err, VM_DENIED, "may not restrict devices (devices.deny: "
						   "CAP_SYS_ADMIN is missing)");
			return -1;
		}
		if (err->sys != EINVAL || vm_deadline_passed(end))
			return -1;
		usleep(2000); /* no event tells that the child is all gone */
	}
	return 0;
}

static int write_rule(int dir, const char *file, const struct vm_acl_rule *rule, struct vm_err *err)
{
	char text[VM_ACL_TEXT];

	vm_acl_format(rule, text);
	if (vm_kfile_write(dir, file, text, err) == 0)
		return 0;
	if (err->sys == EPERM) {
		char node[VM_ACL_TEXT];

		vm_err_set(err, VM_DENIED, "parent cgroup forbids %c %s%s%s", rule->type,
			   vm_acl_format_node(rule, node), rule->path != NULL ? " " : "",
			   rule->path != NULL ? rule->path : "");
		return vm_err_hint(err, "allow it in devices.allow of the parent group, or set "
					"acl_backend in vm.conf");
	}
	return vm_err_wrap(err, "%s", text);
}

/* Writes rules one by one; *done counts those that are written. */
static int write_all(int dir, const char *file, const struct vm_acl *acl, size_t *done,
		     struct vm_err *err)
{
	for (*done = 0; *done < acl->n; (*done)++)
		if (write_rule(dir, file, &acl->v[*done], err) < 0)
			return -1;
	return 0;
}

static void take_back(int dir, const char *file, const struct vm_acl *acl, size_t done)
{
	struct vm_err ignored = VM_ERR_INIT;

	while (done > 0)
		write_rule(dir, file, &acl->v[--done], &ignored);
}

/* What the kernel says must be what was asked for. */
static int verify(int dir, const struct vm_acl *to, struct vm_err *err)
{
	VM_AUTO(vm_acl_free) struct vm_acl now = VM_ACL_INIT;
	VM_AUTO(vm_acl_free) struct vm_acl missing = VM_ACL_INIT;
	char text[VM_ACL_TEXT];

	if (read_list(dir, &now, err) < 0)
		return -1;
	if (now.all)
		return vm_err_set(err, VM_SYSTEM, "the group allows all devices still");
	vm_acl_diff(&now, to, &missing);
	if (missing.n > 0)
		return vm_err_set(err, VM_SYSTEM, "the kernel did not keep the rule %s",
				  vm_acl_format(&missing.v[0], text));
	return 0;
}

static int change(int dir, const struct vm_acl *from, const struct vm_acl *to, struct vm_err *err)
{
	VM_AUTO(vm_acl_free) struct vm_acl more = VM_ACL_INIT;
	VM_AUTO(vm_acl_free) struct vm_acl less = VM_ACL_INIT;
	size_t allowed = 0, denied = 0;

	vm_acl_diff(from, to, &more);
	vm_acl_diff(to, from, &less);
	if (write_all(dir, "devices.allow", &more, &allowed, err) == 0 &&
	    write_all(dir, "devices.deny", &less, &denied, err) == 0 && verify(dir, to, err) == 0)
		return 0;
	take_back(dir, "devices.allow", &less, denied);
	take_back(dir, "devices.deny", &more, allowed);
	return -1;
}

static int apply(int dir, const struct vm_acl *from, const struct vm_acl *to, struct vm_err *err)
{
	const struct vm_acl none = VM_ACL_INIT;

	if (from == NULL && deny_all(dir, err) < 0)
		return -1;
	return change(dir, from != NULL ? from : &none, to, err);
}

static int read_ours(int dir, struct vm_acl *ret, struct vm_err *err)
{
	VM_AUTO(vm_acl_free) struct vm_acl acl = VM_ACL_INIT;

	if (read_list(dir, &acl, err) < 0)
		return -1;
	if (acl.all)
		return vm_err_set(err, VM_NOT_FOUND, "the group allows all devices");
	*ret = acl;
	acl = VM_ACL_INIT;
	return 0;
}

static int usable(int dir, struct vm_err *err)
{
	if (faccessat(dir, "devices.deny", W_OK, AT_EACCESS) < 0)
		return vm_err_sys(err, "devices.deny");
	return 0;
}

const struct vm_acl_ops vm_acl_v1 = { apply, read_ours, usable };
