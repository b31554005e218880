/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostdev_view.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/log.h>
#include <vm/state.h>
#include <vm/strbuf.h>

#include "hostdev_open.h"
#include "state/hostdev.h"

const char *const vm_hostdev_bus_words[] = { "pci", "usb", "scsi", "mdev", "mdev-parent", NULL };
const char *const vm_hostdev_state_words[] = {
	"host", "ready", "assigned", "unplugging", "stuck", "blocked", NULL,
};

static void item_free(struct vm_hostdev_item *i)
{
	for (size_t n = 0; n < i->n_blocks; n++) {
		free(i->blocks[n].word);
		free(i->blocks[n].text);
		free(i->blocks[n].hint);
	}
	free(i->blocks);
	free(i->key);
	free(i->path);
	free(i->description);
	free(i->guest);
	free(i->alias);
}

void vm_hostdev_view_free(struct vm_hostdev_view *v)
{
	for (size_t i = 0; i < v->n; i++)
		item_free(&v->v[i]);
	free(v->v);
	vm_pcis_free(&v->pcis);
	vm_usbs_free(&v->usbs);
	vm_scsis_free(&v->scsis);
	vm_mdevs_free(&v->mdevs);
	vm_mdev_parents_free(&v->parents);
	vm_uses_free(&v->uses);
	vm_sys_close(&v->sys);
	*v = VM_HOSTDEV_VIEW_INIT;
}

/* Takes ownership of the three texts. */
static void block(struct vm_hostdev_item *i, char *word, char *text, char *hint, bool force)
{
	i->blocks = vm_xreallocarray(i->blocks, i->n_blocks + 1, sizeof(*i->blocks));
	i->blocks[i->n_blocks++] = (struct vm_hostdev_block){ word, text, hint, force };
}

/* ---- what there is ---- */

static struct vm_hostdev_item *add(struct vm_hostdev_view *v, enum vm_hostdev_bus bus, char *key,
				   const char *where, const char *name)
{
	VM_AUTO_FREE char *link = vm_xasprintf("%s/%s", where, name);
	VM_AUTO_FD int dir = vm_sys_look(&v->sys, link, &v->unread);
	struct vm_hostdev_item *i;

	if (v->n % 32 == 0)
		v->v = vm_xreallocarray(v->v, v->n + 32, sizeof(*v->v));
	i = &v->v[v->n++];
	*i = (struct vm_hostdev_item){ .bus = bus, .key = key, .name = key, .group = VM_NO_GROUP };
	if (bus == VM_HOSTDEV_PCI)
		i->name = key + strlen("pci:");
	if (dir >= 0)
		i->path = vm_sys_path(&v->sys, dir, &v->unread);
	return i;
}

/* What is looked at. */
struct scope {
	const char *sysroot;
	unsigned buses;
	bool show; /* what cannot be read is left out */
	bool some; /* no other PCI devices than these and their groups' */
	const char *const *pcis;
	size_t n;
};

static void add_pcis(struct vm_hostdev_view *v, const struct scope *scope)
{
	VM_AUTO(vm_pci_ids_free) struct vm_pci_ids *ids = NULL;

	if (!scope->some)
		vm_pcis_read(&v->sys, &v->pcis, &v->unread);
	if (v->pcis.n > 0 && !scope->some)
		ids = vm_pci_ids_load(&v->sys);
	for (size_t n = 0; n < v->pcis.n; n++) {
		const struct vm_pci *p = &v->pcis.v[n];
		struct vm_hostdev_item *i =
			add(v, VM_HOSTDEV_PCI, vm_xasprintf("pci:%s", p->name), "sys/bus/pci/devices", p->name);

		i->pci = p;
		i->group = p->group;
		if (!scope->some)
			i->description = vm_pci_describe(ids, p->vendor, p->device, p->class);
	}
}

static void add_usbs(struct vm_hostdev_view *v, const struct scope *scope)
{
	(void)scope;
	vm_usbs_read(&v->sys, &v->usbs, &v->unread);
	for (size_t n = 0; n < v->usbs.n; n++) {
		const struct vm_usb *u = &v->usbs.v[n];
		struct vm_hostdev_item *i =
			add(v, VM_HOSTDEV_USB, vm_xasprintf("usb:%s", u->port), "sys/bus/usb/devices", u->port);

		i->usb = u;
		i->description = vm_xasprintf("%s%s%s", u->maker, u->maker[0] != 0 ? " " : "",
					      u->model[0] != 0		 ? u->model
					      : vm_usb_is_hub(u)	 ? "USB hub"
									 : "USB device");
	}
}

