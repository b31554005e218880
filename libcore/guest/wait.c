/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/wait.h"

#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/follow.h>
#include <vm/json.h>
#include <vm/strbuf.h>

#include "driver.h"
#include "guest/event_kind.h"
#include "guest/list.h"
#include "guest/wait_inside.h"

/* What has no notice is tried again after so long: an agent that does not listen yet, a port, a
 * state of which nobody writes a record. */
#define RETRY_MS     1000
#define ASK_STATE_MS 200
#define AGENT_MS     1000

struct waiter {
	const struct vm_state *state;
	const struct vm_passthrough *pass;
	const struct vm_wait_for *want;
	struct vm_deadline deadline;
	char *name;
	struct vm_follow follow;
	struct vm_wait_found found;
	bool active, off, event_came, device_asked, device_gone, agent_answered, ssh_answers;
	struct vm_err why; /* of the last thing that was not true */
};

static void waiter_close(struct waiter *w)
{
	vm_follow_close(&w->follow);
	free(w->name);
}

/* ---- state ---- */

/* Nobody writes the record of a guest without watcher: it is asked itself. */
static int ask_state(struct waiter *w, struct vm_err *err)
{
	const char *names[] = {w->name};
	VM_AUTO(vm_entries_free) struct vm_entries entries = {0};
	const struct vm_entries_want want = {
	    .names = names, .n_names = 1, .ask_ms = ASK_STATE_MS, .deadline = w->deadline};

	if (vm_entries_read(w->state, &want, &entries, err) < 0)
		return -1;
	if (entries.n > 0)
		w->found.life = entries.v[0].status.life;
	return 0;
}

static int look(struct waiter *w, struct vm_err *err)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	enum vm_alive alive;

	if (vm_guest_open(w->state, w->name, VM_GUEST_NEW, w->deadline, &g, err) < 0 ||
	    vm_guest_alive(&g, &alive, err) < 0)
		return -1;
	w->active = g.active;
	w->off = !g.active && alive == VM_ALIVE_NO;
	w->found.life = g.active ? g.life : VM_SHUTOFF;
	return g.active && g.life != VM_STALE && !vm_guest_watched(g.run) ? ask_state(w, err) : 0;
}

/* ---- the monitor ---- */

/* Is the device in QEMU's list, with what was asked for as its name? */
static int device_there(struct waiter *w, bool *ret, struct vm_err *err)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	VM_AUTO(vm_strbuf_free) struct vm_strbuf path = VM_STRBUF_INIT, command = VM_STRBUF_INIT;
	VM_AUTO_FREE char *reply = NULL;
	struct vm_monitor_call call = {.fd = -1};
	struct vm_err why = VM_ERR_INIT;

	if (w->pass->monitor == NULL)
		return vm_driver_lacks(w->pass->name, "monitor", err);
	vm_strbuf_printf(&path, "/machine/peripheral/%s", w->want->device_gone);
	vm_strbuf_puts(&command, "qom-list {\"path\":");
	vm_strbuf_json(&command, path.text);
	vm_strbuf_putc(&command, '}');
	call.command = command.text;
	if (vm_guest_open(w->state, w->name, VM_GUEST_ACTIVE, w->deadline, &g, err) < 0)
		return -1;
	*ret = w->pass->monitor(&g, &call, w->deadline, &reply, &why) == 0;
	if (*ret || why.kind == VM_HYPERVISOR)
		return 0;
	*err = why;
	return -1;
}

/* ---- events ---- */

static bool about_device(const struct vm_event_line *line, const char *alias)
{
	struct vm_json_slice device = vm_json_find(line->data, line->data_len, "device");

	return device.at != NULL && vm_json_is(device, alias);
}

static int on_event(struct waiter *w, const struct vm_event_line *line, struct vm_err *err)
{
	const char *alias = w->want->device_gone;

	if (line->lost > 0)
		w->device_asked = false;
	if (!w->event_came && w->want->events.n > 0 &&
	    vm_event_matches(&w->want->events, line->name)) {
		w->event_came = true;
		memcpy(w->found.event, line->name, sizeof(w->found.event));
	}
	if (alias == NULL || line->data == NULL || !about_device(line, alias))
		return 0;
	if (strcmp(line->name, "DEVICE_DELETED") == 0)
		w->device_gone = true;
	if (strcmp(line->name, "DEVICE_UNPLUG_GUEST_ERROR") == 0)
		return vm_err_set(err, VM_HYPERVISOR, "the guest refuses to release %s", alias);
	return 0;
}

