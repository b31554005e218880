// SPDX-License-Identifier: LGPL-2.1-or-later
#include <driver.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "domain.h"
#include "mt_match.h"
#include "rows.h"

/* ---- facts that need no driver ---- */

static int random_bytes(void *p, size_t n, struct vm_err *err)
{
	if (getrandom(p, n, 0) != (ssize_t)n)
		return vm_err_sys_kind(err, VM_SYSTEM, "getrandom");
	return 0;
}

static int make_uuid(uint8_t uuid[16], struct vm_err *err)
{
	if (random_bytes(uuid, 16, err) < 0)
		return -1;
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40); /* RFC 9562: version 4 */
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
	return 0;
}

static bool mac_taken(const struct vm_domain *d, const uint8_t mac[6])
{
	for (uint32_t i = 0; i < d->interfaces.n; i++) {
		const struct vm_interface *f = d->interfaces.v[i];

		if (mt_is_set(&f->dev.obj, VM_INTERFACE_BIT_MAC) && memcmp(f->mac, mac, 6) == 0)
			return true;
	}
	return false;
}

/* Source: QEMU's and libvirt's own prefix for KVM guests, 52:54:00. */
static int make_mac(const struct vm_domain *d, uint8_t mac[6], struct vm_err *err)
{
	mac[0] = 0x52;
	mac[1] = 0x54;
	mac[2] = 0x00;
	do {
		if (random_bytes(mac + 3, 3, err) < 0)
			return -1;
	} while (d != NULL && mac_taken(d, mac));
	return 0;
}

int vm_interface_fill(struct vm_interface *f, const struct vm_domain *d, struct vm_err *err)
{
	if (mt_is_set(&f->dev.obj, VM_INTERFACE_BIT_MAC))
		return 0;
	if (make_mac(d, f->mac, err) < 0)
		return -1;
	mt_assigned(&f->dev.obj, VM_INTERFACE_BIT_MAC);
	return 0;
}

int vm_domain_fill(struct vm_domain *d, struct vm_err *err)
{
	if (!mt_is_set(&d->obj, VM_DOMAIN_BIT_UUID)) {
		if (make_uuid(d->uuid, err) < 0)
			return -1;
		mt_assigned(&d->obj, VM_DOMAIN_BIT_UUID);
	}
	if (d->genid && !mt_is_set(&d->genid->obj, 0)) {
		if (make_uuid(d->genid->uuid, err) < 0)
			return -1;
		mt_assigned(&d->genid->obj, 0);
	}
	for (uint32_t i = 0; i < d->interfaces.n; i++)
		if (vm_interface_fill(d->interfaces.v[i], d, err) < 0)
			return -1;
	for (uint32_t i = 0; i < d->disks.n; i++) {
		struct vm_disk *disk = d->disks.v[i];

		if (disk->bus)
			continue;
		disk->bus = vm_disk_bus_of_target(disk->target, vm_domain_is_q35(d));
		mt_assigned(&disk->dev.obj, VM_DISK_BIT_BUS);
	}
	return 0;
}

/* ---- what an earlier define decided ---- */

/* "pc" and "q35" stand for the newest of their kind: a guest keeps the one it has. */
static void carry_machine(struct vm_domain *d, const struct vm_domain *stored)
{
	static const struct {
		const char *alias, *prefix;
	} machines[] = {{"pc", "pc-i440fx-"}, {"q35", "pc-q35-"}};
	const char *old = stored->os->machine;

	if (!d->os->machine || !old)
		return;
	for (size_t i = 0; i < VM_COUNT(machines); i++)
		if (strcmp(d->os->machine, machines[i].alias) == 0 &&
		    strncmp(old, machines[i].prefix, strlen(machines[i].prefix)) == 0) {
			free(d->os->machine);
			d->os->machine = vm_xstrdup(old);
			mt_assigned(&d->os->obj, VM_OS_BIT_MACHINE);
			return;
		}
}

static bool differ(int given, int stored)
{
	return given && given != stored;
}

/* Does the document ask for another kind of device than the stored one, so that its place is no
 * use? */
