/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
#include <vm/cli.h>

struct vm_edit_cli {
	struct vm_words set, remove;
	const char *editor; /* NULL = $VISUAL, $EDITOR, vi */
	bool diff;
};
/* Edits the definition of the one operand, by the editor or as set and remove say. */
int vm_edit_cli(const struct vm_program *p, const struct vm_common *c, const struct vm_edit_cli *o,
		struct vm_err *err);
