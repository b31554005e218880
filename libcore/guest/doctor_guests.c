/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is ours: configuration, images, guests. */
#include "doctor.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/conf.h>
#include <vm/file.h>

#include "host/idmap.h"

void vm_doctor_config(struct vm_doctor *d)
{
	VM_AUTO_FD int etc = vm_doctor_etc(d->state);
	struct vm_conf conf = { 0 };
	struct vm_err err = VM_ERR_INIT;

	if (vm_conf_load(etc, &conf, NULL, &err) < 0) {
		vm_err_hint(&err, "correct it: until then everything that changes something is refused");
		vm_doctor_say_err(d, VM_HEALTH_FAIL, &err);
		return;
	}
	vm_doctor_say(d, VM_HEALTH_OK, NULL, "the configuration is understood");
	vm_conf_free(&conf);
}

struct leftovers {
	struct vm_doctor *d;
	size_t n;
};

static void tell_leftover(const char *object, const char *what, void *arg)
{
	struct leftovers *l = arg;

	l->n++;
	vm_doctor_say(l->d, VM_HEALTH_WARN, "vm-repair --all", "%s: what a repair would do: %s", object, what);
}

static void tell_failure(const char *object, const struct vm_err *err, void *arg)
{
	struct leftovers *l = arg;

	l->n++;
	vm_doctor_say(l->d, VM_HEALTH_WARN, err->hint, "%s: %s", object, err->msg);
}

void vm_doctor_leftovers(struct vm_doctor *d)
{
	struct leftovers l = { .d = d };
	const struct vm_repair r = {
		.state = d->state,
		.dry_run = true,
		.timeout_ms = 1000,
		.did = tell_leftover,
		.failed = tell_failure,
		.arg = &l,
	};
	struct vm_err err = VM_ERR_INIT;

	if (d->tree.recorded)
		return; /* whether their users live only the kernel knows */
	if (vm_repair_places(&r, &err) < 0)
		vm_doctor_say_err(d, VM_HEALTH_WARN, &err);
	else if (l.n == 0)
		vm_doctor_say(d, VM_HEALTH_OK, NULL, "nothing is left of guests that do not run");
}

/* Where images are by custom. */
static const char *const image_places[] = { "var/lib/vm", "var/lib/libvirt/images", "srv", "home" };

void vm_doctor_images(struct vm_doctor *d)
{
	dev_t seen[VM_COUNT(image_places)];
	size_t n = 0;

	if (d->tree.recorded)
		return; /* only the kernel knows */
	for (size_t i = 0; i < VM_COUNT(image_places); i++) {
		VM_AUTO_FD int fd = vm_tree_fd(&d->tree, image_places[i], O_PATH | O_DIRECTORY);
		struct vm_err err = VM_ERR_INIT;
		struct stat st;
		bool again = false;

		if (fd < 0 || fstat(fd, &st) < 0)
			continue;
		for (size_t k = 0; k < n; k++)
			again |= seen[k] == st.st_dev;
		if (again)
			continue;
		seen[n++] = st.st_dev;
		if (vm_idmap_try(fd, &err) == 0)
			vm_doctor_say(d, VM_HEALTH_OK, NULL, "images in /%s keep their owner", image_places[i]);
		else if (err.kind == VM_UNSUPPORTED)
			vm_doctor_say(d, VM_HEALTH_NOTE,
				      "keep images on ext4, xfs or btrfs, if their owner must not change",
				      "the file system of /%s has no mapped mounts: images there change their owner "
				      "while a guest runs",
				      image_places[i]);
		else
			vm_doctor_say_err(d, VM_HEALTH_WARN, &err);
	}
}

void vm_doctor_guests(struct vm_doctor *d)
{
	VM_AUTO(vm_entries_free) struct vm_entries all = { 0 };
	struct vm_entries_want want = { .inactive = true, .deadline = d->deadline };
	struct vm_err err = VM_ERR_INIT;
	size_t bad = 0;

	if (vm_entries_read(d->state, &want, &all, &err) < 0) {
		vm_doctor_say_err(d, VM_HEALTH_WARN, &err);
		return;
	}
	for (size_t i = 0; i < all.n; i++) {
		const struct vm_entry *e = &all.v[i];
		VM_AUTO_FREE char *remedy = NULL;

		if (e->status.life == VM_STALE)
			remedy = vm_xasprintf("vm-repair '%s'", e->name);
		else if (e->status.life == VM_BROKEN)
			remedy = vm_xasprintf("see what is wrong: vm-define --validate; vm-edit '%s'", e->name);
		else if (e->status.life == VM_UNRESPONSIVE)
			remedy = vm_xasprintf("look at its log; if it does not come back: vm-destroy '%s'", e->name);
		else
			continue;
		bad++;
		vm_doctor_say(d, VM_HEALTH_WARN, remedy, "guest %s is %s%s%s", e->name,
			      vm_life_word(e->status.life), e->problem != NULL ? ": " : "",
			      e->problem != NULL ? e->problem : "");
	}
	if (bad == 0)
		vm_doctor_say(d, VM_HEALTH_OK, NULL, "none of %zu guest%s needs help", all.n,
			      all.n == 1 ? "" : "s");
}
