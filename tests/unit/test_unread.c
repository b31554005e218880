/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What cannot be read is not what is not there: nothing is decided by it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "guest/hostdev_view.h"
#include "host/iommu.h"
#include "host/pci.h"
#include "host/scsi.h"
#include "host/usb.h"
#include "host/uses.h"
#include "host/vfio.h"
#include "state/hostdev.h"

#include "place.h"

#define DEVICES "sys/bus/pci/devices/"
#define CARD	"0000:01:00.0"

/* A link longer than any name; one that leads to itself; a directory where a file is to be: neither is "not there". */
static const char endless[] = "/a/0123456789012345678901234567890123456789012345678901234567890123456789";

static void link_to(const char *target, const char *path)
{
	VM_AUTO_FREE char *whole = vm_xasprintf("%s/%s", place_root, path);

	unlink(whole);
	assert_int_equal(symlink(target, whole), 0);
}

static void make_card(void)
{
	place_file(DEVICES CARD "/vendor", "0x8086\n");
	place_file(DEVICES CARD "/driver_override", "(null)\n");
	place_file("sys/bus/pci/drivers_probe", "");
	place_file("sys/kernel/iommu_groups/7/devices/x", "");
	link_to("../../../kernel/iommu_groups/7", DEVICES CARD "/iommu_group");
	link_to("../../drivers/nvme", DEVICES CARD "/driver");
}

static void assert_unread(const struct vm_unread *u, int error, const char *end)
{
	assert_int_equal(u->error, error);
	assert_true(strlen(u->path) > strlen(end));
	assert_string_equal(u->path + strlen(u->path) - strlen(end), end);
}

static void each_reader(void **state)
{
	struct vm_sys s = VM_SYS_INIT;
	VM_AUTO(vm_sys_names_free) struct vm_sys_names names = { 0 };
	struct vm_unread u = VM_UNREAD_NONE;
	char text[16];
	uint64_t h;
	int64_t n;
	int dir;

	(void)state;
	place_file("sys/t/a/b", "x\n");
	link_to("loop", "sys/t/loop");
	link_to(endless, "sys/t/long");
	must(vm_sys_open(place_root, &s, must_err));
	dir = vm_sys_dir(&s, "sys/t");
	/* absent, all of it */
	assert_false(vm_sys_text(dir, "none", text, sizeof(text), &u));
	assert_false(vm_sys_i64(dir, "a/b/c", &n, &u));
	assert_false(vm_sys_link(dir, "none", text, sizeof(text), &u));
	assert_false(vm_sys_link(dir, "a", text, sizeof(text), &u));
	assert_false(vm_sys_exists(dir, "none", &u));
	assert_int_equal(vm_sys_look_at(dir, "none", &u), -1);
	assert_int_equal(vm_sys_look(&s, "sys/none", &u), -1);
	assert_int_equal(vm_sys_names(-1, &names, &u), 0);
	assert_int_equal(u.error, 0);
	must(vm_unread_fail(&u, must_err));
	/* there, but */
	assert_false(vm_sys_text(dir, "a", text, sizeof(text), &u));
	assert_unread(&u, EISDIR, "/sys/t/a");
	assert_int_equal(vm_unread_fail(&u, &place_err), -1);
	assert_non_null(strstr(place_err.msg, "/sys/t/a: Is a directory"));
	assert_int_equal(place_err.sys, EISDIR);
	/* the first one stays */
	assert_false(vm_sys_hex(dir, "loop", &h, &u));
	assert_unread(&u, EISDIR, "/sys/t/a");
	u = VM_UNREAD_NONE;
	assert_false(vm_sys_hex(dir, "loop", &h, &u));
	assert_unread(&u, ELOOP, "/sys/t/loop");
	u = VM_UNREAD_NONE;
	assert_int_equal(vm_sys_look(&s, "sys/t/loop", &u), -1);
	assert_unread(&u, ELOOP, "/sys/t/loop");
	u = VM_UNREAD_NONE;
	assert_false(vm_sys_link(dir, "long", text, sizeof(text), &u));
	assert_unread(&u, ENAMETOOLONG, "/sys/t/long");
	/* who only shows it does not care */
	assert_false(vm_sys_text(dir, "a", text, sizeof(text), NULL));
	close(dir);
	vm_sys_close(&s);
}

static void fails(int r, const char *what)
{
	assert_int_equal(r, -1);
	if (strstr(place_err.msg, what) == NULL)
		fail_msg("%s", place_err.msg);
	place_err = VM_ERR_INIT;
}

