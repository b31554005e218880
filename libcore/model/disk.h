/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
#include "device.h"

enum vm_disk_type {
	VM_DISK_TYPE_NONE,
	VM_DISK_FILE,
	VM_DISK_BLOCK,
	VM_DISK_DIR,
	VM_DISK_NETWORK,
	VM_DISK_VOLUME,
	VM_DISK_NVME,
	VM_DISK_VHOSTUSER
};
enum vm_disk_device {
	VM_DISK_DISK = 1,
	VM_DISK_CDROM,
	VM_DISK_FLOPPY,
	VM_DISK_LUN
}; /* never absent: default disk */
enum vm_disk_bus {
	VM_BUS_NONE,
	VM_BUS_IDE,
	VM_BUS_FDC,
	VM_BUS_SCSI,
	VM_BUS_VIRTIO,
	VM_BUS_USB,
	VM_BUS_SATA,
	VM_BUS_XEN,
	VM_BUS_UML,
	VM_BUS_SD
};
enum vm_virtio_model {
	VM_VIRTIO_MODEL_ABSENT,
	VM_VIRTIO_MODEL_VIRTIO,
	VM_VIRTIO_MODEL_TRANSITIONAL,
	VM_VIRTIO_MODEL_NON_TRANSITIONAL
};
enum vm_disk_cache {
	VM_CACHE_ABSENT,
	VM_CACHE_DEFAULT,
	VM_CACHE_NONE,
	VM_CACHE_WRITETHROUGH,
	VM_CACHE_WRITEBACK,
	VM_CACHE_DIRECTSYNC,
	VM_CACHE_UNSAFE
};
enum vm_disk_io { VM_IO_ABSENT, VM_IO_NATIVE, VM_IO_THREADS, VM_IO_URING };
enum vm_disk_error {
	VM_ERROR_ABSENT,
	VM_ERROR_STOP,
	VM_ERROR_REPORT,
	VM_ERROR_IGNORE,
	VM_ERROR_ENOSPACE
};
enum vm_disk_discard { VM_DISCARD_ABSENT, VM_DISCARD_UNMAP, VM_DISCARD_IGNORE };
enum vm_disk_detect_zeroes { VM_ZEROES_ABSENT, VM_ZEROES_OFF, VM_ZEROES_ON, VM_ZEROES_UNMAP };
enum vm_disk_snapshot {
	VM_SNAPSHOT_ABSENT,
	VM_SNAPSHOT_NO,
	VM_SNAPSHOT_INTERNAL,
	VM_SNAPSHOT_EXTERNAL,
	VM_SNAPSHOT_MANUAL
};
enum vm_disk_startup {
	VM_STARTUP_ABSENT,
	VM_STARTUP_MANDATORY,
	VM_STARTUP_REQUISITE,
	VM_STARTUP_OPTIONAL
};
enum vm_disk_trans { VM_TRANS_ABSENT, VM_TRANS_NONE, VM_TRANS_AUTO, VM_TRANS_LBA };
enum vm_disk_tray { VM_TRAY_ABSENT, VM_TRAY_OPEN, VM_TRAY_CLOSED };
extern const char *const vm_disk_type_words[],
    *const vm_disk_device_words[],
	*const vm_disk_bus_words[], *const vm_virtio_model_words[],
					*const vm_disk_cache_words[],
					    *const vm_disk_io_words[],
						*const vm_disk_error_words[],
						    *const vm_disk_discard_words[],
							*const vm_disk_detect_zeroes_words[],
							    *const vm_disk_snapshot_words[],
								*const vm_disk_startup_words[],
								    *const vm_disk_trans_words[],
									*const vm_disk_tray_words[];

