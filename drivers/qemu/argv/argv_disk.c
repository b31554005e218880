/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks: a chain of block nodes (a storage node under a format node for each layer), and the
 * device.
 *
 * Source: QAPI BlockdevOptions, QEMU 7.2; node names as libvirt 9.0 gives them.
 */
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "qemu/plan/plan.h"

/* What a cache mode means to the nodes and to the device. */
static const struct cache_mode {
	bool said, direct, no_flush, write_back;
} cache_modes[] = {
    [VM_CACHE_ABSENT] = {0},
    [VM_CACHE_DEFAULT] = {0},
    [VM_CACHE_NONE] = {true, true, false, true},
    [VM_CACHE_WRITETHROUGH] = {true, false, false, false},
    [VM_CACHE_WRITEBACK] = {true, false, false, true},
    [VM_CACHE_DIRECTSYNC] = {true, true, false, false},
    [VM_CACHE_UNSAFE] = {true, false, true, true},
};

/* One image of a chain. */
struct layer {
	const struct vm_disk *disk;
	int type; /* enum vm_disk_type */
	const char *path, *format;
	bool top;
	const struct vm_backing_store *backing;
	unsigned number; /* libvirt-<number>-storage */
};

/* A disk that others write too must not be cached, unless its admin says otherwise. */
static const struct cache_mode *cache_mode(const struct vm_disk *disk)
{
	bool said = disk->cache != VM_CACHE_ABSENT && disk->cache != VM_CACHE_DEFAULT;

	if (!said && disk->shareable && !disk->readonly)
		return &cache_modes[VM_CACHE_NONE];
	return &cache_modes[disk->cache];
}

static void cache(struct vm_qobj *o, const struct vm_disk *disk)
{
	const struct cache_mode *m = cache_mode(disk);

	if (!m->said)
		return;
	vm_qobj_open(o, "cache");
	vm_qobj_bool(o, "direct", m->direct);
	vm_qobj_bool(o, "no-flush", m->no_flush);
	vm_qobj_close(o);
}

