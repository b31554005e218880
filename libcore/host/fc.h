/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Fibre Channel. */
#include <stdint.h>

#include <vm/err.h>

/* Frames of what is in the group with this number carry the application identifier.  VM_UNSUPPORTED: the host's kernel
 * or adapters have none.  Source: Linux, drivers/scsi/scsi_transport_fc.c, fc_appid_store(). */
int vm_fc_appid_set(uint64_t group, const char *appid, struct vm_err *err);
