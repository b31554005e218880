/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>

#include "qemu/qemu.h"

static bool is_companion(const struct vm_controller *c)
{
	return mt_is_set(&c->dev.obj, VM_CONTROLLER_BIT_MASTER_STARTPORT);
}

static size_t place(const struct vm_controllers *c, const struct vm_controller *new)
{
	size_t at = c->n;
	bool found = false;

	for (size_t i = c->n; i-- > 0;) {
		const struct vm_controller *have = c->v[i];

		if (have->kind != new->kind)
			continue;
		if (have->index > new->index ||
		    (have->index == new->index &&is_companion(have) && !is_companion(new))) {
			at = i;
			found = true;
		} else if (!found) {
			at = i + 1;
			found = true;
		}
	}
	return at;
}

void vm_controllers_of(const struct vm_domain *d, bool laying_out, struct vm_controllers *ret)
{
	struct vm_controllers c = {
	    .v = vm_xcalloc((size_t)d->controllers.n + 1, sizeof(struct vm_controller *))};

	for (uint32_t i = 0; i < d->controllers.n; i++) {
		struct vm_controller *new = d->controllers.v[i];
		/* What was added while laying out is laid out last. */
		bool ours = new->dev.obj.node == VM_NODE_NONE;
		size_t at = laying_out && ours ? c.n : place(&c, new);

		memmove(c.v + at + 1, c.v + at, (c.n - at) * sizeof(struct vm_controller *));
		c.v[at] = new;
		c.n++;
	}
	*ret = c;
}

void vm_controllers_free(struct vm_controllers *c)
{
	free(c->v);
	*c = VM_CONTROLLERS_INIT;
}

struct vm_disk **vm_disks_of(const struct vm_domain *d)
{
	struct vm_disk **v = vm_xcalloc((size_t)d->disks.n + 1, sizeof(struct vm_disk *));

	for (size_t n = 0; n < d->disks.n; n++) {
		struct vm_disk *new = d->disks.v[n];
		int index = vm_disk_target_index(new->target);
		size_t at = n;
		bool found = false;

		for (size_t i = n; i-- > 0;) {
			if (v[i]->bus != new->bus)
				continue;
			if (vm_disk_target_index(v[i]->target) > index)
				at = i;
			else if (!found)
				at = i + 1;
			else
				continue;
			found = true;
		}
		memmove(v + at + 1, v + at, (n - at) * sizeof(struct vm_disk *));
		v[at] = new;
	}
	return v;
}

struct vm_video **vm_videos_of(const struct vm_domain *d)
{
	struct vm_video **v = vm_xcalloc((size_t)d->videos.n + 1, sizeof(struct vm_video *));

	for (size_t n = 0; n < d->videos.n; n++) {
		v[n] = d->videos.v[n];
		if (v[n]->primary == VM_SWITCH_ON) {
			struct vm_video *primary = v[n];

			memmove(v + 1, v, n * sizeof(struct vm_video *));
			v[0] = primary;
		}
	}
	return v;
}

struct vm_controller *vm_controller_find(const struct vm_domain *d, int kind, uint64_t index)
{
	for (uint32_t i = 0; i < d->controllers.n; i++) {
		struct vm_controller *c = d->controllers.v[i];

		if (c->kind == kind && c->index == index)
			return c;
	}
	return NULL;
}

struct vm_controller *vm_controller_add(struct vm_domain *d, int kind, uint64_t index, int model)
{
	struct vm_controller *c = vm_domain_add_device(d, VM_FAMILY_CONTROLLER);

	c->kind = kind;
	mt_assigned(&c->dev.obj, VM_CONTROLLER_BIT_KIND);
	c->index = index;
	mt_assigned(&c->dev.obj, VM_CONTROLLER_BIT_INDEX);
	if (model != VM_MODEL_ABSENT) {
		c->model = model;
		mt_assigned(&c->dev.obj, VM_CONTROLLER_BIT_MODEL);
	}
	return c;
}
