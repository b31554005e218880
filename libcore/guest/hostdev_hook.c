/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Programs of the administrator for single host devices of any kind.  The guest's name is in the device's record, or the device
 * in the guest's journal, before the first is run, so that whoever puts the device back runs them for the end, too.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/lock.h>
#include <vm/log.h>
#include <vm/state.h>
#include <vm/strbuf.h>

#include "hooks.h"
#include "host/mdev.h"
#include "host/pci.h"
#include "host/scsi.h"
#include "host/usb.h"
#include "hostdev_bind.h"
#include "hostdev_record.h"

#define PROGRAMS 3

/* A device as its hooks see it: what it is, where its directory is, and lines of what else is known. */
struct seen {
	char model[160]; /* name of the programs of its kind; "" = there are none */
	struct vm_strbuf text;
};

static void seen_free(struct seen *s)
{
	vm_strbuf_free(&s->text);
}

/* The kinds: each looks at one device of it.  Absent is VM_NOT_FOUND. */
struct kind {
	const char *word, *prefix; /* prefix of the name, as in keys of claims */
	const char *dir;	   /* where its directory is, by the name without the prefix; NULL: nowhere */
	int (*look)(const struct vm_sys *sys, const char *name, struct seen *ret, struct vm_err *err);
};

/* What a device says of itself may have anything in it. */
static void add_text(struct vm_strbuf *out, const char *key, const char *text)
{
	vm_strbuf_printf(out, "%s=", key);
	vm_strbuf_escape(out, text);
	vm_strbuf_putc(out, '\n');
}

static int look_pci(const struct vm_sys *sys, const char *name, struct seen *ret, struct vm_err *err)
{
	struct vm_pci p;

	if (vm_pci_read(sys, name, &p, err) < 0)
		return -1;
	snprintf(ret->model, sizeof(ret->model), "%04x:%04x", p.vendor, p.device);
	vm_strbuf_printf(&ret->text, "vendor=%04x\nproduct=%04x\nclass=%06x\ndriver=%s\ngroup=%d\n", p.vendor, p.device,
			 (unsigned)p.class, p.driver, p.group);
	return 0;
}

static int look_usb(const struct vm_sys *sys, const char *name, struct seen *ret, struct vm_err *err)
{
	VM_AUTO(vm_usbs_free) struct vm_usbs all = { 0 };
	struct vm_unread unread = VM_UNREAD_NONE;
	const struct vm_usb *u = NULL;
	char node[32];

	vm_usbs_read(sys, &all, &unread);
	for (size_t i = 0; i < all.n; i++)
		if (strcmp(all.v[i].port, name) == 0)
			u = &all.v[i];
	if (u == NULL)
		return vm_unread_fail(&unread, err) < 0 ? -1 : vm_err_set(err, VM_NOT_FOUND, "there is no usb:%s", name);
	snprintf(ret->model, sizeof(ret->model), "usb:%04x:%04x", u->vendor, u->product);
	vm_usb_node(u, node);
	vm_strbuf_printf(&ret->text, "vendor=%04x\nproduct=%04x\n", u->vendor, u->product);
	add_text(&ret->text, "serial", u->serial);
	vm_strbuf_printf(&ret->text, "driver=%s\nnode=/%s\n", u->driver, node);
	return 0;
}

static int look_scsi(const struct vm_sys *sys, const char *name, struct seen *ret, struct vm_err *err)
{
	struct vm_scsi d;

	if (vm_scsi_read(sys, name, &d, err) < 0)
		return -1;
	add_text(&ret->text, "vendor", d.vendor);
	add_text(&ret->text, "product", d.model);
	vm_strbuf_printf(&ret->text, "driver=%s\nnode=%s%s\n", d.driver, d.sg[0] != 0 ? VM_SCSI_NODES "/" : "", d.sg);
	return 0;
}

