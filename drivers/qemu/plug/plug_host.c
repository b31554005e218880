/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the host does before QEMU may be given a device: each step after its inverse. */
#include "plug.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/log.h>
#include <vm/nodes.h>
#include <vm/state.h>

#include "confine/view.h"
#include "guest/group.h"
#include "guest/hostdev_bind.h"
#include "host/iommu.h"
#include "host/scsi.h"
#include "host/task.h"
#include "hostdev.h"
#include "model/memlock.h"
#include "qemu/run/reap.h"
#include "state/hostdev.h"

static int push(struct vm_plug *p, const char *verb, const char *arg, struct vm_err *err)
{
	return vm_undo_push(&p->undo, verb, "%s", arg) < 0 ? vm_err_sys(err, "write the journal") : 0;
}

/* What vm-hostdev-reap undoes. */
static int push_plug(struct vm_plug *p, const char *what, const char *arg, struct vm_err *err)
{
	VM_AUTO_FREE char *text = vm_xasprintf("%s%s", what, arg);

	return push(p, VM_PLUG_VERB, text, err);
}

/* ---- claims ---- */

static int is_own(const struct vm_plug *p, const char *key, bool *ret, struct vm_err *err)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	VM_AUTO_FREE char *self = vm_xasprintf("%s/%s", p->g->state->driver, p->g->name);

	if (vm_claim_read(p->g->state, key, &r, err) < 0)
		return -1;
	*ret = vm_record_has(&r, "user", self);
	return 0;
}

static int claim(struct vm_plug *p, const char *key, enum vm_claim_mode mode, const char *what,
		 struct vm_err *err)
{
	vm_log_step("claim %s", key);
	if (p->o->dry_run)
		return 0;
	return push_plug(p, VM_PLUG_CLAIM, key, err) < 0 ? -1 : vm_claim_take(p->g, key, mode, what, err);
}

/* For a device before it. */
static bool group_claimed(const struct vm_plug *p, size_t nth)
{
	for (size_t i = 0; i < nth; i++)
		if (p->v[i].key != NULL && p->v[i].group == p->v[nth].group && !p->v[i].kept)
			return true;
	return false;
}

