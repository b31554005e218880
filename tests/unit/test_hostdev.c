/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is read of host devices: configuration space, addresses, names, searches, groups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/model.h>
#include <vm/xml.h>

#include "guest/hostdev_view.h"
#include "host/iommu.h"
#include "host/pci.h"
#include "host/usb.h"
#include "model/domain.h"
#include "model/memlock.h"

#include "place.h"

/* ---- configuration space ---- */

static void header_only(uint8_t c[4096])
{
	memset(c, 0, 4096);
	c[0] = 0x86, c[1] = 0x80, c[2] = 0x38, c[3] = 0x42;
	c[0x0b] = 0x02, c[0x0a] = 0x80;
}

static void config_capabilities(void **state)
{
	struct vm_pci_config r;
	uint8_t c[4096];

	(void)state;
	header_only(c);
	c[6] = 0x10;
	c[0x34] = 0x42; /* the lower bits are not part of the pointer */
	c[0x40] = 0x01, c[0x41] = 0x50, c[0x44] = 0x08;
	c[0x50] = 0x13, c[0x51] = 0x60, c[0x53] = 0x03;
	c[0x60] = 0x10, c[0x61] = 0x70, c[0x62] = 0x02, c[0x67] = 0x10;
	c[0x70] = 0x11, c[0x71] = 0x00;
	c[0x100] = 0x0d, c[0x102] = 0x01, c[0x103] = 0x14; /* next at 0x140 */
	c[0x140] = 0x10, c[0x142] = 0x01, c[0x14e] = 0x07;
	assert_int_equal(vm_pci_config_parse(c, 4096, &r), 0);
	assert_int_equal(r.vendor, 0x8086);
	assert_int_equal(r.device, 0x4238);
	assert_int_equal(r.class, 0x028000);
	assert_true(r.caps_known && r.pm && !r.pm_reset && r.af_flr && r.pcie && r.flr && r.msix && !r.msi);
	assert_true(r.acs && r.sriov);
	assert_int_equal(r.sriov_total, 7);
	/* the two halves of the AF capability are needed together */
	c[0x53] = 0x02;
	c[0x44] = 0;
	assert_int_equal(vm_pci_config_parse(c, 256, &r), 0);
	assert_true(!r.af_flr && r.pm_reset && !r.acs);
	/* without the bit in the status there is no list */
	c[6] = 0;
	assert_int_equal(vm_pci_config_parse(c, 4096, &r), 0);
	assert_false(r.pm);
	/* what those see who are not root */
	c[6] = 0x10;
	assert_int_equal(vm_pci_config_parse(c, 64, &r), 0);
	assert_false(r.caps_known || r.pm);
}

static void config_hostile(void **state)
{
	struct vm_pci_config r;
	uint8_t c[4096];

	(void)state;
	header_only(c);
	assert_int_equal(vm_pci_config_parse(c, 63, &r), -1);
	c[6] = 0x10;
	/* loops, in both lists */
	c[0x34] = 0x40;
	c[0x40] = 0x10, c[0x41] = 0x40;
	c[0x100] = 0x0d, c[0x103] = 0x10;
	assert_int_equal(vm_pci_config_parse(c, 4096, &r), 0);
	assert_true(r.pcie && r.acs);
	/* a capability whose body is beyond the end */
	memset(c + 0x40, 0, 4096 - 0x40);
	c[0x34] = 0xfc;
	c[0xfc] = 0x01;
	assert_int_equal(vm_pci_config_parse(c, 256, &r), 0);
	assert_true(r.pm && !r.pm_reset);
	c[0xfc] = 0x10;
	assert_int_equal(vm_pci_config_parse(c, 0xfe, &r), 0);
	assert_false(r.flr);
	/* a bridge */
	c[0x0e] = 0x81, c[0x19] = 3, c[0x1a] = 9;
	assert_int_equal(vm_pci_config_parse(c, 256, &r), 0);
	assert_int_equal(r.header, VM_PCI_HEADER_BRIDGE);
	assert_true(r.multifunction && r.secondary == 3 && r.subordinate == 9);
	/* a device that is gone answers with ones */
	memset(c, 0xff, sizeof(c));
	assert_int_equal(vm_pci_config_parse(c, 256, &r), -1);
}