static int look_mdev(const struct vm_sys *sys, const char *name, struct seen *ret, struct vm_err *err)
{
	struct vm_mdev m;

	if (vm_mdev_read(sys, name, &m, err) < 0)
		return -1;
	snprintf(ret->model, sizeof(ret->model), "mdev:%s", m.type);
	vm_strbuf_printf(&ret->text, "type=%s\nparent=%s\ndriver=%s\ngroup=%d\n", m.type, m.parent, m.driver, m.group);
	return 0;
}

static int look_vhost(const struct vm_sys *sys, const char *name, struct seen *ret, struct vm_err *err)
{
	(void)ret;
	return vm_vhost_scsi_check(sys, name, err);
}

static const struct kind kinds[] = {
	{ "usb", "usb:", "sys/bus/usb/devices", look_usb },
	{ "scsi", "scsi:", "sys/bus/scsi/devices", look_scsi },
	{ "mdev", "mdev:", "sys/bus/mdev/devices", look_mdev },
	{ "scsi_host", "vhost:", "sys/kernel/config/target/vhost", look_vhost },
	{ "pci", "", "sys/bus/pci/devices", look_pci }, /* last: its names have no prefix */
};

static const struct kind *kind_of(const char *name)
{
	const struct kind *k = kinds;

	while (strncmp(name, k->prefix, strlen(k->prefix)) != 0)
		k++;
	return k;
}

bool vm_hostdev_is_other(const char *name)
{
	return kind_of(name)->prefix[0] != 0;
}

static void add_path(const struct vm_sys *sys, const struct kind *k, const char *name, struct vm_strbuf *out)
{
	VM_AUTO_FREE char *link = vm_xasprintf("%s/%s", k->dir, name);
	VM_AUTO_FD int dir = vm_sys_dir(sys, link);
	VM_AUTO_FREE char *path = dir < 0 ? NULL : vm_sys_path(sys, dir, NULL);

	if (path != NULL)
		vm_strbuf_printf(out, "path=%s\n", path);
}

/* 1 = it is gone; -1: one that cannot be looked at has hooks that cannot be looked for.  Nobody tells them later, so it is
 * tried twice. */
static int look(const struct vm_hostdev_take *t, struct seen *ret, struct vm_err *err)
{
	const struct kind *k = kind_of(t->name);
	const char *name = t->name + strlen(k->prefix);
	VM_AUTO(seen_free) struct seen s = { 0 };
	struct vm_err why = VM_ERR_INIT;

	vm_strbuf_printf(&ret->text, "device=%s\nkind=%s\n", t->name, k->word);
	if (k->look(t->sys, name, &s, &why) < 0 && why.kind != VM_NOT_FOUND) {
		vm_strbuf_clear(&s.text);
		why = VM_ERR_INIT;
		(void)!k->look(t->sys, name, &s, &why);
	}
	if (why.kind == VM_NOT_FOUND)
		return 1;
	if (why.kind != VM_OK) {
		*err = why;
		return -1;
	}
	memcpy(ret->model, s.model, sizeof(ret->model));
	add_path(t->sys, k, name, &ret->text);
	vm_strbuf_puts(&ret->text, s.text.text != NULL ? s.text.text : "");
	return 0;
}