static void add_scsis(struct vm_hostdev_view *v, const struct scope *scope)
{
	(void)scope;
	vm_scsis_read(&v->sys, &v->scsis, &v->unread);
	for (size_t n = 0; n < v->scsis.n; n++) {
		const struct vm_scsi *d = &v->scsis.v[n];
		struct vm_hostdev_item *i =
			add(v, VM_HOSTDEV_SCSI, vm_xasprintf("scsi:%s", d->name), "sys/bus/scsi/devices", d->name);

		i->scsi = d;
		i->description = vm_xasprintf("%s%s%s", d->vendor, d->vendor[0] != 0 ? " " : "",
					      d->model[0] != 0 ? d->model : "SCSI device");
	}
}

/* Of some PCI devices those that they carry, which end when their driver does, unless somebody asked for all. */
static void read_mdevs(struct vm_hostdev_view *v, const struct scope *scope)
{
	VM_AUTO_FREE const char **names = NULL;

	if (scope->buses >> VM_HOSTDEV_MDEV & 1) {
		vm_mdevs_read(&v->sys, &v->mdevs, &v->unread);
		return;
	}
	names = vm_xcalloc(v->pcis.n + 1, sizeof(*names));
	for (size_t i = 0; i < v->pcis.n; i++)
		names[i] = v->pcis.v[i].name;
	vm_mdevs_read_on(&v->sys, names, v->pcis.n, &v->mdevs, &v->unread);
}

static void add_mdevs(struct vm_hostdev_view *v, const struct scope *scope)
{
	read_mdevs(v, scope);
	for (size_t n = 0; n < v->mdevs.n; n++) {
		const struct vm_mdev *m = &v->mdevs.v[n];
		struct vm_hostdev_item *i =
			add(v, VM_HOSTDEV_MDEV, vm_xasprintf("mdev:%s", m->uuid), "sys/bus/mdev/devices", m->uuid);

		i->mdev = m;
		i->group = m->group;
		i->description = vm_xasprintf("%s of %s", m->type_name[0] != 0 ? m->type_name : m->type,
					      m->parent[0] != 0 ? m->parent : "?");
	}
}

#define TYPES_SAID 4

/* "makes mtty-1 (24 more), mtty-2 (12 more)", and how one of them is made. */
static void describe_parent(const struct vm_sys *s, struct vm_hostdev_item *i, struct vm_unread *u)
{
	VM_AUTO_FREE struct vm_mdev_type *types = NULL;
	size_t n = vm_mdev_types(s, i->name, &types, u);
	struct vm_strbuf b = VM_STRBUF_INIT;
	const char *can = NULL;

	vm_strbuf_puts(&b, n > 0 ? "makes" : "makes no mediated devices");
	for (size_t t = 0; t < n; t++) {
		if (can == NULL && types[t].available != 0)
			can = types[t].id;
		if (t >= TYPES_SAID)
			continue;
		vm_strbuf_printf(&b, "%s %s", t > 0 ? "," : "", types[t].id);
		if (types[t].available >= 0)
			vm_strbuf_printf(&b, " (%d more)", types[t].available);
	}
	if (n > TYPES_SAID)
		vm_strbuf_printf(&b, ", and %zu other%s", n - TYPES_SAID, n - TYPES_SAID == 1 ? "" : "s");
	i->description = vm_strbuf_take(&b);
	block(i, vm_xstrdup("mdev-parent"), vm_xstrdup("it is not given to guests, but makes devices that are"),
	      can != NULL ? vm_xasprintf("vm-hostdev-create --mdev=%s %s makes one", can, i->name)
			  : vm_xstrdup("it can make no more of them now"),
	      false);
}

