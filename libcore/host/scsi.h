/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* SCSI devices of the host by their sg nodes, and vhost-scsi targets.  Needs libc alone.
 * Source: Linux Documentation/scsi/scsi-generic.rst, target/tcm_mod_builder.rst (configfs). */
#include <stdbool.h>
#include <stdint.h>

#include "sys.h"

struct vm_scsi_address {
	unsigned host, bus, target;
	uint64_t unit;
};
#define VM_SCSI_NODES "/dev" /* absolute directory of sg nodes */

/* "H:B:T:L", decimal. */
bool vm_scsi_parse(const char *text, struct vm_scsi_address *ret);

struct vm_scsi {
	struct vm_scsi_address address;
	char name[48];	 /* "0:0:1:0" */
	char sg[32];	 /* "sg1"; "" = none: the module sg is not loaded */
	char block[32];	 /* "sdb"; "" = none */
	char vendor[32], model[32];
	char driver[64]; /* "sd", "sr" ...; "" = none */
	int type;	 /* peripheral device type: 0 = disk, 1 = tape, 5 = CD; -1 = unknown */
};
/* VM_NOT_FOUND: there is none of that address. */
int vm_scsi_read(const struct vm_sys *s, const char *name, struct vm_scsi *ret, struct vm_err *err);
struct vm_scsis {
	struct vm_scsi *v; /* owned */
	size_t n;
};
void vm_scsis_read(const struct vm_sys *s, struct vm_scsis *ret, struct vm_unread *u);
void vm_scsis_free(struct vm_scsis *p);

/* "naa." and 16 hexadecimal digits. */
bool vm_wwpn_valid(const char *text);
/* One instance of vhost-scsi, for QEMU. */
int vm_vhost_scsi_open(int *ret_fd, struct vm_err *err);
/* Is there a vhost-scsi target of this name?  VM_NOT_FOUND says what is missing. */
int vm_vhost_scsi_check(const struct vm_sys *s, const char *wwpn, struct vm_err *err);
