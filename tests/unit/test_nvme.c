/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks of type='nvme' as host devices: which they are, what numbers their images have, what is made for them in QEMU. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <driver.h>
#include <guest/attach_internal.h>
#include <model/domain.h>
#include <qemu/argv/argv.h>
#include <qemu/plan/build.h>
#include <qemu/plug/plug.h>
#include <qemu/qemu.h>
#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/model.h>
#include <vm/strbuf.h>
#include <vm/xml.h>

#define NVME(bus, namespace, target, more)                                                                          \
	"<disk type='nvme' device='disk'><driver name='qemu' type='raw'" more "/>"                                   \
	"<source type='pci' managed='yes' namespace='" namespace "'><address domain='0' bus='" bus                   \
	"' slot='0' function='0'/></source><target dev='" target "' bus='virtio'/></disk>"
#define IMAGE(target)                                                                                                \
	"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/" target ".img'/>"          \
	"<target dev='" target "' bus='virtio'/></disk>"
#define CARD "<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0' bus='7' slot='0' function='0'/></source></hostdev>"

static struct vm_err err;

static struct vm_domain *guest(const char *devices, struct vm_xml **ret_doc)
{
	VM_AUTO_FREE char *text = vm_xasprintf("<domain type='qemu'><name>t</name><memory>65536</memory><os><type machine='pc'>hvm</type></os>"
					       "<devices>%s</devices></domain>", devices);
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	struct vm_domain *d = NULL;

	err = VM_ERR_INIT;
	if (vm_xml_parse(text, strlen(text), "t.xml", &doc, &err) < 0 ||
	    vm_domain_complete(doc, NULL, &vm_qemu_completer, ret_doc, &d, &err) < 0)
		fail_msg("%s", err.msg);
	return d;
}

static void each_disk_is_a_device(void **state)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	VM_AUTO(vm_domain_freep) struct vm_domain *d =
		guest(NVME("1", "1", "vda", "") IMAGE("vdb") NVME("2", "1", "vdc", "") NVME("1", "2", "vdd", "") CARD, &doc);
	VM_AUTO(vm_hostdev_list_free) struct vm_hostdev_list all = VM_HOSTDEV_LIST_INIT;
	static const struct {
		const char *source, *target;
	} want[] = {
		{ "0000:01:00.0", "vda" },
		{ "0000:02:00.0", "vdc" },
		{ "0000:01:00.0", "vdd" },
		{ "0000:07:00.0", NULL },
	};
	struct vm_hostdev_iter iter = { 0 };

	(void)state;
	vm_hostdev_list_read(d, &all);
	assert_int_equal(all.n, VM_COUNT(want));
	/* each is kept: those before are what they were when the last one was read */
	for (size_t i = 0; i < all.n; i++) {
		VM_AUTO_FREE char *text = vm_hostdev_source_text(all.v[i].h);

		assert_string_equal(text, want[i].source);
		assert_non_null(vm_hostdev_next(d, &iter));
		assert_int_equal(all.v[i].disk != NULL, want[i].target != NULL);
		if (want[i].target != NULL) {
			assert_string_equal(all.v[i].disk->target, want[i].target);
			assert_true(vm_device_has_address(&all.v[i].h->dev, VM_ADDRESS_PCI));
		}
	}
	assert_null(vm_hostdev_next(d, &iter));
	assert_false(vm_hostdev_same_source(all.v[0].h, all.v[1].h));
	assert_false(vm_hostdev_same_source(all.v[0].h, all.v[2].h));
	assert_true(vm_hostdev_same_source(all.v[2].h, all.v[2].h));
}