/* Dumps of real devices, where they are at hand. */
static void config_dumps(void **state)
{
	static const struct {
		const char *name;
		unsigned vendor, device, class, header;
		int pcie; /* type, -1 = none */
		bool flr, af_flr, pm_reset;
		size_t size;
		unsigned secondary, subordinate; /* of a bridge */
	} want[] = {
		{ "0000-00-01.0", 0x8086, 0x4238, 0x0280, 0x00, 0, true, false, true, 4096, 0, 0 },
		{ "0000-00-02.0", 0x8086, 0x0046, 0x0300, 0x00, -1, false, true, true, 256, 0, 0 },
		{ "0000-00-03.0", 0x1180, 0xe822, 0x0805, 0x80, 0, false, false, true, 4096, 0, 0 },
		{ "0000-01-00.0", 0x1cc1, 0x8201, 0x0108, 0x00, 0, true, false, false, 4096, 0, 0 },
		{ "0000-02-00.0", 0x1cc1, 0x8201, 0x0108, 0x00, 0, true, false, false, 4096, 0, 0 },
		{ "0000-06-12.0", 0x1033, 0x0035, 0x0c03, 0x00, -1, false, false, true, 256, 0, 0 },
		{ "0000-06-12.1", 0x1033, 0x0035, 0x0c03, 0x00, -1, false, false, true, 256, 0, 0 },
		{ "0000-06-12.2", 0x1033, 0x0035, 0x0c03, 0x00, -1, false, false, true, 256, 0, 0 },
		{ "0001-00-00.0", 0x1014, 0x03b9, 0x0600, 0x01, 4, false, false, true, 4096, 1, 1 },
		{ "0001-01-00.0", 0x8086, 0x105e, 0x0200, 0x80, 0, false, false, true, 4096, 0, 0 },
		{ "0001-01-00.1", 0x8086, 0x105e, 0x0200, 0x80, 0, false, false, true, 4096, 0, 0 },
		{ "0005-80-00.0", 0x10b5, 0x8112, 0x0604, 0x01, 7, false, false, true, 4096, 0x90, 0x9f },
		{ "0005-90-01.0", 0x1033, 0x0035, 0x0c03, 0x80, -1, false, false, true, 256, 0, 0 },
		{ "0005-90-01.1", 0x1033, 0x0035, 0x0c03, 0x00, -1, false, false, true, 256, 0, 0 },
		{ "0005-90-01.2", 0x1033, 0x00e0, 0x0c03, 0x00, -1, false, false, true, 256, 0, 0 },
	};
	unsigned seen = 0;

	(void)state;
	for (size_t i = 0; i < VM_COUNT(want); i++) {
		VM_AUTO_FREE char *path = vm_xasprintf(
			VM_TEST_DATA "/../../../shared/testdata/host/virpcitestdata/%s.config", want[i].name);
		struct vm_pci_config r;
		uint8_t c[4096];
		FILE *f = fopen(path, "rb");
		size_t n;

		if (f == NULL)
			continue;
		n = fread(c, 1, sizeof(c), f);
		fclose(f);
		seen++;
		assert_int_equal(n, want[i].size);
		assert_int_equal(vm_pci_config_parse(c, n, &r), 0);
		if (r.vendor != want[i].vendor || r.device != want[i].device ||
		    r.class >> 8 != want[i].class ||
		    (r.header | (r.multifunction ? 0x80 : 0)) != (int)want[i].header ||
		    (r.pcie ? r.pcie_type : -1) != want[i].pcie || r.flr != want[i].flr ||
		    r.af_flr != want[i].af_flr || r.pm_reset != want[i].pm_reset)
			fail_msg("%s: %04x:%04x class %04x header %02x pcie %d flr %d af %d pm %d", want[i].name,
				 r.vendor, r.device, r.class >> 8, r.header, r.pcie ? r.pcie_type : -1, r.flr,
				 r.af_flr, r.pm_reset);
		if (want[i].header & 1 && (r.secondary != want[i].secondary || r.subordinate != want[i].subordinate))
			fail_msg("%s: buses %02x-%02x", want[i].name, r.secondary, r.subordinate);
	}
	if (seen == 0)
		skip();
	assert_int_equal(seen, VM_COUNT(want));
}