/* Those that are PCI devices are among these. */
static void add_parents(struct vm_hostdev_view *v, const struct scope *scope)
{
	(void)scope;
	vm_mdev_parents_read(&v->sys, &v->parents, &v->unread);
	for (size_t n = 0; n < v->parents.n; n++) {
		const struct vm_mdev_parent *p = &v->parents.v[n];
		struct vm_hostdev_item *i = NULL;

		for (size_t k = 0; k < v->n && i == NULL; k++)
			if (v->v[k].bus == VM_HOSTDEV_PCI && strcmp(v->v[k].name, p->name) == 0)
				i = &v->v[k];
		if (i == NULL && strcmp(p->bus, "pci") != 0) {
			i = add(v, VM_HOSTDEV_PARENT, vm_xstrdup(p->name), VM_MDEV_PARENTS, p->name);
			describe_parent(&v->sys, i, &v->unread);
		}
		if (i != NULL)
			i->makes = p;
	}
}

/* ---- who has it ---- */

/* Until somebody has seen to it, and said so. */
static void block_stuck(struct vm_hostdev_item *i, const struct vm_record *r)
{
	const char *why = vm_record_get(r, VM_HOSTDEV_WHY), *cure = vm_record_get(r, VM_HOSTDEV_CURE);

	block(i, vm_xstrdup(cure != NULL ? VM_HOSTDEV_BLOCK_OUT : VM_HOSTDEV_BLOCK_STUCK),
	      cure != NULL ? vm_xstrdup(why) : vm_xasprintf("it is stuck: %s", why != NULL ? why : "the kernel does not come back"),
	      cure != NULL ? vm_xstrdup(cure)
			   : vm_xasprintf("vm-hostdev-unbind %s puts it back once its driver has let go", i->name),
	      false);
}

/* Whose it is cannot be told, so it is not anybody else's to have. */
static void block_unread(struct vm_hostdev_item *i, const struct vm_err *why)
{
	block(i, vm_xstrdup("unread"), vm_xstrdup(why->msg), NULL, false);
}

static void read_owner(const struct vm_state *state, struct vm_hostdev_item *i,
		       enum vm_hostdev_phase *ret_phase)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	VM_AUTO_FREE char *user = NULL;
	struct vm_err why = VM_ERR_INIT;

	*ret_phase = VM_HOSTDEV_NONE;
	if (vm_hostdev_claimed_by(state, i->key, &user, &why) < 0)
		block_unread(i, &why);
	why = VM_ERR_INIT;
	if (vm_hostdev_record_read(state, i->key, &r, &why) == 0)
		*ret_phase = vm_hostdev_phase(&r);
	else if (why.kind != VM_NOT_FOUND)
		block_unread(i, &why);
	if (user == NULL)
		user = vm_xstrdup(vm_record_get(&r, VM_HOSTDEV_USER));
	if (user != NULL)
		i->guest = vm_xstrdup(vm_hostdev_guest(user));
	i->alias = vm_xstrdup(vm_record_get(&r, VM_HOSTDEV_ALIAS));
	if (*ret_phase == VM_HOSTDEV_STUCK)
		block_stuck(i, &r);
}

/* ---- what keeps it from a guest ---- */

static const struct vm_hostdev_item *find_pci(const struct vm_hostdev_view *v, const struct vm_pci *p)
{
	for (size_t i = 0; i < v->n; i++)
		if (v->v[i].bus == VM_HOSTDEV_PCI && v->v[i].pci == p)
			return &v->v[i];
	return NULL;
}

static void block_sibling(struct vm_hostdev_item *i, const struct vm_pci *other)
{
	block(i, vm_xasprintf("sibling:%s", other->name),
	      vm_xasprintf("IOMMU group %d also holds %s (%s)", i->group, other->name, other->driver),
	      vm_xasprintf("park it with --siblings, or take it from its driver: vm-hostdev-bind %s",
			   other->name),
	      false);
}

static void block_group(const struct vm_hostdev_view *v, struct vm_hostdev_item *i)
{
	for (size_t n = 0; n < v->pcis.n; n++) {
		const struct vm_pci *other = &v->pcis.v[n];
		const struct vm_hostdev_item *item;

		if (other == i->pci || other->group != i->group)
			continue;
		item = find_pci(v, other);
		if (vm_group_role(other) == VM_GROUP_BLOCKS)
			block_sibling(i, other);
		if (item != NULL && item->guest != NULL &&
		    (i->guest == NULL || strcmp(item->guest, i->guest) != 0))
			block(i, vm_xasprintf("guest:%s", item->guest),
			      vm_xasprintf("%s of its IOMMU group %d belongs to guest '%s'", item->name,
					   i->group, item->guest),
			      NULL, false);
	}
}

