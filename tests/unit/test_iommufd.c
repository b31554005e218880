/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PCI devices by their own nodes and iommufd: when, with which words to QEMU, and which nodes it opens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/model.h>
#include <vm/nodes.h>
#include <vm/strbuf.h>
#include <vm/xml.h>

#include "host/iommu.h"
#include "model/domain.h"
#include "model/memlock.h"
#include "qemu/argv/argv.h"
#include "qemu/caps/caps_private.h"
#include "qemu/caps/caps_schema.h"
#include "qemu/plug/hostdev.h"
#include "qemu/qemu.h"

#include "place.h"

#define DEVICES "sys/bus/pci/devices"

/* 0000:01:00.0, on VFIO with the node vfio3; 0000:02:00.0, not bound yet; both in groups of their own. */
static void record_host(const char *devices)
{
	static const char *const names[] = { "0000:01:00.0", "0000:02:00.0" };

	place_file("proc/devices", devices);
	place_file("sys/bus/pci/drivers/vfio-pci/unbind", "");
	for (size_t i = 0; i < VM_COUNT(names); i++) {
		VM_AUTO_FREE char *vendor = vm_xasprintf(DEVICES "/%s/vendor", names[i]);
		VM_AUTO_FREE char *group = vm_xasprintf("sys/kernel/iommu_groups/%zu/type", i + 7);
		VM_AUTO_FREE char *link = vm_xasprintf("%s/" DEVICES "/%s/iommu_group", place_root, names[i]);
		VM_AUTO_FREE char *target = vm_xasprintf("../../../../kernel/iommu_groups/%zu", i + 7);

		place_file(vendor, "0x8086\n");
		place_file(group, "DMA\n");
		assert_true(symlink(target, link) == 0 || place_exists(vendor));
	}
	place_file(DEVICES "/0000:01:00.0/vfio-dev/vfio3/dev", "511:3\n");
	{
		VM_AUTO_FREE char *link = vm_xasprintf("%s/" DEVICES "/0000:01:00.0/driver", place_root);

		assert_true(symlink("../../../../bus/pci/drivers/vfio-pci", link) == 0 || place_exists("proc/devices"));
	}
	setenv("VM_SYSROOT", place_root, 1);
}

static int forget_host(void **state)
{
	unsetenv("VM_SYSROOT");
	return place_remove(state);
}

#define WITH_CDEV "Character devices:\n  1 mem\n239 vfio\n240 vfio-dev\n\nBlock devices:\n  7 loop\n"

static void host_has_it(void **state)
{
	static const struct {
		const char *devices;
		bool iommu, cdev;
	} rows[] = {
		{ WITH_CDEV, true, true },
		{ WITH_CDEV, false, false },
		/* Debian 12: groups alone, even with a newer iommufd */
		{ "Character devices:\n  1 mem\n239 vfio\n\nBlock devices:\n  7 loop\n", true, false },
		{ "Character devices:\n240 vfio-dev2\n241 no-vfio-dev\n", true, false },
		{ "Character devices:\n  1 mem\n\nBlock devices:\n240 vfio-dev\n", true, false },
		{ "", true, false },
	};
	struct vm_sys s = VM_SYS_INIT;
	struct vm_vfio_host h;

	(void)state;
	for (size_t i = 0; i < VM_COUNT(rows); i++) {
		VM_AUTO_FREE char *node = vm_xasprintf("%s/dev/iommu", place_root);

		place_file("proc/devices", rows[i].devices);
		unlink(node);
		if (rows[i].iommu)
			place_file("dev/iommu", "");
		must(vm_sys_open(place_root, &s, must_err));
		vm_vfio_host_read(&s, &h, NULL);
		vm_sys_close(&s);
		if (h.cdev != rows[i].cdev || h.iommufd != rows[i].iommu)
			fail_msg("row %zu: iommufd %d cdev %d", i, h.iommufd, h.cdev);
	}
}