static void elements_of_files(void **state)
{
	static const struct {
		const char *text, *same_as, *says; /* says: why it is none */
	} rows[] = {
		{ NVME("7", "1", "vda", ""), NVME("7", "1", "vdb", ""), NULL },
		{ NVME("7", "1", "vda", ""), CARD, NULL },
		{ CARD, NVME("7", "9", "vda", ""), NULL },
		{ IMAGE("vda"), NULL, "a <disk> of type='file' is no host device" },
		{ "<interface type='user'/>", NULL, "an <interface> of type='user' is no host device" },
		{ "<rng model='virtio'/>", NULL, "<hostdev>, <interface type='hostdev'> or <disk type='nvme'> was expected, not <rng>" },
	};

	(void)state;
	for (size_t i = 0; i < VM_COUNT(rows); i++) {
		VM_AUTO(vm_hostdev_element_free) struct vm_hostdev_element a = VM_HOSTDEV_ELEMENT_INIT;
		VM_AUTO(vm_hostdev_element_free) struct vm_hostdev_element b = VM_HOSTDEV_ELEMENT_INIT;

		err = VM_ERR_INIT;
		if (rows[i].says != NULL) {
			assert_int_equal(vm_hostdev_element_parse(rows[i].text, &a, &err), -1);
			assert_int_equal(err.kind, VM_BAD_INPUT);
			assert_non_null(strstr(err.msg, rows[i].says));
			continue;
		}
		assert_int_equal(vm_hostdev_element_parse(rows[i].text, &a, &err), 0);
		assert_int_equal(vm_hostdev_element_parse(rows[i].same_as, &b, &err), 0);
		assert_true(vm_hostdev_same_source(a.h, b.h));
	}
}

/* Names of the nodes that are made, and removed the other way round. */
static void nodes_of(const struct vm_domain *d, const char *target, char *buf, size_t size)
{
	VM_AUTO(vm_hostdev_list_free) struct vm_hostdev_list all = VM_HOSTDEV_LIST_INIT;
	char node[VM_PLUG_NODE_SIZE];
	size_t len = 0;

	*buf = 0;
	vm_hostdev_list_read(d, &all);
	for (size_t i = 0; i < all.n; i++) {
		VM_AUTO(vm_argv_free) struct vm_argv a = VM_ARGV_INIT;

		if (all.v[i].disk == NULL || strcmp(all.v[i].disk->target, target) != 0)
			continue;
		vm_plug_nodes_of(d, &all.v[i], &a);
		for (size_t k = 0; k + 1 < a.n; k += 2) {
			assert_true(vm_plug_node_name(&a, k, node));
			len += (size_t)snprintf(buf + len, size - len, "%s ", node);
		}
	}
}

static void numbers_stay(void **state)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	VM_AUTO(vm_domain_freep) struct vm_domain *d =
		guest(NVME("1", "1", "vda", "") IMAGE("vdb") NVME("2", "1", "vdc", " copy_on_read='on'"), &doc);
	struct vm_disk *first = d->disks.v[0];
	char buf[256];

	(void)state;
	/* counted from the last one, as long as they have none */
	nodes_of(d, "vda", buf, sizeof(buf));
	assert_string_equal(buf, "libvirt-3-storage libvirt-3-format ");
	assert_int_equal(vm_qemu_next_number(d), 4);
	vm_qemu_number_disks(d);
	assert_int_equal(first->source->index, 3);
	nodes_of(d, "vdc", buf, sizeof(buf));
	assert_string_equal(buf, "libvirt-1-storage libvirt-1-format libvirt-CoR-vdc ");
	/* the others are what they were when one is gone, and the next one is not called as one of them */
	d->disks.n--;
	nodes_of(d, "vda", buf, sizeof(buf));
	assert_string_equal(buf, "libvirt-3-storage libvirt-3-format ");
	assert_int_equal(vm_qemu_next_number(d), 4);
	d->disks.n++;
	vm_qemu_number_disks(d);
	assert_int_equal(first->source->index, 3);
}

static void buses_that_take_one(void **state)
{
	static const bool want[] = { [VM_BUS_VIRTIO] = true, [VM_BUS_SCSI] = true, [VM_BUS_USB] = true, [VM_BUS_SD] = false };

	(void)state;
	for (int bus = VM_BUS_NONE; bus <= VM_BUS_SD; bus++) {
		const struct vm_disk disk = { .bus = bus };

		assert_int_equal(vm_plug_fits(&disk), want[bus]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_disk_is_a_device),
		cmocka_unit_test(elements_of_files),
		cmocka_unit_test(numbers_stay),
		cmocka_unit_test(buses_that_take_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
