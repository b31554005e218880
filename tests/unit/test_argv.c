/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Documents and their command lines: data/argv/NAME.xml and NAME.args, each the same as
 * libvirt 9.0's for the same document but for monitors and descriptors.  VM_TEST_UPDATE=1 writes
 * the latter anew: review them as code.
 */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <driver.h>
#include <model/domain.h>
#include <qemu/argv/argv.h>
#include <qemu/plan/build.h>
#include <qemu/qemu.h>
#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/strbuf.h>

#define NOW INT64_C(1000000000) /* 2001-09-09T01:46:40 */

static struct vm_err err;

/* Completes the text of a document and plans its command line. */
static int plan(const char *text, size_t len, struct vm_argv *ret, struct vm_strbuf *shell)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL, *complete = NULL;
	VM_AUTO(vm_domain_freep) struct vm_domain *d = NULL;
	const struct vm_qemu_env env = {
	    .run_path = "/run/vm/qemu/guest", .lib_path = "/var/lib/vm/qemu/guest", .now_s = NOW};

	err = VM_ERR_INIT;
	if (vm_xml_parse(text, len, "t.xml", &doc, &err) < 0 ||
	    vm_domain_complete(doc, NULL, &vm_qemu_completer, &complete, &d, &err) < 0 ||
	    vm_qemu_argv(d, complete, &env, ret, &err) < 0)
		return -1;
	if (shell != NULL)
		vm_argv_shell(ret, shell);
	return 0;
}

static char *golden_path(const char *name, const char *suffix)
{
	return vm_xasprintf("%s/argv/%s%s", VM_TEST_DATA, name, suffix);
}

static void one_golden(const char *name)
{
	VM_AUTO_FREE char *xml = golden_path(name, ".xml"), *args = golden_path(name, ".args");
	VM_AUTO(vm_strbuf_free) struct vm_strbuf got = VM_STRBUF_INIT;
	VM_AUTO(vm_argv_free) struct vm_argv a = VM_ARGV_INIT;
	VM_AUTO_FREE char *text = NULL, *want = NULL;
	size_t len;

	err = VM_ERR_INIT;
	if (vm_file_read(AT_FDCWD, xml, 1 << 20, &text, &len, NULL, &err) < 0 ||
	    plan(text, len, &a, &got) < 0)
		fail_msg("%s: %s", name, err.msg);
	if (getenv("VM_TEST_UPDATE") != NULL) {
		FILE *fp = fopen(args, "w");

		assert_non_null(fp);
		fputs(got.text, fp);
		assert_int_equal(fclose(fp), 0);
		return;
	}
	if (vm_file_read(AT_FDCWD, args, 1 << 20, &want, &len, NULL, &err) < 0)
		fail_msg("%s: %s; VM_TEST_UPDATE=1 makes it", name, err.msg);
	if (strcmp(got.text, want) != 0)
		print_error("%s: got\n%s", name, got.text);
	assert_string_equal(got.text, want);
}

static void goldens(void **state)
{
	VM_AUTO_FREE char *dir = vm_xasprintf("%s/argv", VM_TEST_DATA);
	struct dirent **v;
	int n = scandir(dir, &v, NULL, alphasort);
	unsigned seen = 0;

	(void)state;
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		char *dot = strrchr(v[i]->d_name, '.');

		if (dot != NULL && strcmp(dot, ".xml") == 0) {
			*dot = '\0';
			one_golden(v[i]->d_name);
			seen++;
		}
		free(v[i]);
	}
	free(v);
	assert_true(seen > 60);
}

/* ---- what is completed stays as it is ---- */

static void completing_twice_changes_nothing(void **state)
{
	static const char *const names[] = {"pc-all", "q35-all", "q35-conv", "pc-many",
					    "q35-vioserial"};

	(void)state;
	for (size_t i = 0; i < VM_COUNT(names); i++) {
		VM_AUTO_FREE char *path = golden_path(names[i], ".xml");
		VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL, *once = NULL, *twice = NULL;
		VM_AUTO(vm_domain_freep) struct vm_domain *a = NULL, *b = NULL;
		const char *first, *second;
		size_t len, len2;

		err = VM_ERR_INIT;
		if (vm_xml_load(path, &doc, &err) < 0 ||
		    vm_domain_complete(doc, NULL, &vm_qemu_completer, &once, &a, &err) < 0 ||
		    vm_domain_complete(once, NULL, &vm_qemu_completer, &twice, &b, &err) < 0)
			fail_msg("%s: %s", names[i], err.msg);
		first = vm_xml_text(once, &len);
		second = vm_xml_text(twice, &len2);
		assert_int_equal(len, len2);
		assert_memory_equal(first, second, len);
	}
}

