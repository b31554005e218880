/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vport.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "bounded.h"

#define HOSTS	"sys/class/fc_host"
#define STEP_MS 20

bool vm_wwn_parse(const char *text, char ret[VM_WWN_TEXT])
{
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	if (strlen(text) != VM_WWN_TEXT - 1 || strspn(text, "0123456789abcdefABCDEF") != VM_WWN_TEXT - 1)
		return false;
	for (int i = 0; i < VM_WWN_TEXT; i++)
		ret[i] = (char)tolower((unsigned char)text[i]);
	return true;
}

static bool read_wwn(int dir, const char *file, char ret[VM_WWN_TEXT], struct vm_unread *u)
{
	char text[VM_SYS_TEXT];

	return vm_sys_text(dir, file, text, sizeof(text), u) && vm_wwn_parse(text, ret);
}

/* ".../host5/vport-5:0-0/host6/fc_host/host6": the adapter's host is before the port. */
static bool parent_of(const char *path, char ret[24])
{
	const char *end = strstr(path, "/vport-"), *at = end;

	if (end == NULL)
		return false;
	while (at > path && at[-1] != '/')
		at--;
	if (end - at >= 24 || strncmp(at, "host", 4) != 0)
		return false;
	snprintf(ret, 24, "%.*s", (int)(end - at), at);
	return true;
}

static bool read_one(const struct vm_sys *s, int top, const char *name, struct vm_vport *ret, struct vm_unread *u)
{
	VM_AUTO_FD int dir = vm_sys_look_at(top, name, u);
	VM_AUTO_FREE char *path = dir >= 0 ? vm_sys_path(s, dir, u) : NULL;
	struct vm_vport v;

	if (path == NULL || strlen(name) >= sizeof(v.host) || !parent_of(path, v.parent) ||
	    !read_wwn(dir, "port_name", v.wwpn, u) || !read_wwn(dir, "node_name", v.wwnn, u))
		return false;
	snprintf(v.host, sizeof(v.host), "%s", name);
	*ret = v;
	return true;
}

int vm_vport_find(const struct vm_sys *s, const char *name, struct vm_vport *ret, struct vm_err *err)
{
	VM_AUTO(vm_sys_names_free) struct vm_sys_names names = { 0 };
	struct vm_unread unread = VM_UNREAD_NONE;
	VM_AUTO_FD int top = vm_sys_look(s, HOSTS, &unread);

	vm_sys_names(top, &names, &unread);
	for (size_t i = 0; i < names.n; i++) {
		struct vm_vport v;

		if (!read_one(s, top, names.v[i], &v, &unread) || (strcmp(v.wwpn, name) != 0 && strcmp(v.host, name) != 0))
			continue;
		*ret = v;
		return 0;
	}
	if (vm_unread_fail(&unread, err) < 0)
		return -1;
	return vm_err_set(err, VM_NOT_FOUND, "there is no virtual port %s", name);
}

static int check_parent(const struct vm_sys *s, const char *parent, struct vm_err *err)
{
	VM_AUTO_FREE char *place = vm_xasprintf(HOSTS "/%s", parent);
	struct vm_unread unread = VM_UNREAD_NONE;
	VM_AUTO_FD int dir = vm_sys_look(s, place, &unread);
	bool makes = dir >= 0 && vm_sys_exists(dir, "vport_create", &unread);
	int64_t used, most;
	struct vm_vport v;
	struct vm_err no = VM_ERR_INIT;

	if (vm_unread_fail(&unread, err) < 0)
		return -1;
	if (dir < 0) {
		vm_err_set(err, VM_NOT_FOUND, "there is no Fibre Channel host %s", parent);
		return vm_err_hint(err, "/sys/class/fc_host lists those that are");
	}
	if (!makes) {
		vm_err_set(err, VM_UNSUPPORTED, "%s makes no virtual ports", parent);
		return vm_vport_find(s, parent, &v, &no) == 0
			       ? vm_err_hint(err, "it is one itself, of %s", v.parent)
			       : vm_err_hint(err, "its adapter, or the switch it is connected to, has no NPIV");
	}
	if (vm_sys_i64(dir, "max_npiv_vports", &most, NULL) && vm_sys_i64(dir, "npiv_vports_inuse", &used, NULL) && used >= most)
		return vm_err_set(err, VM_IN_USE, "%s has as many virtual ports as it can (%lld)", parent, (long long)most);
	return 0;
}

static bool has_wwn(int dir, const char *file, const char *want, struct vm_unread *u)
{
	char wwn[VM_WWN_TEXT];
	char text[VM_SYS_TEXT];
	unsigned long long n;

	if (want == NULL)
		return true;
	if (read_wwn(dir, file, wwn, u))
		return strcmp(wwn, want) == 0;
	/* a fabric's name is told without leading zeros, and by fcoe as 0x0 where there is none */
	if (!vm_sys_text(dir, file, text, sizeof(text), u) || sscanf(text, "0x%llx", &n) != 1 || n == 0)
		return false;
	snprintf(wwn, sizeof(wwn), "%016llx", n);
	return strcmp(wwn, want) == 0;
}

