/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The command line of vm-info.  It is two programs: vm-info itself, which loads libc alone and shows what
 * records and the kernel tell, and its helper vm-info-all, which it becomes for everything else.
 */
#include <vm/cli.h>

struct vm_info_options {
	struct vm_common common;
	const char *get, *is;
	bool reason, live, config;
};
extern const struct vm_opt vm_info_options[];
extern const struct vm_operand_spec vm_info_operands[];
extern const char vm_info_usage[], vm_info_summary_text[];
#define VM_INFO_PROGRAM(run_)                                                                      \
	{                                                                                          \
		.name = "vm-info", .usage = vm_info_usage, .summary = vm_info_summary_text,        \
		.options = vm_info_options, .operands = vm_info_operands,                          \
		.size = sizeof(struct vm_info_options), .run = (run_), .schema = "vm-info/1",      \
	}

struct vm_info_table;
/* Opens the guest and shows it with this table.  1 (*ret_status untouched): the table cannot show it. */
int vm_info_cli(const struct vm_info_options *o, const struct vm_info_table *t, int *ret_status,
		struct vm_err *err);
