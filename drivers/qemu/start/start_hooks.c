/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hooks of a start, each of which may refuse it; "stopped" and "release" are undo steps (reap.c). */
#include "start_step.h"

#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/state.h>

#include "guest/hooks.h"
#include "qemu/run/reap.h"

/* Hooks have a time-out of their own: what they take is not taken from QEMU's. */
static int ask(struct vm_start *s, const char *op, const char *document, struct vm_err *err)
{
	uint64_t began = vm_now_ms();
	int r = vm_hooks_run(s->g->state, s->g->name, op, "begin", document, err);

	if (s->deadline.at_ms != 0)
		s->deadline.at_ms += vm_now_ms() - began;
	return r;
}

static int ask_live(struct vm_start *s, const char *op, struct vm_err *err)
{
	VM_AUTO_FREE char *live = NULL;

	if (vm_file_read(s->g->run, VM_RUN_LIVE_XML, VM_DEFINITION_MAX, &live, NULL, NULL, err) < 0)
		return -1;
	return ask(s, op, live, err);
}

int vm_start_hook_prepare(struct vm_start *s, struct vm_err *err)
{
	s->hooks = vm_hooks_exist(s->g->state);
	if (!s->hooks)
		return 0;
	/* A start that fails before there is anything live shows this document to "release". */
	if (vm_start_early_xml(s, err) < 0 || vm_start_hold(s, "hook", "release", err) < 0)
		return -1;
	return ask_live(s, "prepare", err);
}

int vm_start_hook_start(struct vm_start *s, struct vm_err *err)
{
	if (!s->hooks)
		return 0;
	/* Its interfaces have got names by now. */
	if (vm_start_early_xml(s, err) < 0 || vm_start_hold(s, "hook", "stopped", err) < 0)
		return -1;
	return ask_live(s, "start", err);
}

int vm_start_hook_started(struct vm_start *s, struct vm_err *err)
{
	return s->hooks ? ask_live(s, "started", err) : 0;
}
