/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs on a running guest. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/log.h>
#include <vm/process.h>
#include <vm/state.h>

#include "qemu/lifecycle.h"
#include "qemu/qmp/monitor.h"
#include "qemu/qmp/qmp.h"
#include "qemu/watch/watch.h"

/* Notes what a command did: the time of its event, so that the watcher's word of the same is awaited. */
static int settle(struct vm_guest *g, struct vm_qmp *q, const char *event, enum vm_life life,
		  const char *reason, struct vm_err *err)
{
	struct vm_status status = { .life = life, .from = "event", .since_ms = vm_realtime_ms() };
	struct vm_qmp_event ev;

	snprintf(status.reason, sizeof(status.reason), "%s", reason);
	/* It came before the reply, or there is none: nothing changed. */
	while (vm_qmp_event_next(q, vm_deadline_in(1), &ev, err) == 0) {
		if (strcmp(ev.name, event) == 0) {
			status.event_us = ev.time_us;
			status.since_ms = ev.time_us / 1000;
		}
		vm_qmp_event_free(&ev);
	}
	if (status.event_us == 0)
		return 0;
	/* It is done; a full disk does not undo it. */
	if (vm_status_settle(g->run, &status, err) < 0) {
		vm_log_warning("%s: its new state is not on record: %s", g->name, err->msg);
		*err = VM_ERR_INIT;
	}
	return 0;
}

int vm_qemu_suspend(struct vm_guest *g, struct vm_deadline dl, struct vm_err *err)
{
	VM_AUTO(vm_qmp_close) struct vm_qmp *q = NULL;
	char word[32];

	if (vm_qemu_monitor_open(g, dl, &q, err) < 0 || vm_qemu_ask_word(q, dl, word, err) < 0)
		return -1;
	if (strcmp(word, "running") != 0) {
		if (strcmp(word, "paused") == 0 || strcmp(word, "prelaunch") == 0)
			return 1;
		return vm_err_set(err, VM_IN_USE, "is not running (QEMU says %s)", word);
	}
	if (vm_qmp_call(q, dl, NULL, err, "stop", NULL) < 0)
		return -1;
	return settle(g, q, "STOP", VM_PAUSED, "user", err);
}

int vm_qemu_resume(struct vm_guest *g, struct vm_deadline dl, struct vm_err *err)
{
	VM_AUTO(vm_qmp_close) struct vm_qmp *q = NULL;
	char word[32];

	if (vm_qemu_monitor_open(g, dl, &q, err) < 0 || vm_qemu_ask_word(q, dl, word, err) < 0)
		return -1;
	if (strcmp(word, "running") == 0)
		return 1;
	if (strcmp(word, "suspended") == 0) {
		vm_err_set(err, VM_IN_USE, "the guest has put itself to sleep");
		return vm_err_hint(err, "wake it with vm-pm-wakeup %s", g->name);
	}
	if (strcmp(word, "shutdown") == 0 || strcmp(word, "guest-panicked") == 0 ||
	    strcmp(word, "internal-error") == 0) {
		vm_err_set(err, VM_IN_USE, "the guest has ended (QEMU says %s)", word);
		return vm_err_hint(err, "vm-reset %s, then vm-resume; or vm-destroy", g->name);
	}
	if (vm_qmp_call(q, dl, NULL, err, "cont", NULL) < 0)
		return -1;
	return settle(g, q, "RESUME", VM_RUNNING, "unpaused", err);
}

static int set_reboot(struct vm_qmp *q, const char *action, struct vm_deadline dl,
		      struct vm_err *err)
{
	return vm_qmp_call(q, dl, NULL, err, "set-action", "{s:s}", "reboot", action);
}

/* The reset itself comes after the command's reply. */
static int wait_reset(struct vm_qmp *q, struct vm_deadline dl, struct vm_err *err)
{
	struct vm_qmp_event ev;
	bool done = false;

	while (!done) {
		int r = vm_qmp_event_next(q, dl, &ev, err);

		if (r > 0)
			return vm_err_set(err, VM_TIMED_OUT, "QEMU does not carry out the reset");
		if (r < 0)
			return -1;
		done = strcmp(ev.name, "RESET") == 0;
		vm_qmp_event_free(&ev);
	}
	return 0;
}

int vm_qemu_reset(struct vm_guest *g, struct vm_deadline dl, struct vm_err *err)
{
	VM_AUTO(vm_qmp_close) struct vm_qmp *q = NULL;
	const char *reboot = vm_record_get(&g->record, VM_KEY_REBOOT);
	/* QEMU takes this reset, and those of firmware that follow, for a reboot of the guest: they are not to
	 * end it, whatever <on_reboot> says.  The watcher puts that in force again a little later. */
	bool ends = reboot != NULL && strcmp(reboot, "restart") != 0;

	if (vm_qemu_monitor_open(g, dl, &q, err) < 0 || (ends && set_reboot(q, "reset", dl, err) < 0))
		return -1;
	if (vm_qmp_call(q, dl, NULL, err, "system_reset", NULL) < 0 || wait_reset(q, dl, err) < 0)
		return -1;
	if (ends && vm_guest_watched(g->run) != 1)
		vm_log_warning("%s: without a watcher its on_reboot=%s holds no longer", g->name,
			       reboot);
	return 0;
}

static int terminate(struct vm_guest *g, struct vm_deadline dl, struct vm_err *err)
{
	VM_AUTO_FD int pidfd = -1;
	struct vm_procid id;

	if (!vm_record_get_procid(&g->record, VM_KEY_PID, &id) ||
	    vm_procid_open(&id, &pidfd, err) != 0)
		return 0;
	if (syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0) < 0)
		return vm_err_sys(err, "signal QEMU, process %d", (int)id.pid);
	if (vm_pidfd_wait(pidfd, dl, err) < 0) {
		vm_err_wrap(err, "QEMU, process %d, does not end", (int)id.pid);
		return vm_err_hint(err, "vm-destroy without --graceful kills it");
	}
	return 0;
}

int vm_qemu_destroy(struct vm_guest *g, bool graceful, struct vm_deadline dl, struct vm_err *err)
{
	struct vm_status last = { .life = VM_SHUTOFF, .reason = "destroyed",
				  .since_ms = vm_realtime_ms(), .from = "record" };

	vm_wanted_set(g->run, VM_WANTED_DESTROY);
	if ((graceful && terminate(g, dl, err) < 0) || vm_guest_make_dead(g, dl, err) < 0) {
		vm_wanted_set(g->run, NULL);
		return -1;
	}
	return vm_guest_finish(g, &last, dl, err);
}
