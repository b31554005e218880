/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostdev_open.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/deadline.h>
#include <vm/state.h>

#include "hostdev_view.h"

#define LOOK_MS 500u

struct candidate {
	struct vm_hostdev_item *item;
	struct vm_dev_node nodes[2];
	size_t n;
};

/* VFIO enables a device when it is opened.  Source: pci_enable_device() of vfio_pci_core_enable();
 * Linux Documentation/ABI/testing/sysfs-bus-pci, "enable".  -1: not known. */
static int is_enabled(const struct vm_sys *sys, const char *name)
{
	VM_AUTO_FREE char *path = vm_xasprintf("sys/bus/pci/devices/%s", name);
	VM_AUTO_FD int dir = vm_sys_dir(sys, path);
	int64_t n;

	return dir < 0 || !vm_sys_i64(dir, "enable", &n, NULL) ? -1 : n > 0;
}

static bool group_is_claimed(const struct vm_hostdev_view *v, int group)
{
	for (size_t i = 0; i < v->n; i++)
		if (v->v[i].bus == VM_HOSTDEV_PCI && v->v[i].group == group &&
		    v->v[i].guest != NULL)
			return true;
	return false;
}

static void add_node(struct candidate *c, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISCHR(st.st_mode))
		return;
	c->nodes[c->n].dev = st.st_rdev;
	snprintf(c->nodes[c->n++].name, sizeof(c->nodes[0].name), "%s", path);
}

static void add_group(struct candidate *c, int group)
{
	VM_AUTO_FREE char *path = vm_xasprintf(VM_VFIO_NODES "/%d", group);

	if (group != VM_NO_GROUP)
		add_node(c, path);
}

static void add_pci(const struct vm_hostdev_view *v, struct candidate *c)
{
	const struct vm_pci *p = c->item->pci;
	int enabled = p->vfio ? is_enabled(&v->sys, p->name) : 0;

	if (enabled == 0)
		return;
	/* open for another one of the group, as far as can be seen */
	if (enabled > 0 || !group_is_claimed(v, p->group))
		add_group(c, p->group);
	if (p->vfio_cdev[0] != 0) {
		VM_AUTO_FREE char *path = vm_xasprintf(VM_VFIO_DEVICES "/%s", p->vfio_cdev);

		add_node(c, path);
	}
}

static void add_usb(struct candidate *c)
{
	char path[40] = "/";

	if (strcmp(c->item->usb->driver, "usbfs") != 0)
		return;
	vm_usb_node(c->item->usb, path + 1);
	add_node(c, path);
}

static void add_scsi(struct candidate *c)
{
	VM_AUTO_FREE char *path = vm_xasprintf(VM_SCSI_NODES "/%s", c->item->scsi->sg);

	if (c->item->scsi->sg[0] != 0)
		add_node(c, path);
}

static bool is_candidate(const struct vm_hostdev_view *v, struct candidate *c)
{
	if (c->item->guest != NULL)
		return false;
	switch (c->item->bus) {
	case VM_HOSTDEV_PCI:
		add_pci(v, c);
		break;
	case VM_HOSTDEV_USB:
		add_usb(c);
		break;
	case VM_HOSTDEV_SCSI:
		add_scsi(c);
		break;
	case VM_HOSTDEV_MDEV:
		add_group(c, c->item->group);
		break;
	case VM_HOSTDEV_PARENT:
	case VM_HOSTDEV_BUSES:
		break;
	}
	return c->n > 0;
}

static bool pid_of(const struct vm_state *state, const char *name, pid_t *ret)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	VM_AUTO_FD int run =
	    openat(state->run, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct vm_err ignored = VM_ERR_INIT;
	struct vm_procid id;

	if (run < 0 ||
	    vm_record_read(&r, run, VM_RUN_RECORD, VM_RECORD_GUEST, VM_RECORD_GUEST_VERSION,
			   &ignored) < 0 ||
	    !vm_record_get_procid(&r, VM_KEY_PID, &id))
		return false;
	*ret = id.pid;
	return true;
}

static void look_at(struct candidate *v, size_t n, const struct vm_dev_node *nodes, size_t n_nodes,
		    const char *name, pid_t pid)
{
	if (vm_opens(pid, nodes, n_nodes) <= 0)
		return;
	for (size_t i = 0; i < n; i++)
		if (v[i].item->guest == NULL && vm_opens(pid, v[i].nodes, v[i].n) > 0) {
			v[i].item->guest = vm_xstrdup(name);
			v[i].item->open = true;
		}
}

static void look_at_guests(const struct vm_state *state, struct candidate *v, size_t n)
{
	VM_AUTO_FREE struct vm_dev_node *nodes = vm_xcalloc(2 * n, sizeof(*nodes));
	struct vm_deadline deadline = vm_deadline_in(LOOK_MS);
	struct vm_err ignored = VM_ERR_INIT;
	size_t n_nodes = 0, n_names = 0;
	char **names = NULL;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < v[i].n; k++)
			nodes[n_nodes++] = v[i].nodes[k];
	if (vm_active_names(state, &names, &n_names, &ignored) < 0)
		return;
	for (size_t i = 0; i < n_names; i++) {
		pid_t pid;

		if (!vm_deadline_passed(deadline) && pid_of(state, names[i], &pid))
			look_at(v, n, nodes, n_nodes, names[i], pid);
		free(names[i]);
	}
	free(names);
}

void vm_hostdev_find_open(struct vm_hostdev_view *v, const struct vm_state *state)
{
	VM_AUTO_FREE struct candidate *c = vm_xcalloc(v->n + 1, sizeof(*c));
	size_t n = 0;

	for (size_t i = 0; i < v->n; i++) {
		c[n] = (struct candidate){.item = &v->v[i]};
		n += is_candidate(v, &c[n]);
	}
	if (n > 0)
		look_at_guests(state, c, n);
}