/* ---- names ---- */

static void pci_addresses(void **state)
{
	static const char *const bad[] = {
		"", "0000", "0000:01", "0000:01:00", "0000:01:20.0", "0000:01:00.8", "0000:100:00.0",
		"0000:01:00.0x", "0000:01:00.", ":01:00.0", "0000:01:00.00", "pci_0000:01:00.0",
		"pci_01_00_0", " 01:00.0", "0000:01:00.-1", "123456789:01:00.0", "g:00.0",
	};
	struct vm_pci_address a;
	char name[VM_PCI_NAME];

	(void)state;
	assert_true(vm_pci_parse("0000:01:1f.7", &a));
	vm_pci_name(&a, name);
	assert_string_equal(name, "0000:01:1f.7");
	assert_true(vm_pci_parse("a:3.1", &a));
	vm_pci_name(&a, name);
	assert_string_equal(name, "0000:0a:03.1");
	assert_true(vm_pci_parse("pci_0001_0A_1b_2", &a));
	vm_pci_name(&a, name);
	assert_string_equal(name, "0001:0a:1b.2");
	assert_true(vm_pci_parse("10000:e1:00.0", &a));
	vm_pci_name(&a, name);
	assert_string_equal(name, "10000:e1:00.0");
	assert_true(vm_pci_parse("ffffffff:ff:1f.7", &a));
	vm_pci_name(&a, name);
	for (size_t i = 0; i < VM_COUNT(bad); i++)
		if (vm_pci_parse(bad[i], &a))
			fail_msg("'%s' passed", bad[i]);
}

static void device_names(void **state)
{
	static const char *const bad[] = {
		"", "usb:", "usb:1", "usb:1-", "usb:1-4.", "usb:-1", "usb:1-4..2", "usb:01:04", "usb:0001:004",
		"usb:000:004", "usb:001:000", "usb:0000:1234", "usb:046d", "usb:046d:c52b:", "usb:001:004:",
		"usb:001:004x", "usb:046g:c52b", "scsi:0:0:0", "scsi:0:0:0:", "scsi:0:0:0:0x", "scsi:a:0:0:0",
		"mdev:", "mdev:1234", "web1", "usb:1-1111111111111111111111111111111111",
		"usb:usb", "usb:usb1x", "usb:usb1-1", "usb:usb11111111111111111111111111111",
	};
	struct vm_hostdev_name n;
	struct vm_err err;

	(void)state;
	assert_int_equal(vm_hostdev_name_parse("usb:1-4.2", &n, &err), 0);
	assert_int_equal(n.bus, VM_HOSTDEV_USB);
	assert_string_equal(n.usb.port, "1-4.2");
	assert_int_equal(vm_hostdev_name_parse("usb:usb12", &n, &err), 0);
	assert_string_equal(n.usb.port, "usb12");
	assert_int_equal(vm_hostdev_name_parse("usb_1_4_2_11", &n, &err), 0);
	assert_string_equal(n.usb.port, "1-4.2.11");
	assert_int_equal(vm_hostdev_name_parse("usb_usb12", &n, &err), 0);
	assert_string_equal(n.usb.port, "usb12");
	assert_int_equal(vm_hostdev_name_parse("scsi_3_0_1_5", &n, &err), 0);
	assert_true(n.bus == VM_HOSTDEV_SCSI && n.scsi.host == 3 && n.scsi.target == 1 && n.scsi.unit == 5);
	assert_int_equal(vm_hostdev_name_parse("mdev_53764D0E_85a0_42b4_af5c_2046b460b1dc_0000_00_02_0", &n, &err), 0);
	assert_string_equal(n.mdev, "53764d0e-85a0-42b4-af5c-2046b460b1dc");
	assert_int_equal(vm_hostdev_name_parse("usb:046d:c52b", &n, &err), 0);
	assert_true(n.usb.has_id && !n.usb.has_place && n.usb.vendor == 0x046d && n.usb.product == 0xc52b);
	assert_int_equal(vm_hostdev_name_parse("usb:0781:0000:ab:c", &n, &err), 0);
	assert_string_equal(n.usb.serial, "ab:c");
	assert_int_equal(vm_hostdev_name_parse("usb:001:104", &n, &err), 0);
	assert_true(n.usb.has_place && !n.usb.has_id && n.usb.bus == 1 && n.usb.device == 104);
	assert_int_equal(vm_hostdev_name_parse("scsi:3:0:1:18446744073709551615", &n, &err), 0);
	assert_true(n.scsi.host == 3 && n.scsi.unit == UINT64_MAX);
	assert_int_equal(vm_hostdev_name_parse("pci:0000:01:00.0", &n, &err), 0);
	assert_int_equal(n.bus, VM_HOSTDEV_PCI);
	for (size_t i = 0; i < VM_COUNT(bad); i++) {
		err = VM_ERR_INIT;
		if (vm_hostdev_name_parse(bad[i], &n, &err) == 0)
			fail_msg("'%s' passed", bad[i]);
		assert_int_equal(err.kind, VM_USAGE);
	}
}

