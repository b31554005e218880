/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-hostdev-info: what a device is, who uses it, and why it can or cannot be given to a guest. */
#include "hostdev_view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/log.h>
#include <vm/out.h>

#include "host/vf.h"
#include "host/vfio.h"
#include "hostdev_print.h"
#include "model/memlock.h"

/* What only shows leaves out what it cannot read, and says so. */
static void warn_unread(const struct vm_unread *u)
{
	struct vm_err why = VM_ERR_INIT;

	if (vm_unread_fail(u, &why) < 0)
		vm_log_warning("%s", why.msg);
}

/* Of vm_vfio_host_foresee(). */
static const char *way_word(int cdev)
{
	return cdev < 0 ? NULL : cdev > 0 ? "iommufd" : "container";
}

static void show_pci(struct vm_out *out, const struct vm_sys *sys, const struct vm_vfio_host *host, const struct vm_pci *p)
{
	char variant[64];
	char text[16];

	snprintf(text, sizeof(text), "%04x:%04x", p->subvendor, p->subdevice);
	vm_out_str(out, "subsystem", p->subvendor != 0 ? text : NULL);
	snprintf(text, sizeof(text), "%02x", p->revision);
	vm_out_str(out, "revision", text);
	vm_out_bool(out, "vfio", p->vfio);
	vm_out_str(out, "vfio_by", !host->iommu || p->group == VM_NO_GROUP ? NULL : way_word(vm_vfio_host_foresee(sys, host)));
	vm_out_str(out, "vfio_driver", p->group == VM_NO_GROUP ? NULL : vm_vfio_variant(sys, p->name, variant, NULL) ? variant : VM_VFIO_PCI);
	vm_out_str(out, "vfio_device", p->vfio_cdev[0] != 0 ? p->vfio_cdev : NULL);
	vm_out_bool(out, "boot_vga", p->boot_vga);
	if (p->d3cold >= 0)
		vm_out_bool(out, "d3cold_allowed", p->d3cold);
	else
		vm_out_null(out, "d3cold_allowed");
	vm_out_str(out, "pf", p->pf[0] != 0 ? p->pf : NULL);
	vm_hostdev_number(out, "vf_index", p->vf_index);
	vm_out_u64(out, "vfs", p->vfs);
	vm_out_u64(out, "vfs_max", p->vfs_max);
	if (p->vgpu >= 0)
		vm_out_i64(out, "vgpu_type", p->vgpu);
	else
		vm_out_null(out, "vgpu_type");
}

static void show_flag(struct vm_out *out, const char *key, int value)
{
	if (value >= 0)
		vm_out_bool(out, key, value != 0);
	else
		vm_out_null(out, key);
}

static void show_rate(struct vm_out *out, const char *key, uint32_t rate)
{
	if (rate > 0)
		vm_out_u64(out, key, rate);
	else
		vm_out_null(out, key);
}

/* What the card tells of its function, and of its own interface; false: it cannot be asked. */
static bool read_vf(const struct vm_sys *sys, const struct vm_vf *vf, struct vm_vf_config *ret)
{
	struct vm_err why = VM_ERR_INIT;

	if (vm_vf_read(sys, vf, ret, &why) == 0)
		return true;
	/* nobody plays the kernel of a machine that was recorded */
	if (!sys->recorded || why.sys != ENOTCONN)
		vm_log_warning("%s", why.msg);
	return false;
}