/* A drive of the host is known by its name alone: it need not exist yet. */
static bool is_host_cdrom(const struct layer *l)
{
	static const char *const names[] = {"sr", "scd", "cdrom", "dvd"};
	const char *base = strrchr(l->path, '/');

	if (!l->top || l->disk->device != VM_DISK_CDROM || base == NULL)
		return false;
	for (size_t i = 0; i < VM_COUNT(names); i++)
		if (strncmp(base + 1, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

/* A namespace of a controller of the host, driven by QEMU itself.  Source: QAPI BlockdevOptionsNVMe. */
static void nvme_node(struct vm_plan *p, const struct layer *l)
{
	VM_AUTO_FREE char *device = vm_disk_nvme_text(l->disk);
	struct vm_qobj o = VM_QOBJ_INIT;

	vm_qobj_str(&o, "driver", "nvme");
	vm_qobj_str(&o, "device", device);
	vm_qobj_u64(&o, "namespace", l->disk->source->namespace);
	vm_qobj_strf(&o, "node-name", "libvirt-%u-storage", l->number);
	cache(&o, l->disk);
	vm_qobj_bool(&o, "auto-read-only", true);
	vm_qobj_str(&o, "discard", "unmap");
	vm_qobj_emit(&o, p->a, "-blockdev");
}

static void storage_node(struct vm_plan *p, const struct layer *l)
{
	static const char *const aio[] = {
	    [VM_IO_NATIVE] = "native", [VM_IO_THREADS] = "threads", [VM_IO_URING] = "io_uring"};
	struct vm_qobj o = VM_QOBJ_INIT;

	vm_qobj_str(&o, "driver",
		    l->type != VM_DISK_BLOCK ? "file"
		    : is_host_cdrom(l)	     ? "host_cdrom"
					     : "host_device");
	vm_qobj_str(&o, "filename", l->path);
	vm_qobj_str(&o, "aio", aio[l->disk->io]);
	vm_qobj_strf(&o, "node-name", "libvirt-%u-storage", l->number);
	cache(&o, l->disk);
	vm_qobj_bool(&o, "auto-read-only", true);
	vm_qobj_str(&o, "discard", "unmap");
	vm_qobj_emit(&o, p->a, "-blockdev");
}

static void discard(struct vm_qobj *o, const struct vm_disk *disk)
{
	int zeroes = disk->detect_zeroes;

	if (disk->discard != VM_DISCARD_ABSENT)
		vm_qobj_str(o, "discard", vm_disk_discard_words[disk->discard]);
	/* QEMU refuses to unmap what it may not discard. */
	if (zeroes == VM_ZEROES_UNMAP && disk->discard != VM_DISCARD_UNMAP)
		zeroes = VM_ZEROES_ON;
	if (zeroes != VM_ZEROES_ABSENT)
		vm_qobj_str(o, "detect-zeroes", vm_disk_detect_zeroes_words[zeroes]);
}

/* Only a format that names what is below it is told about it. */
static bool has_backing(const char *format)
{
	static const char *const names[] = {"qcow2", "qcow", "qed", "vmdk"};

	for (size_t i = 0; i < VM_COUNT(names); i++)
		if (strcmp(format, names[i]) == 0)
			return true;
	return false;
}

static bool read_only(const struct vm_disk *disk)
{
	return disk->readonly || disk->device == VM_DISK_CDROM;
}

static void format_node(struct vm_plan *p, const struct layer *l)
{
	struct vm_qobj o = VM_QOBJ_INIT;

	vm_qobj_strf(&o, "node-name", "libvirt-%u-format", l->number);
	vm_qobj_bool(&o, "read-only", !l->top || read_only(l->disk));
	if (l->top)
		discard(&o, l->disk);
	cache(&o, l->disk);
	vm_qobj_str(&o, "driver", l->format);
	vm_qobj_strf(&o, "file", "libvirt-%u-storage", l->number);
	if (l->backing != NULL && l->backing->type != VM_DISK_TYPE_NONE)
		vm_qobj_strf(&o, "backing", "libvirt-%u-format", l->number + 1);
	else if (l->backing != NULL && has_backing(l->format))
		vm_qobj_null(&o, "backing");
	vm_qobj_emit(&o, p->a, "-blockdev");
}

static void chain(struct vm_plan *p, const struct layer *l)
{
	const struct vm_backing_store *b = l->backing;

	if (b != NULL && b->type != VM_DISK_TYPE_NONE) {
		const struct layer below = {
		    .disk = l->disk,
		    .type = b->type,
		    .path = b->source->path,
		    .format = b->format != NULL ? b->format : "raw",
		    .backing = b->backing,
		    .number = l->number + 1,
		};

		chain(p, &below);
	}
	if (l->type == VM_DISK_NVME)
		nvme_node(p, l);
	else
		storage_node(p, l);
	format_node(p, l);
}

static unsigned layers(const struct vm_disk *disk)
{
	const struct vm_backing_store *b = disk->backing;
	unsigned n = 1;

	if (vm_disk_is_empty(disk))
		return 0;
	for (; b != NULL && b->type != VM_DISK_TYPE_NONE; b = b->backing)
		n++;
	return n;
}

/* Nodes are counted from the last disk to the first, unless they have a number already. */
static unsigned number_of(struct vm_disk *const *disks, size_t at)
{
	unsigned number = 1;

	if (!vm_disk_is_empty(disks[at]) && disks[at]->source->index != 0)
		return (unsigned)disks[at]->source->index;
	for (size_t i = at + 1; disks[i] != NULL; i++)
		number += layers(disks[i]);
	return number;
}

void vm_qemu_number_disks(struct vm_domain *d)
{
	VM_AUTO_FREE struct vm_disk **disks = vm_disks_of(d);

	for (size_t i = 0; disks[i] != NULL; i++)
		if (!vm_disk_is_empty(disks[i]))
			vm_disk_set_index(disks[i], number_of(disks, i));
}

uint64_t vm_qemu_next_number(const struct vm_domain *d)
{
	VM_AUTO_FREE struct vm_disk **disks = vm_disks_of(d);
	unsigned next = 1;

	for (size_t i = 0; disks[i] != NULL; i++)
		if (!vm_disk_is_empty(disks[i]) && number_of(disks, i) + layers(disks[i]) > next)
			next = number_of(disks, i) + layers(disks[i]);
	return next;
}

/* The node a device reads from. */
static char *top_node(const struct vm_disk *disk, unsigned number)
{
	if (disk->copy_on_read == VM_SWITCH_ON)
		return vm_xasprintf("libvirt-CoR-%s", disk->target);
	return vm_xasprintf("libvirt-%u-format", number);
}

static void nodes(struct vm_plan *p, const struct vm_disk *disk, unsigned number)
{
	const struct layer top = {
	    .disk = disk,
	    .type = disk->type,
	    .path = disk->source->path,
	    .format = disk->format != NULL ? disk->format : "raw",
	    .top = true,
	    .backing = disk->backing,
	    .number = number,
	};
	struct vm_qobj o = VM_QOBJ_INIT;

	chain(p, &top);
	if (disk->copy_on_read != VM_SWITCH_ON)
		return;
	vm_qobj_str(&o, "driver", "copy-on-read");
	vm_qobj_strf(&o, "node-name", "libvirt-CoR-%s", disk->target);
	vm_qobj_strf(&o, "file", "libvirt-%u-format", number);
	vm_qobj_str(&o, "discard", "unmap");
	vm_qobj_emit(&o, p->a, "-blockdev");
}

/* ---- the device ---- */

static const struct vm_prop virtio_props[] = {
    {"ioeventfd", offsetof(struct vm_disk, ioeventfd), VM_DISK_BIT_IOEVENTFD, VM_PROP_ENUM_ONOFF,
     vm_on_off_words},
    {"event_idx", offsetof(struct vm_disk, event_idx), VM_DISK_BIT_EVENT_IDX, VM_PROP_ENUM_ONOFF,
     vm_on_off_words},
    {"num-queues", offsetof(struct vm_disk, queues), VM_DISK_BIT_QUEUES, VM_PROP_U64, NULL},
    {"queue-size", offsetof(struct vm_disk, queue_size), VM_DISK_BIT_QUEUE_SIZE, VM_PROP_U64, NULL},
};
static const struct vm_prop block_props[] = {
    {"logical_block_size", offsetof(struct vm_disk, logical_block_size),
     VM_DISK_BIT_LOGICAL_BLOCK_SIZE, VM_PROP_U64, NULL},
    {"physical_block_size", offsetof(struct vm_disk, physical_block_size),
     VM_DISK_BIT_PHYSICAL_BLOCK_SIZE, VM_PROP_U64, NULL},
    {"vendor", offsetof(struct vm_disk, vendor), VM_DISK_BIT_VENDOR, VM_PROP_STR, NULL},
    {"product", offsetof(struct vm_disk, product), VM_DISK_BIT_PRODUCT, VM_PROP_STR, NULL},
    {"rotation_rate", offsetof(struct vm_disk, rotation_rate), VM_DISK_BIT_ROTATION_RATE,
     VM_PROP_U64, NULL},
    {"cyls", offsetof(struct vm_disk, cyls), VM_DISK_BIT_CYLS, VM_PROP_U64, NULL},
    {"heads", offsetof(struct vm_disk, heads), VM_DISK_BIT_HEADS, VM_PROP_U64, NULL},
    {"secs", offsetof(struct vm_disk, secs), VM_DISK_BIT_SECS, VM_PROP_U64, NULL},
};

static void drive_address(struct vm_plan *p, struct vm_qobj *o, const struct vm_disk *disk)
{
	const struct vm_address *a = disk->dev.address;
	const struct vm_controller *c;
	VM_AUTO_FREE char *bus = NULL;

	switch ((enum vm_disk_bus)disk->bus) {
	case VM_BUS_IDE:
	case VM_BUS_SATA:
		bus = vm_qemu_alias(
		    p->d, VM_FAMILY_CONTROLLER,
		    &vm_controller_find(
			 p->d, disk->bus == VM_BUS_IDE ? VM_CONTROLLER_IDE : VM_CONTROLLER_SATA,
			 a->controller)
			 ->dev);
		/* An IDE channel has two units; a SATA port is a bus of its own. */
		vm_qobj_strf(o, "bus", "%s.%llu", bus,
			     (unsigned long long)(disk->bus == VM_BUS_IDE ? a->bus : a->unit));
		if (disk->bus == VM_BUS_IDE)
			vm_qobj_u64(o, "unit", a->unit);
		break;
	case VM_BUS_SCSI:
		c = vm_controller_find(p->d, VM_CONTROLLER_SCSI, a->controller);
		bus = vm_qemu_bus(p->d, VM_CONTROLLER_SCSI, a->controller);
		vm_qobj_str(o, "bus", bus);
		if (c->model == VM_SCSI_LSILOGIC) {
			vm_qobj_u64(o, "scsi-id", a->unit);
		} else {
			vm_qobj_u64(o, "channel", a->bus);
			vm_qobj_u64(o, "scsi-id", a->target);
			vm_qobj_u64(o, "lun", a->unit);
		}
		break;
	case VM_BUS_FDC:
		vm_qobj_u64(o, "unit", a->unit);
		break;
	case VM_BUS_VIRTIO:
	case VM_BUS_USB:
		vm_plan_address(p, o, &disk->dev);
		break;
	case VM_BUS_NONE:
	case VM_BUS_XEN:
	case VM_BUS_UML:
	case VM_BUS_SD:
		break;
	}
}

static void driver(struct vm_qobj *o, const struct vm_disk *disk)
{
	const bool cdrom = disk->device == VM_DISK_CDROM;

	switch ((enum vm_disk_bus)disk->bus) {
	case VM_BUS_IDE:
	case VM_BUS_SATA:
		vm_qobj_str(o, "driver", cdrom ? "ide-cd" : "ide-hd");
		break;
	case VM_BUS_SCSI:
		vm_qobj_str(o, "driver",
			    disk->device == VM_DISK_LUN ? "scsi-block"
			    : cdrom			? "scsi-cd"
							: "scsi-hd");
		break;
	case VM_BUS_USB:
		vm_qobj_str(o, "driver", "usb-storage");
		break;
	case VM_BUS_FDC:
		vm_qobj_str(o, "driver", "floppy");
		break;
	case VM_BUS_VIRTIO:
		vm_plan_virtio_driver(o, "virtio-blk", disk->model);
		if (disk->iothread != 0)
			vm_qobj_strf(o, "iothread", "iothread%llu",
				     (unsigned long long)disk->iothread);
		vm_qobj_props(o, virtio_props, VM_COUNT(virtio_props), disk);
		vm_plan_virtio(o, &disk->virtio);
		break;
	case VM_BUS_NONE:
	case VM_BUS_XEN:
	case VM_BUS_UML:
	case VM_BUS_SD:
		break;
	}
}

static void error_policies(struct vm_qobj *o, const struct vm_disk *disk)
{
	int on_read = disk->rerror_policy;

	/* "enospace" is about writing; any other policy for writing is one for reading too. */
	if (on_read == VM_ERROR_ABSENT && disk->error_policy != VM_ERROR_ENOSPACE)
		on_read = disk->error_policy;
	if (disk->error_policy == VM_ERROR_ENOSPACE)
		vm_qobj_str(o, "werror", "enospc");
	else if (disk->error_policy != VM_ERROR_ABSENT)
		vm_qobj_str(o, "werror", vm_disk_error_words[disk->error_policy]);
	if (on_read != VM_ERROR_ABSENT)
		vm_qobj_str(o, "rerror", vm_disk_error_words[on_read]);
}

/* Spaces are told with a backslash: so libvirt's guests have always seen them. */
static void serial(struct vm_qobj *o, const struct vm_disk *disk)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;

	if (disk->serial == NULL)
		return;
	for (const char *c = disk->serial; *c != '\0'; c++) {
		if (*c == ' ')
			vm_strbuf_putc(&b, '\\');
		vm_strbuf_putc(&b, *c);
	}
	vm_qobj_str(o, "serial", b.text);
}

static void device(struct vm_plan *p, const struct vm_disk *disk, const char *node)
{
	VM_AUTO_FREE char *alias = vm_qemu_alias(p->d, VM_FAMILY_DISK, &disk->dev);
	const struct cache_mode *m = cache_mode(disk);
	const bool lun = disk->device == VM_DISK_LUN, floppy = disk->bus == VM_BUS_FDC;
	uint64_t boot = floppy ? 0 : vm_plan_boot_index(p, VM_FAMILY_DISK, &disk->dev);
	struct vm_qobj o = VM_QOBJ_INIT;

	driver(&o, disk);
	drive_address(p, &o, disk);
	/* What an INQUIRY tells, whatever the node is called. */
	if (disk->bus == VM_BUS_SCSI && !lun) {
		if (disk->serial != NULL)
			vm_qobj_str(&o, "device_id", disk->serial);
		else
			vm_qobj_strf(&o, "device_id", "drive-%s", alias);
	}
	if (disk->shareable)
		vm_qobj_bool(&o, "share-rw", true);
	vm_qobj_str(&o, "drive", node);
	vm_qobj_str(&o, "id", alias);
	if (boot != 0)
		vm_qobj_u64(&o, "bootindex", boot);
	if (disk->bus == VM_BUS_USB || disk->removable != VM_SWITCH_ABSENT)
		vm_qobj_bool(&o, "removable", disk->removable == VM_SWITCH_ON);
	vm_qobj_props(&o, block_props, VM_COUNT(block_props), disk);
	if (disk->trans != VM_TRANS_ABSENT)
		vm_qobj_str(&o, "bios-chs-trans", vm_disk_trans_words[disk->trans]);
	if (disk->wwn != NULL)
		vm_qobj_u64(&o, "wwn", strtoull(disk->wwn, NULL, 16));
	if (m->said && !lun)
		vm_qobj_str(&o, "write-cache", m->write_back ? "on" : "off");
	if (!lun)
		serial(&o, disk);
	error_policies(&o, disk);
	vm_qobj_emit(&o, p->a, "-device");
}

/* The floppy controller of i440fx is the machine's own, that of q35 a device; the boot order is
 * its. */
static void floppy_controller(struct vm_plan *p)
{
	uint64_t boot[2] = {0};
	bool any = false;
	struct vm_qobj o = VM_QOBJ_INIT;

	for (uint32_t i = 0; i < p->d->disks.n; i++) {
		const struct vm_disk *disk = p->d->disks.v[i];

		if (disk->bus != VM_BUS_FDC)
			continue;
		any = true;
		if (disk->dev.address->unit < 2)
			boot[disk->dev.address->unit] =
			    vm_plan_boot_index(p, VM_FAMILY_DISK, &disk->dev);
	}
	if (!any)
		return;
	if (!vm_qemu_is_q35(p->d)) {
		for (unsigned unit = 0; unit < 2; unit++) {
			if (boot[unit] == 0)
				continue;
			vm_argv_add(p->a, "-global");
			vm_argv_addf(p->a, "isa-fdc.bootindex%c=%llu", 'A' + (int)unit,
				     (unsigned long long)boot[unit]);
		}
		return;
	}
	vm_qobj_str(&o, "driver", "isa-fdc");
	if (boot[0] != 0)
		vm_qobj_u64(&o, "bootindexA", boot[0]);
	if (boot[1] != 0)
		vm_qobj_u64(&o, "bootindexB", boot[1]);
	vm_qobj_emit(&o, p->a, "-device");
}

static void one_disk(struct vm_plan *p, const struct vm_disk *disk, unsigned number)
{
	VM_AUTO_FREE char *node = NULL;

	if (!vm_disk_is_empty(disk)) {
		nodes(p, disk, number);
		node = top_node(disk, number);
	}
	device(p, disk, node);
}

static size_t place_of(const struct vm_plan *p, const struct vm_disk *disk)
{
	size_t i = 0;

	while (p->disks[i] != disk)
		i++;
	return i;
}

void vm_plan_disk_nodes(struct vm_plan *p, const struct vm_disk *disk)
{
	if (!vm_disk_is_empty(disk))
		nodes(p, disk, number_of(p->disks, place_of(p, disk)));
}

void vm_plan_one_disk(struct vm_plan *p, const struct vm_disk *disk)
{
	one_disk(p, disk, number_of(p->disks, place_of(p, disk)));
}

void vm_plan_disks(struct vm_plan *p)
{
	unsigned next = 1;

	floppy_controller(p);
	for (size_t i = 0; p->disks[i] != NULL; i++)
		next += layers(p->disks[i]);
	for (size_t i = 0; p->disks[i] != NULL; i++) {
		const struct vm_disk *disk = p->disks[i];

		next -= layers(disk);
		one_disk(p, disk, !vm_disk_is_empty(disk) && disk->source->index != 0 ? (unsigned)disk->source->index : next);
	}
}