static void block_pci(const struct vm_hostdev_view *v, struct vm_hostdev_item *i)
{
	const struct vm_pci *p = i->pci;
	struct vm_err err = VM_ERR_INIT;

	if (vm_unread_fail(&p->unread, &err) < 0) {
		block_unread(i, &err);
		return;
	}
	if (!vm_pci_is_endpoint(p)) {
		bool known = p->config.header <= VM_PCI_HEADER_CARDBUS;

		block(i, vm_xstrdup("bridge"),
		      vm_xasprintf(known ? "it is a bridge, not an endpoint"
					 : "its header type %u is unknown",
				   p->config.header),
		      NULL, false);
		return;
	}
	if (p->dead)
		block(i, vm_xstrdup("dead"), vm_xstrdup("it does not answer"),
		      vm_xasprintf("vm-hostdev-reset %s, or boot the host again", p->name), false);
	/* These two carry the rest of the machine, whatever their header says. */
	if (p->class >> 8 == 0x0600 || p->class >> 8 == 0x0601) {
		block(i, vm_xstrdup("bridge"), vm_xstrdup("the machine itself hangs on it"), NULL, false);
		return;
	}
	for (size_t n = 0; n < v->mdevs.n && !p->vfio; n++)
		if (strcmp(v->mdevs.v[n].parent, p->name) == 0) {
			block(i, vm_xasprintf("mdev:%s", v->mdevs.v[n].uuid),
			      vm_xasprintf("it carries the mediated device %s", v->mdevs.v[n].uuid),
			      vm_xstrdup("assign that one"), true);
			break;
		}
	if (p->vgpu == 0 && p->driver[0] != 0 && !p->vfio)
		block(i, vm_xstrdup("no-vgpu"),
		      vm_xasprintf("no virtual GPU was made on it, and its driver %s has to stay", p->driver),
		      vm_xasprintf("vm-hostdev-create --vgpu=TYPE %s", p->name), false);
	if (p->vfs > 0 && !p->vfio)
		block(i, vm_xasprintf("vfs:%u", p->vfs),
		      vm_xasprintf("it has %u virtual function%s, which end when its driver does", p->vfs,
				   p->vfs == 1 ? "" : "s"),
		      vm_xstrdup("assign one of these"),
		      true);
	if (vm_vfio_host_check(&v->sys, &v->vfio, &err) < 0)
		block(i, vm_xstrdup(!v->vfio.iommu ? "no-iommu" : "no-vfio"), vm_xstrdup(err.msg),
		      vm_xstrdup(err.hint), false);
	else if (p->group == VM_NO_GROUP)
		block(i, vm_xstrdup("no-group"), vm_xstrdup("it is in no IOMMU group"), NULL, false);
	else if (p->noiommu)
		block(i, vm_xstrdup("no-iommu-mode"),
		      vm_xstrdup("its group is one of VFIO's no-IOMMU mode, which protects nothing"),
		      NULL, false);
	else
		block_group(v, i);
}

/* Source: Linux Documentation/driver-api/vfio-mediated-device.rst, "device_api"; s390/vfio-ccw.rst, s390/vfio-ap.rst. */
static void block_mdev(struct vm_hostdev_item *i)
{
	const char *api = i->mdev->api;

	if (i->group == VM_NO_GROUP)
		block(i, vm_xstrdup("no-group"), vm_xstrdup("it is in no IOMMU group"), NULL, false);
	if (strcmp(api, VM_MDEV_API_PCI) == 0)
		return;
	block(i, vm_xasprintf("no-api:%s", api),
	      api[0] == 0 ? vm_xstrdup("its type tells no device_api")
	      : strcmp(api, "vfio-ccw") == 0 || strcmp(api, "vfio-ap") == 0
		      ? vm_xasprintf("its device_api is %s: only guests of s390x have such devices, and they are not supported", api)
		      : vm_xasprintf("its device_api is %s, which is not known", api),
	      NULL, false);
}

