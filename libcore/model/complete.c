// SPDX-License-Identifier: LGPL-2.1-or-later
#include <driver.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "domain.h"
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
	} while (mac_taken(d, mac));
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
	for (uint32_t i = 0; i < d->interfaces.n; i++) {
		struct vm_interface *f = d->interfaces.v[i];

		if (mt_is_set(&f->dev.obj, VM_INTERFACE_BIT_MAC))
			continue;
		if (make_mac(d, f->mac, err) < 0)
			return -1;
		mt_assigned(&f->dev.obj, VM_INTERFACE_BIT_MAC);
	}
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

/* A copy of a stored device for another document: all of it is ours to write there. */
static void adopt(struct vm_domain *d, enum vm_device_family family, const void *stored)
{
	const struct mt_type *type = vm_families[family].type;
	void *copy = mt_copy(type, stored);

	mt_detach(type, copy);
	mt_list_add(vm_domain_list(d, family), copy);
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

static const void *find_controller(const struct vm_domain *d, const struct vm_controller *like)
{
	for (uint32_t i = 0; i < d->controllers.n; i++) {
		const struct vm_controller *c = d->controllers.v[i];

		if (c->kind == like->kind && c->index == like->index && c->model == like->model)
			return c;
	}
	return NULL;
}

/* The stored device that stands where the driver would put dev, the index-th of its family. */
static const void *find_stored(const struct vm_domain *stored, const struct vm_domain *d,
			       enum vm_device_family family, const void *dev, uint32_t index)
{
	const struct mt_list *list = vm_domain_list(stored, family);
	const void *old;

	if (family == VM_FAMILY_CONTROLLER)
		old = find_controller(d, dev) ? NULL : find_controller(stored, dev);
	else
		old = index < list->n ? list->v[index] : NULL;
	return old && same_device(family, dev, old) ? old : NULL;
}

/* 1 = something was taken over. */
static int carry_implied_once(struct vm_domain *d, const struct vm_xml *doc,
			      const struct vm_domain *stored, const struct vm_driver *driver,
			      struct vm_err *err)
{
	VM_AUTO(vm_domain_freep) struct vm_domain *trial = mt_copy(&vm_domain_type, d);
	int found = 0;

	if (vm_domain_fill(trial, err) < 0 || driver->complete(trial, doc, err) < 0)
		return -1;
	for (unsigned family = 0; family < VM_FAMILIES; family++) {
		const struct mt_list *list = vm_domain_list(trial, family);

		/* The trial only appends: what d has comes first and in the same order. */
		for (uint32_t i = vm_domain_list(d, family)->n; i < list->n; i++) {
			const void *old = find_stored(stored, d, family, list->v[i], i);

			if (!old)
				continue;
			adopt(d, family, old);
			found = 1;
		}
	}
	return found;
}

/*
 * Devices the driver adds by itself (controllers, memory balloon ...) keep what the stored document
 * says of them, above all their addresses.  A trial run tells which they are; their addresses may
 * ask for further controllers, hence the rounds.
 */
static int carry_implied(struct vm_domain *d, const struct vm_xml *doc,
			 const struct vm_domain *stored, const struct vm_driver *driver,
			 struct vm_err *err)
{
	int found = 1;

	for (unsigned round = 0; found > 0 && round < 8; round++)
		found = carry_implied_once(d, doc, stored, driver, err);
	return found < 0 ? -1 : 0;
}

static int carry(struct vm_domain *d, const struct vm_xml *doc, const struct vm_xml *stored,
		 const struct vm_driver *driver, struct vm_err *err)
{
	VM_AUTO(vm_domain_freep) struct vm_domain *old = NULL;

	if (vm_domain_parse(stored, false, &old, err) < 0)
		return vm_err_wrap(err, "stored definition");
	mt_carry_over(&vm_domain_type, d, old);
	carry_machine(d, old);
	return driver->complete ? carry_implied(d, doc, old, driver, err) : 0;
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
		       const struct vm_driver *driver, struct vm_xml **ret_doc,
		       struct vm_domain **ret, struct vm_err *err)
{
	VM_AUTO(vm_domain_freep) struct vm_domain *d = NULL;
	VM_AUTO(vm_domain_freep) struct vm_domain *written = NULL;
	VM_AUTO(vm_xml_freep) struct vm_xml *text = NULL;
	VM_AUTO(free_edit) struct vm_xml_edit *edit = NULL;
	struct mt_ctx ctx = {.doc = doc};

	if (vm_domain_parse(doc, false, &d, err) < 0)
		return -1;
	if (stored && carry(d, doc, stored, driver, err) < 0)
		return -1;
	if (vm_domain_fill(d, err) < 0)
		return -1;
	if (driver->complete && driver->complete(d, doc, err) < 0)
		return -1;
	ctx.root = d;
	if (mt_check(&vm_domain_type, d, &ctx, err) < 0)
		return -1;
	if (driver->validate && driver->validate(d, doc, err) < 0)
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
