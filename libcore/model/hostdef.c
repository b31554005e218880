/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostdef.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/state.h>

#include "host/mdev.h"
#include "host/pci.h"
#include "host/vport.h"
#include "rows.h"

const char *const vm_hostdef_words[] = { "", "mdev", "vfs", "vgpu", "vport", NULL };
static const char *const capability_words[] = {
	"", "mdev", "virt_functions", "vgpu", "scsi_host", "!ap_matrix", NULL,
};

enum { ATTR_NAME, ATTR_VALUE };
static const struct mt_row attr_rows[] = {
	MT_ROW(struct vm_hostdef_attr, "@name", name, ATTR_NAME, MT_STR, .flags = MT_REQUIRED | MT_KEY),
	MT_ROW(struct vm_hostdef_attr, "@value", value, ATTR_VALUE, MT_STR, .flags = MT_REQUIRED),
};

static int check_attr(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_hostdef_attr *a = obj;

	/* these change the device itself */
	if (a->name[0] == 0 || a->name[0] == '.' || !vm_text_only(a->name, "._-/") || strstr(a->name, "..") ||
	    strlen(a->name) > 128 || strcmp(a->name, "remove") == 0 || strncmp(a->name, "power/", 6) == 0 ||
	    a->name[0] == '/')
		return mt_error(ctx, obj, "@name", VM_BAD_INPUT, err,
				"'%.80s' is no attribute of a mediated device", a->name);
	if (strlen(a->value) > 1024 || strchr(a->value, '\n'))
		return mt_error(ctx, obj, "@value", VM_BAD_INPUT, err, "one line of at most 1024 bytes");
	return 0;
}
static const struct mt_type attr_type = {
	.elem = "attr",
	.size = sizeof(struct vm_hostdef_attr),
	.rows = attr_rows,
	.n = VM_COUNT(attr_rows),
	.check = check_attr,
};