static bool other_kind(const struct vm_domain *d, enum vm_device_family family, const void *given,
		       const void *stored)
{
	switch (family) {
	case VM_FAMILY_DISK: {
		const struct vm_disk *a = given, *b = stored;
		int bus = a->bus ? a->bus : vm_disk_bus_of_target(a->target, vm_domain_is_q35(d));

		return differ(bus, b->bus);
	}
	case VM_FAMILY_CONTROLLER:
		return differ(((const struct vm_controller *)given)->model,
			      ((const struct vm_controller *)stored)->model);
	case VM_FAMILY_INTERFACE:
		return differ(((const struct vm_interface *)given)->model,
			      ((const struct vm_interface *)stored)->model);
	case VM_FAMILY_SERIAL:
	case VM_FAMILY_CONSOLE:
		return differ(((const struct vm_char *)given)->target_type,
			      ((const struct vm_char *)stored)->target_type);
	case VM_FAMILY_MEMBALLOON:
		return differ(((const struct vm_memballoon *)given)->model,
			      ((const struct vm_memballoon *)stored)->model);
	case VM_FAMILY_VIDEO:
	case VM_FAMILY_INPUT:
	case VM_FAMILY_WATCHDOG:
	case VM_FAMILY_PANIC:
	case VM_FAMILY_CHANNEL:
	case VM_FAMILY_PARALLEL:
	case VM_FAMILY_GRAPHICS:
	case VM_FAMILY_RNG:
	case VM_FAMILY_AUDIO:
	case VM_FAMILY_HOSTDEV:
	case VM_FAMILY_TPM:
	case VM_FAMILY_FILESYSTEM:
	case VM_FAMILY_IOMMU:
	case VM_FAMILIES:
		break;
	}
	return false;
}

static void drop_place(enum vm_device_family family, struct vm_device *dev)
{
	const uint64_t pci =
	    VM_ONE(VM_CONTROLLER_BIT_PCI_NAME) | VM_ONE(VM_CONTROLLER_BIT_CHASSIS_NR) |
	    VM_ONE(VM_CONTROLLER_BIT_CHASSIS) | VM_ONE(VM_CONTROLLER_BIT_PORT) |
	    VM_ONE(VM_CONTROLLER_BIT_BUS_NR) | VM_ONE(VM_CONTROLLER_BIT_PCI_INDEX) |
	    VM_ONE(VM_CONTROLLER_BIT_PORTS) | VM_ONE(VM_CONTROLLER_BIT_MASTER_STARTPORT);
	const uint64_t serial = VM_ONE(VM_CHAR_BIT_TARGET_MODEL) | VM_ONE(VM_CHAR_BIT_TARGET_PORT);

	vm_device_drop_address(dev);
	if (family == VM_FAMILY_DISK)
		dev->obj.set &= ~VM_ONE(VM_DISK_BIT_BUS);
	if (family == VM_FAMILY_CONTROLLER)
		dev->obj.set &= ~pci;
	if (family == VM_FAMILY_SERIAL || family == VM_FAMILY_CONSOLE)
		dev->obj.set &= ~serial;
}

/* Makes the stored document forget places that the new one cannot use. */
static void forget_places(const struct vm_domain *d, struct vm_domain *stored)
{
	for (unsigned family = 0; family < VM_FAMILIES; family++) {
		const struct mt_list *a = vm_domain_list(d, family);
		const struct mt_list *b = vm_domain_list(stored, family);
		VM_AUTO_FREE uint32_t *pair = mt_match(vm_families[family].type, a, b);

		for (uint32_t i = 0; i < a->n; i++)
			if (pair[i] != UINT32_MAX && other_kind(d, family, a->v[i], b->v[pair[i]]))
				drop_place(family, b->v[pair[i]]);
	}
}

static void see_difference(const char *path, const char *old_value, const char *new_value,
			   void *arg)
{
	(void)old_value;
	(void)new_value;
	if (!strstr(path, "address") && !strstr(path, "target/"))
		*(bool *)arg = true;
}

/* Equal but for where it is plugged in: an address, a PCI port's numbers. */
static bool same_device(enum vm_device_family family, const void *a, const void *b)
{
	bool differs = false;

	mt_diff(vm_families[family].type, a, b, see_difference, &differs);
	return !differs;
}

