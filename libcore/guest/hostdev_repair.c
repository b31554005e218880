/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostdev_repair.h"

#include <fcntl.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/lock.h>
#include <vm/process.h>
#include <vm/state.h>

#include "hostdef.h"
#include "hostdev_bind.h"
#include "hostdev_record.h"
#include "state/hostdev.h"

struct work {
	const struct vm_repair *r;
	struct vm_hostdefs h; /* its state is borrowed */
};

static int recover_made(const struct vm_hostdefs *h, const char *key, struct vm_err *err)
{
	VM_AUTO(vm_lock_release) int lock = -1;

	return vm_hostdev_lock_name(&h->state, key, h->deadline, &lock, err) < 0 ? -1 : vm_hostdef_recover(h, key, err);
}

static int put_back(const struct vm_hostdefs *h, const char *key, struct vm_err *err)
{
	const struct vm_hostdev_take other = { .state = &h->state, .sys = &h->sys, .name = key, .deadline = h->deadline };

	if (vm_hostdev_is_other(key))
		return vm_hostdev_hook_again(&other, err);
	return vm_hostdev_unbind(&h->state, &h->sys, strchr(key, ':') + 1, h->deadline, err);
}

static bool interrupted(const struct vm_record *r)
{
	enum vm_hostdev_phase phase = vm_hostdev_phase(r);
	struct vm_procid tool;
	struct vm_err gone = VM_ERR_INIT;
	VM_AUTO_FD int fd = -1;

	if (phase == VM_HOSTDEV_STUCK)
		return true;
	if (phase != VM_HOSTDEV_BINDING && phase != VM_HOSTDEV_RELEASING && phase != VM_HOSTDEV_MAKING)
		return false;
	return !vm_record_get_procid(r, VM_HOSTDEV_TOOL, &tool) || vm_procid_open(&tool, &fd, &gone) != 0;
}

static int repair_one(int dirfd, const char *key, void *arg)
{
	struct work *w = arg;
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	struct vm_err err = VM_ERR_INIT;
	size_t len = strlen(key);
	int done = 1;

	(void)dirfd;
	/* one that was to be a guest's is put back with whatever else that one had */
	if ((len > 5 && strcmp(key + len - 5, ".lock") == 0) ||
	    vm_hostdev_record_read(&w->h.state, key, &r, &err) < 0 || !interrupted(&r) ||
	    vm_record_get(&r, VM_HOSTDEV_USER) != NULL)
		return 0;
	if (!w->r->dry_run) {
		w->h.deadline = vm_deadline_in(w->r->timeout_ms);
		done = vm_hostdev_phase(&r) == VM_HOSTDEV_MAKING
			       ? recover_made(&w->h, key, &err)
			       : !put_back(&w->h, key, &err);
	}
	if (err.kind != VM_OK)
		w->r->failed(key, &err, w->r->arg);
	else if (done > 0)
		w->r->did(key, "put back a host device whose change was interrupted", w->r->arg);
	return vm_wait_interrupted();
}

int vm_hostdevs_repair(const struct vm_repair *r, struct vm_err *err)
{
	VM_AUTO(vm_sys_close) struct vm_sys sys = VM_SYS_INIT;
	VM_AUTO_FD int dir = -1;
	struct vm_err none = VM_ERR_INIT;
	struct work w = { .r = r, .h = VM_HOSTDEFS_INIT };

	if (r->state->claims < 0 || vm_hostdev_place(r->state, &dir, &none) < 0)
		return 0;
	if (vm_sys_open(NULL, &sys, err) < 0)
		return -1;
	w.h.state = *r->state;
	w.h.sys = sys;
	return vm_dir_each(dir, repair_one, &w, err) < 0 ? -1 : 0;
}
