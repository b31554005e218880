/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vm/guest.h>

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/log.h>

#include "driver.h"
#include "group.h"

/* How long a guest's end may take to be cleared away by its watcher, hooks included. */
#define REAP_MS	  70000u
#define LINGER_MS 500u

static int open_with(const char *connect, enum vm_state_access access, struct vm_host *ret, struct vm_err *err)
{
	struct vm_host h = VM_HOST_INIT;

	if (vm_state_open(connect, access, &h.state, err) < 0)
		return -1;
	if (vm_driver_find(h.state.driver, &h.driver, err) < 0) {
		vm_state_close(&h.state);
		return -1;
	}
	*ret = h;
	return 0;
}

int vm_host_open(const char *connect, struct vm_host *ret, struct vm_err *err)
{
	if (open_with(connect, VM_STATE_CHANGE, ret, err) < 0)
		return -1;
	vm_guest_reap = ret->driver->reap;
	vm_guest_group_kill = vm_guest_group_kill_all;
	vm_guest_group_populated = vm_guest_group_has_any;
	return 0;
}

int vm_host_look(const char *connect, struct vm_host *ret, struct vm_err *err)
{
	return open_with(connect, VM_STATE_READ, ret, err);
}

void vm_host_close(struct vm_host *h)
{
	vm_state_close(&h->state);
	*h = VM_HOST_INIT;
}

static int off_already(bool if_needed, struct vm_err *err)
{
	if (!if_needed || err->kind != VM_NOT_RUNNING)
		return -1;
	*err = VM_ERR_INIT;
	return 1;
}

static void get_run(const struct vm_guest *g, struct vm_run_id *ret)
{
	*ret = (struct vm_run_id){ 0 };
	if (!vm_record_get_procid(&g->record, VM_KEY_PID, &ret->process))
		ret->process.pid = 0;
	if (!vm_record_get_procid(&g->record, VM_KEY_WATCHER, &ret->watcher))
		ret->watcher.pid = 0;
}

int vm_guest_shutdown(struct vm_host *h, const char *ref, const struct vm_shutdown_modes *modes,
		      bool if_needed, bool dry_run, struct vm_deadline dl,
		      struct vm_run_id *ret_run, struct vm_err *err)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;

	if (vm_guest_open(&h->state, ref, VM_GUEST_LOCKED | VM_GUEST_ACTIVE, dl, &g, err) < 0)
		return off_already(if_needed, err);
	if (h->driver->shutdown == NULL)
		return vm_driver_lacks(h->driver->name, "shutdown", err);
	if (ret_run != NULL)
		get_run(&g, ret_run);
	vm_log_step("ask the guest to shut down");
	return dry_run ? 0 : h->driver->shutdown(&g, modes, dl, err);
}

int vm_guest_press_again(struct vm_host *h, const char *ref, const struct vm_run_id *run,
			 uint64_t since_ms, struct vm_deadline dl, struct vm_err *err)
{
	const struct vm_shutdown_modes button = { .v = { VM_SHUTDOWN_ACPI }, .n = 1 };
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	struct vm_status status = { 0 };
	struct vm_run_id now;

	if (vm_guest_open(&h->state, ref, VM_GUEST_LOCKED | VM_GUEST_ACTIVE, dl, &g, err) < 0)
		return -1;
	get_run(&g, &now);
	if (now.process.pid != run->process.pid || now.process.start != run->process.start)
		return 1;
	/* It did something since: powered off and was restarted by its policy, or was resumed by somebody. */
	if (vm_status_read(g.run, &status, err) == 0 && status.since_ms >= since_ms)
		return 1;
	vm_log_step("ask again");
	return h->driver->shutdown(&g, &button, dl, err);
}

/* The watcher gives everything back when the guest has ended, and ends itself then. */
static void wait_watcher(const struct vm_run_id *run, struct vm_deadline dl)
{
	struct vm_err ignored = VM_ERR_INIT;
	VM_AUTO_FD int pidfd = -1;

	if (run->watcher.pid != 0 && vm_procid_open(&run->watcher, &pidfd, &ignored) == 0 &&
	    vm_pidfd_wait(pidfd, dl, &ignored) < 0)
		vm_log_step("its watcher, process %d, is still at work", (int)run->watcher.pid);
}

