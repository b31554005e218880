/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-doctor: is there a QEMU, new enough, and the programs that help it? */
#include "guest/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/process.h>

#include "qemu/caps/caps.h"
#include "qemu/start/helper.h"

#define VERSION_LEAST_MAJOR 7
#define VERSION_LEAST_MINOR 2
#define ANSWER_MAX 4096u /* bytes */

/* What the emulator prints about itself, when asked with this one option (and its word). */
static int ask(struct vm_doctor *d, const char *emulator, const char *option, const char *word, char **ret,
	       struct vm_err *err)
{
	const char *argv[] = { emulator, option, word, NULL };
	int status;

	if (vm_run(argv, NULL, ANSWER_MAX, d->deadline, ret, NULL, &status, err) < 0)
		return vm_err_wrap(err, "run %s", emulator);
	if (status != 0)
		return vm_err_set(err, VM_HYPERVISOR, "%s %s fails", emulator, option);
	return 0;
}

static void check_emulator(struct vm_doctor *d)
{
	VM_AUTO_FREE char *emulator = NULL, *version = NULL, *accelerators = NULL;
	struct vm_err err = VM_ERR_INIT;
	struct utsname host;
	unsigned major = 0, minor = 0, micro = 0;

	if (uname(&host) < 0 || vm_qemu_emulator(d->state, NULL, host.machine, &emulator, &err) < 0 ||
	    ask(d, emulator, "-version", NULL, &version, &err) < 0 ||
	    ask(d, emulator, "-accel", "help", &accelerators, &err) < 0) {
		if (err.kind == VM_NOT_FOUND)
			vm_err_hint(&err, "install QEMU, 7.2 or newer");
		vm_doctor_say_err(d, VM_HEALTH_FAIL, &err);
		return;
	}
	/* Source: QEMU, softmmu/vl.c: version(). */
	if (sscanf(version, "QEMU emulator version %3u.%3u.%3u", &major, &minor, &micro) < 2)
		vm_doctor_say(d, VM_HEALTH_FAIL, "install QEMU 7.2 or newer, or name one in vm.conf: emulator",
			      "%s does not say its version as QEMU does", emulator);
	else if (major < VERSION_LEAST_MAJOR || (major == VERSION_LEAST_MAJOR && minor < VERSION_LEAST_MINOR))
		vm_doctor_say(d, VM_HEALTH_FAIL, "install QEMU 7.2 or newer, or name one in vm.conf: emulator",
			      "%s is version %u.%u.%u, older than 7.2", emulator, major, minor, micro);
	else
		vm_doctor_say(d, VM_HEALTH_OK, NULL, "%s is version %u.%u.%u%s", emulator, major, minor, micro,
			      strstr(accelerators, "\nkvm") != NULL ? "" : ", built without KVM");
}

void vm_doctor_qemu(struct vm_doctor *d)
{
	if (!d->tree.recorded)
		check_emulator(d);
	for (size_t i = 0; i < VM_HELPER_PROGRAMS; i++) {
		const struct vm_helper_program *p = &vm_helper_programs[i];
		VM_AUTO_FREE char *remedy = vm_xasprintf("install %s, if guests need it", p->name);
		const char *const *path = p->paths;

		while (*path != NULL && !vm_tree_has(&d->tree, *path))
			path++;
		if (*path != NULL)
			vm_doctor_say(d, VM_HEALTH_OK, NULL, "%s is /%s", p->name, *path);
		else
			vm_doctor_say(d, VM_HEALTH_NOTE, remedy, "there is no %s, for %s", p->name, p->use);
	}
}