/*
 * Devices the driver adds by itself (controllers, memory balloon ...) keep what the stored document
 * says of them, above all their addresses.  Which they are shows a trial: the document with what
 * was found so far, completed; until a trial finds no more.  They are added in the order in which
 * they are stored, so that the text comes out the same.
 */
struct carry {
	const struct vm_domain *d, *stored; /* the document, and the one before it */
	struct vm_domain *trial;	    /* owned */
	bool *take[VM_FAMILIES];	    /* owned: by index in the stored list */
};

static void free_carry(struct carry *c)
{
	vm_domain_free(c->trial);
	for (unsigned i = 0; i < VM_FAMILIES; i++)
		free(c->take[i]);
}

/* Adds copies of what was found; all of them is ours to write. */
static void adopt(const struct carry *c, struct vm_domain *d)
{
	for (unsigned family = 0; family < VM_FAMILIES; family++) {
		const struct mt_type *type = vm_families[family].type;
		const struct mt_list *list = vm_domain_list(c->stored, family);

		for (uint32_t i = 0; i < list->n; i++) {
			void *copy;

			if (!c->take[family][i])
				continue;
			copy = mt_copy(type, list->v[i]);
			mt_detach(type, copy);
			mt_list_add(vm_domain_list(d, family), copy);
		}
	}
}

static bool take(struct carry *c, enum vm_device_family family, uint32_t index)
{
	if (c->take[family][index])
		return false;
	c->take[family][index] = true;
	return true;
}

static bool is_bus(const struct vm_controller *c, uint64_t index)
{
	return c->kind == VM_CONTROLLER_PCI && c->index == index &&
	       mt_is_set(&c->dev.obj, VM_CONTROLLER_BIT_INDEX);
}

/* A device that keeps its place needs the bus it is on. */
static int take_bus(enum vm_device_family family, struct vm_device *dev, void *arg)
{
	struct carry *c = arg;
	const struct mt_list *here = &c->trial->controllers, *there = &c->stored->controllers;

	(void)family;
	if (!vm_device_has_address(dev, VM_ADDRESS_PCI))
		return 0;
	for (uint32_t i = 0; i < here->n; i++)
		if (is_bus(here->v[i], dev->address->bus))
			return 0;
	for (uint32_t i = 0; i < there->n; i++)
		if (is_bus(there->v[i], dev->address->bus))
			return take(c, VM_FAMILY_CONTROLLER, i);
	return 0;
}

/* The document leaves buses to us: then all of them stay, also those that are free. */
static void take_topology(struct carry *c)
{
	const struct mt_list *here = &c->d->controllers, *there = &c->stored->controllers;

	for (uint32_t i = 0; i < there->n; i++) {
		const struct vm_controller *old = there->v[i];
		bool present = old->kind != VM_CONTROLLER_PCI;

		for (uint32_t k = 0; k < here->n && !present; k++)
			present = is_bus(here->v[k], old->index);
		if (!present)
			take(c, VM_FAMILY_CONTROLLER, i);
	}
}

/* The stored device that stands where the driver put dev, the index-th of its family. */
static bool take_device(struct carry *c, enum vm_device_family family, const void *dev,
			uint32_t index)
{
	const struct mt_list *list = vm_domain_list(c->stored, family);
	const struct vm_controller *like = dev;

	if (family != VM_FAMILY_CONTROLLER)
		return index < list->n && same_device(family, dev, list->v[index]) &&
		       take(c, family, index);
	for (uint32_t i = 0; i < list->n; i++) {
		const struct vm_controller *old = list->v[i];

		if (old->kind == like->kind && old->index == like->index &&
		    old->model == like->model)
			return same_device(family, dev, old) && take(c, family, i);
	}
	return false;
}

/* 1 = something more was found. */
static int try_once(struct carry *c, const struct vm_xml *doc, const struct vm_completer *completer,
		    struct vm_err *err)
{
	uint32_t had[VM_FAMILIES];
	int found = 0;