static void pci_devices(void **state)
{
	static const char *const names[] = { CARD };
	struct vm_sys s = VM_SYS_INIT;
	struct vm_unread u = VM_UNREAD_NONE;
	struct vm_pcis all = { 0 };
	struct vm_pci p;

	(void)state;
	make_card();
	must(vm_sys_open(place_root, &s, must_err));
	must(vm_pci_read(&s, CARD, &p, must_err));
	assert_string_equal(p.driver, "nvme");
	assert_int_equal(p.group, 7);
	link_to(endless, DEVICES CARD "/driver");
	fails(vm_pci_read(&s, CARD, &p, &place_err), "/driver: File name too long");
	fails(vm_group_pcis(&s, names, 1, &all, &place_err), "/driver: File name too long");
	vm_pcis_free(&all);
	/* shown it is all the same */
	vm_pcis_read(&s, &all, &u);
	assert_int_equal(all.n, 1);
	assert_string_equal(all.v[0].driver, "");
	assert_int_equal(all.v[0].group, 7);
	assert_unread(&u, ENAMETOOLONG, "/" CARD "/driver");
	vm_pcis_free(&all);
	link_to("nvme", DEVICES CARD "/driver");
	link_to("iommu_group", DEVICES CARD "/iommu_group");
	fails(vm_pci_read(&s, CARD, &p, &place_err), "/iommu_group says is not understood");
	link_to("7/7", DEVICES CARD "/iommu_group");
	link_to("7", DEVICES CARD "/7");
	fails(vm_pci_read(&s, CARD, &p, &place_err), "/iommu_group: Too many levels of symbolic links");
	vm_sys_close(&s);
}