/* ---- descriptors ---- */

static void descriptors_are_planned(void **state)
{
	VM_AUTO_FREE char *path = golden_path("q35-bridge-vhost", ".xml");
	VM_AUTO(vm_argv_free) struct vm_argv a = VM_ARGV_INIT;
	VM_AUTO_FREE char *text = NULL;
	size_t len;
	static const struct {
		enum vm_fd_role role;
		unsigned index;
		const char *alias, *path;
	} want[] = {
	    {VM_FD_QMP, 0, NULL, NULL},
	    {VM_FD_EVENTS, 0, NULL, NULL},
	    {VM_FD_SPARE, 0, NULL, NULL},
	    {VM_FD_TAP, 0, "net0", NULL},
	    {VM_FD_TAP, 1, "net0", NULL},
	    {VM_FD_VHOST, 0, "net0", NULL},
	    {VM_FD_VHOST, 1, "net0", NULL},
	    {VM_FD_TAP, 0, "net1", NULL},
	    {VM_FD_TAP, 0, "net2", NULL},
	    {VM_FD_LISTEN, 0, "channel0", "/run/vm/qemu/guest/agent.sock"},
	    {VM_FD_LISTEN, 0, "channel1", "/run/vm/qemu/guest/channel1.sock"},
	};

	(void)state;
	err = VM_ERR_INIT;
	if (vm_file_read(AT_FDCWD, path, 1 << 20, &text, &len, NULL, &err) < 0 ||
	    plan(text, len, &a, NULL) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(a.nfds, VM_COUNT(want));
	for (size_t i = 0; i < a.nfds; i++) {
		assert_int_equal(a.fds[i].role, want[i].role);
		assert_int_equal(a.fds[i].index, want[i].index);
		assert_int_equal(a.fds[i].number, VM_ARGV_FIRST_FD + (int)i);
		if (want[i].alias != NULL)
			assert_string_equal(a.fds[i].alias, want[i].alias);
		if (want[i].path != NULL)
			assert_string_equal(a.fds[i].path, want[i].path);
		assert_true((want[i].role <= VM_FD_SPARE) == (a.fds[i].object == NULL));
	}
	assert_null(a.v[a.n]);
}

/* ---- refusals ---- */

static void refuse(const char *machine, const char *devices, enum vm_kind kind, const char *want)
{
	VM_AUTO_FREE char *text = vm_xasprintf(
	    "<domain type='qemu'>\n<name>g</name>\n<memory>65536</memory>\n"
	    "<os><type machine='%s'>hvm</type></os>\n<devices>\n%s\n</devices>\n</domain>",
	    machine, devices);
	VM_AUTO(vm_argv_free) struct vm_argv a = VM_ARGV_INIT;

	if (plan(text, strlen(text), &a, NULL) == 0)
		fail_msg("taken: %s", devices);
	if (err.kind != kind || strstr(err.msg, want) == NULL)
		fail_msg("%s:\n  got %d %s\n  wanted %d %s", devices, err.kind, err.msg, kind,
			 want);
}

#define NET(n, address)                                                                            \
	"<interface type='user'><mac address='52:54:00:00:00:0" #n                                 \
	"'/><model type='virtio'/>" address "</interface>"
#define PCI(bus, slot, function)                                                                   \
	"<address type='pci' bus='" #bus "' slot='" #slot "' function='" #function "'/>"
#define DISK(target, bus, more)                                                                    \
	"<disk type='file' device='disk'><source file='/d'/><target dev='" target "' bus='" bus    \
	"'/>" more "</disk>"

#define HOSTDEV(more)                                                                              \
	"<hostdev type='pci'><source><address bus='1' slot='0' function='0'/></source>" more "</hostdev>"
#define MDEV                                                                                       \
	"<hostdev type='mdev' model='vfio-pci'><source><address "                                  \
	"uuid='53764d0e-85a0-42b4-af5c-2046b460b1dc'/></source></hostdev>"
#define VF                                                                                         \
	"<interface type='hostdev'><source><address type='pci' bus='3' slot='7' function='1'/></source></interface>"

static void refusals(void **state)
{
	static const struct {
		const char *machine, *devices;
		enum vm_kind kind;
		const char *want;
	} of[] = {
	    {"isapc", "", VM_UNSUPPORTED, "t.xml:4:11: machine 'isapc'"},
	    {"q35", DISK("hda", "ide", ""), VM_UNSUPPORTED, "a q35 machine has no IDE"},
	    {"pc", DISK("hda", "ide", "") DISK("hde", "ide", ""), VM_UNSUPPORTED,
	     "one IDE controller"},
	    {"pc", NET(1, PCI(0, 0x05, 0)) NET(2, PCI(0, 0x05, 0)), VM_BAD_INPUT,
	     "0000:00:05.0 is taken by another device"},
	    {"pc", NET(1, PCI(0, 0x01, 0)), VM_BAD_INPUT, "0000:00:01.0 is the chipset's own"},
	    {"q35", NET(1, PCI(0, 0x1f, 3)), VM_BAD_INPUT, "0000:00:1f.3 is the chipset's own"},
	    {"pc", "<controller type='ide'>" PCI(0, 0x03, 0) "</controller>", VM_BAD_INPUT,
	     "t.xml:6:24: the first IDE controller of this machine is at PCI address 0000:00:01.1"},
	    {"q35", "<controller type='sata' index='0'>" PCI(0, 0x03, 0) "</controller>",
	     VM_BAD_INPUT, "is at PCI address 0000:00:1f.2"},
	    {"pc", NET(1, PCI(0x00, 0x00, 1)), VM_BAD_INPUT, "has slots 1 to 31"},
	    {"q35",
	     "<controller type='pci' index='1' model='pcie-root-port'/>" NET(1, PCI(1, 0x02, 0)),
	     VM_BAD_INPUT, "has slots 0 to 0"},
	    {"q35", "<controller type='pci' index='0' model='pci-root'/>", VM_BAD_INPUT,
	     "'pcie-root'"},
	    {"pc", "<controller type='pci' index='1' model='pcie-root-port'/>", VM_BAD_INPUT,
	     "no bus has room for pcie-root-port"},
	    {"pc", "<controller type='pci' index='3'/>", VM_BAD_INPUT,
	     "a PCI controller needs a model"},
	    {"q35",
	     "<controller type='usb' index='0' model='piix3-uhci'>" PCI(0, 1, 2) "</controller>",
	     VM_BAD_INPUT, "a PIIX3 is part of the i440fx machines only"},
	    {"pc",
	     "<controller type='usb' index='0' model='piix3-uhci'/>"
	     "<input type='tablet' bus='usb'/><input type='mouse' bus='usb'/>"
	     "<input type='keyboard' bus='usb'/>",
	     VM_UNSUPPORTED, "no USB port is free"},
	    {"pc", "<input type='tablet' bus='usb'><address type='usb' bus='0' port='3'/></input>",
	     VM_BAD_INPUT, "USB bus 0 has ports 1 to 2"},
	    {"pc",
	     "<channel type='pty'><target type='virtio' name='a'/>"
	     "<address type='virtio-serial' controller='0' bus='0' port='40'/></channel>",
	     VM_BAD_INPUT, "virtio-serial controller 0 has 31 ports"},
	    {"pc",
	     DISK("sda", "scsi",
		  "<address type='drive' controller='0' bus='0' target='1' unit='0'/>"),
	     VM_BAD_INPUT, "an lsilogic has bus 0, target 0"},
	    {"q35", "<watchdog model='ib700'/><watchdog model='i6300esb' action='pause'/>",
	     VM_UNSUPPORTED, "one action"},
	    {"pc", "<watchdog model='itco'/>", VM_UNSUPPORTED, "only q35 machines"},
	    {"pc", "<iommu model='intel'/>", VM_UNSUPPORTED, "t.xml:6:8: only q35 machines have an IOMMU"},
	    {"pc", "<iommu model='virtio'/>", VM_UNSUPPORTED, "t.xml:6:8: only q35 machines have an IOMMU"},
	    {"pc", "<iommu model='virtio'>" PCI(0, 0x05, 0) "</iommu>", VM_UNSUPPORTED, "only q35 machines"},
	    {"q35", "<iommu model='virtio'/>", VM_BAD_INPUT, "t.xml:6:8: a guest without ACPI does not find a 'virtio' IOMMU"},
	    {"q35", "<iommu model='intel'>\n<driver intremap='on'/></iommu>", VM_BAD_INPUT,
	     "t.xml:7:9: interrupt remapping needs QEMU's own I/O APIC"},
	    {"q35", "<iommu model='intel'><driver aw_bits='40'/></iommu>", VM_UNSUPPORTED,
	     "t.xml:6:30: an Intel IOMMU has addresses of 39 or 48 bits"},
	    {"q35", "<iommu model='virtio'>" PCI(1, 0, 0) "</iommu>", VM_BAD_INPUT,
	     "t.xml:6:23: a part of the root complex has bus 0"},
	    {"q35",
	     "<controller type='pci' index='1' model='pcie-root-port'/><iommu model='virtio'>" PCI(1, 0, 0) "</iommu>",
	     VM_BAD_INPUT, "the pcie-root-port with index 1 does not take a part of the root complex"},
	    {"q35", "<iommu model='intel'/>\n" HOSTDEV(""), VM_BAD_INPUT,
	     "t.xml:7:1: a host device behind the guest's Intel IOMMU needs its caching mode"},
	    {"q35", "<iommu model='intel'><driver caching_mode='off'/></iommu>" MDEV, VM_BAD_INPUT, "caching mode"},
	    {"q35", "<iommu model='intel'/>\n" VF, VM_BAD_INPUT, "t.xml:7:1: a host device behind"},
	    {"pc", "<video><model type='qxl'/></video><video><model type='vga'/></video>",
	     VM_UNSUPPORTED, "'vga' can only be the first video device"},
	    {"q35", "<console type='pty'/><console type='pty'/>", VM_UNSUPPORTED,
	     "only the first console"},
	    {"q35", "<interface type='bridge'><source bridge='b'/><model type='igb'/></interface>",
	     VM_UNSUPPORTED, "QEMU 7.2 has no 'igb'"},
	};

	(void)state;
	for (size_t i = 0; i < VM_COUNT(of); i++)
		refuse(of[i].machine, of[i].devices, of[i].kind, of[i].want);
}

/* A number of vCPUs that interrupts of eight bits cannot tell apart. */
static void many_vcpus(void **state)
{
	static const struct {
		const char *vcpus, *machine, *more;
		enum vm_kind kind;
		const char *want;
	} of[] = {
		{ "255", "q35", "", VM_OK, "" },
		{ "256", "pc", "", VM_UNSUPPORTED, "t.xml:4:1: more than 255 vCPUs need a q35 machine" },
		{ "256", "q35", "", VM_BAD_INPUT, "t.xml:4:1: more than 255 vCPUs need an IOMMU with extended interrupt mode" },
		{ "256", "q35", "<iommu model='intel'><driver intremap='on'/></iommu>", VM_BAD_INPUT, "extended interrupt mode" },
		{ "256", "q35", "<iommu model='virtio'/>", VM_BAD_INPUT, "extended interrupt mode" },
		{ "256", "q35", "<iommu model='intel'><driver intremap='on' eim='on'/></iommu>", VM_OK, "" },
	};

	(void)state;
	for (size_t i = 0; i < VM_COUNT(of); i++) {
		VM_AUTO_FREE char *text = vm_xasprintf(
			"<domain type='qemu'>\n<name>g</name>\n<memory>65536</memory>\n<vcpu>%s</vcpu>\n"
			"<os><type machine='%s'>hvm</type></os><features><ioapic driver='qemu'/></features>\n"
			"<devices>%s</devices></domain>",
			of[i].vcpus, of[i].machine, of[i].more);
		VM_AUTO(vm_argv_free) struct vm_argv a = VM_ARGV_INIT;

		if (plan(text, strlen(text), &a, NULL) == 0)
			err = VM_ERR_INIT;
		if (err.kind != of[i].kind || strstr(err.msg, of[i].want) == NULL)
			fail_msg("row %zu: %d %s", i, err.kind, err.msg);
	}
}

/* ---- building blocks ---- */

static void builders(void **state)
{
	static const char *const words[] = {"", "on", "off", NULL};
	static const struct vm_prop props[] = {
	    {"chassis", offsetof(struct vm_controller, chassis), VM_CONTROLLER_BIT_CHASSIS,
	     VM_PROP_U64, NULL},
	    {"hotplug", offsetof(struct vm_controller, hotplug), VM_CONTROLLER_BIT_HOTPLUG,
	     VM_PROP_ENUM_ONOFF, words},
	    {"port", offsetof(struct vm_controller, port), VM_CONTROLLER_BIT_PORT, VM_PROP_U64,
	     NULL},
	};
	VM_AUTO(vm_argv_free) struct vm_argv a = VM_ARGV_INIT;
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	struct vm_qobj o = VM_QOBJ_INIT;
	struct vm_controller c = {.chassis = 7, .hotplug = 2};

	(void)state;
	c.dev.obj.set = UINT64_C(1) << VM_CONTROLLER_BIT_CHASSIS | UINT64_C(1)
								       << VM_CONTROLLER_BIT_HOTPLUG;
	vm_kv_word(&b, "a,b");
	vm_kv_str(&b, "k", ",x,");
	vm_kv_str(&b, "none", NULL);
	vm_kv_on(&b, "s", false);
	assert_string_equal(b.text, "a,,b,k=,,x,,,s=off");

	vm_qobj_str(&o, "a", "q\"\n");
	vm_qobj_str(&o, "absent", NULL);
	vm_qobj_open(&o, "in");
	vm_qobj_array(&o, "list");
	vm_qobj_open(&o, NULL);
	vm_qobj_bool(&o, "t", true);
	vm_qobj_close(&o);
	vm_qobj_array_end(&o);
	vm_qobj_null(&o, "n");
	vm_qobj_close(&o);
	vm_qobj_props(&o, props, VM_COUNT(props), &c);
	vm_qobj_emit(&o, &a, "-x");
	assert_int_equal(a.n, 2);
	assert_string_equal(a.v[0], "-x");
	assert_string_equal(a.v[1],
			    "{\"a\":\"q\\\"\\n\",\"in\":{\"list\":[{\"t\":true}],\"n\":null},"
			    "\"chassis\":7,\"hotplug\":false}");
}

static void firmware_files(void **state)
{
	static const struct {
		const char *loader, *want;
	} of[] = {
	    {"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},
	    {"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},
	    {"/usr/share/OVMF/OVMF_CODE_4M.ms.fd", "/usr/share/OVMF/OVMF_VARS_4M.ms.fd"},
	    {"/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},
	    {"/opt/bios.bin", NULL},
	};

	(void)state;
	for (size_t i = 0; i < VM_COUNT(of); i++) {
		struct vm_os os = {.loader = (char *)(uintptr_t)of[i].loader,
				   .loader_type = VM_LOADER_PFLASH,
				   .loader_readonly = VM_SWITCH_ON};
		const struct vm_domain d = {.os = &os};
		VM_AUTO_FREE char *template = vm_qemu_nvram_template(&d);
		VM_AUTO_FREE char *nvram = vm_qemu_nvram(&d, "/l");

		assert_string_equal(nvram, "/l/nvram.fd");
		if (of[i].want == NULL)
			assert_null(template);
		else
			assert_string_equal(template, of[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(builders),
	    cmocka_unit_test(firmware_files),
	    cmocka_unit_test(refusals),
	    cmocka_unit_test(many_vcpus),
	    cmocka_unit_test(descriptors_are_planned),
	    cmocka_unit_test(completing_twice_changes_nothing),
	    cmocka_unit_test(goldens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