/* ---- USB: searches ---- */

static struct vm_usb plug(const char *port, unsigned bus, unsigned device, unsigned vendor, unsigned product)
{
	struct vm_usb u = { .bus = bus, .device = device, .vendor = (uint16_t)vendor, .product = (uint16_t)product };

	snprintf(u.port, sizeof(u.port), "%s", port);
	return u;
}

static void usb_search(void **state)
{
	struct vm_usb v[] = {
		plug("usb1", 1, 1, 0x1d6b, 2),
		plug("1-1.5.3", 1, 20, 0x18d1, 0x4e22),
		plug("1-1.6", 1, 5, 0x046d, 0xc069),
		plug("2-1.2", 2, 5, 0x18d1, 0x4e22),
	};
	const struct vm_usbs all = { v, VM_COUNT(v) };
	const struct vm_usb *u = NULL;
	struct vm_err err = VM_ERR_INIT;
	struct vm_usb_want w = { .has_id = true, .vendor = 0x18d1, .product = 0x4e22 };

	(void)state;
	assert_int_equal(vm_usb_find(&all, &w, &u, &err), -1);
	assert_int_equal(err.kind, VM_BAD_INPUT);
	assert_string_equal(err.msg, "several USB devices 18d1:4e22 are plugged in: usb:001:020 at port 1-1.5.3, "
				     "usb:002:005 at port 2-1.2");
	w.has_place = true, w.bus = 1, w.device = 20;
	assert_int_equal(vm_usb_find(&all, &w, &u, &err), 0);
	assert_ptr_equal(u, &v[1]);
	w.device = 25;
	assert_int_equal(vm_usb_find(&all, &w, &u, &err), 1);
	/* a place that a search of ours found may be stale */
	w.automatic = true;
	assert_int_equal(vm_usb_find(&all, &w, &u, &err), -1);
	assert_string_equal(err.hint, "the one that was used is not where it was: give its bus and device, or its port");
	v[3].vendor = 0x1d6b;
	assert_int_equal(vm_usb_find(&all, &w, &u, &err), 0);
	assert_ptr_equal(u, &v[1]);
	w = (struct vm_usb_want){ .has_place = true, .bus = 1, .device = 5 };
	assert_int_equal(vm_usb_find(&all, &w, &u, &err), 0);
	assert_ptr_equal(u, &v[2]);
	for (unsigned n = 0; n < 3; n++) {
		static const unsigned none[3][2] = { { 2, 20 }, { 5, 20 }, { 1, 158 } };

		w.bus = none[n][0], w.device = none[n][1];
		assert_int_equal(vm_usb_find(&all, &w, &u, &err), 1);
	}
	w = (struct vm_usb_want){ .has_id = true, .vendor = 0x1d6b, .product = 0xbeef };
	assert_int_equal(vm_usb_find(&all, &w, &u, &err), 1);
	w = (struct vm_usb_want){ .port = "1-1.6" };
	assert_int_equal(vm_usb_find(&all, &w, &u, &err), 0);
	assert_ptr_equal(u, &v[2]);
}

