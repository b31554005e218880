/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fake-guest NAME [STATE REASON SINCE_MS]
 * For tests of what looks at guests: a process that, as QEMU, holds the lock of `alive`, with the record that a start
 * writes and, if given, the status that a watcher writes.  Prints its pid.  It ends when it is killed, or after
 * two minutes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/state.h>

static int make(char **argv, int argc, struct vm_err *err)
{
	VM_AUTO(vm_state_close) struct vm_state s = VM_STATE_INIT;
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	struct vm_status status = { .from = "event" };
	struct vm_procid id;
	char uuid[37];
	int alive;
	pid_t pid;

	if (vm_state_open("qemu:///system", VM_STATE_CHANGE, &s, err) < 0 ||
	    vm_guest_open(&s, argv[1], VM_GUEST_LOCKED | VM_GUEST_NEW, vm_deadline_in(5000), &g,
			  err) < 0 ||
	    vm_guest_make_dirs(&g, err) < 0 || vm_guest_alive_make(&g, &alive, err) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		/* as exec does; and the test's pipe must not wait for us */
		close(g.lock);
		close(STDOUT_FILENO);
		sleep(120);
		_exit(0);
	}
	if (pid < 0 || vm_procid_of(pid, &id, err) < 0)
		return -1;
	vm_record_set(&g.record, VM_KEY_NAME, g.name);
	vm_record_set(&g.record, VM_KEY_DRIVER, s.driver);
	vm_record_set(&g.record, VM_KEY_PHASE, "running");
	vm_record_set(&g.record, VM_KEY_PERSISTENT, g.defined ? "yes" : "no");
	if (g.has_uuid) {
		vm_uuid_format(g.uuid, uuid);
		vm_record_set(&g.record, VM_KEY_UUID, uuid);
	}
	vm_record_set_procid(&g.record, VM_KEY_PID, &id);
	if (vm_guest_record_write(&g, err) < 0)
		return -1;
	g.active = true;
	if (argc == 5) {
		status.life = (enum vm_life)vm_life_from_word(argv[2]);
		snprintf(status.reason, sizeof(status.reason), "%s", argv[3]);
		status.since_ms = strtoull(argv[4], NULL, 10);
		if (vm_status_write(g.run, &status, err) < 0)
			return -1;
	}
	printf("%d\n", (int)pid);
	return 0;
}

int main(int argc, char **argv)
{
	struct vm_err err = VM_ERR_INIT;

	if (argc != 2 && argc != 5)
		return 2;
	if (make(argv, argc, &err) == 0)
		return 0;
	fprintf(stderr, "fake-guest: %s\n", err.msg);
	return 1;
}
