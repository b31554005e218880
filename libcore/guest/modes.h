/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* --mode=MODE,... of vm-shutdown and vm-reboot. */
#include <vm/cleanup.h>
#include <vm/cli.h>

#include "driver.h"

/* In the order given, each once.  VM_USAGE names a word that is no mode. */
int vm_shutdown_modes_parse(const struct vm_words *words, struct vm_shutdown_modes *ret,
			    struct vm_err *err);
