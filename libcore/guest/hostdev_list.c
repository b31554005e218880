/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-hostdev-list's rows and tree. */
#include "hostdev_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/out.h>
#include <vm/strbuf.h>

#include "host/vport.h"
#include "hostdev_print.h"

const char *vm_hostdev_driver(const struct vm_hostdev_item *i)
{
	const char *driver = "";

	switch (i->bus) {
	case VM_HOSTDEV_PCI:
		driver = i->pci->driver;
		break;
	case VM_HOSTDEV_USB:
		driver = i->usb->driver;
		break;
	case VM_HOSTDEV_SCSI:
		driver = i->scsi->driver;
		break;
	case VM_HOSTDEV_MDEV:
		driver = i->mdev->driver;
		break;
	case VM_HOSTDEV_PARENT:
		driver = i->makes->driver;
		break;
	case VM_HOSTDEV_BUSES:
		break;
	}
	return *driver != 0 ? driver : NULL;
}

int vm_hostdev_numa(const struct vm_hostdev_item *i)
{
	return i->bus == VM_HOSTDEV_PCI ? i->pci->numa : i->bus == VM_HOSTDEV_PARENT ? i->makes->numa : -1;
}

/* virsh's names of two kinds.  Source: virsh(1), nodedev-list --cap. */
static const char *virsh_word(const char *word)
{
	if (strcmp(word, "usb_device") == 0)
		return vm_hostdev_bus_words[VM_HOSTDEV_USB];
	return strcmp(word, "mdev_types") == 0 ? vm_hostdev_bus_words[VM_HOSTDEV_PARENT] : word;
}

int vm_hostdev_filter_words(const struct vm_words *given, const char *const *words, const char *what,
			    unsigned *ret, struct vm_err *err)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf all = VM_STRBUF_INIT;

	for (size_t g = 0; g < given->n; g++) {
		unsigned i = 0;

		while (words[i] != NULL && strcmp(words[i], virsh_word(given->v[g])) != 0)
			i++;
		if (words[i] != NULL) {
			*ret |= 1u << i;
			continue;
		}
		for (i = 0; words[i] != NULL; i++)
			vm_strbuf_printf(&all, "%s%s", i > 0 ? ", " : "", words[i]);
		return vm_err_set(err, VM_USAGE, "--%s: '%s' is none of %s", what, given->v[g], all.text);
	}
	return 0;
}

bool vm_hostdev_passes(const struct vm_hostdev_filter *f, const struct vm_hostdev_item *i)
{
	const char *driver = vm_hostdev_driver(i);

	if (f->buses != 0 && !(f->buses >> i->bus & 1) &&
	    (i->makes == NULL || !(f->buses >> VM_HOSTDEV_PARENT & 1)))
		return false;
	if (f->states != 0 && !(f->states >> i->state & 1))
		return false;
	if (f->guest != NULL && (i->guest == NULL || strcmp(f->guest, i->guest) != 0))
		return false;
	if (f->driver != NULL && (driver == NULL || strcmp(f->driver, driver) != 0))
		return false;
	return !f->has_group || (i->group >= 0 && (uint64_t)i->group == f->group);
}

/* Vendor and product as four digits each; false: it has none. */
static bool ids_of(const struct vm_hostdev_item *i, char vendor[5], char product[5])
{
	if (i->bus != VM_HOSTDEV_PCI && i->bus != VM_HOSTDEV_USB)
		return false;
	snprintf(vendor, 5, "%04x", i->bus == VM_HOSTDEV_PCI ? i->pci->vendor : i->usb->vendor);
	snprintf(product, 5, "%04x", i->bus == VM_HOSTDEV_PCI ? i->pci->device : i->usb->product);
	return true;
}

void vm_hostdev_ids(struct vm_out *out, const struct vm_hostdev_item *i)
{
	char vendor[5], product[5], class[7];
	bool has = ids_of(i, vendor, product);

	vm_out_str(out, "vendor", has ? vendor : NULL);
	vm_out_str(out, "product", has ? product : NULL);
	if (i->bus == VM_HOSTDEV_PCI)
		snprintf(class, sizeof(class), "%06x", (unsigned)(i->pci->class & 0xffffff));
	vm_out_str(out, "class", i->bus == VM_HOSTDEV_PCI ? class : NULL);
}

void vm_hostdev_resets(struct vm_out *out, const struct vm_hostdev_item *i)
{
	vm_out_list(out, "reset");
	for (unsigned r = 0; i->bus == VM_HOSTDEV_PCI && r < VM_RESETS; r++)
		if (i->pci->resets >> r & 1)
			vm_out_str(out, NULL, vm_pci_reset_words[r]);
	vm_out_list_end(out);
}

void vm_hostdev_number(struct vm_out *out, const char *key, int value)
{
	if (value >= 0)
		vm_out_i64(out, key, value);
	else
		vm_out_null(out, key);
}

/* "NVIDIA GA104 [10de:2484]" */
static char *described(const struct vm_hostdev_item *i)
{
	char vendor[5], product[5];

	if (!ids_of(i, vendor, product))
		return vm_xstrdup(i->description);
	return vm_xasprintf("%s [%s:%s]", i->description, vendor, product);
}

