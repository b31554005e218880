// SPDX-License-Identifier: LGPL-2.1-or-later
#include "disk.h"

#include <ctype.h>
#include <string.h>

#include <vm/alloc.h>

#include "rows.h"

const char *const vm_disk_type_words[] = {
    "", "file", "block", "!dir", "!network", "!volume", "nvme", "!vhostuser", NULL,
};
const char *const vm_disk_device_words[] = {"", "disk", "cdrom", "floppy", "lun", NULL};
const char *const vm_disk_bus_words[] = {
    "", "ide", "fdc", "scsi", "virtio", "usb", "sata", "!xen", "!uml", "!sd", NULL,
};
const char *const vm_virtio_model_words[] = {
    "", "virtio", "virtio-transitional", "virtio-non-transitional", NULL,
};
const char *const vm_disk_cache_words[] = {
    "", "default", "none", "writethrough", "writeback", "directsync", "unsafe", NULL,
};
const char *const vm_disk_io_words[] = {"", "native", "threads", "io_uring", NULL};
const char *const vm_disk_error_words[] = {"", "stop", "report", "ignore", "enospace", NULL};
const char *const vm_disk_discard_words[] = {"", "unmap", "ignore", NULL};
const char *const vm_disk_detect_zeroes_words[] = {"", "off", "on", "unmap", NULL};
const char *const vm_disk_snapshot_words[] = {
    "", "no", "internal", "external", "manual", NULL,
};
const char *const vm_disk_startup_words[] = {"", "mandatory", "requisite", "optional", NULL};
const char *const vm_disk_trans_words[] = {"", "none", "auto", "lba", NULL};
const char *const vm_disk_tray_words[] = {"", "open", "closed", NULL};
static const char *const sgio_words[] = {"", "filtered", "unfiltered", NULL};

/* ---- the source ---- */

enum { SOURCE_PATH, SOURCE_STARTUP, SOURCE_INDEX };
#define SOURCE_ROWS(attr)                                                                          \
	MT_ROW(struct vm_disk_source, attr, path, SOURCE_PATH, MT_PATH),                           \
	    MT_ROW(struct vm_disk_source, "@startupPolicy", startup_policy, SOURCE_STARTUP,        \
		   MT_ENUM, .arg = vm_disk_startup_words),                                         \
	    MT_ROW(struct vm_disk_source, "@index", index, SOURCE_INDEX, MT_U64,                   \
		   .flags = MT_LIVE_ONLY, .arg = &vm_u32_range)

static const struct mt_row file_rows[] = {SOURCE_ROWS("@file")};
static const struct mt_row block_rows[] = {SOURCE_ROWS("@dev")};
static const struct mt_type file_source = {
    .elem = "source",
    .size = sizeof(struct vm_disk_source),
    .rows = file_rows,
    .n = VM_COUNT(file_rows),
};
static const struct mt_type block_source = {
    .elem = "source",
    .size = sizeof(struct vm_disk_source),
    .rows = block_rows,
    .n = VM_COUNT(block_rows),
};
static const char *const pci_word[] = {"", "pci", NULL};
enum { NVME_STARTUP = SOURCE_STARTUP, NVME_INDEX = SOURCE_INDEX, NVME_TYPE, NVME_MANAGED, NVME_NAMESPACE, NVME_DOMAIN, NVME_BUS,
       NVME_SLOT, NVME_FUNCTION };