/* ---- groups ---- */

static void group_roles(void **state)
{
	static const struct {
		const char *driver;
		int header;
		bool vfio;
		enum vm_group_role role;
	} rows[] = {
		{ "", 0, false, VM_GROUP_FREE },	 { "vfio-pci", 0, true, VM_GROUP_FREE },
		{ "pci-stub", 0, false, VM_GROUP_FREE }, { "snd_hda_intel", 0, false, VM_GROUP_BLOCKS },
		{ "pcieport", 1, false, VM_GROUP_BRIDGE }, { "", 1, false, VM_GROUP_BRIDGE },
		{ "shpchp", 1, false, VM_GROUP_BLOCKS },   { "pcieport", 0, false, VM_GROUP_BLOCKS },
		{ "yenta_cardbus", 2, false, VM_GROUP_BLOCKS },
	};

	(void)state;
	for (size_t i = 0; i < VM_COUNT(rows); i++) {
		struct vm_pci p = { .has_config = true, .vfio = rows[i].vfio };

		p.config.header = (uint8_t)rows[i].header;
		snprintf(p.driver, sizeof(p.driver), "%s", rows[i].driver);
		if (vm_group_role(&p) != rows[i].role)
			fail_msg("%s with header %d", rows[i].driver, rows[i].header);
	}
	assert_true(vm_vfio_driver("mlx5_vfio_pci"));
	assert_false(vm_vfio_driver("vfio"));
	assert_false(vm_vfio_driver("vfio-pci-evil"));
}

/* ---- memory that must be locked ---- */

static uint64_t memlock_of(const char *more, const char *devices)
{
	VM_AUTO(vm_domain_freep) struct vm_domain *d = NULL;
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	VM_AUTO_FREE char *text = vm_xasprintf("<domain type='kvm'><name>a</name><memory unit='GiB'>1</memory>%s"
					       "<os><type>hvm</type></os><devices>%s</devices></domain>",
					       more, devices);

	must(vm_xml_parse(text, strlen(text), "t.xml", &doc, must_err));
	must(vm_domain_parse(doc, false, &d, must_err));
	return vm_domain_memlock(d);
}

#define A_PCI(slot)                                                                                \
	"<hostdev type='pci'><source><address bus='6' slot='" slot "' function='0'/></source></hostdev>"
#define A_USB "<hostdev type='usb'><source><address bus='1' device='2'/></source></hostdev>"
#define A_MDEV                                                                                     \
	"<hostdev type='mdev' model='vfio-pci'><source><address "                                  \
	"uuid='53764d0e-85a0-42b4-af5c-2046b460b1dc'/></source></hostdev>"
#define AN_IOMMU "<iommu model='intel'/>"
#define AN_INTERFACE                                                                               \
	"<interface type='hostdev'><source><address type='pci' bus='3' slot='7' function='1'/></source></interface>"
#define AN_NVME(bus, namespace, letter)                                                            \
	"<disk type='nvme' device='disk'><driver name='qemu' type='raw'/><source type='pci' namespace='" namespace "'>" \
	"<address bus='" bus "' slot='0' function='0'/></source><target dev='vd" letter "' bus='virtio'/></disk>"
#define LIMIT  "<memtune><hard_limit unit='GiB'>2</hard_limit></memtune>"
#define LOCKED "<memoryBacking><locked/></memoryBacking>"

