/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mdev.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#define DEVICES (&VM_MDEV_PLACE[1]) /* below the root */

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

bool vm_mdev_virsh_uuid(const char *text, char uuid[37])
{
	static const char prefix[] = "mdev_";
	size_t i;

	if (strncmp(text, prefix, sizeof(prefix) - 1) != 0)
		return false;
	text += sizeof(prefix) - 1;
	for (i = 0; i < 36 && text[i] != 0; i++)
		uuid[i] = (char)(text[i] == '_' ? '-' : tolower((unsigned char)text[i]));
	uuid[i] = 0;
	return i == 36 && (text[i] == 0 || text[i] == '_') && uuid_valid(uuid);
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
		return vm_err_hint(err, "vm-hostdev-create --mdev=TYPE --uuid=%s PARENT makes it; vm-hostdev-list "
					"--kind=mdev-parent lists what can", uuid);
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
		else
			vm_unread_malformed(u, dir, "iommu_group");
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

/* ".../0000:00:02.0/53764d0e-...": is the one before the last among them? */
static bool is_on(const char *link, const char *const *parents, size_t n)
{
	const char *slash = strrchr(link, '/');

	for (size_t i = 0; slash != NULL && i < n; i++) {
		size_t len = strlen(parents[i]);

		if ((size_t)(slash - link) > len && slash[-(ptrdiff_t)len - 1] == '/' && memcmp(slash - len, parents[i], len) == 0)
			return true;
	}
	return false;
}

void vm_mdevs_read_on(const struct vm_sys *s, const char *const *parents, size_t n, struct vm_mdevs *ret, struct vm_unread *u)
{
	VM_AUTO(vm_sys_names_free) struct vm_sys_names names = { 0 };
	VM_AUTO_FD int top = vm_sys_look(s, DEVICES, u);
	struct vm_err ignored = VM_ERR_INIT;

	*ret = (struct vm_mdevs){ 0 };
	if (top < 0)
		return;
	vm_sys_names(top, &names, u);
	ret->v = vm_xcalloc(names.n + 1, sizeof(*ret->v));
	for (size_t i = 0; i < names.n; i++) {
		char link[PATH_MAX];
		ssize_t len = readlinkat(top, names.v[i], link, sizeof(link) - 1);

		if (len < 0) {
			vm_unread_note(u, top, names.v[i]);
			continue;
		}
		link[len] = 0;
		if (is_on(link, parents, n) && read_one(s, names.v[i], &ret->v[ret->n], u, &ignored) == 0)
			ret->n++;
	}
}

void vm_mdevs_free(struct vm_mdevs *m)
{
	free(m->v);
	*m = (struct vm_mdevs){ 0 };
}

static bool read_parent_row(const struct vm_sys *s, int top, const char *name, void *row, struct vm_unread *u)
{
	VM_AUTO_FD int dir = vm_sys_look_at(top, name, u);
	struct vm_mdev_parent *p = row;
	int64_t n;

	(void)s;
	if (dir < 0 || strlen(name) >= sizeof(p->name))
		return false;
	*p = (struct vm_mdev_parent){ .numa = -1 };
	memcpy(p->name, name, strlen(name) + 1);
	if (!vm_sys_link(dir, "subsystem", p->bus, sizeof(p->bus), u))
		p->bus[0] = 0;
	if (!vm_sys_link(dir, "driver", p->driver, sizeof(p->driver), u))
		p->driver[0] = 0;
	if (vm_sys_i64(dir, "numa_node", &n, NULL) && n >= 0 && n < 65536)
		p->numa = (int)n;
	return true;
}

void vm_mdev_parents_read(const struct vm_sys *s, struct vm_mdev_parents *ret, struct vm_unread *u)
{
	ret->v = vm_sys_rows(s, VM_MDEV_PARENTS, sizeof(*ret->v), read_parent_row, &ret->n, u);
}

void vm_mdev_parents_free(struct vm_mdev_parents *p)
{
	free(p->v);
	*p = (struct vm_mdev_parents){ 0 };
}

static bool read_type_row(const struct vm_sys *s, int top, const char *name, void *row, struct vm_unread *u)
{
	VM_AUTO_FD int type = vm_sys_look_at(top, name, u);
	struct vm_mdev_type *t = row;
	struct vm_unread part = VM_UNREAD_NONE;
	int64_t n;

	(void)s;
	if (type < 0 || strlen(name) >= sizeof(t->id))
		return false;
	memcpy(t->id, name, strlen(name) + 1);
	text(type, "name", t->name, sizeof(t->name), NULL);
	text(type, "device_api", t->api, sizeof(t->api), u);
	text(type, "description", t->description, sizeof(t->description), NULL);
	t->available = vm_sys_i64(type, "available_instances", &n, &part) && n >= 0 && n <= INT32_MAX ? (int)n : -1;
	vm_unread_lenient(u, &part);
	return true;
}

size_t vm_mdev_types(const struct vm_sys *s, const char *parent, struct vm_mdev_type **ret, struct vm_unread *u)
{
	VM_AUTO_FREE char *path = vm_xasprintf(VM_MDEV_PARENTS "/%s/mdev_supported_types", parent);
	size_t n;

	*ret = vm_sys_rows(s, path, sizeof(**ret), read_type_row, &n, u);
	return n;
}