/* Of a network card's virtual function: what its card gives to it. */
static void show_vf(struct vm_out *out, const struct vm_sys *sys, const struct vm_pci *p)
{
	struct vm_err why = VM_ERR_INIT;
	struct vm_vf_config config = { .told = { .trusted = -1, .spoof_check = -1, .link = -1 } };
	struct vm_vf vf;
	char mac[VM_MAC_TEXT];
	bool is = p->pf[0] != 0 && vm_vf_find(sys, p->name, &vf, &why) == 0;
	bool known = is && read_vf(sys, &vf, &config);
	const struct vm_vf_told *t = &config.told;

	/* a function of something else than a network card is none of these */
	if (why.kind != VM_OK && why.kind != VM_BAD_INPUT)
		vm_log_warning("%s", why.msg);
	if (known)
		vm_mac_format(config.mac, mac);
	vm_out_str(out, "pf_interface", is ? vf.pf : NULL);
	show_flag(out, "pf_up", known ? t->pf_up : -1);
	vm_out_str(out, "vf_mac", known ? mac : NULL);
	vm_hostdev_number(out, "vf_vlan", known ? config.vlan : -1);
	vm_hostdev_number(out, "vf_vlan_priority", known && config.vlan != 0 ? config.qos : -1);
	vm_out_str(out, "vf_vlan_protocol", !known || config.vlan == 0 ? NULL : config.service ? "802.1ad" : "802.1Q");
	show_flag(out, "vf_trust", t->trusted);
	show_flag(out, "vf_spoof_check", t->spoof_check);
	vm_out_str(out, "vf_link", t->link >= 0 ? vm_vf_link_words[t->link] : NULL);
	show_rate(out, "vf_tx_min_mbit", t->tx_min);
	show_rate(out, "vf_tx_max_mbit", t->tx_max);
}

/* A user of VFIO may reach all of its guest's memory, which is locked for that, and a gigabyte for registers. */
static void show_memlock(struct vm_out *out, const struct vm_sys *sys, const struct vm_hostdev_item *i)
{
	struct rlimit limit;

	if (i->bus == VM_HOSTDEV_PCI || i->bus == VM_HOSTDEV_MDEV)
		vm_out_u64(out, "memlock_beyond_guest_bytes", VM_MEMLOCK_BEYOND);
	else
		vm_out_null(out, "memlock_beyond_guest_bytes");
	/* who may raise it has none */
	if (!sys->recorded && geteuid() != 0 && getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_max != RLIM_INFINITY)
		vm_out_u64(out, "memlock_limit_bytes", limit.rlim_max);
	else
		vm_out_null(out, "memlock_limit_bytes");
}

/* In plain a line each, in JSON an array of objects. */
static void begin(struct vm_out *out, bool json, const char *array, const char *key)
{
	vm_out_repeats(out, key);
	if (json)
		vm_out_array(out, array, NULL, 0);
}

/* What mediated devices it can make. */
static void show_mdev_types(struct vm_out *out, bool json, const struct vm_hostdev_view *v, const struct vm_mdev_parent *p)
{
	VM_AUTO_FREE struct vm_mdev_type *types = NULL;
	struct vm_unread unread = VM_UNREAD_NONE;
	size_t n = p != NULL ? vm_mdev_types(&v->sys, p->name, &types, &unread) : 0;

	if (v->unread.error == 0)
		warn_unread(&unread);
	begin(out, json, "mdev_types", "mdev_type");
	for (size_t i = 0; i < n; i++) {
		const struct vm_mdev_type *t = &types[i];

		if (!json) {
			VM_AUTO_FREE char *left = t->available >= 0 ? vm_xasprintf("%d", t->available) : vm_xstrdup("-");
			VM_AUTO_FREE char *text = vm_xasprintf("%s %s %s %s", t->id, left, t->api[0] != 0 ? t->api : "-",
							       t->name[0] != 0 ? t->name : "-");

			vm_out_str(out, "mdev_type", text);
			continue;
		}
		vm_out_row(out);
		vm_out_str(out, "id", t->id);
		vm_hostdev_number(out, "available", t->available);
		vm_out_str(out, "device_api", t->api[0] != 0 ? t->api : NULL);
		vm_out_str(out, "name", t->name[0] != 0 ? t->name : NULL);
		vm_out_str(out, "description", t->description[0] != 0 ? t->description : NULL);
		vm_out_row_end(out);
	}
	if (json)
		vm_out_array_end(out);
}

/* Those it has made, and whose they are. */
static void show_mdevs(struct vm_out *out, bool json, const struct vm_hostdev_view *v, const struct vm_mdev_parent *p)
{
	begin(out, json, "mdevs", "mdev");
	for (size_t n = 0; n < v->n && p != NULL; n++) {
		const struct vm_hostdev_item *i = &v->v[n];
		const char *state = vm_hostdev_state_words[i->state];

		if (i->bus != VM_HOSTDEV_MDEV || strcmp(i->mdev->parent, p->name) != 0)
			continue;
		if (!json) {
			VM_AUTO_FREE char *text = vm_xasprintf("%s %s %s %s", i->name, i->mdev->type[0] != 0 ? i->mdev->type : "-",
							       state, i->guest != NULL ? i->guest : "-");

			vm_out_str(out, "mdev", text);
			continue;
		}
		vm_out_row(out);
		vm_out_str(out, "device", i->name);
		vm_out_str(out, "type", i->mdev->type[0] != 0 ? i->mdev->type : NULL);
		vm_out_str(out, "state", state);
		vm_out_str(out, "guest", i->guest);
		vm_out_row_end(out);
	}
	if (json)
		vm_out_array_end(out);
}

