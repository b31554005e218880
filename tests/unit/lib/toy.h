/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* A small family that has a row of every kind, for the tests of the table engine. */
#include <vm/mt.h>

enum toy_disk_type { TOY_NONE, TOY_FILE, TOY_NETWORK, TOY_VHOST };
enum toy_address_type { TOY_ADDRESS_NONE, TOY_ADDRESS_PCI, TOY_ADDRESS_DRIVE, TOY_UNASSIGNED };

struct toy_file {
	struct mt_obj obj;
	char *file;
};
struct toy_host {
	struct mt_obj obj;
	char *name;
	uint64_t port;
};
struct toy_network {
	struct mt_obj obj;
	int protocol;
	char *name;
	struct mt_list hosts;
};
struct toy_address {
	struct mt_obj obj;
	uint64_t bus, slot; /* pci */
	uint64_t unit;	    /* drive */
};
struct toy_tune {
	struct mt_obj obj;
	int64_t weight;
	struct mt_cpuset cpus;
	struct toy_tune *inner;
};
struct toy_disk {
	struct mt_obj obj;
	int type, device;
	char *dev, *driver, *secret;
	bool readonly, cache;
	uint64_t queues, index;
	void *source;
	int address_type;
	struct toy_address *address;
	struct toy_tune *tune;
};
enum toy_disk_bit {
	TOY_DISK_TYPE,
	TOY_DISK_DEVICE,
	TOY_DISK_DEV,
	TOY_DISK_DRIVER,
	TOY_DISK_SECRET,
	TOY_DISK_READONLY,
	TOY_DISK_CACHE,
	TOY_DISK_QUEUES,
	TOY_DISK_INDEX,
	TOY_DISK_SOURCE,
	TOY_DISK_ADDRESS,
	TOY_DISK_TUNE,
};
struct toy_nic {
	struct mt_obj obj;
	uint8_t mac[6];
	char *model;
};
enum toy_nic_bit { TOY_NIC_MAC, TOY_NIC_MODEL };
struct toy_display {
	struct mt_obj obj;
	int64_t port;
	char *password;
};
struct toy_screen {
	struct mt_obj obj;
	int type;
	void *display; /* read from the same element */
};
struct toy_guest {
	struct mt_obj obj;
	int kind;
	int64_t id; /* live */
	char *name, *description, *emulator, *clock, *metadata, *foreign;
	uint8_t uuid[16];
	uint64_t memory, vcpus, size;
	struct mt_cpuset cpuset;
	bool acpi;
	struct mt_list disks, nics, screens;
};
enum toy_guest_bit {
	TOY_KIND,
	TOY_ID,
	TOY_NAME,
	TOY_UUID,
	TOY_DESCRIPTION,
	TOY_MEMORY,
	TOY_VCPUS,
	TOY_CPUSET,
	TOY_ACPI,
	TOY_CLOCK,
	TOY_EMULATOR,
	TOY_SIZE,
	TOY_DISKS,
	TOY_NICS,
	TOY_SCREENS,
	TOY_METADATA,
	TOY_FOREIGN,
};
extern const struct mt_type toy_guest_type, toy_disk_type, toy_pci_type, toy_drive_type,
    toy_file_type, toy_nic_type;