struct vm_disk_source {
	struct mt_obj obj;
	char *path; /* @file or @dev, by the disk's type; NULL for type='nvme' */
	int startup_policy;
	uint64_t index; /* 0 = none */
	/* nvme: a namespace of the host's controller at this place */
	int pci_type, managed;
	uint64_t namespace, domain, bus, slot, function;
};
/* One layer below the disk's own image; an empty one (type absent) ends the chain. */
struct vm_backing_store {
	struct mt_obj obj;
	int type; /* enum vm_disk_type */
	uint64_t index;
	char *format; /* "qcow2" */
	struct vm_disk_source *source;
	struct vm_backing_store *backing;
};
struct vm_disk {
	struct vm_device dev;
	int type, device, model;   /* enum vm_disk_type, vm_disk_device, vm_virtio_model */
	int snapshot, rawio, sgio; /* sgio: 1 filtered, 2 unfiltered */
	/* driver */
	char *driver, *format; /* "qemu", "qcow2" (NULL = raw) */
	int cache, io, error_policy, rerror_policy, copy_on_read, discard, detect_zeroes;
	int ioeventfd, event_idx;
	uint64_t iothread, queues, queue_size; /* 0 = absent */
	struct vm_virtio_options virtio;
	struct vm_disk_source *source; /* NULL: an empty drive */
	struct vm_backing_store *backing;
	char *target; /* "vda" */
	int bus;      /* enum vm_disk_bus; filled from the target's prefix if absent */
	int removable, tray;
	uint64_t rotation_rate;
	bool readonly, shareable, transient;
	int share_backing;
	char *serial, *wwn, *vendor, *product;
	uint64_t logical_block_size, physical_block_size; /* bytes; 0 = absent */
	uint64_t cyls, heads, secs;			  /* 0 = absent */
	int trans;
};
enum vm_disk_bit {
	VM_DISK_BIT_TYPE,
	VM_DISK_BIT_DEVICE,
	VM_DISK_BIT_MODEL,
	VM_DISK_BIT_SNAPSHOT,
	VM_DISK_BIT_RAWIO,
	VM_DISK_BIT_SGIO,
	VM_DISK_BIT_DRIVER,
	VM_DISK_BIT_FORMAT,
	VM_DISK_BIT_CACHE,
	VM_DISK_BIT_IO,
	VM_DISK_BIT_ERROR_POLICY,
	VM_DISK_BIT_RERROR_POLICY,
	VM_DISK_BIT_COPY_ON_READ,
	VM_DISK_BIT_DISCARD,
	VM_DISK_BIT_DETECT_ZEROES,
	VM_DISK_BIT_IOEVENTFD,
	VM_DISK_BIT_EVENT_IDX,
	VM_DISK_BIT_IOTHREAD,
	VM_DISK_BIT_QUEUES,
	VM_DISK_BIT_QUEUE_SIZE,
	VM_DISK_BIT_SOURCE,
	VM_DISK_BIT_BACKING,
	VM_DISK_BIT_TARGET,
	VM_DISK_BIT_BUS,
	VM_DISK_BIT_REMOVABLE,
	VM_DISK_BIT_TRAY,
	VM_DISK_BIT_ROTATION_RATE,
	VM_DISK_BIT_READONLY,
	VM_DISK_BIT_SHAREABLE,
	VM_DISK_BIT_TRANSIENT,
	VM_DISK_BIT_SHARE_BACKING,
	VM_DISK_BIT_SERIAL,
	VM_DISK_BIT_WWN,
	VM_DISK_BIT_VENDOR,
	VM_DISK_BIT_PRODUCT,
	VM_DISK_BIT_LOGICAL_BLOCK_SIZE,
	VM_DISK_BIT_PHYSICAL_BLOCK_SIZE,
	VM_DISK_BIT_CYLS,
	VM_DISK_BIT_HEADS,
	VM_DISK_BIT_SECS,
	VM_DISK_BIT_TRANS,
};
extern const struct mt_type vm_disk_type;
/* An empty drive? */
bool vm_disk_is_empty(const struct vm_disk *d);
/* type='nvme': address of its controller, "0000:01:00.0"; owned. */
char *vm_disk_nvme_text(const struct vm_disk *d);
bool vm_disk_is_format(const char *text);
/* Numbers its images as their live document does (source/@index), `first` being its own; how many there are. */
unsigned vm_disk_set_index(struct vm_disk *d, uint64_t first);
/* Puts an image, made by us, at *at, and says where the one below it goes; type VM_DISK_TYPE_NONE ends the chain. */
struct vm_backing_store **vm_backing_add(struct vm_backing_store **at, int type, const char *path,
					 const char *format);
void vm_backing_free(struct vm_backing_store *b); /* and all below; NULL is fine */
void vm_disk_set_backing(struct vm_disk *disk, struct vm_backing_store *b);

/* The bus a target's prefix stands for on this kind of machine ("hda": ide, q35 sata). */
int vm_disk_bus_of_target(const char *target, bool q35);
/* 0 for "vda", 27 for "sdab"; partitions count as their disk; -1 if it is no target name. */
int vm_disk_target_index(const char *target);