static void block_other(struct vm_hostdev_item *i)
{
	switch (i->bus) {
	case VM_HOSTDEV_USB:
		if (vm_usb_is_hub(i->usb))
			block(i, vm_xstrdup("hub"), vm_xstrdup("it is a hub"), NULL, false);
		break;
	case VM_HOSTDEV_SCSI:
		if (i->scsi->sg[0] == 0)
			block(i, vm_xstrdup("no-sg"), vm_xstrdup("it has no sg node"),
			      vm_xstrdup("load the module sg"), false);
		break;
	case VM_HOSTDEV_MDEV:
		block_mdev(i);
		break;
	case VM_HOSTDEV_PARENT:
	case VM_HOSTDEV_PCI:
	case VM_HOSTDEV_BUSES:
		break;
	}
}

static void block_open(struct vm_hostdev_item *i)
{
	if (i->open)
		block(i, vm_xasprintf("held:%s", i->guest),
		      vm_xasprintf("guest '%s' has it open, though it was not given to it", i->guest),
		      vm_xasprintf("vm-info '%s' hostdevs tells as what; vm-detach-hostdev '%s' %s takes it back", i->guest,
				   i->guest, i->name),
		      false);
}

#define NOBODY_KNOWS "?" /* no guest is called that */

static char *use_text(const struct vm_use *u)
{
	switch (u->kind) {
	case VM_USE_MOUNT:
		return vm_xasprintf("its %s is mounted at %s", u->by, u->what);
	case VM_USE_SWAP:
		return vm_xasprintf("its %s is swapped to", u->by);
	case VM_USE_VOLUME:
		return vm_xasprintf("its %s is part of %s", u->by, u->what);
	case VM_USE_ROUTE:
		return vm_xasprintf("the host's packets are routed through its %s", u->by);
	case VM_USE_BRIDGE:
		return vm_xasprintf("its %s is a port of %s", u->by, u->what);
	case VM_USE_CONSOLE:
		return vm_xasprintf("it is the host's console (%s)", u->by);
	case VM_USE_GUEST:
		return strcmp(u->what, NOBODY_KNOWS) == 0
			       ? vm_xasprintf("%s hangs on it, and whose that is cannot be told", u->by)
			       : vm_xasprintf("guest '%s' has %s, which hangs on it", u->what, u->by);
	case VM_USE_KINDS:
		break;
	}
	return vm_xstrdup("it is in use");
}

static void block_uses(const struct vm_hostdev_view *v, struct vm_hostdev_item *i)
{
	const struct vm_use *u;
	size_t at = 0;

	/* a bridge carries what is behind it */
	if (i->path == NULL || (i->bus == VM_HOSTDEV_PCI && !vm_pci_is_endpoint(i->pci)))
		return;
	while ((u = vm_uses_next(&v->uses, i->path, &at)) != NULL) {
		bool guest = u->kind == VM_USE_GUEST;

		/* that it is a guest's itself is told otherwise */
		if (guest && strcmp(u->path, i->path) == 0)
			continue;
		block(i, vm_xasprintf("%s:%s", vm_use_words[u->kind], u->what), use_text(u),
		      vm_xstrdup(guest ? "take that from the guest first" : "end that use, or assign it with --force"), !guest);
	}
}

static enum vm_hostdev_state judge(const struct vm_hostdev_item *i, enum vm_hostdev_phase phase)
{
	if (phase == VM_HOSTDEV_STUCK)
		return VM_HOSTDEV_IS_STUCK;
	if (phase == VM_HOSTDEV_UNPLUGGING)
		return VM_HOSTDEV_IS_UNPLUGGING;
	if (i->guest != NULL)
		return VM_HOSTDEV_IS_ASSIGNED;
	if (i->n_blocks > 0)
		return VM_HOSTDEV_IS_BLOCKED;
	if ((i->bus == VM_HOSTDEV_PCI && i->pci->vfio) || i->bus == VM_HOSTDEV_MDEV)
		return VM_HOSTDEV_IS_READY;
	return VM_HOSTDEV_IS_HOST;
}

struct claims {
	const struct vm_state *state;
	struct vm_hostdev_view *view;
};

static int add_claim(int dirfd, const char *key, void *arg)
{
	const struct claims *c = arg;
	VM_AUTO_FREE char *user = NULL;
	struct vm_err why = VM_ERR_INIT;

	(void)dirfd;
	if (!vm_uses_is_device(key))
		return 0;
	/* whose it is that cannot be read is nobody's to decide */
	if (vm_hostdev_claimed_by(c->state, key, &user, &why) < 0)
		vm_uses_add_guest(&c->view->sys, &c->view->uses, key, NOBODY_KNOWS, &c->view->unread);
	else if (user != NULL)
		vm_uses_add_guest(&c->view->sys, &c->view->uses, key, vm_hostdev_guest(user), &c->view->unread);
	return 0;
}