/* A driver that cannot be seen is neither replaced nor taken for none: nothing is written. */
static void binding(void **state)
{
	struct vm_sys s = VM_SYS_INIT;
	struct vm_vfio_was was = { .driver = "nvme" };
	VM_AUTO_FREE char *override = vm_xasprintf("%s/%s", place_root, DEVICES CARD "/driver_override");
	char driver[64];
	struct stat before, after;

	(void)state;
	make_card();
	link_to(endless, DEVICES CARD "/driver");
	must(vm_sys_open(place_root, &s, must_err));
	assert_int_equal(stat(override, &before), 0);
	fails(vm_vfio_look(&s, CARD, vm_deadline_in(20000), &was, &place_err), "/driver: File name too long");
	fails(vm_vfio_bind(&s, CARD, "vfio-pci", &was, vm_deadline_in(20000), &place_err), "/driver: File name too long");
	fails(vm_vfio_unbind(&s, CARD, &was, vm_deadline_in(20000), driver, &place_err), "/driver: File name too long");
	assert_int_equal(stat(override, &after), 0);
	assert_int_equal(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
	assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	vm_sys_close(&s);
}

static void mounts_and_others(void **state)
{
	struct vm_sys s = VM_SYS_INIT;
	struct vm_unread u = VM_UNREAD_NONE;
	struct vm_uses uses;

	(void)state;
	place_file("proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n");
	place_file("sys/class/net/x", "");
	must(vm_sys_open(place_root, &s, must_err));
	vm_uses_read(&s, &uses, &u);
	assert_int_equal(u.error, 0);
	vm_uses_free(&uses);
	place_file("proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\nwhat is this\n");
	vm_uses_read(&s, &uses, &u);
	assert_unread(&u, EBADMSG, "/proc/self/mountinfo");
	vm_uses_free(&uses);
	u = VM_UNREAD_NONE;
	place_file("proc/self/mountinfo", "");
	place_file("proc/swaps/dir", "");
	vm_uses_read(&s, &uses, &u);
	assert_unread(&u, EISDIR, "/proc/swaps");
	vm_uses_free(&uses);
	vm_sys_close(&s);
}

/* A claim that cannot be read is somebody's. */
static void owners(void **state)
{
	VM_AUTO(vm_hostdev_view_free) struct vm_hostdev_view view = VM_HOSTDEV_VIEW_INIT;
	VM_AUTO_FREE char *user = NULL;
	const struct vm_hostdev_item *item;
	bool said = false;

	(void)state;
	make_card();
	must(vm_hostdev_claimed_by(&place, "pci:" CARD, &user, must_err));
	assert_null(user);
	place_file("run/vm/claims/pci:" CARD "/x", "");
	place_reopen(VM_STATE_READ);
	fails(vm_hostdev_claimed_by(&place, "pci:" CARD, &user, &place_err), "see who uses pci:" CARD);
	assert_null(user);
	must(vm_hostdev_view_show(&place, place_root, &view, must_err));
	must(vm_hostdev_view_find(&view, CARD, &item, must_err));
	assert_int_equal(item->state, VM_HOSTDEV_IS_BLOCKED);
	for (size_t i = 0; i < item->n_blocks; i++)
		said |= strcmp(item->blocks[i].word, "unread") == 0;
	assert_true(said);
}

/* What something is decided by is a number or a word as the kernel writes it, or nothing is decided; the rest is as good as absent. */
static void malformed(void **state)
{
	static const struct {
		const char *file, *text;
		bool matters;
	} rows[] = {
		{ "class", "0x06000z\n", true },	     { "class", "\n", true },
		{ "class", "0x1060000\n", true },     { "vendor", "none\n", true },
		{ "device", "0x12345\n", true },      { "config", "abc", true },
		{ "sriov_numvfs", "many\n", true },   { "sriov_numvfs", "-1\n", true },
		{ "sriov_totalvfs", "65536\n", true }, { "boot_vga", "yes\n", true },
		{ "numa_node", "here\n", false },     { "reset_method", "\033[2J\n", false },
		{ "numa_node", "-1\n", false },
	};
	static const char *const usb[] = { "idVendor", "idProduct", "devnum", "dev", "bDeviceClass" };
	struct vm_sys s = VM_SYS_INIT;
	struct vm_pci p;

	(void)state;
	make_card();
	must(vm_sys_open(place_root, &s, must_err));
	for (size_t i = 0; i < VM_COUNT(rows); i++) {
		VM_AUTO_FREE char *path = vm_xasprintf(DEVICES CARD "/%s", rows[i].file);
		VM_AUTO_FREE char *whole = vm_xasprintf("%s/%s", place_root, path);
		VM_AUTO_FREE char *said = vm_xasprintf("/" CARD "/%s says is not understood", rows[i].file);

		place_file(path, rows[i].text);
		if (rows[i].matters)
			fails(vm_pci_read(&s, CARD, &p, &place_err), said);
		else
			must(vm_pci_read(&s, CARD, &p, must_err));
		assert_int_equal(unlink(whole), 0);
		if (strcmp(rows[i].file, "vendor") == 0)
			place_file(path, "0x8086\n");
	}
	/* a group without protection that does not say so */
	link_to("../../../../kernel/iommu_groups/7", DEVICES CARD "/iommu_group");
	place_file("sys/kernel/iommu_groups/7/name", "vfio-noiommu\177\n");
	fails(vm_pci_read(&s, CARD, &p, &place_err), "/iommu_groups/7/name says is not understood");
	for (size_t i = 0; i < VM_COUNT(usb); i++) {
		VM_AUTO_FREE char *said = vm_xasprintf("/1-1/%s", usb[i]);
		struct vm_usbs usbs = { 0 };
		struct vm_unread u = VM_UNREAD_NONE;

		for (size_t k = 0; k < VM_COUNT(usb); k++) {
			VM_AUTO_FREE char *path = vm_xasprintf("sys/bus/usb/devices/1-1/%s", usb[k]);

			place_file(path, i == k ? "?\n" : strcmp(usb[k], "dev") == 0 ? "189:1\n" : "9\n");
		}
		/* somebody's language */
		place_file("sys/bus/usb/devices/1-1/serial", "\303\244\n");
		vm_usbs_read(&s, &usbs, &u);
		assert_unread(&u, EBADMSG, said);
		vm_usbs_free(&usbs);
	}
	place_file("sys/bus/usb/devices/1-1/bDeviceClass", "00\n");
	{
		struct vm_usbs usbs = { 0 };
		struct vm_unread u = VM_UNREAD_NONE;

		vm_usbs_read(&s, &usbs, &u);
		assert_int_equal(u.error, 0);
		assert_int_equal(usbs.n, 1);
		assert_string_equal(usbs.v[0].serial, "");
		vm_usbs_free(&usbs);
	}
	vm_sys_close(&s);
}

/* As many descriptors as there are. */
static void no_descriptors(void **state)
{
	struct vm_sys s = VM_SYS_INIT;
	struct vm_unread u = VM_UNREAD_NONE;
	struct vm_vfio_host host;
	struct vm_usbs usbs = { 0 };
	struct vm_scsi scsi;
	struct rlimit was, none;
	struct vm_pci p;

	(void)state;
	make_card();
	place_file("sys/bus/usb/devices/1-1/idVendor", "1234\n");
	place_file("sys/bus/scsi/devices/0:0:0:0/vendor", "v\n");
	must(vm_sys_open(place_root, &s, must_err));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	fails(vm_pci_read(&s, CARD, &p, &place_err), "Too many open files");
	fails(vm_scsi_read(&s, "0:0:0:0", &scsi, &place_err), "Too many open files");
	vm_usbs_read(&s, &usbs, &u);
	assert_int_equal(u.error, EMFILE);
	u = VM_UNREAD_NONE;
	vm_vfio_host_read(&s, &host, &u);
	assert_int_equal(u.error, EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	vm_usbs_free(&usbs);
	vm_sys_close(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_reader, place_make, place_remove),
		cmocka_unit_test_setup_teardown(pci_devices, place_make, place_remove),
		cmocka_unit_test_setup_teardown(binding, place_make, place_remove),
		cmocka_unit_test_setup_teardown(mounts_and_others, place_make, place_remove),
		cmocka_unit_test_setup_teardown(owners, place_make, place_remove),
		cmocka_unit_test_setup_teardown(malformed, place_make, place_remove),
		cmocka_unit_test_setup_teardown(no_descriptors, place_make, place_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
