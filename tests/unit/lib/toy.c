/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include <vm/cleanup.h>

#include "toy.h"

static const char *const kinds[] = {"", "kvm", "qemu", NULL};
static const char *const disk_types[] = {"", "file", "network", "vhost", NULL};
static const char *const devices[] = {"", "disk", "cdrom", NULL};
static const char *const protocols[] = {"", "nbd", "rbd", NULL};
static const char *const address_types[] = {"", "pci", "drive", "unassigned", NULL};
static const char *const screen_types[] = {"", "vnc", "spice", NULL};

static const struct mt_row file_rows[] = {
    MT_ROW(struct toy_file, "@file", file, 0, MT_PATH, .flags = MT_REQUIRED),
};
const struct mt_type toy_file_type = {"source", sizeof(struct toy_file), file_rows,
				      VM_COUNT(file_rows), NULL};
static const struct mt_range port_range = {.min = 1, .max = 65535};
static const struct mt_row host_rows[] = {
    MT_ROW(struct toy_host, "@name", name, 0, MT_STR, .flags = MT_KEY),
    MT_ROW(struct toy_host, "@port", port, 1, MT_U64, .arg = &port_range, .def = 10809),
};
static const struct mt_type host_type = {"host", sizeof(struct toy_host), host_rows,
					 VM_COUNT(host_rows), NULL};
static const struct mt_row network_rows[] = {
    MT_ROW(struct toy_network, "@protocol", protocol, 0, MT_ENUM, .arg = protocols),
    MT_ROW(struct toy_network, "@name", name, 1, MT_STR),
    MT_ROW(struct toy_network, "host", hosts, 2, MT_MANY, .arg = &host_type),
};
static const struct mt_type network_type = {"source", sizeof(struct toy_network), network_rows,
					    VM_COUNT(network_rows), NULL};
static const struct mt_type *const sources[] = {NULL, &toy_file_type, &network_type, NULL};
static const struct mt_cases source_cases = {
    "type", offsetof(struct toy_disk, type), VM_COUNT(sources), sources, NULL, NULL};
static const struct mt_range bus_range = {.max = 255, .digits = 2};
static const struct mt_row pci_rows[] = {
    MT_ROW(struct toy_address, "@bus", bus, 0, MT_U64, .flags = MT_HEX | MT_ASSIGNED,
	   .arg = &bus_range),
    MT_ROW(struct toy_address, "@slot", slot, 1, MT_U64, .flags = MT_HEX | MT_ASSIGNED,
	   .arg = &bus_range),
};
const struct mt_type toy_pci_type = {"address", sizeof(struct toy_address), pci_rows,
				     VM_COUNT(pci_rows), NULL};
static const struct mt_row drive_rows[] = {
    MT_ROW(struct toy_address, "@unit", unit, 2, MT_U64, .flags = MT_ASSIGNED),
};
const struct mt_type toy_drive_type = {"address", sizeof(struct toy_address), drive_rows,
				       VM_COUNT(drive_rows), NULL};
static const struct mt_type *const addresses[] = {NULL, &toy_pci_type, &toy_drive_type, NULL};
static const struct mt_cases address_cases = {
    "type",	  offsetof(struct toy_disk, address_type), VM_COUNT(addresses), addresses, "@type",
    address_types};
static const struct mt_type tune_type;
static const struct mt_range weight_range = {.min = (uint64_t)-100, .max = 100};
static const struct mt_row tune_rows[] = {
    MT_ROW(struct toy_tune, "@weight", weight, 0, MT_I64, .arg = &weight_range),
    MT_ROW(struct toy_tune, "cpus/#text", cpus, 1, MT_CPUSET),
    MT_ROW(struct toy_tune, "tune", inner, 2, MT_ONE, .arg = &tune_type),
};
static const struct mt_type tune_type = {"tune", sizeof(struct toy_tune), tune_rows,
					 VM_COUNT(tune_rows), NULL};

static int check_disk(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct toy_disk *d = obj;

	if (d->device == 2 && mt_is_set(&d->obj, TOY_DISK_QUEUES))
		return mt_error(ctx, d, "driver/@queues", VM_BAD_INPUT, err,
				"a cdrom has no queues");
	return 0;
}

static const struct mt_row disk_rows[] = {
    MT_ROW(struct toy_disk, "@type", type, TOY_DISK_TYPE, MT_ENUM, .arg = disk_types,
	   .flags = MT_REQUIRED),
    MT_ROW(struct toy_disk, "@device", device, TOY_DISK_DEVICE, MT_ENUM, .arg = devices, .def = 1),
    MT_ROW(struct toy_disk, "driver/@name", driver, TOY_DISK_DRIVER, MT_STR,
	   .def = (uintptr_t) "qemu"),
    MT_ROW(struct toy_disk, "driver/@cache", cache, TOY_DISK_CACHE, MT_BOOL, .arg = &mt_on_off),
    MT_ROW(struct toy_disk, "driver/@queues", queues, TOY_DISK_QUEUES, MT_U64),
    MT_ROW(struct toy_disk, "source", source, TOY_DISK_SOURCE, MT_CASE, .arg = &source_cases),
    MT_ROW(struct toy_disk, "source/@index", index, TOY_DISK_INDEX, MT_U64, .flags = MT_LIVE_ONLY),
    MT_ROW(struct toy_disk, "target/@dev", dev, TOY_DISK_DEV, MT_STR,
	   .flags = MT_REQUIRED | MT_KEY),
    MT_ROW(struct toy_disk, "secret/@value", secret, TOY_DISK_SECRET, MT_STR, .flags = MT_SECRET),
    MT_ROW(struct toy_disk, "readonly", readonly, TOY_DISK_READONLY, MT_BOOL, .flags = MT_PRESENT),
    MT_ROW(struct toy_disk, "tune", tune, TOY_DISK_TUNE, MT_ONE, .arg = &tune_type),
    MT_ROW(struct toy_disk, "address", address, TOY_DISK_ADDRESS, MT_CASE, .arg = &address_cases,
	   .flags = MT_ASSIGNED),
};
const struct mt_type toy_disk_type = {"disk", sizeof(struct toy_disk), disk_rows,
				      VM_COUNT(disk_rows), check_disk};

