/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices of the host that QEMU has and its guest's document has not: what they need stays as it
 * is. */
#include "plug.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/look.h>
#include <vm/nodes.h>
#include <vm/state.h>

#include "guest/hostdev_foreign.h"
#include "host/iommu.h"
#include "host/uses.h"
#include "model/hostdev_node.h"
#include "qemu/run/look.h"

int vm_plug_foreign(struct vm_guest *g, const struct vm_domain *d, struct vm_deadline deadline,
		    struct vm_foreign *ret, struct vm_err *err)
{
	VM_AUTO(vm_look_free) struct vm_look look = VM_LOOK_INIT;

	if (vm_qemu_look(g, VM_LOOK_HOSTDEVS, deadline, &look, err) < 0)
		return -1;
	vm_foreign_read(d, &look, ret);
	return 0;
}

/* By its group's node and by its own: which one QEMU has open is its matter. */
static int nodes_of(const struct vm_hostdev *h, const struct vm_sys *sys, char *ret[2],
		    struct vm_err *err)
{
	ret[0] = ret[1] = NULL;
	if (h->type == VM_HOSTDEV_TYPE_ABSENT)
		return 0;
	if (vm_hostdev_node(h, false, sys, &ret[0], err) < 0)
		return -1;
	return h->type != VM_HOSTDEV_TYPE_PCI ? 0 : vm_hostdev_node(h, true, sys, &ret[1], err);
}

int vm_plug_open_nodes(const struct vm_guest *g, const struct vm_hostdev *const *v, size_t n,
		       const struct vm_sys *sys, bool *ret, struct vm_err *err)
{
	VM_AUTO_FREE struct vm_dev_node *nodes = vm_xcalloc(2 * n + 1, sizeof(*nodes));
	struct vm_procid qemu;
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		char *paths[2];
		int r = nodes_of(v[i], sys, paths, err);

		for (unsigned k = 0; k < 2; k++) {
			struct stat st;

			if (r == 0 && paths[k] != NULL && stat(paths[k], &st) == 0 &&
			    S_ISCHR(st.st_mode))
				nodes[found++].dev = st.st_rdev;
			free(paths[k]);
		}
		if (r < 0)
			return -1;
	}
	*ret = found > 0 && vm_record_get_procid(&g->record, VM_KEY_PID, &qemu) &&
	       vm_opens(qemu.pid, nodes, found) != 0;
	return 0;
}

static void add_container(const struct vm_hostdev *h, const char *by, struct vm_nodes *ret)
{
	if (h->type == VM_HOSTDEV_TYPE_PCI || h->type == VM_HOSTDEV_TYPE_MDEV)
		vm_nodes_add(ret, VM_VFIO_NODES "/vfio", VM_NODE_READ | VM_NODE_WRITE, true, by);
}

int vm_plug_foreign_nodes(const struct vm_foreign *f, const struct vm_sys *sys,
			  struct vm_nodes *ret, struct vm_err *err)
{
	for (size_t i = 0; i < f->n; i++) {
		char *paths[2];
		int r = nodes_of(&f->v[i].h, sys, paths, err);

		for (unsigned k = 0; k < 2; k++) {
			if (r == 0 && paths[k] != NULL)
				vm_nodes_add(ret, paths[k], VM_NODE_READ | VM_NODE_WRITE, true,
					     f->v[i].alias);
			free(paths[k]);
		}
		if (r < 0)
			return -1;
		add_container(&f->v[i].h, f->v[i].alias, ret);
	}
	return 0;
}

/* Nothing is opened for them: rules that are there get one more who needs them. */
void vm_plug_foreign_rules(const struct vm_acl *theirs, struct vm_acl *rules)
{
	for (size_t i = 0; i < theirs->n; i++) {
		const struct vm_acl_rule *r = &theirs->v[i];
		unsigned perms = vm_acl_perms_of(rules, r);

		if (perms != 0)
			vm_acl_add(rules, r->type, r->major, r->minor, perms, r->by, r->path);
	}
}

int vm_plug_check_foreign(const struct vm_guest *g, const struct vm_foreign_one *f,
			  struct vm_err *err)
{
	if (!f->node && f->alias[0] != '/')
		return 0;
	vm_err_set(err, VM_UNSUPPORTED, "%s was given to QEMU past these programs, and %s", f->name,
		   f->node ? "not as a device" : "without a name");
	if (f->node)
		return vm_err_hint(err,
				   "vm-qmp %s 'blockdev-del {\"node-name\":\"%s\"}' takes it back",
				   g->name, f->alias);
	return vm_err_hint(err, "vm-qmp %s 'device_del {\"id\":\"%s\"}' takes it back", g->name,
			   f->alias);
}
