/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Host devices given to a guest: PCI, USB, SCSI, vhost-scsi targets, mediated devices. */
#include "device.h"

enum vm_hostdev_type {
	VM_HOSTDEV_TYPE_ABSENT,
	VM_HOSTDEV_TYPE_PCI,
	VM_HOSTDEV_TYPE_USB,
	VM_HOSTDEV_TYPE_SCSI,
	VM_HOSTDEV_TYPE_SCSI_HOST,
	VM_HOSTDEV_TYPE_MDEV,
	VM_HOSTDEV_TYPE_STORAGE, /* those of containers, from here on */
	VM_HOSTDEV_TYPE_MISC,
	VM_HOSTDEV_TYPE_NET,
	VM_HOSTDEV_TYPES
};
enum vm_hostdev_model {
	VM_HOSTDEV_MODEL_ABSENT,
	VM_HOSTDEV_MODEL_VFIO_PCI,
	VM_HOSTDEV_MODEL_VFIO_CCW,
	VM_HOSTDEV_MODEL_VFIO_AP,
	VM_HOSTDEV_MODEL_VIRTIO,
	VM_HOSTDEV_MODEL_VIRTIO_TRANSITIONAL,
	VM_HOSTDEV_MODEL_VIRTIO_NON_TRANSITIONAL
};
enum vm_hostdev_guest_reset {
	VM_GUEST_RESET_ABSENT,
	VM_GUEST_RESET_OFF,
	VM_GUEST_RESET_UNINITIALIZED,
	VM_GUEST_RESET_ON
};
enum vm_hostdev_protocol { VM_HOSTDEV_PROTOCOL_NONE, VM_HOSTDEV_PROTOCOL_ISCSI, VM_HOSTDEV_PROTOCOL_VHOST };
enum vm_teaming_type { VM_TEAMING_ABSENT, VM_TEAMING_PERSISTENT, VM_TEAMING_TRANSIENT };
extern const char *const vm_hostdev_type_words[], *const vm_hostdev_model_words[],
	*const vm_teaming_type_words[];

/* What of it means something hangs on the type. */
struct vm_hostdev_source {
	struct mt_obj obj; /* bits: enum vm_hostdev_source_bit */
	uint64_t domain, bus, slot, function; /* pci; bus: usb and scsi too */
	uint64_t namespace; /* pci, of a disk: the only one of the controller's that is meant; 0 = all of the device */
	int write_filtering, address_type;    /* pci; writeFiltering is Xen's, the type goes without saying */
	uint64_t vendor, product, device;     /* usb */
	int startup_policy, auto_address, guest_reset;
	int protocol;		/* scsi, scsi_host */
	char *adapter;		/* scsi: "scsi_host0" */
	uint64_t target, unit;	/* scsi */
	char *name;		/* scsi with iSCSI: "iqn.../LUN" */
	struct mt_list hosts;	/* likewise: struct vm_hostdev_portal */
	char *initiator;	/* likewise */
	char *wwpn;	  /* scsi_host */
	uint8_t uuid[16]; /* mdev */
};
enum vm_hostdev_source_bit {
	VM_HOSTDEV_SOURCE_DOMAIN,
	VM_HOSTDEV_SOURCE_BUS,
	VM_HOSTDEV_SOURCE_SLOT,
	VM_HOSTDEV_SOURCE_FUNCTION,
	VM_HOSTDEV_SOURCE_WRITE_FILTERING,
	VM_HOSTDEV_SOURCE_VENDOR,
	VM_HOSTDEV_SOURCE_PRODUCT,
	VM_HOSTDEV_SOURCE_DEVICE,
	VM_HOSTDEV_SOURCE_STARTUP_POLICY,
	VM_HOSTDEV_SOURCE_AUTO_ADDRESS,
	VM_HOSTDEV_SOURCE_GUEST_RESET,
	VM_HOSTDEV_SOURCE_PROTOCOL,
	VM_HOSTDEV_SOURCE_ADAPTER,
	VM_HOSTDEV_SOURCE_TARGET,
	VM_HOSTDEV_SOURCE_UNIT,
	VM_HOSTDEV_SOURCE_NAME,
	VM_HOSTDEV_SOURCE_HOSTS,
	VM_HOSTDEV_SOURCE_INITIATOR,
	VM_HOSTDEV_SOURCE_WWPN,
	VM_HOSTDEV_SOURCE_UUID,
	VM_HOSTDEV_SOURCE_ADDRESS_TYPE,
};
struct vm_hostdev_portal { /* <host> of iSCSI */
	struct mt_obj obj;
	char *name;
	uint64_t port; /* 0 = absent */
};
struct vm_teaming {
	struct mt_obj obj;
	int type; /* enum vm_teaming_type */
	char *persistent; /* alias of the other one */
};
struct vm_hostdev {
	struct vm_device dev;
	int mode, type, managed; /* managed: yes/no */
	int model;		 /* enum vm_hostdev_model */
	int display, ramfb;	 /* mdev; on/off */
	int sgio, rawio;	 /* scsi */
	int driver;		 /* 1 vfio, 2 kvm, 3 xen */
	int iommufd;		 /* yes/no */
	char *driver_model;	 /* of VFIO: "vfio-pci", "mlx5_vfio_pci" ... */
	int missing;		 /* live: yes, it was not plugged in when the guest started */
	bool readonly, shareable;
	struct vm_hostdev_source *source; /* never NULL */
	struct vm_teaming *teaming;
};
enum vm_hostdev_bit {
	VM_HOSTDEV_BIT_MODE,
	VM_HOSTDEV_BIT_TYPE,
	VM_HOSTDEV_BIT_MANAGED,
	VM_HOSTDEV_BIT_MODEL,
	VM_HOSTDEV_BIT_DISPLAY,
	VM_HOSTDEV_BIT_RAMFB,
	VM_HOSTDEV_BIT_SGIO,
	VM_HOSTDEV_BIT_RAWIO,
	VM_HOSTDEV_BIT_DRIVER,
	VM_HOSTDEV_BIT_MISSING,
	VM_HOSTDEV_BIT_READONLY,
	VM_HOSTDEV_BIT_SHAREABLE,
	VM_HOSTDEV_BIT_SOURCE,
	VM_HOSTDEV_BIT_TEAMING,
	VM_HOSTDEV_BIT_IOMMUFD,
	VM_HOSTDEV_BIT_DRIVER_MODEL,
};
extern const struct mt_type vm_hostdev_type, vm_teaming_type, vm_hostdev_pci_source_type;

