/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-doctor hostdev: the host's devices for guests. */
#include "doctor.h"

#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/process.h>
#include <vm/strbuf.h>

#include "hostdef.h"
#include "hostdev_view.h"
#include "state/hostdev.h"

/* What a tool was at, and is not any more. */
static bool interrupted(const struct vm_record *r)
{
	enum vm_hostdev_phase phase = vm_hostdev_phase(r);
	struct vm_err gone = VM_ERR_INIT;
	struct vm_procid tool;
	VM_AUTO_FD int fd = -1;

	if (phase != VM_HOSTDEV_BINDING && phase != VM_HOSTDEV_RELEASING && phase != VM_HOSTDEV_MAKING)
		return false;
	return !vm_record_get_procid(r, VM_HOSTDEV_TOOL, &tool) || vm_procid_open(&tool, &fd, &gone) != 0;
}

static void look_record(struct vm_doctor *d, const char *key, const char *name)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	VM_AUTO_FREE char *remedy = NULL;
	struct vm_err ignored = VM_ERR_INIT;
	const char *why, *cure;

	if (vm_hostdev_record_read(d->state, key, &r, &ignored) < 0)
		return;
	why = vm_record_get(&r, VM_HOSTDEV_WHY);
	cure = vm_record_get(&r, VM_HOSTDEV_CURE);
	if (vm_hostdev_phase(&r) == VM_HOSTDEV_STUCK && cure != NULL) {
		vm_doctor_say(d, VM_HEALTH_FAIL, cure, "%s", why != NULL ? why : name);
	} else if (vm_hostdev_phase(&r) == VM_HOSTDEV_STUCK) {
		remedy = vm_xasprintf("end what uses it, then vm-hostdev-unbind %s; when its driver does not come back, boot the "
				      "host again",
				      name);
		vm_doctor_say(d, VM_HEALTH_FAIL, remedy, "%s is stuck: %s", name,
			      why != NULL ? why : "the kernel does not come back");
	} else if (interrupted(&r)) {
		vm_doctor_say(d, VM_HEALTH_WARN, "vm-repair --all", "a change of %s was interrupted", name);
	}
}

/* Given to a guest past these programs. */
static void look_open(struct vm_doctor *d, const struct vm_hostdev_item *i)
{
	for (size_t n = 0; i->open && n < i->n_blocks; n++)
		if (strncmp(i->blocks[n].word, "held:", 5) == 0)
			vm_doctor_say(d, VM_HEALTH_WARN, i->blocks[n].hint, "%s: %s", i->name, i->blocks[n].text);
}

static void look_pci(struct vm_doctor *d, const struct vm_hostdev_view *v, const struct vm_hostdev_item *i)
{
	VM_AUTO_FREE char *remedy = vm_xasprintf("vm-hostdev-reset %s, or boot the host again", i->name);

	struct vm_err err = VM_ERR_INIT;
	int answers = vm_pci_answers(&v->sys, i->name, &err);

	/* once, where that was noticed before */
	if (answers < 0 && v->unread.error == 0)
		vm_doctor_say_err(d, VM_HEALTH_WARN, &err);
	if (answers == 2)
		vm_doctor_say(d, VM_HEALTH_FAIL, remedy, "%s (%s) does not answer any more", i->name, i->description);
	if (i->pci->noiommu)
		vm_doctor_say(d, VM_HEALTH_WARN, "boot without vfio.enable_unsafe_noiommu_mode",
			      "%s is in a group of VFIO's no-IOMMU mode: a guest that has it can read and change everything",
			      i->name);
	if ((i->state == VM_HOSTDEV_IS_READY || i->state == VM_HOSTDEV_IS_ASSIGNED) && i->pci->resets == 0 &&
	    !i->pci->can_reset && i->pci->vgpu < 0)
		vm_doctor_say(d, VM_HEALTH_NOTE, NULL,
			      "%s (%s) cannot be reset: the next guest finds it as the last one left it", i->name,
			      i->description);
}

struct made {
	struct vm_doctor *d;
	const struct vm_hostdev_view *view;
};

static int look_marked(const char *key, void *arg)
{
	const struct made *m = arg;
	VM_AUTO_FREE char *remedy = vm_xasprintf("vm-hostdev-start %s", key);

	if (!vm_hostdev_made(m->view, key))
		vm_doctor_say(m->d, VM_HEALTH_WARN, remedy, "%s is to be there with the host, and is not", key);
	return 0;
}

