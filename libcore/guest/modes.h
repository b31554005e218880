/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* --mode=MODE,... of vm-shutdown and vm-reboot. */
#include <vm/cleanup.h>
#include <vm/cli.h>

/* Bits of enum vm_shutdown_mode; none given = 0. VM_USAGE names a word that is no mode. */
int vm_shutdown_modes(const struct vm_words *words, unsigned *ret, struct vm_err *err);