/* Of all devices, of those of this model, of this one; a device that is gone has no model.  Owned. */
static void find(const struct vm_hostdev_take *t, const struct seen *s, char *ret[PROGRAMS])
{
	VM_AUTO_FREE char *dir = vm_hooks_dir(t->state);

	ret[0] = vm_xasprintf("%s/hostdev", dir);
	ret[1] = s->model[0] != 0 ? vm_xasprintf("%s/hostdev.d/%s", dir, s->model) : NULL;
	ret[2] = vm_xasprintf("%s/hostdev.d/%s", dir, t->name);
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
	VM_AUTO(seen_free) struct seen seen = { 0 };
	const struct vm_deadline deadline = vm_deadline_in(t->state->conf.hook_timeout_ms);
	bool end = strcmp(sub, "end") == 0;
	struct vm_err ignored = VM_ERR_INIT;
	struct vm_hook_call call = { .object = t->name, .op = op, .sub = sub, .extra = guest,
				     .driver = t->state->driver, .session = t->state->uri.session };
	char *programs[PROGRAMS];
	int r = look(t, &seen, err) < 0 ? -1 : 0;

	find(t, &seen, programs);
	call.input = seen.text.text;
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

/* ---- devices that are not taken from a driver ---- */

static int lock(const struct vm_hostdev_take *t, int *ret, struct vm_err *err)
{
	return vm_hostdev_lock_name(t->state, t->name, t->deadline, ret, err);
}

static bool is_there(const char *path)
{
	struct stat st;

	return path != NULL && (lstat(path, &st) == 0 || errno != ENOENT);
}

int vm_hostdev_hooked(const struct vm_hostdev_take *t, struct vm_err *err)
{
	VM_AUTO_FREE char *dir = vm_hooks_dir(t->state);
	VM_AUTO_FREE char *single = vm_xasprintf("%s/hostdev.d", dir);
	VM_AUTO(seen_free) struct seen seen = { 0 };
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	char *programs[PROGRAMS];
	int any = vm_hostdev_load(t->state, t->name, &r, err);

	if (any < 0)
		return -1;
	any = any == 0;
	/* most hosts have none, and need not be looked at for their models */
	if (is_there(single) && look(t, &seen, err) < 0)
		return -1;
	find(t, &seen, programs);
	for (size_t i = 0; i < PROGRAMS; i++) {
		any |= is_there(programs[i]);
		free(programs[i]);
	}
	return any;
}

int vm_hostdev_hook_take(const struct vm_hostdev_take *given, struct vm_err *err)
{
	struct vm_hostdev_take t = *given;
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	VM_AUTO(vm_lock_release) int held = -1;
	int none;

	if (!t.dry_run && lock(&t, &held, err) < 0)
		return -1;
	none = vm_hostdev_load(t.state, t.name, &r, err);
	if (none < 0)
		return -1;
	if (none == 0 && vm_hostdev_phase(&r) == VM_HOSTDEV_STUCK) {
		vm_err_set(err, VM_IN_USE, "cannot assign %s: %s", t.name, vm_record_get(&r, VM_HOSTDEV_WHY));
		return vm_err_hint(err, "%s", vm_record_get(&r, VM_HOSTDEV_CURE));
	}
	return vm_hostdev_hook_prepare(&t, err);
}

static int finish(const struct vm_hostdev_take *t, struct vm_record *r, struct vm_err *err)
{
	if (vm_hostdev_hook_released(t, r, err) == 0)
		return vm_hostdev_record_remove(t->state, t->name, err);
	vm_hostdev_out_of_use(t, t->name, r, err);
	return 1;
}

int vm_hostdev_hook_give(const struct vm_hostdev_take *t, struct vm_err *err)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	VM_AUTO(vm_lock_release) int held = -1;
	int done;

	if (lock(t, &held, err) < 0)
		return -1;
	vm_record_set(&r, VM_HOSTDEV_DEVICE, t->name);
	vm_hostdev_hook_save(t, &r);
	done = finish(t, &r, err);
	if (done <= 0)
		return done;
	/* the guest ends all the same */
	vm_log_warning("%s; %s", err->msg, err->hint);
	*err = VM_ERR_INIT;
	return 0;
}

int vm_hostdev_hook_again(const struct vm_hostdev_take *t, struct vm_err *err)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	VM_AUTO(vm_lock_release) int held = -1;
	int none;

	if (lock(t, &held, err) < 0 || (none = vm_hostdev_load(t->state, t->name, &r, err)) < 0)
		return -1;
	return none > 0 || vm_hostdev_phase(&r) != VM_HOSTDEV_STUCK ? 1 : finish(t, &r, err) != 0 ? -1 : 0;
}
