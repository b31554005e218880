/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Programs of the administrator for single PCI devices.  The guest's name is in the device's record before the first is
 * run, so that whoever puts the device back runs them for the end, too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/log.h>
#include <vm/state.h>
#include <vm/strbuf.h>

#include "hooks.h"
#include "host/pci.h"
#include "hostdev_bind.h"
#include "hostdev_record.h"

#define PROGRAMS 3

/* Of all devices, of those of this kind, of this one; a device that is gone has no kind.  Owned. */
static void find(const struct vm_hostdev_take *t, const struct vm_pci *p, char *ret[PROGRAMS])
{
	VM_AUTO_FREE char *dir = vm_hooks_dir(t->state);

	ret[0] = vm_xasprintf("%s/hostdev", dir);
	ret[1] = p != NULL ? vm_xasprintf("%s/hostdev.d/%04x:%04x", dir, p->vendor, p->device) : NULL;
	ret[2] = vm_xasprintf("%s/hostdev.d/%s", dir, t->name);
}

static void describe(const struct vm_hostdev_take *t, const struct vm_pci *p, struct vm_strbuf *out)
{
	VM_AUTO_FD int dir = -1;
	VM_AUTO_FREE char *path = NULL;
	struct vm_err ignored = VM_ERR_INIT;

	vm_strbuf_printf(out, "device=%s\n", t->name);
	if (p == NULL)
		return;
	if (vm_pci_open(t->sys, t->name, &dir, &ignored) == 0 && (path = vm_sys_path(t->sys, dir, NULL)) != NULL)
		vm_strbuf_printf(out, "path=%s\n", path);
	vm_strbuf_printf(out, "vendor=%04x\nproduct=%04x\nclass=%06x\ndriver=%s\ngroup=%d\n", p->vendor, p->device,
			 (unsigned)p->class, p->driver, p->group);
}

/* One that cannot be looked at has hooks that cannot be looked for.  Nobody tells them later, so it is tried twice. */
static bool look(const struct vm_hostdev_take *t, struct vm_pci *ret, struct vm_err *err)
{
	struct vm_err first = VM_ERR_INIT;

	if (vm_pci_read(t->sys, t->name, ret, &first) == 0)
		return true;
	if (first.kind != VM_NOT_FOUND)
		return vm_pci_read(t->sys, t->name, ret, err) == 0;
	*err = first;
	return false;
}

static int run_one(const struct vm_hostdev_take *t, const char *program, const struct vm_hook_call *c,
		   struct vm_deadline deadline, struct vm_err *err)
{
	const char *why;
	int r;

	if (!t->dry_run)
		return vm_hook_run(program, c, deadline, err);
	r = vm_hook_check(program, &why, err);
	if (r == 0)
		vm_log_step("hook %s %s %s %s %s", program, c->object, c->op, c->sub, c->extra);
	return r < 0 ? -1 : 0;
}

/* What is given back is told to all of them, whatever one says; the first error is what counts. */
static int run_all(const struct vm_hostdev_take *t, const char *guest, const char *op, const char *sub,
		   struct vm_err *err)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf text = VM_STRBUF_INIT;
	const struct vm_deadline deadline = vm_deadline_in(t->state->conf.hook_timeout_ms);
	bool end = strcmp(sub, "end") == 0;
	struct vm_err ignored = VM_ERR_INIT, why = VM_ERR_INIT;
	struct vm_hook_call call = { .object = t->name, .op = op, .sub = sub, .extra = guest,
				     .driver = t->state->driver, .session = t->state->uri.session };
	char *programs[PROGRAMS];
	struct vm_pci p;
	bool there = look(t, &p, &why);
	int r = 0;

	if (!there && why.kind != VM_NOT_FOUND) {
		*err = why;
		r = -1;
	}
	find(t, there ? &p : NULL, programs);
	describe(t, there ? &p : NULL, &text);
	call.input = text.text;
	for (size_t i = 0; i < PROGRAMS; i++) {
		if (programs[i] != NULL && (r == 0 || end) && run_one(t, programs[i], &call, deadline, r == 0 ? err : &ignored) < 0)
			r = -1;
		free(programs[i]);
	}
	return r < 0 ? vm_err_wrap(err, "%s", t->name) : 0;
}

void vm_hostdev_hook_save(const struct vm_hostdev_take *t, struct vm_record *r)
{
	if (t->user != NULL)
		vm_record_set(r, VM_HOSTDEV_HOOK, vm_hostdev_guest(t->user));
}

/* Hooks have a time-out of their own: what they take is not taken from the driver's. */
int vm_hostdev_hook_prepare(struct vm_hostdev_take *t, struct vm_err *err)
{
	uint64_t began = vm_now_ms();
	int r = t->user == NULL ? 0 : run_all(t, vm_hostdev_guest(t->user), "prepare", "begin", err);

	if (t->deadline.at_ms != 0)
		t->deadline.at_ms += vm_now_ms() - began;
	if (t->spent_ms != NULL)
		*t->spent_ms += vm_now_ms() - began;
	return r;
}

int vm_hostdev_hook_released(const struct vm_hostdev_take *t, const struct vm_record *r, struct vm_err *err)
{
	const char *guest = vm_record_get(r, VM_HOSTDEV_HOOK);

	return guest == NULL ? 0 : run_all(t, guest, "released", "end", err);
}
