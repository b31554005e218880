/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Host devices as elements of documents: made from what was typed, put in, cut out. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/model.h>
#include <vm/strbuf.h>
#include <vm/xml.h>

#include "attach_internal.h"
#include "hostdev_view.h"
#include "model/domain.h"

/* ---- from names ---- */

static void put_attr(struct vm_strbuf *b, const char *name, const char *value)
{
	vm_strbuf_printf(b, " %s='", name);
	vm_strbuf_xml(b, value, true);
	vm_strbuf_puts(b, "'");
}

static void put_pci_address(struct vm_strbuf *b, const struct vm_pci_address *a)
{
	vm_strbuf_printf(b, "domain='0x%04x' bus='0x%02x' slot='0x%02x' function='0x%x'/>", (unsigned)a->domain,
			 a->bus, a->slot, a->function);
}

static void put_pci(struct vm_strbuf *b, const struct vm_hostdev_item *i)
{
	vm_strbuf_puts(b, "    <address ");
	put_pci_address(b, &i->pci->address);
	vm_strbuf_puts(b, "\n");
}

/* Where it is now, and what it is: after a replug it is looked for by that. */
static void put_usb(struct vm_strbuf *b, const struct vm_hostdev_item *i)
{
	vm_strbuf_printf(b, "    <vendor id='0x%04x'/>\n    <product id='0x%04x'/>\n", i->usb->vendor,
			 i->usb->product);
	vm_strbuf_printf(b, "    <address bus='%u' device='%u'/>\n", i->usb->bus, i->usb->device);
}

static void put_scsi(struct vm_strbuf *b, const struct vm_hostdev_item *i)
{
	const struct vm_scsi_address *a = &i->scsi->address;

	vm_strbuf_printf(b, "    <adapter name='scsi_host%u'/>\n", (unsigned)a->host);
	vm_strbuf_printf(b, "    <address bus='%u' target='%u' unit='%llu'/>\n", (unsigned)a->bus,
			 (unsigned)a->target, (unsigned long long)a->unit);
}

static void put_mdev(struct vm_strbuf *b, const struct vm_hostdev_item *i)
{
	vm_strbuf_printf(b, "    <address uuid='%s'/>\n", i->mdev->uuid);
}

static int put_rom(struct vm_strbuf *b, const char *rom, struct vm_err *err)
{
	if (strcmp(rom, "off") == 0) {
		vm_strbuf_puts(b, "  <rom enabled='no'/>\n");
		return 0;
	}
	if (*rom != '/')
		return vm_err_set(err, VM_USAGE, "--rom: '%s' is neither \"off\" nor an absolute path", rom);
	vm_strbuf_puts(b, "  <rom");
	put_attr(b, "file", rom);
	vm_strbuf_puts(b, "/>\n");
	return 0;
}

static int put_how(struct vm_strbuf *b, const struct vm_hostdev_how *how, struct vm_err *err)
{
	struct vm_pci_address at;

	if (how->boot_order != 0)
		vm_strbuf_printf(b, "  <boot order='%" PRIu64 "'/>\n", how->boot_order);
	if (how->rom != NULL && put_rom(b, how->rom, err) < 0)
		return -1;
	if (how->alias != NULL) {
		if (!vm_alias_is_admins(how->alias))
			return vm_err_set(err, VM_USAGE, "--alias: '%s' does not begin with \"ua-\"", how->alias);
		vm_strbuf_puts(b, "  <alias");
		put_attr(b, "name", how->alias);
		vm_strbuf_puts(b, "/>\n");
	}
	if (how->address == NULL)
		return 0;
	if (!vm_pci_parse(how->address, &at))
		return vm_err_set(err, VM_USAGE, "--address: '%s' is no address; write DDDD:BB:SS.F", how->address);
	vm_strbuf_puts(b, "  <address type='pci' ");
	put_pci_address(b, &at);
	vm_strbuf_puts(b, "\n");
	return 0;
}

static const struct kind {
	const char *word;
	void (*source)(struct vm_strbuf *b, const struct vm_hostdev_item *i);
} kinds[] = {
	[VM_HOSTDEV_PCI] = { "pci", put_pci },
	[VM_HOSTDEV_USB] = { "usb", put_usb },
	[VM_HOSTDEV_SCSI] = { "scsi", put_scsi },
	[VM_HOSTDEV_MDEV] = { "mdev", put_mdev },
};

static int check_how(const struct vm_hostdev_item *i, const struct vm_hostdev_how *how, struct vm_err *err)
{
	if (i->bus == VM_HOSTDEV_PARENT) {
		vm_err_set(err, VM_BAD_INPUT, "%s: %s", i->name, i->blocks[0].text);
		return vm_err_hint(err, "%s", i->blocks[0].hint);
	}
	if (i->bus == VM_HOSTDEV_MDEV && strcmp(i->mdev->api, VM_MDEV_API_PCI) != 0) {
		for (size_t n = 0; n < i->n_blocks; n++)
			if (strncmp(i->blocks[n].word, "no-api:", 7) == 0)
				return vm_err_set(err, VM_UNSUPPORTED, "%s: %s", i->name, i->blocks[n].text);
	}
	if (i->bus == VM_HOSTDEV_PCI)
		return 0;
	if (how->managed == 1)
		return vm_err_set(err, VM_USAGE, "%s: --managed=yes is for PCI devices", i->name);
	if (how->rom != NULL && i->bus != VM_HOSTDEV_MDEV)
		return vm_err_set(err, VM_USAGE, "%s: --rom is for PCI devices", i->name);
	return 0;
}

