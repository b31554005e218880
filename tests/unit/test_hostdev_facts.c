/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers that libvirt's own test data fixes for host devices, asked of documents and recordings of it where they are at hand. */
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
#include <qemu/plan/plan.h>
#include <qemu/qemu.h>
#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/model.h>
#include <vm/xml.h>

#include "host/usb.h"
#include "model/domain.h"
#include "model/memlock.h"

#include "place.h"

#define SHARED VM_TEST_DATA "/../../../shared/testdata/host/"

/* NULL: it is not at hand; owned. */
static char *shared(const char *dir, const char *name)
{
	VM_AUTO_FREE char *path = vm_xasprintf(SHARED "%s/%s", dir, name);
	struct vm_err err = VM_ERR_INIT;
	char *text = NULL;
	size_t len;

	return vm_file_read(AT_FDCWD, path, 1 << 20, &text, &len, NULL, &err) == 0 ? text : NULL;
}

static struct vm_domain *parse(const char *text, bool live, struct vm_xml **doc)
{
	struct vm_domain *d = NULL;

	must(vm_xml_parse(text, strlen(text), "t.xml", doc, must_err));
	must(vm_domain_parse(*doc, live, &d, must_err));
	return d;
}

/* ---- locked memory ---- */

static void memlock_documents(void **state)
{
	const uint64_t two = UINT64_C(2147483648);
	const struct {
		const char *name;
		uint64_t want;
	} of[] = {
		{ "kvm", 0 },
		{ "tcg", 0 },
		{ "hardlimit", two },
		{ "hardlimit+locked", two },
		{ "hardlimit+hostdev", two },
		{ "hardlimit+locked+hostdev", two },
		{ "locked", VM_MEMLOCK_UNLIMITED },
		{ "locked+hostdev", VM_MEMLOCK_UNLIMITED },
		{ "hostdev", two },
	};
	unsigned seen = 0;

	(void)state;
	for (size_t i = 0; i < VM_COUNT(of); i++) {
		VM_AUTO_FREE char *name = vm_xasprintf("qemumemlock-pc-%s.xml", of[i].name);
		VM_AUTO_FREE char *text = shared("qemumemlockdata", name);
		VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
		VM_AUTO(vm_domain_freep) struct vm_domain *d = NULL;

		if (text == NULL)
			continue;
		seen++;
		d = parse(text, false, &doc);
		if (vm_domain_memlock(d) != of[i].want)
			fail_msg("%s: %llu", of[i].name, (unsigned long long)vm_domain_memlock(d));
	}
	if (seen == 0)
		skip();
	assert_int_equal(seen, VM_COUNT(of));
}

/* ---- plugged in: its alias and its place ---- */

static void cut(char *text, const char *from, const char *what)
{
	char *at = strstr(strstr(text, from), what), *end = strchr(at, '\n');

	memmove(at, end, strlen(end) + 1);
}

static void plugged_in(void **state)
{
	VM_AUTO_FREE char *text = shared("qemuhotplugtestdomains", "qemuhotplug-base-live+hostdev-pci.xml");
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL, *whole = NULL;
	VM_AUTO(vm_domain_freep) struct vm_domain *want = NULL, *d = NULL;
	VM_AUTO_FREE char *alias = NULL;
	const struct vm_hostdev *a, *b;

	(void)state;
	if (text == NULL)
		skip();
	want = parse(text, true, &doc);
	cut(text, "</source>", "<alias");
	cut(text, "</source>", "<address");
	vm_xml_free(vm_take_ptr(&doc));
	must(vm_xml_parse(text, strlen(text), "t.xml", &doc, must_err));
	must(vm_domain_complete(doc, NULL, &vm_qemu_completer, &whole, &d, must_err));
	assert_int_equal(want->hostdevs.n, 1);
	assert_int_equal(d->hostdevs.n, 1);
	a = want->hostdevs.v[0];
	b = d->hostdevs.v[0];
	assert_string_equal(a->dev.alias, "hostdev0");
	alias = vm_qemu_alias(d, VM_FAMILY_HOSTDEV, &b->dev);
	assert_string_equal(alias, "hostdev0");
	assert_int_equal(a->dev.address->slot, 2);
	assert_true(vm_device_has_address(&b->dev, VM_ADDRESS_PCI));
	assert_int_equal(b->dev.address->bus, 0);
	assert_int_equal(b->dev.address->slot, 2);
	assert_int_equal(b->dev.address->function, 0);
}

/* ---- USB ---- */

static unsigned copy_usb(void)
{
	static const char dir[] = "virusbtestdata/sys_bus_usb/devices";
	static const char *const files[] = { "devnum", "idVendor", "idProduct" };
	DIR *all = opendir(SHARED "virusbtestdata/sys_bus_usb/devices");
	const struct dirent *e;
	unsigned n = 0;

	while (all != NULL && (e = readdir(all)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		n++;
		for (size_t i = 0; i < VM_COUNT(files); i++) {
			VM_AUTO_FREE char *from = vm_xasprintf("%s/%s", e->d_name, files[i]);
			VM_AUTO_FREE char *to = vm_xasprintf("sys/bus/usb/devices/%s", from);
			VM_AUTO_FREE char *text = shared(dir, from);

			assert_non_null(text);
			place_file(to, text);
		}
	}
	if (all != NULL)
		closedir(all);
	return n;
}

static void usb_recorded(void **state)
{
	static const struct {
		struct vm_usb_want want;
		int found;
	} of[] = {
		{ { .has_id = true, .vendor = 0x18d1, .product = 0x4e22, .has_place = true, .bus = 1, .device = 20 }, 0 },
		{ { .has_id = true, .vendor = 0x18d1, .product = 0x4e22, .has_place = true, .bus = 1, .device = 25 }, 1 },
		{ { .has_place = true, .bus = 1, .device = 5 }, 0 },
		{ { .has_place = true, .bus = 2, .device = 20 }, 1 },
		{ { .has_place = true, .bus = 5, .device = 20 }, 1 },
		{ { .has_place = true, .bus = 1, .device = 158 }, 1 },
		{ { .has_id = true, .vendor = 0x18d1, .product = 0x4e22 }, -1 },
		{ { .has_id = true, .vendor = 0x1d6b, .product = 0xbeef }, 1 },
	};
	VM_AUTO(vm_sys_close) struct vm_sys s = VM_SYS_INIT;
	struct vm_unread u = VM_UNREAD_NONE;
	struct vm_usbs all = { 0 };

	(void)state;
	if (copy_usb() == 0)
		skip();
	must(vm_sys_open(place_root, &s, must_err));
	vm_usbs_read(&s, &all, &u);
	assert_int_equal(all.n, 15);
	for (size_t i = 0; i < VM_COUNT(of); i++) {
		struct vm_err err = VM_ERR_INIT;
		const struct vm_usb *found;
		int r = vm_usb_find(&all, &of[i].want, &found, &err);

		if (r != of[i].found)
			fail_msg("row %zu: %d %s", i, r, err.msg);
	}
	vm_usbs_free(&all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memlock_documents),
		cmocka_unit_test(plugged_in),
		cmocka_unit_test_setup_teardown(usb_recorded, place_make, place_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
