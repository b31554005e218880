/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostdef_cli.h"

#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

const struct vm_operand_spec vm_hostdef_operands[] = {
	{ .name = "DEVICE", .kind = VM_OPERAND_OTHER, .many = true, .complete = "hostdev" },
	{ 0 },
};
const struct vm_operand_spec vm_hostdef_file_operands[] = {
	{ .name = "FILE", .kind = VM_OPERAND_FILE, .many = true, .complete = "file" },
	{ 0 },
};

void vm_hostdef_cli_name(struct vm_hostdef_cli *c, const char *operand, char *key)
{
	for (size_t i = 0; i < c->common.operands.n; i++)
		if (c->common.operands.v[i] == operand) {
			c->common.operands.v[i] = key;
			vm_words_add(&c->keys, key);
			return;
		}
	free(key);
}

static int each(void *options, const char *operand, struct vm_err *err)
{
	struct vm_hostdef_cli *c = options;

	c->h.deadline = c->common.deadline;
	return c->each(options, operand, err);
}

static int add_marked(const char *key, void *arg)
{
	vm_words_add(arg, vm_xstrdup(key));
	return 0;
}

int vm_hostdef_cli_run(const struct vm_program *p, void *options, const char *word, struct vm_err *err)
{
	struct vm_hostdef_cli *c = options;
	struct vm_words *operands = &c->common.operands;
	VM_AUTO_FREE const char **given = vm_xcalloc(operands->n + 1, sizeof(*given));
	bool all = operands->n == 0;
	int r;

	if (!all)
		memcpy(given, operands->v, operands->n * sizeof(*given));

	c->h = VM_HOSTDEFS_INIT;
	if (vm_hostdefs_open(c->common.connect, c->common.dry_run ? VM_STATE_READ : VM_STATE_CHANGE, &c->h, err) < 0)
		return -1;
	c->h.dry_run = c->common.dry_run;
	r = all ? vm_hostdef_marked(&c->h, add_marked, &c->marked, err) : 0;
	if (all)
		c->common.operands = c->marked;
	if (r == 0)
		r = vm_cli_each(p, &c->common, word, each, options);
	/* what was typed is told to syslog */
	if (all)
		*operands = (struct vm_words){ 0 };
	else
		memcpy(operands->v, given, operands->n * sizeof(*given));
	vm_words_free(&c->marked);
	vm_words_free(&c->keys);
	vm_hostdefs_close(&c->h);
	return r;
}