void vm_hostdev_row(struct vm_out *out, bool json, const struct vm_hostdev_item *i)
{
	VM_AUTO_FREE char *text = json ? vm_xstrdup(i->description) : described(i);

	vm_out_row(out);
	vm_out_str(out, "device", i->name);
	vm_out_str(out, "kind", vm_hostdev_bus_words[i->bus]);
	vm_hostdev_number(out, "group", i->group);
	vm_hostdev_number(out, "numa_node", vm_hostdev_numa(i));
	vm_out_str(out, "driver", vm_hostdev_driver(i));
	vm_out_str(out, "state", vm_hostdev_state_words[i->state]);
	vm_hostdev_resets(out, i);
	vm_out_str(out, "guest", i->guest);
	vm_out_str(out, "alias", i->alias);
	vm_out_list(out, "blocked_by");
	for (size_t n = 0; n < i->n_blocks; n++)
		vm_out_str(out, NULL, i->blocks[n].word);
	vm_out_list_end(out);
	vm_hostdev_ids(out, i);
	vm_out_str(out, "description", text);
	vm_out_row_end(out);
}

bool vm_hostdev_made(const struct vm_hostdev_view *v, const char *key)
{
	const struct vm_pci *p = NULL;
	struct vm_err ignored = VM_ERR_INIT;
	struct vm_vport port;

	if (strncmp(key, "vfs:", 4) == 0)
		return (p = vm_pcis_find(&v->pcis, key + 4)) != NULL && p->vfs > 0;
	if (strncmp(key, "vgpu:", 5) == 0)
		return (p = vm_pcis_find(&v->pcis, key + 5)) != NULL && p->vgpu > 0;
	if (strncmp(key, "vport:", 6) == 0)
		return vm_vport_find(&v->sys, key + 6, &port, &ignored) == 0;
	for (size_t i = 0; i < v->n; i++)
		if (strcmp(v->v[i].key, key) == 0)
			return true;
	return false;
}

void vm_hostdev_defined_row(struct vm_out *out, const char *key, bool marked)
{
	VM_AUTO_FREE char *kind = vm_xstrndup(key, strcspn(key, ":"));
	static const char *const nothing[] = { "guest", "alias" }, *const ids[] = { "vendor", "product", "class" };

	vm_out_row(out);
	vm_out_str(out, "device", key);
	vm_out_str(out, "kind", kind);
	vm_out_null(out, "group");
	vm_out_null(out, "numa_node");
	vm_out_str(out, "driver", NULL);
	vm_out_str(out, "state", "inactive");
	vm_out_list(out, "reset");
	vm_out_list_end(out);
	for (size_t i = 0; i < VM_COUNT(nothing); i++)
		vm_out_str(out, nothing[i], NULL);
	vm_out_list(out, "blocked_by");
	vm_out_list_end(out);
	for (size_t i = 0; i < VM_COUNT(ids); i++)
		vm_out_str(out, ids[i], NULL);
	vm_out_str(out, "description", marked ? "defined, made with the host" : "defined");
	vm_out_row_end(out);
}

/* ---- the tree ---- */

static void leaf(struct vm_out *out, const struct vm_hostdev_item *i)
{
	VM_AUTO_FREE char *text = described(i);
	const char *driver = vm_hostdev_driver(i);

	vm_out_text(out, "  %-16s %-10s %-12s %s%s%s", i->name, vm_hostdev_state_words[i->state],
		    driver != NULL ? driver : "-", text, i->guest != NULL ? " -> " : "",
		    i->guest != NULL ? i->guest : "");
	for (size_t n = 0; n < i->n_blocks; n++)
		vm_out_text(out, "    %s", i->blocks[n].text);
}

static void heading(struct vm_out *out, const char *text, bool *said)
{
	if (!*said)
		vm_out_text(out, "%s", text);
	*said = true;
}

static int compare(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return x < y ? -1 : x > y;
}

/* Groups in their order, then what is in none, then the other buses. */
void vm_hostdev_tree(struct vm_out *out, const struct vm_hostdev_view *v,
		     const struct vm_hostdev_filter *f)
{
	VM_AUTO_FREE int *groups = vm_xcalloc(v->n + 1, sizeof(*groups));
	size_t n = 0;
	bool said;

	for (size_t i = 0; i < v->n; i++)
		if (v->v[i].bus == VM_HOSTDEV_PCI && v->v[i].group != VM_NO_GROUP)
			groups[n++] = v->v[i].group;
	qsort(groups, n, sizeof(*groups), compare);
	for (size_t g = 0; g < n; g++) {
		VM_AUTO_FREE char *head = vm_xasprintf("IOMMU group %d", groups[g]);

		said = false;
		if (g > 0 && groups[g] == groups[g - 1])
			continue;
		for (size_t i = 0; i < v->n; i++)
			if (v->v[i].bus == VM_HOSTDEV_PCI && v->v[i].group == groups[g] &&
			    vm_hostdev_passes(f, &v->v[i])) {
				heading(out, head, &said);
				leaf(out, &v->v[i]);
			}
	}
	said = false;
	for (size_t i = 0; i < v->n; i++)
		if (v->v[i].bus == VM_HOSTDEV_PCI && v->v[i].group == VM_NO_GROUP &&
		    vm_hostdev_passes(f, &v->v[i])) {
			heading(out, "no IOMMU group", &said);
			leaf(out, &v->v[i]);
		}
	for (int bus = VM_HOSTDEV_USB; bus < VM_HOSTDEV_BUSES; bus++) {
		said = false;
		for (size_t i = 0; i < v->n; i++)
			if ((int)v->v[i].bus == bus && vm_hostdev_passes(f, &v->v[i])) {
				heading(out, vm_hostdev_bus_words[bus], &said);
				leaf(out, &v->v[i]);
			}
	}
}