static void memlock(void **state)
{
	const uint64_t gib = UINT64_C(1) << 30;

	(void)state;
	assert_true(memlock_of("", "") == 0);
	assert_true(memlock_of("", A_USB) == 0);
	assert_true(memlock_of(LIMIT, "") == 2 * gib);
	assert_true(memlock_of(LIMIT LOCKED, "") == 2 * gib);
	assert_true(memlock_of(LIMIT, A_PCI("1")) == 2 * gib);
	assert_true(memlock_of(LOCKED, "") == VM_MEMLOCK_UNLIMITED);
	assert_true(memlock_of(LOCKED, A_PCI("1")) == VM_MEMLOCK_UNLIMITED);
	assert_true(memlock_of("", A_PCI("1")) == 2 * gib);
	/* without a virtual IOMMU one mapping serves all of them */
	assert_true(memlock_of("", A_PCI("1") A_PCI("2")) == 2 * gib);
	assert_true(memlock_of("", A_MDEV) == 2 * gib);
	assert_true(memlock_of("", A_MDEV A_PCI("1") A_PCI("2")) == 2 * gib);
	/* with one each of them maps what its guest lets it */
	assert_true(memlock_of("", AN_IOMMU) == 0);
	assert_true(memlock_of("", AN_IOMMU A_USB) == 0);
	assert_true(memlock_of("", AN_IOMMU A_PCI("1")) == 2 * gib);
	assert_true(memlock_of("", AN_IOMMU A_PCI("1") A_PCI("2")) == 3 * gib);
	assert_true(memlock_of("", AN_IOMMU A_PCI("1") A_USB A_PCI("2") A_MDEV) == 4 * gib);
	assert_true(memlock_of("", AN_IOMMU A_PCI("1") AN_INTERFACE) == 3 * gib);
	assert_true(memlock_of("", "<iommu model='virtio'/>" A_PCI("1") A_PCI("2")) == 3 * gib);
	assert_true(memlock_of("<iommufd/>", AN_IOMMU A_PCI("1") A_PCI("2")) == 3 * gib);
	assert_true(memlock_of(LIMIT, AN_IOMMU A_PCI("1") A_PCI("2")) == 2 * gib);
	assert_true(memlock_of(LOCKED, AN_IOMMU A_PCI("1") A_PCI("2")) == VM_MEMLOCK_UNLIMITED);
	/* QEMU maps all of it for each NVMe disk that it drives itself */
	assert_true(memlock_of("", AN_NVME("7", "1", "a")) == 2 * gib);
	assert_true(memlock_of("", AN_NVME("7", "1", "a") AN_NVME("7", "2", "b")) == 3 * gib);
	assert_true(memlock_of("", AN_NVME("7", "1", "a") AN_NVME("8", "1", "b")) == 3 * gib);
	assert_true(memlock_of("", AN_NVME("7", "1", "a") A_PCI("1") A_PCI("2")) == 3 * gib);
	assert_true(memlock_of("", AN_IOMMU AN_NVME("7", "1", "a") A_PCI("1") A_PCI("2")) == 4 * gib);
	assert_true(memlock_of("<memtune><hard_limit>9007199254740991</hard_limit></memtune>", A_MDEV) ==
		    VM_MEMLOCK_UNLIMITED);
}

/* ---- the tree below a root ---- */

static void links_stay_below(void **state)
{
	struct vm_sys s = VM_SYS_INIT;
	VM_AUTO_FREE char *etc = vm_xasprintf("%s/sys/bus/pci/devices/0000:01:00.0", place_root);
	struct vm_pci p;

	(void)state;
	place_file("sys/bus/pci/devices/README", "");
	place_file("else/vendor", "0x1234\n");
	/* an absolute link is one below the root */
	assert_int_equal(symlink("/else", etc), 0);
	must(vm_sys_open(place_root, &s, must_err));
	assert_true(s.recorded);
	must(vm_pci_read(&s, "0000:01:00.0", &p, must_err));
	assert_int_equal(p.vendor, 0x1234);
	assert_int_equal(unlink(etc), 0);
	assert_int_equal(symlink("../../../../../../../../../../../../../proc", etc), 0);
	place_err = VM_ERR_INIT;
	assert_int_equal(vm_pci_read(&s, "0000:01:00.0", &p, &place_err), -1);
	assert_int_equal(place_err.kind, VM_NOT_FOUND);
	vm_sys_close(&s);
}

