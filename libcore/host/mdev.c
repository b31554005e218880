/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mdev.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#define DEVICES	  (&VM_MDEV_PLACE[1]) /* below the root */
#define TYPES_MAX 1024u

static void text(int dir, const char *name, char *buf, size_t size, struct vm_unread *u)
{
	if (dir < 0 || !vm_sys_text(dir, name, buf, size, u))
		buf[0] = 0;
}

/* Lower case with dashes, as the kernel names its directories. */
static bool uuid_valid(const char *uuid)
{
	size_t i;

	for (i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? uuid[i] != '-'
			 : !isxdigit((unsigned char)uuid[i]) || isupper((unsigned char)uuid[i]))
			return false;
	}
	return uuid[i] == 0;
}

/* The parent's directory is the one above: its last component is in the link of the bus. */
static void read_parent(const struct vm_sys *s, int dir, struct vm_mdev *m, struct vm_unread *u)
{
	VM_AUTO_FREE char *path = vm_sys_path(s, dir, u);
	char *slash = path != NULL ? strrchr(path, '/') : NULL;

	if (slash == NULL)
		return;
	*slash = 0;
	slash = strrchr(path, '/');
	if (slash != NULL && strlen(slash + 1) < sizeof(m->parent))
		memcpy(m->parent, slash + 1, strlen(slash + 1) + 1);
}

static int read_one(const struct vm_sys *s, const char *uuid, struct vm_mdev *ret, struct vm_unread *u, struct vm_err *err)
{
	VM_AUTO_FREE char *path = NULL;
	VM_AUTO_FD int dir = -1;
	VM_AUTO_FD int type = -1;
	struct vm_mdev m = { .group = -1 };
	char group[32], *end;

	if (!uuid_valid(uuid))
		return vm_err_set(err, VM_BAD_INPUT, "'%.80s' is no UUID of a mediated device", uuid);
	path = vm_xasprintf("%s/%s", DEVICES, uuid);
	dir = vm_sys_look(s, path, u);
	if (dir < 0) {
		vm_err_set(err, VM_NOT_FOUND, "there is no mediated device %s", uuid);
		return vm_err_hint(err, "make it: write its UUID to the file 'create' of a type below "
					"/sys/class/mdev_bus, or use mdevctl");
	}
	memcpy(m.uuid, uuid, sizeof(m.uuid));
	type = vm_sys_look_at(dir, "mdev_type", u);
	if (!vm_sys_link(dir, "mdev_type", m.type, sizeof(m.type), u))
		m.type[0] = 0;
	text(type, "name", m.type_name, sizeof(m.type_name), NULL);
	text(type, "device_api", m.api, sizeof(m.api), u);
	if (!vm_sys_link(dir, "driver", m.driver, sizeof(m.driver), u))
		m.driver[0] = 0;
	if (vm_sys_link(dir, "iommu_group", group, sizeof(group), u) &&
	    isdigit((unsigned char)group[0])) {
		unsigned long n = strtoul(group, &end, 10);

		if (*end == 0 && n <= INT32_MAX)
			m.group = (int)n;
	}
	read_parent(s, dir, &m, u);
	*ret = m;
	return 0;
}

int vm_mdev_read(const struct vm_sys *s, const char *uuid, struct vm_mdev *ret, struct vm_err *err)
{
	struct vm_unread unread = VM_UNREAD_NONE;
	struct vm_err why = VM_ERR_INIT;
	struct vm_mdev m;

	if (read_one(s, uuid, &m, &unread, &why) < 0 || unread.error != 0)
		return vm_unread_end(&unread, &why, err);
	*ret = m;
	return 0;
}

static bool read_row(const struct vm_sys *s, int top, const char *name, void *row, struct vm_unread *u)
{
	struct vm_err ignored = VM_ERR_INIT;

	(void)top;
	return read_one(s, name, row, u, &ignored) == 0;
}

void vm_mdevs_read(const struct vm_sys *s, struct vm_mdevs *ret, struct vm_unread *u)
{
	ret->v = vm_sys_rows(s, DEVICES, sizeof(*ret->v), read_row, &ret->n, u);
}

void vm_mdevs_free(struct vm_mdevs *m)
{
	free(m->v);
	*m = (struct vm_mdevs){ 0 };
}

size_t vm_mdev_types(int dir, struct vm_mdev_type **ret)
{
	VM_AUTO(vm_sys_names_free) struct vm_sys_names names = { 0 };
	VM_AUTO_FD int top = vm_sys_dir_at(dir, "mdev_supported_types");
	size_t n = 0;

	*ret = NULL;
	if (top < 0)
		return 0;
	vm_sys_names(top, &names, NULL);
	*ret = vm_xcalloc(names.n + 1, sizeof(**ret));
	for (size_t i = 0; i < names.n && n < TYPES_MAX; i++) {
		VM_AUTO_FD int type = vm_sys_dir_at(top, names.v[i]);
		struct vm_mdev_type *t = &(*ret)[n];
		int64_t available;

		if (type < 0 || strlen(names.v[i]) >= sizeof(t->id))
			continue;
		memcpy(t->id, names.v[i], strlen(names.v[i]) + 1);
		text(type, "name", t->name, sizeof(t->name), NULL);
		text(type, "device_api", t->api, sizeof(t->api), NULL);
		text(type, "description", t->description, sizeof(t->description), NULL);
		t->available = vm_sys_i64(type, "available_instances", &available, NULL) &&
					       available > 0 && available <= INT32_MAX
				       ? (unsigned)available
				       : 0;
		n++;
	}
	return n;
}