/* Before VFIO is loaded its module tells, or the kernel's configuration; else nobody knows. */
static void host_foresees_it(void **state)
{
	static const char with[] = "\177ELF vfio_df_ioctl_bind_iommufd";
	static const struct {
		const char *builtin, *dep, *module, *module_text, *config;
		int want;
	} rows[] = {
		/* no iommufd at all */
		{ "", "kernel/drivers/vfio/vfio.ko:\n", "kernel/drivers/vfio/vfio.ko", with, NULL, 0 },
		{ "", "kernel/a/x-vfio.ko:\nkernel/drivers/vfio/vfio.ko: kernel/i/iommufd.ko\n", "kernel/drivers/vfio/vfio.ko", with, NULL, 1 },
		{ "", "kernel/drivers/vfio/vfio.ko: kernel/i/iommufd.ko\n", "kernel/drivers/vfio/vfio.ko", "\177ELF", "\nCONFIG_VFIO_DEVICE_CDEV=y\n", 0 },
		{ "kernel/i/iommufd.ko\n", "kernel/drivers/vfio/vfio.ko:\n", "kernel/drivers/vfio/vfio.ko", with, NULL, 1 },
		/* listed, and not there */
		{ "", "kernel/drivers/vfio/vfio.ko: kernel/i/iommufd.ko\n", NULL, NULL, NULL, -1 },
		/* compressed: what the kernel was built with tells */
		{ "", "kernel/drivers/vfio/vfio.ko.xz: kernel/i/iommufd.ko.xz\n", NULL, NULL, "# x\nCONFIG_VFIO_DEVICE_CDEV=y\n", 1 },
		{ "", "kernel/drivers/vfio/vfio.ko.xz: kernel/i/iommufd.ko.xz\n", NULL, NULL, "# CONFIG_VFIO_DEVICE_CDEV is not set\n", 0 },
		{ "", "kernel/drivers/vfio/vfio.ko.zst: kernel/i/iommufd.ko.zst\n", NULL, NULL, NULL, -1 },
		/* ... but not of modules that came later */
		{ "", "updates/vfio.ko.xz: updates/iommufd.ko.xz\n", NULL, NULL, "\nCONFIG_VFIO_DEVICE_CDEV=y\n", -1 },
		{ "", "updates/vfio.ko: updates/iommufd.ko\n", "updates/vfio.ko", with, "\nCONFIG_VFIO=m\n", 1 },
		/* part of the kernel: it is there */
		{ "kernel/drivers/vfio/vfio.ko\n", "", NULL, NULL, "\nCONFIG_VFIO_DEVICE_CDEV=y\n", 0 },
		{ "", "kernel/drivers/vfio/vfio-pci.ko: kernel/i/iommufd.ko\n", NULL, NULL, NULL, -1 },
		{ "", "vfio.ko\nvfio.ko:\n:\n", NULL, NULL, NULL, -1 },
		{ NULL, NULL, NULL, NULL, NULL, -1 },
	};
	struct vm_sys s = VM_SYS_INIT;
	struct vm_vfio_host h;

	(void)state;
	for (size_t i = 0; i < VM_COUNT(rows); i++) {
		VM_AUTO_FREE char *release = vm_xasprintf("6.%zu-test", i);
		VM_AUTO_FREE char *osrelease = vm_xasprintf("%s\n", release);
		VM_AUTO_FREE char *builtin = vm_xasprintf("lib/modules/%s/modules.builtin", release);
		VM_AUTO_FREE char *dep = vm_xasprintf("lib/modules/%s/modules.dep", release);
		VM_AUTO_FREE char *config = vm_xasprintf(i % 2 == 0 ? "boot/config-%s" : "lib/modules/%s/config", release);
		VM_AUTO_FREE char *module = vm_xasprintf("lib/modules/%s/%s", release, rows[i].module != NULL ? rows[i].module : "");

		place_file("proc/sys/kernel/osrelease", osrelease);
		if (rows[i].builtin != NULL)
			place_file(builtin, rows[i].builtin);
		if (rows[i].dep != NULL)
			place_file(dep, rows[i].dep);
		if (rows[i].config != NULL)
			place_file(config, rows[i].config);
		if (rows[i].module != NULL)
			place_file(module, rows[i].module_text);
		must(vm_sys_open(place_root, &s, must_err));
		vm_vfio_host_read(&s, &h, NULL);
		assert_false(h.loaded);
		if (vm_vfio_host_foresee(&s, &h) != rows[i].want)
			fail_msg("row %zu: %d", i, vm_vfio_host_foresee(&s, &h));
		vm_sys_close(&s);
	}
	/* loaded without vfio-pci: what shows now is so */
	place_file("sys/module/vfio/refcnt", "1\n");
	place_file("proc/devices", WITH_CDEV);
	place_file("dev/iommu", "");
	must(vm_sys_open(place_root, &s, must_err));
	vm_vfio_host_read(&s, &h, NULL);
	assert_true(h.loaded && !h.driver);
	assert_int_equal(vm_vfio_host_foresee(&s, &h), 1);
	vm_sys_close(&s);
}

