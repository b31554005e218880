/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Documents of host devices that can be made: mediated devices, the virtual functions of a card, a vendor's virtual GPU on
 * one of these, virtual ports (NPIV) of Fibre Channel adapters.  Source: libvirt 9.0, formatnode "mdev", "scsi_host"; virt_functions and vgpu beside a <parent> are ours.
 */
#include <vm/mt.h>

enum vm_hostdef_kind { VM_HOSTDEF_ABSENT, VM_HOSTDEF_MDEV, VM_HOSTDEF_VFS, VM_HOSTDEF_VGPU, VM_HOSTDEF_VPORT, VM_HOSTDEF_KINDS };
/* "mdev", "vfs", "vgpu", "vport": what names of such devices begin with */
extern const char *const vm_hostdef_words[];

struct vm_hostdef_attr { /* written to the file of this name, in the document's order */
	struct mt_obj obj;
	char *name, *value;
};
struct vm_hostdef_cap {
	struct mt_obj obj;
	char *type;	   /* "i915-GVTg_V5_4"; of a virtual GPU its number */
	uint8_t uuid[16];  /* bit VM_HOSTDEF_CAP_UUID */
	struct mt_list attrs;
	char *parent_addr; /* what libvirt says of a device that is there; not looked at */
	uint64_t group;
	uint64_t count;	   /* VFs */
	int autoprobe;	   /* enum vm_switch: may drivers of the host take them? */
	int transport;	   /* 1 = fc_host */
	char *wwnn, *wwpn; /* 16 hexadecimal digits in lower case */
};
enum { VM_HOSTDEF_CAP_TYPE, VM_HOSTDEF_CAP_UUID, VM_HOSTDEF_CAP_ATTRS, VM_HOSTDEF_CAP_PARENT_ADDR,
       VM_HOSTDEF_CAP_GROUP, VM_HOSTDEF_CAP_COUNT, VM_HOSTDEF_CAP_AUTOPROBE, VM_HOSTDEF_CAP_TRANSPORT,
       VM_HOSTDEF_CAP_WWNN, VM_HOSTDEF_CAP_WWPN };
struct vm_hostdef {
	struct mt_obj obj;
	char *name, *path, *driver; /* libvirt's; not looked at */
	char *parent;		    /* as the kernel calls it: "0000:00:02.0", "mtty", "0.0.0072", "host5"; of a virtual port NULL: */
	char *parent_wwnn, *parent_wwpn, *fabric; /* the adapter with these names, one on this fabric, or any */
	int kind;
	struct vm_hostdef_cap *cap;
};
enum { VM_HOSTDEF_NAME, VM_HOSTDEF_PATH, VM_HOSTDEF_DRIVER, VM_HOSTDEF_PARENT, VM_HOSTDEF_PARENT_WWNN,
       VM_HOSTDEF_PARENT_WWPN, VM_HOSTDEF_FABRIC, VM_HOSTDEF_CAP };
extern const struct mt_type vm_hostdef_type;

struct vm_hostdef *vm_hostdef_new(enum vm_hostdef_kind kind, const char *parent);
void vm_hostdef_free(struct vm_hostdef *d);
void vm_hostdef_freep(struct vm_hostdef **d); /* for VM_AUTO */
/* The root of a document; <parent> may be libvirt's name of it ("pci_0000_00_02_0"). */
int vm_hostdef_parse(const struct vm_xml *doc, struct vm_hostdef **ret, struct vm_err *err);
/* Of one that was put together: type (NULL: none), number of VFs (0: none) and whether drivers leave them alone; an attribute. */
void vm_hostdef_set(struct vm_hostdef *d, const char *type, uint64_t count, bool no_probe);
/* Names of a virtual port and its node; NULL: they are to be made up. */
void vm_hostdef_ports(struct vm_hostdef *d, const char *wwpn, const char *wwnn);
void vm_hostdef_attr(struct vm_hostdef *d, const char *name, size_t len, const char *value);
/* Checks one that was put together: VM_BAD_INPUT. */
int vm_hostdef_check(struct vm_hostdef *d, struct vm_err *err);
/* "mdev:UUID", "vfs:0000:06:12.0", "vgpu:0000:06:12.4", "vport:2101001b32a9da5e"; owned.  It must have been identified. */
char *vm_hostdef_key(const struct vm_hostdef *d);
/* The same from what people write: also virsh's "mdev_<UUID with _>_<parent>", and "scsi_host6", which becomes
 * "vport:host6"; owned.  NULL: VM_BAD_INPUT. */
char *vm_hostdef_name(const char *text, struct vm_err *err);
/* Makes up what a mediated device or a virtual port is to be called, from this UUID (random if NULL), where it has no name; others have
 * one by their parent. */
void vm_hostdef_identify(struct vm_hostdef *d, const uint8_t *uuid);
