/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm-watch: stays beside one guest from its start to its end.  Run by vm-start, not by hand. */
#include <stdio.h>
#include <string.h>

#include <vm/cli.h>
#include <vm/log.h>

#include "guest/group.h"
#include "qemu/run/reap.h"
#include "qemu/watch/watch.h"

int main(int argc, char **argv)
{
	struct vm_watch_options o;
	struct vm_err err = VM_ERR_INIT;
	int status;

	vm_program_name = "vm-watch";
	vm_guest_reap = vm_qemu_reap;
	vm_guest_group_kill = vm_guest_group_kill_all;
	vm_guest_group_populated = vm_guest_group_has_any;
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return printf("vm-watch %s\n", VM_VERSION) < 0 ? VM_SYSTEM : 0;
	if (vm_watch_parse(argc, argv, &o, &err) < 0) {
		fprintf(stderr, "vm-watch: %s; it is run by vm-start\n", err.msg);
		return VM_USAGE;
	}
	status = vm_watch_run(&o, &err);
	if (status < 0) {
		fprintf(stderr, "vm-watch: %s: %s\n", o.name, err.msg);
		return (int)err.kind;
	}
	return status;
}