#define C(xml, member, bit, kind, ...)                                                             \
	MT_ROW(struct vm_hostdef_cap, xml, member, VM_HOSTDEF_CAP_##bit, kind, __VA_ARGS__)
static const struct mt_row mdev_rows[] = {
	C("type/@id", type, TYPE, MT_STR, .flags = MT_REQUIRED),
	C("uuid/#text", uuid, UUID, MT_UUID, .flags = MT_ASSIGNED),
	C("parent_addr/#text", parent_addr, PARENT_ADDR, MT_STR),
	C("iommuGroup/@number", group, GROUP, MT_U64),
	C("attr", attrs, ATTRS, MT_MANY, .arg = &attr_type),
};

static bool type_valid(const char *type)
{
	return type[0] != 0 && type[0] != '.' && strlen(type) < sizeof(((struct vm_mdev *)0)->type) &&
	       vm_text_only(type, "._- :+");
}

static int check_mdev(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_hostdef_cap *c = obj;

	if (!type_valid(c->type))
		return mt_error(ctx, obj, "type/@id", VM_BAD_INPUT, err,
				"'%.80s' is no type of a mediated device", c->type);
	return 0;
}
static const struct mt_type mdev_cap = {
	.elem = "capability",
	.size = sizeof(struct vm_hostdef_cap),
	.rows = mdev_rows,
	.n = VM_COUNT(mdev_rows),
	.check = check_mdev,
};

/* Source: PCI Express SR-IOV, TotalVFs has 16 bits. */
static const struct mt_range count_range = { .min = 1, .max = UINT16_MAX };
static const struct mt_row vfs_rows[] = {
	C("@count", count, COUNT, MT_U64, .flags = MT_REQUIRED, .arg = &count_range),
	C("@autoprobe", autoprobe, AUTOPROBE, MT_ENUM, .arg = vm_yes_no_words),
};
static const struct mt_type vfs_cap = {
	.elem = "capability",
	.size = sizeof(struct vm_hostdef_cap),
	.rows = vfs_rows,
	.n = VM_COUNT(vfs_rows),
};

static const struct mt_row vgpu_rows[] = {
	C("type/@id", type, TYPE, MT_STR, .flags = MT_REQUIRED),
};

static int check_vgpu(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_hostdef_cap *c = obj;

	if (strspn(c->type, "0123456789") != strlen(c->type) || c->type[0] == '0' || c->type[0] == 0 ||
	    strlen(c->type) > 9)
		return mt_error(ctx, obj, "type/@id", VM_BAD_INPUT, err,
				"the type of a virtual GPU is a number from 1 on");
	return 0;
}
static const struct mt_type vgpu_cap = {
	.elem = "capability",
	.size = sizeof(struct vm_hostdef_cap),
	.rows = vgpu_rows,
	.n = VM_COUNT(vgpu_rows),
	.check = check_vgpu,
};

static const char *const transport_words[] = { "", "fc_host", "!vport_ops", NULL };
static const struct mt_row vport_rows[] = {
	C("capability/@type", transport, TRANSPORT, MT_ENUM, .flags = MT_REQUIRED, .arg = transport_words),
	C("capability/wwnn/#text", wwnn, WWNN, MT_STR, .flags = MT_ASSIGNED),
	C("capability/wwpn/#text", wwpn, WWPN, MT_STR, .flags = MT_ASSIGNED),
};

static int check_vport(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_hostdef_cap *c = obj;
	char wwn[VM_WWN_TEXT];

	if (c->wwpn && !vm_wwn_parse(c->wwpn, wwn))
		return mt_error(ctx, obj, "capability/wwpn", VM_BAD_INPUT, err, "'%.60s' is not 16 hexadecimal digits", c->wwpn);
	if (c->wwnn && !vm_wwn_parse(c->wwnn, wwn))
		return mt_error(ctx, obj, "capability/wwnn", VM_BAD_INPUT, err, "'%.60s' is not 16 hexadecimal digits", c->wwnn);
	return 0;
}
static const struct mt_type vport_cap = {
	.elem = "capability",
	.size = sizeof(struct vm_hostdef_cap),
	.rows = vport_rows,
	.n = VM_COUNT(vport_rows),
	.check = check_vport,
};

static const struct mt_type *const cap_by_kind[] = {
	[VM_HOSTDEF_MDEV] = &mdev_cap,
	[VM_HOSTDEF_VFS] = &vfs_cap,
	[VM_HOSTDEF_VGPU] = &vgpu_cap,
	[VM_HOSTDEF_VPORT] = &vport_cap,
};
static const struct mt_cases caps = {
	.tag = "type",
	.tag_off = offsetof(struct vm_hostdef, kind),
	.n = VM_COUNT(cap_by_kind),
	.by = cap_by_kind,
	.tag_xml = "@type",
	.words = capability_words,
};

#define D(xml, member, bit, kind, ...)                                                             \
	MT_ROW(struct vm_hostdef, xml, member, VM_HOSTDEF_##bit, kind, __VA_ARGS__)
static const struct mt_row rows[] = {
	D("name/#text", name, NAME, MT_STR),
	D("path/#text", path, PATH, MT_STR),
	D("parent/#text", parent, PARENT, MT_STR),
	D("parent/@wwnn", parent_wwnn, PARENT_WWNN, MT_STR),
	D("parent/@wwpn", parent_wwpn, PARENT_WWPN, MT_STR),
	D("parent/@fabric_wwn", fabric, FABRIC, MT_STR),
	D("driver/name/#text", driver, DRIVER, MT_STR),
	D("capability", cap, CAP, MT_CASE, .flags = MT_REQUIRED, .arg = &caps),
};

static bool parent_valid(const char *name)
{
	return name[0] != 0 && name[0] != '.' && strlen(name) < sizeof(((struct vm_mdev *)0)->parent) &&
	       vm_text_only(name, "._-:");
}

/* "pci_0000_00_02_0", "css_0_0_0072" and "ap_matrix" are libvirt's for "0000:00:02.0", "0.0.0072", "matrix". */
static char *kernel_name(const char *parent)
{
	struct vm_pci_address address;
	char name[VM_PCI_NAME];

	if (vm_pci_parse(parent, &address)) {
		vm_pci_name(&address, name);
		return vm_xstrdup(name);
	}
	if (strncmp(parent, "scsi_host", 9) == 0)
		return vm_xstrdup(parent + strlen("scsi_"));
	if (strcmp(parent, "ap_matrix") == 0)
		return vm_xstrdup("matrix");
	if (strncmp(parent, "css_", 4) == 0) {
		char *copy = vm_xstrdup(parent + 4);

		for (char *p = copy; *p != 0; p++)
			*p = *p == '_' ? '.' : *p;
		return copy;
	}
	return vm_xstrdup(parent);
}

static bool is_scsi_host(const char *name)
{
	return strncmp(name, "host", 4) == 0 && name[4] != 0 && strlen(name) < 12 &&
	       strspn(name + 4, "0123456789") == strlen(name + 4);
}

/* An adapter is named in one way, or not at all.  Source: libvirt 9.0, formatnode, "parent". */
static int check_adapter(const struct vm_hostdef *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	const char *const wwns[] = { d->parent_wwnn, d->parent_wwpn, d->fabric };
	char wwn[VM_WWN_TEXT];

	if ((d->parent_wwnn != NULL) != (d->parent_wwpn != NULL))
		return mt_error(ctx, d, "parent", VM_BAD_INPUT, err, "wwnn and wwpn of an adapter go together");
	if ((d->parent != NULL) + (d->parent_wwnn != NULL) + (d->fabric != NULL) > 1)
		return mt_error(ctx, d, "parent", VM_BAD_INPUT, err, "an adapter is given by its name, by wwnn and wwpn, or by fabric_wwn");
	for (size_t i = 0; i < VM_COUNT(wwns); i++)
		if (wwns[i] != NULL && !vm_wwn_parse(wwns[i], wwn))
			return mt_error(ctx, d, "parent", VM_BAD_INPUT, err, "'%.60s' is not 16 hexadecimal digits", wwns[i]);
	return 0;
}

static int check(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_hostdef *d = obj;
	VM_AUTO_FREE char *name = d->parent != NULL ? kernel_name(d->parent) : NULL;
	struct vm_pci_address ignored;

	if (d->cap == NULL)
		return mt_error(ctx, obj, "capability", VM_BAD_INPUT, err, "<capability> needs a type");
	if (d->kind == VM_HOSTDEF_VPORT && check_adapter(d, ctx, err) < 0)
		return -1;
	if (d->kind == VM_HOSTDEF_VPORT && name == NULL)
		return 0;
	if (name == NULL)
		return mt_error(ctx, obj, "parent", VM_BAD_INPUT, err, "<parent> is missing");
	if (d->kind != VM_HOSTDEF_VPORT && (d->parent_wwnn != NULL || d->parent_wwpn != NULL || d->fabric != NULL))
		return mt_error(ctx, obj, "parent", VM_BAD_INPUT, err, "wwnn, wwpn and fabric_wwn are for a virtual port");
	if (d->kind == VM_HOSTDEF_VFS && (d->cap->count == 0 || d->cap->count > UINT16_MAX))
		return mt_error(ctx, obj, "capability", VM_BAD_INPUT, err, "from 1 to %u virtual functions", UINT16_MAX);
	if (!parent_valid(name))
		return mt_error(ctx, obj, "parent", VM_BAD_INPUT, err, "'%.80s' is no name of a device", d->parent);
	if (d->kind == VM_HOSTDEF_VPORT && !is_scsi_host(name))
		return mt_error(ctx, obj, "parent", VM_BAD_INPUT, err, "'%.80s' is no SCSI host: scsi_host5", d->parent);
	if (d->kind != VM_HOSTDEF_MDEV && d->kind != VM_HOSTDEF_VPORT && !vm_pci_parse(name, &ignored))
		return mt_error(ctx, obj, "parent", VM_BAD_INPUT, err, "'%.80s' is no PCI device", d->parent);
	return 0;
}
const struct mt_type vm_hostdef_type = {
	.elem = "device",
	.size = sizeof(struct vm_hostdef),
	.rows = rows,
	.n = VM_COUNT(rows),
	.check = check,
};

static void settle_wwn(char **wwn)
{
	char name[VM_WWN_TEXT];

	if (*wwn != NULL && vm_wwn_parse(*wwn, name)) {
		free(*wwn);
		*wwn = vm_xstrdup(name);
	}
}

static void settle_names(struct vm_hostdef *d)
{
	settle_wwn(&d->cap->wwpn);
	settle_wwn(&d->cap->wwnn);
	settle_wwn(&d->parent_wwnn);
	settle_wwn(&d->parent_wwpn);
	settle_wwn(&d->fabric);
}

static void settle_parent(struct vm_hostdef *d)
{
	char *name = d->parent != NULL ? kernel_name(d->parent) : NULL;

	free(d->parent);
	d->parent = name;
}

int vm_hostdef_parse(const struct vm_xml *doc, struct vm_hostdef **ret, struct vm_err *err)
{
	void *obj;

	if (strcmp(vm_xml_name(doc, 0), "device") != 0)
		return vm_xml_error(doc, 0, -1, VM_BAD_INPUT, err, "<%s> is no <device>", vm_xml_name(doc, 0));
	if (mt_parse(&vm_hostdef_type, doc, 0, false, &obj, err) < 0)
		return -1;
	*ret = obj;
	settle_parent(*ret);
	settle_names(*ret);
	return 0;
}

struct vm_hostdef *vm_hostdef_new(enum vm_hostdef_kind kind, const char *parent)
{
	struct vm_hostdef *d = mt_new(&vm_hostdef_type);

	d->parent = kernel_name(parent);
	mt_assigned(&d->obj, VM_HOSTDEF_PARENT);
	d->kind = (int)kind;
	d->cap = mt_new(cap_by_kind[kind]);
	mt_assigned(&d->obj, VM_HOSTDEF_CAP);
	return d;
}

void vm_hostdef_set(struct vm_hostdef *d, const char *type, uint64_t count, bool no_probe)
{
	if (type != NULL) {
		d->cap->type = vm_xstrdup(type);
		mt_assigned(&d->cap->obj, VM_HOSTDEF_CAP_TYPE);
	}
	if (count > 0) {
		d->cap->count = count;
		mt_assigned(&d->cap->obj, VM_HOSTDEF_CAP_COUNT);
	}
	if (no_probe) {
		d->cap->autoprobe = VM_SWITCH_OFF;
		mt_assigned(&d->cap->obj, VM_HOSTDEF_CAP_AUTOPROBE);
	}
}

void vm_hostdef_attr(struct vm_hostdef *d, const char *name, size_t len, const char *value)
{
	struct vm_hostdef_attr *a = mt_new(&attr_type);

	a->name = vm_xstrndup(name, len);
	mt_assigned(&a->obj, ATTR_NAME);
	a->value = vm_xstrdup(value);
	mt_assigned(&a->obj, ATTR_VALUE);
	mt_list_add(&d->cap->attrs, a);
	mt_assigned(&d->cap->obj, VM_HOSTDEF_CAP_ATTRS);
}

void vm_hostdef_ports(struct vm_hostdef *d, const char *wwpn, const char *wwnn)
{
	d->cap->transport = 1;
	mt_assigned(&d->cap->obj, VM_HOSTDEF_CAP_TRANSPORT);
	if (wwpn != NULL) {
		d->cap->wwpn = vm_xstrdup(wwpn);
		mt_assigned(&d->cap->obj, VM_HOSTDEF_CAP_WWPN);
	}
	if (wwnn != NULL) {
		d->cap->wwnn = vm_xstrdup(wwnn);
		mt_assigned(&d->cap->obj, VM_HOSTDEF_CAP_WWNN);
	}
	settle_names(d);
}

int vm_hostdef_check(struct vm_hostdef *d, struct vm_err *err)
{
	const struct mt_ctx ctx = { .root = d };

	return mt_check(&vm_hostdef_type, d, &ctx, err);
}

void vm_hostdef_free(struct vm_hostdef *d)
{
	mt_free(&vm_hostdef_type, d);
}

void vm_hostdef_freep(struct vm_hostdef **d)
{
	vm_hostdef_free(*d);
	*d = NULL;
}

/* Source: IEEE, "Guidelines for Fibre Channel Use": NAA 5, 24 bits of a vendor's (001a4a, as libvirt has it), 36 of our own. */
static char *make_wwn(const uint8_t *bytes)
{
	return vm_xasprintf("5001a4a%02x%02x%02x%02x%x", bytes[0], bytes[1], bytes[2], bytes[3], (unsigned)bytes[4] & 0xf);
}

static void identify_vport(struct vm_hostdef_cap *c, const uint8_t *given)
{
	uint8_t uuid[16];

	if (given != NULL)
		memcpy(uuid, given, sizeof(uuid));
	else
		vm_uuid_make(uuid);
	if (c->wwpn == NULL) {
		c->wwpn = make_wwn(uuid);
		mt_assigned(&c->obj, VM_HOSTDEF_CAP_WWPN);
	}
	if (c->wwnn == NULL) {
		c->wwnn = make_wwn(uuid + 11);
		mt_assigned(&c->obj, VM_HOSTDEF_CAP_WWNN);
	}
}

void vm_hostdef_identify(struct vm_hostdef *d, const uint8_t *uuid)
{
	if (d->kind == VM_HOSTDEF_VPORT)
		identify_vport(d->cap, uuid);
	if (d->kind != VM_HOSTDEF_MDEV || mt_is_set(&d->cap->obj, VM_HOSTDEF_CAP_UUID))
		return;
	if (uuid != NULL)
		memcpy(d->cap->uuid, uuid, sizeof(d->cap->uuid));
	else
		vm_uuid_make(d->cap->uuid);
	mt_assigned(&d->cap->obj, VM_HOSTDEF_CAP_UUID);
}

char *vm_hostdef_key(const struct vm_hostdef *d)
{
	char uuid[37];

	if (d->kind == VM_HOSTDEF_VPORT)
		return vm_xasprintf("vport:%s", d->cap->wwpn);
	if (d->kind != VM_HOSTDEF_MDEV)
		return vm_xasprintf("%s:%s", vm_hostdef_words[d->kind], d->parent);
	vm_uuid_format(d->cap->uuid, uuid);
	return vm_xasprintf("mdev:%s", uuid);
}

char *vm_hostdef_name(const char *text, struct vm_err *err)
{
	const char *rest = strchr(text, ':');
	struct vm_pci_address address;
	char name[VM_PCI_NAME], uuid[37];
	uint8_t bytes[16];
	char wwn[VM_WWN_TEXT];

	if (strncmp(text, "vport:", 6) == 0 && vm_wwn_parse(rest + 1, wwn))
		return vm_xasprintf("vport:%s", wwn);
	if (strncmp(text, "scsi_host", 9) == 0 && is_scsi_host(text + strlen("scsi_")))
		return vm_xasprintf("vport:%s", text + strlen("scsi_"));
	if (strncmp(text, "vport:", 6) == 0 && is_scsi_host(rest + 1))
		return vm_xstrdup(text);
	if (vm_mdev_virsh_uuid(text, uuid))
		return vm_xasprintf("mdev:%s", uuid);
	if (strncmp(text, "mdev:", 5) == 0 && vm_uuid_parse(rest + 1, bytes) == 0) {
		vm_uuid_format(bytes, uuid);
		return vm_xasprintf("mdev:%s", uuid);
	}
	for (int kind = VM_HOSTDEF_VFS; rest != NULL && kind <= VM_HOSTDEF_VGPU; kind++)
		if (strncmp(text, vm_hostdef_words[kind], (size_t)(rest - text)) == 0 &&
		    vm_hostdef_words[kind][rest - text] == 0 && vm_pci_parse(rest + 1, &address)) {
			vm_pci_name(&address, name);
			return vm_xasprintf("%s:%s", vm_hostdef_words[kind], name);
		}
	vm_err_set(err, VM_BAD_INPUT, "'%.80s' is no name of a device that can be made", text);
	vm_err_hint(err, "write mdev:UUID, vfs:0000:06:12.0 (the card with virtual functions), "
			 "vgpu:0000:06:12.4 (the virtual function) or vport:WWPN");
	return NULL;
}
