/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's tables of cgroups and mounts, lists of device rules, and what records hold of groups. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <vm/acl.h>
#include <vm/alloc.h>
#include <vm/cgroup.h>
#include <vm/cleanup.h>
#include <vm/record.h>

#include "cgroup/internal.h"
#include "host/mounts.h"

static void lines(const char *text)
{
	VM_AUTO(vm_mounts_end) struct vm_mounts mounts;
	struct vm_mount m;
	size_t left = strlen(text) + 1;
	int r;

	vm_mounts_begin(vm_xstrdup(text), &mounts);
	while ((r = vm_mounts_next(&mounts, &m)) != 0) {
		assert(left-- > 0);
		if (r < 0) {
			assert(m.point == NULL && m.options == NULL && m.super == NULL);
			continue;
		}
		assert(m.root[0] != 0 && m.point[0] == '/' && m.options[0] != 0 && m.type[0] != 0 && m.super[0] != 0);
		assert(strlen(m.root) + strlen(m.point) + strlen(m.options) + strlen(m.tags) + strlen(m.type) +
			       strlen(m.source) + strlen(m.super) <= strlen(text));
	}
}

static void mounts(const char *text, const char *pids)
{
	struct vm_cgroup_host h = VM_CGROUP_HOST_INIT;
	struct vm_err err = VM_ERR_INIT;

	if (vm_cgroup_parse_mounts(vm_xstrdup(text), &h, &err) < 0)
		assert(err.kind == VM_BAD_INPUT);
	assert(h.n <= VM_CGROUP_HIERS_MAX);
	for (size_t i = 0; i < h.n; i++) {
		VM_AUTO_FREE char *path = NULL;
		VM_AUTO_FREE char *seen = NULL;

		assert(h.v[i].mount[0] == '/' && h.v[i].root[0] == '/' && h.v[i].fd == -1);
		for (size_t k = 0; k < i; k++)
			assert(strcmp(h.v[i].name, h.v[k].name) != 0);
		if (vm_cgroup_parse_pid(pids, &h.v[i], &path, &err) < 0)
			assert(err.kind == VM_BAD_INPUT);
		seen = path != NULL ? vm_cgroup_seen(h.v[i].root, path) : NULL;
		/* What is opened below a mount point stays below it. */
		assert(seen == NULL || (seen[0] == '/' && strstr(seen, "/../") == NULL));
	}
	vm_cgroup_host_close(&h);
}

static void names(const char *text)
{
	struct vm_cgroup_host h = VM_CGROUP_HOST_INIT;
	struct vm_err err = VM_ERR_INIT;
	VM_AUTO_FREE char *dir = NULL;
	VM_AUTO_FREE char *path = NULL;

	if (vm_cgroup_parse_names(text, &h.names, &err) < 0)
		assert(err.kind == VM_BAD_INPUT);
	dir = vm_cgroup_guest_dir(&h, text, "qemu", NULL);
	assert(strchr(dir, '/') == NULL && strlen(dir) < 256 && dir[0] != '.');
	if (vm_cgroup_partition_path(&h, text, &path, &err) == 0)
		assert(path[0] == '/' && strstr(path, "/../") == NULL && strstr(path, "//") == NULL);
	else
		assert(err.kind == VM_BAD_INPUT);
	vm_cgroup_host_close(&h);
}

static void held(const char *text)
{
	struct vm_err err = VM_ERR_INIT;
	struct vm_cgroup_held h;

	if (vm_cgroup_parse_held(text, &h, &err) == 0)
		assert(h.path[0] == '/' && h.path[1] != 0 && strstr(h.path, "/../") == NULL);
	else
		assert(err.kind == VM_BAD_INPUT);
}

static void rules(const char *text)
{
	VM_AUTO(vm_acl_free) struct vm_acl acl = VM_ACL_INIT;
	VM_AUTO(vm_acl_free) struct vm_acl back = VM_ACL_INIT;
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	struct vm_err err = VM_ERR_INIT;

	vm_record_add(&r, VM_KEY_ACL_RULE, text);
	if (vm_acl_from_record(&r, VM_KEY_ACL_RULE, &acl, &err) < 0)
		assert(err.kind == VM_BAD_INPUT);
	vm_acl_free(&acl);
	if (vm_acl_parse(text, &acl, &err) < 0) {
		assert(err.kind == VM_BAD_INPUT);
		return;
	}
	for (size_t i = 1; i < acl.n; i++)
		assert(acl.v[i - 1].type < acl.v[i].type || acl.v[i - 1].major < acl.v[i].major ||
		       (acl.v[i - 1].major == acl.v[i].major && acl.v[i - 1].minor < acl.v[i].minor));
	/* Written and read again it is the same set. */
	vm_acl_to_record(&acl, VM_KEY_ACL_RULE, &r);
	assert(vm_acl_from_record(&r, VM_KEY_ACL_RULE, &back, &err) == 0);
	back.all = acl.all;
	assert(vm_acl_equal(&acl, &back));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VM_AUTO_FREE char *text = vm_xmalloc(size + 1);
	char *second;

	if (size > 0)
		memcpy(text, data, size);
	text[size] = 0;
	/* Behind a NUL: the list of cgroups of a process. */
	second = text + strlen(text);
	second += second < text + size;
	lines(text);
	mounts(text, second);
	names(text);
	held(text);
	rules(text);
	return 0;
}