static void look_definitions(struct vm_doctor *d, const struct vm_hostdev_view *view)
{
	VM_AUTO(vm_hostdefs_close) struct vm_hostdefs defs = VM_HOSTDEFS_INIT;
	struct vm_err err = VM_ERR_INIT;
	struct made made = { d, view };

	if (vm_hostdefs_open(d->session ? "qemu:///session" : "qemu:///system", VM_STATE_READ, &defs, &err) < 0 ||
	    vm_hostdef_marked(&defs, look_marked, &made, &err) < 0)
		vm_doctor_say_err(d, VM_HEALTH_WARN, &err);
}

/* Nobody expects a bridge to be a guest's. */
static bool never_one(const struct vm_hostdev_item *i)
{
	static const char *const words[] = { "bridge", "hub", "mdev-parent" };

	for (size_t b = 0; b < i->n_blocks; b++)
		for (size_t w = 0; w < VM_COUNT(words); w++)
			if (strcmp(i->blocks[b].word, words[w]) == 0)
				return true;
	return false;
}

/* What keeps how many from guests: ": sibling 2, mounted 1"; of each device the first that is told. */
static char *reasons(const struct vm_hostdev_view *v)
{
	struct vm_strbuf b = VM_STRBUF_INIT;
	VM_AUTO_FREE bool *told = vm_xcalloc(v->n + 1, sizeof(*told));

	for (size_t i = 0; i < v->n; i++) {
		const struct vm_hostdev_item *one = &v->v[i];
		size_t len, n = 0;

		if (told[i] || one->state != VM_HOSTDEV_IS_BLOCKED || never_one(one))
			continue;
		len = strcspn(one->blocks[0].word, ":");
		for (size_t k = i; k < v->n; k++) {
			const struct vm_hostdev_item *other = &v->v[k];

			if (told[k] || other->state != VM_HOSTDEV_IS_BLOCKED || never_one(other) ||
			    strcspn(other->blocks[0].word, ":") != len || strncmp(other->blocks[0].word, one->blocks[0].word, len) != 0)
				continue;
			told[k] = true;
			n++;
		}
		vm_strbuf_printf(&b, "%s %.*s %zu", b.len > 0 ? "," : ":", (int)len, one->blocks[0].word, n);
	}
	return vm_strbuf_take(&b);
}

void vm_doctor_hostdev(struct vm_doctor *d)
{
	VM_AUTO(vm_hostdev_view_free) struct vm_hostdev_view view = VM_HOSTDEV_VIEW_INIT;
	struct vm_err err = VM_ERR_INIT;
	VM_AUTO_FREE char *why = NULL;
	size_t free_ones = 0, given = 0, never = 0;

	if (vm_hostdev_view_show(d->state, d->sysroot, &view, &err) < 0) {
		vm_doctor_say_err(d, VM_HEALTH_WARN, &err);
		return;
	}
	if (vm_unread_fail(&view.unread, &err) < 0)
		vm_doctor_say_err(d, VM_HEALTH_WARN, &err);
	for (size_t n = 0; n < view.n; n++) {
		const struct vm_hostdev_item *i = &view.v[n];

		free_ones += i->state == VM_HOSTDEV_IS_HOST || i->state == VM_HOSTDEV_IS_READY;
		given += i->state == VM_HOSTDEV_IS_ASSIGNED || i->state == VM_HOSTDEV_IS_UNPLUGGING;
		never += i->state == VM_HOSTDEV_IS_BLOCKED && never_one(i);
		look_record(d, i->key, i->name);
		look_open(d, i);
		if (i->bus == VM_HOSTDEV_PCI)
			look_pci(d, &view, i);
		if (i->bus == VM_HOSTDEV_PCI && i->pci->vfs_max > 0) {
			VM_AUTO_FREE char *key = vm_xasprintf("vfs:%s", i->name);

			look_record(d, key, key);
		}
	}
	look_definitions(d, &view);
	why = reasons(&view);
	vm_doctor_say(d, VM_HEALTH_OK, NULL, "%zu devices can be given to guests, %zu are, %zu cannot%s (vm-hostdev-list)",
		      free_ones, given, view.n - free_ones - given - never, why);
}
