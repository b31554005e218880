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
struct vm_tune_options {
	struct vm_common common;
	struct vm_tune_cli cli;
};
/* The first option rows of both programs. */
/* clang-format off */
#define VM_TUNE_OFF(member) offsetof(struct vm_tune_options, cli.member)
#define VM_TUNE_ROWS \
	{ .name = "live", .kind = VM_OPT_FLAG, .off = VM_TUNE_OFF(live), .help = "" }, \
	{ .name = "config", .kind = VM_OPT_FLAG, .off = VM_TUNE_OFF(config), .same_line = 1, .help = "" }, \
	{ .name = "current", .kind = VM_OPT_FLAG, .off = VM_TUNE_OFF(current), .same_line = 1, \
	  .help = " what to show or set (default: show both,\nset --current)" },
/* clang-format on */

int vm_cgroup_cli(const struct vm_program *p, struct vm_common *c, const struct vm_tune_cli *o,
		  struct vm_err *err);
int vm_pin_cli(const struct vm_program *p, struct vm_common *c, const struct vm_tune_cli *o,
	       struct vm_err *err);