static int no_adapter(const struct vm_vport_want *want, struct vm_err *err)
{
	if (want->wwpn != NULL)
		vm_err_set(err, VM_NOT_FOUND, "there is no Fibre Channel host with node %s and port %s", want->wwnn, want->wwpn);
	else if (want->fabric != NULL)
		vm_err_set(err, VM_NOT_FOUND, "no Fibre Channel host is on the fabric %s", want->fabric);
	else
		vm_err_set(err, VM_NOT_FOUND, "no Fibre Channel host makes virtual ports");
	return vm_err_hint(err, "/sys/class/fc_host lists those that are");
}

int vm_vport_adapter(const struct vm_sys *s, const struct vm_vport_want *want, char ret[24], struct vm_err *err)
{
	VM_AUTO(vm_sys_names_free) struct vm_sys_names names = { 0 };
	struct vm_unread unread = VM_UNREAD_NONE;
	VM_AUTO_FD int top = vm_sys_look(s, HOSTS, &unread);
	struct vm_err why = VM_ERR_INIT;
	struct vm_vport v;

	vm_sys_names(top, &names, &unread);
	for (size_t i = 0; i < names.n; i++) {
		VM_AUTO_FD int dir = vm_sys_look_at(top, names.v[i], &unread);
		struct vm_err no = VM_ERR_INIT;

		if (dir < 0 || strlen(names.v[i]) >= 24 || read_one(s, top, names.v[i], &v, &unread) ||
		    !has_wwn(dir, "node_name", want->wwnn, &unread) || !has_wwn(dir, "port_name", want->wwpn, &unread) ||
		    !has_wwn(dir, "fabric_name", want->fabric, &unread))
			continue;
		if ((want->has != NULL && strcmp(want->has, names.v[i]) == 0) || check_parent(s, names.v[i], &no) == 0) {
			snprintf(ret, 24, "%s", names.v[i]);
			return 0;
		}
		/* one that is full says more than one that cannot */
		if (why.kind == VM_OK || why.kind == VM_UNSUPPORTED)
			why = no;
	}
	if (vm_unread_fail(&unread, err) < 0)
		return -1;
	if (why.kind == VM_OK)
		return no_adapter(want, err);
	*err = why;
	return -1;
}

static int write_ports(const struct vm_sys *s, const char *parent, const char *file, const char *wwpn, const char *wwnn,
		       struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO_FREE char *path = vm_xasprintf(HOSTS "/%s/%s", parent, file);
	VM_AUTO_FREE char *text = vm_xasprintf("%s:%s", wwpn, wwnn);
	const struct vm_sys_write w = { path, text };
	size_t at;

	return vm_sys_write(s, &w, 1, deadline, &at, err);
}

int vm_vport_create(const struct vm_sys *s, const char *parent, const char *wwpn, const char *wwnn,
		    struct vm_deadline deadline, struct vm_err *err)
{
	const struct timespec step = { .tv_nsec = STEP_MS * 1000000 };
	struct vm_vport v;

	if (check_parent(s, parent, err) < 0)
		return -1;
	if (write_ports(s, parent, "vport_create", wwpn, wwnn, deadline, err) < 0) {
		if (err->kind == VM_TIMED_OUT)
			return vm_err_set(err, VM_TIMED_OUT, "%s does not make the virtual port", parent);
		vm_err_wrap(err, "make the virtual port %s on %s", wwpn, parent);
		return vm_err_hint(err, "the kernel's messages say why: dmesg | grep %s", parent);
	}
	/* its driver makes the host when the port is up, which has no event of its own */
	for (;;) {
		struct vm_err none = VM_ERR_INIT;

		if (vm_vport_find(s, wwpn, &v, &none) == 0)
			return 0;
		if (vm_deadline_passed(deadline) || vm_wait_interrupted())
			return vm_err_set(err, VM_TIMED_OUT, "the host of the virtual port %s does not appear", wwpn);
		nanosleep(&step, NULL);
	}
}

int vm_vport_delete(const struct vm_sys *s, const struct vm_vport *v, struct vm_deadline deadline, struct vm_err *err)
{
	struct vm_err none = VM_ERR_INIT;
	struct vm_vport now;

	if (write_ports(s, v->parent, "vport_delete", v->wwpn, v->wwnn, deadline, err) == 0)
		return 0;
	if (err->kind != VM_TIMED_OUT && vm_vport_find(s, v->wwpn, &now, &none) < 0 && none.kind == VM_NOT_FOUND) {
		*err = VM_ERR_INIT;
		return 0;
	}
	if (err->kind == VM_TIMED_OUT)
		return vm_err_set(err, VM_TIMED_OUT, "%s does not let go of the virtual port %s", v->parent, v->wwpn);
	return vm_err_wrap(err, "remove the virtual port %s of %s", v->wwpn, v->parent);
}