/* parked: a sibling that the guest does not see. */
static int make_one(const struct vm_hostdev_item *i, const struct vm_hostdev_how *how, bool parked,
		    struct vm_hostdev_elements *e, struct vm_err *err)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;

	if (check_how(i, how, err) < 0)
		return -1;
	vm_strbuf_printf(&b, "<hostdev mode='subsystem' type='%s'", kinds[i->bus].word);
	if (i->bus == VM_HOSTDEV_PCI)
		put_attr(&b, "managed", how->managed == 2 ? "no" : "yes");
	if (i->bus == VM_HOSTDEV_MDEV)
		put_attr(&b, "model", i->mdev->api);
	vm_strbuf_puts(&b, ">\n");
	vm_strbuf_puts(&b, i->bus == VM_HOSTDEV_USB ? "  <source autoAddress='yes'>\n" : "  <source>\n");
	kinds[i->bus].source(&b, i);
	vm_strbuf_puts(&b, "  </source>\n");
	if (parked)
		vm_strbuf_puts(&b, "  <address type='unassigned'/>\n");
	else if (put_how(&b, how, err) < 0)
		return -1;
	vm_strbuf_puts(&b, "</hostdev>");
	vm_hostdev_elements_add(e, vm_strbuf_take(&b));
	return 0;
}

static bool is_named(const struct vm_hostdev_item *const *named, size_t n, const struct vm_hostdev_item *i)
{
	for (size_t k = 0; k < n; k++)
		if (named[k] == i)
			return true;
	return false;
}

/* Those of the same groups that nobody has named: what a driver of the host holds would keep the group from being used. */
static int park_siblings(const struct vm_hostdev_view *view, const struct vm_hostdev_item *const *named, size_t n,
			 const struct vm_hostdev_how *how, struct vm_hostdev_elements *e, struct vm_err *err)
{
	for (size_t i = 0; i < view->n; i++) {
		const struct vm_hostdev_item *other = &view->v[i];
		bool of_group = false;

		if (other->bus != VM_HOSTDEV_PCI || !vm_pci_is_endpoint(other->pci) || is_named(named, n, other))
			continue;
		for (size_t k = 0; k < n; k++)
			of_group |= named[k]->bus == VM_HOSTDEV_PCI && named[k]->group == other->group &&
				    other->group != VM_NO_GROUP;
		if (of_group && make_one(other, how, true, e, err) < 0)
			return -1;
	}
	return 0;
}

static bool is_file(const char *device)
{
	size_t len = strlen(device);

	return strcmp(device, "-") == 0 || strchr(device, '/') != NULL ||
	       (len > 4 && strcmp(device + len - 4, ".xml") == 0);
}

int vm_hostdev_elements_make(const char *const *devices, size_t n, const struct vm_hostdev_how *how,
			     const struct vm_hostdev_view *view, struct vm_hostdev_elements *ret,
			     struct vm_err *err)
{
	VM_AUTO(vm_hostdev_elements_free) struct vm_hostdev_elements e = VM_HOSTDEV_ELEMENTS_INIT;
	VM_AUTO_FREE const struct vm_hostdev_item **named = vm_xcalloc(n + 1, sizeof(*named));
	size_t found = 0;

	if (n > 1 && (how->address != NULL || how->alias != NULL || how->rom != NULL || how->boot_order != 0))
		return vm_err_set(err, VM_USAGE, "--address, --alias, --boot-order and --rom are for one device");
	for (size_t i = 0; i < n; i++) {
		const struct vm_hostdev_item *item;

		if (is_file(devices[i])) {
			if (vm_hostdev_element_load(devices[i], how, &e, err) < 0)
				return -1;
			continue;
		}
		if (vm_hostdev_view_find(view, devices[i], &item, err) < 0)
			return -1;
		if (is_named(named, found, item))
			return vm_err_set(err, VM_USAGE, "%s is named twice", item->name);
		named[found++] = item;
		if (make_one(item, how, false, &e, err) < 0)
			return -1;
	}
	if (how->siblings && park_siblings(view, named, found, how, &e, err) < 0)
		return -1;
	*ret = e;
	e = VM_HOSTDEV_ELEMENTS_INIT;
	return 0;
}

/* ---- in documents ---- */

bool vm_hostdev_in(const struct vm_domain *d, const struct vm_hostdev *like)
{
	struct vm_hostdev_iter i = { 0 };
	const struct vm_hostdev *h;

	while ((h = vm_hostdev_next(d, &i)) != NULL)
		if (vm_hostdev_same_source(h, like))
			return true;
	return false;
}

