/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QEMU's side of host devices that come and go. */
#include "plug.h"

#include <string.h>

#include <jansson.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/log.h>

#include "qmp.h"

#define PERIPHERAL "/machine/peripheral"

int vm_plug_there(struct vm_qmp *q, const char *alias, struct vm_deadline deadline, struct vm_err *err)
{
	json_t *reply = NULL, *one;
	int there = 0;
	size_t i;

	if (vm_qmp_call(q, deadline, &reply, err, "qom-list", "{s:s}", "path", PERIPHERAL) < 0)
		return -1;
	json_array_foreach(reply, i, one)
	{
		const char *name = json_string_value(json_object_get(one, "name"));

		there |= name != NULL && strcmp(name, alias) == 0;
	}
	json_decref(reply);
	return there;
}

static const char *command_of(const char *option)
{
	return strcmp(option, "-blockdev") == 0 ? "blockdev-add" : "device_add";
}

/* The node that was added for a device that QEMU then refused. */
static void drop_block(struct vm_plug *p, const struct vm_plug_device *v)
{
	VM_AUTO_FREE char *node = vm_xasprintf("libvirt-%s-backend", v->h->dev.alias);
	struct vm_err ignored = VM_ERR_INIT;

	if (vm_qmp_call(p->qmp, p->o->deadline, NULL, &ignored, "blockdev-del", "{s:s}", "node-name", node) < 0)
		vm_log_step("%s", ignored.msg);
}

int vm_plug_tell(struct vm_plug *p, const struct vm_plug_device *v, struct vm_err *err)
{
	for (size_t i = 0; i + 1 < v->argv.n; i += 2) {
		const char *command = command_of(v->argv.v[i]), *text = v->argv.v[i + 1];
		uint64_t id;

		vm_log_step("QMP %s %s%s", command, text, p->o->dry_run ? " (not done)" : "");
		if (p->o->dry_run)
			continue;
		if (vm_qmp_send_text(p->qmp, command, text, &id, err) < 0)
			return -1;
		if (vm_qmp_recv(p->qmp, id, p->o->deadline, NULL, err) == 0)
			continue;
		if (vm_qmp_refused(p->qmp) == NULL)
			return -1;
		if (i > 0)
			drop_block(p, v);
		return 1;
	}
	return 0;
}