/* ---- what QEMU says of itself ---- */

/* As query-qmp-schema of QEMU 9 has it, cut to what matters. */
static void schema_tells(void **state)
{
	static const char text[] =
		"[{\"name\":\"object-add\",\"meta-type\":\"command\",\"arg-type\":\"1\",\"ret-type\":\"9\"},"
		"{\"name\":\"1\",\"meta-type\":\"object\",\"tag\":\"qom-type\",\"members\":[{\"name\":\"qom-type\",\"type\":\"2\"},"
		"{\"name\":\"id\",\"type\":\"str\"}],\"variants\":[{\"case\":\"iommufd\",\"type\":\"3\"},{\"case\":\"iothread\",\"type\":\"9\"}]},"
		"{\"name\":\"2\",\"meta-type\":\"enum\",\"values\":[\"iommufd\",\"iothread\"]},"
		"{\"name\":\"3\",\"meta-type\":\"object\",\"members\":[{\"name\":\"fd\",\"type\":\"str\",\"default\":null}]},"
		"{\"name\":\"9\",\"meta-type\":\"object\",\"members\":[]},{\"name\":\"str\",\"meta-type\":\"builtin\"}]";
	json_t *schema = json_loads(text, 0, NULL), *index;
	const char *path = NULL;

	(void)state;
	assert_non_null(schema);
	index = vm_qemu_schema_index(schema);
	for (size_t i = 0; vm_qemu_caps_schema[i].name != NULL; i++)
		if (strcmp(vm_qemu_caps_schema[i].name, "object-iommufd") == 0)
			path = vm_qemu_caps_schema[i].path;
	assert_non_null(path);
	assert_true(vm_qemu_schema_has(index, path));
	json_decref(index);
	json_decref(schema);
}

/* A QEMU with these abilities; old: 7.2, which has neither. */
static struct vm_qemu_caps *caps_of(bool object, bool property)
{
	struct vm_record r = VM_RECORD_INIT;
	struct vm_qemu_caps *caps = NULL;

	vm_record_set(&r, "emulator", "/usr/bin/qemu-system-x86_64");
	vm_record_set(&r, "version", object ? "9.0.0" : "7.2.0");
	vm_record_set(&r, "arch", "x86_64");
	vm_record_set(&r, "types", object ? "vfio-pci iommufd" : "vfio-pci");
	vm_record_set(&r, "schema", object ? "object-memfd object-iommufd" : "object-memfd");
	vm_record_set(&r, "props.vfio-pci", property ? "host sysfsdev iommufd fd" : "host sysfsdev");
	must(vm_qemu_caps_from_record(&r, &caps, must_err));
	return caps;
}

/* ---- the guest ---- */