int vm_guest_wait_off(struct vm_host *h, const char *ref, const struct vm_run_id *run,
		      struct vm_deadline dl, struct vm_err *err)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	VM_AUTO_FD int pidfd = -1;
	struct vm_deadline reap = vm_deadline_in(REAP_MS);

	if (run->process.pid != 0 && vm_procid_open(&run->process, &pidfd, err) < 0)
		return -1;
	if (pidfd >= 0 && vm_pidfd_wait(pidfd, dl, err) < 0) {
		if (err->kind != VM_TIMED_OUT)
			return -1;
		vm_err_set(err, VM_PENDING, "is not off yet");
		return vm_err_hint(err, "wait longer (vm-wait --off %s), or vm-destroy it", ref);
	}
	wait_watcher(run, reap);
	/* Without a watcher this command clears up: opening reconciles. */
	if (vm_guest_open(&h->state, ref, VM_GUEST_LOCKED, reap, &g, err) == 0 ||
	    err->kind == VM_NOT_FOUND) {
		*err = VM_ERR_INIT;
		return 0;
	}
	return -1;
}

static void remove_log_files(const struct vm_state *s, const char *name)
{
	VM_AUTO_FREE char *log = vm_xasprintf("%s.log", name);

	unlinkat(s->log, log, 0);
	for (uint64_t i = 1; i < s->conf.log_files; i++) {
		VM_AUTO_FREE char *old = vm_xasprintf("%s.%u", log, (unsigned)i);

		unlinkat(s->log, old, 0);
	}
}

int vm_guest_destroy(struct vm_host *h, const char *ref, bool graceful, bool remove_logs,
		     bool if_needed, bool dry_run, struct vm_deadline dl, struct vm_err *err)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	const unsigned flags = VM_GUEST_LOCKED | VM_GUEST_BY_NAME | VM_GUEST_AS_IS;
	struct vm_run_id run;

	if (vm_guest_open(&h->state, ref, flags, dl, &g, err) < 0)
		return -1;
	if (!g.active && g.life != VM_STALE) {
		vm_err_set(err, VM_NOT_RUNNING, "is not running");
		return off_already(if_needed, err);
	}
	if (h->driver->destroy == NULL)
		return vm_driver_lacks(h->driver->name, "destroy", err);
	get_run(&g, &run);
	vm_log_step("end process %d and give back what it held", (int)run.process.pid);
	if (dry_run)
		return 0;
	if (h->driver->destroy(&g, graceful, dl, err) < 0)
		return -1;
	vm_guest_unlock(&g);
	wait_watcher(&run, vm_deadline_in(LINGER_MS));
	if (remove_logs)
		remove_log_files(&h->state, g.name);
	return 0;
}

/* The verbs that ask a running guest for one thing. */
static int hold(struct vm_host *h, const char *ref, size_t member, const char *what, bool dry_run,
		struct vm_deadline dl, struct vm_err *err)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	int (*verb)(struct vm_guest *g, struct vm_deadline dl, struct vm_err *err);
	const struct vm_holder *holder;

	if (vm_holder_find(h->driver->name, &holder, err) < 0)
		return -1;
	memcpy(&verb, (const char *)holder + member, sizeof(verb));
	if (verb == NULL)
		return vm_driver_lacks(h->driver->name, what, err);
	if (vm_guest_open(&h->state, ref, VM_GUEST_LOCKED | VM_GUEST_ACTIVE, dl, &g, err) < 0)
		return -1;
	vm_log_step("%s", what);
	return dry_run ? 0 : verb(&g, dl, err);
}

int vm_guest_suspend(struct vm_host *h, const char *ref, bool dry_run, struct vm_deadline dl,
		struct vm_err *err)
{
	return hold(h, ref, offsetof(struct vm_holder, suspend), "suspend", dry_run, dl, err);
}

int vm_guest_resume(struct vm_host *h, const char *ref, bool dry_run, struct vm_deadline dl,
		struct vm_err *err)
{
	return hold(h, ref, offsetof(struct vm_holder, resume), "resume", dry_run, dl, err);
}

int vm_guest_reset(struct vm_host *h, const char *ref, bool dry_run, struct vm_deadline dl,
		struct vm_err *err)
{
	return hold(h, ref, offsetof(struct vm_holder, reset), "reset", dry_run, dl, err);
}

int vm_guest_reboot(struct vm_host *h, const char *ref, const struct vm_shutdown_modes *modes,
		    bool dry_run, struct vm_deadline dl, struct vm_err *err)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;

	if (h->driver->reboot == NULL)
		return vm_driver_lacks(h->driver->name, "reboot", err);
	if (vm_guest_open(&h->state, ref, VM_GUEST_LOCKED | VM_GUEST_ACTIVE, dl, &g, err) < 0)
		return -1;
	vm_log_step("reboot");
	return dry_run ? 0 : h->driver->reboot(&g, modes, dl, err);
}
