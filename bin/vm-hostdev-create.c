/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-hostdev-create: makes host devices: mediated ones, virtual functions, virtual GPUs. */
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/xml.h>

#include "guest/hostdef_cli.h"
#include "host/vport.h"

struct options {
	struct vm_hostdef_cli cli; /* first */
	const char *mdev, *uuid, *vgpu, *vport;
	struct vm_words attrs;
	uint64_t vfs;
	bool vfs_given, no_probe, validate;
};

/* clang-format off */
#define AT(member) .off = offsetof(struct options, member)
static const struct vm_opt options[] = {
	{ "mdev", .kind = VM_OPT_STR, AT(mdev), .arg = "TYPE", .help = "a mediated device of this type on PARENT" },
	{ "uuid", .kind = VM_OPT_STR, AT(uuid), .arg = "UUID", .help = "... with this UUID (default: a new one)" },
	{ "attr", .kind = VM_OPT_LIST, .value = 1, AT(attrs), .arg = "NAME=VALUE",
	  .help = "... and its attribute NAME set; may be repeated" },
	{ "vfs", .kind = VM_OPT_U64, AT(vfs), .given = offsetof(struct options, vfs_given), .arg = "N",
	  .help = "N virtual functions of PARENT" },
	{ "no-autoprobe", .kind = VM_OPT_FLAG, AT(no_probe),
	  .help = "... which the host's drivers do not take" },
	{ "vgpu", .kind = VM_OPT_STR, AT(vgpu), .arg = "TYPE",
	  .help = "a virtual GPU of this type on a virtual function" },
	{ "vport", .kind = VM_OPT_STR, AT(vport), .arg = "WWPN[:WWNN]",
	  .help = "a virtual port (NPIV); WWPN \"new\": made up" },
	{ "validate", .kind = VM_OPT_FLAG, AT(validate), .help = "accepted as virsh's; documents are always validated" },
	{ 0 },
};
static int run(void *opaque, struct vm_err *err);
static const struct vm_program program = {
	.name = "vm-hostdev-create",
	.usage = "[OPTION...] FILE...\n[OPTION...] --mdev=TYPE PARENT...\n[OPTION...] --vfs=N PARENT...\n[OPTION...] --vgpu=TYPE PARENT...\n[OPTION...] --vport=WWPN[:WWNN] PARENT...",
	.summary = "Make host devices: from documents (libvirt's node devices of types mdev and\n"
		   "scsi_host), or of a kind on PARENT: 0000:01:00.0 | pci_0000_01_00_0 |\n"
		   "name in /sys/class/mdev_bus | scsi_host5",
	.options = options,
	.operands = vm_hostdef_file_operands,
	.size = sizeof(struct options),
	.changes = true,
	.run = run,
	.schema = "vm-hostdev-create/1",
	.things = "devices",
};
/* clang-format on */

static int attributes(const struct options *o, struct vm_hostdef *d, struct vm_err *err)
{
	for (size_t i = 0; i < o->attrs.n; i++) {
		const char *equals = strchr(o->attrs.v[i], '=');

		if (equals == NULL)
			return vm_err_set(err, VM_USAGE, "--attr=%s is not NAME=VALUE", o->attrs.v[i]);
		vm_hostdef_attr(d, o->attrs.v[i], (size_t)(equals - o->attrs.v[i]), equals + 1);
	}
	return 0;
}

/* "2101001b32a9da5e:2001001b32a9da5e" */
static int ports(const struct options *o, struct vm_hostdef *d, struct vm_err *err)
{
	VM_AUTO_FREE char *wwpn = vm_xstrndup(o->vport, strcspn(o->vport, ":"));
	const char *wwnn = strchr(o->vport, ':');
	char name[VM_WWN_TEXT];

	if ((strcmp(wwpn, "new") != 0 && !vm_wwn_parse(wwpn, name)) || (wwnn != NULL && !vm_wwn_parse(wwnn + 1, name)))
		return vm_err_set(err, VM_USAGE, "--vport=%s is not WWPN[:WWNN], of 16 hexadecimal digits each", o->vport);
	vm_hostdef_ports(d, strcmp(wwpn, "new") != 0 ? wwpn : NULL, wwnn != NULL ? wwnn + 1 : NULL);
	return 0;
}

static int of_kind(const struct options *o, const char *parent, struct vm_hostdef **ret, struct vm_err *err)
{
	VM_AUTO(vm_hostdef_freep) struct vm_hostdef *d =
		vm_hostdef_new(o->mdev != NULL	  ? VM_HOSTDEF_MDEV
			       : o->vgpu != NULL  ? VM_HOSTDEF_VGPU
			       : o->vport != NULL ? VM_HOSTDEF_VPORT
						  : VM_HOSTDEF_VFS,
			       parent);
	uint8_t uuid[16];

	if (o->uuid != NULL && vm_uuid_parse(o->uuid, uuid) < 0)
		return vm_err_set(err, VM_USAGE, "--uuid=%s is no UUID", o->uuid);
	if (o->uuid != NULL)
		vm_hostdef_identify(d, uuid);
	vm_hostdef_set(d, o->mdev != NULL ? o->mdev : o->vgpu, o->vfs, o->no_probe);
	if ((o->vport != NULL && ports(o, d, err) < 0) || attributes(o, d, err) < 0 || vm_hostdef_check(d, err) < 0)
		return -1;
	*ret = vm_take_ptr(&d);
	return 0;
}

static int create_one(void *opaque, const char *operand, struct vm_err *err)
{
	struct options *o = opaque;
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	VM_AUTO(vm_hostdef_freep) struct vm_hostdef *d = NULL;
	int r;

	if (o->mdev != NULL || o->vgpu != NULL || o->vport != NULL || o->vfs_given) {
		if (of_kind(o, operand, &d, err) < 0)
			return -1;
	} else if (vm_xml_load(operand, &doc, err) < 0 || vm_hostdef_parse(doc, &d, err) < 0) {
		return -1;
	}
	r = vm_hostdef_make(&o->cli.h, d, err);
	if (r >= 0)
		vm_hostdef_cli_name(&o->cli, operand, vm_hostdef_key(d));
	return r;
}

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;

	if ((o->mdev != NULL) + (o->vgpu != NULL) + (o->vport != NULL) + o->vfs_given > 1)
		return vm_err_set(err, VM_USAGE, "--mdev, --vfs, --vgpu and --vport exclude each other");
	if (o->mdev == NULL && (o->uuid != NULL || o->attrs.n > 0))
		return vm_err_set(err, VM_USAGE, "--uuid and --attr are for --mdev");
	if (!o->vfs_given && o->no_probe)
		return vm_err_set(err, VM_USAGE, "--no-autoprobe is for --vfs");
	if (o->uuid != NULL && o->cli.common.operands.n > 1)
		return vm_err_set(err, VM_USAGE, "--uuid is for one PARENT");
	o->cli.each = create_one;
	return vm_hostdef_cli_run(&program, o, "created", err);
}

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