static struct vm_domain *guest(const char *more, struct vm_xml **ret_doc)
{
	VM_AUTO_FREE char *text = vm_xasprintf(
		"<domain type='kvm'><name>a</name><memory unit='GiB'>1</memory><os><type arch='x86_64' machine='q35'>hvm</type></os>"
		"<features><acpi/></features>%s<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>"
		"<controller type='usb' model='none'/><memballoon model='none'/>%s</devices></domain>",
		strncmp(more, "<iommufd", 8) == 0 ? more : "", strncmp(more, "<iommufd", 8) == 0 ? "" : more);
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	struct vm_domain *d = NULL;

	place_err = VM_ERR_INIT;
	if (vm_xml_parse(text, strlen(text), "g.xml", &doc, &place_err) < 0 ||
	    vm_domain_complete(doc, NULL, &vm_qemu_completer, ret_doc, &d, &place_err) < 0)
		fail_msg("%s", place_err.msg);
	return d;
}

#define PCI(bus, driver)                                                                           \
	"<hostdev mode='subsystem' type='pci' managed='yes'>" driver                               \
	"<source><address domain='0' bus='" bus "' slot='0' function='0'/></source></hostdev>"
#define NVME                                                                                       \
	"<disk type='nvme' device='disk'><driver name='qemu' type='raw'/><source type='pci' managed='yes' namespace='1'>"  \
	"<address domain='0' bus='2' slot='0' function='0'/></source><target dev='vda'/></disk>"

static void chosen_when_both_have_it(void **state)
{
	static const struct {
		bool object, property, cdev;
		const char *devices;
		int want;
	} rows[] = {
		{ true, true, true, PCI("1", ""), VM_SWITCH_ON },
		{ true, true, false, PCI("1", ""), VM_SWITCH_ABSENT },
		{ false, false, true, PCI("1", ""), VM_SWITCH_ABSENT },
		{ true, false, true, PCI("1", ""), VM_SWITCH_ABSENT },
		{ true, true, true, "", VM_SWITCH_ABSENT },
		/* QEMU's own driver of a disk's controller knows groups alone */
		{ true, true, true, NVME, VM_SWITCH_ABSENT },
		{ true, true, true, "<iommufd enabled='no'/>", VM_SWITCH_OFF },
	};

	(void)state;
	for (size_t i = 0; i < VM_COUNT(rows); i++) {
		struct vm_qemu_caps *caps = caps_of(rows[i].object, rows[i].property);
		const struct vm_vfio_host host = { .iommu = true, .iommufd = true, .cdev = rows[i].cdev };
		VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
		struct vm_domain *d = guest(rows[i].devices, &doc);

		vm_qemu_choose_iommufd(d, caps, &host);
		if (d->iommufd != rows[i].want)
			fail_msg("row %zu: %d", i, d->iommufd);
		vm_domain_free(d);
		vm_qemu_caps_free(&caps);
	}
}

static char *words_for(struct vm_domain *d)
{
	VM_AUTO(vm_argv_free) struct vm_argv a = VM_ARGV_INIT;
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	struct vm_qemu_env env = { .now_s = 1 };

	must(vm_qemu_argv(d, NULL, &env, &a, must_err));
	for (size_t i = 1; i < a.n; i++)
		if (strstr(a.v[i], "iommufd") != NULL || strstr(a.v[i], "vfio-pci") != NULL)
			vm_strbuf_printf(&b, "%s %s\n", a.v[i - 1], a.v[i]);
	return vm_strbuf_take(&b);
}

static void words_to_qemu(void **state)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	struct vm_domain *d = guest(PCI("1", "") PCI("2", "<driver name='vfio' iommufd='no'/>"), &doc);
	struct vm_qemu_caps *caps = caps_of(true, true);
	const struct vm_vfio_host host = { .iommu = true, .iommufd = true, .cdev = true };
	VM_AUTO_FREE char *before = words_for(d);
	VM_AUTO_FREE char *after = NULL;

	(void)state;
	assert_null(strstr(before, "iommufd"));
	vm_qemu_choose_iommufd(d, caps, &host);
	after = words_for(d);
	assert_string_equal(after,
			    "-object {\"qom-type\":\"iommufd\",\"id\":\"iommufd0\"}\n"
			    "-device {\"driver\":\"vfio-pci\",\"host\":\"0000:01:00.0\",\"id\":\"hostdev0\",\"iommufd\":\"iommufd0\","
			    "\"bus\":\"pci.1\",\"addr\":\"0x0\"}\n"
			    "-device {\"driver\":\"vfio-pci\",\"host\":\"0000:02:00.0\",\"id\":\"hostdev1\",\"bus\":\"pci.2\","
			    "\"addr\":\"0x0\"}\n");
	vm_domain_free(d);
	vm_qemu_caps_free(&caps);
}

