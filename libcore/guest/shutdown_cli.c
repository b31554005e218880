/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shutdown_cli.h"

#include <stdlib.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/guest.h>
#include <vm/log.h>

#include "modes.h"
#include "parallel.h"

#define AGAIN_MS 5000u

const char *const vm_shutdown_then_words[] = { "fail", "destroy", "save", NULL };

struct shutdown {
	struct vm_common common; /* first: vm_cli_each() sets its deadline */
	const struct vm_shutdown_cli *o;
	struct vm_host host;
	struct vm_shutdown_modes modes;
};

/*
 * A guest that has not booted yet does not hear its power button: it is pressed again while we wait.  Guests that
 * are shutting down ignore it.
 */
static int wait_off(struct shutdown *s, const char *operand, const struct vm_run_id *run,
		    struct vm_err *err)
{
	struct vm_deadline end = vm_deadline_in(s->o->wait_ms);
	uint64_t asked_ms = vm_realtime_ms();
	bool press = s->modes.n == 0;

	for (unsigned i = 0; i < s->modes.n; i++)
		press |= s->modes.v[i] == VM_SHUTDOWN_ACPI;
	for (;;) {
		struct vm_deadline slice = vm_deadline_min(end, vm_deadline_in(AGAIN_MS));
		struct vm_err ignored = VM_ERR_INIT;
		int r = vm_guest_wait_off(&s->host, operand, run, press ? slice : end, err);

		if (r == 0 || err->kind != VM_PENDING || !press || vm_deadline_passed(end))
			return r;
		*err = VM_ERR_INIT;
		if (vm_guest_press_again(&s->host, operand, run, asked_ms,
					 vm_deadline_min(end, vm_deadline_in(AGAIN_MS)),
					 &ignored) > 0)
			press = false;
	}
}

static int shutdown_one(void *opaque, const char *operand, struct vm_err *err)
{
	struct shutdown *s = opaque;
	const struct vm_shutdown_cli *o = s->o;
	struct vm_run_id run;
	/* of all that ran, one may have ended by now */
	int r = vm_guest_shutdown(&s->host, operand, &s->modes, o->if_needed || o->all, s->common.dry_run,
				  s->common.deadline, &run, err);

	if (r != 0 || !o->wait || s->common.dry_run)
		return r;
	r = wait_off(s, operand, &run, err);
	if (r == 0 || err->kind != VM_PENDING || o->then != VM_THEN_DESTROY)
		return r;
	vm_log_step("it is not off: destroy it");
	*err = VM_ERR_INIT;
	return vm_guest_destroy(&s->host, operand, false, false, true, false,
				vm_deadline_in(s->common.timeout_ms), err) < 0
		       ? -1
		       : 0;
}

/* Puts the names of all that run in the operands' place. */
static int take_all(const struct vm_state *state, struct vm_words *operands, struct vm_err *err)
{
	char **names;
	size_t n;

	if (vm_active_names(state, &names, &n, err) < 0)
		return -1;
	*operands = (struct vm_words){ .v = (const char **)names, .n = n };
	return 0;
}

int vm_shutdown_cli(const struct vm_program *p, struct vm_common *c, struct vm_shutdown_cli *o,
		    struct vm_err *err)
{
	struct shutdown s = { .o = o, .host = VM_HOST_INIT };
	int r;

	if (o->all == (c->operands.n > 0))
		return vm_err_set(err, VM_USAGE, o->all ? "--all and a GUEST exclude each other"
							: "a GUEST, or --all, is needed");
	if (o->then_given && !o->wait)
		return vm_err_set(err, VM_USAGE, "--then needs --wait");
	if (o->then == VM_THEN_SAVE)
		return vm_err_set(err, VM_UNSUPPORTED, "--then=save: guests cannot be saved yet");
	if (vm_shutdown_modes_parse(&o->mode, &s.modes, err) < 0 ||
	    vm_host_open(c->connect, &s.host, err) < 0)
		return -1;
	s.common = *c;
	if (o->all && take_all(&s.host.state, &s.common.operands, err) < 0) {
		vm_host_close(&s.host);
		return -1;
	}
	r = vm_parallel_each(p, &s.common, o->wait ? "shut down" : "asked to shut down",
			     shutdown_one, &s, o->parallel);
	vm_host_close(&s.host);
	return r;
}
