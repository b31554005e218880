/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/process.h>
#include <vm/state.h>

#include "guest/repair.h"
#include "host/self.h"

#define SAID_MAX 4096u

/* How many host devices the record of a running guest has; 0: none, or it does not run. */
static size_t count(const struct vm_repair *r, const char *name)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	struct vm_err ignored = VM_ERR_INIT;
	size_t n = 0;

	if (vm_guest_open(r->state, name, VM_GUEST_AS_IS, vm_deadline_in(r->timeout_ms), &g,
			  &ignored) < 0 ||
	    !g.active || g.life == VM_STALE)
		return 0;
	while (vm_record_nth(&g.record, VM_KEY_HOSTDEV, n) != NULL)
		n++;
	for (size_t i = 0; vm_record_nth(&g.record, VM_KEY_FOREIGN, i) != NULL; i++)
		n++;
	return n;
}

static int settle(const struct vm_repair *r, const char *name, struct vm_err *err)
{
	VM_AUTO_FREE char *path = NULL;
	VM_AUTO_FREE char *said = NULL;
	const char *argv[] = {NULL, r->state->uri.session ? "qemu:///session" : "qemu:///system",
			      name, NULL};
	int status = 0;

	if (vm_self_helper("vm-hostdev-settle", &path, err) < 0)
		return -1;
	argv[0] = path;
	if (vm_run(argv, NULL, SAID_MAX, vm_deadline_in(r->timeout_ms), NULL, &said, &status, err) <
	    0)
		return vm_err_wrap(err, "ask it for its host devices");
	if (status == 0)
		return 0;
	said[strcspn(said, "\n")] = 0;
	return vm_err_set(err, VM_SYSTEM, "%s", said);
}

void vm_repair_running(const struct vm_repair *r, const char *name)
{
	size_t before = count(r, name);
	struct vm_err err = VM_ERR_INIT;

	if (before == 0 || r->dry_run)
		return;
	if (settle(r, name, &err) < 0)
		r->failed(name, &err, r->arg);
	else if (count(r, name) < before)
		r->did(name, "gave back host devices that it does not have any more", r->arg);
}
