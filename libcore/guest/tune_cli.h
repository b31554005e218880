/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* vm-cgroup and vm-pin. */
#include <vm/cli.h>

struct vm_tune_cli {
	bool live, config, current;
	bool raw, convert; /* vm-cgroup */
	const char *vcpu, *iothread, *cpulist; /* vm-pin: virsh's way to say it */
	bool emulator;
};
int vm_cgroup_cli(const struct vm_program *p, struct vm_common *c, const struct vm_tune_cli *o,
		  struct vm_err *err);
int vm_pin_cli(const struct vm_program *p, struct vm_common *c, const struct vm_tune_cli *o,
	       struct vm_err *err);
