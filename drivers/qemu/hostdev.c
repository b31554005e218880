/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostdev.h"

#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "host/scsi.h"
#include "model/domain.h"

void vm_hostdev_nodes_read(const struct vm_domain *d, struct vm_hostdev_nodes *ret)
{
	VM_AUTO(vm_sys_close) struct vm_sys sys = VM_SYS_INIT;
	struct vm_err ignored = VM_ERR_INIT;

	*ret = (struct vm_hostdev_nodes){ .v = vm_xcalloc(d->hostdevs.n + 1, sizeof(char *)),
					  .n = d->hostdevs.n };
	for (uint32_t i = 0; i < d->hostdevs.n; i++) {
		const struct vm_hostdev *h = d->hostdevs.v[i];
		VM_AUTO_FREE char *name = NULL;
		struct vm_scsi scsi;

		if (h->type != VM_HOSTDEV_TYPE_SCSI || h->source->protocol == VM_HOSTDEV_PROTOCOL_ISCSI)
			continue;
		if (sys.root < 0 && vm_sys_open(NULL, &sys, &ignored) < 0)
			return;
		name = vm_hostdev_source_text(h);
		if (vm_scsi_read(&sys, name + strlen("scsi:"), &scsi, &ignored) == 0 && scsi.sg[0] != 0)
			ret->v[i] = vm_xasprintf(VM_SCSI_NODES "/%s", scsi.sg);
	}
}

void vm_hostdev_nodes_free(struct vm_hostdev_nodes *nodes)
{
	for (size_t i = 0; i < nodes->n; i++)
		free(nodes->v[i]);
	free(nodes->v);
	*nodes = (struct vm_hostdev_nodes){ 0 };
}
