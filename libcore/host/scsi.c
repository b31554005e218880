/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scsi.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#define DEVICES "sys/bus/scsi/devices"
#define TARGETS "sys/kernel/config/target/vhost"

bool vm_scsi_parse(const char *text, struct vm_scsi_address *ret)
{
	unsigned long long part[4];
	const char *p = text;
	char *end;

	for (int i = 0; i < 4; i++) {
		if (!isdigit((unsigned char)*p))
			return false;
		errno = 0;
		part[i] = strtoull(p, &end, 10);
		if (errno != 0 || *end != (i < 3 ? ':' : 0) || (i < 3 && part[i] > UINT32_MAX))
			return false;
		p = end + 1;
	}
	*ret = (struct vm_scsi_address){ (unsigned)part[0], (unsigned)part[1], (unsigned)part[2],
					 part[3] };
	return true;
}

static void first_below(int dir, const char *name, char *buf, size_t size, struct vm_unread *u)
{
	VM_AUTO(vm_sys_names_free) struct vm_sys_names names = { 0 };
	VM_AUTO_FD int below = vm_sys_look_at(dir, name, u);

	buf[0] = 0;
	if (below >= 0)
		vm_sys_names(below, &names, u);
	if (names.n > 0 && strlen(names.v[0]) < size)
		memcpy(buf, names.v[0], strlen(names.v[0]) + 1);
}

static int read_one(const struct vm_sys *s, const char *name, struct vm_scsi *ret, struct vm_unread *u, struct vm_err *err)
{
	VM_AUTO_FREE char *path = NULL;
	VM_AUTO_FD int dir = -1;
	struct vm_scsi d = { 0 };
	int64_t type;

	if (!vm_scsi_parse(name, &d.address) || strlen(name) >= sizeof(d.name))
		return vm_err_set(err, VM_BAD_INPUT, "'%.80s' is no SCSI address H:B:T:L", name);
	path = vm_xasprintf(DEVICES "/%s", name);
	dir = vm_sys_look(s, path, u);
	if (dir < 0)
		return vm_err_set(err, VM_NOT_FOUND, "there is no SCSI device %s", name);
	memcpy(d.name, name, strlen(name) + 1);
	first_below(dir, "scsi_generic", d.sg, sizeof(d.sg), u);
	first_below(dir, "block", d.block, sizeof(d.block), u);
	if (!vm_sys_text(dir, "vendor", d.vendor, sizeof(d.vendor), NULL))
		d.vendor[0] = 0;
	if (!vm_sys_text(dir, "model", d.model, sizeof(d.model), NULL))
		d.model[0] = 0;
	if (!vm_sys_link(dir, "driver", d.driver, sizeof(d.driver), NULL))
		d.driver[0] = 0;
	d.type = vm_sys_i64(dir, "type", &type, NULL) && type >= 0 && type < 32 ? (int)type : -1;
	*ret = d;
	return 0;
}

int vm_scsi_read(const struct vm_sys *s, const char *name, struct vm_scsi *ret, struct vm_err *err)
{
	struct vm_unread unread = VM_UNREAD_NONE;
	struct vm_err why = VM_ERR_INIT;
	struct vm_scsi d;

	if (read_one(s, name, &d, &unread, &why) < 0 || unread.error != 0)
		return vm_unread_end(&unread, &why, err);
	*ret = d;
	return 0;
}

static bool read_row(const struct vm_sys *s, int top, const char *name, void *row, struct vm_unread *u)
{
	struct vm_err ignored = VM_ERR_INIT;

	(void)top;
	/* hosts and targets are in that directory too */
	return isdigit((unsigned char)name[0]) && read_one(s, name, row, u, &ignored) == 0;
}

void vm_scsis_read(const struct vm_sys *s, struct vm_scsis *ret, struct vm_unread *u)
{
	ret->v = vm_sys_rows(s, DEVICES, sizeof(*ret->v), read_row, &ret->n, u);
}

void vm_scsis_free(struct vm_scsis *p)
{
	free(p->v);
	*p = (struct vm_scsis){ 0 };
}

bool vm_wwpn_valid(const char *text)
{
	size_t n;

	if (strncmp(text, "naa.", 4) != 0)
		return false;
	for (n = 0; isxdigit((unsigned char)text[4 + n]); n++)
		;
	return n == 16 && text[4 + n] == 0;
}

int vm_vhost_scsi_check(const struct vm_sys *s, const char *wwpn, struct vm_err *err)
{
	struct vm_unread unread = VM_UNREAD_NONE;
	VM_AUTO_FD int dev = vm_sys_look(s, "dev", &unread);
	VM_AUTO_FD int dir = vm_sys_look(s, TARGETS, &unread);
	bool module = dev >= 0 && vm_sys_exists(dev, "vhost-scsi", &unread), target;

	if (!vm_wwpn_valid(wwpn))
		return vm_err_set(err, VM_BAD_INPUT, "'%.80s' is no wwpn: naa. and 16 hexadecimal digits",
				  wwpn);
	target = dir >= 0 && vm_sys_exists(dir, wwpn, &unread);
	if (vm_unread_fail(&unread, err) < 0)
		return -1;
	if (!module) {
		vm_err_set(err, VM_NOT_FOUND, "there is no /dev/vhost-scsi");
		return vm_err_hint(err, "load the module vhost_scsi");
	}
	if (!target) {
		vm_err_set(err, VM_NOT_FOUND, "there is no vhost-scsi target %s", wwpn);
		return vm_err_hint(err, "make it with targetcli: /vhost create %s", wwpn);
	}
	return 0;
}

int vm_vhost_scsi_open(int *ret_fd, struct vm_err *err)
{
	int fd = open("/dev/vhost-scsi", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return vm_err_sys(err, "open /dev/vhost-scsi");
	*ret_fd = fd;
	return 0;
}
