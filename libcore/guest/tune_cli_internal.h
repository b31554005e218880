/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What vm-cgroup and vm-pin share. */
#include "tune_cli.h"
#include "tune_show.h"

int vm_tune_cli_check(const struct vm_tune_cli *o, struct vm_err *err);
/* Some with and some without a value is neither showing nor setting; -1. */
int vm_tune_cli_mixed(const char *what, struct vm_err *err);
int vm_tune_cli_set(const struct vm_program *p, const struct vm_common *c,
		    const struct vm_tune_cli *o, const struct vm_tune_list *settings,
		    const struct vm_tune_pins *pins, struct vm_err *err);
/* Setting concerns one side unless both are named; showing shows both. */
int vm_tune_cli_view(const struct vm_state *s, const struct vm_common *c,
		     const struct vm_tune_cli *o, struct vm_tune_view *v, struct vm_err *err);