struct vm_domain;
struct vm_disk;
struct vm_interface;
/*
 * All PCI devices of the host that a guest has in another way than as <hostdev>, as one each (borrowed, its place in the document is that
 * of whose it is): controllers of its disks of type='nvme', its interfaces of type='hostdev'; then its <hostdev>s.
 * Begin with an iterator of zeros; NULL: no more.
 */
struct vm_hostdev_iter {
	uint32_t at;
	const struct vm_disk *disk;	      /* whose the one just given is: QEMU has no device for it; NULL: none's */
	const struct vm_interface *interface; /* likewise, but it has one */
	struct vm_hostdev inner;
	struct vm_hostdev_source source;
};
const struct vm_hostdev *vm_hostdev_next(const struct vm_domain *d, struct vm_hostdev_iter *iter);
bool vm_domain_has_hostdevs(const struct vm_domain *d);
/* Does QEMU open this one by its own node (/dev/vfio/devices/vfio0) and /dev/iommu, instead of its group's and the container?  Never
 * a disk's controller: QEMU's driver for these knows groups alone. */
bool vm_hostdev_iommufd(const struct vm_domain *d, const struct vm_hostdev *h);
/* Any of them: QEMU has the object then. */
bool vm_domain_has_iommufd(const struct vm_domain *d);
/* A PCI device that QEMU's vfio-pci is to drive. */
bool vm_domain_has_pci(const struct vm_domain *d);
/* The PCI device that an interface of type='hostdev' is; in *store, with what is borrowed of the interface. */
const struct vm_hostdev *vm_hostdev_of_interface(const struct vm_interface *f, struct vm_hostdev_iter *store);
/* The controller that a disk of type='nvme' is a namespace of; likewise. */
const struct vm_hostdev *vm_hostdev_of_disk(const struct vm_disk *disk, struct vm_hostdev_iter *store);
/* All of vm_hostdev_next(), which can come and go while the guest runs, each to be kept. */
struct vm_hostdev_one {
	const struct vm_hostdev *h; /* borrowed from the domain, or in store */
	const struct vm_disk *disk;	      /* whose it is; */
	const struct vm_interface *interface; /* neither: a <hostdev> */
	struct vm_hostdev_iter store;
};
struct vm_hostdev_list {
	struct vm_hostdev_one *v; /* owned */
	size_t n;
};
#define VM_HOSTDEV_LIST_INIT ((struct vm_hostdev_list){ 0 })
void vm_hostdev_list_read(const struct vm_domain *d, struct vm_hostdev_list *ret);
void vm_hostdev_list_free(struct vm_hostdev_list *l);
/* Do both mean the same device of the host (duplicates, detach)?  A whole controller and one of its namespaces do. */
bool vm_hostdev_same_source(const struct vm_hostdev *a, const struct vm_hostdev *b);
/* Does its QEMU device take a place on the guest's PCI bus? */
bool vm_hostdev_on_pci(const struct vm_hostdev *h);
/* Parked beside a group member: prepared on the host, not given to QEMU. */
static inline bool vm_hostdev_parked(const struct vm_hostdev *h)
{
	return h->dev.address_type == VM_ADDRESS_UNASSIGNED;
}
/* As it is named on the command line and in claims: "0000:01:00.0", "usb:046d:c52b", "mdev:UUID" ...; owned. */
char *vm_hostdev_source_text(const struct vm_hostdev *h);
/* Rules between the host devices of a guest, and between them and its disks. */
int vm_hostdevs_check(const struct vm_domain *d, const struct mt_ctx *ctx, struct vm_err *err);