/* Everything that has come up to now. */
static int drain(struct waiter *w, struct vm_err *err)
{
	struct vm_follow_event ev;
	int rc;

	while ((rc = vm_follow_next(&w->follow, vm_deadline_in(0), &ev, err)) == 0)
		if (on_event(w, ev.line, err) < 0)
			return -1;
	return rc < 0 ? -1 : 0;
}

/* ---- all together ---- */

/* Things that only a running guest can do; in vain once it is off. */
static int check_inside(struct waiter *w, struct vm_err *err)
{
	const struct vm_wait_for *want = w->want;
	struct vm_deadline part = vm_deadline_min(w->deadline, vm_deadline_in(AGENT_MS));
	bool there = false;
	int rc;

	if (!w->active) {
		vm_err_set(err, VM_NOT_RUNNING, "is not running");
		return -1;
	}
	/* Asked once: from then on the events tell. */
	if (want->device_gone != NULL && !w->device_gone && !w->device_asked) {
		if (device_there(w, &there, err) < 0)
			return -1;
		w->device_asked = true;
		w->device_gone = !there;
	}
	if (want->device_gone != NULL && !w->device_gone) {
		vm_err_set(&w->why, VM_TIMED_OUT, "it has not released %s yet", want->device_gone);
		return 1;
	}
	if (want->agent && !w->agent_answered) {
		rc = vm_wait_agent(w->state, w->pass, w->name, part, &w->why, err);
		if (rc != 0)
			return rc;
		w->agent_answered = true;
	}
	if ((want->address || want->ssh_port > 0) && w->found.address[0] == '\0') {
		rc = vm_wait_address(w->state, w->pass, w->name, part, w->found.address,
				     sizeof(w->found.address), &w->why, err);
		if (rc != 0)
			return rc;
	}
	if (want->ssh_port > 0 && !w->ssh_answers) {
		rc = vm_wait_ssh(w->found.address, (unsigned)want->ssh_port, part, &w->why, err);
		if (rc != 0)
			return rc;
		w->ssh_answers = true;
	}
	return 0;
}

static bool wants_inside(const struct vm_wait_for *want)
{
	return want->device_gone != NULL || want->agent || want->address || want->ssh_port > 0;
}

/* 0 = all is true, 1 = not yet (w->why), -1 = never. */
static int check(struct waiter *w, struct vm_err *err)
{
	const struct vm_wait_for *want = w->want;

	if (look(w, err) < 0)
		return -1;
	if (want->events.n > 0 && !w->event_came) {
		vm_err_set(&w->why, VM_TIMED_OUT, "no such event came");
		return 1;
	}
	if (want->off && !w->off) {
		vm_err_set(&w->why, VM_TIMED_OUT, "is not off: it is %s",
			   vm_life_word(w->found.life));
		return 1;
	}
	if (want->states != 0 && (want->states & VM_LIST_STATE(w->found.life)) == 0) {
		vm_err_set(&w->why, VM_TIMED_OUT, "is %s", vm_life_word(w->found.life));
		return 1;
	}
	return wants_inside(want) ? check_inside(w, err) : 0;
}

static int wait_all(struct waiter *w, struct vm_err *err)
{
	for (;;) {
		struct vm_deadline until = w->deadline;
		const struct vm_err before = w->why;
		int left = vm_deadline_poll(w->deadline), rc;

		/* Events first: what comes after this look wakes the wait below. */
		if (drain(w, err) < 0)
			return -1;
		rc = check(w, err);
		if (rc <= 0)
			return rc;
		if (vm_deadline_passed(w->deadline)) {
			/* A last try that had no time says less than the one before it. */
			if (wants_inside(w->want) && before.msg[0] != '\0' && left < AGENT_MS)
				w->why = before;
			*err = w->why;
			err->kind = VM_TIMED_OUT;
			return -1;
		}
		if (wants_inside(w->want))
			until = vm_deadline_min(until, vm_deadline_in(RETRY_MS));
		if (vm_follow_wait(&w->follow, until, err) < 0)
			return -1;
	}
}

int vm_wait(const struct vm_state *s, const struct vm_passthrough *pass, const char *ref,
	    const struct vm_wait_for *want, struct vm_deadline deadline, struct vm_wait_found *ret,
	    struct vm_err *err)
{
	VM_AUTO(waiter_close)
	struct waiter w = {.state = s,
			   .pass = pass,
			   .want = want,
			   .deadline = deadline,
			   .follow = VM_FOLLOW_INIT};
	const char *names[1];

	if (vm_guest_resolve(s, ref, false, &w.name, err) < 0)
		return -1;
	names[0] = w.name;
	if (vm_follow_open(s, names, 1, false, &w.follow, err) < 0 || wait_all(&w, err) < 0)
		return -1;
	*ret = w.found;
	return 0;
}
