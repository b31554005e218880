/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Elements of device files: <hostdev>, and <interface type='hostdev'>. */
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
	free(e->store);
	vm_xml_freep(&e->doc);
	*e = VM_HOSTDEV_ELEMENT_INIT;
}

static bool is_interface(const struct vm_xml *doc)
{
	return strcmp(vm_xml_name(doc, 0), "interface") == 0;
}

/* Of the document, which becomes the element's. */
static int parse(struct vm_xml **doc, struct vm_hostdev_element *ret, struct vm_err *err)
{
	VM_AUTO(vm_hostdev_element_free) struct vm_hostdev_element e = VM_HOSTDEV_ELEMENT_INIT;
	void *obj = NULL;

	e.doc = vm_take_ptr(doc);
	if (mt_parse(is_interface(e.doc) ? &vm_interface_type : &vm_hostdev_type, e.doc, 0, false, &obj, err) < 0)
		return -1;
	if (is_interface(e.doc)) {
		e.interface = obj;
		if (e.interface->kind != VM_INTERFACE_HOSTDEV)
			return vm_xml_error(e.doc, 0, -1, VM_BAD_INPUT, err,
					    "an <interface> of type='%s' is no host device",
					    vm_interface_kind_words[e.interface->kind]);
		e.store = vm_xcalloc(1, sizeof(*e.store));
		e.h = vm_hostdev_of_interface(e.interface, e.store);
	} else {
		e.h = e.hostdev = obj;
	}
	*ret = e;
	e = VM_HOSTDEV_ELEMENT_INIT;
	return 0;
}

int vm_hostdev_element_parse(const char *element, struct vm_hostdev_element *ret, struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;

	return vm_xml_parse(element, strlen(element), "", &doc, err) < 0 ? -1 : parse(&doc, ret, err);
}

static int refuse(const struct vm_xml *doc, struct vm_err *err)
{
	const char *name = vm_xml_name(doc, 0);
	const char *type = strcmp(name, "disk") == 0 ? vm_xml_attr(doc, 0, "type") : NULL;

	if (type == NULL || strcmp(type, "nvme") != 0)
		return vm_xml_error(doc, 0, -1, VM_BAD_INPUT, err,
				    "<hostdev> or <interface type='hostdev'> was expected, not <%s>", name);
	vm_xml_error(doc, 0, -1, VM_UNSUPPORTED, err, "a disk of type='nvme' cannot be plugged in while its guest runs");
	return vm_err_hint(err, "put it into the definition with vm-edit: the guest has it from its next start on");
}

/* As it is put into documents: an alias that a run made up is that run's. */
static int fill(struct vm_hostdev_element *e, char **ret, struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *filled = NULL;
	VM_AUTO(vm_xml_edit_freep) struct vm_xml_edit *edit = vm_xml_edit_new(e->doc);
	const char *alias = e->interface != NULL ? e->interface->dev.alias : e->hostdev->dev.alias;

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
	if (!is_interface(doc) && strcmp(vm_xml_name(doc, 0), "hostdev") != 0)
		return refuse(doc, err);
	if (parse(&doc, &e, err) < 0)
		return -1;
	if (fill(&e, &text, err) < 0)
		return -1;
	vm_hostdev_elements_add(ret, text);
	return 0;
}
