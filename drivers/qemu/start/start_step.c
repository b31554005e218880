/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all steps of a start share. */
#include "start_step.h"

#include <stdlib.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/state.h>

void vm_start_inherit(struct vm_start *s, int from, int to)
{
	s->fds = vm_xreallocarray(s->fds, s->nfds + 1, sizeof(*s->fds));
	s->fds[s->nfds++] = (struct vm_spawn_fd){ from, to };
}

int vm_start_hold(struct vm_start *s, const char *verb, const char *arg, struct vm_err *err)
{
	VM_AUTO_FREE char *text = vm_xasprintf("%s %s", verb, arg);

	if (vm_undo_push(&s->undo, verb, "%s", arg) < 0)
		return vm_err_sys(err, "write the journal of the start");
	vm_record_add(&s->g->record, VM_KEY_HELD, text);
	return 0;
}

void vm_start_close_fds(struct vm_start *s)
{
	for (size_t i = 0; i < s->nfds; i++)
		close(s->fds[i].from);
	free(s->fds);
	s->fds = NULL;
	s->nfds = 0;
	s->alive = -1;
	for (size_t i = 0; i < s->nhelpers; i++) {
		vm_cleanup_fd(&s->helpers[i].socket);
		vm_cleanup_fd(&s->helpers[i].ready);
	}
	vm_cleanup_fd(&s->messages_write);
}