/* The group first: it is what two guests may not share. */
int vm_plug_claim(struct vm_plug *p, struct vm_err *err)
{
	for (size_t i = 0; i < p->n; i++) {
		struct vm_plug_device *v = &p->v[i];
		VM_AUTO_FREE char *text = vm_hostdev_held(v->h, v->key);
		VM_AUTO_FREE char *group = vm_xasprintf(VM_HOSTDEV_GROUP_KEY "%d", v->group);
		bool own;

		vm_record_add(&p->record, VM_KEY_HOSTDEV, text);
		if (v->key == NULL)
			continue;
		if (is_own(p, v->key, &v->kept, err) < 0)
			return -1;
		if (v->kept)
			continue;
		own = v->group == VM_NO_GROUP || group_claimed(p, i);
		if ((!own && is_own(p, group, &own, err) < 0) ||
		    (!own && claim(p, group, VM_CLAIM_EXCLUSIVE, v->name, err) < 0))
			return -1;
		if (claim(p, v->key, v->h->shareable ? VM_CLAIM_SHARED : VM_CLAIM_EXCLUSIVE, v->name, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- drivers ---- */

/* It stays with its driver; only its hooks are asked. */
static int hook(struct vm_plug *p, const struct vm_plug_device *v, const char *user, struct vm_err *err)
{
	uint64_t spent_ms = 0;
	const struct vm_hostdev_take take = { .state = p->g->state, .sys = &p->view.sys, .name = v->key, .user = user,
					      .dry_run = p->o->dry_run, .deadline = p->deadline, .spent_ms = &spent_ms };
	VM_AUTO_FREE char *held = vm_xasprintf(VM_HOSTDEV_VERB " %s", v->key);
	int r = vm_hostdev_hooked(&take, err);

	if (r <= 0)
		return r;
	if (!p->o->dry_run && push(p, VM_HOSTDEV_VERB, v->key, err) < 0)
		return -1;
	r = vm_hostdev_hook_take(&take, err);
	if (p->deadline.at_ms != 0)
		p->deadline.at_ms += spent_ms;
	vm_record_add(&p->record, VM_KEY_HELD, held);
	return r;
}

int vm_plug_bind(struct vm_plug *p, struct vm_err *err)
{
	VM_AUTO_FREE char *user = vm_xasprintf("%s/%s", p->g->state->driver, p->g->name);
	bool later = false;

	for (size_t i = 0; i < p->n; i++) {
		const struct vm_plug_device *v = &p->v[i];
		struct vm_vf_want want;
		uint64_t spent_ms = 0;
		const struct vm_hostdev_take take = {
			.state = p->g->state,
			.sys = &p->view.sys,
			.name = v->name,
			.user = user,
			.alias = v->h->dev.alias,
			.driver = v->h->driver_model,
			.managed = v->h->managed == VM_SWITCH_ON,
			.dry_run = p->o->dry_run,
			.later = later,
			.vf = v->interface != NULL ? &want : NULL,
			.deadline = p->deadline,
			.spent_ms = &spent_ms,
		};
		VM_AUTO_FREE char *held = vm_xasprintf(VM_HOSTDEV_VERB " %s", v->name);

		if (v->h->type != VM_HOSTDEV_TYPE_PCI && v->key != NULL && !v->kept && hook(p, v, user, err) < 0)
			return -1;
		if (v->h->type != VM_HOSTDEV_TYPE_PCI || (v->kept && v->interface == NULL))
			continue;
		if (v->interface != NULL)
			want = vm_interface_vf(v->interface);
		if (v->kept) {
			/* its MAC and VLAN may be others this time */
			if (vm_hostdev_take(&take, err) < 0)
				return -1;
			continue;
		}
		if (!p->o->dry_run && push(p, VM_HOSTDEV_VERB, v->name, err) < 0)
			return -1;
		if (vm_hostdev_take(&take, err) < 0)
			return -1;
		later = true;
		if (p->deadline.at_ms != 0)
			p->deadline.at_ms += spent_ms;
		vm_record_add(&p->record, VM_KEY_HELD, held);
	}
	return 0;
}

/* ---- nodes ---- */

#define CONTAINER VM_VFIO_NODES "/vfio"

static bool is_new(const struct vm_plug *p, const struct vm_node *n)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(n->by, p->v[i].h->dev.alias) == 0)
			return n->path != NULL;
	return false;
}

/* VFIO may not have been loaded when the guest was started: then what is usually everybody's is these devices' alone. */
static bool has_container(const struct vm_plug *p)
{
	VM_AUTO(vm_acl_free) struct vm_acl now = VM_ACL_INIT;
	struct vm_err ignored = VM_ERR_INIT;

	if (vm_acl_from_record(&p->g->record, VM_KEY_ACL_RULE, &now, &ignored) < 0)
		return false;
	for (size_t i = 0; i < now.n; i++)
		if (now.v[i].path != NULL && strcmp(now.v[i].path, CONTAINER) == 0 && now.v[i].by != NULL &&
		    strncmp(now.v[i].by, VM_NODES_STATIC, strlen(VM_NODES_STATIC)) == 0)
			return true;
	return false;
}

static int new_nodes(const struct vm_plug *p, struct vm_nodes *ret, struct vm_err *err)
{
	VM_AUTO(vm_nodes_free) struct vm_nodes all = VM_NODES_INIT;
	bool container = has_container(p);

	*ret = VM_NODES_INIT;
	if (vm_domain_nodes(p->d, &p->g->state->conf, &all, err) < 0)
		return -1;
	for (size_t i = 0; i < all.n; i++)
		if (is_new(p, &all.v[i]))
			vm_nodes_add(ret, all.v[i].path, all.v[i].perms,
				     all.v[i].optional || p->o->dry_run, all.v[i].by);
	for (size_t i = 0; !container && i < p->n; i++)
		if ((p->v[i].h->type == VM_HOSTDEV_TYPE_PCI && !vm_hostdev_iommufd(p->d, p->v[i].h)) ||
		    p->v[i].h->type == VM_HOSTDEV_TYPE_MDEV)
			vm_nodes_add(ret, CONTAINER, VM_NODE_READ | VM_NODE_WRITE, p->o->dry_run,
				     p->v[i].h->dev.alias);
	return 0;
}

static void name_rules(const struct vm_plug *p, const struct vm_nodes *nodes, const struct vm_acl *more)
{
	char text[VM_ACL_TEXT];

	for (size_t i = 0; i < more->n; i++)
		vm_log_step("allow %s (%s)", vm_acl_format(&more->v[i], text),
			    more->v[i].path != NULL ? more->v[i].path : "-");
	/* A node of its own comes with VFIO, and so does its name. */
	for (size_t i = 0; p->o->dry_run && i < p->n; i++) {
		const struct vm_plug_device *v = &p->v[i];
		const struct vm_pci *pci = v->h->type == VM_HOSTDEV_TYPE_PCI ? vm_pcis_find(&p->view.pcis, v->name) : NULL;

		if (pci != NULL && vm_hostdev_iommufd(p->d, v->h) && pci->vfio_cdev[0] == 0)
			vm_log_step("allow rw of the node that %s gets below " VM_VFIO_DEVICES, v->name);
	}
	/* Where it is not bound yet its number is not known. */
	for (size_t i = 0; p->o->dry_run && i < nodes->n; i++)
		if (access(nodes->v[i].path, F_OK) < 0 &&
		    (i == 0 || strcmp(nodes->v[i].path, nodes->v[i - 1].path) != 0))
			vm_log_step("allow rw of %s", nodes->v[i].path);
}

static void warn_blocked(const struct vm_plug *p, const struct vm_acl *more)
{
	VM_AUTO(vm_cgroup_close) struct vm_cgroup group = VM_CGROUP_INIT;
	VM_AUTO_FREE char *note = NULL;
	struct vm_err ignored = VM_ERR_INIT;
	unsigned sides = vm_acl_sides_from_word(vm_record_get(&p->g->record, VM_KEY_ACL));

	if (vm_guest_group_open(p->g, &group, &ignored) == 0 && group.path != NULL &&
	    vm_acl_blocked(&group, sides, more, &note, &ignored) == 0 && note != NULL)
		vm_log_warning("%s: %s", p->g->name, note);
}

int vm_plug_rules(struct vm_plug *p, struct vm_err *err)
{
	VM_AUTO(vm_nodes_free) struct vm_nodes nodes = VM_NODES_INIT;
	VM_AUTO(vm_acl_free) struct vm_acl more = VM_ACL_INIT;

	if (new_nodes(p, &nodes, err) < 0 ||
	    vm_acl_from_record(&p->g->record, VM_KEY_ACL_RULE, &p->acl, err) < 0 ||
	    vm_acl_from_nodes(&nodes, -1, &more, err) < 0)
		return -1;
	name_rules(p, &nodes, &more);
	if (p->o->dry_run)
		return 0;
	vm_acl_merge(&p->acl, &more);
	if (vm_guest_acl_apply(p->g, &p->acl, &p->undo, err) < 0)
		return -1;
	vm_record_set(&p->record, VM_KEY_ACL_RULE, NULL);
	vm_acl_to_record(&p->acl, VM_KEY_ACL_RULE, &p->record);
	warn_blocked(p, &more);
	return 0;
}

static int own_file(void *arg, const char *path, int fd, struct vm_err *err)
{
	struct vm_plug *p = arg;
	VM_AUTO_FREE char *held = NULL;
	char key[VM_OWNER_KEY_MAX];
	struct stat st;

	if (fstat(fd, &st) < 0)
		return vm_err_sys(err, "%s", path);
	vm_owner_key(&st, key);
	held = vm_xasprintf("owner %s", key);
	if (push(p, "owner", key, err) < 0)
		return -1;
	vm_record_add(&p->record, VM_KEY_HELD, held);
	return vm_owner_change(p->g, path, fd, (uint32_t)vm_record_u64(&p->record, VM_KEY_UID, 0),
			       (uint32_t)vm_record_u64(&p->record, VM_KEY_GID, 0), err);
}

static int add_node(struct vm_plug *p, struct vm_view *view, const struct vm_node *n, struct vm_err *err)
{
	const char *below = n->path + strlen("/dev/");
	struct stat st;

	if (stat(n->path, &st) < 0)
		return n->optional ? 0 : vm_err_sys(err, "%s: device node %s", n->by, n->path);
	if (strncmp(n->path, "/dev/", 5) != 0 || (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode)))
		return 0;
	if (fstatat(view->dev, below, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		vm_log_step("make the guest's own %s", n->path);
		if (push_plug(p, VM_PLUG_NODE, below, err) < 0)
			return -1;
	}
	return vm_view_add(view, n->path,
			   VM_VIEW_READ | ((n->perms & VM_NODE_WRITE) != 0 ? VM_VIEW_WRITE : 0u), err);
}

static int add_rom(struct vm_plug *p, struct vm_view *view, const struct vm_plug_device *v, struct vm_err *err)
{
	const char *file = v->h->dev.rom != NULL ? v->h->dev.rom->file : NULL;

	if (file == NULL || vm_hostdev_parked(v->h))
		return 0;
	if (push_plug(p, VM_PLUG_VIEW, file, err) < 0)
		return -1;
	return vm_view_add(view, file, VM_VIEW_READ, err) < 0 ? vm_err_wrap(err, "rom of %s", v->name) : 0;
}

/* Without a user of its own QEMU sees the host's nodes. */
int vm_plug_nodes(struct vm_plug *p, struct vm_err *err)
{
	const struct vm_record *r = &p->g->record;
	VM_AUTO(vm_nodes_free) struct vm_nodes nodes = VM_NODES_INIT;
	VM_AUTO_FD int dev = -1;
	VM_AUTO(vm_view_free) struct vm_view view = VM_VIEW_INIT;
	struct vm_procid qemu;

	if (vm_record_get(r, VM_KEY_UID) == NULL || p->o->dry_run)
		return 0;
	if (!vm_record_get_procid(r, VM_KEY_PID, &qemu))
		return vm_err_set(err, VM_BAD_INPUT, "its record names no process");
	dev = openat(p->g->run, VM_RUN_DEV, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dev < 0)
		return vm_err_sys(err, "open the guest's /dev");
	view.uid = (uint32_t)vm_record_u64(r, VM_KEY_UID, 0);
	view.gid = (uint32_t)vm_record_u64(r, VM_KEY_GID, view.uid);
	view.maps = vm_seclabel_relabels(vm_domain_seclabel(p->d, VM_SECLABEL_DAC));
	view.dev = dev;
	view.whole_dev = vm_record_bool(r, VM_KEY_OWN_DEV, true);
	view.own = own_file;
	view.arg = p;
	if (new_nodes(p, &nodes, err) < 0)
		return -1;
	for (size_t i = 0; i < nodes.n; i++)
		if (add_node(p, &view, &nodes.v[i], err) < 0)
			return -1;
	for (size_t i = 0; i < p->n; i++)
		if (add_rom(p, &view, &p->v[i], err) < 0)
			return -1;
	return vm_view_join(&view, qemu.pid, err);
}

/* ---- descriptors ---- */

int vm_plug_open(struct vm_plug *p, struct vm_err *err)
{
	for (size_t i = 0; i < p->n; i++) {
		struct vm_plug_device *v = &p->v[i];

		if (v->h->type != VM_HOSTDEV_TYPE_SCSI_HOST)
			continue;
		vm_log_step("open vhost-scsi for QEMU");
		if (!p->o->dry_run && vm_vhost_scsi_open(&v->fd, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- locked memory ---- */

/* A limit that is high enough already is somebody else's matter. */
int vm_plug_memlock(struct vm_plug *p, struct vm_err *err)
{
	uint64_t want = vm_domain_memlock(p->d), soft, hard;
	struct rlimit new;
	struct vm_procid qemu;
	char was[48];

	if (want == 0 || !vm_record_get_procid(&p->g->record, VM_KEY_PID, &qemu))
		return 0;
	if (!vm_task_memlock(qemu.pid, &soft, &hard))
		return vm_err_sys(err, "read the limits of process %d", (int)qemu.pid);
	if (soft >= want)
		return 0;
	new.rlim_cur = want == VM_MEMLOCK_UNLIMITED ? RLIM_INFINITY : (rlim_t)want;
	new.rlim_max = hard == UINT64_MAX ? RLIM_INFINITY : (rlim_t)(hard > want ? hard : want);
	vm_log_step("raise the limit of locked memory from %" PRIu64 " to %" PRIu64 " bytes", soft, want);
	if (p->o->dry_run)
		return 0;
	snprintf(was, sizeof(was), "%" PRIu64 " %" PRIu64, soft, hard);
	if (push_plug(p, VM_PLUG_MEMLOCK, was, err) < 0)
		return -1;
	if (vm_record_get(&p->record, VM_KEY_MEMLOCK) == NULL)
		vm_record_set(&p->record, VM_KEY_MEMLOCK, was);
	if (prlimit(qemu.pid, RLIMIT_MEMLOCK, &new, NULL) == 0)
		return 0;
	vm_err_sys(err, "raise the limit of locked memory of QEMU from %" PRIu64 " to %" PRIu64 " bytes", soft, want);
	return vm_err_hint(err, "that needs CAP_SYS_RESOURCE, or a higher limit when the guest is started");
}