#define N(xml, member, bit, kind, ...)                                                             \
	MT_ROW(struct vm_disk_source, xml, member, NVME_##bit, kind, __VA_ARGS__)
#define N_NUMBER(xml, member, bit, range, ...)                                                     \
	N(xml, member, bit, MT_U64, .arg = &(range), .flags = MT_HEX __VA_ARGS__)
static const struct mt_range namespace_range = {.min = 1, .max = UINT32_MAX - 1};
static const struct mt_row nvme_rows[] = {
    N("@type", pci_type, TYPE, MT_ENUM, .flags = MT_REQUIRED, .arg = pci_word),
    N("@managed", managed, MANAGED, MT_ENUM, .arg = vm_yes_no_words),
    N("@namespace", namespace, NAMESPACE, MT_U64, .flags = MT_REQUIRED, .arg = &namespace_range),
    N("@startupPolicy", startup_policy, STARTUP, MT_ENUM, .arg = vm_disk_startup_words),
    N("@index", index, INDEX, MT_U64, .flags = MT_LIVE_ONLY, .arg = &vm_u32_range),
    N_NUMBER("address/@domain", domain, DOMAIN, vm_pci_domain_range),
    N_NUMBER("address/@bus", bus, BUS, vm_pci_bus_range, | MT_REQUIRED),
    N_NUMBER("address/@slot", slot, SLOT, vm_pci_slot_range, | MT_REQUIRED),
    N_NUMBER("address/@function", function, FUNCTION, vm_pci_function_range, | MT_REQUIRED),
};

static int check_nvme(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_disk_source *s = obj;

	if (s->startup_policy)
		return mt_error(ctx, obj, "@startupPolicy", VM_UNSUPPORTED, err,
				"startupPolicy is not supported yet for type='nvme'");
	return 0;
}
static const struct mt_type nvme_source = {
    .elem = "source",
    .size = sizeof(struct vm_disk_source),
    .rows = nvme_rows,
    .n = VM_COUNT(nvme_rows),
    .check = check_nvme,
};
static const struct mt_type *const source_by_type[] = {
    [VM_DISK_FILE] = &file_source,
    [VM_DISK_BLOCK] = &block_source,
    [VM_DISK_NVME] = &nvme_source,
};
static const struct mt_cases source_cases = {
    .tag = "type",
    .tag_off = offsetof(struct vm_disk, type),
    .n = VM_COUNT(source_by_type),
    .by = source_by_type,
};
static const struct mt_cases backing_source_cases = {
    .tag = "type",
    .tag_off = offsetof(struct vm_backing_store, type),
    .n = VM_COUNT(source_by_type),
    .by = source_by_type,
};

/* ---- the chain below it ---- */

static const struct mt_type backing_type;
enum { BACKING_TYPE, BACKING_INDEX, BACKING_FORMAT, BACKING_SOURCE, BACKING_BACKING };
#define B(xml, member, bit, kind, ...)                                                             \
	MT_ROW(struct vm_backing_store, xml, member, BACKING_##bit, kind, __VA_ARGS__)
static const struct mt_row backing_rows[] = {
    B("@type", type, TYPE, MT_ENUM, .arg = vm_disk_type_words),
    B("@index", index, INDEX, MT_U64, .flags = MT_LIVE_ONLY, .arg = &vm_u32_range),
    B("format/@type", format, FORMAT, MT_STR),
    B("source", source, SOURCE, MT_CASE, .arg = &backing_source_cases),
    B("backingStore", backing, BACKING, MT_ONE, .arg = &backing_type),
};

/* What QEMU's block layer opens and libvirt lets a disk name. */
bool vm_disk_is_format(const char *text)
{
	static const char *const formats[] = {"raw",   "bochs", "cloop", "dmg",	 "ploop", "qcow",
					      "qcow2", "qed",	"vdi",	 "vhdx", "vmdk",  "vpc"};

	for (size_t i = 0; i < VM_COUNT(formats); i++)
		if (strcmp(text, formats[i]) == 0)
			return true;
	return false;
}

static int check_backing(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_backing_store *b = obj;

	if (!b->type && (b->format || b->backing))
		return mt_error(ctx, obj, NULL, VM_BAD_INPUT, err,
				"<backingStore> has no type: an empty one ends the chain");
	if (b->type == VM_DISK_NVME)
		return mt_error(ctx, obj, "@type", VM_UNSUPPORTED, err,
				"type 'nvme' is not supported below a disk");
	if (b->type && (!b->source || !b->source->path))
		return mt_error(ctx, obj, NULL, VM_BAD_INPUT, err,
				"<backingStore> has no <source>");
	if (b->format && !vm_disk_is_format(b->format))
		return mt_error(ctx, obj, "format/@type", VM_UNSUPPORTED, err,
				"image format '%s' is not supported", b->format);
	if (b->type && !b->format)
		return mt_error(ctx, obj, NULL, VM_BAD_INPUT, err,
				"<backingStore> has no <format>");
	return 0;
}
static const struct mt_type backing_type = {
    .elem = "backingStore",
    .size = sizeof(struct vm_backing_store),
    .rows = backing_rows,
    .n = VM_COUNT(backing_rows),
    .check = check_backing,
};

struct vm_backing_store **vm_backing_add(struct vm_backing_store **at, int type, const char *path,
					 const char *format)
{
	struct vm_backing_store *b = mt_new(&backing_type);

	*at = b;
	if (type == VM_DISK_TYPE_NONE)
		return &b->backing;
	b->type = type;
	mt_assigned(&b->obj, BACKING_TYPE);
	b->format = vm_xstrdup(format);
	mt_assigned(&b->obj, BACKING_FORMAT);
	b->source = mt_new(source_by_type[type]);
	b->source->path = vm_xstrdup(path);
	mt_assigned(&b->source->obj, SOURCE_PATH);
	mt_assigned(&b->obj, BACKING_SOURCE);
	/* There is one: whoever calls makes it. */
	mt_assigned(&b->obj, BACKING_BACKING);
	return &b->backing;
}

unsigned vm_disk_set_index(struct vm_disk *d, uint64_t first)
{
	uint64_t next = first;

	d->source->index = next++;
	mt_assigned(&d->source->obj, SOURCE_INDEX);
	for (struct vm_backing_store *b = d->backing; b != NULL && b->type != VM_DISK_TYPE_NONE; b = b->backing) {
		b->index = next++;
		mt_assigned(&b->obj, BACKING_INDEX);
	}
	return (unsigned)(next - first);
}

void vm_backing_free(struct vm_backing_store *b)
{
	mt_free(&backing_type, b);
}

void vm_disk_set_backing(struct vm_disk *disk, struct vm_backing_store *b)
{
	disk->backing = b;
	mt_assigned(&disk->dev.obj, VM_DISK_BIT_BACKING);
}

/* ---- the disk ---- */

bool vm_disk_is_empty(const struct vm_disk *d)
{
	return d->source == NULL || (d->type != VM_DISK_NVME && d->source->path == NULL);
}

char *vm_disk_nvme_text(const struct vm_disk *d)
{
	const struct vm_disk_source *s = d->source;

	return vm_xasprintf("%04x:%02x:%02x.%x", (unsigned)s->domain, (unsigned)s->bus, (unsigned)s->slot,
			    (unsigned)s->function);
}

#define D(xml, member, bit, kind, ...)                                                             \
	MT_ROW(struct vm_disk, xml, member, VM_DISK_BIT_##bit, kind, __VA_ARGS__)
#define D_WORD(xml, member, bit, list) D(xml, member, bit, MT_ENUM, .arg = list)
static const struct mt_range queue_size_range = {.min = 1, .max = 1024};
static const struct mt_row disk_rows[] = {
    D("@type", type, TYPE, MT_ENUM, .arg = vm_disk_type_words, .def = VM_DISK_FILE),
    D("@device", device, DEVICE, MT_ENUM, .arg = vm_disk_device_words, .def = VM_DISK_DISK),
    D_WORD("@model", model, MODEL, vm_virtio_model_words),
    D_WORD("@rawio", rawio, RAWIO, vm_yes_no_words),
    D_WORD("@sgio", sgio, SGIO, sgio_words),
    D_WORD("@snapshot", snapshot, SNAPSHOT, vm_disk_snapshot_words),
    D("driver/@name", driver, DRIVER, MT_STR),
    D("driver/@type", format, FORMAT, MT_STR),
    D_WORD("driver/@cache", cache, CACHE, vm_disk_cache_words),
    D_WORD("driver/@error_policy", error_policy, ERROR_POLICY, vm_disk_error_words),
    D_WORD("driver/@rerror_policy", rerror_policy, RERROR_POLICY, vm_disk_error_words),
    D_WORD("driver/@io", io, IO, vm_disk_io_words),
    D_WORD("driver/@ioeventfd", ioeventfd, IOEVENTFD, vm_on_off_words),
    D_WORD("driver/@event_idx", event_idx, EVENT_IDX, vm_on_off_words),
    D_WORD("driver/@copy_on_read", copy_on_read, COPY_ON_READ, vm_on_off_words),
    D_WORD("driver/@discard", discard, DISCARD, vm_disk_discard_words),
    D("driver/@iothread", iothread, IOTHREAD, MT_U64, .arg = &vm_positive_range),
    D_WORD("driver/@detect_zeroes", detect_zeroes, DETECT_ZEROES, vm_disk_detect_zeroes_words),
    D("driver/@queues", queues, QUEUES, MT_U64, .arg = &vm_positive_range),
    D("driver/@queue_size", queue_size, QUEUE_SIZE, MT_U64, .arg = &queue_size_range),
    VM_VIRTIO_ROWS(struct vm_disk),
    D("source", source, SOURCE, MT_CASE, .arg = &source_cases),
    D("backingStore", backing, BACKING, MT_ONE, .arg = &backing_type),
    D("geometry/@cyls", cyls, CYLS, MT_U64, .arg = &vm_positive_range),
    D("geometry/@heads", heads, HEADS, MT_U64, .arg = &vm_positive_range),
    D("geometry/@secs", secs, SECS, MT_U64, .arg = &vm_positive_range),
    D_WORD("geometry/@trans", trans, TRANS, vm_disk_trans_words),
    D("blockio/@logical_block_size", logical_block_size, LOGICAL_BLOCK_SIZE, MT_U64,
      .arg = &vm_u32_range),
    D("blockio/@physical_block_size", physical_block_size, PHYSICAL_BLOCK_SIZE, MT_U64,
      .arg = &vm_u32_range),
    D("target/@dev", target, TARGET, MT_STR, .flags = MT_REQUIRED | MT_KEY),
    D("target/@bus", bus, BUS, MT_ENUM, .flags = MT_ASSIGNED, .arg = vm_disk_bus_words),
    D_WORD("target/@tray", tray, TRAY, vm_disk_tray_words),
    D_WORD("target/@removable", removable, REMOVABLE, vm_on_off_words),
    D("target/@rotation_rate", rotation_rate, ROTATION_RATE, MT_U64, .arg = &vm_u16_range),
    D("readonly", readonly, READONLY, MT_BOOL, .flags = MT_PRESENT),
    D("shareable", shareable, SHAREABLE, MT_BOOL, .flags = MT_PRESENT),
    D("transient", transient, TRANSIENT, MT_BOOL, .flags = MT_PRESENT),
    D_WORD("transient/@shareBacking", share_backing, SHARE_BACKING, vm_yes_no_words),
    D("serial/#text", serial, SERIAL, MT_STR),
    D("wwn/#text", wwn, WWN, MT_STR),
    D("vendor/#text", vendor, VENDOR, MT_STR),
    D("product/#text", product, PRODUCT, MT_STR),
    VM_DEVICE_BOOT_ROWS(struct vm_disk),
    VM_DEVICE_ROWS(struct vm_disk),
};

/* Prefixes of target names and the bus each stands for (libvirt: formatdomain, disk target). */
static const struct {
	const char *prefix;
	int bus;
} prefixes[] = {
    {"hd", VM_BUS_IDE}, {"sd", VM_BUS_SCSI}, {"vd", VM_BUS_VIRTIO},
    {"fd", VM_BUS_FDC}, {"xvd", VM_BUS_XEN}, {"ubd", VM_BUS_UML},
};

int vm_disk_bus_of_target(const char *target, bool q35)
{
	for (size_t i = 0; i < VM_COUNT(prefixes); i++)
		if (strncmp(target, prefixes[i].prefix, strlen(prefixes[i].prefix)) == 0)
			return prefixes[i].bus == VM_BUS_IDE && q35 ? VM_BUS_SATA : prefixes[i].bus;
	return VM_BUS_NONE;
}

int vm_disk_target_index(const char *target)
{
	const char *p = NULL;
	int index = 0;

	for (size_t i = 0; i < VM_COUNT(prefixes) && !p; i++)
		if (strncmp(target, prefixes[i].prefix, strlen(prefixes[i].prefix)) == 0)
			p = target + strlen(prefixes[i].prefix);
	if (!p)
		return -1;
	for (; *p >= 'a' && *p <= 'z'; p++) {
		if (index > 26 * 26 * 26)
			return -1;
		index = index * 26 + (*p - 'a' + 1);
	}
	for (; index && isdigit((unsigned char)*p); p++)
		;
	return *p ? -1 : index - 1;
}

static int check_target(const struct vm_disk *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	if (d->device == VM_DISK_FLOPPY && strncmp(d->target, "fd", 2) != 0)
		return mt_error(ctx, d, "target/@dev", VM_BAD_INPUT, err,
				"'%s' is no name for a floppy drive: use fda or fdb", d->target);
	if (vm_disk_target_index(d->target) < 0)
		return mt_error(
		    ctx, d, "target/@dev", VM_BAD_INPUT, err,
		    "'%s' is no disk name: use hda, sda, vda, fda, ... as the bus wants it",
		    d->target);
	if (isdigit((unsigned char)d->target[strlen(d->target) - 1]))
		return mt_error(ctx, d, "target/@dev", VM_BAD_INPUT, err,
				"'%s' names a partition: a target is a whole disk", d->target);
	return 0;
}

static int bus_of(const struct vm_disk *d)
{
	return d->bus ? d->bus : vm_disk_bus_of_target(d->target, false);
}

static int check_device(const struct vm_disk *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	const uint64_t media =
	    VM_ONE(VM_BUS_IDE) | VM_ONE(VM_BUS_SCSI) | VM_ONE(VM_BUS_USB) | VM_ONE(VM_BUS_SATA);
	static const struct {
		int device;
		uint64_t allowed;
	} buses[] = {
	    {VM_DISK_FLOPPY, VM_ONE(VM_BUS_FDC)},
	    {VM_DISK_LUN, VM_ONE(VM_BUS_SCSI) | VM_ONE(VM_BUS_VIRTIO)},
	    {VM_DISK_DISK, ~VM_ONE(VM_BUS_FDC)},
	};
	int bus = bus_of(d);
	uint64_t allowed = media;

	for (size_t i = 0; i < VM_COUNT(buses); i++)
		if (buses[i].device == d->device)
			allowed = buses[i].allowed;
	if (!(allowed >> bus & 1))
		return mt_error(ctx, d, "target/@bus", VM_BAD_INPUT, err,
				"a %s cannot be on bus '%s'", vm_disk_device_words[d->device],
				vm_word(vm_disk_bus_words, bus));
	if (d->device != VM_DISK_LUN && (d->rawio || d->sgio))
		return mt_error(ctx, d, d->rawio ? "@rawio" : "@sgio", VM_BAD_INPUT, err,
				"rawio and sgio are only for device='lun'");
	if (d->device == VM_DISK_LUN && d->type == VM_DISK_FILE)
		return mt_error(ctx, d, "@device", VM_BAD_INPUT, err,
				"device='lun' needs type='block'");
	if ((d->device == VM_DISK_DISK || d->device == VM_DISK_LUN) &&
	    vm_disk_is_empty(d))
		return mt_error(ctx, d, NULL, VM_BAD_INPUT, err,
				"disk '%s' has no source: name its %s", d->target,
				d->type == VM_DISK_FILE ? "file" : "device");
	if (d->type == VM_DISK_NVME && d->device != VM_DISK_DISK)
		return mt_error(ctx, d, "@device", VM_BAD_INPUT, err, "type='nvme' needs device='disk'");
	if (d->tray && d->device != VM_DISK_CDROM && d->device != VM_DISK_FLOPPY)
		return mt_error(ctx, d, "target/@tray", VM_BAD_INPUT, err,
				"tray is only for cdrom and floppy");
	if (d->source && d->source->startup_policy == VM_STARTUP_REQUISITE &&
	    d->device != VM_DISK_CDROM && d->device != VM_DISK_FLOPPY)
		return mt_error(ctx, d, "source/@startupPolicy", VM_BAD_INPUT, err,
				"startupPolicy 'requisite' is only for cdrom and floppy");
	return 0;
}

static int check_bus(const struct vm_disk *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	static const struct vm_only table[] = {
	    {VM_DISK_BIT_MODEL, "@model", VM_ONE(VM_BUS_VIRTIO), "bus='virtio'"},
	    {VM_DISK_BIT_IOEVENTFD, "driver/@ioeventfd", VM_ONE(VM_BUS_VIRTIO), "bus='virtio'"},
	    {VM_DISK_BIT_EVENT_IDX, "driver/@event_idx", VM_ONE(VM_BUS_VIRTIO), "bus='virtio'"},
	    {VM_DISK_BIT_IOTHREAD, "driver/@iothread", VM_ONE(VM_BUS_VIRTIO), "bus='virtio'"},
	    {VM_DISK_BIT_QUEUES, "driver/@queues", VM_ONE(VM_BUS_VIRTIO), "bus='virtio'"},
	    {VM_DISK_BIT_QUEUE_SIZE, "driver/@queue_size", VM_ONE(VM_BUS_VIRTIO), "bus='virtio'"},
	    {VM_DISK_BIT_REMOVABLE, "target/@removable", VM_ONE(VM_BUS_USB) | VM_ONE(VM_BUS_SCSI),
	     "bus='usb' and bus='scsi'"},
	    {VM_DISK_BIT_ROTATION_RATE, "target/@rotation_rate",
	     VM_ONE(VM_BUS_IDE) | VM_ONE(VM_BUS_SCSI) | VM_ONE(VM_BUS_SATA),
	     "bus='ide', 'sata' and 'scsi'"},
	    {VM_DISK_BIT_VENDOR, "vendor", VM_ONE(VM_BUS_SCSI), "bus='scsi'"},
	    {VM_DISK_BIT_PRODUCT, "product", VM_ONE(VM_BUS_SCSI), "bus='scsi'"},
	    {VM_DISK_BIT_WWN, "wwn", VM_ONE(VM_BUS_IDE) | VM_ONE(VM_BUS_SCSI) | VM_ONE(VM_BUS_SATA),
	     "bus='ide', 'sata' and 'scsi'"},
	};
	static const uint64_t addresses[] = {
	    [VM_BUS_IDE] = VM_ONE(VM_ADDRESS_DRIVE),
	    [VM_BUS_FDC] = VM_ONE(VM_ADDRESS_DRIVE),
	    [VM_BUS_SCSI] = VM_ONE(VM_ADDRESS_DRIVE),
	    [VM_BUS_SATA] = VM_ONE(VM_ADDRESS_DRIVE),
	    [VM_BUS_USB] = VM_ONE(VM_ADDRESS_USB),
	    [VM_BUS_VIRTIO] = VM_ONE(VM_ADDRESS_PCI) | VM_ONE(VM_ADDRESS_VIRTIO_MMIO),
	};
	int bus = bus_of(d);

	if (bus >= (int)VM_COUNT(addresses) || !addresses[bus])
		return mt_error(ctx, d, "target/@dev", VM_UNSUPPORTED, err,
				"bus '%s' is not supported yet", vm_word(vm_disk_bus_words, bus));
	if (d->dev.address && !(addresses[bus] >> d->dev.address_type & 1))
		return mt_error(ctx, d, "address", VM_BAD_INPUT, err,
				"a disk on bus '%s' has no %s address",
				vm_word(vm_disk_bus_words, bus),
				vm_word(vm_address_type_words, d->dev.address_type));
	if (bus != VM_BUS_VIRTIO && vm_check_no_virtio(ctx, &d->dev.obj, err) < 0)
		return -1;
	return vm_check_only(ctx, &d->dev.obj, table, VM_COUNT(table), bus, err);
}

static bool is_wwn(const char *text)
{
	text += strncmp(text, "0x", 2) == 0 ? 2 : 0;
	return strlen(text) == 16 && strspn(text, "0123456789abcdefABCDEF") == 16;
}

static int check_text(const struct vm_disk *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	if (d->serial && !vm_text_only(d->serial, "_-.+ "))
		return mt_error(ctx, d, "serial/#text", VM_BAD_INPUT, err,
				"<serial> '%s' may hold letters, digits and _-.+ only", d->serial);
	if (d->wwn && !is_wwn(d->wwn))
		return mt_error(ctx, d, "wwn/#text", VM_BAD_INPUT, err,
				"<wwn> '%s' is not 16 hexadecimal digits", d->wwn);
	if (d->vendor && strlen(d->vendor) > 8)
		return mt_error(ctx, d, "vendor/#text", VM_BAD_INPUT, err,
				"<vendor> '%s' is longer than 8 characters", d->vendor);
	if (d->product && strlen(d->product) > 16)
		return mt_error(ctx, d, "product/#text", VM_BAD_INPUT, err,
				"<product> '%s' is longer than 16 characters", d->product);
	return 0;
}

static int check_driver(const struct vm_disk *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	if (d->driver && strcmp(d->driver, "qemu") != 0)
		return mt_error(ctx, d, "driver/@name", VM_UNSUPPORTED, err,
				"disk driver '%s' is not supported: only 'qemu' is", d->driver);
	if (d->format && !vm_disk_is_format(d->format))
		return mt_error(ctx, d, "driver/@type", VM_UNSUPPORTED, err,
				"image format '%s' is not supported", d->format);
	if (d->copy_on_read == VM_SWITCH_ON &&
	    (d->readonly || d->device == VM_DISK_CDROM || d->device == VM_DISK_FLOPPY))
		return mt_error(ctx, d, "driver/@copy_on_read", VM_BAD_INPUT, err,
				"copy_on_read needs a writable disk");
	if (d->io == VM_IO_NATIVE && d->cache != VM_CACHE_NONE && d->cache != VM_CACHE_DIRECTSYNC)
		return mt_error(ctx, d, "driver/@io", VM_BAD_INPUT, err,
				"io='native' needs cache='none' or cache='directsync'");
	if (d->rerror_policy == VM_ERROR_ENOSPACE)
		return mt_error(ctx, d, "driver/@rerror_policy", VM_BAD_INPUT, err,
				"'enospace' is no policy for read errors");
	if ((d->cyls || d->heads || d->secs || d->trans) && !(d->cyls && d->heads && d->secs))
		return mt_error(ctx, d, "geometry", VM_BAD_INPUT, err,
				"<geometry> needs cyls, heads and secs together");
	return 0;
}

static int check_disk(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_disk *d = obj;

	if (check_target(d, ctx, err) < 0 || check_device(d, ctx, err) < 0 ||
	    check_bus(d, ctx, err) < 0 || check_text(d, ctx, err) < 0)
		return -1;
	return check_driver(d, ctx, err);
}
const struct mt_type vm_disk_type = {
    .elem = "disk",
    .size = sizeof(struct vm_disk),
    .rows = disk_rows,
    .n = VM_COUNT(disk_rows),
    .check = check_disk,
};