static const struct mt_row nic_rows[] = {
    MT_ROW(struct toy_nic, "mac/@address", mac, TOY_NIC_MAC, MT_MAC, .flags = MT_KEY | MT_ASSIGNED),
    MT_ROW(struct toy_nic, "model/@type", model, TOY_NIC_MODEL, MT_STR),
};
const struct mt_type toy_nic_type = {"nic", sizeof(struct toy_nic), nic_rows, VM_COUNT(nic_rows),
				     NULL};

static const struct mt_row vnc_rows[] = {
    MT_ROW(struct toy_display, "@port", port, 0, MT_I64),
    MT_ROW(struct toy_display, "@password", password, 1, MT_STR, .flags = MT_SECRET),
};
static const struct mt_type vnc_type = {"screen", sizeof(struct toy_display), vnc_rows,
					VM_COUNT(vnc_rows), NULL};
static const struct mt_row spice_rows[] = {
    MT_ROW(struct toy_display, "listen/@tls", port, 0, MT_I64),
};
static const struct mt_type spice_type = {"screen", sizeof(struct toy_display), spice_rows,
					  VM_COUNT(spice_rows), NULL};
static const struct mt_type *const displays[] = {NULL, &vnc_type, &spice_type};
static const struct mt_cases display_cases = {
    "type", offsetof(struct toy_screen, type), VM_COUNT(displays), displays, NULL, NULL};
static const struct mt_row screen_rows[] = {
    MT_ROW(struct toy_screen, "@type", type, 0, MT_ENUM, .arg = screen_types, .flags = MT_REQUIRED),
    MT_ROW(struct toy_screen, ".", display, 1, MT_CASE, .arg = &display_cases),
};
static const struct mt_type screen_type = {"screen", sizeof(struct toy_screen), screen_rows,
					   VM_COUNT(screen_rows), NULL};

static const struct mt_range kib = {.unit = "KiB", .max = UINT64_C(1) << 60};
static const struct mt_row guest_rows[] = {
    MT_ROW(struct toy_guest, "@type", kind, TOY_KIND, MT_ENUM, .arg = kinds, .flags = MT_REQUIRED),
    MT_ROW(struct toy_guest, "@id", id, TOY_ID, MT_I64, .flags = MT_LIVE_ONLY),
    MT_ROW(struct toy_guest, "name/#text", name, TOY_NAME, MT_STR, .flags = MT_REQUIRED),
    MT_ROW(struct toy_guest, "uuid/#text", uuid, TOY_UUID, MT_UUID, .flags = MT_ASSIGNED),
    MT_ROW(struct toy_guest, "description/#text", description, TOY_DESCRIPTION, MT_STR),
    MT_ROW(struct toy_guest, "metadata", metadata, TOY_METADATA, MT_KEEP),
    MT_ROW(struct toy_guest, "memory/#text", memory, TOY_MEMORY, MT_SIZE, .arg = &kib),
    MT_ROW(struct toy_guest, "vcpu/#text", vcpus, TOY_VCPUS, MT_U64, .def = 1),
    MT_ROW(struct toy_guest, "vcpu/@cpuset", cpuset, TOY_CPUSET, MT_CPUSET),
    MT_ROW(struct toy_guest, "features/acpi", acpi, TOY_ACPI, MT_BOOL, .flags = MT_PRESENT),
    MT_ROW(struct toy_guest, "clock/@offset", clock, TOY_CLOCK, MT_STR, .def = (uintptr_t) "utc"),
    MT_ROW(struct toy_guest, "clock/@size", size, TOY_SIZE, MT_SIZE),
    MT_ROW(struct toy_guest, "devices/emulator/#text", emulator, TOY_EMULATOR, MT_PATH),
    MT_ROW(struct toy_guest, "devices/disk", disks, TOY_DISKS, MT_MANY, .arg = &toy_disk_type),
    MT_ROW(struct toy_guest, "devices/nic", nics, TOY_NICS, MT_MANY, .arg = &toy_nic_type),
    MT_ROW(struct toy_guest, "devices/screen", screens, TOY_SCREENS, MT_MANY, .arg = &screen_type),
    MT_ROW(struct toy_guest, "*:*", foreign, TOY_FOREIGN, MT_KEEP),
};
const struct mt_type toy_guest_type = {"guest", sizeof(struct toy_guest), guest_rows,
				       VM_COUNT(guest_rows), NULL};
