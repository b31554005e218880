/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verb_cli.h"

const struct vm_operand_spec vm_verb_operands[] = {
	{ .name = "GUEST", .kind = VM_OPERAND_GUEST, .many = true, .complete = "guest:running" },
	{ 0 },
};

int vm_verb_run(const struct vm_program *p, void *options, const char *word,
		int (*each)(void *options, const char *operand, struct vm_err *err),
		struct vm_err *err)
{
	struct vm_verb *v = options;
	int r;

	v->host = VM_HOST_INIT;
	if (vm_host_open(v->common.connect, &v->host, err) < 0)
		return -1;
	r = vm_cli_each(p, &v->common, word, each, options);
	vm_host_close(&v->host);
	return r;
}
