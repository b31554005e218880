/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asking a guest to end or reboot itself: the agent in it, or the power button. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/log.h>
#include <vm/process.h>
#include <vm/state.h>

#include "qemu/qmp/agent.h"
#include "qemu/lifecycle.h"
#include "qemu/qmp/monitor.h"
#include "qemu/qmp/qmp.h"
#include "qemu/watch/watch.h"

#define REFUSAL_MS 500u /* an agent that refuses does so at once; one that obeys says nothing */
#define ENDING_MS  1000u

struct request {
	struct vm_guest *g;
	bool reboot;
	struct vm_deadline deadline;
	struct vm_procid run; /* which run of the guest is meant */
};

/* Whether the guest's power-off ends QEMU, as its policies say, or is followed by a restart. */
static int set_shutdown(const struct vm_guest *g, struct vm_qmp *q, bool reboot,
			struct vm_deadline dl, struct vm_err *err)
{
	const char *poweroff = vm_record_get(&g->record, VM_KEY_POWEROFF);
	const char *on_reboot = vm_record_get(&g->record, VM_KEY_REBOOT);
	bool exits = poweroff == NULL || strcmp(poweroff, "destroy") == 0;

	if (on_reboot != NULL && strcmp(on_reboot, "preserve") == 0)
		exits = false;
	if (!exits)
		return 0;
	return vm_qmp_call(q, dl, NULL, err, "set-action", "{s:s}", "shutdown",
			   reboot ? "pause" : "poweroff");
}

/* What the guest's next power-off is to lead to: a guest that ignored the button for a reboot must not come
 * back after its shutdown. */
static int want(const struct request *r, struct vm_qmp *q, bool reboot, struct vm_err *err)
{
	const struct vm_guest *g = r->g;
	bool changed = reboot || vm_wanted(g->run, VM_WANTED_REBOOT);

	vm_wanted_set(g->run, reboot ? VM_WANTED_REBOOT : NULL);
	if (reboot && !vm_wanted(g->run, VM_WANTED_REBOOT))
		return vm_err_sys(err, "note that a reboot is wanted");
	return changed ? set_shutdown(g, q, reboot, r->deadline, err) : 0;
}

static int open_running(const struct request *r, struct vm_qmp **ret, struct vm_err *err)
{
	VM_AUTO(vm_qmp_close) struct vm_qmp *q = NULL;
	char word[32];

	if (vm_qemu_monitor_open(r->g, r->deadline, &q, err) < 0 ||
	    vm_qemu_ask_word(q, r->deadline, word, err) < 0)
		return -1;
	if (strcmp(word, "running") != 0) {
		vm_err_set(err, VM_IN_USE, "is not running and hears nothing (QEMU says %s)", word);
		return vm_err_hint(err, "vm-resume %s first, or vm-destroy", r->g->name);
	}
	*ret = vm_take_ptr(&q);
	return 0;
}

static int press_button(const struct request *r, bool others, struct vm_err *err)
{
	VM_AUTO(vm_qmp_close) struct vm_qmp *q = NULL;

	(void)others;
	if (r->reboot && vm_guest_watched(r->g->run) != 1) {
		vm_err_set(err, VM_UNSUPPORTED,
			   "has no watcher, which would start it again after its power-off");
		return vm_err_hint(err, "use --mode=agent, or vm-shutdown --wait and vm-start");
	}
	if (open_running(r, &q, err) < 0 || want(r, q, r->reboot, err) < 0)
		return -1;
	return vm_qmp_call(q, r->deadline, NULL, err, "system_powerdown", NULL);
}

/* 1 = something in the guest has opened the agent's channel, 0 = nothing has, -1 = not known. */
static int agent_listens(const struct vm_guest *g, struct vm_qmp *q, struct vm_deadline dl)
{
	const char *label = vm_record_get(&g->record, VM_KEY_AGENT_CHARDEV);
	struct vm_err ignored = VM_ERR_INIT;
	json_t *chardevs = NULL, *one;
	int open = -1;
	size_t i;

	if (label == NULL || vm_qmp_call(q, dl, &chardevs, &ignored, "query-chardev", NULL) < 0)
		return -1;
	json_array_foreach(chardevs, i, one)
	{
		const char *name = json_string_value(json_object_get(one, "label"));

		if (name != NULL && strcmp(name, label) == 0)
			open = json_is_true(json_object_get(one, "frontend-open"));
	}
	json_decref(chardevs);
	return open;
}

/* A channel that closes is QEMU's end or its beginning: sockets go before the process does. */
static bool ends(const struct request *r)
{
	struct vm_err ignored = VM_ERR_INIT;
	VM_AUTO_FD int pidfd = -1;
	int rc = r->run.pid != 0 ? vm_procid_open(&r->run, &pidfd, &ignored) : -1;

	return rc == 1 || (rc == 0 && vm_pidfd_wait(pidfd, vm_deadline_in(ENDING_MS), &ignored) == 0);
}