static void show_usb(struct vm_out *out, const struct vm_usb *u)
{
	char node[40] = "/";

	vm_out_str(out, "port", u->port);
	vm_out_u64(out, "usb_bus", u->bus);
	vm_out_u64(out, "usb_device", u->device);
	vm_out_str(out, "serial", u->serial[0] != 0 ? u->serial : NULL);
	vm_usb_node(u, node + 1);
	vm_out_str(out, "node", node);
}

static void show_scsi(struct vm_out *out, const struct vm_scsi *d)
{
	VM_AUTO_FREE char *node = vm_xasprintf("/dev/%s", d->sg);
	VM_AUTO_FREE char *block = vm_xasprintf("/dev/%s", d->block);

	vm_out_str(out, "node", d->sg[0] != 0 ? node : NULL);
	vm_out_str(out, "block", d->block[0] != 0 ? block : NULL);
	vm_hostdev_number(out, "scsi_type", d->type);
}

static void show_mdev(struct vm_out *out, const struct vm_mdev *m)
{
	vm_out_str(out, "type", m->type[0] != 0 ? m->type : NULL);
	vm_out_str(out, "device_api", m->api[0] != 0 ? m->api : NULL);
	vm_out_str(out, "parent", m->parent[0] != 0 ? m->parent : NULL);
}

static const char *role_word(const struct vm_hostdev_item *m, const struct vm_hostdev_item *self)
{
	static const char *const words[] = { "free", "bridge", "blocks" };

	return m == self ? "itself" : words[vm_group_role(m->pci)];
}

static void show_members(struct vm_out *out, bool json, const struct vm_hostdev_view *v,
			 const struct vm_hostdev_item *self)
{
	begin(out, json, "group_members", "group_member");
	for (size_t i = 0; i < v->n; i++) {
		const struct vm_hostdev_item *m = &v->v[i];
		const char *driver = vm_hostdev_driver(m);

		if (m->bus != VM_HOSTDEV_PCI || self->bus != VM_HOSTDEV_PCI ||
		    self->group == VM_NO_GROUP || m->group != self->group)
			continue;
		if (!json) {
			VM_AUTO_FREE char *text = vm_xasprintf(
				"%s %s %s %s", m->name, driver != NULL ? driver : "-", role_word(m, self),
				m->description);

			vm_out_str(out, "group_member", text);
			continue;
		}
		vm_out_row(out);
		vm_out_str(out, "device", m->name);
		vm_out_str(out, "driver", driver);
		vm_out_str(out, "role", role_word(m, self));
		vm_out_str(out, "guest", m->guest);
		vm_out_str(out, "description", m->description);
		vm_out_row_end(out);
	}
	if (json)
		vm_out_array_end(out);
}

static void show_openers(struct vm_out *out, bool json, const struct vm_openers *o)
{
	begin(out, json, "processes", "process");
	for (size_t i = 0; i < o->n; i++) {
		if (!json) {
			VM_AUTO_FREE char *text = vm_xasprintf("%d %s %s", (int)o->v[i].pid,
							       o->v[i].comm, o->v[i].node);

			vm_out_str(out, "process", text);
			continue;
		}
		vm_out_row(out);
		vm_out_i64(out, "pid", o->v[i].pid);
		vm_out_str(out, "command", o->v[i].comm);
		vm_out_str(out, "node", o->v[i].node);
		vm_out_row_end(out);
	}
	if (json)
		vm_out_array_end(out);
}

