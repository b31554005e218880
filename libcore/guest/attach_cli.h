/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* vm-attach-hostdev and vm-detach-hostdev. */
#include <vm/cli.h>
#include <vm/err.h>

struct vm_attach_cli {
	bool live, config, current, persistent, siblings, force, if_needed, print_xml;
	int managed; /* index of "yes", "no"; -1 = not said */
	const char *address, *alias, *rom;
	uint64_t boot_order;
	uint64_t wait_ms;
};
extern const char *const vm_attach_managed_words[];
extern const struct vm_operand_spec vm_attach_operands[];
int vm_attach_cli(const struct vm_program *p, struct vm_common *c, const struct vm_attach_cli *o,
		  struct vm_err *err);
int vm_detach_cli(const struct vm_program *p, struct vm_common *c, const struct vm_attach_cli *o,
		  struct vm_err *err);
