/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Elements of device files: <hostdev>, <interface type='hostdev'>, <disk type='nvme'>. */
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/model.h>
#include <vm/xml.h>

#include "attach_internal.h"
#include "model/domain.h"

void vm_hostdev_elements_free(struct vm_hostdev_elements *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->v[i]);
	free(e->v);
	*e = VM_HOSTDEV_ELEMENTS_INIT;
}

void vm_hostdev_elements_add(struct vm_hostdev_elements *e, char *text)
{
	e->v = vm_xreallocarray(e->v, e->n + 1, sizeof(*e->v));
	e->v[e->n++] = text;
}

void vm_hostdev_element_free(struct vm_hostdev_element *e)
{
	if (e->hostdev != NULL)
		mt_free(&vm_hostdev_type, e->hostdev);
	if (e->interface != NULL)
		mt_free(&vm_interface_type, e->interface);
	if (e->disk != NULL)
		mt_free(&vm_disk_type, e->disk);
	free(e->store);
	vm_xml_freep(&e->doc);
	*e = VM_HOSTDEV_ELEMENT_INIT;
}

static int take_hostdev(struct vm_hostdev_element *e, void *obj, struct vm_err *err)
{
	(void)err;
	e->h = e->hostdev = obj;
	return 0;
}

static int take_interface(struct vm_hostdev_element *e, void *obj, struct vm_err *err)
{
	e->interface = obj;
	if (e->interface->kind != VM_INTERFACE_HOSTDEV)
		return vm_xml_error(e->doc, 0, -1, VM_BAD_INPUT, err, "an <interface> of type='%s' is no host device",
				    vm_interface_kind_words[e->interface->kind]);
	e->h = vm_hostdev_of_interface(e->interface, e->store);
	return 0;
}

static int take_disk(struct vm_hostdev_element *e, void *obj, struct vm_err *err)
{
	e->disk = obj;
	if (e->disk->type != VM_DISK_NVME)
		return vm_xml_error(e->doc, 0, -1, VM_BAD_INPUT, err, "a <disk> of type='%s' is no host device",
				    vm_disk_type_words[e->disk->type]);
	e->h = vm_hostdev_of_disk(e->disk, e->store);
	return 0;
}

/* Elements that are devices of the host, or may be. */
static const struct kind {
	const char *name;
	const struct mt_type *type;
	int (*take)(struct vm_hostdev_element *e, void *obj, struct vm_err *err);
} kinds[] = {
	{ "hostdev", &vm_hostdev_type, take_hostdev },
	{ "interface", &vm_interface_type, take_interface },
	{ "disk", &vm_disk_type, take_disk },
};

/* Of the document, which becomes the element's. */
static int parse(struct vm_xml **doc, struct vm_hostdev_element *ret, struct vm_err *err)
{
	VM_AUTO(vm_hostdev_element_free) struct vm_hostdev_element e = VM_HOSTDEV_ELEMENT_INIT;
	const char *name = vm_xml_name(*doc, 0);
	void *obj = NULL;
	size_t i = 0;

	while (i < VM_COUNT(kinds) && strcmp(name, kinds[i].name) != 0)
		i++;
	if (i == VM_COUNT(kinds))
		return vm_xml_error(*doc, 0, -1, VM_BAD_INPUT, err,
				    "<hostdev>, <interface type='hostdev'> or <disk type='nvme'> was expected, not <%s>", name);
	e.doc = vm_take_ptr(doc);
	e.store = vm_xcalloc(1, sizeof(*e.store));
	if (mt_parse(kinds[i].type, e.doc, 0, false, &obj, err) < 0 || kinds[i].take(&e, obj, err) < 0)
		return -1;
	*ret = e;
	e = VM_HOSTDEV_ELEMENT_INIT;
	return 0;
}

int vm_hostdev_element_parse(const char *element, struct vm_hostdev_element *ret, struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;

	return vm_xml_parse(element, strlen(element), "", &doc, err) < 0 ? -1 : parse(&doc, ret, err);
}

/* As it is put into documents: an alias that a run made up is that run's. */
static int fill(struct vm_hostdev_element *e, char **ret, struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *filled = NULL;
	VM_AUTO(vm_xml_edit_freep) struct vm_xml_edit *edit = vm_xml_edit_new(e->doc);
	const char *alias = e->h->dev.alias;

	if (e->interface != NULL) {
		if (vm_interface_fill(e->interface, NULL, err) < 0)
			return -1;
		mt_splice(&vm_interface_type, e->interface, e->doc, edit);
	}
	if (alias != NULL && !vm_alias_is_admins(alias))
		vm_xml_edit_remove(edit, vm_xml_child(e->doc, 0, "alias"));
	if (vm_xml_edit_apply(edit, &filled, err) < 0)
		return -1;
	*ret = vm_xml_element_text(filled, 0);
	return 0;
}

int vm_hostdev_element_load(const char *path, const struct vm_hostdev_how *how, struct vm_hostdev_elements *ret,
			    struct vm_err *err)
{
	VM_AUTO(vm_hostdev_element_free) struct vm_hostdev_element e = VM_HOSTDEV_ELEMENT_INIT;
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	char *text;

	if (how->managed != 0 || how->address != NULL || how->alias != NULL || how->rom != NULL ||
	    how->boot_order != 0)
		return vm_err_set(err, VM_USAGE, "%s says itself how the device is given", path);
	if (vm_xml_load(path, &doc, err) < 0)
		return -1;
	if (parse(&doc, &e, err) < 0)
		return -1;
	if (fill(&e, &text, err) < 0)
		return -1;
	vm_hostdev_elements_add(ret, text);
	return 0;
}