static void show_blocks(struct vm_out *out, bool json, const struct vm_hostdev_item *i)
{
	begin(out, json, "problems", "problem");
	for (size_t n = 0; n < i->n_blocks; n++) {
		const struct vm_hostdev_block *b = &i->blocks[n];

		if (!json) {
			VM_AUTO_FREE char *text = vm_xasprintf("%s%s%s", b->text,
							       b->hint != NULL ? "; " : "",
							       b->hint != NULL ? b->hint : "");

			vm_out_str(out, "problem", text);
			continue;
		}
		vm_out_row(out);
		vm_out_str(out, "word", b->word);
		vm_out_str(out, "text", b->text);
		vm_out_str(out, "hint", b->hint);
		vm_out_bool(out, "force", b->force);
		vm_out_row_end(out);
	}
	if (json)
		vm_out_array_end(out);
}

static void read_openers(const struct vm_hostdev_view *v, const struct vm_hostdev_item *i,
			 struct vm_deadline deadline, struct vm_openers *ret)
{
	VM_AUTO_FREE struct vm_dev_node *nodes = NULL;
	VM_AUTO_FREE struct vm_dev_node *group = NULL;
	VM_AUTO_FREE char *path = i->path != NULL ? vm_xasprintf(".%s", i->path) : NULL;
	VM_AUTO_FREE char *vfio = vm_xasprintf("sys/class/vfio/%d", i->group);
	VM_AUTO_FD int dir = path != NULL ? vm_sys_dir(&v->sys, path) : -1;
	VM_AUTO_FD int group_dir = i->group != VM_NO_GROUP ? vm_sys_dir(&v->sys, vfio) : -1;
	size_t n, more;

	*ret = (struct vm_openers){ 0 };
	/* what is behind a bridge is not its own */
	if (dir < 0 || (i->bus == VM_HOSTDEV_PCI && !vm_pci_is_endpoint(i->pci)))
		return;
	n = vm_nodes_below(dir, &nodes);
	more = group_dir < 0 ? 0 : vm_nodes_below(group_dir, &group);
	nodes = vm_xreallocarray(nodes, n + more + 1, sizeof(*nodes));
	if (more > 0)
		memcpy(nodes + n, group, more * sizeof(*nodes));
	n += more;
	vm_openers_read(&v->sys, nodes, n, deadline, ret);
}

void vm_hostdev_show(struct vm_out *out, bool json, const struct vm_hostdev_view *v,
		     const struct vm_hostdev_item *i, struct vm_deadline deadline)
{
	VM_AUTO(vm_openers_free) struct vm_openers openers = { 0 };

	vm_out_str(out, "device", i->name);
	vm_out_str(out, "kind", vm_hostdev_bus_words[i->bus]);
	vm_out_str(out, "description", i->description);
	vm_hostdev_ids(out, i);
	vm_out_str(out, "driver", vm_hostdev_driver(i));
	vm_out_str(out, "state", vm_hostdev_state_words[i->state]);
	vm_out_bool(out, "assignable",
		    i->n_blocks == 0 && i->guest == NULL && i->state != VM_HOSTDEV_IS_STUCK);
	vm_out_str(out, "guest", i->guest);
	vm_out_str(out, "alias", i->alias);
	vm_hostdev_number(out, "group", i->group);
	vm_hostdev_number(out, "numa_node", vm_hostdev_numa(i));
	vm_hostdev_resets(out, i);
	switch (i->bus) {
	case VM_HOSTDEV_PCI:
		show_pci(out, &v->sys, &v->vfio, i->pci);
		show_vf(out, &v->sys, i->pci);
		break;
	case VM_HOSTDEV_USB:
		show_usb(out, i->usb);
		break;
	case VM_HOSTDEV_SCSI:
		show_scsi(out, i->scsi);
		break;
	case VM_HOSTDEV_MDEV:
		show_mdev(out, i->mdev);
		break;
	case VM_HOSTDEV_PARENT:
	case VM_HOSTDEV_BUSES:
		break;
	}
	show_memlock(out, &v->sys, i);
	vm_out_str(out, "path", i->path);
	if (i->bus == VM_HOSTDEV_PCI || i->bus == VM_HOSTDEV_PARENT) {
		show_mdev_types(out, json, v, i->makes);
		show_mdevs(out, json, v, i->makes);
	}
	show_blocks(out, json, i);
	show_members(out, json, v, i);
	read_openers(v, i, deadline, &openers);
	show_openers(out, json, &openers);
}