/* A QEMU that has it not says so before anything is changed. */
static void asked_of_an_old_qemu(void **state)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	VM_AUTO(vm_argv_free) struct vm_argv a = VM_ARGV_INIT;
	struct vm_domain *d = guest(PCI("1", "<driver iommufd='yes'/>"), &doc);
	struct vm_qemu_env env = { .now_s = 1 };
	struct vm_qemu_caps *caps;

	(void)state;
	if (access("/usr/bin/qemu-system-x86_64", X_OK) < 0)
		skip();
	must(vm_qemu_caps_get(NULL, "/usr/bin/qemu-system-x86_64", vm_deadline_in(60000), &caps, must_err));
	if (!vm_qemu_has_iommufd(caps)) {
		env.caps = caps;
		place_err = VM_ERR_INIT;
		assert_int_equal(vm_qemu_argv(d, NULL, &env, &a, &place_err), -1);
		assert_int_equal(place_err.kind, VM_UNSUPPORTED);
		assert_non_null(strstr(place_err.msg, "has no iommufd"));
	}
	vm_domain_free(d);
	vm_qemu_caps_free(&caps);
}

static char *nodes_of(const struct vm_domain *d)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	struct vm_err err = VM_ERR_INIT;
	struct vm_nodes nodes;

	assert_int_equal(vm_domain_nodes(d, NULL, &nodes, &err), 0);
	for (size_t i = 0; i < nodes.n; i++)
		if (nodes.v[i].path != NULL && strncmp(nodes.v[i].by, "hostdev", 7) == 0)
			vm_strbuf_printf(&b, "%s%s", b.len > 0 ? " " : "", nodes.v[i].path);
	vm_nodes_free(&nodes);
	return vm_strbuf_take(&b);
}

/* What QEMU opens is what the device rules and its own /dev are made of. */
static void nodes_it_opens(void **state)
{
	static const struct {
		const char *devices, *nodes;
	} rows[] = {
		{ PCI("1", ""), "/dev/vfio/7" },
		{ PCI("1", "<driver iommufd='yes'/>"), "/dev/vfio/devices/vfio3 /dev/iommu" },
		{ PCI("1", "<driver iommufd='yes'/>") PCI("2", ""), "/dev/vfio/devices/vfio3 /dev/iommu /dev/vfio/8" },
		/* before it is bound nobody knows what its node will be called */
		{ PCI("2", "<driver iommufd='yes'/>"), NULL },
	};

	(void)state;
	record_host(WITH_CDEV);
	for (size_t i = 0; i < VM_COUNT(rows); i++) {
		VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
		struct vm_domain *d = guest(rows[i].devices, &doc);
		VM_AUTO_FREE char *got = nodes_of(d);

		if ((got == NULL || *got == 0) != (rows[i].nodes == NULL) ||
		    (rows[i].nodes != NULL && strcmp(got, rows[i].nodes) != 0))
			fail_msg("row %zu: %s", i, got);
		vm_domain_free(d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(host_has_it, place_make, place_remove),
		cmocka_unit_test_setup_teardown(host_foresees_it, place_make, place_remove),
		cmocka_unit_test(schema_tells),
		cmocka_unit_test(chosen_when_both_have_it),
		cmocka_unit_test(words_to_qemu),
		cmocka_unit_test(asked_of_an_old_qemu),
		cmocka_unit_test_setup_teardown(nodes_it_opens, place_make, forget_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
