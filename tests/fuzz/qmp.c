/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What QEMU says to a client that has sent six commands before the greeting.  An input that begins
 * with '!' is a command as typed (vm-qmp) instead.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/json.h>

#include "qemu/qmp/command.h"
#include "qemu/qmp/qmp.h"

#define COMMANDS  6
#define INPUT_MAX 65536 /* must fit into the socket */

static void typed(const uint8_t *data, size_t size)
{
	VM_AUTO_FREE char *text = vm_xstrndup((const char *)data, size);
	VM_AUTO(vm_qemu_command_free) struct vm_qemu_command c;
	struct vm_err err = VM_ERR_INIT;

	if (vm_qemu_command_parse(text, &c, &err) < 0) {
		assert(err.kind == VM_BAD_INPUT);
		return;
	}
	assert(c.arguments == NULL ||
	       (c.arguments[0] == '{' && vm_json_valid(c.arguments, strlen(c.arguments))));
}

static void collect(struct vm_qmp *q, uint64_t id, int how)
{
	VM_AUTO_FREE char *text = NULL;
	struct vm_err err = VM_ERR_INIT;
	json_t *value = NULL;
	int rc;

	if (how == 0) {
		vm_qmp_forget(q, id);
		return;
	}
	rc = how == 1 ? vm_qmp_recv_text(q, id, vm_deadline_in(1000), &text, &err)
		      : vm_qmp_recv(q, id, vm_deadline_in(1000), &value, &err);
	assert(rc == 0 || (err.kind != VM_OK && err.kind != VM_TIMED_OUT));
	assert(rc < 0 || text != NULL || value != NULL);
	assert(rc == 0 || vm_qmp_refused(q) != NULL || vm_qmp_broken(q));
	json_decref(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VM_AUTO(vm_qmp_close) struct vm_qmp *q = NULL;
	VM_AUTO_FD int peer = -1;
	struct vm_err err = VM_ERR_INIT;
	struct vm_qmp_event ev;
	uint64_t ids[COMMANDS];
	int sv[2];

	if (size > INPUT_MAX)
		return 0;
	if (size > 0 && data[0] == '!') {
		typed(data + 1, size - 1);
		return 0;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		abort();
	q = vm_qmp_new(sv[0]);
	peer = sv[1];
	for (int i = 0; i < COMMANDS; i++)
		if (vm_qmp_send(q, &ids[i], &err, "x", NULL) < 0)
			abort();
	if (send(peer, data, size, MSG_NOSIGNAL) != (ssize_t)size || shutdown(peer, SHUT_WR) < 0)
		abort();
	for (int i = 0; i < COMMANDS; i++)
		collect(q, ids[i], i % 3);
	while (vm_qmp_event_next(q, vm_deadline_in(1000), &ev, &err) == 0) {
		assert(ev.name != NULL);
		vm_qmp_event_free(&ev);
	}
	return 0;
}
