/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-doctor: is there a QEMU, new enough, and the programs that help it? */
#include "guest/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "caps.h"

#define VERSION_LEAST_MAJOR 7
#define VERSION_LEAST_MINOR 2

/* Where they are installed; some have never been in PATH. */
static const struct {
	const char *name, *use;
	const char *paths[6];
} helpers[] = {
	{ "qemu-img", "making and checking images", { "usr/bin/qemu-img", "usr/local/bin/qemu-img", NULL } },
	{ "swtpm", "guests with a TPM", { "usr/bin/swtpm", "usr/local/bin/swtpm", NULL } },
	{ "virtiofsd",
	  "sharing directories with guests",
	  { "usr/libexec/virtiofsd", "usr/lib/qemu/virtiofsd", "usr/lib/virtiofsd", "usr/bin/virtiofsd",
	    "usr/local/libexec/virtiofsd", NULL } },
	{ "passt", "guests' networking without privileges", { "usr/bin/passt", "usr/local/bin/passt", NULL } },
};

static void check_emulator(struct vm_doctor *d)
{
	VM_AUTO(vm_qemu_caps_free) struct vm_qemu_caps *caps = NULL;
	VM_AUTO_FREE char *emulator = NULL;
	struct vm_err err = VM_ERR_INIT;
	struct utsname host;
	int major = 0, minor = 0;

	if (uname(&host) < 0 || vm_qemu_emulator(d->state, NULL, host.machine, &emulator, &err) < 0 ||
	    vm_qemu_caps_get(d->state, emulator, d->deadline, &caps, &err) < 0) {
		if (err.kind == VM_NOT_FOUND)
			vm_err_hint(&err, "install QEMU, 7.2 or newer");
		vm_doctor_say_err(d, VM_HEALTH_FAIL, &err);
		return;
	}
	(void)!sscanf(vm_qemu_caps_version(caps), "%d.%d", &major, &minor);
	if (major < VERSION_LEAST_MAJOR || (major == VERSION_LEAST_MAJOR && minor < VERSION_LEAST_MINOR))
		vm_doctor_say(d, VM_HEALTH_FAIL, "install QEMU 7.2 or newer, or name one in vm.conf: emulator",
			      "%s is version %s, older than 7.2", emulator, vm_qemu_caps_version(caps));
	else
		vm_doctor_say(d, VM_HEALTH_OK, NULL, "%s is version %s%s", emulator, vm_qemu_caps_version(caps),
			      vm_qemu_caps_has(caps, "kvm") ? "" : ", built without KVM");
}

void vm_doctor_qemu(struct vm_doctor *d)
{
	if (!d->tree.recorded)
		check_emulator(d);
	for (size_t i = 0; i < VM_COUNT(helpers); i++) {
		VM_AUTO_FREE char *remedy = vm_xasprintf("install %s, if guests need it", helpers[i].name);
		const char *const *path = helpers[i].paths;

		while (*path != NULL && !vm_tree_has(&d->tree, *path))
			path++;
		if (*path != NULL)
			vm_doctor_say(d, VM_HEALTH_OK, NULL, "%s is /%s", helpers[i].name, *path);
		else
			vm_doctor_say(d, VM_HEALTH_NOTE, remedy, "there is no %s, for %s", helpers[i].name,
				      helpers[i].use);
	}
}