/* What guests have may hang on what another one is to have: a USB device on its controller, a disk on its adapter. */
static void add_guests(const struct vm_state *state, struct vm_hostdev_view *v)
{
	struct claims c = { state, v };
	struct vm_err why = VM_ERR_INIT;

	if (vm_dir_each(state->claims, add_claim, &c, &why) < 0) {
		errno = why.sys != 0 ? why.sys : EIO;
		vm_unread_note(&v->unread, state->claims, ".");
	}
}

static int read_scope(const struct vm_state *state, const struct scope *scope, struct vm_hostdev_view *ret,
		      struct vm_err *err)
{
	static void (*const adds[])(struct vm_hostdev_view *, const struct scope *) = {
		[VM_HOSTDEV_PCI] = add_pcis,
		[VM_HOSTDEV_USB] = add_usbs,
		[VM_HOSTDEV_SCSI] = add_scsis,
		[VM_HOSTDEV_MDEV] = add_mdevs,
		[VM_HOSTDEV_PARENT] = add_parents,
	};
	struct vm_hostdev_view v = VM_HOSTDEV_VIEW_INIT;
	VM_AUTO_FREE enum vm_hostdev_phase *phases = NULL;

	if (vm_sys_open(scope->sysroot, &v.sys, err) < 0)
		return -1;
	if (scope->some && vm_group_pcis(&v.sys, scope->pcis, scope->n, &v.pcis, err) < 0) {
		vm_hostdev_view_free(&v);
		return -1;
	}
	vm_vfio_host_read(&v.sys, &v.vfio, &v.unread);
	vm_uses_read(&v.sys, &v.uses, &v.unread);
	for (unsigned bus = 0; bus < VM_HOSTDEV_BUSES; bus++)
		if (scope->buses >> bus & 1 || (scope->some && bus == VM_HOSTDEV_MDEV))
			adds[bus](&v, scope);
	if (state != NULL && state->claims >= 0)
		add_guests(state, &v);
	if (!scope->show && vm_unread_fail(&v.unread, err) < 0) {
		vm_hostdev_view_free(&v);
		return vm_err_wrap(err, "look at the host's devices");
	}
	phases = vm_xcalloc(v.n + 1, sizeof(*phases));
	for (size_t i = 0; state != NULL && i < v.n; i++)
		if (v.v[i].bus != VM_HOSTDEV_PARENT)
			read_owner(state, &v.v[i], &phases[i]);
	if (state != NULL)
		vm_hostdev_find_open(&v, state);
	for (size_t i = 0; i < v.n; i++) {
		if (v.v[i].bus == VM_HOSTDEV_PCI)
			block_pci(&v, &v.v[i]);
		else
			block_other(&v.v[i]);
		block_open(&v.v[i]);
		block_uses(&v, &v.v[i]);
		v.v[i].state = judge(&v.v[i], phases[i]);
	}
	*ret = v;
	return 0;
}

int vm_hostdev_view_read(const struct vm_state *state, unsigned buses, struct vm_hostdev_view *ret, struct vm_err *err)
{
	const struct scope scope = { .buses = buses };

	return read_scope(state, &scope, ret, err);
}

int vm_hostdev_view_show(const struct vm_state *state, const char *sysroot, struct vm_hostdev_view *ret, struct vm_err *err)
{
	const struct scope scope = { .sysroot = sysroot, .buses = VM_HOSTDEV_ALL, .show = true };
	struct vm_err unread = VM_ERR_INIT;

	if (read_scope(state, &scope, ret, err) < 0)
		return -1;
	if (vm_unread_fail(&ret->unread, &unread) < 0)
		vm_log_warning("%s", unread.msg);
	return 0;
}

int vm_hostdev_view_read_some(const struct vm_state *state, unsigned buses, const char *const *pcis, size_t n,
			      struct vm_hostdev_view *ret, struct vm_err *err)
{
	const struct scope scope = { .buses = buses, .some = true, .pcis = pcis, .n = n };

	return read_scope(state, &scope, ret, err);
}