/* A device after a guest had it: files as sysfs has them. */
static void still_a_device(void **state)
{
	static const uint8_t good[64] = { 0x86, 0x80, 0x38, 0x42, 0x06, 0x04, 0x10, [0x0e] = 0x80 };
	static const struct {
		const char *what, *message;
		unsigned at, n;
		uint8_t byte;
		bool vf;
	} rows[] = {
		{ "as it should be", NULL, 0, 0, 0, false },
		{ "gone from the bus", "it does not answer any more", 0, 64, 0xff, false },
		{ "its vendor alone", NULL, 0, 2, 0xff, false },
		{ "header type 7f", "it answers wrongly: its header type is 0x7f", 0x0e, 1, 0x7f, false },
		{ "now a bridge", "it answers wrongly: its header type is 0x01", 0x0e, 1, 0x01, false },
		{ "one function", NULL, 0x0e, 1, 0x00, false },
		/* a virtual function's vendor and device are ones while all is well */
		{ "a virtual function", NULL, 0, 4, 0xff, true },
		{ "a dead one", "it does not answer any more", 0, 64, 0xff, true },
	};
	VM_AUTO_FREE char *path = vm_xasprintf("%s/sys/bus/pci/devices/0000:01:00.0/config", place_root);
	struct vm_sys s = VM_SYS_INIT;
	struct vm_err err;

	(void)state;
	place_file("sys/bus/pci/devices/0000:01:00.0/config", "");
	must(vm_sys_open(place_root, &s, must_err));
	/* what is not there is not judged; what cannot be read is not said to be well */
	must(vm_pci_sane(&s, "0000:02:00.0", must_err));
	assert_int_equal(vm_pci_answers(&s, "0000:02:00.0", &err), 0);
	err = VM_ERR_INIT;
	assert_int_equal(vm_pci_sane(&s, "0000:01:00.0", &err), -1);
	assert_non_null(strstr(err.msg, "whether it answers cannot be seen: what "));
	assert_non_null(strstr(err.msg, "/0000:01:00.0/config says is not understood"));
	assert_string_equal(err.hint, "vm-hostdev-reset 0000:01:00.0, or boot the host again");
	assert_int_equal(vm_pci_answers(&s, "0000:01:00.0", &err), -1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0755), 0);
	err = VM_ERR_INIT;
	assert_int_equal(vm_pci_sane(&s, "0000:01:00.0", &err), -1);
	assert_non_null(strstr(err.msg, "/0000:01:00.0/config: Is a directory"));
	assert_int_equal(rmdir(path), 0);
	for (size_t i = 0; i < VM_COUNT(rows); i++) {
		uint8_t config[64];
		FILE *f = fopen(path, "wb");

		memcpy(config, good, sizeof(config));
		memset(config + rows[i].at, rows[i].byte, rows[i].n);
		assert_non_null(f);
		assert_int_equal(fwrite(config, 1, sizeof(config), f), sizeof(config));
		fclose(f);
		if (rows[i].vf)
			place_file("sys/bus/pci/devices/0000:01:00.0/physfn", "");
		err = VM_ERR_INIT;
		if ((vm_pci_sane(&s, "0000:01:00.0", &err) < 0) != (rows[i].message != NULL))
			fail_msg("%s: '%s'", rows[i].what, err.msg);
		assert_int_equal(vm_pci_answers(&s, "0000:01:00.0", &err),
				 rows[i].message != NULL && strstr(rows[i].message, "any more") != NULL ? 2 : 1);
		if (rows[i].message == NULL)
			continue;
		assert_string_equal(err.msg, rows[i].message);
		assert_string_equal(err.hint, "vm-hostdev-reset 0000:01:00.0, or boot the host again");
	}
	vm_sys_close(&s);
}

static void texts_are_checked(void **state)
{
	struct vm_sys s = VM_SYS_INIT;
	VM_AUTO_FD int dir = -1;
	char text[16];
	int64_t n;
	uint64_t h;

	(void)state;
	place_file("sys/t/good", "word \n");
	place_file("sys/t/long", "0123456789abcdef");
	place_file("sys/t/control", "a\033[2Jb\n");
	place_file("sys/t/number", "0x1f\n");
	place_file("sys/t/rest", "12 monkeys\n");
	place_file("sys/t/empty", "");
	must(vm_sys_open(place_root, &s, must_err));
	dir = vm_sys_dir(&s, "sys/t");
	assert_true(dir >= 0);
	assert_true(vm_sys_text(dir, "good", text, sizeof(text), NULL));
	assert_string_equal(text, "word");
	assert_false(vm_sys_text(dir, "long", text, sizeof(text), NULL));
	assert_false(vm_sys_text(dir, "control", text, sizeof(text), NULL));
	assert_false(vm_sys_text(dir, "absent", text, sizeof(text), NULL));
	assert_true(vm_sys_i64(dir, "number", &n, NULL) && n == 0x1f);
	assert_true(vm_sys_hex(dir, "number", &h, NULL) && h == 0x1f);
	assert_false(vm_sys_i64(dir, "rest", &n, NULL));
	assert_false(vm_sys_i64(dir, "empty", &n, NULL));
	assert_false(vm_sys_hex(dir, "good", &h, NULL));
	vm_sys_close(&s);
}