static int call_agent(const struct request *r, struct vm_deadline dl, struct vm_err *err)
{
	VM_AUTO(vm_agent_close) struct vm_agent *agent = NULL;
	json_t *arguments;
	int rc;

	if (vm_agent_open(r->g, dl, &agent, err) < 0)
		return -1;
	arguments = json_pack("{s:s}", "mode", r->reboot ? "reboot" : "powerdown");
	rc = vm_agent_call(agent, "guest-shutdown", arguments,
			   vm_deadline_min(dl, vm_deadline_in(REFUSAL_MS)), NULL, err);
	json_decref(arguments);
	if (rc < 0 && err->kind != VM_TIMED_OUT && !(err->kind == VM_HYPERVISOR && ends(r)))
		return -1;
	*err = VM_ERR_INIT;
	return 0;
}

/* Nobody holds the guest's lock while it is waited for; afterwards it may be another run, or none. */
static int relock(const struct request *r, struct vm_err *err)
{
	struct vm_procid now = { 0 };

	if (vm_guest_lock(r->g, r->deadline, err) < 0)
		return -1;
	if (r->g->active && vm_record_get_procid(&r->g->record, VM_KEY_PID, &now) &&
	    now.pid == r->run.pid && now.start == r->run.start)
		return 0;
	return 1;
}

/*
 * others: there are more modes to be tried after this one, so that a deaf agent gets half of the time, and none
 * if its channel is not even open.
 */
static int ask_agent(const struct request *r, bool others, struct vm_err *err)
{
	VM_AUTO(vm_qmp_close) struct vm_qmp *q = NULL;
	struct vm_err why = VM_ERR_INIT;
	struct vm_deadline part = r->deadline;
	int left = vm_deadline_poll(r->deadline), rc;

	if (vm_record_get(&r->g->record, VM_KEY_AGENT) == NULL)
		return vm_agent_lacks(err);
	if (open_running(r, &q, err) < 0)
		return -1;
	if (others && agent_listens(r->g, q, r->deadline) == 0)
		return vm_err_set(err, VM_TIMED_OUT, "no agent listens inside the guest");
	/* It powers off or reboots by itself. */
	if (want(r, q, false, err) < 0)
		return -1;
	vm_qmp_close(&q);
	if (others && left > 0)
		part = vm_deadline_in((uint64_t)left / 2);
	vm_guest_unlock(r->g);
	if (call_agent(r, part, &why) == 0)
		return 0;
	if (!others)
		goto failed;
	rc = relock(r, err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
failed:
	*err = why;
	return -1;
}

static const struct mode {
	const char *word;
	int (*ask)(const struct request *r, bool others, struct vm_err *err);
} known[VM_SHUTDOWN_MODES] = {
	[VM_SHUTDOWN_ACPI] = { "acpi", press_button },
	[VM_SHUTDOWN_AGENT] = { "agent", ask_agent },
	[VM_SHUTDOWN_INITCTL] = { "initctl", NULL },
	[VM_SHUTDOWN_SIGNAL] = { "signal", NULL },
	[VM_SHUTDOWN_PARAVIRT] = { "paravirt", NULL },
};

static int end_guest(struct vm_guest *g, const struct vm_shutdown_modes *modes, bool reboot,
		     struct vm_deadline dl, struct vm_err *err)
{
	struct vm_shutdown_modes usual = { .v = { VM_SHUTDOWN_ACPI }, .n = 1 };
	struct request r = { .g = g, .reboot = reboot, .deadline = dl };

	for (unsigned i = 0; i < modes->n; i++)
		if (known[modes->v[i]].ask == NULL)
			return vm_err_set(err, VM_UNSUPPORTED,
					  "mode %s: QEMU's guests know the modes acpi and agent",
					  known[modes->v[i]].word);
	if (!vm_record_get_procid(&g->record, VM_KEY_PID, &r.run))
		r.run.pid = 0;
	if (modes->n == 0) {
		if (vm_record_get(&g->record, VM_KEY_AGENT) != NULL)
			usual = (struct vm_shutdown_modes){
				.v = { VM_SHUTDOWN_AGENT, VM_SHUTDOWN_ACPI }, .n = 2
			};
		modes = &usual;
	}
	for (unsigned i = 0;; i++) {
		const struct mode *m = &known[modes->v[i]];
		bool others = i + 1 < modes->n;

		*err = VM_ERR_INIT;
		vm_log_step("ask by %s", m->word);
		if (m->ask(&r, others, err) == 0)
			return 0;
		if (!others || err->sys == EINTR)
			return -1;
		vm_log_step("%s: %s", m->word, err->msg);
	}
}

int vm_qemu_shutdown(struct vm_guest *g, const struct vm_shutdown_modes *modes,
		     struct vm_deadline dl, struct vm_err *err)
{
	return end_guest(g, modes, false, dl, err);
}

int vm_qemu_reboot(struct vm_guest *g, const struct vm_shutdown_modes *modes, struct vm_deadline dl,
		   struct vm_err *err)
{
	return end_guest(g, modes, true, dl, err);
}