	vm_domain_free(c->trial);
	c->trial = mt_copy(&vm_domain_type, c->d);
	adopt(c, c->trial);
	if (vm_domain_each_device(c->trial, take_bus, c)) {
		take_topology(c);
		return 1;
	}
	for (unsigned family = 0; family < VM_FAMILIES; family++)
		had[family] = vm_domain_list(c->trial, family)->n;
	if (vm_domain_fill(c->trial, err) < 0 || completer->complete(c->trial, doc, err) < 0)
		return -1;
	/* A driver only appends: what was there comes first and in the same order. */
	for (unsigned family = 0; family < VM_FAMILIES; family++) {
		const struct mt_list *list = vm_domain_list(c->trial, family);

		for (uint32_t i = had[family]; i < list->n; i++)
			found |= take_device(c, family, list->v[i], i);
	}
	return found;
}

static int carry_implied(struct vm_domain *d, const struct vm_xml *doc,
			 const struct vm_domain *stored, const struct vm_completer *completer,
			 struct vm_err *err)
{
	VM_AUTO(free_carry) struct carry c = {.d = d, .stored = stored};
	int found;

	for (unsigned family = 0; family < VM_FAMILIES; family++)
		c.take[family] = vm_xcalloc(vm_domain_list(stored, family)->n + 1u, sizeof(bool));
	do
		found = try_once(&c, doc, completer, err);
	while (found > 0);
	if (found < 0)
		return -1;
	adopt(&c, d);
	return 0;
}

static int carry(struct vm_domain *d, const struct vm_xml *doc, const struct vm_xml *stored,
		 const struct vm_completer *completer, struct vm_err *err)
{
	VM_AUTO(vm_domain_freep) struct vm_domain *old = NULL;

	if (vm_domain_parse(stored, false, &old, err) < 0)
		return vm_err_wrap(err, "stored definition");
	carry_machine(d, old);
	if (vm_domain_is_q35(d) == vm_domain_is_q35(old)) {
		forget_places(d, old);
	} else {
		for (unsigned family = 0; family < VM_FAMILIES; family++) {
			const struct mt_list *list = vm_domain_list(old, family);

			for (uint32_t i = 0; i < list->n; i++)
				drop_place(family, list->v[i]);
		}
	}
	mt_carry_over(&vm_domain_type, d, old);
	return completer != NULL ? carry_implied(d, doc, old, completer, err) : 0;
}

/* ---- the whole ---- */

static void free_edit(struct vm_xml_edit **e)
{
	vm_xml_edit_free(*e);
}

/* The text that was written must say exactly what was decided. */
static int verify(const struct vm_domain *d, const struct vm_domain *written, struct vm_err *err)
{
	if (mt_equal(&vm_domain_type, d, written))
		return 0;
	return vm_err_set(err, VM_SYSTEM,
			  "the completed document does not say what was decided: this is a defect");
}

int vm_domain_complete(const struct vm_xml *doc, const struct vm_xml *stored,
		       const struct vm_completer *completer, struct vm_xml **ret_doc,
		       struct vm_domain **ret, struct vm_err *err)
{
	VM_AUTO(vm_domain_freep) struct vm_domain *d = NULL;
	VM_AUTO(vm_domain_freep) struct vm_domain *written = NULL;
	VM_AUTO(vm_xml_freep) struct vm_xml *text = NULL;
	VM_AUTO(free_edit) struct vm_xml_edit *edit = NULL;
	struct mt_ctx ctx = {.doc = doc};

	if (vm_domain_parse(doc, false, &d, err) < 0)
		return -1;
	if (stored && carry(d, doc, stored, completer, err) < 0)
		return -1;
	if (vm_domain_fill(d, err) < 0)
		return -1;
	if (completer != NULL && completer->complete(d, doc, err) < 0)
		return -1;
	ctx.root = d;
	if (mt_check(&vm_domain_type, d, &ctx, err) < 0)
		return -1;
	if (completer != NULL && completer->validate(d, doc, err) < 0)
		return -1;
	edit = vm_xml_edit_new(doc);
	mt_splice(&vm_domain_type, d, doc, edit);
	if (vm_xml_edit_apply(edit, &text, err) < 0 ||
	    vm_domain_parse(text, false, &written, err) < 0 || verify(d, written, err) < 0)
		return -1;
	*ret_doc = vm_take_ptr(&text);
	*ret = vm_take_ptr(&written);
	return 0;
}