static void modprobe_forbids(void **state)
{
	static const struct {
		const char *text;
		bool blocked;
	} rows[] = {
		{ "install vfio-pci /bin/false\n", true },
		{ "options x\n  install  vfio_pci  /bin/true\n", true },
		{ "# install vfio-pci /bin/false\n", false },
		{ "blacklist vfio-pci\n", false },
		{ "install vfio-pci /sbin/modprobe -i vfio-pci\n", false },
		{ "install vfio-pci", false },
	};
	struct vm_sys s = VM_SYS_INIT;
	struct vm_vfio_host h;

	(void)state;
	must(vm_sys_open(place_root, &s, must_err));
	for (size_t i = 0; i < VM_COUNT(rows); i++) {
		place_file("etc/modprobe.d/vfio.conf", rows[i].text);
		vm_vfio_host_read(&s, &h, NULL);
		if (h.blocked != rows[i].blocked)
			fail_msg("%s", rows[i].text);
	}
	vm_sys_close(&s);
}

static void names_of_models(void **state)
{
	VM_AUTO(vm_pci_ids_free) struct vm_pci_ids *ids = NULL;
	struct vm_sys s = VM_SYS_INIT;
	static const struct {
		unsigned vendor, device, class;
		const char *want;
	} rows[] = {
		{ 0x10de, 0x2484, 0x030000, "NVIDIA Corporation GA104 [GeForce RTX 3070]" },
		{ 0x10de, 0x9999, 0x030200, "NVIDIA Corporation 3D controller" },
		{ 0x1af4, 0x1041, 0x020000, "Red Hat, Inc. Virtio network device" },
		/* a device of the next vendor is not this one's */
		{ 0x10de, 0x1041, 0x000000, "NVIDIA Corporation Device" },
		{ 0xffff, 0x0001, 0x010802, "NVMe controller" },
		/* a subsystem's line is no device's */
		{ 0x10de, 0x1458, 0x010100, "NVIDIA Corporation IDE interface" },
	};

	(void)state;
	place_file("usr/share/misc/pci.ids",
		   "# list\n10de  NVIDIA Corporation\n\t2484  GA104 [GeForce RTX 3070]\n\t\t1458 404c  Vision\n"
		   "# comment\n\t2486  GA104\n1af4  Red Hat, Inc.\n\t1041  Virtio network device\n");
	must(vm_sys_open(place_root, &s, must_err));
	ids = vm_pci_ids_load(&s);
	for (size_t i = 0; i < VM_COUNT(rows); i++) {
		VM_AUTO_FREE char *got = vm_pci_describe(ids, (uint16_t)rows[i].vendor,
							 (uint16_t)rows[i].device, rows[i].class);

		assert_string_equal(got, rows[i].want);
	}
	vm_sys_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(config_capabilities),
		cmocka_unit_test(config_hostile),
		cmocka_unit_test(config_dumps),
		cmocka_unit_test(pci_addresses),
		cmocka_unit_test(device_names),
		cmocka_unit_test(usb_search),
		cmocka_unit_test(group_roles),
		cmocka_unit_test(memlock),
		cmocka_unit_test_setup_teardown(links_stay_below, place_make, place_remove),
		cmocka_unit_test_setup_teardown(still_a_device, place_make, place_remove),
		cmocka_unit_test_setup_teardown(texts_are_checked, place_make, place_remove),
		cmocka_unit_test_setup_teardown(modprobe_forbids, place_make, place_remove),
		cmocka_unit_test_setup_teardown(names_of_models, place_make, place_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