/* 1 = it has it already. */
static int check_new(const struct vm_domain *d, const struct vm_hostdev *h, bool skip, struct vm_err *err)
{
	VM_AUTO_FREE char *name = NULL;

	if (!vm_hostdev_in(d, h))
		return 0;
	if (skip)
		return 1;
	name = vm_hostdev_source_text(h);
	vm_err_set(err, VM_IN_USE, "has %s already", name);
	return vm_err_hint(err, "--if-needed takes that for success");
}

struct place {
	const struct vm_device *mine, *other;
	enum vm_device_family family;
	bool by_alias;
};

static int in_place(enum vm_device_family family, struct vm_device *dev, void *arg)
{
	struct place *p = arg;
	const struct vm_address *a = p->mine->address, *b = dev->address;

	/* A <console> is often the first <serial> said again. */
	p->by_alias = family != VM_FAMILY_CONSOLE && p->mine->alias != NULL && dev->alias != NULL &&
		      strcmp(p->mine->alias, dev->alias) == 0;
	p->other = dev;
	p->family = family;
	return p->by_alias ||
	       (vm_device_has_address(p->mine, VM_ADDRESS_PCI) && vm_device_has_address(dev, VM_ADDRESS_PCI) &&
		a->domain == b->domain && a->bus == b->bus && a->slot == b->slot && a->function == b->function);
}

/* Has the guest something where it is to be, or of its name? */
static int check_place(const struct vm_domain *d, const struct vm_hostdev *h, struct vm_err *err)
{
	VM_AUTO_FREE char *name = vm_hostdev_source_text(h);
	struct place p = { .mine = &h->dev };
	const struct vm_address *a = h->dev.address;
	VM_AUTO_FREE char *who = NULL;

	if (!vm_domain_each_device(d, in_place, &p))
		return 0;
	if (p.by_alias)
		return vm_err_set(err, VM_IN_USE, "cannot assign %s: the guest has a device with the alias %s already",
				  name, h->dev.alias);
	who = p.other->alias != NULL ? vm_xstrdup(p.other->alias)
				     : vm_xasprintf("its <%s>", vm_families[p.family].name);
	vm_err_set(err, VM_IN_USE, "cannot assign %s: %s is at %04x:%02x:%02x.%x of the guest already", name, who,
		   (unsigned)a->domain, (unsigned)a->bus, (unsigned)a->slot, (unsigned)a->function);
	return vm_err_hint(err, "give no address, and a free one is chosen");
}

/* The last one of that name; none: VM_NODE_NONE. */
static vm_node last_of(const struct vm_xml *doc, vm_node devices, const char *name)
{
	vm_node last = VM_NODE_NONE;

	for (vm_node n = vm_xml_first(doc, devices); n != VM_NODE_NONE; n = vm_xml_next(doc, n))
		if (strcmp(vm_xml_name(doc, n), name) == 0 && *vm_xml_ns(doc, n) == 0)
			last = n;
	return last;
}

static int insert_one(const struct vm_xml *doc, vm_node devices, const struct vm_domain *d, const char *text,
		      bool skip, struct vm_xml_edit *edit, struct vm_err *err)
{
	VM_AUTO(vm_hostdev_element_free) struct vm_hostdev_element e = VM_HOSTDEV_ELEMENT_INIT;
	int has;

	if (vm_hostdev_element_parse(text, &e, err) < 0)
		return -1;
	has = check_new(d, e.h, skip, err);
	if (has == 0 && check_place(d, e.h, err) < 0)
		return -1;
	if (has == 0)
		vm_xml_edit_insert(edit, devices, last_of(doc, devices, vm_xml_name(e.doc, 0)), text);
	return has;
}

int vm_hostdev_insert(const struct vm_xml *doc, bool live, const struct vm_hostdev_elements *e, bool skip,
		      struct vm_xml **ret, size_t *ret_added, struct vm_err *err)
{
	VM_AUTO(vm_domain_freep) struct vm_domain *d = NULL;
	VM_AUTO(vm_xml_edit_freep) struct vm_xml_edit *edit = vm_xml_edit_new(doc);
	vm_node devices = vm_xml_child(doc, 0, "devices");
	size_t added = 0;

	if (vm_domain_parse(doc, live, &d, err) < 0)
		return -1;
	if (devices == VM_NODE_NONE)
		return vm_err_set(err, VM_BAD_INPUT, "its document has no <devices>");
	for (size_t i = 0; i < e->n; i++) {
		int has = insert_one(doc, devices, d, e->v[i], skip, edit, err);

		if (has < 0)
			return -1;
		added += has == 0;
	}
	if (vm_xml_edit_apply(edit, ret, err) < 0)
		return -1;
	vm_xml_unname(*ret);
	*ret_added = added;
	return 0;
}

int vm_hostdev_cut(const struct vm_xml *doc, const struct vm_hostdev *const *v, size_t n, struct vm_xml **ret,
		   struct vm_err *err)
{
	VM_AUTO(vm_xml_edit_freep) struct vm_xml_edit *edit = vm_xml_edit_new(doc);

	for (size_t i = 0; i < n; i++)
		vm_xml_edit_remove(edit, v[i]->dev.obj.node);
	return vm_xml_edit_apply(edit, ret, err);
}
